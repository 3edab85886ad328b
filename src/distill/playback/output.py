"""The sound device: found, opened and asked, behind one small interface.

PortAudio may be missing, there may be no device, and the device may go away: each is a `PlaybackError`, and the next
try starts from a fresh list of devices.  A chosen device that is not there is replaced by the system's default one.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.errors import PlaybackError
from distill.playback.devices import OutputDevice, fresh_portaudio, index_of
from distill.runtime import set_switch_interval

PREFERRED_RATE = 48_000

#: How much sound waits in the device.  The callback needs Python's interpreter lock, which the training in the same
#: process holds for some milliseconds at a time, and in rare cases (a garbage collection) for over a tenth of a second.
BUFFER_SECONDS = 0.2

#: Frames that one callback hands over: small against the buffer, large enough that callbacks are rare.
BLOCK_FRAMES = 1024

#: Silence before the sound when the device starts: until it holds this much, but never for longer than the second
#: figure, because not every driver says what it holds.  A device runs as soon as it has one period, some 50 ms; while
#: the training keeps the interpreter busy, the next block can be later than that.  And a device that wakes up swallows
#: the first milliseconds, with them the attack of a one-shot.
LEAD_HELD_SECONDS = 0.1
LEAD_MOST_SECONDS = 0.15

#: A device that takes nothing for this long is gone: not every driver says so.  Some take seconds to wake up.
STALL_SECONDS = 5.0

#: Fills a block ``[frames, channels]`` in place; returns False once there is nothing left to play.
Fill = Callable[[NDArray[np.float32]], bool]


@dataclass(frozen=True)
class OutputFormat:
    """What the device takes."""

    sample_rate: int
    channels: int


class Output:
    """An open output device, silent until `start`."""

    def __init__(self, fill: Fill, on_drained: Callable[[], None], device: OutputDevice | None = None) -> None:
        """Open a device.

        Parameters
        ----------
        fill
            Called in PortAudio's own thread for each block.
        on_drained
            Called in PortAudio's own thread when the last block has been heard, or the device is gone.
        device
            Which one; None, and one that is not there, is the system's default.

        Raises
        ------
        PlaybackError
            There is no PortAudio or no device, or the device is busy.
        """
        set_switch_interval()
        sounddevice = fresh_portaudio()
        number = index_of(sounddevice, device) if device is not None else None
        #: Whether the system's default device stands in for the one that was asked for.
        self.is_stand_in = device is not None and number is None
        self._stop_exception: type[Exception] = sounddevice.CallbackStop
        self._fill = fill
        #: Blocks that came too late for the device since it was opened, in the silence before a sound not counted.
        self.underflows = 0
        self._taken_at = time.monotonic()
        self._lead_frames = 0  # the most that may still be silence before the sound
        try:
            self.format = _choose_format(sounddevice, number)
            self._stream: Any = sounddevice.OutputStream(
                device=number,
                samplerate=self.format.sample_rate,
                channels=self.format.channels,
                dtype="float32",
                blocksize=BLOCK_FRAMES,
                latency=BUFFER_SECONDS,
                callback=self._callback,
                finished_callback=on_drained,
                prime_output_buffers_using_stream_callback=True,
            )
        except (sounddevice.PortAudioError, ValueError) as exc:
            raise PlaybackError(_refusal(device if number is not None else None)) from exc
        self._error: type[Exception] = sounddevice.PortAudioError

    @property
    def latency_seconds(self) -> float:
        """How long a frame waits in the device until it is heard."""
        return float(self._stream.latency)

    @property
    def is_stalled(self) -> bool:
        """Whether a device that has been started takes nothing any more."""
        return time.monotonic() - self._taken_at > STALL_SECONDS

    def start(self) -> None:
        """Play, after a moment of silence, until `fill` returns False or `stop` is called.

        Raises
        ------
        PlaybackError
            The device is gone.
        """
        self._taken_at = time.monotonic()
        try:
            if not self._stream.stopped:
                self._stream.stop()  # PortAudio wants this also after a stream has ended by itself
            self._lead_frames = round(LEAD_MOST_SECONDS * self.format.sample_rate)
            self._stream.start()
        except self._error as exc:
            raise PlaybackError("The sound device is gone. Connect one, and click again.") from exc

    def stop(self) -> None:
        """Be silent at once; what waits in the device is thrown away."""
        self._stream.abort(ignore_errors=True)

    def close(self) -> None:
        """Give the device back."""
        self._stream.close(ignore_errors=True)

    def _callback(self, block: NDArray[np.float32], frames: int, when: Any, status: Any) -> None:
        self._taken_at = time.monotonic()
        if status.output_underflow and self._lead_frames <= 0:
            self.underflows += 1
        if self._lead_frames > 0 and when.outputBufferDacTime - when.currentTime < LEAD_HELD_SECONDS:
            self._lead_frames -= frames
            block.fill(0.0)
            return
        self._lead_frames = 0
        if not self._fill(block):
            raise self._stop_exception


def _refusal(device: OutputDevice | None) -> str:
    if device is None:
        return "No sound can be played: no output device answers. Connect or free one, and click again."
    return f"No sound can be played: {device.name} does not answer. Free it or choose another one, and click again."


def _choose_format(sounddevice: ModuleType, number: int | None) -> OutputFormat:
    """Return 48 kHz stereo where the device takes it, else the device's own rate and channel count."""
    device = sounddevice.query_devices(number, kind="output")
    channels = min(2, int(device["max_output_channels"]))
    if channels < 1:
        raise ValueError("the output device has no channels")
    try:
        sounddevice.check_output_settings(number, channels, "float32", samplerate=PREFERRED_RATE)
    except sounddevice.PortAudioError:
        return OutputFormat(round(device["default_samplerate"]), channels)
    return OutputFormat(PREFERRED_RATE, channels)
