"""Ctrl-C and the system's request to end, which close the window.

They come in through a socket, because Python runs signal handlers only between two of its own instructions, and Qt's
loop has none.  The window closes in the event loop and never in the handler, which can interrupt a step of building.
"""

import signal
import socket
from contextlib import suppress
from types import FrameType

from PySide6.QtCore import QSocketNotifier, QTimer

from distill.gui.window.main_window import MainWindow


class QuitSignals:
    """Lets Ctrl-C and the system's request to end close the window, with a checkpoint of a training."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._handlers = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        self._notifier = QSocketNotifier(self._reader.fileno(), QSocketNotifier.Type.Read)
        self._notifier.activated.connect(self._on_readable)

    def close(self) -> None:
        """Give the signals back."""
        self._notifier.setEnabled(False)
        signal.set_wakeup_fd(self._before)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._reader.close()
        self._writer.close()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        """Replaces the default, which ends the process.  Python has written to the socket already."""

    def _on_readable(self) -> None:
        with suppress(OSError):
            self._reader.recv(64)
        QTimer.singleShot(0, self._window, self._window.quit_now)
