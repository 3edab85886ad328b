"""Imports the engine, which takes seconds, on a thread of its own after the first frame.

The training thread calls the loader and may wait.  The window itself never does.
"""

import ctypes
import gc
import importlib
import importlib.util
import os
import sys
import threading
from pathlib import Path
from typing import cast

from distill.gui.background.thread_priority import lower_own_priority
from distill.gui.engine.engine_protocol import Engine
from distill.playback import output_device
from distill.process import environment
from distill.process.gil_and_gc import freeze_imports

ENGINE_MODULE = "distill.training.loop"


#: The heavy ones, in the order in which they need each other.
_LIBRARIES = ("c10", "torch_cpu", "c10_cuda", "torch_cuda", "torch")


def _load_libraries() -> None:
    """Load torch's shared libraries without holding the interpreter lock.

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
    for name in _LIBRARIES:
        path = Path(spec.origin).parent / "lib" / f"lib{name}.{suffix}"
        if path.exists():
            system.dlopen(os.fsencode(path), os.RTLD_LAZY)


class EngineLoader:
    """Imports the engine once, in a thread; calling it returns the engine, after waiting if necessary."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._engine: Engine | None = None
        self._error: Exception | None = None

    def start(self) -> None:
        """Begin the import; a second call does nothing."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._load, name="engine import")
                self._thread.start()

    def wait(self) -> None:
        """Wait for an import that has begun: ending the program in the middle of it can crash."""
        if self._thread is not None:
            self._thread.join()

    def __call__(self) -> Engine:
        """Return the engine.

        Raises
        ------
        ImportError
            The installation is not whole.
        """
        self.start()
        self.wait()
        if self._engine is None:
            raise ImportError(f"The training engine cannot be loaded: {self._error}") from self._error
        return self._engine

    def _load(self) -> None:
        lower_own_priority()
        _load_libraries()
        was_enabled = gc.isenabled()  # not beside a window, see `distill.gui.window.gc_timer`
        gc.disable()  # the import makes objects by the hundred thousand, and none of them is garbage
        try:
            self._engine = cast(Engine, importlib.import_module(ENGINE_MODULE))
        except Exception as exc:  # boundary: a broken installation is reported when the engine is called
            self._error = exc
        finally:
            environment.forget_spin_limit()
            freeze_imports()  # otherwise the next full collection would be seen as a stutter
            if was_enabled:
                gc.enable()
        output_device.preload()
