"""What the desktop does with files for the window: "Show in folder", and the trash.

`reveal` lets each platform's file manager open the folder with the file selected.  Where none answers, the folder is
opened without a selection; of a path that no longer exists, the nearest existing folder.  Where no program shows
folders at all, `reveal_failure` emits that.  Nothing there waits.
"""

import logging
import os
import sys
from functools import cache
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QDir, QFile, QObject, QProcess, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QGuiApplication

from distill import trash
from distill.files import free_path
from distill.gui.widgets.notices import NoticeAction, NoticeBar

log = logging.getLogger(__name__)

#: The freedesktop.org interface for it (file-manager-interface specification): service, path, interface.
_FILE_MANAGER = ("org.freedesktop.FileManager1", "/org/freedesktop/FileManager1", "org.freedesktop.FileManager1")


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


def reveal(path: Path) -> None:
    """Open the file manager on the folder that holds ``path``, with ``path`` selected where that can be had.

    A folder is shown inside its parent, as a file is.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100 - a link is shown where it lies, not what it leads to
    if not path.exists():
        _open_folder(path)
    elif sys.platform == "win32":
        if not _start("explorer", ["/select,", QDir.toNativeSeparators(str(path))]):
            _open_folder(path)
    elif sys.platform == "darwin":
        if not _start("open", ["-R", str(path)]):
            _open_folder(path)
    elif not _ask_file_manager(path):
        _open_folder(path)


def _start(program: str, arguments: list[str]) -> bool:
    answer = QProcess.startDetached(program, arguments)
    return bool(answer[0] if isinstance(answer, tuple) else answer)


def _open_folder(path: Path) -> None:
    folder = next((parent for parent in path.parents if parent.is_dir()), None)
    if folder is None or not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
        log.warning("No program shows the folder of %s", path)
        reveal_failure().happened.emit(path)


def _ask_file_manager(path: Path) -> bool:
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
            _open_folder(path)
        finished.deleteLater()

    watcher.finished.connect(on_finished)
    return True


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
