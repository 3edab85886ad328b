"""What the panels of the window share: a frame with a title, and the picture of an empty one."""

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from distill.gui.widgets import theme
from distill.gui.widgets.icons import pixmap

#: Height of a panel's header: that of a button in it.
HEADER_HEIGHT = 28


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
        self.title.setMinimumHeight(HEADER_HEIGHT)  # titles of neighbours stand on one line
        self.header.setSpacing(theme.GAP)
        self.header.addWidget(self.title)
        self.header.addStretch(1)
        self.header.addWidget(self.detail)
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(theme.MARGIN, theme.GAP, theme.MARGIN, theme.MARGIN)
        self.body.setSpacing(theme.GAP)
        self.body.addLayout(self.header)


class EmptyState(QWidget):
    """What a pane shows while there is nothing in it: a picture, what belongs here, and how to get it."""

    def __init__(self, picture: str, title: str, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._picture = picture
        self._image = QLabel(alignment=Qt.AlignmentFlag.AlignCenter)
        heading = QLabel(title, alignment=Qt.AlignmentFlag.AlignCenter)
        heading.setObjectName("emptyTitle")
        heading.setWordWrap(True)
        self.text = QLabel(text, alignment=Qt.AlignmentFlag.AlignCenter)
        self.text.setObjectName("emptyText")
        self.text.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setSpacing(theme.GAP)
        layout.addStretch(2)
        for widget in (self._image, heading, self.text):
            layout.addWidget(widget)
        layout.addStretch(3)
        self._draw()

    def changeEvent(self, event: QEvent) -> None:
        """Draw the picture in the colours of the new theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._draw()

    def _draw(self) -> None:
        side = 40
        self._image.setPixmap(pixmap(self._picture, theme.colors().border_strong, side, self.devicePixelRatioF()))
