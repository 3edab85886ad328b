"""Sounds that are held ready for pads and keys, and the notes that play them.

A sound is decoded, brought to the device's format and, for a key, resampled to its pitch ahead of the note, so that a
note costs one entry in a queue.
"""

import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from distill.audio.cache.hash_index import Key, file_key
from distill.playback.note_mixer import Mixer, NoteOn, gain_of
from distill.playback.output_device import OutputFormat
from distill.playback.tracks import Block, Sound, fitted, load_sound

#: Bytes of sounds that are held ready; those that were not played for longest make room.
MOST_BYTES = 256 * 2**20

#: Seconds that a device has for fading notes out before it is closed; one that is gone would take for ever.
MOST_FADE_SECONDS = 1.0

#: Semitones that a sound is played down and up at most: on a piano, whose C4 plays it as it is, every key has a pitch.
MOST_DOWN, MOST_UP = 39, 48


@dataclass(frozen=True)
class Strike:
    """A note: which sound, and how it is played.

    Attributes
    ----------
    path
        The sound's file.
    key
        What `distill.playback.player.Player.release` names.
    velocity
        1 to 127.
    semitones
        How much higher the sound is played; it becomes shorter as it becomes higher, as on a tape.
    group
        Notes of the same group end each other; 0 is no group.
    """

    path: Path
    key: Hashable = 0
    velocity: int = 127
    semitones: int = 0
    group: int = 0


class Decoded(NamedTuple):
    """A decoded file, and what `file_key` said of it before that."""

    sound: Sound
    stamp: Key | None


class _Ready(NamedTuple):
    """A sound in the device's format, and what `file_key` said of its file."""

    frames: Block
    stamp: Key | None


class Instrument:
    """Holds sounds in the format of a device, and hands their notes to a mixer."""

    def __init__(self, output_format: OutputFormat) -> None:
        self.format = output_format
        self.mixer = Mixer(output_format.sample_rate, output_format.channels)
        self._ready: OrderedDict[tuple[Path, int], _Ready] = OrderedDict()
        self._bytes = 0

    def play(self, strike: Strike) -> bool:
        """Begin a note; return False, and do nothing, where its sound is not ready."""
        ready = self._ready.get((strike.path, _within(strike.semitones)))
        if ready is None:
            return False
        self.mixer.start(NoteOn(strike.key, ready.frames, gain_of(strike.velocity), strike.group))
        return True

    def fade_out(self, latency_seconds: float) -> None:
        """End all notes, and wait until that is heard.  Call it on the player's thread, while the device runs."""
        if not self.mixer.sounding:
            return
        self.mixer.release_all()
        deadline = time.monotonic() + MOST_FADE_SECONDS
        while self.mixer.sounding and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(latency_seconds)

    def has_room_for(self, path: Path) -> bool:
        """Return whether another pitch of a sound can be made ready without taking the room of all others."""
        sound_bytes = sum(ready.frames.nbytes for (ready_path, _), ready in self._ready.items() if ready_path == path)
        return sound_bytes < MOST_BYTES // 2

    def prepare(self, path: Path, semitones: int = 0, decoded: Decoded | None = None) -> Decoded | None:
        """Make a sound ready, anew if its file has changed.  Takes a while: call it on the player's thread.

        Parameters
        ----------
        path, semitones
            The file, and how much higher it is played.
        decoded
            The decoded file, if it was decoded for another pitch; it is decoded anew if it has changed since.

        Returns
        -------
        Decoded or None
            The decoded file, for other pitches; None if it was not needed.

        Raises
        ------
        PlaybackError
            The file cannot be read.
        """
        key = (path, _within(semitones))
        ready_note, stamp = self._ready.get(key), _stamp(path)
        if ready_note is not None and stamp in (None, ready_note.stamp):  # None: it is gone, and still held
            self._ready.move_to_end(key)
            return decoded
        if decoded is None or stamp not in (None, decoded.stamp):
            decoded = Decoded(load_sound(path), stamp)
        sound = decoded.sound
        higher = Sound(path, sound.frames, sound.sample_rate * 2 ** (key[1] / 12))
        frames = fitted(higher, self.format.sample_rate, self.format.channels).frames
        if ready_note is not None:
            self._bytes -= ready_note.frames.nbytes
        self._ready[key] = _Ready(frames, decoded.stamp)
        self._ready.move_to_end(key)
        self._bytes += frames.nbytes
        while self._bytes > MOST_BYTES and len(self._ready) > 1:
            _, dropped = self._ready.popitem(last=False)
            self._bytes -= dropped.frames.nbytes
        return decoded


def _stamp(path: Path) -> Key | None:
    try:
        return file_key(path)
    except OSError:
        return None


def _within(semitones: int) -> int:
    return min(max(semitones, -MOST_DOWN), MOST_UP)
