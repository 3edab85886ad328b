"""Opens what the desktop passes on: a folder of sounds, or a model file after a double click.

The path comes as an argument of the command line, from a second start of the program
(`distill.gui.window.single_instance`), and on macOS as an event, also while the window is open.  A model is
copied into the user's library and shown there.  The library reads the file without executing anything in it, and
reports one that cannot be used.  That happens on another thread, after the first frame.
"""

import sys
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QFileOpenEvent
from PySide6.QtWidgets import QApplication

from distill.gui.window.main_window import MainWindow

MODEL_SUFFIX = ".distill"


class OpenRequests(QObject):
    """Opens paths in a window.

    Parameters
    ----------
    app
        Receives the desktop's requests.
    window
        Shows what is opened; the Qt parent.
    """

    def __init__(self, app: QApplication, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._waiting: list[Path] | None = []  # paths that come before the window is ready
        window.ready.connect(self._on_ready)
        if sys.platform == "darwin":  # elsewhere each event of the program would pass through Python for nothing
            app.installEventFilter(self)

    def open(self, path: Path) -> None:
        """Show a folder of sounds, or import a model."""
        if path.suffix.lower() != MODEL_SUFFIX:  # by its name: the disk may not answer
            self._window.open_folder(path)
        elif self._waiting is None:
            self._window.models.files.import_files([path])
        else:
            self._waiting.append(path)

    def open_in_front(self, path: Path | None) -> None:
        """Bring the window to the front and open the path, if there is one: asked for by a second start."""
        window = self._window
        window.setWindowState(window.windowState() & ~Qt.WindowState.WindowMinimized)
        window.show()
        window.raise_()
        window.activateWindow()
        if path is not None:
            self.open(path)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Handle the event that macOS sends for a double click."""
        if isinstance(event, QFileOpenEvent) and event.file():
            self.open(Path(event.file()))
            return True
        return super().eventFilter(watched, event)

    def _on_ready(self) -> None:
        waiting, self._waiting = self._waiting or [], None
        for path in waiting:
            self._window.models.files.import_files([path])
