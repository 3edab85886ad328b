"""Lists the runs on disk: reading, following, renaming, and deleting, which asks first and moves them to the trash."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject, Qt
from PySide6.QtWidgets import QMessageBox, QWidget

from distill import paths
from distill.errors import RunFolderError
from distill.gui.background_tasks import BackgroundTask, Work
from distill.gui.desktop.show_in_folder import reveal
from distill.gui.desktop.system_trash import move_to_trash
from distill.gui.engine.run_state import RunState
from distill.gui.runs.panel import RunsPanel
from distill.gui.training.presenter import TrainingPresenter
from distill.gui.widgets.notices import NoticeBar
from distill.gui.widgets.plain_text import readable
from distill.names import checked_name
from distill.runs.loaded_run import LoadedRun
from distill.runs.record_changes import rename_run
from distill.runs.run_owner import is_locked
from distill.runs.summary import RunSummary, list_runs, with_progress

translate = QCoreApplication.translate

#: Topic of the notices about the list of runs.
TOPIC = "runs"

#: Runs that are named in a question about them.
NAMED = 5

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


class RunDeletion(QObject):
    """Moves runs to the trash for the list, once the user has confirmed it.

    Parameters
    ----------
    panel
        Whose list requests it.
    runs
        What knows the run that is shown, and closes it.
    change
        Carries a change of the folder of runs out in the background.
    """

    def __init__(
        self,
        panel: RunsPanel,
        runs: TrainingPresenter,
        change: Callable[[Work], None],
        notices: NoticeBar,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._panel, self._runs, self._change, self._notices = panel, runs, change, notices
        self._question: DeletionQuestion | None = None
        self._runs_to_delete: list[RunSummary] = []
        panel.delete_requested.connect(self._on_delete_requested)

    def _on_delete_requested(self, runs: list[RunSummary]) -> None:
        if self._question is not None or not runs:
            return
        self._runs_to_delete = runs
        self._question = DeletionQuestion(runs, self._panel.window())
        self._question.finished.connect(self._on_delete_answered)
        self._question.open()

    def _on_delete_answered(self, _result: int) -> None:
        question, self._question = self._question, None
        runs_to_delete, self._runs_to_delete = self._runs_to_delete, []
        if question is None:
            return
        is_agreed = question.is_agreed()
        question.deleteLater()
        if not is_agreed:
            return
        shown_run = next((run for run in runs_to_delete if run.folder == self._runs.runs.folder), None)
        running_run = shown_run if self._runs.bridge.is_running else None  # the queue has begun it meanwhile
        folders = [run.folder for run in runs_to_delete if run is not running_run]
        if folders:
            if shown_run is not None and running_run is None:
                self._runs.close_run()
            self._change(lambda _progress, _cancel: delete_runs(folders))
        if running_run is not None:
            self._notices.notify(TOPIC, training_text(running_run), "warning")


class DeletionQuestion(QMessageBox):
    """Asks whether these runs are to be moved to the trash."""

    def __init__(self, runs: Sequence[RunSummary], window: QWidget) -> None:
        super().__init__(
            QMessageBox.Icon.NoIcon,
            translate("RunsPresenter", "Move the run to the trash?")
            if len(runs) == 1
            else translate("RunsPresenter", "Move {0} runs to the trash?").format(len(runs)),
            _question_text([readable(run.name) for run in runs]),
            parent=window,
        )
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setInformativeText(translate("RunsPresenter", "Your models stay. The sounds are not touched."))
        self.setObjectName("deleteRunDialog")
        delete = self.addButton(translate("RunsPresenter", "Move to &trash"), QMessageBox.ButtonRole.AcceptRole)
        keep = self.addButton(translate("RunsPresenter", "&Keep"), QMessageBox.ButtonRole.RejectRole)
        delete.setObjectName("deleteRunButton")
        self.setDefaultButton(keep)
        self.setEscapeButton(keep)

    def is_agreed(self) -> bool:
        """Whether the user wants them to be deleted."""
        return self.buttonRole(self.clickedButton()) is QMessageBox.ButtonRole.AcceptRole


def _question_text(names: Sequence[str]) -> str:
    if len(names) == 1:
        text = translate("RunsPresenter", "The run “{0}” goes to the trash, with its curves, previews and checkpoints.")
        return text.format(names[0])
    named = "”, “".join(names[:NAMED])
    text = translate("RunsPresenter", "{0} runs go to the trash, with their curves, previews and checkpoints: “{1}”.")
    if len(names) > NAMED:
        text = translate(
            "RunsPresenter",
            "{0} runs go to the trash, with their curves, previews and checkpoints: “{1}” and {2} more.",
        )
    return text.format(len(names), named, len(names) - NAMED)


def training_text(run: RunSummary) -> str:
    """Return why a run that is training now stays."""
    text = translate("RunsPresenter", "“{0}” is training now. Pause it before you move it to the trash.")
    return text.format(run.name)


def delete_runs(folders: Sequence[Path]) -> None:
    """Move runs to the trash; one that cannot be moved does not keep the others.

    Raises
    ------
    RunFolderError
        Some of them stay as they were; the message gives the reason of the first.
    """
    errors: list[RunFolderError] = []
    for folder in folders:
        try:
            delete_run(folder)
        except RunFolderError as exc:
            errors.append(exc)
    if len(errors) > 1:
        text = translate("RunsPresenter", "{0} of {1} runs are still there. {2}")
        raise RunFolderError(text.format(len(errors), len(folders), errors[0])) from errors[0]
    if errors:
        raise errors[0]


def delete_run(folder: Path) -> None:
    """Move a run to the trash, from which the user can restore it.

    Raises
    ------
    RunFolderError
        A process trains in it, or there is no trash; the run stays as it was.
    """
    if is_locked(folder):
        text = translate(
            "RunsPresenter", "Another Distill is training in {0} right now. Stop it there before you delete it."
        )
        raise RunFolderError(text.format(folder))
    try:
        move_to_trash(folder)
    except OSError as exc:
        text = translate(
            "RunsPresenter", "{0} cannot be moved to a trash here. Delete the folder yourself to make room."
        )
        raise RunFolderError(text.format(folder)) from exc
