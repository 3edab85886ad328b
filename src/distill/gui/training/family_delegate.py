"""Paints a family in the menu of families: what it is good at, its technical name and its expected time."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import (
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from distill.gui.lists.row_painting import paint_ground, row_size, write_line
from distill.gui.widgets import theme

#: Role under which the family menu has its second line.
DETAIL_ROLE = Qt.ItemDataRole.UserRole + 1


class FamilyDelegate(QStyledItemDelegate):
    """Paints a family in two lines: what it is good at, then its technical name and expected time."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Return the height of two lines."""
        return row_size(option, 2)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Paint a row."""
        colors = theme.colors()
        painter.save()
        paint_ground(painter, option)
        area = option.rect.adjusted(theme.GAP, theme.HALF, -theme.GAP, -theme.HALF)
        line = QRect(area.left(), area.top(), area.width(), area.height() // 2)
        write_line(painter, option.font, line, str(index.data()), colors.text)
        line.translate(0, line.height())
        write_line(painter, option.font, line, str(index.data(DETAIL_ROLE)), colors.muted)
        painter.restore()
