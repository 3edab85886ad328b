"""Runs tasks on background threads, alone or in a queue, and delivers their results as queued signals.

Errors follow one rule.  An error that a user can act on (`DistillError`, `OSError`) is shown by whoever connects to
`BackgroundTask.failed`; if nobody does, it is shown in the notice bar by the crash presenter.  Any other error is a bug
and goes to the crash presenter, always.  Nothing is only logged.

Threads that do not end: one that reads from a network drive which does not answer cannot be ended.  Closing waits for
it for a while, then leaves it behind; `end_if_stuck` ends the program without it.
"""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import shiboken6
from PySide6.QtCore import QCoreApplication, QMetaMethod, QObject, QThread, Signal

from distill import diagnostics
from distill.computing.unresponsive_drives import is_left_behind
from distill.gui.user_errors import is_user_error

log = logging.getLogger(__name__)

#: How far background threads step back for the window and for other programs (Unix "nice" scale).
BACKGROUND_NICENESS = 10

#: Seconds for which closing waits for tasks that were cancelled, and for those that keep what the user has done.
PATIENCE_S, KEEPING_PATIENCE_S = 5.0, 30.0

#: Seconds for the former where another task hangs already: several may read from the same drive.
_SHORT_PATIENCE_S = 1.0

#: Threads that did not end in this time.  They are kept: to destroy a thread object whose thread runs ends the process.
left_behind: "list[QThread | threading.Thread]" = []

#: Property of an object whose tasks `end_tasks` has ended: no task starts under it any more.
_TASKS_ENDED = "distillTasksEnded"

#: The function of a task: gets a callback for progress, and an event that requests an early end.
Work = Callable[[Callable[[Any], None], threading.Event], Any]


def lower_own_priority() -> None:
    """Give the calling thread, and the threads that it starts, a lower priority than the window's.

    ``QThread.start(LowPriority)`` does nothing under Linux's usual scheduler; there, a thread has a niceness of its
    own.  On other systems setpriority would change the whole process.
    """
    if hasattr(os, "setpriority") and os.uname().sysname == "Linux":
        thread = threading.get_native_id()
        with suppress(OSError):
            niceness = max(BACKGROUND_NICENESS, os.getpriority(os.PRIO_PROCESS, thread))  # root could raise it again
            os.setpriority(os.PRIO_PROCESS, thread, niceness)


def milliseconds_until(deadline: float) -> int:
    """Return how long it is to a time of the monotonic clock."""
    return max(0, round(1000 * (deadline - time.monotonic())))


def patience(keeps: bool) -> float:
    """Return for how many seconds work is waited for."""
    if keeps:
        return KEEPING_PATIENCE_S
    return min(PATIENCE_S, _SHORT_PATIENCE_S) if _is_stuck() else PATIENCE_S


def _is_stuck() -> bool:
    """Whether a thread that was left behind still runs, of the window or of a training that was stopped."""
    return is_left_behind() or any(
        thread.is_alive() if isinstance(thread, threading.Thread) else thread.isRunning() for thread in left_behind
    )


def leave_behind(thread: QThread | threading.Thread, name: str) -> None:
    """Keep a thread that does not end; ``name`` says in the log whose it is."""
    log.warning("Background work does not end and is left behind: %s", name or "unnamed")
    left_behind.append(thread)


def end_if_stuck(code: int) -> None:
    """End the process with an exit code if a thread that was left behind still runs.

    Otherwise Python would wait for that thread, or for those that it has started, at the end of the program.
    """
    if _is_stuck():
        log.warning("The program ends although background work does not")
        diagnostics.stop()
        os._exit(code)


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
        ancestor = self.parent()
        while ancestor is not None:
            if ancestor.property(_TASKS_ENDED):
                self.deleteLater()
                return
            ancestor = ancestor.parent()
        super().start(*priority)

    def run(self) -> None:
        """Run the function; Qt calls this in the new thread."""
        lower_own_priority()
        try:
            result = self._work(self._report_progress, self.cancel_event)
        except Exception as exc:  # boundary: see the rule in the module's docstring
            self._crossed.emit("failed", exc)
        else:
            self._crossed.emit("succeeded", result)

    def cancel(self) -> None:
        """Request an early end; no signal is emitted any more."""
        self.cancel_event.set()

    def _report_progress(self, value: Any) -> None:
        self._crossed.emit("progressed", value)

    def _on_crossed(self, signal_name: str, value: Any) -> None:
        if self.cancel_event.is_set():
            return
        if signal_name == "progressed":
            self.progressed.emit(value)
            return
        if signal_name == "succeeded":
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
    parent.setProperty(_TASKS_ENDED, True)
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


@dataclass(frozen=True)
class _QueuedTask:
    work: Work
    on_done: Callable[[Any], object] | None
    on_failed: Callable[[Any], object] | None
    on_progress: Callable[[Any], object] | None
    on_started: Callable[[], object] | None


class TaskQueue(QObject):
    """Runs one background task after the other, in the order in which they were submitted.

    The next task starts when the thread of the one before has ended, also if that was cancelled or has failed.  If only
    the newest task counts, call `clear` before `submit`.

    Parameters
    ----------
    name
        Object name of the tasks.
    parent
        Qt parent.
    keeps
        Whether the tasks keep what the user has done, so that closing waits longer for them.
    """

    #: Nothing runs and nothing is pending any more.  Not emitted after `close`.
    idle = Signal()

    def __init__(self, name: str, parent: QObject, keeps: bool = False) -> None:
        super().__init__(parent)
        self._name, self._keeps = name, keeps
        self._queued_tasks: deque[_QueuedTask] = deque()
        self._task: BackgroundTask | None = None
        self._is_closed = False

    @property
    def is_busy(self) -> bool:
        """Whether a task is running, or was cancelled and has not ended yet."""
        return self._task is not None

    @property
    def has_pending(self) -> bool:
        """Whether a task waits for the running one to end."""
        return bool(self._queued_tasks)

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
            self._queued_tasks.append(_QueuedTask(work, on_done, on_failed, on_progress, on_started))
            self._start_next()

    def clear(self) -> None:
        """Drop the queued tasks; the running one goes on."""
        self._queued_tasks.clear()

    def cancel(self) -> None:
        """Request an early end of the running task, of which nothing is heard any more; the queued tasks follow."""
        if self._task is not None:
            self._task.cancel()

    def finish(self) -> None:
        """Wait until all tasks have run and their results are delivered, unless one of them hangs."""
        while self._task is not None:
            if not self._task.wait(milliseconds_until(time.monotonic() + patience(self._keeps))):
                log.warning("A task of the queue %r does not end", self._name)
                return
            QCoreApplication.sendPostedEvents(self._task)  # progress and result
            QCoreApplication.sendPostedEvents(self)  # its end, which starts the next one

    def close(self) -> None:
        """Cancel and wait for the running task, and run the queued ones.  Never raises: errors are logged.

        Nothing is delivered any more.  The event that requests an early end is set: work that must not be lost ignores
        it, work whose result would only be shown can be skipped.
        """
        self._is_closed = True
        end_tasks(self)  # finds the task by Qt: if an ancestor's tasks were ended before, it is deleted already
        self._task = None
        queued_tasks = list(self._queued_tasks)
        self._queued_tasks.clear()
        if queued_tasks:
            arguments = queued_tasks, self._name
            thread = threading.Thread(target=_run_queued_tasks, args=arguments, name=self._name, daemon=True)
            thread.start()
            thread.join(patience(self._keeps))
            if thread.is_alive():
                leave_behind(thread, self._name)

    def _start_next(self) -> None:
        if self._task is not None or not self._queued_tasks or self._is_closed:
            return
        queued = self._queued_tasks.popleft()
        self._task = task = BackgroundTask(queued.work, self, self._keeps)
        task.setObjectName(self._name)
        for signal, slot in (
            (task.progressed, queued.on_progress),
            (task.succeeded, queued.on_done),
            (task.failed, queued.on_failed),
        ):
            if slot is not None:
                signal.connect(slot)
        task.finished.connect(self._on_finished)
        if queued.on_started is not None:
            queued.on_started()
        task.start()

    def _on_finished(self) -> None:
        if self._is_closed:  # the end of the last task is delivered after `close`
            return
        self._task = None
        self._start_next()
        if self._task is None:
            self.idle.emit()


def _run_queued_tasks(queued_tasks: list[_QueuedTask], name: str) -> None:
    """Run the tasks that a queue which closes still holds."""
    cancelled = threading.Event()
    cancelled.set()
    for queued in queued_tasks:
        try:
            queued.work(lambda _value: None, cancelled)
        except Exception:  # border: the other tasks still run, and the window still closes
            log.exception("A task of the queue %r has failed while the window closed", name)
