"""The menu bar: what its actions bring to the front."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from distill.gui.main_window import MainWindow
from distill.gui.window.frame import RUNS_TAB
from distill.gui.window.pages import MODELS, PLAY, TRAINING
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
    qtbot.waitUntil(lambda: len(window.browser.usable_paths()) > 2 and not window.sounds.loader.is_busy, timeout=60_000)


def test_two_sounds_are_switched_only_while_they_are_compared(loaded: MainWindow, qtbot: QtBot, sounds: Path) -> None:
    action = menu_action(loaded, "Playback", "Switch between original and model\tB")
    assert not action.isEnabled()
    loaded.playing.playback.compare(sounds / "tone 0.wav", sounds / "tone 1.wav")
    qtbot.waitUntil(action.isEnabled)
    loaded.playing.playback.play(sounds / "tone 0.wav")
    qtbot.waitUntil(lambda: not action.isEnabled())
