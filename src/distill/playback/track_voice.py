"""Fills the device's blocks from a track; the one object that PortAudio's thread shares with the others.

The callback takes no lock, runs no Python loop over samples and copies no whole sound.  Requests from other threads are
single attributes, each of which it reads once a block.
"""

import numpy as np

from distill.playback.tracks import Block, Track

#: Length of the crossfade when the track or the position changes, so that there is neither a click nor a gap.
FADE_FRAMES = 256

_FADE_IN = (0.5 - 0.5 * np.cos(np.pi * (np.arange(FADE_FRAMES) + 0.5) / FADE_FRAMES)).astype(np.float32)[:, np.newaxis]
_FADE_OUT = 1 - _FADE_IN


class Voice:
    """A playhead on a track.

    Parameters
    ----------
    track
        The track to begin with.
    sample_rate
        Sample rate of the device in Hz.
    start_seconds
        Start position in the sound.
    volume
        Linear gain at the beginning.
    """

    def __init__(self, track: Track, sample_rate: int, start_seconds: float, volume: float) -> None:
        #: The track to play.  The next block crossfades to it at the same position.
        self.track = track
        self.sample_rate = sample_rate
        self._heard_track = track  # the track of the last block; this and the next four are used by the callback only
        self._gain = volume  # the gain reached so far on the ramp to the volume
        self._fade_block = np.empty((FADE_FRAMES, track.frames.shape[1]), np.float32)
        # What fades out, and how much of the fade is done.
        self._fading_track, self._fading_frame, self._faded_frames = track, 0, FADE_FRAMES
        # Jumps are compared by identity, so that no request is lost.
        self._jump = self._done_jump = (self._position(start_seconds),)
        self._clock = (self._jump[0], self._jump[0], False)

    def jump(self, seconds: float) -> None:
        """Move to another position, from the next block on."""
        self._jump = (self._position(seconds),)

    @property
    def is_at_end(self) -> bool:
        """Whether the sound and the silence after it have been delivered to the device."""
        return self._clock[0] >= len(self.track.frames)

    def seconds_heard(self, latency_seconds: float) -> float:
        """Return the position that is heard now, with ``latency_seconds`` still queued in the device."""
        track = self.track
        (delivered_frame, origin, has_wrapped) = self._clock
        length = track.end
        heard_frame = delivered_frame - round(latency_seconds * self.sample_rate)
        # Just after a jump the old position is still heard; the playhead shows the new one all the same.
        heard_frame = heard_frame % length if has_wrapped else max(heard_frame, origin)
        return min(max(heard_frame, 0), length) / self.sample_rate

    def _position(self, seconds: float) -> int:
        return min(max(round(seconds * self.sample_rate), 0), self.track.end)

    # PortAudio's thread.

    def fill(self, block: Block, volume: float, is_looping: bool) -> bool:
        """Fill a block ``[frames, channels]``; returns False once there is nothing left."""
        start, origin, has_wrapped = self._clock
        # A crossfade is finished before the next one: a block can be shorter than it.
        is_fading = self._faded_frames < FADE_FRAMES
        track, jump = (self._heard_track, self._done_jump) if is_fading else (self.track, self._jump)
        if track is not self._heard_track or jump is not self._done_jump:
            self._fading_track, self._fading_frame, self._faded_frames = self._heard_track, start, 0
            self._heard_track = track
        if jump is not self._done_jump:
            self._done_jump = jump
            start = origin = jump[0]
            has_wrapped = False
        after = track.read(start, block, is_looping)
        if self._faded_frames < FADE_FRAMES:
            self._cross(block, is_looping)
        self._apply(volume, block)
        wraps = is_looping and (after < start + len(block))
        self._clock = (after, origin, has_wrapped or wraps)
        return is_looping or after == start + len(block)

    def _cross(self, block: Block, is_looping: bool) -> None:
        """Add what is left, as it would have gone on, to the beginning of a block."""
        count = min(len(block), FADE_FRAMES - self._faded_frames)
        part, fade = self._fade_block[:count], slice(self._faded_frames, self._faded_frames + count)
        self._fading_frame = self._fading_track.read(self._fading_frame, part, is_looping)
        part *= _FADE_OUT[fade]
        block[:count] *= _FADE_IN[fade]
        block[:count] += part
        self._faded_frames += count

    def _apply(self, volume: float, block: Block) -> None:
        if self._gain == volume:
            block *= np.float32(volume)
        else:  # a step in the volume would click
            block *= np.linspace(self._gain, volume, len(block), dtype=np.float32)[:, np.newaxis]
            self._gain = volume
