"""Finds what has less room in a window than it needs."""

from PySide6.QtCore import QRect
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QLabel,
    QProgressBar,
    QScrollArea,
    QStyle,
    QStyleOptionComboBox,
    QWidget,
)

from distill.gui.widgets import theme
from distill.gui.widgets.labels import ElidedLabel

TEXTS = (QLabel, QAbstractButton, QComboBox, QAbstractSpinBox, QProgressBar)


def cut_off(root: QWidget) -> list[str]:
    """Return what is shown under a widget and has less room than it asks for, or does not lie within its parents."""
    found = []
    for widget in root.findChildren(QWidget):
        is_text = isinstance(widget, TEXTS) and not isinstance(widget, ElidedLabel)
        if not is_text or not widget.isVisible() or not widget.width():
            continue
        wanted = widget.sizeHint()
        height = widget.heightForWidth(widget.width()) if widget.hasHeightForWidth() else wanted.height()
        if not _is_wide_enough(widget) or widget.height() < height or not _lies_within(widget, root):
            text = widget.text() if isinstance(widget, QLabel | QAbstractButton) else ""
            found.append(f"{widget.objectName()} {text!r}: {widget.size()} of {wanted}")
    return found


def _is_wide_enough(widget: QWidget) -> bool:
    if isinstance(widget, QLabel) and widget.wordWrap():
        return True
    if isinstance(widget, QAbstractSpinBox):  # it asks for room for its highest number, and some more
        field = widget.lineEdit()
        return field.width() - 2 * theme.HALF >= widget.fontMetrics().horizontalAdvance(widget.text())
    if isinstance(widget, QComboBox):
        style, room = widget.style(), QStyleOptionComboBox()
        widget.initStyleOption(room)
        part = QStyle.SubControl.SC_ComboBoxEditField
        position = style.subControlRect(QStyle.ComplexControl.CC_ComboBox, room, part, widget)
        return position.width() >= widget.fontMetrics().horizontalAdvance(widget.currentText())
    return widget.width() >= widget.sizeHint().width()


def _lies_within(widget: QWidget, root: QWidget) -> bool:
    """Whether all of a widget lies in each one above it; a column that scrolls may go on below what is seen."""
    scrolls = False
    above = widget.parentWidget()
    while above is not None and above is not root.parentWidget():
        position = QRect(widget.mapTo(above, widget.rect().topLeft()), widget.size())
        scrolls = scrolls or isinstance(above.parentWidget(), QScrollArea)
        room = above.rect()
        if not (room.left() <= position.left() and position.right() <= room.right()):
            return False
        if not scrolls and not (room.top() <= position.top() and position.bottom() <= room.bottom()):
            return False
        above = above.parentWidget()
    return True
