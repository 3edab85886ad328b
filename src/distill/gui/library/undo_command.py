"""A change of the library that can be undone."""

from collections.abc import Callable
from typing import Any

import shiboken6
from PySide6.QtGui import QUndoCommand

from distill.gui.library.background_library import BackgroundLibrary, Change
from distill.library.model_library import ModelLibrary

#: Result of a request that was not carried out.
_SKIPPED = object()


class LibraryChange(QUndoCommand):
    """An undoable change of the library, carried out in the background."""

    def __init__(
        self,
        text: str,
        worker: BackgroundLibrary,
        do: Change,
        undo: Change,
        on_done: Callable[..., object] | None = None,
        on_undone: Callable[..., object] | None = None,
        on_failed: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(text)
        self._worker, self._change_library, self._undo_change = worker, do, undo
        self._on_done, self._on_undone, self._on_change_refused = on_done, on_undone, on_failed
        self._has_failed = False  # set by the worker's thread, which carries out one request at a time

    def redo(self) -> None:
        """Carry out the change."""
        if not self.isObsolete():
            self._request(self._change_library, self._on_done)

    def undo(self) -> None:
        """Undo the change."""
        if not self.isObsolete():
            self._request(self._undo_change, self._on_undone)

    def _request(self, change: Change, on_done: Callable[..., object] | None) -> None:
        """Have the worker carry out one direction; skipped if an earlier one has failed before its turn comes."""

        def work(library: ModelLibrary) -> Any:
            if self._has_failed:
                return _SKIPPED
            try:
                return change(library)
            except Exception:
                self._has_failed = True
                raise

        def report(result: Any) -> None:
            if result is not _SKIPPED and on_done is not None:
                on_done(result)

        self._worker.do(work, report, self._on_failed)

    def _on_failed(self, error: Exception) -> None:
        if shiboken6.isValid(self):  # the stack deletes what was undone when another change follows
            self.setObsolete(True)  # nothing to undo or redo; the stack drops the command when it reaches it
        if self._on_change_refused is not None:
            self._on_change_refused()
        self._worker.report(error)
