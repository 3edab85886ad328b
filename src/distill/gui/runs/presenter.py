"""Lists the runs on disk: reading, following, renaming."""

import time
from pathlib import Path

from PySide6.QtCore import QObject

from distill import paths
from distill.gui.background_tasks import BackgroundTask, Work
from distill.gui.desktop.show_in_folder import reveal
from distill.gui.engine.run_state import RunState
from distill.gui.runs.panel import RunsPanel
from distill.gui.runs.run_deletion import TOPIC, RunDeletion
from distill.gui.training.presenter import TrainingPresenter
from distill.gui.widgets.notices import NoticeBar
from distill.names import checked_name
from distill.runs.loaded_run import LoadedRun
from distill.runs.record_changes import rename_run
from distill.runs.summary import RunSummary, list_runs, with_progress

#: How often the row of a running run is updated.
FOLLOW_SECONDS = 1.0


class RunsPresenter(QObject):
    """Shows the folder of runs in the list, and carries out what the list requests."""

    def __init__(self, view: RunsPanel, runs: TrainingPresenter, notices: NoticeBar, parent: QObject) -> None:
        super().__init__(parent)
        self._view, self._runs, self._notices = view, runs, notices
        self._reading_runs: BackgroundTask | None = None
        self._is_list_stale = False
        self._row_updated_at = 0.0
        self._run_to_resume: Path | None = None
        view.show_requested.connect(self.show)
        view.resume_requested.connect(self.resume)
        view.reveal_requested.connect(lambda folder: reveal(folder, self))
        view.renamed.connect(self._on_renamed)
        self._deletion = RunDeletion(view, runs, self._change, notices, self)
        view.open_other_requested.connect(runs.choose_run)
        runs.run_changed.connect(self._on_run_changed)
        runs.runs.run_opened.connect(self._on_run_opened)
        runs.runs.opening_failed.connect(self._on_opening_failed)
        runs.runs.marked_finished.connect(self.refresh)
        runs.bridge.state_changed.connect(self._on_state_changed)
        runs.bridge.epoch_finished.connect(self._on_epoch)

    def refresh(self) -> None:
        """Read the folder of runs anew, in the background."""
        if self._reading_runs is not None:
            self._is_list_stale = True
            return
        self._is_list_stale = False
        self._reading_runs = BackgroundTask(lambda _progress, _cancel: list_runs(), self)
        self._reading_runs.succeeded.connect(self._on_read)
        self._reading_runs.failed.connect(self._on_read_failed)
        self._reading_runs.ended.connect(self._on_reading_ended)
        self._reading_runs.start()

    def refresh_if_seen(self) -> None:
        """Read the folder of runs again if the list is visible: the terminal may have added runs."""
        if self._view.isVisible():
            self.refresh()

    def show(self, folder: Path) -> None:
        """Show a run, unless it is shown already and no other one is about to be."""
        runs = self._runs.runs
        if folder != (runs.opening or runs.folder):
            runs.open(folder)

    def resume(self, folder: Path) -> None:
        """Show a run and continue it."""
        if folder == self._runs.runs.folder:
            self._runs.resume()
        else:
            self._run_to_resume = folder
            self._runs.runs.open(folder)

    def _on_read(self, runs: list[RunSummary]) -> None:
        self._runs.starts.look(paths.runs_dir())  # a run may just have made it
        self._view.show_runs(runs)
        self._view.show_shown(self._runs.runs.folder)

    def _on_read_failed(self, error: Exception) -> None:
        self._notices.notify_error(TOPIC, error, self.tr("The runs could not be listed: {0}"))

    def _on_reading_ended(self) -> None:
        self._reading_runs = None
        if self._is_list_stale:
            self.refresh()

    def _on_run_changed(self) -> None:
        self._view.show_shown(self._runs.runs.folder)

    def _on_run_opened(self, run: LoadedRun) -> None:
        run_to_resume, self._run_to_resume = self._run_to_resume, None
        if run_to_resume == run.folder:
            self._runs.resume()

    def _on_opening_failed(self) -> None:
        self._run_to_resume = None  # who opens it later may only want to look

    def _on_state_changed(self, state: RunState) -> None:
        self._run_to_resume = None
        self._view.show_training(state is not RunState.IDLE)
        if state in (RunState.TRAINING, RunState.IDLE):  # there is a new run, or one has ended
            self.refresh()

    def _on_epoch(self, _epoch: object) -> None:
        now, folder = time.monotonic(), self._runs.runs.folder
        if folder is None or not self._view.isVisible() or now - self._row_updated_at < FOLLOW_SECONDS:
            return
        self._row_updated_at = now
        row = self._view.table.row_of(folder)
        if row >= 0:
            losses = [epoch.val_loss for epoch in self._runs.bridge.history.epochs]
            self._view.table.update_items([with_progress(self._view.table.item(row), losses)])

    def _on_renamed(self, folder: Path, name: str) -> None:
        self._change(lambda _progress, _cancel: rename_run(folder, checked_name(name)))

    def _change(self, work: Work) -> None:
        task = BackgroundTask(work, self)
        self._notices.forget(TOPIC)
        task.failed.connect(lambda error: self._notices.notify_error(TOPIC, error))
        task.ended.connect(self.refresh)
        task.start()
