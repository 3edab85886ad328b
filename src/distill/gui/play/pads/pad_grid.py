"""The sixteen pads in their grid: which ones are pressed, filled, exchanged; and the panel with buttons below them."""

from functools import partial
from pathlib import Path

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QWidget,
)

from distill.control.pads_keys_and_knobs import PAD_KEYS, PADS
from distill.gui.help.keyboard_shortcuts import KeyGroup, KeyHelp, native
from distill.gui.play.pads.pad import Pad
from distill.gui.sounds.waveform_thumbnails import Thumbnails
from distill.gui.widgets import theme
from distill.gui.widgets.buttons import ActionButton
from distill.gui.widgets.panel import Panel
from distill.names import short_names

COUNT, _COLUMNS = PADS, 4

translate = QCoreApplication.translate


class PadGrid(QWidget):
    """Shows the pads in four rows."""

    #: A pad that holds a sound is pressed, or no longer.
    pressed = Signal(int)
    released = Signal(int)
    #: An empty pad was struck: it wants the current sound.
    sound_requested = Signal(int)
    #: A pad holds another sound, or none.
    held = Signal(int, object)  # Path or None
    group_chosen = Signal(int, int)
    #: Two pads are to change places.
    exchange_requested = Signal(int, int)
    changed = Signal()

    def __init__(self, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("padGrid")
        self.setLayoutDirection(Qt.LayoutDirection.LeftToRight)  # as the keys lie on the keyboard
        self.setAccessibleName(self.tr("Pads"))
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(theme.HALF)
        self.pads = [Pad(number, PAD_KEYS[number], thumbnails) for number in range(COUNT)]
        for number, pad in enumerate(self.pads):
            pad.elision = self._elision
            grid.addWidget(pad, number // _COLUMNS, number % _COLUMNS)
            pad.struck.connect(lambda number=number: self.strike(number))
            pad.released.connect(lambda number=number: self.released.emit(number))
            pad.sound_given.connect(partial(self.hold, number))
            pad.group_chosen.connect(partial(self.join, number))
            pad.pad_dropped.connect(lambda other, number=number: self._request_exchange(other, number))
            pad.move_requested.connect(partial(self._on_move_requested, number))
        self._thumbnails = thumbnails
        self._keyed: dict[int, int] = {}  # pads whose key is down, and its scan code
        thumbnails.ready.connect(self._on_thumbnail)

    def strike(self, number: int) -> None:
        """Play a pad, or ask for a sound for an empty one."""
        if self.pads[number].sound is None:
            self.sound_requested.emit(number)
        else:
            self.pressed.emit(number)

    def press_key(self, text: str, scan_code: int = 0) -> bool:
        """Play the pad of a key of the keyboard; return whether it has a sound.

        ``scan_code`` tells the key from others whatever modifiers are down; 0 where it is not known.
        """
        number = PAD_KEYS.find(text.upper()) if text else -1
        if number < 0 or self.pads[number].sound is None:
            return False
        self.pads[number].setDown(True)
        self._keyed[number] = scan_code
        self.strike(number)
        return True

    def release_key(self, text: str, scan_code: int = 0) -> bool:
        """Release the pad of a key, whose text may be another one by now; return whether there is one."""
        number = PAD_KEYS.find(text.upper()) if text else -1
        number = next((pad for pad, own in self._keyed.items() if scan_code and own == scan_code), number)
        if number < 0:
            return False
        self._release(number)
        return True

    def release_keys(self) -> None:
        """Release the pads whose keys are down: the page is left, and does not hear of their release."""
        for number in tuple(self._keyed):
            self._release(number)

    def _release(self, number: int) -> None:
        self._keyed.pop(number, None)
        self.pads[number].setDown(False)
        self.released.emit(number)

    def hold(self, number: int, sound: Path | None) -> None:
        """Put a sound on a pad, or empty it."""
        self.pads[number].hold(sound)
        if sound is not None:
            self._thumbnails.prefetch_waveforms([sound])  # its file may have been written anew
        self._name_pads()
        self.held.emit(number, sound)
        self.changed.emit()

    def join(self, number: int, group: int) -> None:
        """Put a pad into a choke group; 0 is none."""
        self.pads[number].join(group)
        self._name_pads()
        self.group_chosen.emit(number, group)

    def _request_exchange(self, first: int, second: int) -> None:
        if first != second and self.pads[first].sound is not None:
            self.exchange_requested.emit(first, second)

    def _on_move_requested(self, number: int, columns: int, rows: int) -> None:
        column, row = number % _COLUMNS + columns, number // _COLUMNS + rows
        if 0 <= column < _COLUMNS and 0 <= row < COUNT // _COLUMNS and self.pads[number].sound is not None:
            self._request_exchange(number, row * _COLUMNS + column)
            self.pads[row * _COLUMNS + column].setFocus()  # so that it can be moved on

    def key_group(self) -> KeyGroup:
        """Say which keys work on a pad."""
        entries = (
            (("Space", "Return"), self.tr("Play the pad, or put the current sound on it")),
            (("Alt+Left", "Alt+Right", "Alt+Up", "Alt+Down"), self.tr("Exchange it with the pad beside it")),
            (("G",), self.tr("Change its choke group")),
            (("Del",), self.tr("Empty it")),
        )
        return KeyGroup(self.tr("Pads"), tuple(KeyHelp(native(*keys), text) for keys, text in entries))

    def sounds(self) -> list[Path]:
        """Return the sounds of the pads, in order."""
        return [pad.sound for pad in self.pads if pad.sound is not None]

    def _name_pads(self) -> None:
        """Write on the pads what their names differ in."""
        short = short_names([sound.name for sound in self.sounds()])
        for pad in self.pads:
            if pad.sound is not None:
                pad.show_label(short[pad.sound.name])
            pad.update()  # where it is cut depends on the others

    def _elision(self, pad: Pad) -> Qt.TextElideMode:
        """Return where the name on a pad is cut so that no pad shows the same as one before it, if possible."""
        right = Qt.TextElideMode.ElideRight
        modes: dict[str, Qt.TextElideMode] = {}
        seen: set[tuple[str, ...]] = set()
        for label in (other.label for other in self.pads if other.sound is not None and other.label not in modes):
            for mode in (right, Qt.TextElideMode.ElideMiddle, Qt.TextElideMode.ElideLeft):
                lines = pad.name_lines(label, mode)
                if lines not in seen:
                    modes[label] = mode
                    seen.add(lines)
                    break
        return modes.get(pad.label, right)

    def _on_thumbnail(self, path: object) -> None:
        for pad in self.pads:
            if pad.sound == path:
                pad.update()


def scan_code_of(event: QKeyEvent) -> int:
    """Return the number of a key, whatever it types; 0 where the system does not say it."""
    code = event.nativeScanCode()
    return code if code > 1 else event.nativeVirtualKey()  # on macOS the former is always 1


class PadPanel(Panel):
    """The grid of pads, and below it the buttons that fill the pads and export them as a kit."""

    filling_requested = Signal()
    kit_requested = Signal()

    def __init__(self, pads: PadGrid) -> None:
        super().__init__(translate("PlayPage", "Pads"))
        self._pads = pads
        self.title.hide()  # the tab has it
        self.detail.hide()
        self.fill_pads = ActionButton(translate("PlayPage", "Fill from the map"))
        self.fill_pads.setObjectName("fillPadsButton")
        self.fill_pads.setToolTip(translate("PlayPage", "Put 16 generated sounds from all over the map on the pads."))
        self.fill_pads.clicked.connect(self.filling_requested)
        self.export_kit = ActionButton(translate("PlayPage", "Export kit…"))
        self.export_kit.setObjectName("exportKitButton")
        self.export_kit.setToolTip(
            translate("PlayPage", "Write the pads as a kit for samplers: WAV files, SFZ, DecentSampler.")
        )
        self.export_kit.clicked.connect(self.kit_requested)
        buttons = QHBoxLayout()
        buttons.addWidget(self.fill_pads)
        buttons.addStretch(1)
        buttons.addWidget(self.export_kit)
        self.body.addWidget(pads, 1)
        self.body.addLayout(buttons)
        pads.changed.connect(self._on_pads_changed)
        self._on_pads_changed()

    def show_selected(self, count: int) -> None:
        """Say how many sounds are selected on the map: the pads are filled from those."""
        text = translate("PlayPage", "Fill from {0} selected").format(count)
        self.fill_pads.setText(text if count else translate("PlayPage", "Fill from the map"))

    def _on_pads_changed(self) -> None:
        self.export_kit.setEnabled(bool(self._pads.sounds()))
