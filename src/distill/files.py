"""Writes files and folders whole or not at all; JSON is in `json_files`.

Everything that Distill writes goes through `write_whole` or `write_new`: a temporary file in the same folder, flushed
to the disk, moved to its name, and the folder's entry flushed too.  A process that is killed leaves at most a temporary
file that carries Distill's name and its own process; readers ignore it, and `housekeeping` removes it.  Folders
that appear as a whole are made by `write_folder` in the same way.
"""

import errno
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from distill.housekeeping import HOST, PROCESS, clear_partial

#: Size in bytes, and times of the last change of content and of anything about a file (on Windows: when it was made),
#: in nanoseconds.
FileStamp = tuple[int, int, int]

PARTIAL_SUFFIX = ".part"
#: Characters of the file's own name in that of its temporary file: names end at 255 bytes.
_MAX_STEM = 40

#: Windows replaces no file that somebody has open: another process, or a thread, that reads it takes a moment.
_WAITS_FOR_READERS = os.name == "nt"
_MOST_WAIT_S, _BETWEEN_TRIES_S = 1.0, 0.02


@contextmanager
def write_whole(path: Path, tidies: bool = True) -> Iterator[IO[bytes]]:
    """Open a binary file that replaces ``path`` when the block ends without an error, and vanishes otherwise.

    Parameters
    ----------
    path
        The file.
    tidies
        Whether what a killed process left of the same file is looked for, which reads the whole folder: not for
        folders of many files, which are tidied at the start.

    Raises
    ------
    OSError
        The folder cannot be written to, or the disk is full.  ``path`` is then as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _partial_file(path, tidies) as (file, partial):
        yield file
        _flush(file)
        file.close()  # an open file cannot be moved on Windows
        _move_over(partial, path)
    _flush_folder(path.parent)


@contextmanager
def write_folder(path: Path) -> Iterator[Path]:
    """Make a folder that gets the name ``path`` when the block ends without an error, and vanishes otherwise.

    What a killed process left of the same folder is removed first.

    Parameters
    ----------
    path
        A name that is free, or an empty folder.

    Raises
    ------
    OSError
        The folder above cannot be written to, or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    clear_partial(path.parent, f".{path.name[:_MAX_STEM]}.distill-", of_folders=True)
    partial = _partial_path(path)
    partial.mkdir(0o755)
    try:
        yield partial
        if path.exists():
            path.rmdir()
        partial.rename(path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    _flush_folder(path.parent)


def write_new(path: Path, write: Callable[[IO[bytes]], object]) -> Path:
    """Write a binary file that never replaces another, whole or not at all, and return its path.

    Parameters
    ----------
    path
        The path that is wanted; `free_path` of it is taken.
    write
        Called once with the open file.

    Raises
    ------
    OSError
        The folder cannot be written to, or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = _open_unnamed(path.parent)
    if handle is not None:  # a process that is killed leaves nothing at all
        with os.fdopen(handle, "w+b") as file:
            write(file)
            _flush(file)
            target = _publish(path, lambda free: _link_unnamed(handle, free))
    else:
        with _partial_file(path) as (file, partial):
            write(file)
            _flush(file)
            file.close()
            target = _publish(path, lambda free: _move_to_free(partial, free))
    _flush_folder(path.parent)
    return target


@contextmanager
def _partial_file(path: Path, tidies: bool = True) -> Iterator[tuple[IO[bytes], Path]]:
    """Open a temporary file beside ``path``; what is left of it at the end of the block is removed."""
    if tidies:  # of one that was killed while it wrote the same file
        clear_partial(path.parent, f".{path.name[:_MAX_STEM]}.distill-")
    partial = _partial_path(path)
    handle = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o644)
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file, partial
    finally:
        with suppress(OSError):
            partial.unlink()


def _move_over(partial: Path, target: Path) -> None:
    """Give a file the name of another one, which it replaces."""
    deadline = time.monotonic() + _MOST_WAIT_S
    while True:
        try:
            partial.replace(target)
        except PermissionError:
            if not _WAITS_FOR_READERS or time.monotonic() >= deadline:
                raise
            time.sleep(_BETWEEN_TRIES_S)
        else:
            return


def _partial_path(path: Path) -> Path:
    """Return the name that a file or folder has until it is whole."""
    owner = f"{HOST}-{os.getpid()}-{PROCESS}-{secrets.token_hex(4)}"
    return path.with_name(f".{path.name[:_MAX_STEM]}.distill-{owner}{PARTIAL_SUFFIX}")


def _open_unnamed(folder: Path) -> int | None:
    """Open a file that has no name yet, where the system has such files (Linux)."""
    if sys.platform != "linux":
        return None
    try:
        handle = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o644)
    except OSError as exc:
        if exc.errno in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT):
            return None  # this file system has none
        raise
    if Path(f"/proc/self/fd/{handle}").exists():
        return handle
    os.close(handle)
    return None


def _link_unnamed(handle: int, target: Path) -> None:
    folder = os.open(target.parent, os.O_RDONLY)
    try:  # with a folder's descriptor Python calls linkat, which follows the link to the open file
        os.link(f"/proc/self/fd/{handle}", target, src_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(folder)


def _move_to_free(partial: Path, target: Path) -> None:
    """Move a file to a name that must be free."""
    if os.name == "nt":
        partial.rename(target)  # raises FileExistsError there
        return
    try:
        os.link(partial, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: an empty file holds the name for a moment
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        partial.replace(target)


def _publish(path: Path, move: Callable[[Path], None]) -> Path:
    """Move a file to the first free name like ``path``, also when others are taking names at the same time."""
    while True:
        target = free_path(path)
        with suppress(FileExistsError):
            move(target)
            return target


def free_path(path: Path) -> Path:
    """Return ``path``, or the first of ``name (2).wav``, ``name (3).wav``, ... that does not exist."""
    free, number = path, 2
    while os.path.lexists(free):
        free, number = path.with_name(f"{path.stem} ({number}){path.suffix}"), number + 1
    return free


def _flush(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Make a new name survive a power cut.  Windows has no such call and does not need it."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems refuse it
            os.fsync(handle)
    finally:
        os.close(handle)


def temporary_folder(purpose: str) -> "tempfile.TemporaryDirectory[str]":
    """Make a folder among the system's temporary ones, which is removed with the object, or at the next start."""
    prefix = f"distill-{purpose}-{HOST}-{os.getpid()}-{PROCESS}-"
    return tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True)


def is_file(path: Path) -> bool:
    """Whether there is a file at a path; not so, too, where that cannot be known.

    `pathlib.Path.is_file` fails at a name that is too long for this system, and at a folder that may not be searched or
    whose drive is gone: at paths that another computer, or an earlier day, has written down.
    """
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: Path) -> bool:
    """Whether there is a folder at a path; see `is_file`."""
    return os.path.isdir(path)  # noqa: PTH112


def file_stamp(path: Path) -> FileStamp:
    """Return what changes when a file changes, or when it becomes readable.

    Raises
    ------
    OSError
        It is not there.
    """
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def is_access_error(error: BaseException | None) -> bool:
    """Whether an error says nothing about a file's content and may be over the next time (EIO, EMFILE, EACCES, ...).

    EINVAL does say something: it comes of a damaged archive whose parts lie at negative positions.
    """
    return isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)


def is_disk_full(error: OSError) -> bool:
    """Whether a disk is full, or the user's share of it."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
