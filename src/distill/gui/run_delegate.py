"""How a run looks in the list of runs: name, status, facts, and its small curve."""

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from distill.gui import theme
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
        self._paint_ground(painter, rect, option, bool(index.data(SHOWN_ROLE)))
        inner = rect.adjusted(theme.MARGIN, theme.HALF, -theme.GAP, -theme.HALF)
        line = option.fontMetrics.height() + 2
        status = table.status_text(run)
        status_width = option.fontMetrics.horizontalAdvance(status)
        name_font = QFont(font)
        name_font.setBold(True)
        place = QRect(inner.left(), inner.top(), inner.width() - status_width - theme.GAP, line)
        _write(painter, name_font, place, run.name, colors.text)
        place = QRect(inner.right() - status_width, inner.top(), status_width + 1, line)
        _write(painter, font, place, status, _status_color(run.status))
        width = inner.width() - (CURVE_WIDTH + theme.GAP if len(run.progress.curve) > 1 else 0)
        for number, text in enumerate((table.facts(run), table.progress_text(run)), 1):
            place = QRect(inner.left(), inner.top() + number * line, width, line)
            _write(painter, font, place, text, colors.muted)
        curve = QRectF(inner.right() - CURVE_WIDTH, inner.top() + line + 3, CURVE_WIDTH, 2 * line - 6)
        _paint_curve(painter, curve, run.progress.curve)
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

    def _paint_ground(self, painter: QPainter, rect: QRect, option: QStyleOptionViewItem, is_shown: bool) -> None:
        state: QStyle.StateFlag = option.state
        colors, ground = theme.colors(), QRectF(rect).adjusted(1, 1, -1, -1)
        is_selected = bool(state & QStyle.StateFlag.State_Selected)
        if is_selected or state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.accent_soft if is_selected else colors.hover))
            painter.drawRoundedRect(ground, 6, 6)
        if is_selected and state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(QColor(colors.accent), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(ground, 6, 6)
        if is_shown:  # a bar at the left, as an open page has in a list of pages
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.accent))
            painter.drawRoundedRect(QRectF(rect.left() + 3, rect.top() + 8, 3, rect.height() - 16), 1.5, 1.5)


def _table_of(index: Index) -> RunTable:
    model: Any = index.model()
    while not isinstance(model, RunTable):
        model = model.sourceModel()
    return model


def _write(painter: QPainter, font: QFont, place: QRect, text: str, color: str) -> None:
    painter.setFont(font)
    painter.setPen(QColor(color))
    short = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, place.width())
    painter.drawText(place, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, short)


def _status_color(status: str) -> str:
    colors = theme.colors()
    return {
        "finished": colors.good, "paused": colors.muted, "interrupted": colors.fair, "failed": colors.bad,
        "running": colors.accent, "unreadable": colors.bad,
    }[status]  # fmt: skip


def _paint_curve(painter: QPainter, place: QRectF, values: Sequence[float]) -> None:
    if len(values) < 2:
        return
    low, high = min(values), max(values)
    reach = (high - low) or 1.0
    points = [
        QPointF(
            place.left() + place.width() * n / (len(values) - 1), place.bottom() - place.height() * (v - low) / reach
        )
        for n, v in enumerate(values)
    ]
    colors = theme.colors()
    painter.setPen(QPen(QColor(colors.second), 1.4, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPolyline(QPolygonF(points))
    lowest = points[min(range(len(values)), key=values.__getitem__)]
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colors.second))
    painter.drawEllipse(lowest, 2.2, 2.2)
