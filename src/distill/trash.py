"""The system's trash, without Qt, and the way back out of it.

On Linux and its relatives the trash is a folder that the freedesktop.org Trash specification 1.0 describes, so that
what is deleted here is seen by every file manager.  Windows and macOS have calls of their own, which the send2trash
package makes.
"""

import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from distill.files import free_path


def move_to_trash(path: Path) -> Path | None:
    """Move a file to the trash and return where it lies now, or None where the system does not tell.

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


def restore_from_trash(in_trash: Path, original: Path) -> Path:
    """Move a file back and return its path: the one it had, or one beside it where that is taken.

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


def _move_by_system(path: Path) -> Path | None:
    try:
        from send2trash import send2trash
    except ImportError as exc:
        raise OSError(f"{path.name} cannot be moved to the trash: the package send2trash is not installed.") from exc
    send2trash(str(path))
    there = Path.home() / ".Trash" / path.name
    return there if sys.platform == "darwin" and there.exists() else None


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
        if target.exists():
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
