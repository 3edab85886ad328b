"""In which folder a file dialog starts: whether it answers is found out in the background."""

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QStandardPaths

from distill.computing.unresponsive_drives import ask_disk
from distill.gui.background_tasks import BackgroundTask


def first_folder() -> Path:
    """Return where sounds are written before the user has chosen a folder: that of music or of documents."""
    places = QStandardPaths.StandardLocation.MusicLocation, QStandardPaths.StandardLocation.DocumentsLocation
    return Path(next(filter(None, map(QStandardPaths.writableLocation, places)), Path.home()))


class StartFolders(QObject):
    """Says in which folder a file dialog starts: the wanted one, or the home folder where that does not answer.

    A dialog looks into its folder when it opens, in the window's thread, and would freeze the window at a share that
    is gone.  So the folder is looked into before, in the background: call `look` as soon as it is known.

    Parameters
    ----------
    parent
        Whose tasks are waited for at the end (`distill.gui.background_tasks.end_tasks`).
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._names_in_folders: dict[Path, frozenset[str]] = {}  # of what is in the folders that have answered
        self._looking: dict[Path, BackgroundTask] = {}

    def look(self, folder: Path) -> None:
        """Find out in the background whether a folder is there, and what is in it."""
        if folder in self._looking:
            return
        task = BackgroundTask(lambda _progress, cancel: ask_disk(lambda: _names_in(folder), cancel), self)
        task.setObjectName("startFolder")
        task.succeeded.connect(partial(self._on_looked, folder))
        task.ended.connect(partial(self._looking.pop, folder, None))
        self._looking[folder] = task
        task.start()

    def start(self, folder: Path) -> Path:
        """Return where a dialog starts that is wanted to start in a folder, and look into it again for the next one."""
        can_dialog_start_there = folder in self._names_in_folders and folder not in self._looking
        self.look(folder)
        return folder if can_dialog_start_there else Path.home()

    def names(self, folder: Path) -> frozenset[str]:
        """Return the names in a folder, as far as they are known."""
        return self._names_in_folders.get(folder, frozenset())

    def _on_looked(self, folder: Path, names: frozenset[str] | None) -> None:
        self._names_in_folders.pop(folder, None)
        if names is not None:
            self._names_in_folders[folder] = names


def _names_in(folder: Path) -> frozenset[str] | None:
    """Return the names in a folder; None where it is not there or cannot be read."""
    try:
        return frozenset(path.name for path in folder.iterdir())
    except (OSError, ValueError):  # a NUL in a damaged setting
        return None
