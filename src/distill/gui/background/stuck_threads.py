"""Threads that do not end: how long closing waits for them, and how the program ends without them.

A thread that reads from a network drive which does not answer cannot be ended.  Closing waits for it for a while, then
leaves it behind; `end_if_stuck` ends the program without it.
"""

import logging
import os
import threading
import time

from PySide6.QtCore import QThread

from distill import diagnostics
from distill.computing.unresponsive_drives import is_left_behind

log = logging.getLogger(__name__)


#: Seconds for which closing waits for tasks that were cancelled, and for those that keep what the user has done.
PATIENCE_S, KEEPING_PATIENCE_S = 5.0, 30.0


#: Seconds for the former where another task hangs already: several may read from the same drive.
_SHORT_PATIENCE_S = 1.0


#: Threads that did not end in this time.  They are kept: to destroy a thread object whose thread runs ends the process.
left_behind: "list[QThread | threading.Thread]" = []


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
