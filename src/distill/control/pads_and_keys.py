"""Sixteen pads and the keys, played on the player.

Its methods may be called from any thread: a port's thread plays a note without waiting for a window.
"""

from pathlib import Path

from distill.control.midi_mapping import PADS
from distill.playback.instrument import Strike
from distill.playback.player import Player

#: Keys of the computer keyboard that play the pads, by pad.  They lie as the pads do.
PAD_KEYS = "1234QWERASDFZXCV"

#: Number of choke groups.
GROUPS = 4

#: Semitones around its own pitch at which the keys' sound is made ready; others take a moment at their first note.
_READY_KEYS = range(-12, 13)


class Board:
    """What the pads hold, and how they are played.

    Parameters
    ----------
    player
        Plays the notes.
    """

    def __init__(self, player: Player) -> None:
        self._player = player
        self._pads: list[Path | None] = [None] * PADS
        self._groups = [0] * PADS
        self._key_sound: Path | None = None
        #: Whether a pad's sound ends when it is released.  That of a key always does.
        self.ends_at_release = False

    def hold(self, pad: int, path: Path | None) -> None:
        """Put a sound on a pad, or empty it."""
        self._pads[pad] = path
        if path is not None:
            self._player.prepare([path])

    def choose_group(self, pad: int, group: int) -> None:
        """Put a pad into a group whose pads end each other, 1 to `GROUPS`; 0 is none."""
        self._groups[pad] = group

    @property
    def key_sound(self) -> Path | None:
        """The sound that the keys play."""
        return self._key_sound

    @key_sound.setter
    def key_sound(self, path: Path | None) -> None:
        self._key_sound = path

    def prepare_keys(self) -> None:
        """Make the sound of the keys ready at its pitches, until they play another one."""
        key_sound = self._key_sound
        if key_sound is not None:
            self._player.prepare([key_sound], sorted(_READY_KEYS, key=abs), lambda: self._key_sound == key_sound)

    def prepare(self) -> None:
        """Make all sounds of the pads ready: after the device was opened."""
        self._player.prepare(sound for sound in self._pads if sound is not None)

    def strike_pad(self, pad: int, velocity: int) -> bool:
        """Play a pad; return False where it is empty."""
        pad_sound = self._pads[pad]
        if pad_sound is None:
            return False
        self._player.strike(Strike(pad_sound, ("pad", pad), velocity, group=self._groups[pad]))
        return True

    def release_pad(self, pad: int) -> None:
        """End the sound of a pad, where pads are played so."""
        if self.ends_at_release:
            self._player.release(("pad", pad))

    def strike_key(self, semitones: int, velocity: int) -> bool:
        """Play the keys' sound this much higher; return False where there is none."""
        key_sound = self._key_sound
        if key_sound is None:
            return False
        self._player.strike(Strike(key_sound, ("key", semitones), velocity, semitones))
        return True

    def release_key(self, semitones: int) -> None:
        """End the note of a key."""
        self._player.release(("key", semitones))

    def stop_all(self) -> None:
        """End all notes."""
        self._player.release_all()
