"""Opens the comparison of runs, plays its sounds, and lets the models generate."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from distill.generation.audition_samples import same_seed_samples
from distill.gui.background_tasks import BackgroundTask
from distill.gui.compare.dialog import SEEDED, CompareDialog
from distill.gui.engine.engine_protocol import EngineSource
from distill.gui.player.presenter import PlayerController
from distill.gui.runs.panel import RunsPanel
from distill.gui.sounds.waveform_thumbnails import Thumbnails
from distill.gui.user_errors import error_text
from distill.gui.widgets import theme
from distill.gui.widgets.notices import NoticeBar
from distill.gui.window_part import WindowPart
from distill.playback.player import PlayerState, PlayerStatus
from distill.runs.comparison import Comparison, SameSound

#: Topic of the notices about comparisons.
TOPIC = "compare"


class ComparePresenter(QObject, WindowPart):
    """Compares the chosen runs in a window of their own, one comparison at a time."""

    def __init__(
        self,
        engine: EngineSource,
        run_list: RunsPanel,
        playback: PlayerController,
        thumbnails: Thumbnails,
        notices: NoticeBar,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._engine, self._playback, self._thumbnails = engine, playback, thumbnails
        self._notices, self._window = notices, window
        self.dialog: CompareDialog | None = None
        self._task: BackgroundTask | None = None
        run_list.compare_requested.connect(self.compare)
        playback.status_changed.connect(self._on_status)

    def compare(self, folders: Sequence[Path]) -> None:
        """Read the runs, and show them side by side."""
        self._notices.forget(TOPIC)
        chosen = tuple(folders)
        task = BackgroundTask(lambda _progress, _cancel: Comparison.read(chosen), self)
        task.succeeded.connect(self._show)
        task.failed.connect(lambda error: self._notices.notify_error(TOPIC, error))
        task.start()

    def close(self) -> None:
        """Close the comparison."""
        if self.dialog is not None:
            self.dialog.close()

    def _show(self, comparison: Comparison) -> None:
        if self.dialog is not None:
            self.dialog.close()
        self.dialog = CompareDialog(comparison, self._thumbnails, self._window)
        theme.apply_style_sheet(self.dialog)
        self.dialog.hear_requested.connect(self._on_hear_requested)
        self.dialog.stop_requested.connect(self._playback.stop)
        self.dialog.seed_requested.connect(self._on_seed_requested)
        self.dialog.closed.connect(self._on_closed)
        self.dialog.show()
        self.dialog.activateWindow()

    def _on_closed(self) -> None:
        if self.dialog is not None:
            self.dialog = None
            if self._task is not None:
                self._task.cancel()
                self._task = None
            if self._playback.status.group:
                self._playback.stop()

    def _on_hear_requested(self, files: tuple[Path, ...], number: int) -> None:
        status = self._playback.status
        if status.group == files and status.state is PlayerState.PLAYING:
            self._playback.switch_to(number)
        else:
            self._playback.compare_group(files, number)

    def _on_status(self, status: PlayerStatus) -> None:
        if self.dialog is not None:
            self.dialog.show_heard(status.path if status.state is PlayerState.PLAYING and status.group else None)
            if status.error is not None or status.state is PlayerState.PLAYING:
                self.dialog.show_problem(status.error or "")

    def _on_seed_requested(self, seed: int) -> None:
        dialog = self.dialog
        if dialog is None or self._task is not None:
            return
        runs, engine = [run.folder for run in dialog.comparison.runs], self._engine

        def work(_progress: object, cancel: object) -> list[SameSound]:
            engine()  # waits for the import of torch
            return same_seed_samples(runs, seed, SEEDED, cancel_event=cancel)  # type: ignore[arg-type]

        dialog.show_generating(True)
        dialog.show_problem("")
        self._task = task = BackgroundTask(work, self)
        task.succeeded.connect(lambda sounds: self._on_generated(dialog, seed, sounds))
        task.failed.connect(lambda error: dialog.show_problem(error_text(error)))
        task.ended.connect(lambda: self._on_generating_ended(dialog))
        task.start()

    def _on_generated(self, dialog: CompareDialog, seed: int, sounds: Sequence[SameSound]) -> None:
        if dialog is self.dialog:
            dialog.show_seeded(seed, sounds)

    def _on_generating_ended(self, dialog: CompareDialog) -> None:
        self._task = None
        if dialog is self.dialog:
            dialog.show_generating(False)
