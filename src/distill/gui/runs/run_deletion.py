"""Moves runs to the trash."""

from collections.abc import Sequence
from pathlib import Path

from distill.errors import RunFolderError
from distill.gui.desktop.system_trash import move_to_trash
from distill.runs.run_owner import is_locked


def delete_runs(folders: Sequence[Path]) -> None:
    """Move runs to the trash; one that cannot be moved does not keep the others.

    Raises
    ------
    RunFolderError
        Some of them stay as they were; the message gives the reason of the first.
    """
    errors: list[RunFolderError] = []
    for folder in folders:
        try:
            delete_run(folder)
        except RunFolderError as exc:
            errors.append(exc)
    if len(errors) > 1:
        raise RunFolderError(f"{len(errors)} of {len(folders)} runs are still there. {errors[0]}") from errors[0]
    if errors:
        raise errors[0]


def delete_run(folder: Path) -> None:
    """Move a run to the trash, from which the user can restore it.

    Raises
    ------
    RunFolderError
        A process trains in it, or there is no trash; the run stays as it was.
    """
    if is_locked(folder):
        raise RunFolderError(f"Another Distill is training in {folder} right now. Stop it there before you delete it.")
    try:
        move_to_trash(folder)
    except OSError as exc:
        text = f"{folder} cannot be moved to a trash here. Delete the folder yourself to make room."
        raise RunFolderError(text) from exc
