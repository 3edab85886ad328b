"""The Python interpreter: how long a thread keeps its lock (GIL), and what garbage collections (GC) walk through."""

import gc
import sys

#: Maximum time in seconds for which a thread holds the interpreter lock while another thread waits for it.
SWITCH_SECONDS = 0.001
#: Imported modules since the last time after which their objects are taken out of garbage collections.
_MANY_MODULES = 50
_modules_frozen = 0


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
