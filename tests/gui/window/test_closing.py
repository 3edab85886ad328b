"""Closing: every step is taken, errors are reported, and what was typed is not lost."""

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtWidgets import QMessageBox
from pytestqt.qtbot import QtBot

from distill import diagnostics
from distill.errors import LibraryError
from distill.gui import background_tasks
from distill.gui.engine.run_state import RunState
from distill.gui.window.main_window import MainWindow
from distill.gui.window_part import WindowPart
from distill.settings import WindowSettings
from tests.gui.fakes import FakeEngine
from tests.gui.training.test_training import await_state, start


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    found: list[BaseException] = []
    monkeypatch.setattr(diagnostics, "report", lambda error, *_args, **_more: found.append(error))
    return found


def test_every_step_is_taken_when_one_fails(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, reported: list[BaseException]
) -> None:
    closed: list[WindowPart] = []
    full = OSError(28, "No space left on device")

    def fail() -> None:
        raise full

    for part in window.parts.all[1:]:
        close = part.close

        def note(close: Callable[[], None] = close, part: WindowPart = part) -> None:
            closed.append(part)
            close()

        monkeypatch.setattr(part, "close", note)
    before = window.parts.all[0]
    monkeypatch.setattr(before, "close", fail)
    window.controls.epochs.setValue(77)
    window.close()
    qtbot.waitUntil(lambda: not window.isVisible())
    assert closed == list(window.parts.all[1:])
    assert reported == [full]
    assert WindowSettings.load().epochs == 77


def test_what_cannot_be_saved_keeps_the_window_open_once(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, reported: list[BaseException]
) -> None:
    error = LibraryError("The notes cannot be written: the disk is full.")

    def fail() -> None:
        raise error

    monkeypatch.setattr(window.models, "flush", fail)
    window.close()
    assert window.isVisible()
    assert "the disk is full. Close the window again" in window.notices.text()
    assert reported == [error]
    window.close()
    qtbot.waitUntil(lambda: not window.isVisible())


def test_a_quit_that_nobody_can_answer_goes_through(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, reported: list[BaseException]
) -> None:
    def fail() -> None:
        raise LibraryError("The notes cannot be written.")

    monkeypatch.setattr(window.models, "flush", fail)
    window.quit_now()
    qtbot.waitUntil(lambda: not window.isVisible())
    assert len(reported) == 1


def test_all_parts_come_back(window: MainWindow) -> None:
    """Each part restores what it saves; a part that saves nothing changes nothing."""
    settings = WindowSettings()
    for part in window.parts.all:
        part.save(settings)
    for part in window.parts.all:
        part.restore(settings)
    again = WindowSettings()
    for part in window.parts.all:
        part.save(again)
    again.sound_list = settings.sound_list  # Qt normalises the state of a header
    assert again == settings


def test_the_question_says_what_is_true_when_the_training_ends_meanwhile(
    loaded: MainWindow, engine: FakeEngine, qtbot: QtBot
) -> None:
    engine.go_on.clear()
    start(loaded, 1)
    await_state(qtbot, loaded, RunState.PREPARING)
    assert not loaded.close()
    question = loaded.findChild(QMessageBox, "quitDialog")
    assert question is not None
    assert question.text().startswith("Training is running.")
    assert question.defaultButton().text() == "&Stop and quit"
    engine.go_on.set()
    await_state(qtbot, loaded, RunState.IDLE)
    assert question.text() == "The training has ended."
    assert question.defaultButton().text() == "&Quit"
    question.defaultButton().click()
    qtbot.waitUntil(lambda: not loaded.isVisible())


def test_the_window_closes_although_a_drive_does_not_answer(
    window: MainWindow, qtbot: QtBot, sounds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hang(*_given: object, **_named: object) -> None:
        begun.set()
        go_on.wait(120)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("distill.gui.sounds.background_scan.scan_sounds", hang)
    monkeypatch.setattr(background_tasks, "PATIENCE_S", 0.1)
    window.open_folder(sounds)
    qtbot.waitUntil(begun.is_set)
    assert window.close()
    (left,) = background_tasks.left_behind
    with qtbot.waitSignal(left.destroyed):  # type: ignore[union-attr]  # a task
        go_on.set()
    assert background_tasks.left_behind == []
