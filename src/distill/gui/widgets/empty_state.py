"""What is shown in place of an empty list."""

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import (
    QLabel,
    QVBoxLayout,
    QWidget,
)

from distill.gui.widgets import theme
from distill.gui.widgets.icons import pixmap


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
