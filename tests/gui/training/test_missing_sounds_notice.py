"""A run whose sounds have moved: the window says so, and the user shows it the folder."""

import threading
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QPushButton
from pytestqt.qtbot import QtBot

from distill.config.training import TrainingConfig
from distill.errors import SoundError
from distill.gui.background_tasks import BackgroundTask
from distill.gui.engine.run_state import RunState
from distill.gui.training import missing_sounds_notice
from distill.gui.training.missing_sounds_notice import MISSING_TOPIC
from distill.gui.window.main_window import MainWindow
from distill.runs.run_record import RunRecord
from tests.gui.conftest import close, make_window
from tests.gui.fakes import FakeDevice, FakeEngine
from tests.gui.runs.test_runs import earlier_run
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


def test_a_share_that_is_gone_is_not_asked_in_the_window_s_thread(
    window: MainWindow, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes half a minute to answer; a run whose sounds lay on it is shown again at each start."""
    asked: list[bool] = []
    original = Path.is_dir

    def is_dir(path: Path, **named: Any) -> bool:
        if "share" in path.parts:
            asked.append(threading.current_thread() is threading.main_thread())
        return original(path, **named)

    monkeypatch.setattr(Path, "is_dir", is_dir)
    lost = tmp_path / "share" / "sounds" / "a.wav"
    record = RunRecord(TrainingConfig(), [lost, tmp_path / "b.wav"], model_name="bells")
    window.runs._locator.report(record, [lost])
    assert window.notices.text() == (
        "1 of the 2 sounds of “bells” is not where it was: a.wav. Show the folder where it is now, or put it back."
    )
    qtbot.waitUntil(lambda: window.runs._locator._search_folder == tmp_path)
    assert asked == [False, False]


def test_what_a_run_lacks_is_not_said_once_another_run_is_shown(
    loaded: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its button resumed the run that was shown by then, with the sounds of the one before."""
    first, other = earlier_run("first", day=1), earlier_run("other", "finished", day=2)
    goes_on, looked = threading.Event(), list[bool]()

    def look_slowly(record: RunRecord) -> tuple[Path, ...]:
        goes_on.wait(30)
        looked.append(True)
        return tuple(record.file_paths)

    loaded.runs.runs.open(first)
    qtbot.waitUntil(lambda: bool(missing(loaded)))
    monkeypatch.setattr(missing_sounds_notice, "missing_sounds", look_slowly)
    loaded.runs._locator.check(first)  # as after a resume that has failed
    loaded.runs.runs.open(other)
    qtbot.waitUntil(lambda: loaded.runs.runs.folder == other)
    goes_on.set()
    qtbot.waitUntil(lambda: bool(looked))
    qtbot.waitUntil(lambda: not [t for t in loaded.runs.findChildren(BackgroundTask) if t.isRunning()])
    QApplication.processEvents()
    assert missing(loaded) == ""
