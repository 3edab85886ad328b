"""Makes a library that stands in for JACK's in the bundle of Linux, where PortAudio and rtmidi2 need one to be loaded.

Debian's PortAudio is linked against libjack, and libjack against Berkeley DB, whose licence asks for more than anything
else in the bundle.  The wheel of rtmidi2 brings a libjack too, with Berkeley DB, OpenSSL and Opus behind it.  None of
that is needed: sound and MIDI go through ALSA, and a computer that uses JACK for sound has its own.  So both get a
library with the same name and functions that all return 0.  `jack_client_open` then says that there is no server, and
JACK is left out of their lists.

The program is two instructions a function, so that ``as`` and ``ld`` of binutils are enough to make it.
"""

from __future__ import annotations

import platform
import re
import subprocess
import tempfile
from pathlib import Path

NAME = "libjack.so.0"

#: "return 0", by machine.
_RETURN_0 = {"x86_64": "xorl %eax, %eax\n    ret", "aarch64": "mov x0, #0\n    ret"}


def needed_functions(library: Path) -> list[str]:
    """Return the functions of JACK that a library calls."""
    command = ["nm", "--dynamic", "--undefined-only", str(library)]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return sorted(set(re.findall(r"\sU (jack_\w+)", listing)))


def make(library: Path, folder: Path, name: str = NAME) -> Path:
    """Write the stand-in that ``library`` needs into a folder and return its path.

    Parameters
    ----------
    library
        What is linked against JACK's library.
    folder
        Where the stand-in goes.
    name
        What ``library`` calls it.

    Raises
    ------
    KeyError
        The machine is of another kind.
    subprocess.CalledProcessError
        A tool of binutils failed.
    """
    code = _RETURN_0[platform.machine()]
    parts = [f".globl {name}\n.type {name}, STT_FUNC\n{name}:\n    {code}\n" for name in needed_functions(library)]
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / name
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        source, compiled = Path(scratch) / "stub.s", Path(scratch) / "stub.o"
        source.write_text(".text\n" + "".join(parts) + '.section .note.GNU-stack,"",%progbits\n', encoding="ascii")
        subprocess.run(["as", "-o", str(compiled), str(source)], check=True)
        command = ["ld", "-shared", f"-soname={name}", "-z", "noexecstack", "-o", str(target), str(compiled)]
        subprocess.run(command, check=True)
    return target
