"""Computes the peaks of sound files in the background, for drawing them."""

import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from distill import diagnostics
from distill.errors import Cancelled, SoundError
from distill.gui.background.background_tasks import BackgroundTask, end_tasks

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from distill.audio.cache.waveform_overview import Overview, OverviewStore

log = logging.getLogger(__name__)

#: Overviews in memory; 8 kB each.  One that was dropped from memory is read from the disk again.
MOST_IN_MEMORY = 3000


def _overview(store: "OverviewStore", path: Path, cancel: threading.Event) -> "Overview | None":
    try:
        return store.get(path, cancel)
    except Cancelled:
        raise
    except SoundError as exc:  # the list shows the reason; there is nothing to draw
        log.debug("No waveform of %s: %s", path, exc)
    except Exception as exc:  # boundary: one waveform; the others are drawn
        diagnostics.report(exc, f"the waveform of {path.name}")
    return None


class Thumbnails(QObject):
    """Overviews of sound files, computed one after the other in the background and kept on disk.

    The newest request comes first: it is on the screen now.  Announced files (`prefetch_waveforms`) come when there are
    no requests.  The worker ends when there is nothing left to do.

    Parameters
    ----------
    parent
        Whose tasks are waited for at the end (`distill.gui.background.background_tasks.end_tasks`).
    """

    ready = Signal(object)  # Path

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._known: dict[Path, Overview | None] = {}  # None: the file cannot be read
        self._lock = threading.Lock()
        self._asked: dict[Path, None] = {}  # the last one is the most urgent
        self._announced: dict[Path, None] = {}  # the first one comes first
        self._is_working = self._is_closed = False

    def overview(self, path: Path) -> "Overview | None":
        """Return what is known of a sound; None while it is not, or where the file cannot be read."""
        return self._known.get(path)

    def peaks(self, path: Path) -> "NDArray[np.float32] | None":
        """Return the peaks of a sound, ``[BINS, 2]``, for `draw_waveform`; None as for `overview`."""
        found = self._known.get(path)
        return found.peaks if found is not None else None

    def request(self, path: Path) -> None:
        """Queue a sound before all others; `ready` is emitted when it is known.  Cheap enough for a paint event."""
        if path in self._known:
            return
        with self._lock:
            self._announced.pop(path, None)
            self._asked.pop(path, None)
            self._asked[path] = None
        self._work()

    def prefetch_waveforms(self, paths: Iterable[Path]) -> None:
        """Queue sounds that will be needed, and read known ones again, as their files may have changed."""
        with self._lock:
            self._announced |= dict.fromkeys(path for path in paths if path not in self._asked)
        self._work()

    def close(self) -> None:
        """Cancel the work and wait for the worker."""
        self._is_closed = True
        end_tasks(self)

    def _work(self) -> None:
        with self._lock:
            if self._is_working or self._is_closed or not (self._asked or self._announced):
                return
            self._is_working = True
        task = BackgroundTask(self._measure, self)
        task.progressed.connect(self._on_measured)
        task.start()

    def _measure(self, notify: Callable[[Any], None], cancel: threading.Event) -> None:
        """Work until there is nothing left to do; runs in the background."""
        from distill.audio.cache.waveform_overview import OverviewStore  # not needed for the window's first frame

        store = OverviewStore()
        try:
            while (path := self._next(cancel)) is not None:
                notify((path, _overview(store, path, cancel)))
        except Cancelled:
            pass
        except Exception:
            with self._lock:
                self._is_working = False  # the next request starts another worker
            raise
        finally:
            store.close()

    def _next(self, cancel: threading.Event) -> Path | None:
        with self._lock:
            if not cancel.is_set():
                if self._asked:
                    return self._asked.popitem()[0]
                if self._announced:
                    path = next(iter(self._announced))
                    del self._announced[path]
                    return path
            self._is_working = False  # set under the lock: the next request starts another task
        return None

    def _on_measured(self, measured: "tuple[Path, Overview | None]") -> None:
        path, overview = measured
        before = self._known.pop(path, None)
        self._known[path] = overview
        while len(self._known) > MOST_IN_MEMORY:
            del self._known[next(iter(self._known))]
        if overview is not None and (before is None or before.peaks.tobytes() != overview.peaks.tobytes()):
            self.ready.emit(path)
