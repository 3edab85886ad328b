"""Imports the engine, which takes seconds, on a thread of its own after the first frame.

The training thread calls the loader and may wait.  The window itself never does.
"""

import gc
import importlib
import threading
from typing import cast

from distill.gui.background_tasks import lower_own_priority
from distill.gui.engine.engine_protocol import Engine
from distill.playback import output_device
from distill.process import environment
from distill.process.interpreter import freeze_imports
from distill.process.torch_libraries import load_torch_without_gil

ENGINE_MODULE = "distill.training.loop"


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
        load_torch_without_gil()
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
