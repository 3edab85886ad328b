"""The menu bar: what its actions bring to the front."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from distill.gui.engine.run_state import RunState
from distill.gui.window.layout import RUNS_TAB
from distill.gui.window.main_window import MainWindow
from distill.gui.window.top_bar import MODELS, PLAY, TRAINING
from distill.metrics_history import MetricsHistory
from distill.playback.player import PlayerState
from tests.gui.fakes import FakeEngine, epoch_end, step
from tests.gui.runs.test_runs import train
from tests.gui.training.test_training import await_state, button, click, start
from tests.gui.window.test_help import menu_action


@pytest.mark.parametrize("in_front", ["advanced", "doctor", "page"])
def test_going_to_the_previews_shows_them(loaded: MainWindow, qtbot: QtBot, in_front: str) -> None:
    if in_front == "page":
        loaded.pages.show_page(MODELS)
    else:
        (loaded.controls.advanced if in_front == "advanced" else loaded.browser.doctor).click()
        assert not loaded.previews.isVisible()
    menu_action(loaded, "View", "Go to previews").trigger()
    assert loaded.pages.currentIndex() == TRAINING
    assert loaded.previews.isVisible()
    assert not loaded.controls.advanced.isChecked()
    assert not loaded.browser.doctor.isChecked()


@pytest.mark.parametrize("page", [MODELS, PLAY, None], ids=["models", "play", "runs tab"])
def test_the_list_of_sounds_is_changed_only_while_it_is_seen(loaded: MainWindow, page: int | None) -> None:
    entries = [
        menu_action(loaded, "Edit", text)
        for text in ("Exclude from training", "Remove from list", "Copy path", "Select all sounds")
    ]
    view, find = loaded.browser.view, menu_action(loaded, "Edit", "Find sound")
    loaded.activateWindow()
    view.selectAll()
    assert all(entry.isEnabled() for entry in entries)
    if page is None:
        loaded.frame.tabs.setCurrentIndex(RUNS_TAB)
    else:
        loaded.pages.open_page(page)
    assert not view.isVisible()
    assert [entry.text() for entry in entries if entry.isEnabled()] == []
    view.clearSelection()
    view.selectAll()  # as when the list changes meanwhile
    assert [entry.text() for entry in entries if entry.isEnabled()] == []
    QTest.keyClick(loaded, Qt.Key.Key_Delete, Qt.KeyboardModifier.ShiftModifier)
    assert not loaded.sounds.exclusions.choice.removed
    find.trigger()  # shows the list
    assert view.isVisible()
    assert all(entry.isEnabled() for entry in entries)


@pytest.mark.parametrize("page", [TRAINING, MODELS, PLAY], ids=["training", "models", "play"])
def test_the_advanced_settings_come_with_their_page(loaded: MainWindow, qtbot: QtBot, page: int) -> None:
    action = menu_action(loaded, "Training", "Advanced settings")
    loaded.activateWindow()
    qtbot.waitUntil(loaded.isActiveWindow)
    loaded.pages.open_page(page)
    loaded.controls.advanced.setChecked(page != TRAINING)  # they were left open on the page that is not seen
    action.trigger()
    assert loaded.pages.currentIndex() == TRAINING
    assert loaded.advanced.isVisible()
    assert loaded.controls.advanced.isChecked()
    focus = QApplication.focusWidget()
    assert focus is not None
    assert focus is loaded.advanced or loaded.advanced.isAncestorOf(focus)
    action.trigger()
    assert loaded.previews.isVisible(), "where they are seen, the menu hides them again"
    assert not loaded.controls.advanced.isChecked()


@pytest.mark.parametrize("page", [MODELS, PLAY], ids=["models", "play"])
def test_what_lists_other_sounds_shows_the_list(window: MainWindow, qtbot: QtBot, page: int) -> None:
    window.frame.tabs.setCurrentIndex(RUNS_TAB)
    window.pages.open_page(page)
    menu_action(window, "File", "Use demo sounds").trigger()
    assert window.browser.isVisible()
    qtbot.waitUntil(
        lambda: len(window.browser.usable_paths()) > 2 and not window.sounds.scanner.is_busy, timeout=60_000
    )


def test_two_sounds_are_switched_only_while_they_are_compared(loaded: MainWindow, qtbot: QtBot, sounds: Path) -> None:
    action = menu_action(loaded, "Playback", "Switch between original and model\tB")
    assert not action.isEnabled()
    loaded.playing.playback.compare(sounds / "tone 0.wav", sounds / "tone 1.wav")
    qtbot.waitUntil(action.isEnabled)
    loaded.playing.playback.play(sounds / "tone 0.wav")
    qtbot.waitUntil(lambda: not action.isEnabled())


EXPORTS = [("File", "Export curves", text) for text in ("Export picture", "Export steps", "Export epochs")]


def test_curves_are_exported_only_where_there_are_any(loaded: MainWindow, qtbot: QtBot) -> None:
    of_plot = [action for plot in loaded.plots.plots.values() for action in plot.header.menu_button.menu().actions()]
    entries = [menu_action(loaded, "File", "Export curves"), *(menu_action(loaded, *way) for way in EXPORTS), *of_plot]
    assert len(of_plot) == 3 * len(loaded.plots.plots)
    assert [entry.text() for entry in entries if entry.isEnabled()] == []
    train(loaded, qtbot)
    assert all(entry.isEnabled() for entry in entries)
    menu_action(loaded, *EXPORTS[0]).trigger()
    dialog = loaded.findChild(QFileDialog, "saveCurvesDialog")
    assert dialog is not None
    dialog.reject()
    loaded.runs.close_run()
    assert [entry.text() for entry in entries if entry.isEnabled()] == []


def test_before_the_first_epoch_ends_there_are_only_steps(window: MainWindow) -> None:
    history = MetricsHistory()
    window.plots.show_history(history, None)
    history.add_step(step(0, 0))
    window.plots.mark_changed()
    assert [menu_action(window, *way).isEnabled() for way in EXPORTS] == [True, True, False]
    history.add_epoch(epoch_end(0, 3))
    window.plots.mark_changed()
    assert [menu_action(window, *way).isEnabled() for way in EXPORTS] == [True, True, True]


def test_a_model_without_codes_has_no_way_to_them(loaded: MainWindow, qtbot: QtBot) -> None:
    action = menu_action(loaded, "View", "Go to codes")
    assert not action.isEnabled()
    train(loaded, qtbot)
    assert not action.isEnabled()


def test_play_is_offered_once_there_is_something_to_play(loaded: MainWindow, qtbot: QtBot, sounds: Path) -> None:
    action = menu_action(loaded, "Playback", "Play or stop")
    assert not action.isEnabled()
    loaded.playing.play(sounds / "tone 0.wav")
    assert action.isEnabled()
    qtbot.waitUntil(lambda: loaded.playing.playback.status.state is PlayerState.PLAYING)
    assert action.isEnabled()
    action.trigger()
    qtbot.waitUntil(lambda: loaded.playing.playback.status.state is not PlayerState.PLAYING)
    assert action.isEnabled(), "the same sound can be played again"


def test_sounds_are_found_and_selected_only_where_there_are_any(window: MainWindow, sounds: Path, qtbot: QtBot) -> None:
    entries = [menu_action(window, "Edit", text) for text in ("Find sound", "Select all sounds")]
    assert [entry.isEnabled() for entry in entries] == [False, False]
    window.open_folder(sounds)
    qtbot.waitUntil(lambda: [entry.isEnabled() for entry in entries] == [True, True], timeout=60_000)
    window.browser.filter.setText("no such sound")
    assert [entry.isEnabled() for entry in entries] == [True, False]
    window.browser.filter.clear()
    assert [entry.isEnabled() for entry in entries] == [True, True]


def test_going_to_the_sounds_without_any_leads_to_the_choice_of_a_folder(window: MainWindow, qtbot: QtBot) -> None:
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    window.pages.open_page(MODELS)
    menu_action(window, "View", "Go to sounds").trigger()
    assert window.browser.folder_button.hasFocus()


def test_no_other_run_is_offered_during_a_training(loaded: MainWindow, qtbot: QtBot, engine: FakeEngine) -> None:
    action = menu_action(loaded, "File", "Open run")
    assert action.isEnabled()
    engine.step_seconds = 0.01
    start(loaded, 500)
    await_state(qtbot, loaded, RunState.TRAINING)
    assert not action.isEnabled()
    assert not button(loaded, "openRunButton").isEnabled()
    click(loaded, "cancelButton")
    await_state(qtbot, loaded, RunState.IDLE)
    assert action.isEnabled()
