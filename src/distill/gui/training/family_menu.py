"""The menu of families: each with what it is good at, its technical name and its expected time."""

from PySide6.QtCore import QCoreApplication, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import (
    QComboBox,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from distill.config.family_catalog import FAMILIES, FamilyInfo
from distill.gui.lists.row_painting import paint_ground, row_size, write_line
from distill.gui.widgets import theme
from distill.gui.widgets.formatting import format_time_left

translate = QCoreApplication.translate

#: Role under which the family menu has its second line.
FAMILY_DETAIL_ROLE = Qt.ItemDataRole.UserRole + 1

#: Width of the open family menu, in device-independent pixels.
FAMILY_MENU_WIDTH = 280


def fill_family_menu(family_combo: QComboBox) -> None:
    """Offer all families."""
    family_combo.setObjectName("familyCombo")
    family_combo.setAccessibleName(translate("TrainingControls", "Model family"))
    family_combo.setItemDelegate(FamilyDelegate(family_combo))
    for family in FAMILIES:
        family_combo.addItem(family.plain_name, family.key)
        family_combo.setItemData(family_combo.count() - 1, family.label, FAMILY_DETAIL_ROLE)
    family_combo.view().setMinimumWidth(theme.roomy(FAMILY_MENU_WIDTH))


def family_detail(family: FamilyInfo, run_seconds: float) -> str:
    """Return the second line of a family: its technical name, and how long a run takes."""
    return translate("TrainingControls", "{0} · about {1}").format(family.label, format_time_left(run_seconds))


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
        family_line = QRect(area.left(), area.top(), area.width(), area.height() // 2)
        write_line(painter, option.font, family_line, str(index.data()), colors.text)
        family_line.translate(0, family_line.height())
        write_line(painter, option.font, family_line, str(index.data(FAMILY_DETAIL_ROLE)), colors.muted)
        painter.restore()
