"""Tidies what killed processes left in Distill's own folders and the system's for temporary files.

The library and runs do the same for theirs.
"""

import hashlib
import os
import platform
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from distill import paths

_PARTIAL = re.compile(r"\..*\.distill-(?P<host>[\da-f]{8})-(?P<pid>\d{1,10})-(?P<process>[\da-f]{8})-[\da-f]{8}\.part")
_TEMPORARY = re.compile(r"distill-[a-z]+-(?P<host>[\da-f]{8})-(?P<pid>\d{1,10})-(?P<process>[\da-f]{8})-\w{8}")
#: This computer, in the names of temporary files.
HOST = hashlib.blake2b(platform.node().encode(errors="replace"), digest_size=4).hexdigest()
#: Tells this process from an earlier one with the same id.
PROCESS = secrets.token_hex(4)


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


def clear_partial_files(folder: Path) -> None:
    """Remove the temporary files that processes which are gone left in ``folder``, one that Distill made.

    Files of other programs, of living processes and of other computers stay; links are not followed.
    """
    if not folder.is_symlink():
        clear_partial(folder, ".")


def clear_partial(folder: Path, prefix: str, of_folders: bool = False) -> None:
    """Remove what `clear_partial_files` does, or such folders, as far as its name begins with ``prefix``."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(prefix):
                continue
            match = _PARTIAL.fullmatch(entry.name)
            is_one = entry.is_dir(follow_symlinks=False) if of_folders else entry.is_file(follow_symlinks=False)
            if match is None or match["host"] != HOST or not is_one:
                continue
            if not _is_alive(int(match["pid"]), match["process"]):
                if of_folders:
                    shutil.rmtree(entry.path, ignore_errors=True)
                    continue
                with suppress(OSError):
                    Path(entry.path).unlink()


def clear_temporary_folders() -> None:
    """Remove the temporary folders that processes of this user left which are gone; links are not followed."""
    if os.name != "posix":  # processes are not told apart there
        return
    with suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            match = _TEMPORARY.fullmatch(entry.name)
            if match is None or match["host"] != HOST or _is_alive(int(match["pid"]), match["process"]):
                continue
            with suppress(OSError):
                if entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_uid == os.getuid():
                    shutil.rmtree(entry.path, ignore_errors=True)


def _is_alive(pid: int, process: str) -> bool:
    """Whether a process still runs; for others on Windows it does not matter, where an open file cannot be deleted."""
    if pid == os.getpid():
        return process == PROCESS
    if os.name != "posix":
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it belongs to another user
        return True
    return True
