"""Paints a row of the list of runs: name, status, facts and a small curve."""

from PySide6.QtCore import QCoreApplication, QModelIndex, QPersistentModelIndex, QRect, QSize
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStyleOptionViewItem, QWidget

from distill.gui.lists.list_model import ITEM_ROLE, MARKED_ROLE
from distill.gui.lists.renaming_delegate import RenamingDelegate
from distill.gui.lists.row_painting import StyledText, paint_ground, row_size, write_row
from distill.gui.runs.list_row_texts import facts_text, progress_text, status_text
from distill.gui.widgets import theme
from distill.runs.summary import RunSummary

#: Width of the small curve, in device-independent pixels.
CURVE_WIDTH = 56

Index = QModelIndex | QPersistentModelIndex


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
