"""Space plays and stops wherever the focus is, except in text fields; Return presses buttons."""

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from distill.gui.window.main_window import MainWindow
from distill.playback.player import PlayerState
from tests.gui.fakes import FakeDevice


def choose_sound(window: MainWindow) -> None:
    model = window.browser.view.model()
    window.browser.view.selectRow(next(r for r in range(model.rowCount()) if model.index(r, 0).data() == "tone 1.wav"))


def is_playing(window: MainWindow) -> bool:
    return window.playing.playback.status.state is PlayerState.PLAYING


@pytest.mark.parametrize("name", ["startButton", "familyCombo", "presetCombo", "advancedButton", "volumeSlider",
                                  "hearWalkingButton", "trainingPageButton"])  # fmt: skip
def test_space_plays_and_stops_and_does_nothing_else(
    loaded: MainWindow, device: FakeDevice, qtbot: QtBot, name: str
) -> None:
    loaded.activateWindow()
    qtbot.waitUntil(loaded.isActiveWindow)
    choose_sound(loaded)
    widget = loaded.findChild(QWidget, name)
    assert widget is not None
    checked = getattr(widget, "isChecked", lambda: None)()
    widget.setFocus()
    QTest.keyClick(widget, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: is_playing(loaded))
    QTest.keyClick(widget, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: not is_playing(loaded))
    assert not loaded.runs.bridge.is_running
    assert getattr(widget, "isChecked", lambda: None)() == checked


def test_a_text_field_keeps_its_spaces(loaded: MainWindow, qtbot: QtBot) -> None:
    loaded.activateWindow()
    qtbot.waitUntil(loaded.isActiveWindow)
    choose_sound(loaded)
    field = loaded.findChild(QLineEdit, "runNameField")
    assert field is not None
    field.setFocus()
    QTest.keyClicks(field, "a b")
    assert field.text() == "a b"
    qtbot.wait(50)
    assert not is_playing(loaded)


def test_return_presses_a_button(loaded: MainWindow, qtbot: QtBot) -> None:
    loaded.activateWindow()
    qtbot.waitUntil(loaded.isActiveWindow)
    loaded.controls.advanced.setFocus()
    QTest.keyClick(loaded.controls.advanced, Qt.Key.Key_Return)
    assert loaded.advanced.isVisible()
    done = loaded.findChild(QPushButton, "advancedDoneButton")
    assert done is not None
    done.setFocus()
    QTest.keyClick(done, Qt.Key.Key_Return)
    assert not loaded.advanced.isVisible()


def test_return_that_is_held_down_presses_a_button_once(loaded: MainWindow, qtbot: QtBot) -> None:
    loaded.activateWindow()
    qtbot.waitUntil(loaded.isActiveWindow)
    button = loaded.controls.advanced
    button.setFocus()
    clicks: list[bool] = []
    button.clicked.connect(lambda: clicks.append(True))
    none = Qt.KeyboardModifier.NoModifier
    for is_repeat in (False, True, True):
        key = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Return, none, "\r", is_repeat)
        QApplication.sendEvent(button, key)
        assert key.isAccepted(), "no other widget gets it"
    assert len(clicks) == 1
