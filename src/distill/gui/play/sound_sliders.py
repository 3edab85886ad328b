"""The sliders of a model: labelled directions in which a sound can be moved."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from PySide6.QtCore import QCoreApplication, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QSlider, QWidget

from distill.generation.map.map_chunks import Slider
from distill.gui.help.keyboard_shortcuts import KeyGroup, KeyHelp, native
from distill.gui.widgets import theme

#: Steps of a slider on each side of the middle.
_STEPS_EACH_SIDE = 30
#: Most columns of sliders.
MOST_COLUMNS = 2
#: Milliseconds without a change after which the sound is generated.
_SLIDERS_SETTLED = 180


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


class NeutralSlider(QSlider):
    """A horizontal slider that a double click, Delete or Backspace sets back to its neutral value.

    Parameters
    ----------
    neutral
        Within the range that the slider is given.
    """

    def __init__(self, neutral: int = 0, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.neutral = neutral

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Go to the neutral value, in place of a second step to where the mouse points."""
        if event.button() is Qt.MouseButton.LeftButton:
            self.setValue(self.neutral)
            event.accept()
        else:
            super().mouseDoubleClickEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go to the neutral value at Delete, as a pad is emptied."""
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and not event.modifiers():
            self.setValue(self.neutral)
        else:
            super().keyPressEvent(event)


class SoundSliders(QWidget):
    """Shows a slider for each direction that was measured to work, and reports when they come to rest.

    They show the settings of a sound, of which a change makes another one.
    """

    #: Generate the sound.
    settled = Signal()
    #: A slider was taken by the mouse, changed by whatever means, let go by the mouse.
    grabbed = Signal()
    changed = Signal()
    let_go = Signal()
    #: Name, and share of its range, -1 to 1.
    moved = Signal(str, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("soundSliders")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(theme.GAP)
        self._grid.setVerticalSpacing(theme.HALF)
        self._labels: list[QLabel] = []
        self._columns = 1
        self._sliders: dict[str, NeutralSlider] = {}
        #: What Tab leaves for the first slider; sliders are made anew for each model.
        self.tab_after: QWidget | None = None
        self._most_move = 1.0
        self._settling = QTimer(self)
        self._settling.setSingleShot(True)
        self._settling.setInterval(_SLIDERS_SETTLED)
        self._settling.timeout.connect(self.settled)
        self._is_showing = False

    def show_sliders(self, sliders: Sequence[Slider], most: float) -> None:
        """Show these sliders, in the middle."""
        self._settling.stop()
        for widget in (*self._labels, *self._sliders.values()):
            widget.hide()  # at once: it is deleted only in the next turn of the event loop
            widget.setObjectName("")
            self._grid.removeWidget(widget)
            widget.deleteLater()
        self._labels, self._sliders, self._most_move = [], {}, most
        for item in sliders:
            slider = NeutralSlider()
            slider.setObjectName(f"{item.name}Slider")
            slider.setRange(-_STEPS_EACH_SIDE, _STEPS_EACH_SIDE)
            slider.setPageStep(_STEPS_EACH_SIDE // 3)
            slider.setAccessibleName(label_of(item.name))
            middle = self.tr("The middle leaves the sound as it is: a double click or Delete goes there.")
            strength = self.tr("How well it works on new sounds: {0:.2f} of 1.").format(item.strength)
            slider.setToolTip(f"{item.help} {middle}\n{strength}")
            slider.valueChanged.connect(self._on_changed)
            slider.sliderPressed.connect(self.grabbed)
            slider.sliderReleased.connect(self._on_released)
            slider.valueChanged.connect(lambda value, name=item.name: self.moved.emit(name, value / _STEPS_EACH_SIDE))
            slider.setMinimumHeight(slider.sizeHint().height())
            self._labels.append(QLabel(label_of(item.name)))
            self._sliders[item.name] = slider
        self._lay_out()
        if self.tab_after is not None:
            for before, after in pairwise((self.tab_after, *self._sliders.values())):
                QWidget.setTabOrder(before, after)

    def set_columns(self, columns: int) -> None:
        """Show the sliders in so many columns."""
        if columns != self._columns:
            self._columns = columns
            self._lay_out()

    def height_in(self, columns: int) -> int:
        """Return the height of all sliders in so many columns."""
        rows = -(-len(self._sliders) // columns)
        line = max((slider.minimumHeight() for slider in self._sliders.values()), default=0)
        return rows * line + max(0, rows - 1) * self._grid.verticalSpacing()

    def _lay_out(self) -> None:
        rows = -(-len(self._sliders) // self._columns)
        for number, (label, slider) in enumerate(zip(self._labels, self._sliders.values(), strict=True)):
            row, column = number % rows, 2 * (number // rows)
            self._grid.addWidget(label, row, column)
            self._grid.addWidget(slider, row, column + 1)
            label.show()
            slider.show()
        for column in range(2 * MOST_COLUMNS):
            is_slider = column % 2 == 1 and column < 2 * self._columns
            self._grid.setColumnStretch(column, int(is_slider))

    def moves(self) -> Mapping[str, float]:
        """Return the amount of each slider that is not in the middle."""
        return {
            name: slider.value() / _STEPS_EACH_SIDE * self._most_move
            for name, slider in self._sliders.items()
            if slider.value()
        }

    @property
    def is_held(self) -> bool:
        """Whether the mouse holds a slider."""
        return any(slider.isSliderDown() for slider in self._sliders.values())

    def show_moves(self, moves: Mapping[str, float]) -> None:
        """Show the settings of a sound, by the amount of each slider that is not in the middle; none is generated."""
        self._settling.stop()
        self._is_showing = True
        for name, slider in self._sliders.items():
            slider.setValue(round(moves.get(name, 0.0) / self._most_move * _STEPS_EACH_SIDE))
        self._is_showing = False

    def show_move(self, name: str, share: float) -> None:
        """Move a slider to a share of its range, -1 to 1; one that is not shown stays."""
        if name in self._sliders:
            self._sliders[name].setValue(round(share * _STEPS_EACH_SIDE))

    def _on_changed(self, _value: int) -> None:
        if not self._is_showing:
            self._settling.start()
            self.changed.emit()

    def _on_released(self) -> None:
        """Generate at once what was not yet at rest: it belongs to this drag."""
        if self._settling.isActive():
            self._settling.stop()
            self.settled.emit()
        self.let_go.emit()

    def key_group(self) -> KeyGroup:
        """Say which keys work here."""
        entries = (
            (native("Left", "Right"), self.tr("Move the slider; Page Up and Page Down move it further")),
            (native("Del"), self.tr("Set the slider back")),
        )
        return KeyGroup(self.tr("Sliders of the Play page"), tuple(KeyHelp(keys, text) for keys, text in entries))

    def stop(self) -> None:
        """Report no change any more."""
        self._settling.stop()
