"""Finishing a run now, under way or at rest, through the real widgets, with an engine that replays events."""

import threading
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from distill.gui.engine.run_state import RunState
from distill.gui.training import presenter
from distill.gui.window.main_window import MainWindow
from distill.runs.run_record import RunRecord
from tests.gui.conftest import close, make_window
from tests.gui.fakes import FakeDevice, FakeEngine
from tests.gui.runs.test_runs import earlier_run, pause_after, said
from tests.gui.training.test_training import await_state, button, click, eta, record_readers, start


class TestFinishing:
    def test_a_run_under_way(self, loaded: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
        engine.step_seconds, engine.cancel_seconds = 0.01, 0.3
        statuses: list[str] = []

        def note(status: str) -> None:
            statuses.append(status)

        loaded.controls.status_changed.connect(note)
        assert not button(loaded, "finishButton").isEnabled()
        start(loaded, 500)
        await_state(qtbot, loaded, RunState.TRAINING)
        qtbot.waitUntil(lambda: len(loaded.runs.bridge.history.epochs) >= 2, timeout=10_000)
        click(loaded, "finishButton")
        assert "Finishing" in eta(loaded)
        assert not button(loaded, "startButton").isEnabled()
        assert not button(loaded, "finishButton").isEnabled()
        await_state(qtbot, loaded, RunState.IDLE)
        made = len(loaded.runs.bridge.history.epochs)
        assert 2 <= made < 500
        assert "Finishing: learning to make new sounds 1/4…" in statuses, "the end of a run can take minutes"
        assert "Finished" in eta(loaded)
        assert loaded.controls.progress.value() == loaded.controls.progress.maximum()
        assert loaded.controls.epochs.value() == 500  # the next run is made as the user has set it
        assert button(loaded, "resumeButton").isEnabled()  # to the epochs in the field
        assert button(loaded, "startButton").property("primary")
        assert not button(loaded, "finishButton").isEnabled()
        qtbot.waitUntil(lambda: f"{made} of 500 epochs" in said(loaded))
        loaded.controls.epochs.setValue(made + 1)  # more epochs are asked
        assert button(loaded, "resumeButton").isEnabled()
        folder = loaded.runs.runs.folder
        assert folder is not None
        assert RunRecord.load(folder).config.max_epochs == made

    def test_the_keyboard_is_not_left_on_the_queue(self, loaded: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
        """Qt gives the focus of a button that is disabled to its neighbour: Enter would add a run to the queue."""
        engine.step_seconds, engine.cancel_seconds = 0.01, 0.3
        loaded.activateWindow()
        qtbot.waitUntil(loaded.isActiveWindow)
        start(loaded, 500)
        qtbot.waitUntil(lambda: len(loaded.runs.bridge.history.epochs) >= 1, timeout=10_000)
        button(loaded, "finishButton").setFocus()
        click(loaded, "finishButton")
        assert loaded.controls.stop.hasFocus()
        await_state(qtbot, loaded, RunState.IDLE)
        assert loaded.controls.start.hasFocus()

    def test_pausing_while_it_finishes(self, loaded: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
        engine.step_seconds, engine.cancel_seconds = 0.01, 0.3
        start(loaded, 500)
        qtbot.waitUntil(lambda: len(loaded.runs.bridge.history.epochs) >= 1, timeout=10_000)
        click(loaded, "finishButton")
        click(loaded, "cancelButton")
        assert "Pausing" in eta(loaded)
        await_state(qtbot, loaded, RunState.IDLE)
        assert "Paused" in eta(loaded)
        assert button(loaded, "resumeButton").isEnabled()

    def test_the_engine_completes_the_model_of_a_paused_run(
        self, loaded: MainWindow, engine: FakeEngine, qtbot: QtBot
    ) -> None:
        folder = pause_after(loaded, qtbot, engine, 2)
        (folder / "model.distill").touch()
        made = len(loaded.runs.bridge.history.epochs)
        engine.cancel_seconds = 0.3
        statuses: list[str] = []

        def note(status: str) -> None:
            statuses.append(status)

        loaded.controls.status_changed.connect(note)
        click(loaded, "finishButton")
        qtbot.waitUntil(lambda: engine.calls[-1] == "resume to None")
        await_state(qtbot, loaded, RunState.IDLE)
        record = RunRecord.load(folder)
        assert (record.status, record.config.max_epochs) == ("finished", made)
        assert eta(loaded) == "Finished. The model is on the Models page.", "the user has ended it, not the curve"
        assert "Finishing: learning to make new sounds 1/4…" in statuses

    def test_the_run_after_one_that_the_user_finished_ends_by_itself(
        self, loaded: MainWindow, engine: FakeEngine, qtbot: QtBot
    ) -> None:
        """What the user wanted of one run does not hold for the next one."""
        pause_after(loaded, qtbot, engine, 2)
        click(loaded, "finishButton")
        qtbot.waitUntil(lambda: "Finished" in eta(loaded))
        engine.stops_after, engine.step_seconds = 2, 0.0
        start(loaded, 9)
        await_state(qtbot, loaded, RunState.IDLE)
        assert "Finished at epoch 2 of 9: it no longer improved" in eta(loaded)

    def test_the_window_does_not_wait_for_the_record(
        self, loaded: MainWindow, engine: FakeEngine, sounds: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = pause_after(loaded, qtbot, engine, 2)
        (folder / "model.distill").touch()
        (sounds / "tone 1.wav").unlink()
        made = len(loaded.runs.bridge.history.epochs)
        readers = record_readers(monkeypatch)
        click(loaded, "finishButton")
        qtbot.waitUntil(lambda: "Finished" in eta(loaded))
        assert readers
        assert threading.main_thread() not in readers
        loaded.controls.epochs.setValue(made)
        assert not button(loaded, "resumeButton").isEnabled(), "it has as many epochs as its record now says"

    def test_a_paused_run_without_its_sounds_is_finished_without_the_engine(
        self, loaded: MainWindow, engine: FakeEngine, sounds: Path, qtbot: QtBot
    ) -> None:
        folder = pause_after(loaded, qtbot, engine, 2)
        (folder / "model.distill").touch()
        (sounds / "tone 1.wav").unlink()
        made = len(loaded.runs.bridge.history.epochs)
        calls = list(engine.calls)
        assert button(loaded, "finishButton").isEnabled()
        click(loaded, "finishButton")
        qtbot.waitUntil(lambda: RunRecord.load(folder).status == "finished")
        qtbot.waitUntil(lambda: "Finished" in eta(loaded))
        assert engine.calls == calls
        assert "tone 1.wav is not where it was. The model has no map" in loaded.notices.text()
        assert loaded.controls.epochs.value() == RunRecord.load(folder).epochs_asked == 500
        assert RunRecord.load(folder).config.max_epochs == made
        assert button(loaded, "resumeButton").isEnabled()  # to the 500 epochs that the field still shows
        click(loaded, "resumeButton")
        qtbot.waitUntil(lambda: engine.calls[-1] == "resume to 500")

    def test_a_killed_run_is_finished_by_the_engine(self, window: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
        folder = earlier_run("killed", status="running")
        window.runs.runs.open(folder)
        qtbot.waitUntil(button(window, "finishButton").isEnabled)
        click(window, "finishButton")
        qtbot.waitUntil(lambda: engine.calls == ["resume to None"])
        await_state(qtbot, window, RunState.IDLE)
        record = RunRecord.load(folder)
        assert (record.status, record.config.max_epochs) == ("finished", 3)
        assert window.runs.bridge.history.step_count == 3  # not one step was made


class TestTheNextRun:
    """Its settings are the user's: a run that is shown or finished does not change them."""

    def test_the_last_run_comes_back_at_the_start(
        self, loaded: MainWindow, engine: FakeEngine, device: FakeDevice, qtbot: QtBot
    ) -> None:
        pause_after(loaded, qtbot, engine, 1, asked=30)
        loaded.controls.choose("vqvae", "", 90)
        close(qtbot, loaded)
        engine.step_seconds = 0.0
        again = make_window(qtbot, engine, device)
        qtbot.waitUntil(button(again, "resumeButton").isEnabled)
        assert (again.controls.family_key, again.controls.epochs.value()) == ("vqvae", 90)
        click(again, "resumeButton")  # nobody has asked for a longer run
        await_state(qtbot, again, RunState.IDLE)
        assert engine.calls[-1] == "resume to None"
        assert again.controls.epochs.value() == 90
        assert not button(again, "resumeButton").isEnabled()
        again.controls.epochs.setValue(91)
        click(again, "resumeButton")
        await_state(qtbot, again, RunState.IDLE)
        assert engine.calls[-1] == "resume to 91"
        close(qtbot, again)

    def test_a_run_that_was_finished_early_is_opened(self, window: MainWindow, qtbot: QtBot) -> None:
        from distill.runs.record_changes import mark_finished

        folder = earlier_run("bells")
        (folder / "model.distill").touch()
        assert mark_finished(folder)
        window.runs.runs.open(folder)
        qtbot.waitUntil(lambda: "bells · Finished at epoch 3 of 9" in eta(window))
        assert window.controls.epochs.value() == 9  # what was requested, not what was done
        assert button(window, "resumeButton").isEnabled()
        assert button(window, "startButton").property("primary")  # it is finished: a new run is the next step


def test_the_time_left_is_not_guessed_from_the_first_steps(
    loaded: MainWindow, engine: FakeEngine, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []
    show = loaded.controls.show_position

    def noting(epoch: int, total_epochs: int, share: float, epoch_seconds: float) -> None:
        given.append(epoch_seconds)
        show(epoch, total_epochs, share, epoch_seconds)

    monkeypatch.setattr(loaded.controls, "show_position", noting)
    monkeypatch.setattr(presenter, "GUESS_SECONDS", 0.2)
    engine.step_seconds = 0.05
    start(loaded, 4)
    await_state(qtbot, loaded, RunState.TRAINING)
    await_state(qtbot, loaded, RunState.IDLE)
    assert given[0] == 0  # not known yet
    assert given[-1] == pytest.approx(0.04)  # four steady steps
