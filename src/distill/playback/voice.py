"""What is heard, block by block: the one object that PortAudio's thread shares with the others.

In that thread there is no lock, no loop in Python and no copy of a sound; what is asked of it meanwhile is put into
single attributes, each of which it reads once a block.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.playback.sound import Sound

#: Length of the crossfade where a sound is left for another one, or for another place in it: no click, and no gap.
FADE_FRAMES = 256

_FADE_IN = (0.5 - 0.5 * np.cos(np.pi * (np.arange(FADE_FRAMES) + 0.5) / FADE_FRAMES)).astype(np.float32)[:, np.newaxis]
_FADE_OUT = 1 - _FADE_IN

Block = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Track:
    """A sound at the device's rate, with silence after it.

    Attributes
    ----------
    path
        The file that it comes from.
    frames
        ``[N + tail, channels]``.
    end
        Where in ``frames`` the sound ends: N.
    peaks
        ``[n, 2]``, for drawing it.
    """

    path: Path
    frames: Block
    end: int
    peaks: NDArray[np.float32] = field(repr=False)

    @classmethod
    def from_sound(cls, sound: Sound, tail_seconds: float, peaks: NDArray[np.float32]) -> "Track":
        """Put silence after a sound."""
        frames = np.pad(sound.frames, ((0, round(tail_seconds * sound.sample_rate)), (0, 0)))
        return cls(sound.path, frames, len(sound.frames), peaks)

    def read(self, start: int, block: Block, is_looping: bool) -> int:
        """Fill ``block`` with what comes from ``start`` on, and return where it goes on.

        In a loop, the frame after the sound's last one is its first one: no silence between them, none left out.
        """
        if is_looping and start + len(block) > self.end:
            return self._read_around(start, block)
        count = max(0, min(len(block), len(self.frames) - start))
        block[:count] = self.frames[start : start + count]
        block[count:] = 0.0
        return start + count

    def _read_around(self, start: int, block: Block) -> int:
        if start > self.end:  # the loop was switched on after the end
            start = 0
        after = start + len(block)
        np.take(self.frames[: self.end], np.arange(start, after), axis=0, out=block, mode="wrap")
        return after % self.end


class Voice:
    """A playhead, and the track that it is on.

    Parameters
    ----------
    track
        What is heard first.
    sample_rate
        The device's, frames a second.
    start_seconds
        Where in the sound.
    volume
        Linear gain at the beginning.
    """

    def __init__(self, track: Track, sample_rate: int, start_seconds: float, volume: float) -> None:
        #: What should be heard.  The next block crosses over to it, at the same place in the sound.
        self.track = track
        self.sample_rate = sample_rate
        self._heard = track  # by the callback only
        self._gain = volume  # what has been reached on the way to the volume
        self._fade = np.empty((FADE_FRAMES, track.frames.shape[1]), np.float32)
        self._jump = self._jumped = (self._position(start_seconds),)  # told apart by identity, so that none is lost
        self._clock = (self._jump[0], self._jump[0], False)

    def jump(self, seconds: float) -> None:
        """Go on elsewhere in the sound, from the next block on."""
        self._jump = (self._position(seconds),)

    @property
    def is_at_end(self) -> bool:
        """Whether all has been handed over, the silence after the sound included."""
        return self._clock[0] >= len(self.track.frames)

    def seconds_heard(self, latency_seconds: float) -> float:
        """Return where in the sound the ear is, while ``latency_seconds`` wait in the device."""
        track = self.track
        (at, origin, has_wrapped) = self._clock
        length = track.end
        heard = at - round(latency_seconds * self.sample_rate)
        # Just after a jump one still hears what was before it; the playhead is where one jumped to all the same.
        heard = heard % length if has_wrapped else max(heard, origin)
        return min(max(heard, 0), length) / self.sample_rate

    def _position(self, seconds: float) -> int:
        return min(max(round(seconds * self.sample_rate), 0), self.track.end)

    # PortAudio's thread.

    def fill(self, block: Block, volume: float, is_looping: bool) -> bool:
        """Fill a block ``[frames, channels]``; returns False once there is nothing left."""
        track, jump, old = self.track, self._jump, self._heard
        start, origin, has_wrapped = self._clock
        is_cut, fading = track is not old or jump is not self._jumped, self._fade[: len(block)]
        if is_cut:
            old.read(start, fading, is_looping)  # as it would have gone on
            self._heard = track
        if jump is not self._jumped:
            self._jumped = jump
            start = origin = jump[0]
            has_wrapped = False
        after = track.read(start, block, is_looping)
        if is_cut:
            count = len(fading)
            fading *= _FADE_OUT[:count]
            block[:count] *= _FADE_IN[:count]
            block[:count] += fading
        self._apply(volume, block)
        wraps = is_looping and (after < start + len(block))
        self._clock = (after, origin, has_wrapped or wraps)
        return is_looping or after == start + len(block)

    def _apply(self, volume: float, block: Block) -> None:
        if self._gain == volume:
            block *= np.float32(volume)
        else:  # a step in the volume would click
            block *= np.linspace(self._gain, volume, len(block), dtype=np.float32)[:, np.newaxis]
            self._gain = volume
