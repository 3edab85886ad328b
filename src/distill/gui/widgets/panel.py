"""What panels are made of: the titled frame, its buttons, its empty state, its fields, and the window's part."""

from PySide6.QtCore import QEvent, QLocale, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QValidator, QWheelEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from distill.gui.widgets import theme
from distill.gui.widgets.icons import pixmap
from distill.settings import WindowSettings

#: Height of a panel's header at the usual text size: that of a button in it.
HEADER_HEIGHT = 28


class WindowPart:
    """A part of the window that has settings, unsaved work or background work: usually the presenter of a panel.

    The window holds a list of its parts (`distill.gui.window.composition`) and calls these methods on each.  A part
    overrides what it needs.
    """

    def restore(self, settings: WindowSettings) -> None:
        """Set the part up as it was at the end of the last session.  Does not touch the disk."""

    def save(self, settings: WindowSettings) -> None:
        """Write into ``settings`` what `restore` should find at the next start."""

    def flush(self) -> None:
        """Save what the user has typed but not yet saved.

        Raises
        ------
        DistillError, OSError
            It cannot be saved.  The window then stays open and shows the error, once.
        """

    def close(self) -> None:
        """End background work, and wait for it.  The window calls it on every part, also when another part fails."""


class ActionButton(QPushButton):
    """A button that ignores the second click of a double click: by then it means something else."""

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Ignore."""
        event.accept()


class ActionToolButton(QToolButton):
    """A tool button that ignores the second click of a double click."""

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Ignore."""
        event.accept()


class Panel(QFrame):
    """A titled pane.  ``header`` takes what belongs beside the title, ``body`` the content."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self.setAccessibleName(title)
        self.title = QLabel(title)
        self.title.setObjectName("panelTitle")
        self.detail = QLabel()
        self.detail.setObjectName("muted")
        self.header = QHBoxLayout()
        self.title.setMinimumHeight(theme.roomy(HEADER_HEIGHT))  # titles of neighbours stand on one line
        self.header.setSpacing(theme.GAP)
        self.header.addWidget(self.title)
        self.header.addStretch(1)
        self.header.addWidget(self.detail)
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(theme.MARGIN, theme.GAP, theme.MARGIN, theme.MARGIN)
        self.body.setSpacing(theme.GAP)
        self.body.addLayout(self.header)


class ScrolledColumn(QScrollArea):
    """Widgets below each other that scroll together; ``column`` takes them, before its stretch."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("settingArea")
        form = QWidget()
        form.setObjectName("settingForm")
        self.column = QVBoxLayout(form)
        self.column.setContentsMargins(0, 0, theme.GAP, 0)
        self.column.addStretch(1)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(form)


class EmptyState(QWidget):
    """Shown in place of an empty list: a picture, what belongs here, and how to get it."""

    def __init__(self, picture: str, title: str, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._picture = picture
        self._image = QLabel(alignment=Qt.AlignmentFlag.AlignCenter)
        self._heading = QLabel(title, alignment=Qt.AlignmentFlag.AlignCenter)
        self._heading.setObjectName("emptyTitle")
        self._heading.setWordWrap(True)
        self.text = QLabel(text, alignment=Qt.AlignmentFlag.AlignCenter)
        self.text.setObjectName("emptyText")
        self.text.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setSpacing(theme.GAP)
        layout.addStretch(2)
        for widget in (self._image, self._heading, self.text):
            layout.addWidget(widget)
        layout.addStretch(3)
        self._draw()

    def show_text(self, title: str, text: str) -> None:
        """Show another title and text."""
        self._heading.setText(title)
        self.text.setText(text)

    def changeEvent(self, event: QEvent) -> None:
        """Draw the picture in the colours of the new theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._draw()

    def _draw(self) -> None:
        side = 40
        self._image.setPixmap(pixmap(self._picture, theme.colors().border_strong, side, self.devicePixelRatioF()))


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
