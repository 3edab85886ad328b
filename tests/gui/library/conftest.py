"""The window on the Models page."""

import pytest
from pytestqt.qtbot import QtBot

from distill import paths
from distill.gui.window.main_window import MainWindow
from distill.gui.window.top_bar import MODELS
from tests.gui.library.test_page import until_idle
from tests.library.test_model_library import bells, write_model


@pytest.fixture
def two_models(window: MainWindow, qtbot: QtBot) -> MainWindow:
    """The window on the page, with the models *Rain* and *Bells*."""
    for n, name in enumerate(("Rain", "Bells")):
        write_model(paths.models_dir() / f"model {n}.distill", bells(name=name, model_id=f"{n + 1}" * 32))
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    window.pages.open_page(MODELS)
    until_idle(window, qtbot)
    return window
