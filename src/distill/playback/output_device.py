"""The sound device: listing devices, opening, starting and closing an output stream, and the length of its buffer.

Uses PortAudio through sounddevice.  PortAudio is not thread-safe and reads its list of devices only when it is
initialised.  Everything here is therefore called from the player's own thread while no stream is open; only `preload`
may run earlier.  Every failure of PortAudio or of a driver is raised as `PlaybackError`, and the next try starts from
a new list of devices.  A chosen device that is not connected is replaced by the system's default device.
"""

import importlib
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.errors import PlaybackError

log = logging.getLogger(__name__)

PREFERRED_RATE = 48_000

#: Sound queued in the device, in seconds.  The callback needs Python's interpreter lock, which the training in the same
#: process holds for some milliseconds at a time, and in rare cases (a garbage collection) for over a tenth of a second.
BUFFER_SECONDS = 0.2

#: Frames per callback: few against the buffer, enough to make callbacks rare.
BLOCK_FRAMES = 1024

#: The same while notes are played, which must be heard at once.  Where the computer does not keep up, the player opens
#: the device again with twice the buffer, up to the other one.
LIVE_BUFFER_SECONDS = 0.01
LIVE_BLOCK_FRAMES = 128

#: Dropouts between two checks, twice in a row, after which the buffer for notes is doubled.
MOST_UNDERFLOWS = 3

#: Silence before a sound when the device starts: until the device has queued `LEAD_HELD_SECONDS`, but at most
#: `LEAD_MOST_SECONDS`, because not every driver reports its queue.  A device starts as soon as it has one period, about
#: 50 ms; while the training keeps the interpreter busy, the next block can be later than that.  A device that wakes up
#: also drops the first milliseconds, and with them the attack of a one-shot.
LEAD_HELD_SECONDS = 0.1
LEAD_MOST_SECONDS = 0.15

#: A device that requests no block for this long is treated as gone: not every driver reports it.  Some need seconds
#: to wake up.
STALL_SECONDS = 5.0

_NO_SERVICE = "No sound can be played: the system's sound service does not answer. Click again to retry."
#: What is said of a device that was unplugged.
GONE = "The sound device is gone. Connect one, and try again."
#: What is said of a device that takes too long to open.
NO_ANSWER = "The sound device does not answer. Choose another one in the system, and try again."

#: What comes of a driver's report that is not what it should be: no number, not finite, no such interface.
_ODD = (ValueError, TypeError, LookupError, OverflowError, AttributeError)

#: Fills a block ``[frames, channels]`` in place; returns False once there is nothing left to play.
Fill = Callable[[NDArray[np.float32]], bool]


@dataclass(frozen=True)
class OutputDevice:
    """A device that can play sound.

    PortAudio's device numbers change with what is plugged in, so a device is identified by its name and by the system
    interface to it: the same card is often listed several times ("WASAPI", "MME") with different delays and rates.
    """

    name: str
    host_api: str


@dataclass(frozen=True)
class OutputFormat:
    """Sample rate and channel count that a device accepts."""

    sample_rate: int
    channels: int


def preload() -> None:
    """Load PortAudio in the background ahead of the first click.

    Finding and loading the library holds the interpreter lock for a tenth of a second.  No device is opened.
    """
    with suppress(PlaybackError):  # reported when a sound is to be played
        _portaudio()


def find_outputs(is_fresh: bool) -> tuple[OutputDevice, ...]:
    """Return the devices that can play, in the system's order.

    Parameters
    ----------
    is_fresh
        Restart PortAudio to see devices connected since; no stream may be open.  Otherwise the list is as old as the
        last restart.

    Raises
    ------
    PlaybackError
        PortAudio is missing or fails.
    """
    sounddevice = _fresh_portaudio() if is_fresh else _portaudio()
    with _driver_errors(sounddevice, _NO_SERVICE):
        return tuple(dict.fromkeys(device for _, device in _outputs(sounddevice)))  # equal ones cannot be distinguished


def _fresh_portaudio() -> ModuleType:
    """Return sounddevice with an up-to-date list of devices.

    Restarts PortAudio, which closes all streams of the process: none may be open.
    """
    was_loaded = "sounddevice" in sys.modules
    sounddevice = _portaudio()
    if was_loaded:
        with suppress(sounddevice.PortAudioError):  # it was not initialised
            sounddevice._terminate()
        with _driver_errors(sounddevice, _NO_SERVICE):
            sounddevice._initialize()
    return sounddevice


def _portaudio() -> ModuleType:
    """Import sounddevice, which finds the library and initialises it."""
    try:
        return importlib.import_module("sounddevice")
    except OSError as exc:
        raise PlaybackError(
            "No sound can be played: PortAudio is missing. Install it (Debian: libportaudio2), and try again."
        ) from exc
    except Exception as exc:
        # sounddevice initialises PortAudio at import, and its own error class is not importable then.
        raise PlaybackError(_NO_SERVICE) from exc


@contextmanager
def _driver_errors(sounddevice: ModuleType, message: str) -> Iterator[None]:
    """Turn errors of PortAudio, and what comes of its reports of unusable devices, into a `PlaybackError`."""
    try:
        yield
    except (sounddevice.PortAudioError, OSError, *_ODD) as exc:
        raise PlaybackError(message) from exc


def _index_of(sounddevice: ModuleType, wanted: OutputDevice) -> int | None:
    """Return PortAudio's current number of a device; None while it is not connected."""
    return next((number for number, device in _outputs(sounddevice) if device == wanted), None)


def _outputs(sounddevice: ModuleType) -> Iterator[tuple[int, OutputDevice]]:
    names = [api["name"] for api in sounddevice.query_hostapis()]
    for number, device in enumerate(sounddevice.query_devices()):
        with suppress(*_ODD):  # one driver that reports nonsense does not hide the other devices
            if int(device["max_output_channels"]) > 0 and device["hostapi"] >= 0:
                yield number, OutputDevice(str(device["name"]), names[device["hostapi"]])


class Output:
    """An open output device, silent until `start`."""

    def __init__(
        self,
        fill: Fill,
        on_drained: Callable[[], None],
        device: OutputDevice | None = None,
        live_seconds: float | None = None,
    ) -> None:
        """Open a device.

        Parameters
        ----------
        fill
            Called in PortAudio's own thread for each block.
        on_drained
            Called in PortAudio's own thread when the last block has been played, or the device is gone.
        device
            Which device; None, or one that is not connected, selects the system's default.
        live_seconds
            For notes: the length of the small buffer.  None: `BUFFER_SECONDS`.

        Raises
        ------
        PlaybackError
            There is no PortAudio or no device, or the device is busy or fails.
        """
        sounddevice = _fresh_portaudio()
        with _driver_errors(sounddevice, _NO_SERVICE):
            number = _index_of(sounddevice, device) if device is not None else None
        #: Whether the system's default device replaces the requested one.
        self.is_stand_in = device is not None and number is None
        self._sounddevice = sounddevice
        self._stop_exception: type[Exception] = sounddevice.CallbackStop
        self._fill = fill
        #: Blocks delivered too late since the device was opened; the silence before a sound is not counted.
        self.underflows = 0
        self._taken_at = time.monotonic()
        self._lead_frames = 0  # maximum number of frames of silence left before the sound
        with _driver_errors(sounddevice, _refusal(device if number is not None else None)):
            self.format = _choose_format(sounddevice, number)
            self._stream: Any = sounddevice.OutputStream(
                device=number,
                samplerate=self.format.sample_rate,
                channels=self.format.channels,
                dtype="float32",
                blocksize=BLOCK_FRAMES if live_seconds is None else LIVE_BLOCK_FRAMES,
                latency=BUFFER_SECONDS if live_seconds is None else live_seconds,
                callback=self._callback,
                finished_callback=on_drained,
                prime_output_buffers_using_stream_callback=True,
            )

    @property
    def latency_seconds(self) -> float:
        """Seconds until a frame given to the device is heard."""
        return float(self._stream.latency)

    @property
    def is_stalled(self) -> bool:
        """Whether a started device has stopped requesting blocks."""
        return time.monotonic() - self._taken_at > STALL_SECONDS

    def start(self) -> None:
        """Play, after a moment of silence, until `fill` returns False or `stop` is called.

        Raises
        ------
        PlaybackError
            The device is gone.
        """
        self._taken_at = time.monotonic()
        with _driver_errors(self._sounddevice, GONE):
            if not self._stream.stopped:
                self._stream.stop()  # PortAudio requires this also after a stream has ended by itself
            self._lead_frames = round(LEAD_MOST_SECONDS * self.format.sample_rate)
            self._stream.start()

    def stop(self) -> None:
        """Stop at once; queued sound is dropped."""
        self._stream.abort(ignore_errors=True)

    def close(self) -> None:
        """Release the device."""
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


class NoteBuffer:
    """How long the device's buffer for notes is: short at first, doubled where the computer does not keep up with it.

    Attributes
    ----------
    seconds
        Its length.
    """

    def __init__(self) -> None:
        self.seconds = LIVE_BUFFER_SECONDS
        self._underflows_seen, self._dry_looks = 0, 0

    def begin(self) -> None:
        """Begin with a device that is opened, and has had no dropout."""
        self._underflows_seen = 0

    def runs_dry(self, underflows: int, is_live: bool) -> bool:
        """Return whether the device had dropouts in this look and in the one before; one alone may be a hiccup.

        Parameters
        ----------
        underflows
            Its dropouts since it was opened.
        is_live
            Whether it is open for notes.
        """
        had, self._underflows_seen = underflows - self._underflows_seen, underflows
        self._dry_looks = self._dry_looks + 1 if is_live and had >= MOST_UNDERFLOWS else 0
        return self._dry_looks >= 2 and self.seconds < BUFFER_SECONDS

    def lengthen(self) -> None:
        """Double the buffer: this computer does not keep up with the present one."""
        self.seconds, self._dry_looks = min(2 * self.seconds, BUFFER_SECONDS), 0
        log.info("The buffer for notes is %.0f ms now: the device ran dry", 1000 * self.seconds)


def stand_in_note(device: OutputDevice) -> str:
    """Return what is said where the default device stands in for a chosen one."""
    return f"{device.name} is not connected; the system's default device is used instead."


def _refusal(device: OutputDevice | None) -> str:
    if device is None:
        return "No sound can be played: no output device answers. Connect or free one, and try again."
    return f"No sound can be played: {device.name} does not answer. Free it or choose another one, and try again."


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
