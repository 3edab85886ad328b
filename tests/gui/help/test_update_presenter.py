"""The entry of the Help menu that looks for a newer version, and its notice."""

import threading
from collections.abc import Callable

import pytest
from PySide6.QtCore import QObject, QUrl, Slot
from PySide6.QtGui import QAction, QDesktopServices
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from distill import __version__, updates
from distill.gui.window.main_window import MainWindow
from distill.settings import WindowSettings
from tests.gui.conftest import close, make_window
from tests.gui.fakes import FakeDevice, FakeEngine
from tests.gui.window.test_help import menu_action

Answer = Callable[[str, threading.Event], str | None]


class Server:
    """In place of the request: counts, and answers."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.version: str | None = "99.0.0"

    def answer(self, address: str, cancelled: threading.Event) -> str | None:
        assert threading.current_thread() is not threading.main_thread()
        self.asked.append(address)
        return self.version


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    monkeypatch.setattr(updates, "repository", lambda: "a/b")
    monkeypatch.setattr(updates, "newer_version", made.answer)
    return made


def entry(window: MainWindow, qtbot: QtBot) -> QAction:
    qtbot.waitUntil(lambda: window.parts.updates.action.isVisible())
    return menu_action(window, "Help", "Look for a newer version")


def test_nothing_is_asked_until_the_user_agrees(server: Server, window: MainWindow, qtbot: QtBot) -> None:
    action = entry(window, qtbot)
    assert not action.isChecked()
    assert server.asked == []
    action.trigger()
    assert WindowSettings.load().looks_for_updates
    qtbot.waitUntil(lambda: "99.0.0" in window.notices.text())
    assert window.notices.text() == f"Distill 99.0.0 is available. You have {__version__}."
    assert server.asked == ["https://api.github.com/repos/a/b/releases/latest"]
    action.trigger()
    assert not WindowSettings.load().looks_for_updates
    assert window.notices.text() == ""


def test_who_has_agreed_is_told_at_the_next_start(
    server: Server, qtbot: QtBot, engine: FakeEngine, device: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Browser(QObject):
        opened: list[str]

        @Slot(QUrl)
        def open(self, url: QUrl) -> None:
            self.opened = [url.toString()]

    WindowSettings(looks_for_updates=True).save()
    window = make_window(qtbot, engine, device)
    qtbot.waitUntil(lambda: "99.0.0" in window.notices.text())
    browser = Browser()
    QDesktopServices.setUrlHandler("https", browser, "open")  # type: ignore[arg-type]
    button = window.notices.findChild(QPushButton, "noticeAction")
    assert button is not None
    button.click()
    QDesktopServices.unsetUrlHandler("https")
    assert browser.opened == ["https://github.com/a/b/releases/latest"]
    close(qtbot, window)


def test_no_answer_is_no_notice(server: Server, qtbot: QtBot, engine: FakeEngine, device: FakeDevice) -> None:
    server.version = None
    WindowSettings(looks_for_updates=True).save()
    window = make_window(qtbot, engine, device)
    qtbot.waitUntil(lambda: server.asked != [])
    close(qtbot, window)
    assert window.notices.notices == ()


def test_a_build_without_a_repository_does_not_offer_it(
    qtbot: QtBot, engine: FakeEngine, device: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[str] = []

    def repository() -> str:
        found.append("")
        return ""

    monkeypatch.setattr(updates, "repository", repository)
    WindowSettings(looks_for_updates=True).save()
    window = make_window(qtbot, engine, device)
    qtbot.waitUntil(lambda: found != [])
    QApplication.processEvents()
    assert not window.parts.updates.action.isVisible()
    close(qtbot, window)
    assert WindowSettings.load().looks_for_updates  # of another build


def test_the_window_closes_while_the_answer_is_waited_for(
    qtbot: QtBot, engine: FakeEngine, device: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_asked = threading.Event()

    def wait(address: str, cancelled: threading.Event) -> str | None:
        is_asked.set()
        cancelled.wait()
        return "99.0.0"

    monkeypatch.setattr(updates, "repository", lambda: "a/b")
    monkeypatch.setattr(updates, "newer_version", wait)
    WindowSettings(looks_for_updates=True).save()
    window = make_window(qtbot, engine, device)
    qtbot.waitUntil(is_asked.is_set)
    close(qtbot, window)
    assert window.notices.notices == ()
