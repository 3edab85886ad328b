"""Fields: combo and spin boxes that leave the wheel alone, numbers, and search."""

from PySide6.QtCore import QLocale, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QValidator, QWheelEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QLineEdit,
    QSpinBox,
    QWidget,
)


class QuietCombo(QComboBox):
    """Leaves the wheel to the column that it lies in: scrolling past it must not change it."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Pass on."""
        event.ignore()


class QuietSpin(QSpinBox):
    """Leaves the wheel to the column that it lies in, as `QuietCombo` does."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Pass on."""
        event.ignore()


class NumberField(QDoubleSpinBox):
    """Takes a number with a decimal point or a decimal comma, and shows it with a point, as the whole window does.

    Qt takes the sign of the system's language only, and passes over the other one.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setLocale(QLocale.c())

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        """Take a comma for a point."""
        return super().validate(text.replace(",", "."), position)


class SearchField(QLineEdit):
    """Takes the words to search for.  Escape clears it, and leaves it when it is empty; Down and Return leave it.

    Parameters
    ----------
    object_name, accessible_name, tip
        Of the widget.
    placeholder
        Shown while it is empty.
    """

    #: The list should get the keyboard.
    left = Signal()

    def __init__(
        self, object_name: str, accessible_name: str, tip: str, placeholder: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName(object_name)
        self.setAccessibleName(accessible_name)
        self.setToolTip(tip)
        self.setPlaceholderText(placeholder)
        self.setClearButtonEnabled(True)
        self.setAcceptDrops(False)  # dropped files are for the window, as everywhere

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Select the text, so that typing replaces it, unless the mouse has set the cursor."""
        super().focusInEvent(event)
        if event.reason() is not Qt.FocusReason.MouseFocusReason:
            self.selectAll()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Clear the field, or leave it."""
        if event.key() == Qt.Key.Key_Escape and self.text():
            self.clear()
        elif event.key() in (Qt.Key.Key_Escape, Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.left.emit()
        else:
            super().keyPressEvent(event)
