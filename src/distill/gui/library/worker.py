"""The library off the window's thread: one thing after the other, each followed by a fresh list."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QFile, QObject, Signal

from distill import paths
from distill.files import free_path
from distill.gui.widgets.background import BackgroundTask, end_tasks
from distill.library.model_library import ModelEntry, ModelLibrary
from distill.trash import move_to_trash

log = logging.getLogger(__name__)

#: The library's own trash, in its folder, for systems and disks that have none.
TRASH_NAME = "Deleted models"

Change = Callable[[ModelLibrary], Any]


@dataclass(frozen=True)
class _Job:
    change: Change | None
    on_done: Callable[[Any], object] | None
    on_failed: Callable[[Exception], object] | None


@dataclass(frozen=True)
class _Outcome:
    value: Any
    error: Exception | None
    entries: tuple[ModelEntry, ...]


class LibraryWorker(QObject):
    """Reads and changes the user's library in the background, in the order in which it was asked.

    A list that comes after a change holds that change: no older one can arrive behind it.
    """

    listed = Signal(object)  # tuple[ModelEntry, ...]
    reading = Signal(int, int)  # files read so far, and in all
    failed = Signal(object)  # Exception

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.library = ModelLibrary(paths.models_dir(), trash=to_trash)
        self._jobs: deque[_Job] = deque()
        self._task: BackgroundTask | None = None
        self._is_closed = False

    @property
    def is_busy(self) -> bool:
        """Whether something is under way."""
        return self._task is not None

    def refresh(self) -> None:
        """List the library, where that is not about to happen anyway."""
        if not self._jobs:
            self._add(_Job(None, None, None))

    def do(
        self,
        change: Change,
        on_done: Callable[[Any], object] | None = None,
        on_failed: Callable[[Exception], object] | None = None,
    ) -> None:
        """Change the library; ``on_done`` gets the result once the list is fresh, ``on_failed`` the error."""
        self._add(_Job(change, on_done, on_failed))

    def close(self) -> None:
        """Wait for what is under way, and do what was asked and has not begun: nothing that was typed is lost."""
        self._is_closed = True
        end_tasks(self)  # asks Qt which there are: one that the window has cancelled before may be gone already
        self._task = None
        for job in self._jobs:
            if job.change is not None:
                with suppress(Exception):
                    job.change(self.library)
        self._jobs.clear()

    def _add(self, job: _Job) -> None:
        self._jobs.append(job)
        self._go_on()

    def _go_on(self) -> None:
        if self._task is not None or not self._jobs or self._is_closed:
            return
        job = self._jobs.popleft()

        def work(notify: Callable[[Any], None], cancel: threading.Event) -> _Outcome:
            value, error = None, None
            if job.change is not None:
                try:
                    value = job.change(self.library)
                except Exception as exc:  # border: told to the user; the list is of use all the same
                    log.info("The library was not changed", exc_info=True)
                    error = exc
            return _Outcome(value, error, self.library.list(lambda done, total: notify((done, total)), cancel))

        self._task = BackgroundTask(work, self)
        self._task.progressed.connect(lambda counts: self.reading.emit(*counts))
        self._task.succeeded.connect(lambda outcome: self._on_done(job, outcome))
        self._task.failed.connect(self._on_list_failed)
        self._task.start()

    def _on_done(self, job: _Job, outcome: _Outcome) -> None:
        self._task = None
        self.listed.emit(outcome.entries)
        if outcome.error is not None:
            (job.on_failed or self.failed.emit)(outcome.error)
        elif job.on_done is not None:
            job.on_done(outcome.value)
        self._go_on()

    def _on_list_failed(self, error: Exception) -> None:
        self._task = None
        self.failed.emit(error)
        self._go_on()


def to_trash(path: Path) -> Path | None:
    """Move a file to the system's trash, or to the library's own where there is none; return where it is then.

    Raises
    ------
    OSError
        It cannot be moved; it is where it was.
    """
    file = QFile(str(path))
    if file.moveToTrash():
        there = Path(file.fileName())
        return there if there != path and there.exists() else None
    try:
        return move_to_trash(path)
    except OSError as exc:
        log.info("There is no trash for %s: %s", path, exc)
    target = free_path(path.parent / TRASH_NAME / path.name)
    target.parent.mkdir(exist_ok=True)
    return path.rename(target)
