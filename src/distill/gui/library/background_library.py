"""Reads and changes the model library on a background thread."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from distill import diagnostics, paths
from distill.gui.background_tasks import TaskQueue
from distill.gui.desktop.system_trash import move_to_trash
from distill.gui.user_errors import is_user_error
from distill.library.model_library import ModelEntry, ModelLibrary

log = logging.getLogger(__name__)

#: Folder for deleted models, inside the library, on systems and disks without a trash.
DELETED_MODELS_FOLDER = "Deleted models"

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


class BackgroundLibrary(QObject):
    """Reads and changes the user's library in the background, in the order of the requests.

    Each change is followed by a new list, so that a list never lacks an earlier change.
    """

    listed = Signal(object)  # tuple[ModelEntry, ...]
    reading = Signal(int, int)  # files read so far, and in all
    failed = Signal(object)  # Exception

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.library = ModelLibrary(paths.models_dir(), trash=_to_trash)
        self._tasks = TaskQueue("library", self, keeps=True)

    @property
    def is_busy(self) -> bool:
        """Whether a request is being carried out."""
        return self._tasks.is_busy

    def refresh(self) -> None:
        """List the library, unless a queued request will do so anyway."""
        if not self._tasks.has_pending:
            self._add(_Job(None, None, None))

    def do(
        self,
        change: Change,
        on_done: Callable[[Any], object] | None = None,
        on_failed: Callable[[Exception], object] | None = None,
    ) -> None:
        """Change the library; ``on_done`` gets the result after the new list, ``on_failed`` the error."""
        self._add(_Job(change, on_done, on_failed))

    def close(self) -> None:
        """Carry out all requests and end.  Never raises: a change that fails is logged."""
        self._tasks.close()

    def finish_requests(self) -> None:
        """Wait until all requests have been carried out and their results delivered."""
        self._tasks.finish()

    def report(self, error: Exception) -> None:
        """Emit `failed` for an error of the user; report a bug."""
        if is_user_error(error):
            self.failed.emit(error)
        else:
            diagnostics.report(error, "model library")

    def _add(self, job: _Job) -> None:
        def work(notify: Callable[[Any], None], cancel: threading.Event) -> _Outcome:
            value, error = None, None
            if job.change is not None:
                try:
                    value = job.change(self.library)
                except Exception as exc:  # border: reported by `on_failed`; the list is useful all the same
                    log.info("The library was not changed", exc_info=True)
                    error = exc
            if cancel.is_set():  # the window closes, and shows no list any more
                return _Outcome(value, error, ())
            return _Outcome(value, error, self.library.list(lambda done, total: notify((done, total)), cancel))

        self._tasks.submit(
            work,
            lambda outcome: self._on_done(job, outcome),
            self.failed.emit,
            on_progress=lambda counts: self.reading.emit(*counts),
        )

    def _on_done(self, job: _Job, outcome: _Outcome) -> None:
        self.listed.emit(outcome.entries)
        if outcome.error is not None:
            (job.on_failed or self.report)(outcome.error)
        elif job.on_done is not None:
            job.on_done(outcome.value)


def _to_trash(path: Path) -> Path | None:
    return move_to_trash(path, path.parent / DELETED_MODELS_FOLDER)
