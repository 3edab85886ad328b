"""Files that exist whole or not at all, whatever moment the power goes.

Everything that Distill writes goes through `write_whole`: a temporary file in the same folder, flushed to the disk,
renamed over the target, and the folder's entry flushed too.  A crash leaves at most a ``.part`` file, which readers
ignore and `clear_partial_files` removes.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

PARTIAL_SUFFIX = ".part"
_BLOCK_BYTES = 1 << 20


@contextmanager
def write_whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a binary file that replaces ``path`` when the block ends without an error, and vanishes otherwise.

    Raises
    ------
    OSError
        The folder cannot be written to, or the disk is full.  ``path`` is then as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=PARTIAL_SUFFIX, dir=path.parent)
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    """Make a rename survive a power cut.  Windows has no such call and does not need it."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems refuse it
            os.fsync(handle)
    finally:
        os.close(handle)


def clear_partial_files(folder: Path) -> None:
    """Remove what a crash or a full disk left behind in ``folder``, which no other process may be writing to."""
    for path in folder.glob(f".*{PARTIAL_SUFFIX}"):
        with suppress(OSError):
            path.unlink()


def write_json(path: Path, data: Any) -> None:
    """Write standard JSON (no NaN, no Infinity), readable by a person.

    Raises
    ------
    ValueError
        ``data`` holds a number that JSON has no word for.
    """
    text = json.dumps(data, indent=1, allow_nan=False, ensure_ascii=False)
    with write_whole(path) as file:
        file.write(text.encode())


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It is not JSON in UTF-8.
    """
    return json.loads(path.read_bytes().decode("utf-8"))


def content_hash(path: Path, check: Callable[[], None] | None = None) -> str:
    """Return the hash of a file's content (blake2b, 40 hexadecimal digits).

    Parameters
    ----------
    path
        The file.
    check
        Called before each block; what it raises ends the reading.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    digest = hashlib.blake2b(digest_size=20)
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            if check is not None:
                check()
            digest.update(block)
    return digest.hexdigest()


def free_path(path: Path) -> Path:
    """Return ``path``, or the first of ``name (2).wav``, ``name (3).wav``, ... that does not exist."""
    found, number = path, 2
    while os.path.lexists(found):
        found, number = path.with_name(f"{path.stem} ({number}){path.suffix}"), number + 1
    return found


@contextmanager
def write_new(path: Path) -> Iterator[tuple[IO[bytes], Path]]:
    """Open a binary file that appears when the block ends without an error, and never takes the place of another.

    Yields the file and its path: ``path``, or a free one like it.  The name is reserved by an empty file, so that two
    programs that save at once do not choose the same.

    Raises
    ------
    OSError
        The folder cannot be written to, or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        target = free_path(path)
        try:
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
            break
        except FileExistsError:
            continue
    try:
        with write_whole(target) as file:
            yield file, target
    except BaseException:
        with suppress(OSError):
            target.unlink()
        raise
