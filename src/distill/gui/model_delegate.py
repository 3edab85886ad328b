"""How a model looks in the list of models: star, name, facts, and its small curve."""

from typing import Any

from PySide6.QtCore import (
    QAbstractItemModel,
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QFont, QMouseEvent, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from distill.gui import theme
from distill.gui.icons import SIDE, pixmap
from distill.gui.model_table import ENTRY_ROLE, NEW_ROLE, ModelTable
from distill.gui.row_painting import paint_curve, paint_ground, write_line
from distill.models.entry import ModelEntry

#: Width of the small curve, in device-independent pixels.
CURVE_WIDTH = 48

Index = QModelIndex | QPersistentModelIndex


class ModelDelegate(QStyledItemDelegate):
    """Paints a model in three lines, its star at the left and its curve at the right; a click on the star turns it."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Return the height of three lines."""
        return QSize(120, 3 * option.fontMetrics.height() + 4 * theme.HALF)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint a row."""
        entry, table = index.data(ENTRY_ROLE), table_of(index.model())
        if not isinstance(entry, ModelEntry):
            return
        rect: QRect = option.rect
        font: QFont = option.font
        colors = theme.colors()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_ground(painter, option)
        self._paint_star(painter, option, entry)
        inner = _text_area(rect)
        line = option.fontMetrics.height() + 2
        bold = QFont(font)
        bold.setBold(True)
        side = self.tr("New") if index.data(NEW_ROLE) else ", ".join(entry.tags)
        side_width = min(option.fontMetrics.horizontalAdvance(side), inner.width() // 2)
        name_area = QRect(inner.left(), inner.top(), inner.width() - side_width - theme.GAP, line)
        write_line(painter, bold, name_area, entry.shown_name, colors.muted if entry.problem else colors.text)
        side_area = QRect(inner.right() - side_width, inner.top(), side_width + 1, line)
        write_line(painter, font, side_area, side, colors.accent if index.data(NEW_ROLE) else colors.muted)
        has_curve = len(entry.facts.curve) > 1
        width = inner.width() - (CURVE_WIDTH + theme.GAP if has_curve else 0)
        lines = (
            (table.facts(entry), colors.bad if entry.problem else colors.muted),
            (table.quality(entry), colors.muted),
        )
        for number, (text, color) in enumerate(lines, 1):
            write_line(painter, font, QRect(inner.left(), inner.top() + number * line, width, line), text, color)
        if has_curve:
            place = QRectF(inner.right() - CURVE_WIDTH, inner.top() + line + 3, CURVE_WIDTH, 2 * line - 6)
            paint_curve(painter, place, entry.facts.curve, 1.4)
        painter.restore()

    def editorEvent(self, event: QEvent, model: QAbstractItemModel, option: QStyleOptionViewItem, index: Index) -> bool:
        """Turn the star on which the mouse was clicked."""
        if isinstance(event, QMouseEvent) and event.button() is Qt.MouseButton.LeftButton:
            rect: QRect = option.rect
            entry = index.data(ENTRY_ROLE)
            is_star = _star_area(rect).adjusted(-6, -6, 6, 6).contains(event.position())
            if is_star and isinstance(entry, ModelEntry) and entry.problem is None:
                if event.type() is QEvent.Type.MouseButtonRelease:
                    table_of(model).starred.emit(entry, not entry.starred)
                return True
        return super().editorEvent(event, model, option, index)

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Index) -> None:
        """Lay the field for a name over the name."""
        area = _text_area(option.rect)
        editor.setGeometry(area.left() - theme.GAP, option.rect.top() + 1, area.width() + 2 * theme.GAP, 28)

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:
        """Make the field for a name."""
        editor = super().createEditor(parent, option, index)
        editor.setObjectName("modelNameEdit")
        editor.setAccessibleName(self.tr("Name of the model"))
        return editor

    def _paint_star(self, painter: QPainter, option: QStyleOptionViewItem, entry: ModelEntry) -> None:
        state: QStyle.StateFlag = option.state
        is_near = bool(state & (QStyle.StateFlag.State_MouseOver | QStyle.StateFlag.State_Selected))
        if entry.problem is not None or not (entry.starred or is_near):
            return
        colors, device = theme.colors(), painter.device()
        scale = device.devicePixelRatioF() if device is not None else 1.0
        name, color = ("starred", colors.accent) if entry.starred else ("star", colors.border_strong)
        painter.drawPixmap(_star_area(option.rect).topLeft(), pixmap(name, color, SIDE, scale))


def _star_area(row: QRect) -> QRectF:
    return QRectF(row.left() + theme.GAP, row.top() + theme.HALF + 1, SIDE, SIDE)


def _text_area(row: QRect) -> QRect:
    return row.adjusted(2 * theme.GAP + SIDE, theme.HALF, -theme.GAP, -theme.HALF)


def table_of(model: Any) -> ModelTable:
    """Return the table under a proxy."""
    while not isinstance(model, ModelTable):
        model = model.sourceModel()
    return model
