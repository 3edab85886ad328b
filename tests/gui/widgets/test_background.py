"""Work on other threads, and its end."""

import os
import sys
import threading
import time
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from distill import diagnostics
from distill.errors import SoundError
from distill.gui.previews import stars
from distill.gui.widgets import background
from distill.gui.widgets.background import BackgroundTask, end_tasks, error_text


def test_no_task_begins_under_what_has_been_ended(qapp: QApplication, qtbot: QtBot) -> None:
    window, begun = QObject(), threading.Event()
    presenter = QObject(window)

    def begin(notify: object, cancelled: threading.Event) -> None:
        begun.set()

    end_tasks(window)
    task = BackgroundTask(begin, presenter)
    with qtbot.waitSignal(task.destroyed):
        task.start()
    assert not begun.wait(0.2)
    window.deleteLater()


def test_no_call_is_lost_when_the_thread_is_slow_to_end(qapp: QApplication, qtbot: QtBot) -> None:
    owner, calls = QObject(), list[str]()
    task = BackgroundTask(lambda _notify, _cancelled: None, owner)
    # The thread emits `finished` for a while: the event loop has time to delete the task before the last call is there.
    task.finished.connect(lambda: time.sleep(0.1), Qt.ConnectionType.DirectConnection)
    task.finished.connect(lambda: calls.append("finished"))
    with qtbot.waitSignal(task.destroyed):
        task.start()
    assert calls == ["finished"]
    owner.deleteLater()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the whole process would step back")
def test_a_task_steps_back_for_the_window(qapp: QApplication, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "BACKGROUND_NICENESS", 7)
    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    owner, found = QObject(), list[int]()

    def look(_notify: object, _cancelled: object) -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    task = BackgroundTask(look, owner)
    task.succeeded.connect(found.append)
    task.start()
    qtbot.waitUntil(lambda: found == [max(7, before)])
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before
    end_tasks(owner)
    owner.deleteLater()


def test_a_task_goes_before_what_it_works_for(qapp: QApplication) -> None:
    owner, gone = QObject(), list[str]()
    owner.destroyed.connect(lambda: gone.append("owner"))

    def hold(_notify: object, _cancelled: object) -> QObject:
        return owner

    task = BackgroundTask(hold, owner)
    task.destroyed.connect(lambda: gone.append("task"))
    task.start()
    end_tasks(owner)
    assert gone == ["task"]
    assert not shiboken6.isValid(task)
    owner.deleteLater()


def test_closed_stars_read_nothing_more(
    qapp: QApplication, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    def note(folder: Path, changes: list[stars.StarChange]) -> stars._Update:
        read.append(folder)
        return stars._Update(folder, frozenset(), False)

    monkeypatch.setattr(stars, "update_stars", note)
    window = QObject()
    starred = stars.Stars(window)
    starred.open(tmp_path)
    starred.open(tmp_path / "other")  # waits for the first
    starred.close()
    qtbot.wait(100)  # the end of the first is told
    assert read == [tmp_path]
    window.deleteLater()


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> list[tuple[BaseException, bool | None]]:
    found: list[tuple[BaseException, bool | None]] = []

    def note(error: BaseException, _origin: str | None = None, *, is_expected: bool | None = None) -> None:
        found.append((error, is_expected))

    monkeypatch.setattr(diagnostics, "report", note)
    return found


@pytest.mark.parametrize("is_connected", [True, False])
@pytest.mark.parametrize("error", [SoundError("It is silent."), OSError(28, "No space left"), KeyError("a bug")])
def test_errors_are_shown_or_reported_and_never_only_logged(
    qapp: QApplication,
    qtbot: QtBot,
    reports: list[tuple[BaseException, bool | None]],
    error: Exception,
    is_connected: bool,
) -> None:
    def fail(_notify: object, _cancelled: object) -> None:
        raise error

    owner, shown, ended = QObject(), list[Exception](), list[bool]()
    task = BackgroundTask(fail, owner)
    if is_connected:
        task.failed.connect(shown.append)
    task.ended.connect(lambda: ended.append(True))
    task.start()
    qtbot.waitUntil(lambda: ended == [True])
    if isinstance(error, KeyError):  # a bug: the user cannot act on it
        assert (shown, reports) == ([], [(error, None)])
    elif is_connected:
        assert (shown, reports) == ([error], [])
    else:
        assert reports == [(error, True)]
    end_tasks(owner)
    owner.deleteLater()


def test_an_error_says_what_the_system_says() -> None:
    assert error_text(OSError(28, "No space left", "/disk/a.wav")) == "No space left: /disk/a.wav"
    assert error_text(SoundError("It is silent.")) == "It is silent."
