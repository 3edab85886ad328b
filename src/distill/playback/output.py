"""The sound device: found, opened and asked, behind one small interface.

PortAudio may be missing, there may be no device, and the device may go away: each is a `PlaybackError`, and the next
try starts from a fresh list of devices, because PortAudio reads that list only when it is initialised.
"""

import importlib
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.errors import PlaybackError

PREFERRED_RATE = 48_000

#: How much sound waits in the device.  The callback needs Python's interpreter lock, which the training in the same
#: process holds for some milliseconds at a time, and in rare cases (a garbage collection) for over a tenth of a second.
BUFFER_SECONDS = 0.2

#: Frames that one callback hands over: small against the buffer, large enough that callbacks are rare.
BLOCK_FRAMES = 1024

#: Fills a block ``[frames, channels]`` in place; returns False once there is nothing left to play.
Fill = Callable[[NDArray[np.float32]], bool]


@dataclass(frozen=True)
class OutputFormat:
    """What the device takes."""

    sample_rate: int
    channels: int


class Output:
    """An open output device, silent until `start`."""

    def __init__(self, fill: Fill, on_drained: Callable[[], None]) -> None:
        """Open the default device.

        Parameters
        ----------
        fill
            Called in PortAudio's own thread for each block.
        on_drained
            Called in PortAudio's own thread when the last block has been heard, or the device is gone.

        Raises
        ------
        PlaybackError
            There is no PortAudio or no device, or the device is busy.
        """
        sounddevice = _fresh_portaudio()
        self._stop_exception: type[Exception] = sounddevice.CallbackStop
        self._fill = fill
        #: Blocks that came too late for the device since it was opened.
        self.underflows = 0
        try:
            self.format = _choose_format(sounddevice)
            self._stream: Any = sounddevice.OutputStream(
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
            raise PlaybackError(
                "No sound can be played: no output device answers. Connect or free one, and click again."
            ) from exc
        self._error: type[Exception] = sounddevice.PortAudioError

    @property
    def latency_seconds(self) -> float:
        """How long a frame waits in the device until it is heard."""
        return float(self._stream.latency)

    def start(self) -> None:
        """Play until `fill` returns False or `stop` is called.

        Raises
        ------
        PlaybackError
            The device is gone.
        """
        try:
            if not self._stream.stopped:
                self._stream.stop()  # PortAudio wants this also after a stream has ended by itself
            self._stream.start()
        except self._error as exc:
            raise PlaybackError("The sound device is gone. Connect one, and click again.") from exc

    def stop(self) -> None:
        """Be silent at once; what waits in the device is thrown away."""
        self._stream.abort(ignore_errors=True)

    def close(self) -> None:
        """Give the device back."""
        self._stream.close(ignore_errors=True)

    def _callback(self, block: NDArray[np.float32], frames: int, time: object, status: Any) -> None:
        if status.output_underflow:
            self.underflows += 1
        if not self._fill(block):
            raise self._stop_exception


def preload() -> None:
    """Load PortAudio ahead of the first click, in the background, where it may take its time.

    Finding and loading the library holds the interpreter lock for a tenth of a second.  No device is opened.
    """
    with suppress(PlaybackError):  # told when a sound is to be played
        _portaudio()


def _portaudio() -> ModuleType:
    """Import sounddevice, which finds the library and initialises it."""
    try:
        return importlib.import_module("sounddevice")
    except OSError as exc:
        raise PlaybackError(
            "No sound can be played: PortAudio is missing. Install it (Debian: libportaudio2), and click again."
        ) from exc


def _fresh_portaudio() -> ModuleType:
    """Return sounddevice with an up-to-date list of devices.

    PortAudio is started anew for that, which closes all streams of the process: there is one `Output` at a time.
    """
    was_loaded = "sounddevice" in sys.modules
    sounddevice = _portaudio()
    if was_loaded:
        with suppress(sounddevice.PortAudioError):  # it was not initialised
            sounddevice._terminate()
        try:
            sounddevice._initialize()
        except sounddevice.PortAudioError as exc:
            raise PlaybackError("No sound can be played: the system's sound service does not answer.") from exc
    return sounddevice


def _choose_format(sounddevice: ModuleType) -> OutputFormat:
    """Return 48 kHz stereo where the default device takes it, else the device's own rate and channel count."""
    device = sounddevice.query_devices(kind="output")
    channels = min(2, int(device["max_output_channels"]))
    if channels < 1:
        raise ValueError("the default output device has no channels")
    try:
        sounddevice.check_output_settings(channels=channels, samplerate=PREFERRED_RATE, dtype="float32")
    except sounddevice.PortAudioError:
        return OutputFormat(round(device["default_samplerate"]), channels)
    return OutputFormat(PREFERRED_RATE, channels)
