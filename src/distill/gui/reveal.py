"""Show a file where it lies: the one "Show in folder" of all lists.

Each platform's file manager is asked to open the folder with the file selected.  Where none answers, the folder is
opened without a selection, and of a path that is gone its nearest folder that is still there.  Nothing here waits.
"""

import logging
import os
import sys
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QDir, QProcess, QUrl
from PySide6.QtGui import QDesktopServices

log = logging.getLogger(__name__)

#: The freedesktop.org interface for it (file-manager-interface specification): service, path, interface.
_FILE_MANAGER = ("org.freedesktop.FileManager1", "/org/freedesktop/FileManager1", "org.freedesktop.FileManager1")


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
