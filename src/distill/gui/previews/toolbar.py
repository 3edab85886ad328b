"""The toolbar over the grid of previews: compare, starred only, newest epoch."""

from PySide6.QtCore import QEvent, Signal
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from distill.gui.widgets import theme
from distill.gui.widgets.icons import icon
from distill.runs.preview_files import PreviewSound


class PreviewTools(QWidget):
    """A row of buttons."""

    compare_clicked = Signal()
    starred_only_toggled = Signal(bool)
    newest_clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.compare = _button("compareButton", self.tr("Compare with the original"))
        self.compare.setText(self.tr("A/B"))
        self.compare.setProperty("chip", True)
        self.compare.setCheckable(True)
        self.compare.clicked.connect(self._on_compare_clicked)
        self.starred_only = _button("starredButton", self.tr("Starred only"))
        self.starred_only.setCheckable(True)
        self.starred_only.toggled.connect(self._on_starred_only_toggled)
        self.newest = _button("newestButton", self.tr("Newest epoch"))
        self.newest.setToolTip(self.tr("Go to the newest epoch, and stay there while others come in"))
        self.newest.clicked.connect(self.newest_clicked)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.HALF)
        layout.addWidget(self.compare)
        layout.addWidget(self.starred_only)
        layout.addWidget(self.newest)
        self._hears_original = self._has_stars = False
        self.show_comparable(None, False)
        self._draw()

    def show_comparable(self, sound: PreviewSound | None, can_compare: bool) -> None:
        """Say whether the sound under the cursor can be compared with its original, and why not."""
        self.compare.setEnabled(can_compare)
        if can_compare:
            text = self.tr("Switch between the original and the model's copy: equally loud, without a gap (B)")
        elif sound is not None and not sound.slot.is_pair:
            text = self.tr("A new sound has no original that it could be compared with")
        else:
            text = self.tr("Choose a copy of one of your sounds to compare it with its original (B)")
        self.compare.setToolTip(text)

    def show_hears_original(self, hears_original: bool) -> None:
        """Show which of the two is playing: the button is checked for the original."""
        self._hears_original = hears_original
        self.compare.setChecked(hears_original)

    def show_has_stars(self, has_stars: bool) -> None:
        """Enable the filter if something is starred."""
        self._has_stars = has_stars
        self._draw()

    def changeEvent(self, event: QEvent) -> None:
        """Draw the icons in the colours of a new theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_has_stars"):
            self._draw()

    def _on_compare_clicked(self) -> None:
        self.compare.setChecked(
            self._hears_original
        )  # the playing sound determines the state of the button, not the click
        self.compare_clicked.emit()

    def _on_starred_only_toggled(self, is_on: bool) -> None:
        self._draw()
        self.starred_only_toggled.emit(is_on)

    def _draw(self) -> None:
        current, is_on = theme.colors(), self.starred_only.isChecked()
        self.newest.setIcon(icon("newest", current.text))
        self.starred_only.setEnabled(self._has_stars or is_on)
        self.starred_only.setIcon(icon("starred" if is_on else "star", current.accent if is_on else current.text))
        self.starred_only.setToolTip(
            self.tr("Show only the epochs with a starred sound")
            if self._has_stars
            else self.tr("Star a sound (S) to find it again. This then shows only epochs with a star.")
        )


def _button(name: str, text: str) -> QToolButton:
    button = QToolButton()
    button.setObjectName(name)
    button.setAccessibleName(text)
    return button
