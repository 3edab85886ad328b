"""The menu bar: what its actions bring to the front."""

import pytest
from pytestqt.qtbot import QtBot

from distill.gui.window.pages import MODELS, TRAINING
from distill.gui.window.window import MainWindow
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
