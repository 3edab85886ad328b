"""The stars of a run's previews.

They lie in the run's ``previews`` folder, by file name, so that they travel with it.  Reading and writing happen off
the window's thread, one after the other; each writing reads first, so that nothing that was starred meanwhile is lost.
"""

import logging
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NamedTuple

from PySide6.QtCore import QObject, Signal

from distill.gui.background_tasks import TaskQueue
from distill.gui.user_errors import error_text
from distill.json_files import read_json, write_json

log = logging.getLogger(__name__)

#: Name of the file beside the previews, and of one that could not be understood.
STARS_FILE, DAMAGED_FILE = "starred.json", "starred.damaged.json"
_VERSION = 1


class StarChange(NamedTuple):
    """Files that got a star, or lost it."""

    names: frozenset[str]
    starred: bool


class _Update(NamedTuple):
    folder: Path
    names: frozenset[str]
    was_damaged: bool


def read_stars(folder: Path) -> frozenset[str]:
    """Return the names of the starred files of a folder; empty if there is no file of stars.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It is not what `update_stars` writes.
    """
    try:
        data = read_json(folder / STARS_FILE)
    except FileNotFoundError:
        return frozenset()
    names = data.get("starred") if isinstance(data, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("it does not list any names")
    return frozenset(names)


def update_stars(folder: Path, changes: list[StarChange]) -> _Update:
    """Apply changes to the stars of a folder; an unreadable file is renamed, not overwritten.

    Raises
    ------
    OSError
        The file cannot be read or written.
    """
    was_damaged = False
    try:
        names = read_stars(folder)
    except ValueError as exc:
        log.warning("The stars of %s are damaged: %s", folder, exc)
        (folder / STARS_FILE).replace(folder / DAMAGED_FILE)
        names, was_damaged = frozenset(), True
    if changes:
        names = _applied(names, changes)
        write_json(folder / STARS_FILE, {"version": _VERSION, "starred": sorted(names)})
    return _Update(folder, names, was_damaged)


def _applied(names: frozenset[str], changes: list[StarChange]) -> frozenset[str]:
    for those, starred in changes:
        names = names | those if starred else names - those
    return names


def are_all_starred(paths: Collection[Path], starred: Collection[Path]) -> bool:
    """Whether there are sounds and all of them are starred: the next click then removes their stars."""
    return bool(paths) and all(path in starred for path in paths)


class Stars(QObject):
    """The stars of the run that is shown."""

    #: Other sounds are starred now.
    changed = Signal()
    #: They cannot be read or kept: a sentence for the user.
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folder: Path | None = None
        self._names: frozenset[str] = frozenset()
        self._is_read = False
        self._waiting: dict[Path, list[StarChange]] = {}
        self._refused: dict[Path, list[StarChange]] = {}  # could not be written; the next star tries again
        self._tasks = TaskQueue("stars", self, keeps=True)  # one at a time: what comes next is chosen when nothing runs
        self._tasks.idle.connect(self._go_on)

    @property
    def paths(self) -> frozenset[Path]:
        """The sounds that are starred."""
        folder = self._folder
        return frozenset(folder / name for name in self._names) if folder is not None else frozenset()

    def open(self, folder: Path | None) -> None:
        """Go to the previews of a run; None when none is shown."""
        if folder == self._folder:
            return
        self._folder, self._names, self._is_read = folder, frozenset(), False
        self.changed.emit()
        self._go_on()

    def toggle(self, paths: list[Path]) -> None:
        """Star sounds of this run; remove their stars where all of them have one."""
        self.set_starred(paths, not are_all_starred(paths, self.paths))

    def set_starred(self, paths: list[Path], starred: bool) -> None:
        """Star sounds of this run, or remove their stars."""
        folder = self._folder
        if folder is None:
            return
        names = frozenset(path.relative_to(folder).as_posix() for path in paths if folder in path.parents)
        if not names:
            return
        change = StarChange(names, starred)
        self._names = _applied(self._names, [change])
        pending = self._refused.pop(folder, []) + self._waiting.pop(folder, [])
        self._waiting[folder] = [*pending, change]
        self.changed.emit()
        self._go_on()

    def close(self) -> None:
        """Write pending changes and wait for them; later changes are refused."""
        self._tasks.close()
        for folder in [*self._refused, *self._waiting]:
            try:
                update_stars(folder, self._refused.pop(folder, []) + self._waiting.pop(folder, []))
            except OSError as exc:
                log.warning("The stars of %s cannot be kept: %s", folder, exc)

    def _go_on(self) -> None:
        """Start the next task, if none is running."""
        if self._tasks.is_busy:
            return
        if self._waiting:
            folder = next(iter(self._waiting))
            self._start(folder, self._waiting.pop(folder))
        elif self._folder is not None and not self._is_read:
            self._start(self._folder, [])

    def _start(self, folder: Path, changes: list[StarChange]) -> None:
        def work(_notify: Callable[[Any], None], _cancelled: threading.Event) -> _Update:
            return update_stars(folder, changes)

        def on_failed(exc: Exception) -> None:
            reason = getattr(exc, "strerror", None) or error_text(exc).rstrip(".")
            if changes:
                self._refused[folder] = changes
                self.failed.emit(self.tr("Your star cannot be kept ({0}). The next one tries again.").format(reason))
            else:
                self.failed.emit(self.tr("The stars of this run cannot be read ({0}).").format(reason))
            self._is_read = self._is_read or folder == self._folder

        self._tasks.submit(work, self._on_updated, on_failed)

    def _on_updated(self, update: _Update) -> None:
        if update.was_damaged:
            text = self.tr("The stars of this run could not be understood and start afresh. The old ones are in {0}.")
            self.failed.emit(text.format(update.folder / DAMAGED_FILE))
        if update.folder == self._folder:
            self._names = _applied(update.names, self._waiting.get(update.folder, []))
            self._is_read = True
            self.changed.emit()
