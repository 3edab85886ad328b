"""The verdict over the curves, and what its button does."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton
from pytestqt.qtbot import QtBot

from distill.gui.engine.run_state import RunState
from distill.gui.training import run_verdict_presenter
from distill.gui.window.main_window import MainWindow
from distill.runs.run_record import RunRecord
from distill.runs.verdict import Kind, Verdict
from tests.gui.fakes import FakeEngine
from tests.gui.training.test_training import await_state, button, eta, start


def text(window: MainWindow) -> str:
    label = window.findChild(QLabel, "verdict")
    assert label is not None
    return label.text()


def action(window: MainWindow) -> QPushButton:
    return button(window, "verdictAction")


def press(window: MainWindow) -> None:
    QTest.mouseClick(action(window), Qt.MouseButton.LeftButton)


def test_it_is_always_current_and_finishes_or_extends_the_run(
    loaded: MainWindow, engine: FakeEngine, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = [
        Verdict(Kind.TOO_EARLY),
        Verdict(Kind.TOO_EARLY, epochs=1),
        Verdict(Kind.IMPROVING),
        Verdict(Kind.FLAT, 1, 1),
    ]
    monkeypatch.setattr(run_verdict_presenter, "judge", lambda epochs, _warm_up: said[min(len(epochs), 3)])
    assert text(loaded) == ""
    assert not action(loaded).isVisible()
    assert loaded.plots.verdict.isHidden(), "no room is kept for a run that is not there"
    engine.step_seconds = 0.02
    start(loaded, 300)
    qtbot.waitUntil(lambda: text(loaded) == "The curve begins at the end of the first epoch.")
    qtbot.waitUntil(lambda: text(loaded) == "Flat since epoch 2: finish now.")
    assert action(loaded).text() == "Finish now"
    press(loaded)
    await_state(qtbot, loaded, RunState.IDLE)
    folder = loaded.runs.runs.folder
    assert folder is not None
    assert RunRecord.load(folder).status == "finished"
    assert text(loaded) == "Flat since epoch 2: more epochs would change little."
    assert not action(loaded).isVisible()
    monkeypatch.setattr(run_verdict_presenter, "judge", lambda _epochs, _warm_up: Verdict(Kind.IMPROVING))
    loaded.runs.runs.open(folder)
    qtbot.waitUntil(lambda: text(loaded).startswith("Still improving when it ended"))
    monkeypatch.setattr(run_verdict_presenter, "judge", lambda _epochs, _warm_up: Verdict(Kind.TOO_EARLY))
    loaded.runs.runs.open(folder)
    qtbot.waitUntil(lambda: text(loaded).startswith("It ended before its first epoch was complete"))
    monkeypatch.setattr(run_verdict_presenter, "judge", lambda _epochs, _warm_up: Verdict(Kind.TOO_EARLY, epochs=9))
    loaded.runs.runs.open(folder)
    qtbot.waitUntil(lambda: text(loaded) == "It ended before a trend could be seen: judge it by ear.")
    monkeypatch.setattr(run_verdict_presenter, "judge", lambda _epochs, _warm_up: Verdict(Kind.IMPROVING))
    loaded.runs.runs.open(folder)
    qtbot.waitUntil(lambda: text(loaded).startswith("Still improving when it ended"))
    engine.step_seconds = 0.0
    press(loaded)
    qtbot.waitUntil(lambda: engine.calls[-1] == "resume to 450")
    await_state(qtbot, loaded, RunState.IDLE)
    assert loaded.plots.verdict.isVisible()
    loaded.runs.close_run()
    assert text(loaded) == ""
    assert loaded.plots.verdict.isHidden()


def test_it_goes_by_the_warm_up_that_an_extended_run_has(
    loaded: MainWindow, engine: FakeEngine, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def judged(_epochs: object, warm_up: int) -> Verdict:
        seen.append(warm_up)
        return Verdict(Kind.IMPROVING)

    monkeypatch.setattr(run_verdict_presenter, "judge", judged)
    start(loaded, 20)
    await_state(qtbot, loaded, RunState.IDLE)
    folder = loaded.runs.runs.folder
    assert folder is not None
    assert set(seen) == {6}
    record = RunRecord.load(folder)
    record.kl_epochs, record.config = 20, replace(record.config, max_epochs=50)
    record.status = "stopped"
    record.save(folder)
    loaded.runs.runs.open(folder)
    qtbot.waitUntil(lambda: loaded.runs.runs.is_paused)
    seen.clear()
    loaded.runs.resume()
    await_state(qtbot, loaded, RunState.IDLE)
    assert set(seen) == {6}


def test_a_collapsed_run_is_paused_and_the_next_one_gets_what_helps(
    loaded: MainWindow, engine: FakeEngine, qtbot: QtBot
) -> None:
    engine.step_seconds = 0.02
    start(loaded, 300)  # the KL of the fake engine falls to nothing
    qtbot.waitUntil(lambda: text(loaded).startswith("Collapsed since epoch 4: new sounds will all be alike."))
    press(loaded)
    await_state(qtbot, loaded, RunState.IDLE)
    assert "Paused" in eta(loaded)
    assert loaded.runs.settings.changes == {"kl_weight_max": 1.5e-5}
    assert "KL weight 1.5e-05 instead of 0.00015" in loaded.notices.text()
    assert "Start new" not in loaded.notices.text(), "after a finished run the button is called Start"
    assert "1 changed" in loaded.controls.advanced.text()
