"""The rows of the list of runs: which can be renamed, what they say, and how they are painted.

A row has name, status, progress, facts and a small curve; its tip says what Resume does.
"""

from pathlib import Path
from typing import Any

from PySide6.QtCore import QCoreApplication, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStyleOptionViewItem, QWidget

from distill.config.family_catalog import FAMILIES
from distill.events import UNSAVED
from distill.gui.lists.list_model import ITEM_ROLE, MARKED_ROLE, ListModel
from distill.gui.lists.row_painting import StyledText, paint_ground, row_size, write_row
from distill.gui.lists.row_views import RenamingDelegate
from distill.gui.widgets import theme
from distill.gui.widgets.formatting import count_of, format_date
from distill.gui.widgets.plain_text import readable, rich_tip
from distill.runs.summary import RunSummary

Index = QModelIndex | QPersistentModelIndex

translate = QCoreApplication.translate

#: Width of the small curve, in device-independent pixels.
CURVE_WIDTH = 56


class RunModel(ListModel[RunSummary]):
    """Runs, the newest first.  The run that the window shows is marked."""

    #: The user has typed another name.
    renamed = Signal(object, str)  # folder, name

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(lambda run: run.folder, parent)

    def show_shown(self, folder: Path | None) -> None:
        """Mark the run that the window shows."""
        self.set_marked([] if folder is None else [folder])

    def item_data(self, item: RunSummary, role: int) -> Any:
        """Return what a row shows."""
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return item.name
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return spoken_text(item, self.is_marked(item))
        if role == Qt.ItemDataRole.ToolTipRole:
            return run_tip(item)
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Return the flags of a row: a run that is training or unreadable cannot be renamed."""
        flags = super().flags(index)
        run = self.item(index.row()) if index.isValid() else None
        if run is not None and run.status not in ("running", "unreadable"):
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Request another name; the row shows it once it is stored."""
        name = str(value).strip()
        if role != Qt.ItemDataRole.EditRole or not name or name == self.item(index.row()).name:
            return False
        self.renamed.emit(self.item(index.row()).folder, name)
        return True


def status_text(run: RunSummary) -> str:
    """Return a run's status in a word."""
    if run.host:
        return translate("RunModel", "training on {0}").format(readable(run.host))
    return {
        "finished": translate("RunModel", "finished"),
        "paused": translate("RunModel", "paused"),
        "interrupted": translate("RunModel", "interrupted"),
        "failed": translate("RunModel", "failed"),
        UNSAVED: translate("RunModel", "could not be saved"),
        "running": translate("RunModel", "training"),
    }.get(run.status, translate("RunModel", "unreadable"))


def facts_text(run: RunSummary) -> str:
    """Return when it was started, on how many sounds, and its family."""
    sounds = count_of(run.sounds, translate("RunModel", "1 sound"), translate("RunModel", "{0} sounds"))
    family = next((row.plain_name for row in FAMILIES if row.label == run.family), run.family)
    facts = [format_date(run.created), sounds, family] if family else [run.folder.name]
    return " · ".join(part for part in facts if part)


def progress_text(run: RunSummary) -> str:
    """Return how many epochs were trained, and which of them is the best: the one that the model is from."""
    if run.status == "unreadable":
        return run.problem
    epochs_text = translate("RunModel", "{0} of {1} epochs trained").format(run.progress.epochs, run.epochs_asked)
    best_loss, best_epoch = run.progress.best_loss, run.progress.best_epoch
    if best_loss is None or best_epoch is None:
        return epochs_text
    return translate("RunModel", "{0} · best epoch {1}, loss {2:.4g}").format(epochs_text, best_epoch, best_loss)


def spoken_text(run: RunSummary, is_shown: bool) -> str:
    """Return what a screen reader says of a run; ``is_shown`` where the window shows it."""
    shown = [translate("RunModel", "shown")] if is_shown else []
    return ", ".join([run.name, status_text(run), *shown, facts_text(run), progress_text(run)])


def run_tip(run: RunSummary) -> str:
    """Return what a run is called, how it ended, and what can be done with it."""
    status_meaning = {
        "finished": translate("RunModel", "Finished. Set more epochs to continue it."),
        "paused": translate("RunModel", "Paused, with a checkpoint. Resume continues from there."),
        "interrupted": translate(
            "RunModel", "Distill was closed while it trained. Resume continues from the last checkpoint."
        ),
        "failed": translate("RunModel", "It ended with an error: {0}").format(run.problem),
        UNSAVED: run.problem,
        "running": translate("RunModel", "It is training now, in this window or in another Distill.")
        if not run.host
        else translate(
            "RunModel",
            "It is training on {0}. You can watch it here, and resume it two minutes after that computer has "
            "stopped or has lost its connection.",
        ).format(readable(run.host)),
    }.get(run.status, run.problem)
    curve_text = translate("RunModel", "The curve is the loss on held-out sounds. The model is from its lowest point.")
    return rich_tip(run.name, status_meaning, curve_text, run.folder.name)


class RunDelegate(RenamingDelegate):
    """Paints a run in three lines with its curve behind them."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__("runNameEdit", QCoreApplication.translate("RunDelegate", "Name of the run"), parent)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Return the height of three lines."""
        return row_size(option, 3)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint a row."""
        run = index.data(ITEM_ROLE)
        if not isinstance(run, RunSummary):
            return
        colors = theme.colors()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_ground(painter, option, theme.colors().second if index.data(MARKED_ROLE) else "")
        position = option.rect.adjusted(theme.MARGIN, theme.HALF, -theme.GAP, -theme.HALF)
        head = StyledText(run.name, colors.text), StyledText(status_text(run), _status_color(run.status))
        facts = StyledText(facts_text(run), colors.muted), StyledText(progress_text(run), colors.muted)
        write_row(painter, option, position, head, facts, run.progress.curve, CURVE_WIDTH)
        painter.restore()

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Index) -> None:
        """Place the editor over the name."""
        rect: QRect = option.rect
        editor.setGeometry(rect.left() + theme.GAP, rect.top() + 1, rect.width() - 2 * theme.GAP, 28)


def _status_color(status: str) -> str:
    colors = theme.colors()
    return {
        "finished": colors.good, "paused": colors.muted, "interrupted": colors.fair, "failed": colors.bad,
        "running": colors.accent,
    }.get(status, colors.bad)  # fmt: skip
