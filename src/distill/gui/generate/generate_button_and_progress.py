"""The button that generates sounds, and in its place the progress and Cancel while that is under way."""

from PySide6.QtCore import QCoreApplication, QElapsedTimer, Signal, SignalInstance
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from distill.gui.widgets import theme
from distill.gui.widgets.labels import ElidedLabel
from distill.gui.widgets.plain_text import plain_tip

_STEPS = 1000
_READY, _BUSY = 0, 1

#: Milliseconds for which clicks are ignored after the buttons have changed places: a double click on one of them must
#: not press the other.
SETTLE_MILLISECONDS = 500


class GenerateButton(QStackedWidget):
    """Shows either the button or the progress, in the same size, so that nothing below moves."""

    generate_clicked = Signal()
    cancel_clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._since_swap = QElapsedTimer()
        self.make = QPushButton()
        self.make.setObjectName("generateButton")
        self.make.setProperty("primary", True)
        self.cancel = QPushButton(self.tr("Cancel"))
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
        self.make.clicked.connect(lambda: self._pass_on(self.generate_clicked))
        self.cancel.clicked.connect(lambda: self._pass_on(self.cancel_clicked))

    @property
    def is_settling(self) -> bool:
        """Whether the buttons have just changed places, and ignore clicks."""
        return self._since_swap.isValid() and self._since_swap.elapsed() < SETTLE_MILLISECONDS

    def _pass_on(self, signal: SignalInstance) -> None:
        if not self.is_settling:
            signal.emit()

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
        self._since_swap.start()
        self.setCurrentIndex(_BUSY)  # Qt moves the focus

    def show_doing(self, text: str) -> None:
        """Show what is being done."""
        self.doing.setText(text)
        self.doing.setToolTip(plain_tip(text))

    def show_ready_count(self, ready: int, count: int) -> None:
        """Show how many of the sounds are ready."""
        self.show_doing(QCoreApplication.translate("GeneratePresenter", "{0} of {1} ready").format(ready, count))

    def show_ready(self) -> None:
        """Show the button; call it after `make` has been enabled."""
        if self.currentIndex() != _READY:
            self._since_swap.start()
            self.setCurrentIndex(_READY)

    def show_share(self, share: float) -> None:
        """Show the share that is done, from 0 to 1."""
        self.progress.setRange(0, _STEPS)
        self.progress.setValue(round(_STEPS * share))
