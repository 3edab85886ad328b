"""Runs background tasks one after the other, in the order in which they were submitted."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QCoreApplication, QObject, Signal

from distill.gui.background.background_task import BackgroundTask, Work, end_tasks
from distill.gui.background.stuck_threads import leave_behind, milliseconds_until, patience

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Request:
    work: Work
    on_done: Callable[[Any], object] | None
    on_failed: Callable[[Any], object] | None
    on_progress: Callable[[Any], object] | None
    on_started: Callable[[], object] | None


class TaskQueue(QObject):
    """Runs one background task after the other, in the order in which they were submitted.

    The next task starts when the thread of the one before has ended, also if that was cancelled or has failed.  If only
    the newest request counts, call `clear` before `submit`.

    Parameters
    ----------
    name
        Object name of the tasks.
    parent
        Qt parent.
    keeps
        Whether the requests keep what the user has done, so that closing waits longer for them.
    """

    #: Nothing runs and nothing is pending any more.  Not emitted after `close`.
    idle = Signal()

    def __init__(self, name: str, parent: QObject, keeps: bool = False) -> None:
        super().__init__(parent)
        self._name, self._keeps = name, keeps
        self._pending: deque[_Request] = deque()
        self._task: BackgroundTask | None = None
        self._is_closed = False

    @property
    def is_busy(self) -> bool:
        """Whether a task is running, or was cancelled and has not ended yet."""
        return self._task is not None

    @property
    def has_pending(self) -> bool:
        """Whether a request waits for the running task to end."""
        return bool(self._pending)

    def submit(
        self,
        work: Work,
        on_done: Callable[[Any], object] | None = None,
        on_failed: Callable[[Any], object] | None = None,
        *,
        on_progress: Callable[[Any], object] | None = None,
        on_started: Callable[[], object] | None = None,
    ) -> None:
        """Run a function after those that were submitted before; does nothing after `close`.

        Parameters
        ----------
        work
            Runs in the background.  All the other functions are called in this object's thread.
        on_done
            Gets the result.
        on_failed
            Gets an error that a user can act on.  Without it, the crash presenter shows the error.
        on_progress
            Gets what ``work`` reports meanwhile.
        on_started
            Called just before the task starts: at once if nothing is running.
        """
        if not self._is_closed:
            self._pending.append(_Request(work, on_done, on_failed, on_progress, on_started))
            self._start_next()

    def clear(self) -> None:
        """Drop the pending requests; the running task goes on."""
        self._pending.clear()

    def cancel(self) -> None:
        """Request an early end of the running task, of which nothing is heard any more; pending requests follow."""
        if self._task is not None:
            self._task.cancel()

    def finish(self) -> None:
        """Wait until all requests have been carried out and their results delivered, unless one of them hangs."""
        while self._task is not None:
            if not self._task.wait(milliseconds_until(time.monotonic() + patience(self._keeps))):
                log.warning("A request of the queue %r does not end", self._name)
                return
            QCoreApplication.sendPostedEvents(self._task)  # progress and result
            QCoreApplication.sendPostedEvents(self)  # its end, which starts the next one

    def close(self) -> None:
        """Cancel and wait for the running task, and carry out the pending requests.  Never raises: errors are logged.

        Nothing is delivered any more.  The event that requests an early end is set: work that must not be lost ignores
        it, work whose result would only be shown can be skipped.
        """
        self._is_closed = True
        end_tasks(self)  # finds the task by Qt: if an ancestor's tasks were ended before, it is deleted already
        self._task = None
        pending = list(self._pending)
        self._pending.clear()
        if pending:
            thread = threading.Thread(target=_carry_out, args=(pending, self._name), name=self._name, daemon=True)
            thread.start()
            thread.join(patience(self._keeps))
            if thread.is_alive():
                leave_behind(thread, self._name)

    def _start_next(self) -> None:
        if self._task is not None or not self._pending or self._is_closed:
            return
        request = self._pending.popleft()
        self._task = task = BackgroundTask(request.work, self, self._keeps)
        task.setObjectName(self._name)
        for signal, slot in (
            (task.progressed, request.on_progress),
            (task.succeeded, request.on_done),
            (task.failed, request.on_failed),
        ):
            if slot is not None:
                signal.connect(slot)
        task.finished.connect(self._on_finished)
        if request.on_started is not None:
            request.on_started()
        task.start()

    def _on_finished(self) -> None:
        if self._is_closed:  # the end of the last task is delivered after `close`
            return
        self._task = None
        self._start_next()
        if self._task is None:
            self.idle.emit()


def _carry_out(requests: list[_Request], name: str) -> None:
    """Carry out the pending requests of a queue that closes."""
    cancelled = threading.Event()
    cancelled.set()
    for request in requests:
        try:
            request.work(lambda _value: None, cancelled)
        except Exception:  # border: the other requests are still carried out, and the window still closes
            log.exception("A pending request of the queue %r has failed while closing", name)
