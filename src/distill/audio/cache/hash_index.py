"""The content hash of a sound file, and a memory of it, so that a file that did not change is not read again.

The memory is a text file to which each process appends one line a file: ``[path, size, mtime_ns, ctime_ns, hash]``.  A
line that cannot be read is no memory of anything; losing all of them costs reading the files once more.  Appending is
why it does not go through `write_whole`: rewriting the whole list for each of 500 files would cost more than hashing.
"""

import hashlib
import json
import os
import stat
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from distill.audio.decoding.access_errors import link_reason
from distill.audio.decoding.open_sound import UnreachableSoundError
from distill.errors import Cancelled
from distill.files import file_stamp, write_whole
from distill.json_files import parse_json

_BLOCK_BYTES = 1 << 20

# A file may be written twice within one tick of its time stamp (2 s on FAT); a younger one is hashed every time.
_SETTLED_NS = 2_500_000_000

Key = tuple[str, int, int]
#: A `Key`, and the time at which the file itself was changed (on Windows: made).  It tells files of an archive apart
#: that were renamed: they have one time of change, and are often equally long.
RenameKey = tuple[str, int, int, int]


class HashIndex:
    """Content hashes by path, size and times of change.

    Parameters
    ----------
    file
        Where they are remembered.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[RenameKey, str] = {}
        self._lock = threading.Lock()
        self._loaded = False

    def content_hash(self, path: Path, cancel_event: threading.Event | None = None) -> str:
        """Return the content hash of a file (blake2b of its bytes, 40 hexadecimal digits).

        Raises
        ------
        UnreachableSoundError
            The file cannot be read; the message is the reason alone.
        Cancelled
            ``cancel_event`` was set.
        """
        try:
            key = rename_key(path)
            with self._lock:
                self._load()
                known_hash = self._known.get(key)
            if known_hash is not None and os.access(path, os.R_OK):
                return known_hash
            content_hash = _hash_file(path, cancel_event)
            settled = time.time_ns() - key[2] > _SETTLED_NS
            if settled and rename_key(path) == key:
                self._remember(key, content_hash)
        except OSError as exc:
            raise UnreachableSoundError(link_reason(path, exc)) from exc
        return content_hash

    def remembered(self, path: Path) -> set[str]:
        """Return all hashes that are remembered for a path, whatever size and time of change the file had."""
        name = os.path.abspath(path)  # noqa: PTH100 - Path has no such call
        with self._lock:
            self._load()
            return {content_hash for key, content_hash in self._known.items() if key[0] == name}

    def _load(self) -> None:
        """Read the memory, once."""
        if self._loaded:
            return
        self._loaded = True
        try:
            lines = self._file.read_bytes().splitlines()
        except OSError:
            return
        for line in lines:
            with suppress(ValueError, TypeError):
                name, size, mtime_ns, *ctime_ns, digest = parse_json(line)
                if isinstance(name, str) and isinstance(digest, str) and len(digest) == 40 and digest.isalnum():
                    # Lines of older versions have no second time: they are good for `remembered` only.
                    (changed,) = map(int, ctime_ns or [0])
                    self._known[(name, int(size), int(mtime_ns), changed)] = digest
        if len(lines) > 4 * len(self._known) + 1000:
            self._rewrite()

    def _remember(self, key: RenameKey, found: str) -> None:
        with self._lock:
            self._known[key] = found
            with suppress(OSError):
                self._file.parent.mkdir(parents=True, exist_ok=True)
                with self._file.open("ab") as file:
                    file.write(_line(key, found))

    def _rewrite(self) -> None:
        with suppress(OSError), write_whole(self._file) as file:
            file.writelines(_line(key, found) for key, found in self._known.items())


def _line(key: RenameKey, found: str) -> bytes:
    # It begins with a line end too: the line before may have been cut by a crash.
    return f"\n{json.dumps([*key, found])}\n".encode("ascii")


def file_key(path: Path) -> Key:
    """Return what changes when a file's content changes.

    Raises
    ------
    OSError
        The file is not there, or its folder cannot be read.
    """
    return rename_key(path)[:3]


def rename_key(path: Path) -> RenameKey:
    """Return what changes when another file gets a path as well; errors are those of `file_key`."""
    stamp = file_stamp(path)
    return os.path.abspath(path), *stamp  # noqa: PTH100 - Path has no such call


def _hash_file(path: Path, cancel_event: threading.Event | None) -> str:
    def check() -> None:
        if cancel_event is not None and cancel_event.is_set():
            raise Cancelled

    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # opening a pipe would wait for ever
        raise UnreachableSoundError("is not a regular file")
    return content_hash(path, check)


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
