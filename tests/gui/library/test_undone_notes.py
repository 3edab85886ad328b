"""Notes that are undone and redone while their field has the focus."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from distill import paths
from distill.gui.library.model_detail import Notes
from distill.gui.window.main_window import MainWindow
from distill.gui.window.top_bar import MODELS
from distill.library.model_library import ModelLibrary
from tests.gui.library.test_page import choose, find, until_idle
from tests.library.test_model_library import bells, write_model


@pytest.fixture
def notes(window: MainWindow, qtbot: QtBot) -> Notes:
    """The field, with the focus, of a model with the notes "All of them"."""
    write_model(paths.models_dir() / "model.distill", bells(name="Bells"))
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    window.pages.open_page(MODELS)
    until_idle(window, qtbot)
    choose(window, "Bells")
    field = find(window, Notes, "modelNotes")
    field.setFocus()
    qtbot.waitUntil(field.hasFocus)
    return field


def stored() -> str:
    return ModelLibrary(paths.models_dir()).list()[0].notes


def click(window: MainWindow, text: str) -> None:
    """Click an entry of the Edit menu."""
    menu = next(menu for menu in window.menuBar().findChildren(QMenu) if "Edit" in menu.title())
    menu.popup(window.mapToGlobal(window.rect().center()))
    action = next(action for action in menu.actions() if action.text().startswith(text))
    assert action.isEnabled()
    QTest.mouseClick(menu, Qt.MouseButton.LeftButton, pos=menu.actionGeometry(action).center())


def test_the_field_shows_what_the_edit_menu_has_undone(notes: Notes, window: MainWindow, qtbot: QtBot) -> None:
    """It went on to show what had been undone."""
    notes.selectAll()
    QTest.keyClicks(notes, "softly")
    qtbot.waitUntil(lambda: stored() == "softly", timeout=10_000)
    for text, wanted in (("Undo", "All of them"), ("Redo", "softly")):
        until_idle(window, qtbot)
        click(window, text)
        until_idle(window, qtbot)
        assert stored() == wanted
        assert notes.hasFocus()
        assert notes.toPlainText() == wanted


def test_what_is_typed_while_older_notes_are_stored_stays(notes: Notes, window: MainWindow, qtbot: QtBot) -> None:
    notes.selectAll()
    QTest.keyClicks(notes, "soft")
    notes.written.emit()
    QTest.keyClicks(notes, "ly")
    notes.written.emit()
    assert window.models.worker.is_busy, "the list with the first notes is still to come"
    qtbot.waitUntil(lambda: stored() == "softly", timeout=10_000)
    until_idle(window, qtbot)
    assert notes.toPlainText() == "softly"
