"""Marks checkpoints, previews and interruptions on the curves."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, QTimer

from distill.events import PreviewEvent
from distill.gui.background_tasks import BackgroundTask
from distill.gui.engine.run_controller import RunController
from distill.gui.engine.run_state import RunState
from distill.gui.plots.export.save_dialog import TOPIC, CurvesExport
from distill.gui.plots.panel import PlotsPanel
from distill.gui.widgets.notices import NoticeBar
from distill.gui.window_part import WindowPart
from distill.runs.folder import checkpoint_epochs
from distill.runs.loaded_run import LoadedRun
from distill.runs.run_record import Interruption
from distill.settings import WindowSettings

#: Milliseconds from the end of an epoch until its checkpoint, written in the background, is looked for.
LOOK_MILLISECONDS = 500


class PlotsPresenter(QObject, WindowPart):
    """Marks what a run has written, and plays a clicked epoch."""

    def __init__(
        self,
        plots: PlotsPanel,
        runs: RunController,
        play: Callable[[Path], None],
        notices: NoticeBar,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._plots, self._runs, self._play, self._notices = plots, runs, play, notices
        self._previews: dict[int, Path] = {}
        self._interruptions: list[Interruption] = []
        self._looking: BackgroundTask | None = None
        self._looks_at: Path | None = None
        #: Saves the curves.
        self.export = CurvesExport(plots, runs, notices, self)
        self._look_timer = QTimer(self, interval=LOOK_MILLISECONDS, singleShot=True)
        self._look_timer.timeout.connect(self._look)
        plots.preview_requested.connect(self._on_preview_requested)
        runs.new_run_began.connect(self._on_new_run)
        runs.run_opened.connect(self._on_run_opened)
        bridge = runs.bridge
        bridge.preview_made.connect(self._on_preview_made)
        bridge.epoch_finished.connect(self._look_soon)
        bridge.run_ended.connect(self._look_soon)
        bridge.state_changed.connect(self._on_state_changed)

    def restore(self, settings: WindowSettings) -> None:
        """Show the plots of the last session."""
        self._plots.restore(settings.plots)

    def save(self, settings: WindowSettings) -> None:
        """Keep which plots are shown, and how."""
        settings.plots = self._plots.state()

    def close(self) -> None:
        """Stop looking for checkpoints, and close the dialog."""
        self._look_timer.stop()
        self.export.close()

    # Marks.

    def _on_new_run(self) -> None:
        self._previews, self._interruptions = {}, []
        self._plots.clear_marks()

    def _on_run_opened(self, run: LoadedRun) -> None:
        self._show_previews(first_previews((sound.epoch, sound.path) for sound in run.previews))
        self._plots.mark_checkpoints([])
        self._show_interruptions(run.interruptions)
        self._look()

    def _on_state_changed(self, state: RunState) -> None:
        if state is RunState.TRAINING and any(not interruption.is_resumed for interruption in self._interruptions):
            self._show_interruptions([replace(interruption, is_resumed=True) for interruption in self._interruptions])

    def _show_interruptions(self, interruptions: list[Interruption]) -> None:
        self._interruptions = interruptions
        self._plots.mark_interruptions(interruptions)

    def _on_preview_made(self, preview: PreviewEvent) -> None:
        known_preview = self._previews.get(preview.epoch)
        first = first_previews([(preview.epoch, path) for path in (known_preview, Path(preview.audio_path)) if path])
        if first.get(preview.epoch) != known_preview:
            self._show_previews({**self._previews, **first})

    def _on_preview_requested(self, epoch: int) -> None:
        if epoch in self._previews:
            self._play(self._previews[epoch])

    def _show_previews(self, previews: dict[int, Path]) -> None:
        self._previews = previews
        self._plots.mark_previews({epoch: path.name for epoch, path in previews.items()})

    def _look_soon(self, _event: object) -> None:
        if not self._look_timer.isActive():
            self._look_timer.start()

    def _look(self) -> None:
        """List the run's checkpoints; its folder may lie on a slow disk."""
        folder = self._runs.folder
        if folder is None:
            return
        if self._looking is not None:
            self._looking.cancel()
        self._looks_at = folder
        self._looking = BackgroundTask(lambda _progress, _cancel: checkpoint_epochs(folder), self)
        self._looking.succeeded.connect(self._on_looked)
        self._looking.failed.connect(lambda error: self._notices.notify_error(TOPIC, error))
        self._looking.start()

    def _on_looked(self, epochs: list[int]) -> None:
        self._looking = None
        if self._looks_at == self._runs.folder:
            self._plots.mark_checkpoints(epochs)


def first_previews(sounds: Iterable[tuple[int, Path]]) -> dict[int, Path]:
    """Return each epoch's first preview: a new sound where there is one, else the first reconstruction."""
    first: dict[int, Path] = {}
    for epoch, path in sorted(sounds, key=lambda s: (s[0], s[1].name)):  # "preview" comes before "recon"
        if "_orig_" not in path.name:
            first.setdefault(epoch, path)
    return first
