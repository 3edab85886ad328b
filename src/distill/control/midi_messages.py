"""MIDI messages, read from raw bytes as they come from a port, a pipe or a file.

Follows the MIDI 1.0 specification: running status, real-time bytes within other messages, and system exclusive
messages of any length, which are passed over.
"""

from dataclasses import dataclass

NOTE_OFF, NOTE_ON, CONTROL = 0x80, 0x90, 0xB0

#: The first controller number that is a channel mode message, and not a knob.
FIRST_MODE = 120

#: The sustain pedal, which is down from this value on, and the message that lifts it with all other controllers.
SUSTAIN, PEDAL_DOWN, RESET = 64, 64, 121

#: Channel mode messages that end all notes: all sound off, all notes off.
ALL_OFF = (120, 123)

#: Data bytes of a channel message by its status, and of system common messages.
_LENGTHS = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}
_SYSTEM_LENGTHS = {0xF1: 1, 0xF2: 2, 0xF3: 1}
_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


@dataclass(frozen=True)
class MidiMessage:
    """A channel message.

    Attributes
    ----------
    status
        `NOTE_ON`, `NOTE_OFF`, `CONTROL`, or the status of another channel message, without its channel.
    channel
        0 to 15.
    number, value
        The data bytes: note and velocity, or controller and value.  A note with velocity 0 is a `NOTE_OFF`.
    """

    status: int
    channel: int
    number: int
    value: int


class MidiParser:
    """Collects bytes until a message is whole."""

    def __init__(self) -> None:
        self._status = 0  # running status; 0 for none
        self._wanted = 0
        self._data: list[int] = []

    def feed(self, data: bytes) -> list[MidiMessage]:
        """Return the messages that end within some bytes."""
        return [message for byte in data if (message := self._take(byte)) is not None]

    def _take(self, byte: int) -> MidiMessage | None:
        if byte >= 0xF8:  # real time: may come anywhere and changes nothing
            return None
        if byte >= 0x80:
            self._status, self._data = byte, []
            self._wanted = _LENGTHS.get(byte & 0xF0, _SYSTEM_LENGTHS.get(byte, 0))
            if byte == 0xF7:  # the end of system exclusive data
                self._status = 0
            return None
        if not self._status or not self._wanted:  # data without a status, or system exclusive data
            return None
        self._data.append(byte)
        if len(self._data) < self._wanted:
            return None
        status, data, self._data = self._status, self._data, []
        if status >= 0xF0:  # system common messages end the running status
            self._status = 0
            return None
        number, value = data[0], data[1] if len(data) > 1 else 0
        kind = status & 0xF0
        if kind == NOTE_ON and value == 0:
            kind = NOTE_OFF
        return MidiMessage(kind, status & 0x0F, number, value)


def note_name(number: int) -> str:
    """Return the name of a note, where 60 is C4."""
    return f"{_NAMES[number % 12]}{number // 12 - 1}"
