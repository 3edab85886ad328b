"""The next run can start from a model or a checkpoint: chosen on its page, shown, started, and taken back."""

import threading
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QMenu, QPushButton, QToolButton
from pytestqt.qtbot import QtBot

from distill import paths
from distill.config.training import TrainingConfig
from distill.gui.background_tasks import BackgroundTask
from distill.gui.training import start_point_choice
from distill.gui.training.start_point_choice import StartChoice, read_model
from distill.gui.window.main_window import MainWindow
from distill.gui.window.top_bar import TRAINING
from distill.json_files import write_json
from distill.runs.run_record import RunRecord
from distill.runs.summary import summarise
from tests.gui.fakes import FakeEngine
from tests.gui.runs.test_runs import earlier_run
from tests.support.models import write_tone_model


def origin(window: MainWindow) -> str:
    label = window.findChild(QLabel, "originText")
    assert label is not None
    return label.text()


def start(window: MainWindow, engine: FakeEngine, qtbot: QtBot, runs: int) -> None:
    button = window.findChild(QPushButton, "startButton")
    assert button is not None
    window.controls.epochs.setValue(2)
    button.click()
    qtbot.waitUntil(lambda: len(engine.calls) == runs and not window.runs.bridge.is_running, timeout=60_000)


def test_a_run_starts_from_a_model_until_that_is_taken_back(
    loaded: MainWindow, engine: FakeEngine, qtbot: QtBot
) -> None:
    model = write_tone_model(paths.models_dir(), 8, 3)
    loaded.models.refresh()
    qtbot.waitUntil(lambda: bool(loaded.models_page.list.table.items), timeout=60_000)
    loaded.models_page.list.actions_by_name["continue"].trigger()
    qtbot.waitUntil(lambda: origin(loaded) == "Starts from Tones", timeout=60_000)
    family = loaded.findChild(QComboBox, "familyCombo")
    assert family is not None
    assert not family.isEnabled()
    assert loaded.pages.currentIndex() == TRAINING
    start(loaded, engine, qtbot, 1)
    assert engine.start_from == model
    clear = loaded.findChild(QToolButton, "clearOriginButton")
    assert clear is not None
    clear.click()
    assert origin(loaded) == ""
    assert family.isEnabled()
    start(loaded, engine, qtbot, 2)
    assert engine.start_from is None


def test_a_checkpoint_of_a_run_is_chosen_in_a_menu(
    loaded: MainWindow, engine: FakeEngine, qtbot: QtBot, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    RunRecord(TrainingConfig(latent_dim=24, max_epochs=9), [], model_name="Bells").save(run)
    for epoch, loss in ((3, 0.5), (7, 0.25)):
        file = run / "checkpoints" / f"checkpoint_epoch{epoch:04d}.pt"
        file.touch()
        write_json(file.with_suffix(".meta.json"), {"epoch": epoch, "train_loss": 0.1, "val_loss": loss})
    loaded.run_list.show_runs([summarise(run)])
    view = loaded.run_list.view
    view.setCurrentIndex(view.model().index(0, 0))
    loaded.run_list.actions_by_name["fork"].trigger()
    qtbot.waitUntil(lambda: loaded.findChild(QMenu, "checkpointMenu") is not None, timeout=60_000)
    menu = loaded.findChild(QMenu, "checkpointMenu")
    assert menu is not None
    assert [a.text() for a in menu.actions()] == ["Epoch 4, held-out loss 0.5", "Epoch 8, held-out loss 0.25 (best)"]
    menu.actions()[0].trigger()
    menu.close()
    assert origin(loaded) == "Starts from epoch 4 of Bells"
    start(loaded, engine, qtbot, 1)
    assert engine.start_from == run / "checkpoints" / "checkpoint_epoch0003.pt"
    bridge = loaded.runs.bridge
    assert getattr(bridge.config, "latent_dim", 0) == 24


def choose_tones(window: MainWindow, qtbot: QtBot) -> None:
    """Start the next run from a model of the family Mel VAE."""
    window.runs.origin.choose_model(write_tone_model(paths.models_dir(), 8, 3), "Tones")
    qtbot.waitUntil(lambda: origin(window) == "Starts from Tones")


def test_a_start_that_is_refused_leaves_the_shown_run(loaded: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    run = earlier_run("bells")
    choose_tones(loaded, qtbot)
    loaded.runs.runs.open(run)
    qtbot.waitUntil(lambda: loaded.runs.runs.folder == run)
    previews, progress = loaded.previews.grid.sound_count, loaded.controls.progress.value()
    assert previews
    assert progress
    loaded.runs.settings.change("vae", "latent_dim", 32)  # the model has 8
    loaded.controls.start.click()
    assert "of the model is 8" in loaded.notices.text()
    assert (loaded.previews.grid.sound_count, loaded.controls.progress.value()) == (previews, progress)
    assert loaded.runs.runs.folder == run
    assert engine.calls == []


def test_a_run_of_another_family_is_shown_beside_the_chosen_model(
    loaded: MainWindow, engine: FakeEngine, qtbot: QtBot
) -> None:
    """It is only looked at; with its settings, the next run cannot start from the model."""
    run = earlier_run("bells", family="complex_vae")
    choose_tones(loaded, qtbot)
    loaded.runs.runs.open(run)
    qtbot.waitUntil(lambda: loaded.runs.runs.folder == run)
    assert loaded.controls.family_key == "vae"
    loaded.controls.advanced.click()
    loaded.advanced.run_button.click()
    loaded.advanced.reuse.click()
    assert loaded.controls.family_key == "complex_vae"
    assert origin(loaded) == ""
    start(loaded, engine, qtbot, 1)
    assert engine.start_from is None


def test_a_model_that_was_read_late_is_no_choice_any_more(
    loaded: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file on a slow disk that was chosen first replaced the one chosen after it, or came after it was cleared."""
    model, goes_on, read = write_tone_model(paths.models_dir(), 8, 3), threading.Event(), list[str]()

    def read_slowly(path: Path, name: str = "") -> StartChoice:
        if name == "Slow":
            goes_on.wait(30)
        choice = read_model(path, name)
        read.append(name)
        return choice

    monkeypatch.setattr(start_point_choice, "read_model", read_slowly)
    chooser = loaded.runs.origin
    chooser.choose_model(model, "Slow")
    chooser.choose_model(model, "Quick")
    qtbot.waitUntil(lambda: origin(loaded) == "Starts from Quick")
    goes_on.set()
    qtbot.waitUntil(lambda: read == ["Quick", "Slow"])
    qtbot.waitUntil(lambda: not [task for task in chooser.findChildren(BackgroundTask) if task.isRunning()])
    QApplication.processEvents()
    assert origin(loaded) == "Starts from Quick"
