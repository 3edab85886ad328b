"""Computes the peaks of sound files in the background, for drawing them."""

import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from distill import diagnostics
from distill.errors import Cancelled, SoundError
from distill.gui.background_tasks import BackgroundTask, end_tasks

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

    The newest request comes first: it is on the screen now.  Files of `prefetch_waveforms` come when there are no
    requests.  The worker ends when there is nothing left to do.

    Parameters
    ----------
    parent
        Whose tasks are waited for at the end (`distill.gui.background_tasks.end_tasks`).
    """

    ready = Signal(object)  # Path

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._overviews: dict[Path, Overview | None] = {}  # None: the file cannot be read
        self._lock = threading.Lock()
        self._requested_paths: dict[Path, None] = {}  # the last one is the most urgent
        self._prefetched_paths: dict[Path, None] = {}  # the first one comes first
        self._is_working = self._is_closed = False

    def overview(self, path: Path) -> "Overview | None":
        """Return what is known of a sound; None while it is not, or where the file cannot be read."""
        return self._overviews.get(path)

    def peaks(self, path: Path) -> "NDArray[np.float32] | None":
        """Return the peaks of a sound, ``[BINS, 2]``, for `draw_waveform`; None as for `overview`."""
        overview = self._overviews.get(path)
        return overview.peaks if overview is not None else None

    def request(self, path: Path) -> None:
        """Queue a sound before all others; `ready` is emitted when it is known.  Cheap enough for a paint event."""
        if path in self._overviews:
            return
        with self._lock:
            self._prefetched_paths.pop(path, None)
            self._requested_paths.pop(path, None)
            self._requested_paths[path] = None
        self._start_worker()

    def prefetch_waveforms(self, paths: Iterable[Path]) -> None:
        """Queue sounds that will be needed, and read known ones again, as their files may have changed."""
        with self._lock:
            self._prefetched_paths |= dict.fromkeys(path for path in paths if path not in self._requested_paths)
        self._start_worker()

    def close(self) -> None:
        """Cancel the work and wait for the worker."""
        self._is_closed = True
        end_tasks(self)

    def _start_worker(self) -> None:
        with self._lock:
            if self._is_working or self._is_closed or not (self._requested_paths or self._prefetched_paths):
                return
            self._is_working = True
        task = BackgroundTask(self._compute_overviews, self)
        task.progressed.connect(self._on_overview)
        task.start()

    def _compute_overviews(self, notify: Callable[[Any], None], cancel: threading.Event) -> None:
        """Work until there is nothing left to do; runs in the background."""
        from distill.audio.cache.waveform_overview import OverviewStore  # not needed for the window's first frame

        store = OverviewStore()
        try:
            while (path := self._next_path(cancel)) is not None:
                notify((path, _overview(store, path, cancel)))
        except Cancelled:
            pass
        except Exception:
            with self._lock:
                self._is_working = False  # the next request starts another worker
            raise
        finally:
            store.close()

    def _next_path(self, cancel: threading.Event) -> Path | None:
        with self._lock:
            if not cancel.is_set():
                if self._requested_paths:
                    return self._requested_paths.popitem()[0]
                if self._prefetched_paths:
                    path = next(iter(self._prefetched_paths))
                    del self._prefetched_paths[path]
                    return path
            self._is_working = False  # set under the lock: the next request starts another task
        return None

    def _on_overview(self, path_and_overview: "tuple[Path, Overview | None]") -> None:
        path, overview = path_and_overview
        before = self._overviews.pop(path, None)
        self._overviews[path] = overview
        while len(self._overviews) > MOST_IN_MEMORY:
            del self._overviews[next(iter(self._overviews))]
        if overview is not None and (before is None or before.peaks.tobytes() != overview.peaks.tobytes()):
            self.ready.emit(path)
