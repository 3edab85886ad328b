"""The queue in the window: adding, order, one run after the other, failures and pauses."""

import threading
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMessageBox, QToolButton
from pytestqt.qtbot import QtBot

from distill import paths
from distill.audio.decoding.sound_fix import SoundFix
from distill.config.presets_by_file_count import ADAPTIVE_LATENTS
from distill.config.training import AnyConfig
from distill.errors import LibraryError, TrainingError
from distill.gui.engine.run_state import RunState
from distill.gui.queue.list_rows import facts_text
from distill.gui.queue.panel import QueuePanel
from distill.gui.window.main_window import MainWindow
from distill.runs.queue import FAILED, FINISHED, STOPPED, WAITING, QueueEntry, RunQueue
from tests.gui.conftest import close, double_click, make_window
from tests.gui.fakes import FakeDevice, FakeEngine
from tests.gui.training.test_training import await_state, button, click, start
from tests.support.models import write_tone_model


def panel(window: MainWindow) -> QueuePanel:
    found = window.findChild(QueuePanel)
    assert found is not None
    return found


def statuses(window: MainWindow) -> list[str]:
    return [entry.status for entry in panel(window).table.items]


def add(window: MainWindow, qtbot: QtBot, epochs: int = 2, family: str = "vae") -> None:
    before = len(RunQueue().read().entries)
    window.controls.choose(family, "", epochs)
    click(window, "queueButton")
    qtbot.waitUntil(lambda: len(panel(window).table.items) == before + 1)


def click_tool(window: MainWindow, name: str) -> None:
    found = window.findChild(QToolButton, name)
    assert found is not None
    QTest.mouseClick(found, Qt.MouseButton.LeftButton)


def test_the_next_run_begins_when_one_ends(loaded: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    add(loaded, qtbot, epochs=2)
    add(loaded, qtbot, epochs=3, family="complex_vae")
    assert [entry.name for entry in panel(loaded).table.items] == ["my sounds", "my sounds 2"]
    assert len(panel(loaded).table.items[0].sounds) == 4
    loaded.tabs.setCurrentWidget(loaded.run_list)
    click(loaded, "queueRunButton")
    qtbot.waitUntil(lambda: statuses(loaded) == [FINISHED, FINISHED])
    assert engine.calls == ["train", "train"]
    assert engine.names == ("my sounds 2", "my sounds 2")
    assert len(loaded.runs.bridge.history.epochs) == 3
    assert loaded.runs.bridge.config is not None
    assert loaded.runs.bridge.config.family == "complex_vae"
    qtbot.waitUntil(lambda: not RunQueue().is_worked_off())


def test_fixes_and_the_chosen_model_go_with_the_run(
    loaded: MainWindow, engine: FakeEngine, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, chooser = write_tone_model(paths.models_dir(), 8, 3), loaded.runs.origin
    sound = loaded.sounds.usable()[0]
    loaded.sounds.exclusions.fix({sound: SoundFix(trims=True)}, True, "Silence")
    chooser.choose_model(model, "Tones")
    qtbot.waitUntil(lambda: chooser.choice is not None)
    add(loaded, qtbot)
    loaded.sounds.exclusions.undo_stack.undo()
    chooser.clear()
    add(loaded, qtbot)
    table = panel(loaded).table
    assert facts_text(table.items[0]).endswith("from the model Tones · 1 sound fixed")
    assert f"{sound.name} (silence trimmed)" in table.index(0).data(Qt.ItemDataRole.ToolTipRole)
    seen: list[tuple[Any, ...]] = []

    def train(config: AnyConfig, *given: Any, **named: Any) -> dict[str, Any]:
        seen.append((named["fixes"], named["start_from"], getattr(config, "latent_dim", 0)))
        return original(config, *given, **named)

    original = engine.train
    monkeypatch.setattr(engine, "train", train)
    click(loaded, "queueRunButton")
    qtbot.waitUntil(lambda: statuses(loaded) == [FINISHED, FINISHED])
    assert seen == [({sound: SoundFix(trims=True)}, model, 8), ({}, None, ADAPTIVE_LATENTS)]


def test_a_double_click_trains_each_run_once(
    loaded: MainWindow, engine: FakeEngine, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, original, number = threading.Event(), engine.train, count()

    def train(*given: Any, **named: Any) -> dict[str, Any]:
        assert go_on.wait(60)  # the run has no folder yet
        return original(*given, **named)

    monkeypatch.setattr(engine, "train", train)
    # As some seconds later, while the sounds are found.
    monkeypatch.setattr("distill.runs.queue.new_run_dir", lambda name: paths.runs_dir() / f"{next(number)} {name}")
    add(loaded, qtbot)
    add(loaded, qtbot)
    loaded.tabs.setCurrentWidget(loaded.run_list)
    main = button(loaded, "queueRunButton")
    click(loaded, "queueRunButton")
    is_offered_twice = main.isEnabled()
    loaded.parts.queue.run()  # whatever asks for it
    await_state(qtbot, loaded, RunState.PREPARING)
    qtbot.waitUntil(lambda: main.isEnabled() and not loaded.parts.queue._tasks.is_busy)
    go_on.set()
    qtbot.waitUntil(lambda: statuses(loaded) == [FINISHED, FINISHED] and not RunQueue().is_worked_off())
    assert engine.calls == ["train", "train"]
    assert not is_offered_twice


def test_a_model_of_another_shape_is_refused_when_it_is_added(loaded: MainWindow, qtbot: QtBot) -> None:
    chooser = loaded.runs.origin
    chooser.choose_model(write_tone_model(paths.models_dir(), 8, 3), "Tones")
    qtbot.waitUntil(lambda: chooser.choice is not None)
    loaded.runs.settings.change("vae", "latent_dim", 32)
    click(loaded, "queueButton")
    qtbot.waitUntil(lambda: "of the model is 8" in loaded.notices.text())
    assert RunQueue().read().entries == ()


def test_it_goes_on_after_a_run_that_was_started_by_hand(loaded: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    engine.go_on.clear()
    start(loaded, 2)
    await_state(qtbot, loaded, RunState.PREPARING)
    add(loaded, qtbot, epochs=3)  # the fields can be set while another run trains
    engine.go_on.set()
    qtbot.waitUntil(lambda: statuses(loaded) == [FINISHED])
    assert len(loaded.runs.bridge.history.epochs) == 3
    assert engine.calls == ["train", "train"]


def test_a_failed_entry_says_why_and_the_next_begins(loaded: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    add(loaded, qtbot)
    engine.fail_with = TrainingError("The disk is full.")
    RunQueue().add([QueueEntry("gone", (Path("/nowhere"),))])
    click(loaded, "queueRunButton")
    qtbot.waitUntil(lambda: statuses(loaded) == [FAILED, FAILED])
    first, second = panel(loaded).table.items
    assert first.problem == "The disk is full."
    assert "Put them back" in second.problem
    assert "has failed" in loaded.notices.text()


def test_pausing_holds_the_queue_and_it_goes_on_from_there(
    loaded: MainWindow, engine: FakeEngine, qtbot: QtBot
) -> None:
    engine.step_seconds = 0.02
    add(loaded, qtbot, epochs=30)
    add(loaded, qtbot)
    click(loaded, "queueRunButton")
    qtbot.waitUntil(lambda: len(loaded.runs.bridge.history.epochs) > 1)
    click(loaded, "cancelButton")
    await_state(qtbot, loaded, RunState.IDLE)
    qtbot.waitUntil(lambda: statuses(loaded) == [STOPPED, WAITING])
    engine.step_seconds = 0.0
    click(loaded, "queueRunButton")
    qtbot.waitUntil(lambda: statuses(loaded) == [FINISHED, FINISHED])
    assert engine.calls == ["train", "resume to None", "train"]


@pytest.mark.parametrize("is_shown", [True, False])
def test_a_run_that_is_resumed_leaves_the_controls_to_the_user(
    loaded: MainWindow, engine: FakeEngine, qtbot: QtBot, is_shown: bool
) -> None:
    """What is set there is for the next run: neither the family nor the epochs are those of the entry."""
    engine.step_seconds = 0.02
    add(loaded, qtbot, epochs=30)
    click(loaded, "queueRunButton")
    qtbot.waitUntil(lambda: len(loaded.runs.bridge.history.epochs) > 1)
    click(loaded, "cancelButton")
    await_state(qtbot, loaded, RunState.IDLE)
    qtbot.waitUntil(lambda: statuses(loaded) == [STOPPED] and not RunQueue().is_worked_off())
    if not is_shown:
        loaded.runs.close_run()
    loaded.controls.choose("complex_vae", "", 77)
    engine.step_seconds = 0.0
    click(loaded, "queueRunButton")
    qtbot.waitUntil(lambda: statuses(loaded) == [FINISHED])
    assert engine.calls == ["train", "resume to None"]
    assert (loaded.controls.family_key, loaded.controls.epochs.value()) == ("complex_vae", 77)
    assert loaded.runs.runs.folder == RunQueue().read().entries[0].run_dir
    assert len(loaded.runs.bridge.history.epochs) == 30


def test_a_held_queue_begins_no_further_run(loaded: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    engine.go_on.clear()
    add(loaded, qtbot)
    add(loaded, qtbot)
    click(loaded, "queueRunButton")
    await_state(qtbot, loaded, RunState.PREPARING)
    qtbot.waitUntil(
        lambda: "Hold" in button(loaded, "queueRunButton").text() and button(loaded, "queueRunButton").isEnabled()
    )
    click(loaded, "queueRunButton")
    qtbot.waitUntil(lambda: RunQueue().read().is_paused)
    engine.go_on.set()
    qtbot.waitUntil(lambda: statuses(loaded) == [FINISHED, WAITING] and not RunQueue().is_worked_off())
    assert engine.calls == ["train"]


def test_order_and_removal(loaded: MainWindow, qtbot: QtBot) -> None:
    for _ in range(3):
        add(loaded, qtbot)
    loaded.tabs.setCurrentWidget(loaded.run_list)
    view, table = panel(loaded).view, panel(loaded).table
    view.setCurrentIndex(table.index(2))
    click_tool(loaded, "queueUpButton")
    qtbot.waitUntil(lambda: [entry.name[-1] for entry in table.items] == ["s", "3", "2"])
    click_tool(loaded, "queueRemoveButton")
    qtbot.waitUntil(lambda: [entry.name[-1] for entry in table.items] == ["s", "2"])
    assert [entry.name for entry in RunQueue().read().entries] == ["my sounds", "my sounds 2"]


def test_it_survives_the_window_and_another_process_keeps_it(
    loaded: MainWindow, engine: FakeEngine, device: FakeDevice, qtbot: QtBot
) -> None:
    add(loaded, qtbot)
    add(loaded, qtbot)
    close(qtbot, loaded)
    again = make_window(qtbot, engine, device)
    again.parts.queue.refresh()
    qtbot.waitUntil(lambda: statuses(again) == [WAITING, WAITING])
    RunQueue().set_paused(True)  # as the other process was told
    runner = RunQueue().hold()
    click(again, "queueRunButton")
    qtbot.waitUntil(lambda: "Another Distill works this queue off" in again.notices.text())
    assert engine.calls == []
    assert RunQueue().read().is_paused
    runner.close()
    qtbot.waitUntil(lambda: button(again, "queueRunButton").isEnabled())
    close(qtbot, again)


def test_closing_the_window_leaves_the_running_one_to_be_resumed(
    loaded: MainWindow, engine: FakeEngine, qtbot: QtBot
) -> None:
    engine.step_seconds = 0.01
    add(loaded, qtbot, epochs=400)
    click(loaded, "queueRunButton")
    qtbot.waitUntil(lambda: len(loaded.runs.bridge.history.epochs) > 0)
    close(qtbot, loaded)
    (entry,) = RunQueue().read().entries
    assert entry.status == STOPPED
    assert entry.is_begun
    assert not RunQueue().is_worked_off()


@pytest.mark.parametrize(("outcome", "noted"), [("stopped", STOPPED), ("failed", FAILED), ("finished", FINISHED)])
def test_stop_and_quit_that_is_refused_once_begins_no_further_run(
    loaded: MainWindow, engine: FakeEngine, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, outcome: str, noted: str
) -> None:
    """As on a full disk, where the checkpoint may fail as well; or the run was at its end anyway."""
    original = engine._epochs

    def epochs(*given: Any) -> str:
        found, is_cancelled = original(*given), given[-1].is_set()
        if is_cancelled and outcome == "failed":
            raise TrainingError("The disk is full.")
        return outcome if is_cancelled else found

    def fail() -> None:
        raise LibraryError("The notes cannot be written: the disk is full.")

    monkeypatch.setattr(engine, "_epochs", epochs)
    engine.step_seconds = 0.02
    add(loaded, qtbot, epochs=30)
    add(loaded, qtbot)
    click(loaded, "queueRunButton")
    qtbot.waitUntil(lambda: len(loaded.runs.bridge.history.epochs) > 1)
    with monkeypatch.context() as full:
        full.setattr(loaded.models, "flush", fail)
        loaded.close()
        question = loaded.findChild(QMessageBox, "quitDialog")
        assert question is not None
        QTest.mouseClick(question.defaultButton(), Qt.MouseButton.LeftButton)
        await_state(qtbot, loaded, RunState.IDLE)
        assert loaded.isVisible()
        assert any("could not be saved" in notice.message for notice in loaded.notices.notices)
    qtbot.waitUntil(lambda: statuses(loaded) == [noted, WAITING] and not RunQueue().is_worked_off())
    assert engine.calls == ["train"]
    click(loaded, "queueRunButton")
    qtbot.waitUntil(lambda: statuses(loaded) == [FAILED if noted == FAILED else FINISHED, FINISHED])


def test_a_double_click_runs_the_queue_and_does_not_hold_it(
    loaded: MainWindow, engine: FakeEngine, qtbot: QtBot
) -> None:
    """The button becomes another one while it is clicked: only one of the runs would be trained overnight."""
    engine.go_on.clear()
    add(loaded, qtbot)
    add(loaded, qtbot)
    loaded.tabs.setCurrentWidget(loaded.run_list)
    main = button(loaded, "queueRunButton")
    double_click(main, lambda: qtbot.waitUntil(lambda: main.isEnabled() and main.text() == "Hold after this run"))
    qtbot.waitUntil(lambda: not loaded.parts.queue._tasks.is_busy)
    assert main.text() == "Hold after this run"
    engine.go_on.set()
    qtbot.waitUntil(lambda: statuses(loaded) == [FINISHED, FINISHED])


def test_a_held_key_adds_one_entry(loaded: MainWindow, qtbot: QtBot) -> None:
    loaded.activateWindow()
    qtbot.waitUntil(loaded.isActiveWindow)
    handle, keys = loaded.windowHandle(), Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    for number in range(5):
        QApplication.sendEvent(handle, QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_A, keys, "", number > 0))
    qtbot.waitUntil(lambda: bool(panel(loaded).table.items) and not loaded.parts.queue._tasks.is_busy)
    assert len(panel(loaded).table.items) == 1
