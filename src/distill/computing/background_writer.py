"""One background thread that writes files, so that the training loop need not wait for a disk."""

import queue
import threading
from collections.abc import Callable


class BackgroundWriter:
    """Runs jobs one after the other in a thread of its own.

    At most one job waits while one runs: a disk that cannot keep up slows the caller down rather than filling the
    memory.  What a job raises is kept for `take_errors`.
    """

    def __init__(self) -> None:
        self._jobs: queue.Queue[tuple[str, Callable[[], None]] | None] = queue.Queue(maxsize=1)
        self._errors: queue.SimpleQueue[tuple[str, Exception]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="distill-writer", daemon=True)
        self._thread.start()

    def submit(self, what: str, job: Callable[[], None]) -> None:
        """Queue a job; ``what`` names it in `take_errors`."""
        self._jobs.put((what, job))

    def flush(self) -> None:
        """Wait until everything that was submitted is done."""
        self._jobs.join()

    def close(self) -> None:
        """Do what is queued and end the thread.  Closing twice is fine."""
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join()

    def take_errors(self) -> list[tuple[str, Exception]]:
        """Return what went wrong since the last call: what was being written, and the error."""
        errors = []
        while not self._errors.empty():
            errors.append(self._errors.get())
        return errors

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None:
            what, job = item
            try:
                job()
            except Exception as exc:  # the border of the thread: told to the loop, which tells the user
                self._errors.put((what, exc))
            finally:
                self._jobs.task_done()
        self._jobs.task_done()
