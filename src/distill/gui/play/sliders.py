"""The sliders of a model: labelled directions in which a sound can be moved."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from PySide6.QtCore import QCoreApplication, Qt, QTimer, Signal
from PySide6.QtWidgets import QFormLayout, QSizePolicy, QSlider, QWidget

from distill.generation.map.session import Slider
from distill.gui.widgets import theme

#: Steps of a slider on each side of the middle.
_STEPS = 30
#: Milliseconds without a change after which the sound is generated.
_SETTLED = 180
#: Rank correlation from which on a slider is called reliable.
_RELIABLE = 0.9


def label_of(name: str) -> str:
    """Return the label of a slider."""
    labels = {
        "brightness": QCoreApplication.translate("sliders", "Brightness"),
        "attack": QCoreApplication.translate("sliders", "Soft attack"),
        "noisiness": QCoreApplication.translate("sliders", "Noisiness"),
        "length": QCoreApplication.translate("sliders", "Length"),
        "pitch": QCoreApplication.translate("sliders", "Pitch"),
        "loudness": QCoreApplication.translate("sliders", "Loudness"),
    }
    return labels.get(name, name)


def _strength_text(strength: float) -> str:
    """Return how well a slider works, in words and as the measured rank correlation."""
    if strength >= _RELIABLE:
        return QCoreApplication.translate("sliders", "Works reliably on new sounds ({0:.2f} of 1).").format(strength)
    return QCoreApplication.translate("sliders", "Works roughly on new sounds ({0:.2f} of 1).").format(strength)


class SoundSliders(QWidget):
    """Shows a slider for each direction that was measured to work, and reports when they come to rest."""

    settled = Signal()
    #: Name, and share of its range, -1 to 1.
    moved = Signal(str, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("soundSliders")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setVerticalSpacing(theme.HALF)
        self._sliders: dict[str, QSlider] = {}
        #: What Tab leaves for the first slider; sliders are made anew for each model.
        self.tab_after: QWidget | None = None
        self._most = 1.0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SETTLED)
        self._timer.timeout.connect(self.settled)

    def show_sliders(self, sliders: Sequence[Slider], most: float) -> None:
        """Show these sliders, in the middle."""
        self._timer.stop()
        while self._form.rowCount():
            self._form.removeRow(0)
        self._sliders, self._most = {}, most
        for item in sliders:
            slider = QSlider(Qt.Orientation.Horizontal)
            slider.setObjectName(f"{item.name}Slider")
            slider.setRange(-_STEPS, _STEPS)
            slider.setPageStep(_STEPS // 3)
            slider.setAccessibleName(label_of(item.name))
            middle = self.tr("The middle leaves the sound as it is.")
            slider.setToolTip(f"{item.help} {middle}\n{_strength_text(item.strength)}")
            slider.valueChanged.connect(self._timer.start)
            slider.valueChanged.connect(lambda value, name=item.name: self.moved.emit(name, value / _STEPS))
            slider.setMinimumHeight(slider.sizeHint().height())
            self._form.addRow(label_of(item.name), slider)
            self._sliders[item.name] = slider
        if self.tab_after is not None:
            for before, after in pairwise((self.tab_after, *self._sliders.values())):
                QWidget.setTabOrder(before, after)

    def moves(self) -> Mapping[str, float]:
        """Return the amount of each slider that is not in the middle."""
        return {name: slider.value() / _STEPS * self._most for name, slider in self._sliders.items() if slider.value()}

    def show_move(self, name: str, share: float) -> None:
        """Move a slider to a share of its range, -1 to 1; one that is not shown stays."""
        if name in self._sliders:
            self._sliders[name].setValue(round(share * _STEPS))

    def center(self) -> None:
        """Put all sliders into the middle."""
        for slider in self._sliders.values():
            slider.setValue(0)

    def stop(self) -> None:
        """Report no change any more."""
        self._timer.stop()
