"""A second start reaches the window that is open; without one, or without an answer, it opens its own."""

import errno
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from distill.gui.window import single_instance
from distill.gui.window.main_window import MainWindow
from distill.gui.window.open_requests import OpenRequests
from distill.gui.window.single_instance import InstanceLock, InstanceServer, pass_on
from distill.paths import cache_dir


@pytest.fixture(params=["unix socket", "port"])
def server(
    request: pytest.FixtureRequest, qapp: QApplication, monkeypatch: pytest.MonkeyPatch
) -> Iterator[InstanceServer]:
    """A window's end, by both ways."""
    if request.param == "port":
        monkeypatch.delattr(socket, "AF_UNIX")
    cache_dir().mkdir(parents=True, exist_ok=True)
    made = InstanceServer()
    assert made.listen()
    yield made
    made.close()


def ask(path: Path | None, seconds: float = 10.0) -> Callable[[], bool]:
    """Pass a path on as another process would, from a thread; the result waits for its answer."""
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(pass_on(path, seconds)))
    thread.start()

    def answer() -> bool:
        thread.join()
        return answers[0]

    return answer


def is_closed(connection: socket.socket) -> bool:
    """Whether the other end has closed the connection without a word."""
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("name", [None, "my sounds", "ünïcode", os.fsdecode(b"not \xff utf-8")])
def test_the_running_window_is_asked(server: InstanceServer, qtbot: QtBot, tmp_path: Path, name: str | None) -> None:
    path = None if name is None else tmp_path / name
    with qtbot.waitSignal(server.requested, timeout=20_000) as got:
        answer = ask(path)
    assert got.args == [path]
    assert answer()


def test_it_takes_several_at_once(server: InstanceServer, qtbot: QtBot, tmp_path: Path) -> None:
    got: list[Path] = []
    server.requested.connect(lambda path: got.append(path))
    answers = [ask(tmp_path / str(number)) for number in range(5)]
    qtbot.waitUntil(lambda: len(got) == 5, timeout=20_000)
    assert all(answer() for answer in answers)
    assert set(got) == {tmp_path / str(number) for number in range(5)}


def test_no_window_is_no_answer(qapp: QApplication) -> None:
    assert not pass_on(None)


def test_a_socket_that_a_crash_has_left_is_replaced(qapp: QApplication, qtbot: QtBot) -> None:
    cache_dir().mkdir(parents=True, exist_ok=True)
    left = socket.socket(socket.AF_UNIX)
    left.bind(os.fspath(cache_dir() / "window.socket"))
    left.close()
    assert not pass_on(None)
    server = InstanceServer()
    assert server.listen()
    with qtbot.waitSignal(server.requested, timeout=20_000):
        answer = ask(None)
    assert answer()
    server.close()
    assert not (cache_dir() / "window.socket").exists()


def test_a_socket_that_cannot_be_removed_does_not_disturb_the_end(
    qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the data folder has become read-only while the window was open."""

    def fail(path: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    cache_dir().mkdir(parents=True, exist_ok=True)
    server = InstanceServer()
    assert server.listen()
    with monkeypatch.context() as broken:
        broken.setattr(Path, "unlink", fail)
        server.close()
    assert not pass_on(tmp_path, 1.0)
    following = InstanceServer()
    assert following.listen()
    following.close()


def test_a_window_that_hangs_is_not_waited_for(server: InstanceServer) -> None:
    assert not pass_on(None, seconds=0.2)  # nobody runs the event loop


@pytest.mark.parametrize(
    "said", [b"", b"\n", b"[]\n", b"{}\n", b'{"key": "", "open": 5}\n', b"\xff\n", b"[" * 5000 + b"\n", b"x" * 200_000]
)
def test_others_cannot_disturb_it(server: InstanceServer, qtbot: QtBot, said: bytes) -> None:
    got: list[Path | None] = []
    server.requested.connect(lambda path: got.append(path))
    path = single_instance._socket_file()
    address = os.fspath(path) if path else ("127.0.0.1", server._socket.getsockname()[1])  # type: ignore[union-attr]
    with socket.socket(socket.AF_INET if path is None else socket.AF_UNIX) as stranger:
        stranger.settimeout(10)
        stranger.connect(address)
        stranger.setblocking(False)
        try:
            stranger.send(said)
        except BlockingIOError:
            pytest.fail("the message does not fit into the buffer of a socket")
    with qtbot.waitSignal(server.requested, timeout=20_000):
        answer = ask(None)
    assert answer()
    assert got == [None]
    qtbot.waitUntil(lambda: not server._connections, timeout=20_000)


def test_a_stranger_without_the_key_is_not_heard(
    qapp: QApplication, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(socket, "AF_UNIX")
    cache_dir().mkdir(parents=True, exist_ok=True)
    server = InstanceServer()
    assert server.listen()
    got: list[Path | None] = []
    server.requested.connect(lambda path: got.append(path))
    with socket.create_connection(server._socket.getsockname()) as stranger:  # type: ignore[union-attr]
        stranger.sendall(b'{"key": "guessed", "open": null}\n')
        stranger.setblocking(False)
        qtbot.waitUntil(lambda: is_closed(stranger), timeout=20_000)
    assert not got
    server.close()


def test_a_minimised_window_comes_back_and_shows_the_folder(
    window: MainWindow, qapp: QApplication, qtbot: QtBot, tmp_path: Path
) -> None:
    opener = OpenRequests(qapp, window)
    window.setWindowState(Qt.WindowState.WindowMinimized)
    opener.open_in_front(None)
    assert not window.windowState() & Qt.WindowState.WindowMinimized
    folder = tmp_path / "bells"
    folder.mkdir()
    shown: list[Sequence[Path]] = []
    window.sounds.show = shown.append  # type: ignore[method-assign, assignment]
    opener.open_in_front(folder)
    assert shown == [[folder]]


def test_the_second_lock_has_another_number(qapp: QApplication) -> None:
    first, second = InstanceLock(), InstanceLock()
    assert (first.number, second.number) == (1, 2)
    first.close()
    third = InstanceLock()
    assert third.number == 1
    second.close()
    third.close()
