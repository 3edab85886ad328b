"""Moves files and folders to the trash of the system."""

import logging
from pathlib import Path

from PySide6.QtCore import QFile

from distill import trash
from distill.files import free_path

log = logging.getLogger(__name__)


def move_to_trash(path: Path, own_folder: Path | None = None) -> Path | None:
    """Move a file or folder to the trash and return its new path; None if the system does not report it.

    Parameters
    ----------
    path
        What to move.
    own_folder
        Used where the system has no trash for this disk.

    Raises
    ------
    OSError
        It cannot be moved, and is where it was.
    """
    file = QFile(str(path))
    if file.moveToTrash():
        there = Path(file.fileName())
        return there if there != path and there.exists() else None
    try:
        return trash.move_to_trash(path)
    except OSError as exc:
        log.info("There is no trash for %s: %s", path, exc)
        if own_folder is None:
            raise
    own_folder.mkdir(exist_ok=True)
    return path.rename(free_path(own_folder / path.name))
