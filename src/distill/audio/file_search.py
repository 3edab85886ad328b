"""Finds the sound files among files and folders, and accounts for everything else that it meets."""

import os
import stat
import sys
import threading
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from distill import paths as positions
from distill.audio.decoding.access_errors import link_reason, os_reason
from distill.audio.decoding.sound_suffixes import SOUND_SUFFIXES, UNREADABLE_SUFFIXES
from distill.audio.scan_result import SkippedSound
from distill.errors import Cancelled
from distill.json_files import read_json
from distill.paths import MOST_RECORD_BYTES, RUN_MARKER

#: Keys of the record of every run since the first version, by which another program's ``run.json`` is told apart.
_RECORD_KEYS = frozenset(("version", "config", "sounds", "status"))
PRIVATE_REASON = "belongs to Distill (a run, its models or its cache) and is not searched for sounds"

_FileId = tuple[int, int]


def find_sound_files(
    paths: Iterable[Path | str],
    skipped: list[SkippedSound] | None = None,
    passed_over: "Counter[str] | None" = None,
    cancel_event: threading.Event | None = None,
) -> list[Path]:
    """Return the sound files among and below ``paths``, sorted, each file once.

    Folders are searched to any depth, through links too; hidden files and folders, runs of Distill, its models and
    its cache are not searched.  A file that is named itself is always returned; reading it shows what is wrong with it.

    Parameters
    ----------
    paths
        Files and folders, mixed.
    skipped
        Receives what cannot be searched or found, with the reason.
    passed_over
        Counts the files that are no sounds by their suffix, which is ``""`` for names without one.
    cancel_event
        Ends the search early.

    Raises
    ------
    Cancelled
        ``cancel_event`` was set.
    """
    search = _Search(
        [] if skipped is None else skipped, Counter() if passed_over is None else passed_over, cancel_event
    )
    for path in paths:
        search.add(Path(os.path.abspath(_at_home(Path(path)))))  # noqa: PTH100 - links keep their names
    return search.result()


def _at_home(path: Path) -> Path:
    """Return a path with the user's home in place of ``~``; other names that begin with one are names as any."""
    if path.parts[:1] != ("~",) or os.path.lexists(path):
        return path
    return path.expanduser()


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run of Distill: it holds the record of one, whole or damaged.

    Other programs write a ``run.json`` as well.  A record that cannot be read counts where a history, checkpoints or
    previews lie beside it.
    """
    marker = folder / RUN_MARKER
    try:
        if not stat.S_ISREG(marker.stat().st_mode):
            return False
    except OSError:
        return False
    with suppress(OSError, ValueError):
        record = read_json(marker, MOST_RECORD_BYTES)
        if isinstance(record, dict) and record.keys() >= _RECORD_KEYS:
            return True
    beside = ("history.jsonl", "checkpoints/checkpoint_epoch*.pt", "previews/*_epoch*.wav")
    return any(next(folder.glob(pattern), None) is not None for pattern in beside)


class _Search:
    """One search: what was found, and which folders were seen (a link may lead back up)."""

    def __init__(
        self, skipped: list[SkippedSound], passed_over: "Counter[str]", cancel_event: threading.Event | None
    ) -> None:
        self._skipped, self._cancel_event = skipped, cancel_event
        self._passed_over = passed_over
        self._files: dict[Path, _FileId] = {}
        self._folders: set[_FileId] = set()
        homes = (positions.runs_dir(), positions.models_dir(), positions.cache_dir())
        self._private = {found for home in homes if (found := _file_id(home)) is not None}

    def add(self, path: Path) -> None:
        try:
            status = path.stat()
        except OSError as exc:
            gone = isinstance(exc, FileNotFoundError | NotADirectoryError) and not path.is_symlink()
            self._skip(path, "there is no such file or folder" if gone else link_reason(path, exc))
            return
        if not stat.S_ISDIR(status.st_mode):
            self._files[path] = (status.st_dev, status.st_ino)
        elif self._inside_private(path):
            self._skip(path, PRIVATE_REASON)
        else:
            self._walk(path)

    def result(self) -> list[Path]:
        """Return one path for each file, whatever the order in which they were found."""
        first: dict[_FileId, Path] = {}
        for path in sorted(self._files, key=path_order):
            first.setdefault(self._files[path], path)
        return list(first.values())

    def _skip(self, path: Path, reason: str) -> None:
        self._skipped.append(SkippedSound(path, reason))

    def _inside_private(self, path: Path) -> bool:
        real = path.resolve()
        return any(self._is_private(folder) for folder in (real, *real.parents))

    def _is_private(self, folder: Path) -> bool:
        return _file_id(folder) in self._private or is_run(folder)

    def _walk(self, top: Path) -> None:
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            identity = _file_id(folder)
            if identity is None or identity in self._folders:
                continue
            self._folders.add(identity)
            if folder != top and self._is_private(folder):
                self._skip(folder, PRIVATE_REASON)
                continue
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if self._cancel_event is not None and self._cancel_event.is_set():
                            raise Cancelled
                        self._take(entry, waiting)
            except OSError as exc:
                self._skip(folder, os_reason(exc).replace("the file", "the folder"))

    def _take(self, entry: "os.DirEntry[str]", waiting: list[Path]) -> None:
        path = Path(entry.path)
        if entry.name.startswith(".") or _is_hidden_by_system(entry):
            return
        try:
            if entry.is_dir():
                waiting.append(path)
                return
        except OSError:  # a link that leads nowhere, or to itself
            pass
        if path.suffix.lower() not in SOUND_SUFFIXES | UNREADABLE_SUFFIXES:
            self._passed_over[path.suffix.lower()] += 1
            return
        try:
            status = path.stat()
        except OSError as exc:
            self._skip(path, link_reason(path, exc))
            return
        if stat.S_ISREG(status.st_mode):
            self._files[path] = (status.st_dev, status.st_ino)
        else:
            self._skip(path, "is not a regular file")


def _is_hidden_by_system(entry: "os.DirEntry[str]") -> bool:
    if sys.platform != "win32":
        return False
    with suppress(OSError):
        return bool(entry.stat(follow_symlinks=False).st_file_attributes & stat.FILE_ATTRIBUTE_HIDDEN)
    return False


def _file_id(path: Path) -> _FileId | None:
    with suppress(OSError):
        status = path.stat()
        return status.st_dev, status.st_ino
    return None


def path_order(path: Path) -> tuple[str, str]:
    """Return the key that files are listed by."""
    return str(path).casefold(), str(path)
