"""Show in folder: the desktop's file manager opens on a file.

`reveal` lets each platform's file manager open the folder with the file selected.  Where none answers, the folder is
opened without a selection; of a path that no longer exists, the nearest existing folder.  Where no program shows
folders at all, `reveal_failure` emits that.

Nothing here waits for the disk: a share that is gone takes minutes to answer.
"""

import logging
import os
import sys
from contextlib import suppress
from functools import cache, partial
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QDir, QObject, QProcess, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QGuiApplication

from distill.computing.unresponsive_drives import ask_disk
from distill.gui.background_tasks import BackgroundTask
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


def reveal(path: Path, parent: QObject) -> None:
    """Open the file manager on the folder that holds ``path``, with ``path`` selected where that can be had.

    A folder is shown inside its parent, as a file is.  Whether the path exists is found out in the background.

    Parameters
    ----------
    path
        What to show.
    parent
        Whose tasks are waited for at the end (`distill.gui.background_tasks.end_tasks`).
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100 - a link is shown where it lies, not what it leads to
    task = BackgroundTask(lambda _progress, cancel: ask_disk(lambda: _locate(path), cancel), parent)
    task.setObjectName("reveal")
    task.succeeded.connect(partial(_show, path))
    task.start()


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


def _show(path: Path, location: tuple[bool, Path | None] | None) -> None:
    exists, folder = location or (False, None)
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
