"""Runs functions on background threads, and delivers their results as queued signals.

Errors follow one rule.  An error that a user can act on (`DistillError`, `OSError`) is shown by whoever connects to
`BackgroundTask.failed`; if nobody does, it is shown in the notice bar by the crash presenter.  Any other error is a bug
and goes to the crash presenter, always.  Nothing is only logged.

A task that does not end is left behind (`distill.gui.background.stuck_threads`).
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import shiboken6
from PySide6.QtCore import QMetaMethod, QObject, QThread, Signal

from distill import diagnostics
from distill.gui.background.stuck_threads import leave_behind, left_behind, milliseconds_until, patience
from distill.gui.background.thread_priority import lower_own_priority
from distill.gui.user_errors import is_user_error

log = logging.getLogger(__name__)


#: Property of an object whose tasks `end_tasks` has ended: no task starts under it any more.
_ENDED = "distillTasksEnded"

#: The function of a task: gets a callback for progress, and an event that requests an early end.
Work = Callable[[Callable[[Any], None], threading.Event], Any]


class BackgroundTask(QThread):
    """Runs one function on a thread and emits its results in the thread that created the task.

    The signals come in the order of what happened; after `cancel` none come any more.  The task deletes itself when it
    has ended; until then its parent owns it, and waits for it by `end_tasks` before it is destroyed itself.

    Parameters
    ----------
    work
        The function.
    parent
        Qt parent.
    keeps
        Whether the function keeps what the user has done, so that closing waits longer for it.
    """

    progressed = Signal(object)
    succeeded = Signal(object)
    #: The error, for whoever shows it.  Emitted for user errors only.
    failed = Signal(object)
    #: The function has returned or raised, after `succeeded` or `failed`: for putting back the caller's state.
    ended = Signal()

    #: Carries progress and results from the background thread into this object's thread.
    _crossed = Signal(str, object)

    def __init__(self, work: Work, parent: QObject, keeps: bool = False) -> None:
        super().__init__(parent)
        self._work, self.keeps = work, keeps
        self.cancel_event = threading.Event()
        self._crossed.connect(self._on_crossed)
        self.finished.connect(self._on_finished)

    def start(self, *priority: QThread.Priority) -> None:
        """Start, unless the tasks of an ancestor have been ended: nobody would wait for this one."""
        above = self.parent()
        while above is not None:
            if above.property(_ENDED):
                self.deleteLater()
                return
            above = above.parent()
        super().start(*priority)

    def run(self) -> None:
        """Run the function; Qt calls this in the new thread."""
        lower_own_priority()
        try:
            result = self._work(self._pass_on, self.cancel_event)
        except Exception as exc:  # boundary: see the rule in the module's docstring
            self._crossed.emit("failed", exc)
        else:
            self._crossed.emit("succeeded", result)

    def cancel(self) -> None:
        """Request an early end; no signal is emitted any more."""
        self.cancel_event.set()

    def _pass_on(self, value: Any) -> None:
        self._crossed.emit("progressed", value)

    def _on_crossed(self, what: str, value: Any) -> None:
        if self.cancel_event.is_set():
            return
        if what == "progressed":
            self.progressed.emit(value)
            return
        if what == "succeeded":
            self.succeeded.emit(value)
        else:
            self._on_error(value)
        self.ended.emit()

    def _on_finished(self) -> None:
        # The thread is still emitting `finished`.  Deleted now, the task would lose the calls of the later slots.
        self.wait()
        if self in left_behind:
            left_behind.remove(self)
        self.deleteLater()

    def _on_error(self, error: Exception) -> None:
        if not is_user_error(error):
            diagnostics.report(error, "background task")
        elif self.isSignalConnected(QMetaMethod.fromSignal(self.failed)):
            self.failed.emit(error)
        else:
            diagnostics.report(error, "background task", is_expected=True)


def end_tasks(parent: QObject) -> None:
    """Cancel the background tasks of ``parent`` and of its descendants, wait for them, and let no new ones start.

    The end of a task is a queued event, which may come later and would start the next one.  A thread that still runs
    when its object is destroyed ends the whole process, so one that does not end is left behind without a parent.
    """
    parent.setProperty(_ENDED, True)
    tasks = parent.findChildren(BackgroundTask)
    for task in tasks:
        task.cancel()
    began = time.monotonic()
    for task in tasks:
        if task.wait(milliseconds_until(began + patience(task.keeps))):
            # Now, while its parent exists: what a task still holds may be the last reference to its parent, and a
            # parent that goes while its child is being destroyed destroys it a second time.
            shiboken6.delete(task)
        else:
            task.setParent(None)
            leave_behind(task, task.objectName())
