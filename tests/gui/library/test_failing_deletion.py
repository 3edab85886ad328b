"""Deletions of models that fail after they were undone, in the real window."""

import errno
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from distill import diagnostics
from distill.gui.library import background_library
from distill.gui.window.main_window import MainWindow
from tests.gui.library.test_page import choose, names, until_idle
from tests.gui.window.test_help import menu_action


class BusyDisk:
    """A trash that waits, and then refuses."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.requests: list[Path] = []

    def move_to_trash(self, path: Path, _own_folder: Path | None = None) -> Path | None:
        self.requests.append(path)
        self.answers.wait(30)
        raise OSError(errno.EACCES, "Permission denied")


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[BusyDisk]:
    made = BusyDisk()
    monkeypatch.setattr(background_library, "move_to_trash", made.move_to_trash)
    yield made
    made.answers.set()


@pytest.fixture
def bugs(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """What goes to the crash presenter."""
    found: list[BaseException] = []
    monkeypatch.setattr(diagnostics, "report", lambda error, *_args, **_more: found.append(error))
    return found


def undo(window: MainWindow) -> None:
    QTest.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)


def undo_and_redo(window: MainWindow) -> None:
    undo(window)
    menu_action(window, "Edit", "Redo").trigger()


def undo_and_star(window: MainWindow) -> None:
    """The stack deletes the deletion, which is still under way."""
    undo(window)
    window.models_page.list.actions_by_name["star"].trigger()


@pytest.mark.parametrize("what_follows", [undo, undo_and_redo, undo_and_star])
def test_a_deletion_that_fails_after_it_was_undone_is_reported_once(
    two_models: MainWindow,
    qtbot: QtBot,
    disk: BusyDisk,
    bugs: list[BaseException],
    what_follows: Callable[[MainWindow], None],
) -> None:
    page = two_models
    failures = list[Exception]()
    page.models.worker.failed.connect(failures.append)
    before = names(page)
    choose(page, "Bells")
    page.models_page.list.actions_by_name["delete"].trigger()
    qtbot.waitUntil(lambda: len(disk.requests) == 1)
    what_follows(page)
    disk.answers.set()
    until_idle(page, qtbot)
    assert [str(error) for error in failures] == ["model 1.distill cannot be moved to the trash (Permission denied)."]
    assert bugs == []
    assert len(disk.requests) == 1
    assert sorted(names(page)) == sorted(before)
    assert "Permission denied" in page.notices.text()

    disk.requests.clear()
    page.models_page.list.actions_by_name["delete"].trigger()  # it can be tried again
    qtbot.waitUntil(lambda: len(disk.requests) == 1)
    until_idle(page, qtbot)
    assert bugs == []
