"""Which of two sounds is heard: the original, or what the model made of it."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QToolButton, QWidget

from distill.gui.widgets import theme


class CompareButtons(QWidget):
    """Two buttons, of which one is down.  They show what is heard; a click only asks for the other one."""

    other_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Compare"))
        self.original = self._button("compareOriginal", self.tr("Original"), self.tr("Hear your own sound"))
        self.model = self._button("compareModel", self.tr("Model"), self.tr("Hear what the model makes of it"))
        self._hears_original = False
        group = QButtonGroup(self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.HALF)
        for button in (self.original, self.model):
            group.addButton(button)
            layout.addWidget(button)
            button.clicked.connect(self._on_clicked)

    def show_heard(self, hears_original: bool) -> None:
        """Show which one is heard."""
        self._hears_original = hears_original
        (self.original if hears_original else self.model).setChecked(True)

    def _button(self, object_name: str, text: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setObjectName(object_name)
        button.setText(text)
        button.setAccessibleName(text)
        button.setToolTip(self.tr("{0}, at the same position and as loud as the other one (B switches).").format(tip))
        button.setProperty("chip", True)
        button.setCheckable(True)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        return button

    def _on_clicked(self) -> None:
        wants_original = self.original.isChecked()
        if wants_original != self._hears_original:
            self.show_heard(self._hears_original)  # until the player says otherwise
            self.other_requested.emit()
