"""PortAudio, and on Linux what it stands on, in a folder that no library search looks into by itself.

Why apart, on Linux: the system's own ALSA and JACK know its plug-ins and its sound server; a copy from another
distribution does not.  `rthook_portaudio.py` takes the system's where there is one, and these where there is none.
"""

import os
import subprocess
import sys
from pathlib import Path

from PyInstaller.utils.hooks import get_module_file_attribute, logger

import jack_stub

#: The second needs the first, and JACK's, for which there is a stand-in.
LINUX_LIBRARIES = ("libasound.so.2", "libportaudio.so.2")


def system_libraries() -> dict[str, str]:
    """Return where the dynamic loader finds each library: name to path."""
    listing = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    pairs = [line.split(" => ") for line in listing.splitlines() if " => " in line]
    return {left.split()[0]: right.strip() for left, right in reversed(pairs)}  # the first of a name is the one taken


def on_linux(scratch: Path) -> list[tuple[str, str]]:
    """Return the libraries to bundle."""
    found = system_libraries()
    if missing := [name for name in LINUX_LIBRARIES if name not in found]:
        logger.warning("The bundle will need the system's own %s (Debian: libportaudio2)", ", ".join(missing))
        return []
    stub = jack_stub.make(Path(found["libportaudio.so.2"]), scratch)
    return [*((found[name], "sound") for name in LINUX_LIBRARIES), (str(stub), "sound")]


datas: list[tuple[str, str]] = []
if sys.platform == "linux":
    # As data: nothing is then collected a second time at the top of the bundle, where every search would find it.
    datas = on_linux(Path(os.environ["DISTILL_BUILD_NOTICES"]).with_name("sound"))
else:
    beside = Path(get_module_file_attribute("sounddevice")).parent / "_sounddevice_data" / "portaudio-binaries"
    binaries = [(str(path), "_sounddevice_data/portaudio-binaries") for path in beside.glob("libportaudio*.*")]
