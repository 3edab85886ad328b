"""Asks a disk that may never answer: a share that is gone takes minutes."""

import threading
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


#: Seconds until a task that waits for a disk notices that it is cancelled.
_POLL_SECONDS = 0.05


def ask_disk(ask: Callable[[], Answer], cancel: threading.Event) -> Answer | None:
    """Return what a function learns from the disk; None once ``cancel`` is set.

    The function has a thread of its own, which nobody waits for: a share that is gone keeps it for minutes, and a
    window must close at once.
    """
    answers: list[Answer] = []
    has_ended = threading.Event()

    def work() -> None:
        try:
            answers.append(ask())
        finally:
            has_ended.set()

    threading.Thread(target=work, name="disk", daemon=True).start()
    while not has_ended.wait(_POLL_SECONDS):
        if cancel.is_set():
            return None
    return answers[0] if answers else None
