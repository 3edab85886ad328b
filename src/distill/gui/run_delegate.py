"""How a run looks in the list of runs: name, status, facts, and its small curve."""

from typing import Any

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize
from PySide6.QtGui import QFont, QPainter
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem, QWidget

from distill.gui import theme
from distill.gui.row_painting import paint_curve, paint_ground, write_line
from distill.gui.run_table import RUN_ROLE, SHOWN_ROLE, RunTable
from distill.training.run_summary import RunSummary

#: Width of the small curve, in device-independent pixels.
CURVE_WIDTH = 56

Index = QModelIndex | QPersistentModelIndex


class RunDelegate(QStyledItemDelegate):
    """Paints a run in three lines with its curve at the right."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Return the height of three lines."""
        return QSize(120, 3 * option.fontMetrics.height() + 4 * theme.HALF)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint a row."""
        run, table = index.data(RUN_ROLE), _table_of(index)
        if not isinstance(run, RunSummary):
            return
        rect: QRect = option.rect
        font: QFont = option.font
        colors = theme.colors()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_ground(painter, option, bool(index.data(SHOWN_ROLE)))
        inner = rect.adjusted(theme.MARGIN, theme.HALF, -theme.GAP, -theme.HALF)
        line = option.fontMetrics.height() + 2
        status = table.status_text(run)
        status_width = option.fontMetrics.horizontalAdvance(status)
        name_font = QFont(font)
        name_font.setBold(True)
        place = QRect(inner.left(), inner.top(), inner.width() - status_width - theme.GAP, line)
        write_line(painter, name_font, place, run.name, colors.text)
        place = QRect(inner.right() - status_width, inner.top(), status_width + 1, line)
        write_line(painter, font, place, status, _status_color(run.status))
        width = inner.width() - (CURVE_WIDTH + theme.GAP if len(run.progress.curve) > 1 else 0)
        for number, text in enumerate((table.facts(run), table.progress_text(run)), 1):
            place = QRect(inner.left(), inner.top() + number * line, width, line)
            write_line(painter, font, place, text, colors.muted)
        curve = QRectF(inner.right() - CURVE_WIDTH, inner.top() + line + 3, CURVE_WIDTH, 2 * line - 6)
        paint_curve(painter, curve, run.progress.curve, 1.4)
        painter.restore()

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Index) -> None:
        """Lay the field for a name over the name."""
        rect: QRect = option.rect
        editor.setGeometry(rect.left() + theme.GAP, rect.top() + 1, rect.width() - 2 * theme.GAP, 28)

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:
        """Make the field for a name."""
        editor = super().createEditor(parent, option, index)
        editor.setObjectName("runNameEdit")
        editor.setAccessibleName(self.tr("Name of the run"))
        return editor


def _table_of(index: Index) -> RunTable:
    model: Any = index.model()
    while not isinstance(model, RunTable):
        model = model.sourceModel()
    return model


def _status_color(status: str) -> str:
    colors = theme.colors()
    return {
        "finished": colors.good, "paused": colors.muted, "interrupted": colors.fair, "failed": colors.bad,
        "running": colors.accent, "unreadable": colors.bad,
    }[status]  # fmt: skip
