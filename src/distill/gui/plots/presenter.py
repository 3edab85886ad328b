"""Marks checkpoints and previews on the curves, and exports the curves."""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QFileDialog

from distill.events import PreviewEvent
from distill.files import write_whole
from distill.gui.background.background_task import BackgroundTask
from distill.gui.desktop.dialog_folders import StartFolders
from distill.gui.engine.run_controller import RunController
from distill.gui.engine.run_state import RunState
from distill.gui.plots.export import csv_bytes, draw_image, epoch_table, png_bytes, step_table, svg_bytes
from distill.gui.plots.panel import PlotsPanel
from distill.gui.plots.plot import Plot
from distill.gui.user_errors import error_text
from distill.gui.widgets.notices import NoticeBar
from distill.gui.window_part import WindowPart
from distill.runs.loaded_run import LoadedRun
from distill.runs.run_record import Interruption
from distill.settings import WindowSettings

#: Topic of the notices about saved curves.
TOPIC = "curves"

_CHECKPOINT = re.compile(r"checkpoint_epoch(\d+)\.pt")

#: Milliseconds from the end of an epoch until its checkpoint, written in the background, is looked for.
LOOK_MILLISECONDS = 500


class PlotsPresenter(QObject, WindowPart):
    """Marks what a run has written, plays a clicked epoch, and exports pictures and tables."""

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
        self._dialog: QFileDialog | None = None
        self._folder, self._starts = Path.home(), StartFolders(self)
        self._look_timer = QTimer(self, interval=LOOK_MILLISECONDS, singleShot=True)
        self._look_timer.timeout.connect(self._look)
        plots.preview_requested.connect(self._on_preview_requested)
        plots.export_requested.connect(self.ask_where)
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
        if self._dialog is not None:
            self._dialog.close()

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
        if state is RunState.TRAINING and any(not place.is_resumed for place in self._interruptions):
            self._show_interruptions([replace(place, is_resumed=True) for place in self._interruptions])

    def _show_interruptions(self, interruptions: list[Interruption]) -> None:
        self._interruptions = interruptions
        self._plots.mark_interruptions(interruptions)

    def _on_preview_made(self, preview: PreviewEvent) -> None:
        known = self._previews.get(preview.epoch)
        first = first_previews([(preview.epoch, path) for path in (known, Path(preview.audio_path)) if path])
        if first.get(preview.epoch) != known:
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

    # Saving.

    def save_picture(self) -> None:
        """Ask where to save a picture of all plots that are shown."""
        self.ask_where("picture", self._plots.shown_plots)

    def save_table(self, kind: str) -> None:
        """Ask where to save the figures of all ``"steps"`` or ``"epochs"``."""
        self.ask_where(kind, [])

    def ask_where(self, kind: str, plots: Sequence[Plot]) -> None:
        """Let the user choose a file for a picture of plots, or for the figures of all ``"steps"`` or ``"epochs"``.

        A name that is known to be taken is not proposed, and the dialog asks before a file is replaced.
        """
        if self._dialog is not None:
            self._dialog.raise_()
            return
        is_picture = kind == "picture"
        what = plots[0].title.split(",")[0] if is_picture and len(plots) == 1 else self.tr("curves")
        dialog = QFileDialog(self._plots, self.tr("Export picture") if is_picture else self.tr("Export as CSV"))
        dialog.setObjectName("saveCurvesDialog")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        filters = [self.tr("Image (*.png)"), self.tr("Drawing (*.svg)")] if is_picture else [self.tr("Table (*.csv)")]
        dialog.setNameFilters(filters)
        suffix = ".png" if is_picture else ".csv"
        dialog.setDefaultSuffix(suffix)
        dialog.filterSelected.connect(lambda name: dialog.setDefaultSuffix("svg" if "svg" in name else suffix[1:]))
        start = self._starts.start(self._folder)
        stem = f"{self._run_name()} {what if is_picture else kind}"
        dialog.setDirectory(str(start))
        dialog.selectFile(free_name(self._starts.names(start), stem, suffix))
        dialog.fileSelected.connect(lambda name: self.save_as(Path(name), kind, plots))
        dialog.finished.connect(self._on_dialog_finished)
        self._dialog = dialog
        dialog.open()

    def save_as(self, path: Path, kind: str, plots: Sequence[Plot]) -> None:
        """Save a picture or a table; the ending of the name says whether a picture is an image or a drawing."""
        history = self._plots.history
        make: Callable[[], bytes]
        if kind != "picture":
            make = partial(csv_bytes, step_table(history) if kind == "steps" else epoch_table(history))
        elif path.suffix.lower() == ".svg":
            make = partial(bytes, svg_bytes(plots, path.stem))  # drawn here: it belongs to the window
        else:
            make = partial(png_bytes, draw_image(plots))

        def work(_progress: object, _cancel: object) -> Path:
            with write_whole(path) as file:
                file.write(make())
            return path

        task = BackgroundTask(work, self)
        task.succeeded.connect(self._on_saved)
        task.failed.connect(lambda error: self._on_save_failed(path, error))
        task.start()

    def _on_saved(self, path: Path) -> None:
        self._folder = path.parent
        self._starts.look(self._folder)
        self._notices.notify(TOPIC, self.tr("Saved: {0}").format(path), "info")

    def _on_save_failed(self, path: Path, error: Exception) -> None:
        text = self.tr("{0} cannot be written ({1}). Choose another folder.")
        self._notices.notify(TOPIC, text.format(path, error_text(error)), "error")

    def _on_dialog_finished(self, _result: int) -> None:
        if self._dialog is not None:
            self._dialog.deleteLater()
            self._dialog = None

    def _run_name(self) -> str:
        return self._runs.folder.name if self._runs.folder is not None else "Distill"


def checkpoint_epochs(run_dir: Path) -> list[int]:
    """Return the epochs, which count from 0, that a run has checkpoints of.  Names alone are read: no torch here."""
    names = (path.name for path in (run_dir / "checkpoints").glob("checkpoint_epoch*.pt"))
    return sorted(int(match[1]) for name in names if (match := _CHECKPOINT.fullmatch(name)))


def first_previews(sounds: Iterable[tuple[int, Path]]) -> dict[int, Path]:
    """Return each epoch's first preview: a new sound where there is one, else the first reconstruction."""
    first: dict[int, Path] = {}
    for epoch, path in sorted(sounds, key=lambda s: (s[0], s[1].name)):  # "preview" comes before "recon"
        if "_orig_" not in path.name:
            first.setdefault(epoch, path)
    return first


def free_name(taken: Collection[str], stem: str, suffix: str) -> str:
    """Return a name that is not among these; letter case makes no difference."""
    known = {other.casefold() for other in taken}
    name, number = f"{stem}{suffix}", 2
    while name.casefold() in known:
        name, number = f"{stem} {number}{suffix}", number + 1
    return name
