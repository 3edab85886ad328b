"""PortAudio and the devices that it knows: loading it, asking it anew, finding one again by its name.

PortAudio is not made for several threads, and reads its list of devices only when it is initialised.  Whatever is
here is therefore called by the player's own thread, while no stream is open; only `preload` may come before it.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType

from distill.errors import PlaybackError


@dataclass(frozen=True)
class OutputDevice:
    """A device that sounds can be played through.

    Its number changes with what is plugged in, so it is known by name and by the system's interface to it: the same
    card is often reached in several ways ("WASAPI", "MME"), which differ in delay and in the rates they take.
    """

    name: str
    host_api: str


def preload() -> None:
    """Load PortAudio ahead of the first click, in the background, where it may take its time.

    Finding and loading the library holds the interpreter lock for a tenth of a second.  No device is opened.
    """
    with suppress(PlaybackError):  # told when a sound is to be played
        _portaudio()


def fresh_portaudio() -> ModuleType:
    """Return sounddevice with an up-to-date list of devices.

    PortAudio is started anew for that, which closes all streams of the process: none may be open.

    Raises
    ------
    PlaybackError
        PortAudio is missing, or does not start.
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


def find_outputs(is_fresh: bool) -> tuple[OutputDevice, ...]:
    """Return the devices that can play, in the system's order.

    Parameters
    ----------
    is_fresh
        Look for them now; no stream may be open.  Otherwise the list is as old as the last look.

    Raises
    ------
    PlaybackError
        PortAudio is missing, or does not start.
    """
    sounddevice = fresh_portaudio() if is_fresh else _portaudio()
    found = dict.fromkeys(device for _, device in _outputs(sounddevice))  # two of a kind cannot be told apart
    return tuple(found)


def index_of(sounddevice: ModuleType, wanted: OutputDevice) -> int | None:
    """Return the number under which PortAudio knows a device now; None while it is not there."""
    return next((number for number, device in _outputs(sounddevice) if device == wanted), None)


def _outputs(sounddevice: ModuleType) -> Iterator[tuple[int, OutputDevice]]:
    names = [api["name"] for api in sounddevice.query_hostapis()]
    for number, device in enumerate(sounddevice.query_devices()):
        if device["max_output_channels"] > 0:
            yield number, OutputDevice(device["name"], names[device["hostapi"]])


def _portaudio() -> ModuleType:
    """Import sounddevice, which finds the library and initialises it."""
    try:
        return importlib.import_module("sounddevice")
    except OSError as exc:
        raise PlaybackError(
            "No sound can be played: PortAudio is missing. Install it (Debian: libportaudio2), and click again."
        ) from exc
