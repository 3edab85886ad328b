"""Moves files and folders to the trash of the system by Qt, and otherwise as `distill.trash` does."""

import logging
from pathlib import Path

from PySide6.QtCore import QFile

from distill import trash

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
        path_in_trash = Path(file.fileName())
        return path_in_trash if path_in_trash != path and path_in_trash.exists() else None
    try:
        return trash.move_to_trash(path)
    except OSError as exc:
        log.info("There is no trash for %s: %s", path, exc)
        if own_folder is None:
            raise
    return trash.move_to_own_trash(path, own_folder)
