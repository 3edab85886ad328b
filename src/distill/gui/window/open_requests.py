"""What the desktop hands over: a folder of sounds, or a model on which somebody has clicked twice.

It comes as an argument of the command line, and on macOS as an event, also while the window is open already.  A model
is copied into the user's library and shown among the models.  The library reads the file without running anything in
it and says what is wrong with one that cannot be used.  That reads from a disk, so it happens on another thread,
after the first frame.
"""

from pathlib import Path

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QFileOpenEvent
from PySide6.QtWidgets import QApplication

from distill.gui.window.window import MainWindow

MODEL_SUFFIX = ".distill"


class OpenRequests(QObject):
    """Opens what it is given in a window, whose child it is.

    Parameters
    ----------
    app
        Gets the desktop's requests.
    window
        Shows what is opened.
    """

    def __init__(self, app: QApplication, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._waiting: list[Path] | None = []  # until the first frame, and all that comes behind it
        window.ready.connect(self._on_ready)
        app.installEventFilter(self)

    def open(self, path: Path) -> None:
        """Show a folder of sounds, or put a model into the library."""
        if path.suffix.lower() != MODEL_SUFFIX or path.is_dir():
            self._window.open_folder(path)
        elif self._waiting is None:
            self._window.models.import_files([path])
        else:
            self._waiting.append(path)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take what macOS sends for a double click."""
        if isinstance(event, QFileOpenEvent) and event.file():
            self.open(Path(event.file()))
            return True
        return super().eventFilter(watched, event)

    def _on_ready(self) -> None:
        waiting, self._waiting = self._waiting or [], None
        for path in waiting:
            self._window.models.import_files([path])
