"""Moves files to the system's trash and back, without Qt.

On Linux and its relatives the trash is a folder that the freedesktop.org Trash specification 1.0 describes, so that
file managers see what is deleted here.  On Windows and macOS the package send2trash calls the system.
"""

import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Self
from urllib.parse import quote, unquote_to_bytes

from distill.files import free_path


@dataclass(frozen=True)
class Deletion:
    """A file in the trash.

    Attributes
    ----------
    original
        Where it was.
    in_trash
        Where it is, or None where the system does not tell.
    name
        What it is called, for people.
    pending
        Whether it was about to be moved: noted before, so that a process that is killed loses no file.
    """

    original: Path
    in_trash: Path | None
    name: str
    pending: bool = False

    def settled(self) -> Self | None:
        """Return the deletion as the files show it: None where the file is back, or was never moved."""
        if self.pending:
            if os.path.lexists(self.original):
                return None
            return replace(self, in_trash=find_in_trash(self.original), pending=False)
        if self.in_trash is not None and self.original.exists() and not os.path.lexists(self.in_trash):
            return None
        return self


def move_to_trash(path: Path) -> Path | None:
    """Move a file to the trash and return its path there, or None where the system does not tell.

    Raises
    ------
    OSError
        It cannot be moved; it is then where it was.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100 - the file itself, not what a link points to
    if sys.platform in ("win32", "darwin"):
        return _move_by_system(path)
    error: OSError | None = None
    for folder, top in _trash_folders(path):
        try:
            return _move_into(path, folder, top)
        except OSError as exc:  # a disk whose top folder is not ours to write to: the next one
            error = exc
    raise error or OSError(f"There is no trash for {path}.")


def move_to_own_trash(path: Path, own_folder: Path) -> Path:
    """Move a file to a folder of ours and return its path there: where the system has no trash for its disk.

    Raises
    ------
    OSError
        It cannot be moved.
    """
    own_folder.mkdir(exist_ok=True)
    return path.rename(free_path(own_folder / path.name))


def restore_from_trash(in_trash: Path, original: Path) -> Path:
    """Move a file back and return its path: the original one, or a free one beside it.

    Raises
    ------
    OSError
        It is not in the trash any more, or cannot be moved.
    """
    original.parent.mkdir(parents=True, exist_ok=True)
    target = free_path(original)
    in_trash.stat()  # says that it is gone before anything is touched
    shutil.move(in_trash, target)
    with suppress(OSError):
        (in_trash.parent.parent / "info" / f"{in_trash.name}.trashinfo").unlink()
    return target


def find_in_trash(original: Path) -> Path | None:
    """Return where a file lies that was moved to the trash last from ``original``, or None where that is unknown."""
    if sys.platform in ("win32", "darwin"):
        return None
    original = Path(os.path.abspath(original))  # noqa: PTH100 - the file itself, not what a link points to
    found: list[tuple[str, Path]] = []
    try:
        folders = list(_trash_folders(original.parent))
    except OSError:
        return None
    for folder, top in folders:
        with suppress(OSError):
            for note in (folder / "info").glob("*.trashinfo"):
                with suppress(OSError, ValueError):
                    facts = dict(line.partition("=")[::2] for line in note.read_text("ascii").splitlines())
                    where = Path(os.fsdecode(unquote_to_bytes(facts.get("Path", ""))))
                    in_trash = folder / "files" / note.name.removesuffix(".trashinfo")
                    if (top / where if top else where) == original and os.path.lexists(in_trash):
                        found.append((facts.get("DeletionDate", ""), in_trash))
    return max(found, default=("", None))[1]


def _move_by_system(path: Path) -> Path | None:
    try:
        from send2trash import send2trash
    except ImportError as exc:
        raise OSError(f"{path.name} cannot be moved to the trash: the package send2trash is not installed.") from exc
    send2trash(str(path))
    in_trash = Path.home() / ".Trash" / path.name
    return in_trash if sys.platform == "darwin" and in_trash.exists() else None


def _trash_folders(path: Path) -> Iterator[tuple[Path, Path | None]]:
    """Yield the trash folders for a file, the best first, and for those of a disk its top folder."""
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    home = data / "Trash"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    device = path.lstat().st_dev
    if home.stat().st_dev != device:
        top = path.parent
        while top.parent != top and top.parent.stat().st_dev == device:
            top = top.parent
        shared, uid = top / ".Trash", os.getuid()
        with suppress(OSError):
            mode = shared.lstat().st_mode
            if stat.S_ISDIR(mode) and mode & stat.S_ISVTX:
                yield shared / str(uid), top
        yield top / f".Trash-{uid}", top
    yield home, None


def _move_into(path: Path, trash: Path, top: Path | None) -> Path:
    """Write the note of where the file was, under a name that nothing in the trash has, then move it."""
    files, notes = trash / "files", trash / "info"
    for folder in (trash, files, notes):
        folder.mkdir(mode=0o700, exist_ok=True)
    where = path if top is None else path.relative_to(top)
    date = datetime.now().isoformat(timespec="seconds")
    text = f"[Trash Info]\nPath={quote(os.fsencode(where))}\nDeletionDate={date}\n"
    number = 1
    while True:
        name = path.name if number == 1 else f"{path.stem}.{number}{path.suffix}"
        note, target = notes / f"{name}.trashinfo", files / name
        number += 1
        if os.path.lexists(target):
            continue
        try:
            with note.open("x", encoding="ascii") as file:  # the specification's lock: only one can make it
                file.write(text)
            break
        except FileExistsError:
            continue
    try:
        shutil.move(path, target)
    except BaseException:
        note.unlink(missing_ok=True)
        raise
    return target
