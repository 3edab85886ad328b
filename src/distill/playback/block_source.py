"""Fills the device's blocks: the sound that plays, the one that it replaces, and the notes.

PortAudio's thread calls it for each block.  The player's thread exchanges the sound; what was heard in the last block
and is not to be heard in the next one fades out there, so that neither a stop nor another sound clicks.
"""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from distill.playback.instrument import Instrument
from distill.playback.track_voice import FADE_FRAMES, Voice

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
