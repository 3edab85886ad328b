"""A folder that is kept under a size: the least recently used files (LRU) are deleted, and can be computed again.

Files are written whole.  Threads and processes share the folder.

Two processes may compute the same file at once; each renames its own whole copy into place and the last one wins.
Threads of one process wait for each other instead.  When the folder grows over its limit, what was used longest ago
is deleted, also what this process has used: readers compute it anew when they need it.  What another process has used
within `LEASE_S` stays, because a process renews the time stamps of what it reads.
"""

import errno
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from distill.errors import Cancelled, DistillError
from distill.files import PARTIAL_SUFFIX, is_disk_full, write_whole

log = logging.getLogger(__name__)

#: Seconds for which a file that some process has used is safe from the others.
LEASE_S = 3600.0
_RENEW_S = LEASE_S / 6
_NEVER = (".jsonl",)  # small, and other files are found by it
#: Errors of a disk, or of a file system, that has lost what was written.
_UNREADABLE = {getattr(errno, name) for name in ("EIO", "EBADMSG", "EUCLEAN") if hasattr(errno, name)}

# Of the whole process, so that two stores of one folder (the window's and the run's) know of each other.
_used: dict[str, float] = {}  # path -> when this process used it last (seconds since the epoch)
_renewed: dict[str, float] = {}  # path -> when its time stamp was renewed (likewise)
_busy: set[str] = set()
_changed = threading.Condition()


class LruFolder:
    """A folder of files of which the least recently used are deleted.

    Parameters
    ----------
    folder
        The folder; it is made when something is written.
    max_bytes
        Size over which the least recently used files are deleted.  The limit is never more than half of what the
        disk would have free without this folder.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self._size = sum(size for _, size, _ in self._files())
        self.max_bytes = min(max_bytes, (_free_bytes(folder) + self._size) // 2)
        self._sweep_at = self.max_bytes

    def use(self, path: Path) -> None:
        """Note that this process uses a file now; its time stamp on disk follows within some minutes."""
        now, name = time.time(), str(path)
        _used[name] = now
        if now - _renewed.get(name, -_RENEW_S) >= _RENEW_S:
            with suppress(OSError):  # the file may be gone, or the disk read-only by now
                os.utime(path)
            _renewed[name] = now

    @contextmanager
    def locked(self, path: Path, cancel_event: threading.Event | None = None) -> Iterator[None]:
        """Hold the other threads of this process off a file while it is checked or made.

        Raises
        ------
        Cancelled
            ``cancel_event`` was set while waiting.
        """
        name = str(path)
        with _changed:
            while name in _busy:
                if cancel_event is not None and cancel_event.is_set():
                    raise Cancelled
                _changed.wait(0.05 if cancel_event is not None else None)
            _busy.add(name)
        try:
            yield
        finally:
            with _changed:
                _busy.discard(name)
                _changed.notify_all()

    def write(self, path: Path, fill: Callable[[IO[bytes]], None]) -> None:
        """Write a file whole, and make room for it where the disk is full.

        Parameters
        ----------
        path
            A file in the store's folder.
        fill
            Writes the content into an open file; it is called again when the disk was full and old files could be
            deleted.

        Raises
        ------
        DistillError
            The disk is full, or the folder cannot be written to.
        """
        try:
            self._write(path, fill)
        except OSError as exc:
            if not is_disk_full(exc) or not self._sweep(0, path):
                raise self.user_error(exc) from exc
            try:
                self._write(path, fill)
            except OSError as again:
                raise self.user_error(again) from again
        self.use(path)
        with suppress(OSError):
            self._size += path.stat().st_size
        if self._size > self._sweep_at:
            self._sweep(self.max_bytes, path)
            # What is left over the limit belongs to other processes; look again when a good deal has been added.
            self._sweep_at = max(self.max_bytes, self._size + self.max_bytes // 20)

    def _write(self, path: Path, fill: Callable[[IO[bytes]], None]) -> None:
        with write_whole(path, tidies=False) as file:  # its time must not grow with the number of sounds
            fill(file)

    def user_error(self, error: OSError) -> DistillError:
        """Return what to tell the user when the folder cannot be written to."""
        if is_disk_full(error):
            return DistillError(
                f"The disk that holds the cache folder {self.folder} is full. Free some space on it, or set "
                "DISTILL_HOME to a folder on a larger disk, and start again."
            )
        if error.errno == errno.EFBIG:
            return DistillError(
                f"A decoded sound is larger than a file may be in the cache folder {self.folder}. Raise the limit of "
                "your system (ulimit -f), or set DISTILL_HOME to a folder on another disk, and start again."
            )
        words = os.strerror(error.errno) if error.errno else str(error)
        return DistillError(
            f"The cache folder {self.folder} cannot be written to ({words}). Make it writable, or set DISTILL_HOME "
            "to another folder, and start again."
        )

    def _files(self) -> list[tuple[float, int, Path]]:
        """Return ``(last use, bytes, path)`` of all files."""
        files = []
        with suppress(OSError), os.scandir(self.folder) as entries:
            for entry in entries:
                with suppress(OSError):
                    if entry.is_file(follow_symlinks=False):
                        status = entry.stat(follow_symlinks=False)
                        files.append((status.st_mtime, status.st_size, Path(entry.path)))
        return files

    def _sweep(self, target: int, kept: Path) -> int:
        """Delete what was used longest ago until the folder holds ``target`` bytes; return the bytes freed.

        What another process has used lately, what a thread works on just now, and ``kept`` stay.
        """
        files = sorted((max(used, _used.get(str(path), 0.0)), size, path) for used, size, path in self._files())
        total, freed, safe_from = sum(size for _, size, _ in files), 0, time.time() - LEASE_S
        for used, size, path in files:
            name = str(path)
            if total - freed <= target and path.suffix != PARTIAL_SUFFIX:
                continue
            if path == kept or name in _busy or (used > safe_from and name not in _used) or path.suffix in _NEVER:
                continue
            with suppress(OSError):  # another process was faster
                path.unlink()
                freed += size
                _used.pop(name, None)
                _renewed.pop(name, None)
        self._size = total - freed
        return freed


def _free_bytes(folder: Path) -> int:
    for position in (folder, *folder.parents):
        with suppress(OSError):
            return shutil.disk_usage(position).free
    return 0


def discard_unreadable(file: Path, error: Exception) -> None:
    """Delete a file that is there and cannot be read: it would be taken for a whole one by its length."""
    if isinstance(error, OSError) and error.errno in _UNREADABLE:
        log.warning("%s cannot be read (%s) and is computed anew", file, error)
        with suppress(OSError):
            file.unlink()
