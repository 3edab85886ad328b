"""What the desktop does with files for the window: "Show in folder", the trash, and where file dialogs start.

`reveal` lets each platform's file manager open the folder with the file selected.  Where none answers, the folder is
opened without a selection; of a path that no longer exists, the nearest existing folder.  Where no program shows
folders at all, `reveal_failure` emits that.

Nothing here but `move_to_trash` waits for the disk: a share that is gone takes minutes to answer.
"""

import logging
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QCoreApplication, QDir, QFile, QObject, QProcess, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QGuiApplication

from distill import trash
from distill.files import free_path
from distill.gui.background.background_task import BackgroundTask
from distill.gui.widgets.notices import NoticeAction, NoticeBar

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

#: The freedesktop.org interface for it (file-manager-interface specification): service, path, interface.
_FILE_MANAGER = ("org.freedesktop.FileManager1", "/org/freedesktop/FileManager1", "org.freedesktop.FileManager1")


#: Seconds until a task that waits for a disk notices that it is cancelled.
_POLL_SECONDS = 0.05

#: Topic of the notice about a file whose folder cannot be shown.
TOPIC = "reveal"


class RevealFailure(QObject):
    """Emits the path whose folder no program can show."""

    happened = Signal(object)  # Path


@cache
def reveal_failure() -> RevealFailure:
    """Return the one object of the program."""
    return RevealFailure()


class RevealNotices(QObject):
    """Shows a notice with the path of a file whose folder cannot be shown."""

    def __init__(self, notices: NoticeBar, parent: QObject) -> None:
        super().__init__(parent)
        self._notices = notices
        reveal_failure().happened.connect(self._on_reveal_failed)

    def _on_reveal_failed(self, path: Path) -> None:
        text = self.tr("No program on this computer shows folders. The file is: {0}").format(path)
        copy = NoticeAction(self.tr("Copy path"), lambda: QGuiApplication.clipboard().setText(str(path)))
        self._notices.notify(TOPIC, text, "info", copy)


def reveal(path: Path, parent: QObject) -> None:
    """Open the file manager on the folder that holds ``path``, with ``path`` selected where that can be had.

    A folder is shown inside its parent, as a file is.  Whether the path exists is found out in the background.

    Parameters
    ----------
    path
        What to show.
    parent
        Whose tasks are waited for at the end (`distill.gui.background.background_task.end_tasks`).
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100 - a link is shown where it lies, not what it leads to
    task = BackgroundTask(lambda _progress, cancel: _ask_disk(lambda: _locate(path), cancel), parent)
    task.setObjectName("reveal")
    task.succeeded.connect(partial(_show, path))
    task.start()


def _ask_disk(ask: Callable[[], Answer], cancel: threading.Event) -> Answer | None:
    """Return what a function learns from the disk; None once ``cancel`` is set.

    The function has a thread of its own, which nobody waits for: a share that is gone keeps it for minutes, and a
    window must close at once.
    """
    answers: list[Answer] = []
    has_ended = threading.Event()

    def work() -> None:
        try:
            answers.append(ask())
        finally:
            has_ended.set()

    threading.Thread(target=work, name="disk", daemon=True).start()
    while not has_ended.wait(_POLL_SECONDS):
        if cancel.is_set():
            return None
    return answers[0] if answers else None


def _locate(path: Path) -> tuple[bool, Path | None]:
    """Return whether a path exists, and the nearest folder above it that does."""
    exists = False
    with suppress(OSError):
        exists = path.exists()
    for folder in path.parents:
        with suppress(OSError):
            if folder.is_dir():
                return exists, folder
    return exists, None


def _show(path: Path, found: tuple[bool, Path | None] | None) -> None:
    exists, folder = found or (False, None)
    if not exists:
        _open_folder(path, folder)
    elif sys.platform == "win32":
        if not _start("explorer", ["/select,", QDir.toNativeSeparators(str(path))]):
            _open_folder(path, folder)
    elif sys.platform == "darwin":
        if not _start("open", ["-R", str(path)]):
            _open_folder(path, folder)
    elif not _ask_file_manager(path, folder):
        _open_folder(path, folder)


def _start(program: str, arguments: list[str]) -> bool:
    answer = QProcess.startDetached(program, arguments)
    return bool(answer[0] if isinstance(answer, tuple) else answer)


def _open_folder(path: Path, folder: Path | None) -> None:
    if folder is None or not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
        log.warning("No program shows the folder of %s", path)
        reveal_failure().happened.emit(path)


def _ask_file_manager(path: Path, folder: Path | None) -> bool:
    """Ask the desktop's file manager over D-Bus; False where there is no bus to ask on."""
    if not os.environ.get("DBUS_SESSION_BUS_ADDRESS"):  # Qt would start a bus of its own, which takes a while
        return False
    try:
        from PySide6.QtDBus import QDBusConnection, QDBusMessage, QDBusPendingCallWatcher
    except ImportError:  # a distribution's PySide6 without it
        return False
    bus = QDBusConnection.sessionBus()
    if not bus.isConnected():
        return False
    message = QDBusMessage.createMethodCall(*_FILE_MANAGER, "ShowItems")
    message.setArguments([[QUrl.fromLocalFile(str(path)).toString(QUrl.ComponentFormattingOption.FullyEncoded)], ""])
    watcher = QDBusPendingCallWatcher(bus.asyncCall(message), QCoreApplication.instance())

    def on_finished(finished: QDBusPendingCallWatcher) -> None:
        if finished.isError():  # no file manager takes part in this
            log.info("The file manager does not answer: %s", finished.error().message())
            _open_folder(path, folder)
        finished.deleteLater()

    watcher.finished.connect(on_finished)
    return True


class StartFolders(QObject):
    """Says in which folder a file dialog starts: the wanted one, or the home folder where that does not answer.

    A dialog looks into its folder when it opens, in the window's thread, and would freeze the window at a share that
    is gone.  So the folder is looked into before, in the background: call `look` as soon as it is known.

    Parameters
    ----------
    parent
        Whose tasks are waited for at the end (`distill.gui.background.background_task.end_tasks`).
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._names: dict[Path, frozenset[str]] = {}  # of what is in the folders that have answered
        self._looking: dict[Path, BackgroundTask] = {}

    def look(self, folder: Path) -> None:
        """Find out in the background whether a folder is there, and what is in it."""
        if folder in self._looking:
            return
        task = BackgroundTask(lambda _progress, cancel: _ask_disk(lambda: _names_in(folder), cancel), self)
        task.setObjectName("startFolder")
        task.succeeded.connect(partial(self._on_looked, folder))
        task.ended.connect(partial(self._looking.pop, folder, None))
        self._looking[folder] = task
        task.start()

    def start(self, folder: Path) -> Path:
        """Return where a dialog starts that is wanted to start in a folder, and look into it again for the next one."""
        is_answering = folder in self._names and folder not in self._looking
        self.look(folder)
        return folder if is_answering else Path.home()

    def names(self, folder: Path) -> frozenset[str]:
        """Return the names in a folder, as far as they are known."""
        return self._names.get(folder, frozenset())

    def _on_looked(self, folder: Path, names: frozenset[str] | None) -> None:
        self._names.pop(folder, None)
        if names is not None:
            self._names[folder] = names


def _names_in(folder: Path) -> frozenset[str] | None:
    """Return the names in a folder; None where it is not there or cannot be read."""
    try:
        return frozenset(path.name for path in folder.iterdir())
    except (OSError, ValueError):  # a NUL in a damaged setting
        return None


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
