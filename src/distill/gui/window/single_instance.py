"""One window for a user: a second start passes on what it was to open, and the running window comes to the front.

The first window holds a lock and listens on a socket: a Unix socket in the cache folder, and on Windows, where Python
has none, a port of this computer whose number and key lie in a file that only the user can read.  A second start sends
one line of JSON and ends when it is answered.  When no answer comes (the window hangs, the socket is left over from a
crash) it opens a window of its own, which is numbered so that the two can be told apart.
"""

import json
import logging
import os
import secrets
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from PySide6.QtCore import QLockFile, QObject, QSocketNotifier, Signal

from distill.json_files import read_json, write_json
from distill.paths import cache_dir

log = logging.getLogger(__name__)

#: Windows beyond this number are not told apart.
MOST = 9
#: Seconds that a second start waits for the answer of the window, which may be busy with starting itself.
ANSWER_SECONDS = 15.0
#: Longest message in bytes, and the answer to it.
_MOST_BYTES, _ANSWER = 65_536, b"shown\n"
#: By this variable a Wayland desktop knows that a window may come to the front.
_ACTIVATION = "XDG_ACTIVATION_TOKEN"
#: Longest path of a Unix socket that all systems take.
_LONGEST_SOCKET_PATH = 100


class InstanceLock:
    """Holds the lowest free number while this process runs; the system frees it when the process dies.

    Attributes
    ----------
    number
        1 for the only window.
    """

    def __init__(self) -> None:
        self.number, self._lock = MOST, None
        with suppress(OSError):
            cache_dir().mkdir(parents=True, exist_ok=True)
        for number in range(1, MOST + 1):
            lock = QLockFile(str(cache_dir() / f"window-{number}.lock"))
            lock.setStaleLockTime(0)  # stale only when the process that holds it is gone
            if lock.tryLock(0):
                self.number, self._lock = number, lock
                return
            if lock.error() is not QLockFile.LockError.LockFailedError:  # no place for lock files: one window
                self.number = 1
                return

    def close(self) -> None:
        """Free the number."""
        if self._lock is not None:
            self._lock.unlock()


def _socket_file() -> Path | None:
    """Return where the Unix socket lies, or None where a port is used instead."""
    path = cache_dir() / "window.socket"
    return path if hasattr(socket, "AF_UNIX") and len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH else None


def _port_file() -> Path:
    return cache_dir() / "window.port"


def pass_on(path: Path | None, seconds: float = ANSWER_SECONDS) -> bool:
    """Ask the running window to come to the front and to open a path; return whether it has answered.

    Parameters
    ----------
    path
        Folder of sounds or model file, or None.
    seconds
        How long to wait for the connection and for the answer.
    """
    message = {"open": None if path is None else os.fspath(path.absolute()), "activation": os.environ.get(_ACTIVATION)}
    try:
        with _connected(seconds) as (connection, key):
            _let_come_to_the_front()
            connection.sendall(json.dumps({**message, "key": key}).encode() + b"\n")
            return connection.recv(len(_ANSWER)) == _ANSWER
    except (OSError, ValueError, LookupError, TypeError) as error:
        log.info("no running window has answered: %s", error)
        return False


@contextmanager
def _connected(seconds: float) -> Iterator[tuple[socket.socket, str]]:
    """Connect with the running window; give the socket and the key that belongs to it."""
    path, key = _socket_file(), ""
    if path is not None:
        address: Any = os.fspath(path)
        family = socket.AF_UNIX
    else:
        entry = read_json(_port_file())
        address, key = ("127.0.0.1", int(entry["port"])), str(entry["key"])
        family = socket.AF_INET
    with socket.socket(family) as connection:
        connection.settimeout(seconds)
        connection.connect(address)
        yield connection, key


def _let_come_to_the_front() -> None:
    """Allow another process to take the focus: Windows gives that right only to the program that has just started."""
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.user32.AllowSetForegroundWindow(-1)


class InstanceServer(QObject):
    """Receives what second starts pass on.

    Attributes
    ----------
    requested
        Emitted with the path to open, or None, when the window is to come to the front.
    """

    requested = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._socket: socket.socket | None = None
        self._socket_or_port_file: Path | None = None
        self._window_key = ""
        self._connections: dict[socket.socket, tuple[QSocketNotifier, bytearray]] = {}
        self._notifier: QSocketNotifier | None = None

    def listen(self) -> bool:
        """Begin to listen, in place of a socket that a crash has left; return whether it could be done."""
        try:
            self._socket = self._bound()
            self._socket.listen()
            self._socket.setblocking(False)
        except OSError as error:
            log.info("second starts are not received: %s", error)
            self.close()
            return False
        self._notifier = _notifier(self._socket, self, self._on_connection)
        return True

    def close(self) -> None:
        """Stop listening and remove the socket."""
        for connection in list(self._connections):
            self._end(connection)
        if self._notifier is not None:
            self._notifier.setEnabled(False)
        if self._socket is not None:
            self._socket.close()
        if self._socket_or_port_file is not None:
            with suppress(OSError):  # the folder has become read-only; the next window replaces it
                self._socket_or_port_file.unlink(missing_ok=True)
        self._socket = self._socket_or_port_file = self._notifier = None

    def _bound(self) -> socket.socket:
        path = _socket_file()
        if path is not None:
            path.unlink(missing_ok=True)
            listening = socket.socket(socket.AF_UNIX)
            listening.bind(os.fspath(path))
            path.chmod(0o600)
            self._socket_or_port_file = path
            return listening
        listening = socket.socket(socket.AF_INET)
        listening.bind(("127.0.0.1", 0))
        self._window_key, self._socket_or_port_file = secrets.token_hex(), _port_file()
        write_json(self._socket_or_port_file, {"port": listening.getsockname()[1], "key": self._window_key})
        self._socket_or_port_file.chmod(0o600)
        return listening

    def _on_connection(self) -> None:
        assert self._socket is not None
        with suppress(OSError):
            connection, _ = self._socket.accept()
            connection.setblocking(False)
            self._connections[connection] = (_notifier(connection, self, self._read_all), bytearray())

    def _read_all(self) -> None:
        # A bound method: a lambda would keep this object alive, which is the parent of the notifier that holds it.
        for connection in list(self._connections):
            self._read(connection)

    def _read(self, connection: socket.socket) -> None:
        received = self._connections[connection][1]
        try:
            part = connection.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        received += part
        if received.endswith(b"\n"):
            self._answer(connection, bytes(received))
        elif not part or len(received) > _MOST_BYTES:
            self._end(connection)

    def _answer(self, connection: socket.socket, line: bytes) -> None:
        path: Path | None = None
        try:
            message = json.loads(line)
            has_window_key = secrets.compare_digest(str(message["key"]), self._window_key)
            path = Path(message["open"]) if message["open"] else None
            if has_window_key and message.get("activation"):
                os.environ[_ACTIVATION] = str(message["activation"])  # read by Qt when the window is activated
            if has_window_key:
                connection.sendall(_ANSWER)
        except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
            log.info("a second start has sent what cannot be read: %s", error)
            has_window_key = False
        self._end(connection)
        if has_window_key:
            self.requested.emit(path)

    def _end(self, connection: socket.socket) -> None:
        notifier, _ = self._connections.pop(connection)
        notifier.setEnabled(False)
        notifier.deleteLater()
        connection.close()


def _notifier(watched: socket.socket, parent: QObject, call: Callable[[], None]) -> QSocketNotifier:
    notifier = QSocketNotifier(watched.fileno(), QSocketNotifier.Type.Read, parent)
    notifier.activated.connect(call)
    return notifier
