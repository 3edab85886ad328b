"""The process and its environment: signals, standard streams, library search paths, thread switching, garbage.

The frozen application begins in a small loader, which puts the folder of the bundled libraries first on the system's
search path and keeps the previous value under another name.  The system reads that path once, when a program starts.
Child processes (a file manager, a browser) would load the bundled libraries in place of their own and often fail to
start, so `restore_environment` puts the previous value back before anything else happens.
"""

import ctypes
import gc
import importlib.util
import os
import signal
import sys
import threading
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

#: Search paths that the loader changes, and the suffix of the names under which it keeps the previous values.
_SEARCH_PATHS = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LIBPATH")
_KEPT = "_ORIG"

#: Signals that end a program: Ctrl-C, ``kill``, a closed terminal, and Ctrl-Break on Windows.
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]

EXIT_STOPPED = 130

#: Maximum time in seconds for which a thread holds the interpreter lock while another thread waits for it.
SWITCH_SECONDS = 0.001

#: Rounds that a waiting thread of GNU's OpenMP library spins before it sleeps.
_SPIN_COUNT = "GOMP_SPINCOUNT"
_limited_spinning = False

#: Imported modules since the last time after which their objects are taken out of garbage collections.
_MANY_MODULES = 50
_modules_frozen = 0

_SHOW_CURSOR = b"\x1b[?25h"


def restore_environment(environment: MutableMapping[str, str] | None = None) -> None:
    """Undo the changes of the frozen application's loader; does nothing when run from source.

    Parameters
    ----------
    environment
        Variables to change, by default those of this process.
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


def limit_spinning() -> None:
    """Limit how long a waiting thread of torch spins, unless the user has; for programs, before torch is loaded.

    By default it spins for so long that on a busy computer it takes from the others what they need: with a DAW beside
    the window two threads took ten times as long as one.  The OpenMP library reads the variable when it is loaded.
    """
    global _limited_spinning
    if _SPIN_COUNT not in os.environ:
        os.environ[_SPIN_COUNT] = "1000"
        _limited_spinning = True


def forget_spin_limit() -> None:
    """Take back what `limit_spinning` has set, once torch is loaded: programs that are started do not inherit it."""
    global _limited_spinning
    if _limited_spinning:
        os.environ.pop(_SPIN_COUNT, None)
        _limited_spinning = False


def ensure_std_streams() -> None:
    """Open standard output and error on the null device where they are missing, as in a windowed program on Windows.

    Libraries print there without checking.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - for the whole process


def load_torch_before_qt() -> None:
    """Load the first of torch's libraries, and with it the C++ runtime, before Qt loads its own; only on Windows.

    Qt's wheel carries an older copy of that runtime.  If it is loaded first, torch (since 2.9) fails to load with
    error 1114.  One small library is enough and takes some milliseconds; torch itself is imported later.
    """
    if sys.platform != "win32":
        return
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return  # reported when the engine is needed
    libraries = Path(spec.origin).parent / "lib"
    os.add_dll_directory(str(libraries))
    try:
        ctypes.WinDLL(str(libraries / "c10.dll"))
    except OSError:
        return  # torch's own import gives a better message, and the window shows it


def set_switch_interval() -> None:
    """Limit the interpreter's switch interval to `SWITCH_SECONDS`, for latency-critical threads.

    A block of sound or a frame of the window takes the interpreter lock several times.  With Python's default of 5 ms
    for each, waiting behind the training threads adds up to a dropout or a visible stutter.
    """
    sys.setswitchinterval(min(SWITCH_SECONDS, sys.getswitchinterval()))


def freeze_imports() -> bool:
    """Take all objects out of garbage collections if many modules were imported since the last call; return whether.

    Modules stay for good, and torch's consist of 400 000 objects, a quarter of which come with the first training.  A
    full collection walks through all that are left, for 40 to 80 ms in which no other thread runs: notes then have
    dropouts, and the window stutters.
    """
    global _modules_frozen
    count = len(sys.modules)
    if count < _modules_frozen + _MANY_MODULES:
        return False
    _modules_frozen = count
    gc.freeze()
    return True


@contextmanager
def stop_on_signal(message: str, is_patient: bool = False) -> Iterator[threading.Event]:
    """Yield an event that the first signal sets; the second signal ends the process at once.

    Files are written whole or not at all, so ending the process does not damage a run.  Must be entered on the main
    thread.

    Parameters
    ----------
    message
        Printed on standard error at the first signal; nothing is where it is empty.
    is_patient
        Whether further signals do nothing: torchrun passes each signal on, its own and that of the terminal.
    """
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        # os.write, because print is not allowed here: the signal may interrupt another print.
        with suppress(OSError):
            if stop.is_set() and sys.__stdout__ is not None and sys.__stdout__.isatty():
                os.write(1, _SHOW_CURSOR)  # a progress bar hides it
            elif message and not stop.is_set():
                os.write(2, f"\n{message}\n".encode())
        if stop.is_set() and not is_patient:
            os._exit(EXIT_STOPPED)
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
