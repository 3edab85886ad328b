"""The button that makes sound and, in its place while something is being made, what and how much of it is done."""

from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from distill.gui.widgets import theme
from distill.gui.widgets.layout import ElidedLabel

_STEPS = 1000
_READY, _BUSY = 0, 1


class GenerateButton(QStackedWidget):
    """Both take the same room: what is below stays where it is when the work begins and when it ends."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.make = QPushButton()
        self.make.setObjectName("makeButton")
        self.make.setProperty("primary", True)
        self.cancel = QPushButton(self.tr("Cancel"))
        self.cancel.setObjectName("makeCancelButton")
        self.cancel.setToolTip(self.tr("Stop making. What is ready by now stays."))
        self.progress = QProgressBar()
        self.progress.setObjectName("makeProgress")
        self.progress.setAccessibleName(self.tr("Progress of making sound"))
        self.progress.setToolTip(self.tr("How much of what was asked for is made."))
        self.progress.setTextVisible(False)
        self.doing = ElidedLabel()
        self.doing.setObjectName("muted")
        self.addWidget(self.make)
        self.addWidget(self._busy())

    def _busy(self) -> QWidget:
        page, news = QWidget(), QVBoxLayout()
        news.setSpacing(0)
        news.addWidget(self.doing, 1)
        news.addWidget(self.progress)
        row = QHBoxLayout(page)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.GAP)
        row.addLayout(news, 1)
        row.addWidget(self.cancel)
        return page

    def show_busy(self, text: str) -> None:
        """Say what is being made.  The keys go from the button that began it to the one that ends it."""
        self.doing.setText(text)
        self.doing.setToolTip(text)
        self.progress.setRange(0, 0)
        self.setCurrentIndex(_BUSY)  # Qt lets the focus follow

    def show_ready(self) -> None:
        """Offer to make something; to be called when `make` says whether one can."""
        self.setCurrentIndex(_READY)

    def show_share(self, share: float) -> None:
        """Show how much is done, from 0 to 1."""
        self.progress.setRange(0, _STEPS)
        self.progress.setValue(round(_STEPS * share))
