"""Counts the running windows: a second one is titled and placed differently from the first."""

from contextlib import suppress

from PySide6.QtCore import QLockFile

from distill.paths import cache_dir

#: Windows beyond this number are not told apart.
MOST = 9


class InstanceLock:
    """Holds the lowest free number while this process runs; the system frees it when the process dies.

    Attributes
    ----------
    number
        1 for the only window.
    """

    def __init__(self) -> None:
        self.number, self._lock = MOST, None
        with suppress(OSError):
            cache_dir().mkdir(parents=True, exist_ok=True)
        for number in range(1, MOST + 1):
            lock = QLockFile(str(cache_dir() / f"window-{number}.lock"))
            lock.setStaleLockTime(0)  # stale only when the process that holds it is gone
            if lock.tryLock(0):
                self.number, self._lock = number, lock
                return
            if lock.error() is not QLockFile.LockError.LockFailedError:  # no place for lock files: one window
                self.number = 1
                return

    def close(self) -> None:
        """Free the number."""
        if self._lock is not None:
            self._lock.unlock()
