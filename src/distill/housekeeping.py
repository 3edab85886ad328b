"""Tidies what killed processes left in Distill's own folders and the system's for temporary files.

The library and runs do the same for theirs.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from distill import paths
from distill.files import clear_partial_files, clear_temporary_folders


def tidy_own_folders() -> None:
    """Remove the temporary files and folders of processes that are gone; takes a moment, and never fails."""
    clear_temporary_folders()
    for folder in _own_folders():
        clear_partial_files(folder)


def _own_folders() -> Iterator[Path]:
    """Yield the folders that Distill makes for itself; those of the cache have folders of their own inside."""
    yield paths.settings_file().parent
    for top in (paths.data_dir(), paths.cache_dir()):
        yield top
        with suppress(OSError):
            for folder in sorted(top.iterdir()):
                if folder.is_dir() and not folder.is_symlink():
                    yield folder
    yield paths.data_dir() / "made" / "models"
