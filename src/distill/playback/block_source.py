"""Fills the device's blocks: the sound that plays, the one that it replaces, and the notes.

PortAudio's thread calls it for each block.  The callback takes no lock, runs no Python loop over samples and copies no
whole sound.  Requests from other threads are single attributes, each of which it reads once a block.  The player's
thread exchanges the sound; what was heard in the last block and is not to be heard in the next one fades out there, so
that neither a stop nor another sound clicks.
"""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from distill.playback.instrument import Instrument
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


#: Seconds after which a device that is held open for notes rests, if no note is played.
ARMED_SECONDS = 120.0


class BlockSource:
    """The sound and the notes of an open device.

    Parameters
    ----------
    is_held
        Whether the device runs on between notes.  Called on PortAudio's thread.
    on_ended
        Called on PortAudio's thread with a sound that has ended on a device that runs on.
    """

    def __init__(self, is_held: Callable[[], bool], on_ended: Callable[[Voice], None]) -> None:
        #: The sound that plays; None is silence.
        self.voice: Voice | None = None
        #: The notes; made for the format of the device.
        self.instrument: Instrument | None = None
        #: Linear gain of all.
        self.volume = 1.0
        #: Whether the sound repeats without a gap.
        self.is_looping = False
        #: Whether the device asks for blocks.
        self.is_running = False
        self._is_held, self._on_ended = is_held, on_ended
        self._heard_voice: Voice | None = None  # in the last block; this and the next three are the callback's only
        self._ended_voice: Voice | None = None
        self._heard_at = 0.0
        self._silent_frames_left = self._silent_frames = 0

    def start(self, silence_frames: int) -> None:
        """Call it before the device starts.

        Parameters
        ----------
        silence_frames
            Frames of silence after a sound that was stopped: more than the device queues, so that the end of the fade
            has been heard when the device stops or is stopped.
        """
        self._heard_voice, self._silent_frames, self._silent_frames_left = None, silence_frames, 0
        self._heard_at = time.monotonic()
        self.is_running = True

    # PortAudio's thread.

    def fill(self, block: NDArray[np.float32]) -> bool:
        """Fill a block ``[frames, channels]``; returns False once there is nothing left, and the device is to stop."""
        voice, stopped_voice, is_playing = self.voice, self._heard_voice, False
        self._heard_voice = voice
        if voice is None or voice is self._ended_voice:
            block.fill(0.0)
        else:
            is_playing = voice.fill(block, self.volume, self.is_looping)
        self._silent_frames_left -= len(block)
        if stopped_voice is not None and stopped_voice is not voice:
            fade_out = np.empty_like(block[:FADE_FRAMES])
            stopped_voice.fill(fade_out, 0.0, self.is_looping)  # a ramp to silence
            block[: len(fade_out)] += fade_out
            self._silent_frames_left = self._silent_frames
        goes_on = self._add_notes(block, is_playing) or self._silent_frames_left > 0
        if goes_on and not is_playing and voice is not None and voice is not self._ended_voice:
            self._ended_voice = voice  # the stream does not end, so this is how the end of the sound is told
            self._on_ended(voice)
        return is_playing or goes_on or not self._ends(voice)

    def _add_notes(self, block: NDArray[np.float32], is_playing: bool) -> bool:
        """Add the notes, and return whether the device runs on for them."""
        if (instrument := self.instrument) is None:
            return False
        if instrument.mixer.add_to(block, self.volume) or is_playing:
            self._heard_at = time.monotonic()
            return True
        return self._is_held() and time.monotonic() - self._heard_at < ARMED_SECONDS

    def _ends(self, voice: Voice | None) -> bool:
        """Say that the device stops, unless another sound has come in the meantime.

        The player's thread sets the sound first, and then looks whether the device runs: one of the two sees the other.
        """
        self.is_running = False
        self.is_running = self.voice is not voice
        return not self.is_running
