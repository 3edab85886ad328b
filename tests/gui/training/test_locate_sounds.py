"""A run whose sounds have moved: the window says so, and the user shows it the folder."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QPushButton
from pytestqt.qtbot import QtBot

from distill.errors import SoundError
from distill.gui.engine.run_state import RunState
from distill.gui.training.sound_locator import MISSING_TOPIC
from distill.gui.window.window import MainWindow
from tests.gui.conftest import close, make_window
from tests.gui.fakes import FakeDevice, FakeEngine
from tests.gui.training.test_training import await_state, click, start


@pytest.fixture
def moved(loaded: MainWindow, sounds: Path, engine: FakeEngine, qtbot: QtBot) -> Path:
    """Pause a run, close the window, and move the sounds of the run."""
    engine.step_seconds = 0.05
    start(loaded, 20)
    await_state(qtbot, loaded, RunState.TRAINING)
    qtbot.waitUntil(lambda: len(loaded.runs.bridge.history.epochs) > 0, timeout=30_000)
    click(loaded, "cancelButton")
    await_state(qtbot, loaded, RunState.IDLE)
    close(qtbot, loaded)
    target = sounds.parent / "new place"
    sounds.rename(target)
    return target


def missing(window: MainWindow) -> str:
    return next((n.message for n in window.notices.notices if n.topic == MISSING_TOPIC), "")


def locate(window: MainWindow, qtbot: QtBot, folder: Path) -> None:
    """Press the button of the notice, and choose a folder in the dialog that it opens."""
    if window.notices.notices[-1].topic == MISSING_TOPIC:
        button = window.findChild(QPushButton, "noticeAction")
    else:
        window.notices.show_all()
        button = next(b for b in window.findChildren(QPushButton, "answerListed") if b.text() == "Locate sounds…")
    assert button is not None
    assert button.text() == "Locate sounds…"
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    dialog = window.findChild(QFileDialog, "locateSoundsDialog")
    assert dialog is not None
    dialog.fileSelected.emit(str(folder))
    dialog.close()


def test_the_folder_is_shown_and_the_run_goes_on(
    qapp: QApplication, moved: Path, engine: FakeEngine, qtbot: QtBot
) -> None:
    window = make_window(qtbot, engine, FakeDevice())
    qtbot.waitUntil(lambda: bool(missing(window)), timeout=30_000)
    assert missing(window).startswith("4 of the 4 sounds of “my sounds” are not where they were: tone 0.wav, ")
    assert "and 1 more. Show the folder" in missing(window)
    locate(window, qtbot, moved)
    await_state(qtbot, window, RunState.TRAINING)
    assert engine.located == moved
    assert not missing(window)
    close(qtbot, window)


def test_a_resume_that_fails_for_missing_sounds_offers_it_again(
    qapp: QApplication, moved: Path, engine: FakeEngine, qtbot: QtBot
) -> None:
    window = make_window(qtbot, engine, FakeDevice())
    qtbot.waitUntil(lambda: bool(missing(window)), timeout=30_000)
    engine.fail_with = SoundError("4 of the 4 sounds of this run cannot be found.")
    locate(window, qtbot, moved.parent)
    qtbot.waitUntil(lambda: f"are not in {moved.parent}" in missing(window), timeout=30_000)
    assert [notice.topic for notice in window.notices.notices] == [MISSING_TOPIC], "it is said once, with the button"
    assert window.runs.bridge.state is RunState.IDLE
    engine.fail_with = None
    locate(window, qtbot, moved)
    await_state(qtbot, window, RunState.TRAINING)
    assert engine.located == moved
    close(qtbot, window)
