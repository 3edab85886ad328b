"""What programs that Distill starts must not inherit from it, and what Windows needs before the window's libraries.

The frozen application begins in a small loader, which puts the folder of the bundled libraries first on the system's
search path and keeps what was there before under another name.  The system reads that path once, when a program starts:
ours no longer needs it by the time Python runs, while a file manager or a browser that we open would load our
libraries in place of its own, and often not start at all.  So it is put back in this process's own environment, first
of all, and every way of starting a program (Python's, Qt's, a library's) then gives on the right one.  A helper process
that is this program again passes through the loader again.
"""

import ctypes
import importlib.util
import os
import sys
from collections.abc import MutableMapping
from pathlib import Path

#: Search paths that the loader changes, and the ending of the names under which it keeps what was there.
_SEARCH_PATHS = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LIBPATH")
_KEPT = "_ORIG"


def restore(environment: MutableMapping[str, str] | None = None) -> None:
    """Put back what the frozen application's loader has changed; from the source tree there is nothing to do.

    Parameters
    ----------
    environment
        What to change, by default that of this process.
    """
    if not getattr(sys, "frozen", False):
        return
    variables = os.environ if environment is None else environment
    for name in _SEARCH_PATHS:
        before = variables.pop(name + _KEPT, None)
        if before:
            variables[name] = before
        else:
            variables.pop(name, None)


def give_streams() -> None:
    """Open standard output and error on nothing where there are none, as in a windowed program on Windows.

    Libraries of others print there without asking; what is worth reading is in the log.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - for the whole process


def load_torch_before_qt() -> None:
    """On Windows load the first of torch's libraries, and with it the C++ runtime, before Qt brings one of its own.

    Qt's wheel carries an older copy of that runtime.  Where it is in the process first, torch (since 2.9) fails to
    load with error 1114.  One small library is enough, and takes some milliseconds; torch itself comes later.
    """
    if sys.platform != "win32":
        return
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return  # told when the engine is asked for
    libraries = Path(spec.origin).parent / "lib"
    os.add_dll_directory(str(libraries))
    try:
        ctypes.WinDLL(str(libraries / "c10.dll"))
    except OSError:
        return  # torch's own import says more, and the window tells it
