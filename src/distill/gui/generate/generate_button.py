"""The button that generates sounds, and in its place the progress and Cancel while that is under way."""

from PySide6.QtCore import QElapsedTimer
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from distill.gui.widgets import theme
from distill.gui.widgets.layout import ElidedLabel

_STEPS = 1000
_READY, _BUSY = 0, 1

#: Milliseconds for which a button that has taken the place of another one ignores the user: a double click on the one
#: must not press the other.
SETTLE_MILLISECONDS = 500


class SettlingButton(QPushButton):
    """A button that ignores mouse and keyboard for a moment after `settle`."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self._since = QElapsedTimer()

    def settle(self) -> None:
        """Ignore the user for `SETTLE_MILLISECONDS` from now on."""
        self._since.start()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Ignore a press that was meant for the button before."""
        if not self._is_settling():
            super().mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Ignore a key that was meant for the button before."""
        if not self._is_settling():
            super().keyPressEvent(event)

    def _is_settling(self) -> bool:
        return self._since.isValid() and self._since.elapsed() < SETTLE_MILLISECONDS


class GenerateButton(QStackedWidget):
    """Shows either the button or the progress, in the same size, so that nothing below moves."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.make = SettlingButton()
        self.make.setObjectName("generateButton")
        self.make.setProperty("primary", True)
        self.cancel = SettlingButton(self.tr("Cancel"))
        self.cancel.setObjectName("makeCancelButton")
        self.cancel.setToolTip(self.tr("Stop. The sounds that are ready stay."))
        self.progress = QProgressBar()
        self.progress.setObjectName("makeProgress")
        self.progress.setAccessibleName(self.tr("Progress of generating"))
        self.progress.setToolTip(self.tr("Share of the sounds that is ready."))
        self.progress.setTextVisible(False)
        self.doing = ElidedLabel()
        self.doing.setObjectName("muted")
        self.addWidget(self.make)
        self.addWidget(self._busy())

    def _busy(self) -> QWidget:
        page, texts = QWidget(), QVBoxLayout()
        texts.setSpacing(0)
        texts.addWidget(self.doing, 1)
        texts.addWidget(self.progress)
        row = QHBoxLayout(page)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.GAP)
        row.addLayout(texts, 1)
        row.addWidget(self.cancel)
        return page

    def show_busy(self, text: str) -> None:
        """Show the progress.  The focus moves from the button to Cancel."""
        self.show_doing(text)
        self.progress.setRange(0, 0)
        self.cancel.settle()
        self.setCurrentIndex(_BUSY)  # Qt moves the focus

    def show_doing(self, text: str) -> None:
        """Show what is being done."""
        self.doing.setText(text)
        self.doing.setToolTip(text)

    def show_ready(self) -> None:
        """Show the button; call it after `make` has been enabled."""
        if self.currentIndex() != _READY:
            self.make.settle()
            self.setCurrentIndex(_READY)

    def show_share(self, share: float) -> None:
        """Show the share that is done, from 0 to 1."""
        self.progress.setRange(0, _STEPS)
        self.progress.setValue(round(_STEPS * share))
