"""The index of a library: what was read from each model file, so that listing opens none of them.

It holds for each file the size and times that it had when it was read, and what it said, or why it could not be read.
It is a memory, nothing more: what is in it can be read again from the files, and a line that is damaged is read again.
Only the note of what was moved to the trash is nowhere else.  So it lies in the user's cache and not among the models,
whose folder may be on a disk that cannot be written to, or be shared with other computers.
"""

import hashlib
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import filelock

from distill import __version__
from distill.errors import LibraryError, ModelFileError
from distill.files import read_json, write_json
from distill.library.model_entry import ModelFacts, read_facts
from distill.paths import cache_dir

INDEX_NAME, LOCK_NAME = "library.json", "library.lock"
_INDEX_VERSION = 1
#: Seconds after which a library that another process holds is given up, longer than a copy of a model takes.
LOCK_SECONDS = 20.0
_MOST_DELETIONS = 50

log = logging.getLogger(__name__)

#: Size in bytes, and times of the last change of content and of anything about a file, in nanoseconds.
Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class Row:
    """What is known of a file: its facts, or a problem."""

    stamp: Stamp
    facts: ModelFacts | None
    problem: str | None


@dataclass(frozen=True)
class Deletion:
    """A model in the trash: where its file was, where it is, and what it was called."""

    original: Path
    in_trash: Path | None
    name: str


@dataclass
class Index:
    """The index in memory.

    Attributes
    ----------
    rows
        What is known of each file, by its name in the folder.
    deletions
        What was moved to the trash, the newest last.
    """

    rows: dict[str, Row] = field(default_factory=dict)
    deletions: list[Deletion] = field(default_factory=list)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the index in a folder as far as it can be read: none, damaged or newer gives an empty one."""
        made = cls()
        try:
            data = read_json(folder / INDEX_NAME)
            if data["version"] != _INDEX_VERSION:
                return made
            same_program, rows, deletions = data["program"] == __version__, data["models"], data["deleted"]
            for name, row in rows.items():
                parsed = _row(row)
                # What another version could not read, this one may.
                if parsed is not None and (same_program or parsed.problem is None):
                    made.rows[name] = parsed
            for row in deletions:
                there = None if row["in_trash"] is None else Path(row["in_trash"])
                made.deletions.append(Deletion(Path(row["original"]), there, str(row["name"])))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
            if not isinstance(exc, FileNotFoundError):
                log.warning("The index of %s is read anew: %r", folder, exc)
        return made

    def save(self, folder: Path) -> None:
        """Write the index; a folder that cannot be written to is read anew each time instead."""
        data = {
            "version": _INDEX_VERSION,
            "program": __version__,
            "models": {
                name: {
                    "stamp": list(row.stamp),
                    "facts": None if row.facts is None else row.facts.to_dict(),
                    "problem": row.problem,
                }
                for name, row in sorted(self.rows.items())
            },
            "deleted": [
                {
                    "original": str(d.original),
                    "in_trash": None if d.in_trash is None else str(d.in_trash),
                    "name": d.name,
                }
                for d in self.deletions[-_MOST_DELETIONS:]
            ],
        }
        try:
            write_json(folder / INDEX_NAME, data)
        except (OSError, UnicodeEncodeError) as exc:
            log.warning("The index of %s could not be written: %s", folder, exc)


def _row(data: Any) -> Row | None:
    try:
        size, changed, touched = map(int, data["stamp"])
        problem, facts = data["problem"], data["facts"]
        if (facts is None) == (problem is None) or not isinstance(problem, (str, type(None))):
            return None
        return Row((size, changed, touched), None if facts is None else ModelFacts.from_dict(facts), problem)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def index_folder(models_dir: Path) -> Path:
    """Return the folder of the index and the lock of a models folder."""
    name = hashlib.blake2b(os.fsencode(models_dir.resolve()), digest_size=8).hexdigest()
    return cache_dir() / "libraries" / name


def stamp_of(path: Path) -> Stamp:
    """Return what changes when a file changes, or when it becomes readable.

    Raises
    ------
    OSError
        It is not there.
    """
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def read_row(path: Path, stamp: Stamp) -> Row:
    """Read a model file into a row; what is wrong with it is a part of the row."""
    try:
        return Row(stamp, read_facts(path), None)
    except ModelFileError as exc:
        return Row(stamp, None, str(exc))


class LibraryLock:
    """Keeps other processes from changing a library; the thread that holds it may take it again.

    Parameters
    ----------
    folder
        Where the lock lies; see `index_folder`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._threads = threading.RLock()
        self._file = filelock.FileLock(folder / LOCK_NAME, thread_local=False)

    @contextmanager
    def __call__(self, seconds: float = LOCK_SECONDS) -> Iterator[None]:
        """Hold the lock.

        Raises
        ------
        LibraryError
            Another process holds it for longer than ``seconds``, or the folder cannot be written to.
        """
        with self._threads:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._file.acquire(timeout=seconds)
            except filelock.Timeout as exc:
                raise LibraryError(
                    "Another Distill is changing the model library right now. Try again in a moment."
                ) from exc
            except OSError as exc:
                raise LibraryError(
                    f"The index of the models in {self._folder} cannot be written to ({exc.strerror or exc})."
                ) from exc
            try:
                yield
            finally:
                self._file.release()
