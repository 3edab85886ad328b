"""Work that must not hold the window up: one function on one thread, its results as queued signals."""

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import shiboken6
from PySide6.QtCore import QObject, QThread, Signal

log = logging.getLogger(__name__)

#: How much a background thread steps back for the window and for other programs (Unix "nice" scale).
BACKGROUND_NICENESS = 10

#: Property of an object whose tasks `end_tasks` has ended: none begins under it any more.
_ENDED = "distillTasksEnded"

#: Work: is given a function that passes on progress, and an event that asks it to end early.
Work = Callable[[Callable[[Any], None], threading.Event], Any]


def lower_own_priority() -> None:
    """Let the calling thread, and the threads that it starts, step back for the window.

    ``QThread.start(LowPriority)`` does nothing under Linux's usual scheduler; there, a thread has a niceness of its
    own.  On other systems setpriority would take the whole process along.
    """
    if hasattr(os, "setpriority") and os.uname().sysname == "Linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BACKGROUND_NICENESS)


class BackgroundTask(QThread):
    """Runs one function, and tells of it in the thread that made the task.

    The signals come in the order of what happened; after `cancel` none come any more.  The task deletes itself when
    it has ended; until then its parent keeps it, and waits for it by `end_tasks` before it goes itself.
    """

    progressed = Signal(object)
    succeeded = Signal(object)
    failed = Signal(object)

    #: The same three from the other thread; they cross into this object's thread by Qt's queue.
    _crossed = Signal(str, object)

    def __init__(self, work: Work, parent: QObject) -> None:
        super().__init__(parent)
        self._work = work
        self.cancel_event = threading.Event()
        self._crossed.connect(self._on_crossed)
        self.finished.connect(self.deleteLater)

    def start(self, *priority: QThread.Priority) -> None:
        """Begin the work, unless the tasks of an object above have been ended: nobody would wait for this one."""
        above = self.parent()
        while above is not None:
            if above.property(_ENDED):
                self.deleteLater()
                return
            above = above.parent()
        super().start(*priority)

    def run(self) -> None:
        """Do the work; Qt calls this in the new thread."""
        lower_own_priority()
        try:
            result = self._work(self._pass_on, self.cancel_event)
        except Exception as exc:  # border: told to the user by whoever connects to `failed`
            log.info("Background work failed", exc_info=True)
            self._crossed.emit("failed", exc)
        else:
            self._crossed.emit("succeeded", result)

    def cancel(self) -> None:
        """Ask the work to end early, and hear no more of it."""
        self.cancel_event.set()

    def _pass_on(self, value: Any) -> None:
        self._crossed.emit("progressed", value)

    def _on_crossed(self, what: str, value: Any) -> None:
        if not self.cancel_event.is_set():
            {"progressed": self.progressed, "succeeded": self.succeeded, "failed": self.failed}[what].emit(value)


def end_tasks(parent: QObject) -> None:
    """Cancel the background tasks of ``parent`` and of what is under it, wait until they have ended, and begin no more.

    The end of a task is told by an event, which may come later and would begin the next one.  A thread that still runs
    when its object is destroyed ends the whole process.
    """
    parent.setProperty(_ENDED, True)
    tasks = parent.findChildren(BackgroundTask)
    for task in tasks:
        task.cancel()
    for task in tasks:
        task.wait()
        # Now, while its parent is there: what a task still holds may be the last that holds its parent, and a parent
        # that goes while its child is being destroyed destroys it a second time.
        shiboken6.delete(task)
