"""Finishing a run now, under way or at rest, through the real widgets, with an engine that replays events."""

from pytestqt.qtbot import QtBot

from distill.gui.main_window import MainWindow
from distill.gui.training_thread import RunState
from distill.training.run_folder import RunRecord
from tests.gui.fakes import FakeEngine
from tests.gui.test_runs import earlier_run, pause_after
from tests.gui.test_training import await_state, button, click, eta, start


class TestFinishing:
    def test_a_run_under_way(self, loaded: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
        engine.step_seconds, engine.cancel_seconds = 0.01, 0.3
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
        assert "Finished" in eta(loaded)
        assert loaded.controls.progress.value() == loaded.controls.progress.maximum()
        assert loaded.controls.epochs.value() == made
        assert not button(loaded, "resumeButton").isEnabled()
        assert not button(loaded, "finishButton").isEnabled()
        loaded.controls.epochs.setValue(made + 1)  # more epochs are asked
        assert button(loaded, "resumeButton").isEnabled()
        folder = loaded.runs.runs.folder
        assert folder is not None
        assert RunRecord.load(folder).config.max_epochs == made

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

    def test_a_paused_run_is_finished_without_the_engine(
        self, loaded: MainWindow, engine: FakeEngine, qtbot: QtBot
    ) -> None:
        folder = pause_after(loaded, qtbot, engine, 2)
        (folder / "model.distill").touch()
        made = len(loaded.runs.bridge.history.epochs)
        calls = list(engine.calls)
        assert button(loaded, "finishButton").isEnabled()
        click(loaded, "finishButton")
        qtbot.waitUntil(lambda: RunRecord.load(folder).status == "finished")
        qtbot.waitUntil(lambda: "Finished" in eta(loaded))
        assert engine.calls == calls
        assert loaded.controls.epochs.value() == RunRecord.load(folder).config.max_epochs == made
        assert not button(loaded, "resumeButton").isEnabled()

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
