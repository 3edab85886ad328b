"""Waits for work that may never return: what reads from a drive that does not answer can only be left behind.

Such a call cannot be interrupted, nor can its thread be ended.  So it runs in a thread of its own, and once the user
wants to stop it is waited for a few seconds more.  At the end of the program Python would wait for such threads, and
for those that they have started: who ends it asks `is_left_behind`.

`ask_disk` does not wait at all once it is cancelled.
"""

import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from distill.errors import NoAnswer

log = logging.getLogger(__name__)

#: Seconds from a request to stop until work that does not return is left behind.
PATIENCE_S = 5.0
#: The same where other work hangs already: it may read from the same drive.
_SHORT_PATIENCE_S = 1.0
#: Seconds after which it is looked whether the user wants to stop.
_LOOK_S = 0.1
#: Seconds until a task that waits for a disk notices that it is cancelled.
_CANCEL_POLL_S = 0.05

#: Threads that did not return in this time.
_left_behind: list[threading.Thread] = []

T = TypeVar("T")


def wait_for(
    work: Callable[[Callable[..., None]], T],
    stop: threading.Event | None,
    places: Iterable[Path],
    on_progress: Callable[..., object] = lambda *_: None,
) -> T:
    """Return what ``work`` returns, or raise what it raises; it runs in another thread.

    Parameters
    ----------
    work
        The function.  Gets one that calls ``on_progress``, and has to end soon when ``stop`` is set.
    stop
        Is set when the user wants to stop; None: never.
    places
        Files and folders that it reads from: what they have in common is said not to answer.
    on_progress
        Is called in this thread.

    Raises
    ------
    NoAnswer
        The user wants to stop, and ``work`` has not returned for a while.
    """
    events: queue.Queue[tuple[str, Any]] = queue.Queue()  # `SimpleQueue` may wait on for ever after a signal

    def run() -> None:
        try:
            events.put(("returned", work(lambda *values: events.put(("progress", values)))))
        except BaseException as exc:  # boundary: it is raised in the thread that waits
            events.put(("raised", exc))

    thread = threading.Thread(target=run, name="waited for", daemon=True)
    thread.start()
    deadline: float | None = None
    while True:
        try:
            kind, value = events.get(timeout=_LOOK_S)
        except queue.Empty:
            now = time.monotonic()
            if stop is not None and stop.is_set() and deadline is None:
                deadline = now + (_SHORT_PATIENCE_S if is_left_behind() else PATIENCE_S)
            if deadline is None or now < deadline:
                continue
            log.info("Work that does not return is left behind")
            _left_behind.append(thread)
            raise NoAnswer(_no_answer_text(places)) from None
        if kind == "progress":
            deadline = None  # it does answer
            on_progress(*value)
            continue
        thread.join()
        if kind == "raised":
            raise value
        return value  # type: ignore[no-any-return]


def ask_disk(ask: Callable[[], T], cancel: threading.Event) -> T | None:
    """Return what a function learns from the disk; None once ``cancel`` is set.

    The function has a thread of its own, which nobody waits for: a share that is gone keeps it for minutes, and a
    window must close at once.
    """
    answers: list[T] = []
    has_ended = threading.Event()

    def work() -> None:
        try:
            answers.append(ask())
        finally:
            has_ended.set()

    threading.Thread(target=work, name="disk", daemon=True).start()
    while not has_ended.wait(_CANCEL_POLL_S):
        if cancel.is_set():
            return None
    return answers[0] if answers else None


def is_left_behind() -> bool:
    """Whether a drive has still not answered work that was left behind."""
    _left_behind[:] = [thread for thread in _left_behind if thread.is_alive()]
    return bool(_left_behind)


def _no_answer_text(places: Iterable[Path]) -> str:
    try:
        common = os.path.commonpath(list(places))
    except ValueError:  # there are none, or they lie on several drives
        common = ""
    if not common or Path(common).parent == Path(common):  # the root of all
        return "A folder of the sounds does not answer."
    return f"{common} does not answer."
