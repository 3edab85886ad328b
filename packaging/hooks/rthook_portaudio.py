"""Runs when the frozen application starts, before its own code: lets sounddevice find PortAudio on Linux.

sounddevice asks `ctypes.util.find_library`, which looks at the system only.  Here it gets the system's PortAudio where
that can be loaded, and otherwise the bundled one, on the system's ALSA and JACK where those are there.
"""

import ctypes
import ctypes.util
import sys
from pathlib import Path

#: Each needs those before it.
_LIBRARIES = ("libasound.so.2", "libjack.so.0", "libportaudio.so.2")


def _load(name: str) -> str | None:
    """Load a library, the system's own before the bundled one, and return what it can be opened by."""
    bundled = Path(getattr(sys, "_MEIPASS", "")) / "sound" / name
    for position in (name, str(bundled)):
        try:
            ctypes.CDLL(position, mode=ctypes.RTLD_GLOBAL)
        except OSError:
            continue
        return position
    return None


def _find_portaudio() -> str | None:
    try:
        ctypes.CDLL(_LIBRARIES[-1])
    except OSError:
        return [_load(name) for name in _LIBRARIES][-1]
    return _LIBRARIES[-1]


if sys.platform == "linux":
    _find_on_system = ctypes.util.find_library

    def _find_library(name: str) -> str | None:
        return _find_portaudio() if name == "portaudio" else _find_on_system(name)

    ctypes.util.find_library = _find_library
