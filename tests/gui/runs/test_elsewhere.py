"""A run that another computer trains can be watched while it grows, and resumed when it has been let go of."""

from pathlib import Path

from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from distill.gui.window.window import MainWindow
from distill.runs.folder import FollowedFolder, RunFolder
from distill.runs.holder import HOLDER
from tests.gui.fakes import epoch_end, make_previews, step
from tests.gui.runs.test_runs import earlier_run, said
from tests.runs.test_holder import leave_sign


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
    window.earlier.refresh()
    qtbot.waitUntil(lambda: "training on studio" in said(window))
    (run / HOLDER).unlink()
    qtbot.waitUntil(lambda: "Interrupted at epoch 3 of 9" in message.text())
    assert resume.isVisible()
