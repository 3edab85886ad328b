"""The index of a library: what was read from each model file, so that listing opens none of them.

For each file it holds the size and times of the reading, and the facts, or why the content cannot be used.  It is a
cache: all of it but the note of what was moved to the trash can be read again from the files, and a damaged row is.
An error of access is not kept, because it may be over the next time.  The index lies in the user's cache folder and
not among the models, whose folder may be read-only or shared with other computers.
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
from distill.files import FileStamp, is_access_error
from distill.json_files import read_json, write_json
from distill.library.model_facts import ModelFacts, read_facts
from distill.paths import cache_dir
from distill.trash import Deletion

INDEX_NAME, LOCK_NAME = "library.json", "library.lock"
_INDEX_VERSION = 1
#: Seconds after which a library that another process holds is given up, longer than a copy of a model takes.
LOCK_SECONDS = 20.0
_MOST_DELETIONS = 50

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """What is known of a file: its facts, or a problem.

    Attributes
    ----------
    is_final
        Whether the problem is one of the content; one of access is not kept.
    """

    stamp: FileStamp
    facts: ModelFacts | None
    problem: str | None
    is_final: bool = True


@dataclass
class Index:
    """The index in memory.

    Attributes
    ----------
    rows
        What is known of each file, by its name in the folder.
    deletions
        What was moved to the trash, the newest last.
    is_unread
        Whether there is an index that cannot be read now; it is not replaced.
    """

    rows: dict[str, Row] = field(default_factory=dict)
    deletions: list[Deletion] = field(default_factory=list)
    is_unread: bool = False

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the index in a folder as far as it can be read: none, damaged or newer gives an empty one."""
        index = cls()
        try:
            data = read_json(folder / INDEX_NAME)
        except FileNotFoundError:
            return index
        except (OSError, ValueError) as exc:
            log.warning("The index of %s is read anew: %r", folder, exc)
            index.is_unread = is_access_error(exc)
            return index
        if not isinstance(data, dict) or data.get("version") != _INDEX_VERSION:
            return index
        rows, deletions = data.get("models"), data.get("deleted")
        for name, row in rows.items() if isinstance(rows, dict) else ():
            parsed = _row(row)
            # Another version may be able to read what the version that wrote the index could not.
            if parsed is not None and (parsed.problem is None or data.get("program") == __version__):
                index.rows[name] = parsed
        for row in deletions if isinstance(deletions, list) else ():
            deletion = _deletion(row)
            if deletion is not None:
                index.deletions.append(deletion)
        return index

    def save(self, folder: Path) -> None:
        """Write the index; a folder that cannot be written to is read anew each time instead."""
        if self.is_unread:
            return
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
                if row.is_final
            },
            "deleted": [
                {
                    "original": str(d.original),
                    "in_trash": None if d.in_trash is None else str(d.in_trash),
                    "name": d.name,
                    "pending": d.pending,
                }
                for d in self.deletions[-_MOST_DELETIONS:]
            ],
        }
        try:
            write_json(folder / INDEX_NAME, data)
        except OSError as exc:
            log.warning("The index of %s could not be written: %s", folder, exc)


def _row(data: Any) -> Row | None:
    try:
        size, changed, touched = map(int, data["stamp"])
        problem, facts = data["problem"], data["facts"]
        if (facts is None) == (problem is None) or not isinstance(problem, (str, type(None))):
            return None
        return Row((size, changed, touched), None if facts is None else ModelFacts.from_dict(facts), problem)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None


def _deletion(data: Any) -> Deletion | None:
    try:
        original, in_trash, name = data["original"], data["in_trash"], data["name"]
        pending = data.get("pending", False) is True
        if not isinstance(name, str) or "\0" in original or "\0" in (in_trash or ""):
            return None
        return Deletion(Path(original), None if in_trash is None else Path(in_trash), name, pending)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def index_folder(models_dir: Path) -> Path:
    """Return the folder of the index and the lock of a models folder."""
    name = hashlib.blake2b(os.fsencode(os.path.realpath(models_dir)), digest_size=8).hexdigest()
    return cache_dir() / "libraries" / name


def read_row(path: Path, stamp: FileStamp) -> Row:
    """Read a model file into a row; a problem with the file is part of the row."""
    try:
        return Row(stamp, read_facts(path), None)
    except ModelFileError as exc:
        return Row(stamp, None, str(exc), is_final=not is_access_error(exc.__cause__))


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
