"""Mixes the notes that are played on pads and keys; the second object that PortAudio's thread shares with the others.

Requests are appended to a deque, which the callback empties at each block: it takes no lock, and reads whole sounds in
place.  Voices and work space are allocated once.  Every end that is not the end of a sound fades out.
"""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distill.playback.tracks import Block

#: Notes that sound at once.  A further one ends the oldest, which fades out in one of the spare voices: enough of them
#: for a chord of both hands.
VOICES, _SPARE = 32, 16

#: Seconds that a released note fades for, and one that makes room for another.
RELEASE_SECONDS, CHOKE_SECONDS = 0.08, 0.006

#: Frames that are mixed at once.
_MOST_FRAMES = 1024


class NoteOn(NamedTuple):
    """A note that begins.

    Attributes
    ----------
    key
        What `Mixer.release` names.  A note that sounds under the same key makes room.
    frames
        ``[N, channels]`` at the device's rate.
    gain
        Linear.
    group
        Notes of the same group make room for each other; 0 is no group.
    """

    key: Hashable
    frames: Block
    gain: float
    group: int


class _NoteOff(NamedTuple):
    key: Hashable  # None: all of them


@dataclass(slots=True)
class _Voice:
    """A playhead; ``frames`` is None while it is free."""

    key: Hashable = None
    frames: Block | None = None
    position: int = 0
    gain: float = 0.0
    group: int = 0
    fade: Block | None = None
    faded: int = 0
    age: int = 0


class Mixer:
    """Sums the sounding notes into the blocks of a device.

    Parameters
    ----------
    sample_rate, channels
        Of the device.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        self.sample_rate, self.channels = sample_rate, channels
        self._requests: deque[NoteOn | _NoteOff] = deque()
        self._voices = [_Voice() for _ in range(VOICES + _SPARE)]
        self._sum = np.zeros((_MOST_FRAMES, channels), np.float32)
        self._part = np.zeros((_MOST_FRAMES, channels), np.float32)
        self._ramp = np.zeros((_MOST_FRAMES, 1), np.float32)
        self._steps = (np.arange(_MOST_FRAMES, dtype=np.float32) + 1)[:, np.newaxis]
        self._release, self._choke = (_fade(seconds, sample_rate) for seconds in (RELEASE_SECONDS, CHOKE_SECONDS))
        self._volume: float | None = None
        self._age = 0

    # From any thread.

    def start(self, note: NoteOn) -> None:
        """Begin a note with the next block."""
        self._requests.append(note)

    def release(self, key: Hashable) -> None:
        """Fade out the note of a key."""
        self._requests.append(_NoteOff(key))

    def release_all(self) -> None:
        """Fade out all notes."""
        self._requests.append(_NoteOff(None))

    def clear(self) -> None:
        """Drop all notes at once, while no device asks for blocks."""
        self._requests.clear()
        for voice in self._voices:
            voice.frames = voice.fade = None

    @property
    def sounding(self) -> int:
        """Number of notes that sound or are to begin."""
        return self._waiting + sum(voice.frames is not None for voice in self._voices)

    @property
    def is_waiting(self) -> bool:
        """Whether a note is to begin with the next block."""
        return self._waiting > 0

    @property
    def _waiting(self) -> int:
        return sum(isinstance(request, NoteOn) for request in tuple(self._requests))

    # PortAudio's thread.

    def add_to(self, block: Block, volume: float) -> bool:
        """Add the notes to a block ``[frames, channels]``; return whether any sounds."""
        while self._requests:
            request = self._requests.popleft()
            if isinstance(request, NoteOn):
                self._begin(request)
            else:
                self._end(request.key)
        is_sounding = False
        for start in range(0, len(block), _MOST_FRAMES):
            is_sounding = self._add(block[start : start + _MOST_FRAMES], volume) or is_sounding
        self._volume = volume
        return is_sounding

    def _add(self, block: Block, volume: float) -> bool:
        count, is_sounding = len(block), False
        total = self._sum[:count]
        for voice in self._voices:
            if voice.frames is None:
                continue
            if not is_sounding:
                total.fill(0.0)
                is_sounding = True
            self._read(voice, total)
        if is_sounding:
            total *= self._gains(volume, count)
            block += total
            np.clip(block, -1.0, 1.0, out=block)
        self._volume = volume
        return is_sounding

    def _gains(self, volume: float, count: int) -> NDArray[np.float32] | np.float32:
        """Return the volume, as a ramp where it has changed: a step would click."""
        before = volume if self._volume is None else self._volume
        if before == volume:
            return np.float32(volume)
        ramp = self._ramp[:count]
        np.multiply(self._steps[:count], np.float32((volume - before) / count), out=ramp)
        ramp += np.float32(before)
        return ramp

    def _read(self, voice: _Voice, total: Block) -> None:
        frames, fade = voice.frames, voice.fade
        assert frames is not None
        count = min(len(total), len(frames) - voice.position)
        if fade is not None:
            count = min(count, len(fade) - voice.faded)
        part = self._part[:count]
        np.multiply(frames[voice.position : voice.position + count], np.float32(voice.gain), out=part)
        if fade is not None:
            part *= fade[voice.faded : voice.faded + count]
            voice.faded += count
        total[:count] += part
        voice.position += count
        if count < len(total):
            voice.frames = voice.fade = None

    def _begin(self, note: NoteOn) -> None:
        sounding = 0
        oldest: _Voice | None = None
        for voice in self._voices:
            if voice.frames is None or voice.fade is self._choke:
                continue
            if voice.key == note.key or (note.group and voice.group == note.group):
                self._fade_out(voice, self._choke)
                continue
            sounding += 1
            if oldest is None or voice.age < oldest.age:
                oldest = voice
        if sounding >= VOICES and oldest is not None:
            self._fade_out(oldest, self._choke)
        voice = self._free()
        self._age += 1
        voice.key, voice.frames, voice.position, voice.age = note.key, note.frames, 0, self._age
        voice.gain, voice.group, voice.fade, voice.faded = note.gain, note.group, None, 0

    def _end(self, key: Hashable) -> None:
        for voice in self._voices:
            if voice.frames is not None and voice.fade is None and (key is None or voice.key == key):
                self._fade_out(voice, self._release)

    def _fade_out(self, voice: _Voice, fade: Block) -> None:
        """Begin a fade, or go on with a faster one at the level that a slower one has reached."""
        if voice.fade is not None:
            voice.gain *= float(voice.fade[min(voice.faded, len(voice.fade) - 1), 0])
        voice.fade, voice.faded = fade, 0

    def _free(self) -> _Voice:
        for voice in self._voices:
            if voice.frames is None:
                return voice
        return min(self._voices, key=lambda voice: (voice.fade is None, voice.age))


def gain_of(velocity: int) -> float:
    """Return the linear gain of a velocity, 1 to 127: quadratic, 40 dB softer at a tenth, as samplers do by default."""
    return (min(max(velocity, 0), 127) / 127) ** 2


def _fade(seconds: float, sample_rate: int) -> Block:
    count = max(1, round(seconds * sample_rate))
    curve = 0.5 + 0.5 * np.cos(np.pi * (np.arange(count) + 1) / count)
    return curve.astype(np.float32)[:, np.newaxis]
