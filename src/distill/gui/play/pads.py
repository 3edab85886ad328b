"""Sixteen pads, each of which holds a sound."""

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QToolButton, QWidget

from distill.gui.widgets import theme

COUNT, _COLUMNS = 16, 4

#: Keys of the computer keyboard, by pad.  They lie as the pads do.
KEYS = "1234QWERASDFZXCV"


class Pad(QToolButton):
    """A pad: plays its sound as soon as it is pressed; an empty one takes the current sound."""

    struck = Signal()
    clear_requested = Signal()

    def __init__(self, number: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.key = KEYS[number]
        self.setObjectName(f"pad{number + 1}")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(44, 30)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.sound: Path | None = None
        self.hold(None)

    def hold(self, sound: Path | None) -> None:
        """Hold a sound, or none."""
        self.sound = sound
        name = sound.stem if sound is not None else self.tr("empty")
        self.setText(self.key)
        self.setProperty("pad", "empty" if sound is None else "held")
        self.style().unpolish(self)  # the style sheet looks at the property
        self.style().polish(self)
        self.setAccessibleName(self.tr("Pad {0}: {1}").format(self.key, name))
        tip = (
            self.tr("Plays {0}. Key {1}. The Delete key empties the pad.")
            if sound is not None
            else self.tr("Empty. Click to put the current sound here. Key {1}.")
        )
        self.setToolTip(tip.format(name, self.key).replace("<", "&lt;"))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Strike the pad at the press, not at the release: the sound must not be late."""
        super().mousePressEvent(event)
        if event.button() is Qt.MouseButton.LeftButton:
            self.struck.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Strike or empty the pad."""
        if event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if not event.isAutoRepeat():
                self.struck.emit()
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.clear_requested.emit()
        else:
            super().keyPressEvent(event)


class PadGrid(QWidget):
    """Shows the pads in four rows."""

    play_requested = Signal(object)  # Path
    #: An empty pad was struck: it wants the current sound.
    sound_requested = Signal(int)
    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("padGrid")
        self.setAccessibleName(self.tr("Pads"))
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(theme.HALF)
        self.pads = [Pad(number) for number in range(COUNT)]
        for number, pad in enumerate(self.pads):
            grid.addWidget(pad, number // _COLUMNS, number % _COLUMNS)
            pad.struck.connect(lambda number=number: self.strike(number))
            pad.clear_requested.connect(lambda number=number: self.hold(number, None))

    def strike(self, number: int) -> None:
        """Play a pad, or ask for a sound for an empty one."""
        sound = self.pads[number].sound
        if sound is None:
            self.sound_requested.emit(number)
        else:
            self.play_requested.emit(sound)

    def strike_key(self, text: str) -> bool:
        """Play the pad of a key of the keyboard; return whether it has a sound."""
        number = KEYS.find(text.upper()) if text else -1
        if number < 0 or self.pads[number].sound is None:
            return False
        self.strike(number)
        return True

    def hold(self, number: int, sound: Path | None) -> None:
        """Put a sound on a pad, or empty it."""
        self.pads[number].hold(sound)
        self.changed.emit()

    def clear(self) -> None:
        """Empty all pads."""
        for pad in self.pads:
            pad.hold(None)
        self.changed.emit()

    def sounds(self) -> list[Path]:
        """Return the sounds of the pads, in order."""
        return [pad.sound for pad in self.pads if pad.sound is not None]
