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
from distill.gui.window.main_window import MainWindow
from distill.runs.queue import STOPPED, WAITING, RunQueue
from distill.runs.run_record import RunRecord
from distill.runs.summary import summarise
from tests.gui.fakes import FakeEngine
from tests.gui.queue.test_queue import add, panel
from tests.gui.training.test_training import await_state, click, eta, start

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


def test_a_model_is_offered_again_after_a_bug(
    loaded: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsaved, model, reported = loaded.runs.unsaved, Model(), list[BaseException]()
    monkeypatch.setattr(model, "save", lambda _target: 1 / 0)
    monkeypatch.setattr("distill.diagnostics.report", lambda error, *_, **__: reported.append(error))
    unsaved.offer(model, REASON, None)
    loaded.notices.forget_all()  # the notice goes with the click on its button
    unsaved.save(tmp_path / "mine.distill")
    qtbot.waitUntil(partial(says, loaded, "is kept until the window is closed"))
    assert [type(error) for error in reported] == [ZeroDivisionError]
    monkeypatch.undo()
    model.full = 0
    unsaved.save(tmp_path / "mine.distill")
    qtbot.waitUntil(lambda: not unsaved.is_open)
    assert (tmp_path / "mine.distill").exists()


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


def test_after_a_model_that_could_not_be_saved_the_queue_is_paused(
    loaded: MainWindow, engine: FullDisk, qtbot: QtBot
) -> None:
    """The next model could not be saved either, and took the place of the first in memory."""
    for _ in range(2):
        add(loaded, qtbot, epochs=1)
    loaded.tabs.setCurrentWidget(loaded.run_list)
    click(loaded, "queueRunButton")
    qtbot.waitUntil(lambda: RunQueue().read().is_paused and not RunQueue().is_worked_off())
    assert [entry.status for entry in RunQueue().read().entries] == [STOPPED, WAITING]
    assert engine.calls == ["train"]
    assert loaded.runs.unsaved.is_open
    assert any("The queue is paused" in notice.message for notice in loaded.notices.notices)
    first, engine.model = engine.model, Model()
    engine.calls.clear()
    qtbot.waitUntil(lambda: panel(loaded).main.isEnabled())
    click(loaded, "queueRunButton")  # nothing was done about it
    qtbot.waitUntil(lambda: bool(engine.calls))
    qtbot.waitUntil(lambda: RunQueue().read().is_paused and not RunQueue().is_worked_off())
    assert [call.split()[0] for call in engine.calls] == ["resume"]
    assert loaded.runs.unsaved.is_open
    assert any("is kept until" in notice.message for notice in loaded.notices.notices)
    assert first is not engine.model
    loaded.runs.unsaved.forget(loaded.runs.runs.folder)
    assert not loaded.runs.unsaved.is_open


def test_a_run_by_hand_whose_model_cannot_be_saved_holds_the_queue(
    loaded: MainWindow, engine: FullDisk, qtbot: QtBot
) -> None:
    add(loaded, qtbot, epochs=1)
    start(loaded, 1)
    qtbot.waitUntil(lambda: RunQueue().read().is_paused)
    assert [entry.status for entry in RunQueue().read().entries] == [WAITING]
    assert engine.calls == ["train"]
    loaded.runs.unsaved.forget(loaded.runs.runs.folder)


def test_each_model_is_kept_until_it_is_saved(loaded: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    offer, models = loaded.runs.unsaved, [Model(), Model()]
    for model in models:
        model.full = 0
    models[1].name = "Gongs"
    offer.offer(models[0], "There is no room.", tmp_path / "one")
    offer.offer(models[1], "There is no room.", tmp_path / "two")
    assert "“Gongs” is kept until the window is closed, as is another one" in loaded.notices.text()
    assert not loaded.close()
    assert any("“Bells”, “Gongs” are only in memory" in notice.message for notice in loaded.notices.notices)
    offer.save(tmp_path / "gongs.distill")
    qtbot.waitUntil(lambda: (tmp_path / "gongs.distill").is_file() and "“Bells” is kept" in loaded.notices.text())
    assert offer.is_open
    offer.save(tmp_path / "bells.distill")
    qtbot.waitUntil(lambda: not offer.is_open)
    assert (tmp_path / "bells.distill").is_file()
