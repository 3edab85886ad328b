"""Torch's shared libraries, loaded ahead of torch itself: before Qt's on Windows, elsewhere without the GIL."""

import ctypes
import importlib.util
import os
import sys
from pathlib import Path

#: The large ones of torch's shared libraries, in the order in which they need each other.
_TORCH_LIBRARIES = ("c10", "torch_cpu", "c10_cuda", "torch_cuda", "torch")


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
        library = Path(spec.origin).parent / "lib" / f"lib{name}.{suffix}"
        if library.exists():
            system.dlopen(os.fsencode(library), os.RTLD_LAZY)
