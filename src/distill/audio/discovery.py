"""Finding the sound files among what a musician names or drops: files and folders, links, hidden things, runs."""

import os
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from distill import paths as positions
from distill.audio.decoding.decoder import os_reason
from distill.audio.decoding.formats import SOUND_SUFFIXES, UNREADABLE_SUFFIXES

#: A folder that holds this file is a run of Distill: its sounds are never taken for the musician's.
RUN_MARKER = "run.json"

_FileId = tuple[int, int]


@dataclass(frozen=True)
class SkippedSound:
    """A file or folder that is left out, and why; the reason is a phrase that follows its name."""

    path: Path
    reason: str


def find_sound_files(paths: Iterable[Path | str], skipped: list[SkippedSound] | None = None) -> list[Path]:
    """Return the sound files among and below ``paths``, sorted, each file once.

    Folders are searched to any depth, through links too; hidden files and folders, runs of Distill, its models and
    its cache are not looked into.  What is named itself is always returned when it is a file: whoever names it
    means it, and reading it will tell what is wrong with it.

    Parameters
    ----------
    paths
        Files and folders, mixed.
    skipped
        Receives what cannot be searched or found, with the reason.
    """
    search = _Search([] if skipped is None else skipped)
    for path in paths:
        search.add(Path(os.path.abspath(Path(path).expanduser())))  # noqa: PTH100 - links keep their names
    return search.result()


class _Search:
    """One search: what was found, and which folders were seen (a link may lead back up)."""

    def __init__(self, skipped: list[SkippedSound]) -> None:
        self._skipped = skipped
        self._files: dict[Path, _FileId] = {}
        self._folders: set[_FileId] = set()
        homes = (positions.runs_dir(), positions.models_dir(), positions.cache_dir())
        self._private = {found for home in homes if (found := _file_id(home)) is not None}

    def add(self, path: Path) -> None:
        try:
            status = path.stat()
        except OSError as exc:
            gone = isinstance(exc, FileNotFoundError | NotADirectoryError) and not path.is_symlink()
            self._skip(path, "there is no such file or folder" if gone else os_reason(exc))
            return
        if not stat.S_ISDIR(status.st_mode):
            self._files[path] = (status.st_dev, status.st_ino)
        elif self._inside_private(path):
            self._skip(path, "belongs to Distill (a run, its models or its cache) and is not searched for sounds")
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
        return _file_id(folder) in self._private or os.path.lexists(folder / RUN_MARKER)

    def _walk(self, top: Path) -> None:
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            identity = _file_id(folder)
            if identity is None or identity in self._folders or (folder != top and self._is_private(folder)):
                continue
            self._folders.add(identity)
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
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
            return
        try:
            status = path.stat()
        except OSError as exc:
            self._skip(path, "is a link to a file that is not there" if entry.is_symlink() else os_reason(exc))
            return
        if stat.S_ISREG(status.st_mode):
            self._files[path] = (status.st_dev, status.st_ino)


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
