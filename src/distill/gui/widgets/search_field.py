"""The search field of every list."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QLineEdit, QWidget


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
