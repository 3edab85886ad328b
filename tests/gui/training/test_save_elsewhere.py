"""A model that could not be written stays in memory, and the window offers to save it elsewhere."""

import errno
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QFileDialog, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from distill.events import UNSAVED
from distill.gui.engine.run_state import RunState
from distill.gui.main_window import MainWindow
from distill.runs.folder import RunRecord
from distill.runs.summary import summarise
from tests.gui.fakes import FakeEngine
from tests.gui.training.test_training import await_state, eta, start

REASON = "The model could not be saved (No space left on device). Make room."


class Model:
    """Stands in for what `train` returns; the first place is as full as the disk of the run."""

    name = "Bells"

    def __init__(self) -> None:
        self.full = 1

    def save(self, target: Path) -> Path:
        if self.full:
            self.full -= 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        target.write_bytes(b"a model")
        return target


class FullDisk(FakeEngine):
    """An engine whose model cannot be written."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()

    def _run(self, *arguments: Any) -> dict[str, Any]:
        super()._run(*arguments)
        return {"unsaved_model": self.model}

    def _epochs(self, *arguments: Any) -> str:
        super()._epochs(*arguments)
        return UNSAVED


@pytest.fixture
def engine() -> FakeEngine:
    return FullDisk()


def says(window: MainWindow, words: str) -> bool:
    return words in window.notices.text()


def action(window: MainWindow) -> QPushButton:
    found = window.findChild(QPushButton, "noticeAction")
    assert found is not None
    return found


def test_the_model_is_offered_until_it_is_saved(
    loaded: MainWindow, engine: FullDisk, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = loaded
    chosen = ["", str(tmp_path / "full"), str(tmp_path / "mine")]
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (chosen.pop(0), ""))
    start(window, 1)
    qtbot.waitUntil(lambda: "could not be saved" in eta(window), timeout=30_000)
    folder = window.runs.runs.folder
    assert folder is not None
    assert RunRecord.load(folder).status == summarise(folder).status == UNSAVED
    for words in ("is kept until", "is kept until", "Choose another folder"):  # offered, cancelled, full
        qtbot.waitUntil(partial(says, window, words), timeout=10_000)
        assert action(window).text() == "Save model as…"
        action(window).click()
    qtbot.waitUntil(lambda: "is saved as" in window.notices.text(), timeout=10_000)
    assert (tmp_path / "mine.distill").read_bytes() == b"a model"
    assert not window.runs.unsaved.is_open


def test_a_model_that_cannot_be_saved_on_quitting_is_offered(
    loaded: MainWindow, engine: FullDisk, qtbot: QtBot
) -> None:
    """As on a data folder that has become read-only, or on a full disk."""
    window = loaded
    engine.step_seconds = 0.02
    start(window, 300)
    qtbot.waitUntil(lambda: window.runs.bridge.state is RunState.TRAINING, timeout=30_000)
    assert not window.close()
    question = window.findChild(QMessageBox, "quitDialog")
    assert question is not None
    question.defaultButton().click()
    qtbot.waitUntil(lambda: window.runs.unsaved.is_open, timeout=30_000)
    assert window.isVisible()
    qtbot.waitUntil(partial(says, window, "is kept until the window is closed"), timeout=10_000)
    assert not window.close()  # a last reminder
    assert "only in memory" in window.notices.text()
    assert window.close()


def test_the_window_asks_once_before_it_loses_a_model(loaded: MainWindow, engine: FullDisk, qtbot: QtBot) -> None:
    window = loaded
    start(window, 1)
    qtbot.waitUntil(lambda: window.runs.unsaved.is_open, timeout=30_000)
    assert not window.close()
    assert "only in memory" in window.notices.text()
    window.runs.start()  # a new run keeps the offer
    assert any(notice.action is not None for notice in window.notices.notices)
    await_state(qtbot, window, RunState.IDLE)
    engine.model.full = 0
    assert window.runs.unsaved.is_open
    window.runs.unsaved.forget(window.runs.runs.folder)


def test_a_model_of_that_name_is_not_replaced(
    loaded: MainWindow, engine: FullDisk, qtbot: QtBot, tmp_path: Path
) -> None:
    """The dialog has asked about the name that was typed, which is not the name of the file."""
    (tmp_path / "mine.distill").write_bytes(b"another model")
    engine.model.full = 0
    start(loaded, 1)
    qtbot.waitUntil(lambda: loaded.runs.unsaved.is_open, timeout=30_000)
    loaded.runs.unsaved.save(tmp_path / "mine")
    qtbot.waitUntil(lambda: not loaded.runs.unsaved.is_open, timeout=10_000)
    assert (tmp_path / "mine.distill").read_bytes() == b"another model"
    assert (tmp_path / "mine (2).distill").read_bytes() == b"a model"
    assert "mine (2).distill" in loaded.notices.text()
