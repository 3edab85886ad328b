"""A run that another computer trains can be watched while it grows, and resumed when it has been let go of."""

from pathlib import Path

import pytest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from distill.gui.training import run_verdict_presenter
from distill.gui.window.main_window import MainWindow
from distill.runs.folder import FollowedFolder, RunFolder
from distill.runs.run_owner import HOLDER
from distill.runs.verdict import Kind, Verdict
from tests.gui.fakes import FakeEngine, epoch_end, make_previews, step
from tests.gui.runs.test_runs import earlier_run, said
from tests.gui.training.test_run_verdict import action, text
from tests.runs.test_run_owner import leave_sign


def grow(run: Path, epoch: int) -> None:
    """Write an epoch as the other computer does."""
    RunFolder.append_history(FollowedFolder(run), [step(epoch, 0), epoch_end(epoch, 9)])
    make_previews(run / "previews", epoch)


def test_a_run_elsewhere_is_followed_read_only(window: MainWindow, qtbot: QtBot) -> None:
    run = earlier_run("bells", status="running", epochs=2)
    leave_sign(run)
    window.runs.runs.follower._timer.setInterval(20)
    window.runs.runs.open(run)
    message, resume = window.controls.eta, window.findChild(QPushButton, "resumeButton")
    assert resume is not None
    qtbot.waitUntil(lambda: "Training on studio, epoch 2 of 9" in message.text())
    assert not resume.isVisible()
    assert not window.notices.isVisible()  # nothing has happened to it, and its sounds are on the other computer
    before = window.previews.grid.sound_count
    grow(run, 2)
    qtbot.waitUntil(lambda: "Training on studio, epoch 3 of 9" in message.text())
    assert len(window.plots._history.epochs) == 3
    qtbot.waitUntil(lambda: window.previews.grid.sound_count > before)
    window.past_runs.refresh()
    qtbot.waitUntil(lambda: "training on studio" in said(window))
    (run / HOLDER).unlink()
    qtbot.waitUntil(lambda: "Interrupted at epoch 3 of 9" in message.text())
    assert resume.isVisible()


def test_the_verdict_on_a_run_elsewhere_follows_it_and_offers_nothing(
    window: MainWindow, engine: FakeEngine, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdicts = {2: Verdict(Kind.IMPROVING), 3: Verdict(Kind.FLAT, 1, 1)}
    monkeypatch.setattr(run_verdict_presenter, "judge", lambda epochs, _warm_up: verdicts[len(epochs)])
    run = earlier_run("bells", status="running", epochs=2)
    leave_sign(run)
    window.runs.runs.follower._timer.setInterval(20)
    window.runs.runs.open(run)
    qtbot.waitUntil(lambda: text(window) == "Still improving.")
    assert not action(window).isVisible()
    grow(run, 2)
    qtbot.waitUntil(lambda: text(window) == "Flat since epoch 2: finish now.")
    assert not action(window).isEnabled(), "only who trains it can finish it"
    (run / HOLDER).unlink()
    qtbot.waitUntil(action(window).isEnabled)  # now it is an interrupted run, which can be finished here


def test_a_run_elsewhere_is_not_resumed_here(window: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    run = earlier_run("bells", status="running", epochs=2)
    leave_sign(run)
    window.past_runs.resume(run)
    qtbot.waitUntil(lambda: "Another Distill is training" in window.notices.text())
    assert window.runs.runs.is_elsewhere, "it is still followed"
    assert engine.calls == []
