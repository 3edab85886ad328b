"""Asks where to save curves, as a picture or as a table, and writes the file."""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog

from distill.files import write_whole
from distill.gui.background_tasks import BackgroundTask
from distill.gui.desktop.dialog_folders import StartFolders
from distill.gui.engine.run_controller import RunController
from distill.gui.plots.export.csv_table import csv_bytes, epoch_table, step_table
from distill.gui.plots.export.picture import draw_image, png_bytes, svg_bytes
from distill.gui.plots.panel import PlotsPanel
from distill.gui.plots.plot import Plot
from distill.gui.user_errors import error_text
from distill.gui.widgets.notices import NoticeBar

#: Topic of the notices about curves.
TOPIC = "curves"


class CurvesExport(QObject):
    """Saves pictures of plots, and tables of their figures, where the user wants them."""

    def __init__(self, plots: PlotsPanel, runs: RunController, notices: NoticeBar, parent: QObject) -> None:
        super().__init__(parent)
        self._plots, self._runs, self._notices = plots, runs, notices
        self._dialog: QFileDialog | None = None
        self._folder, self._starts = Path.home(), StartFolders(self)
        plots.export_requested.connect(self.ask_where)

    def close(self) -> None:
        """Close the dialog."""
        if self._dialog is not None:
            self._dialog.close()

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


def free_name(taken: Collection[str], stem: str, suffix: str) -> str:
    """Return a name that is not among these; letter case makes no difference."""
    taken_names = {other.casefold() for other in taken}
    name, number = f"{stem}{suffix}", 2
    while name.casefold() in taken_names:
        name, number = f"{stem} {number}{suffix}", number + 1
    return name
