"""Keeps threads from waiting long: for the interpreter lock (GIL), and for garbage collections (GC)."""

import ctypes
import gc
import importlib.util
import os
import sys
from pathlib import Path

#: Maximum time in seconds for which a thread holds the interpreter lock while another thread waits for it.
SWITCH_SECONDS = 0.001
#: Imported modules since the last time after which their objects are taken out of garbage collections.
_MANY_MODULES = 50
#: The large ones of torch's shared libraries, in the order in which they need each other.
_TORCH_LIBRARIES = ("c10", "torch_cpu", "c10_cuda", "torch_cuda", "torch")
_modules_frozen = 0


def set_switch_interval() -> None:
    """Limit the interpreter's switch interval to `SWITCH_SECONDS`, for latency-critical threads.

    A block of sound or a frame of the window takes the interpreter lock several times.  With Python's default of 5 ms
    for each, waiting behind the training threads adds up to a dropout or a visible stutter.
    """
    sys.setswitchinterval(min(SWITCH_SECONDS, sys.getswitchinterval()))


def load_torch_without_gil() -> None:
    """Load torch's shared libraries without holding the interpreter lock (GIL), before torch is imported.

    The import statement holds it while the system loads a library, which for torch is most of the import: the
    window stood still for 0.2 to 0.7 s.  A function called through ctypes lets go of it, and the import then finds
    everything loaded: 0.04 to 0.15 s.  Whatever cannot be loaded here is left to the import, which knows more ways.
    """
    spec = importlib.util.find_spec("torch")
    if os.name != "posix" or spec is None or spec.origin is None:
        return
    system = ctypes.CDLL(None)
    system.dlopen.restype, system.dlopen.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int)
    suffix = "dylib" if sys.platform == "darwin" else "so"
    for name in _TORCH_LIBRARIES:
        path = Path(spec.origin).parent / "lib" / f"lib{name}.{suffix}"
        if path.exists():
            system.dlopen(os.fsencode(path), os.RTLD_LAZY)


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
