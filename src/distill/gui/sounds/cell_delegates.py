"""Paints the cells of the list of sounds."""

from PySide6.QtCore import QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QAbstractItemView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from distill.gui.sounds.model import CELL_ROLE, ROW_ROLE, AnyIndex
from distill.gui.sounds.sound_row import SoundRow
from distill.gui.sounds.waveform_thumbnails import Thumbnails
from distill.gui.widgets import theme
from distill.gui.widgets.waveform import draw_waveform

#: Left and right of a cell's text, as in the style sheet.
PADDING = 6


def _is_under_mouse(option: QStyleOptionViewItem, index: AnyIndex) -> bool:
    """Return whether the mouse is over the row; Qt reports only the cell."""
    return getattr(option.widget, "hovered_row", -1) == index.row()


class NameDelegate(QStyledItemDelegate):
    """Draws a short name, elided in the middle: takes differ at the ends of their names."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        """Draw the cell, with the background of a row under the mouse."""
        if _is_under_mouse(option, index):  # a selected cell is painted over it
            painter.fillRect(option.rect, QColor(theme.colors().hover))
        super().paint(painter, option, index)

    def initStyleOption(self, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        """Set the short name and how it is elided."""
        super().initStyleOption(option, index)
        option.text = index.data(CELL_ROLE)[0]
        option.textElideMode = Qt.TextElideMode.ElideMiddle
        if not index.flags() & Qt.ItemFlag.ItemIsUserCheckable:  # the style sheet draws no box then, but leaves room
            option.state &= ~QStyle.StateFlag.State_Enabled

    def box(self, option: QStyleOptionViewItem, index: AnyIndex) -> QRect:
        """Return the rectangle of the check box in the cell ``option.rect``."""
        self.initStyleOption(option, index)
        style = option.widget.style()
        return style.subElementRect(QStyle.SubElement.SE_ItemViewItemCheckIndicator, option, option.widget)


class PlainDelegate(QStyledItemDelegate):
    """Draws a cell without a check box as the style sheet would, ten times as fast."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        """Draw background and text."""
        rect: QRect = option.rect
        current = theme.colors()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, QColor(current.selection))
        elif _is_under_mouse(option, index):
            painter.fillRect(rect, QColor(current.hover))
        text, color, alignment = index.data(CELL_ROLE)
        if text:
            painter.setFont(option.font)
            painter.setPen(color or QColor(current.text))
            cell = rect.adjusted(PADDING, 0, -PADDING, 0)
            short = option.fontMetrics.elidedText(text, Qt.TextElideMode.ElideRight, cell.width())
            painter.drawText(cell, alignment, short)


class WaveformDelegate(PlainDelegate):
    """Draws the waveform of a row, and requests it if it is missing: only visible rows are painted."""

    def __init__(self, thumbnails: Thumbnails, parent: QAbstractItemView) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        """Draw the cell."""
        super().paint(painter, option, index)
        row: SoundRow | None = index.data(ROW_ROLE)
        if row is None or row.entry is None:
            return
        peaks = self._thumbnails.peaks(row.path)
        if peaks is None:
            self._thumbnails.request(row.path)
            return
        rect: QRect = option.rect
        is_selected = bool(option.state & QStyle.StateFlag.State_Selected)
        current = theme.colors()
        color = QColor(current.second if is_selected else current.muted)
        draw_waveform(painter, QRectF(rect).adjusted(4, 4, -4, -4), peaks, color, muted=not row.is_usable)
