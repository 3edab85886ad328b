"""Who trains in a run's folder, as far as that can be known from any computer that sees the folder.

A lock of the system holds on one computer, and on a network disk whose server passes locks on.  On a disk that is only
synchronised, nobody else sees it.  So the computer that trains also leaves its name in the folder, with a count that
grows.  From elsewhere it is taken to be at work while the count is seen to grow, or was written in the last two minutes
by a clock that agrees with the own one.  What that cannot tell: a computer that was cut off from the disk and trains
on, and one that died less than two minutes ago.
"""

import logging
import os
import platform
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import filelock

from distill.errors import RunFolderError
from distill.json_files import read_json, write_json

log = logging.getLogger(__name__)

HOLDER, LOCK = "training.json", "run.lock"
#: How long a lock that is taken is waited for: a list of runs looks at it for a moment.
_LOCK_PATIENCE_SECONDS = 0.25
#: Seconds between two signs of life, and for how long after the last one a computer is taken to be at work.
BEAT_SECONDS, FRESH_SECONDS = 20.0, 120.0

#: By folder, the newest count that was seen, and when (monotonic).
_seen: dict[str, tuple[tuple[str, int], float]] = {}


@dataclass(frozen=True)
class Holder:
    """The computer that trains in a folder, or trained there when it died.

    Attributes
    ----------
    host
        Its name.
    count
        Number of its signs of life.
    at
        When the last one was written, by its own clock (seconds since 1970).
    """

    host: str
    count: int
    at: float

    @property
    def is_here(self) -> bool:
        """Whether it is this computer."""
        return self.host == host_name()


def host_name() -> str:
    """Return the name of this computer."""
    return platform.node() or "this computer"


def read_holder(run_dir: Path) -> Holder | None:
    """Return who trains in a folder by its own account, or None."""
    try:
        data = read_json(run_dir / HOLDER)
        return Holder(str(data["host"])[:200], int(data["count"]), datetime.fromisoformat(data["at"]).timestamp())
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError):
        return None


def training_host(run_dir: Path) -> str | None:
    """Return the name of the computer on which a process trains in a folder right now; None where none is known to."""
    holder = read_holder(run_dir)
    if _is_locked_here(run_dir):
        return host_name() if holder is None else holder.host
    return holder.host if holder is not None and not holder.is_here and _is_fresh(run_dir, holder) else None


def other_host(run_dir: Path) -> str | None:
    """Return the name of another computer that trains in a folder, whose lock this one need not see."""
    holder = read_holder(run_dir)
    return holder.host if holder is not None and not holder.is_here and _is_fresh(run_dir, holder) else None


def _is_fresh(run_dir: Path, holder: Holder) -> bool:
    now, key, state = time.monotonic(), str(run_dir), (holder.host, holder.count)
    last_seen = _seen.get(key)
    if last_seen is None:  # the first look goes by the clocks
        age = abs(time.time() - holder.at)
        _seen[key] = (state, now - age)
        return age < FRESH_SECONDS
    if last_seen[0] != state:  # it has grown since
        _seen[key] = (state, now)
        return True
    return now - last_seen[1] < FRESH_SECONDS


def _is_locked_here(run_dir: Path) -> bool:
    path = run_dir / LOCK
    if not path.is_file():
        return False
    lock = filelock.FileLock(path, blocking=False, thread_local=False)
    try:
        lock.acquire()
    except filelock.Timeout:
        return True
    except OSError:  # a folder that may only be read: nobody trains in it from here
        return False
    lock.release()
    return False


def lock_run(run_dir: Path) -> filelock.BaseFileLock:
    """Lock a run's folder for this process and return the lock, which dies with the process.

    Raises
    ------
    RunFolderError
        Another process of this computer trains in the folder.
    OSError
        The folder cannot be written to.
    """
    lock = filelock.FileLock(run_dir / LOCK, timeout=_LOCK_PATIENCE_SECONDS, thread_local=False)
    try:
        lock.acquire(poll_interval=0.02)
    except filelock.Timeout as exc:
        raise RunFolderError(
            f"Another Distill is training in {run_dir} right now. Stop it there, or choose another folder."
        ) from exc
    return lock


class SignsOfLife:
    """Leaves the name of this computer in a run's folder, with a count that grows, from `start` to `stop`.

    Parameters
    ----------
    run_dir
        The folder.
    """

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / HOLDER
        self._count = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="distill-signs", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._write()
        self._thread.start()

    def stop(self) -> None:
        """End the signs of life, and remove the name of this computer from the folder.  Stopping twice is fine."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
            with suppress(OSError):
                self._path.unlink()

    def _work(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            self._write()

    def _write(self) -> None:
        self._count += 1
        now = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            write_json(self._path, {"host": host_name(), "process": os.getpid(), "count": self._count, "at": now})
        except OSError as exc:  # a full disk does not end a training
            log.info("No sign of life could be left in %s: %s", self._path.parent, exc)


def is_locked(run_dir: Path) -> bool:
    """Whether a process trains in a run's folder right now: this one, or another, also on another computer."""
    return training_host(run_dir) is not None
