"""From the end of a training to the model in the list, heard, with the real engine."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from distill.gui.engine.run_state import RunState
from distill.gui.window.main_window import MainWindow
from distill.playback.player import Player
from tests.gui.fakes import FakeDevice

#: Patience, in milliseconds: training steps back for other programs, and seconds become minutes on a busy machine.
PATIENCE = 180_000


@pytest.fixture
def device() -> FakeDevice:
    return FakeDevice()


@pytest.fixture
def window(qapp: QApplication, qtbot: QtBot, device: FakeDevice) -> Iterator[MainWindow]:
    made = MainWindow(player=Player(open_output=device))  # type: ignore[arg-type]
    with qtbot.waitExposed(made):
        made.show()
    yield made
    made.quit_now()
    qtbot.waitUntil(lambda: not made.isVisible(), timeout=PATIENCE)
    made.wait_for_engine()


def button(window: MainWindow, name: str) -> QPushButton:
    found = window.findChild(QPushButton, name)
    assert found is not None
    return found


def test_a_run_leaves_a_model_that_can_be_heard(
    window: MainWindow, qtbot: QtBot, device: FakeDevice, sounds: Path
) -> None:
    files = sorted(sounds.glob("*.wav"))
    window.runs.runs.start_new("vae", "auto", 1, files, "bells", {"network_width": 4, "latent_dim": 4})
    bridge = window.runs.bridge
    qtbot.waitUntil(lambda: bridge.state is RunState.IDLE and bool(bridge.history.epochs), timeout=PATIENCE)
    qtbot.waitUntil(lambda: "“bells” is ready" in window.notices.text(), timeout=PATIENCE)
    QTest.mouseClick(button(window, "noticeAction"), Qt.MouseButton.LeftButton)
    page = window.models_page
    assert page.isVisible()
    assert page.detail.name.text() == "bells"
    qtbot.waitUntil(lambda: bool(page.detail.model_sounds.rows), timeout=PATIENCE)
    # The rows are made anew when the library has read the new model.
    qtbot.waitUntil(lambda: not window.models.worker.is_busy, timeout=PATIENCE)
    qtbot.wait(300)
    first = page.detail.model_sounds.rows[0]
    QTest.mouseClick(first, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.playing.playback.status.path == first.sample.path)
    assert len(device.outputs) == 1

    folder = window.runs.runs.folder
    assert folder is not None
    shutil.rmtree(folder / "previews")  # without them, the model makes a sound itself
    window.models.listening.look_for_sounds(page.list.current())
    make = button(window, "makeProbeButton")
    qtbot.waitUntil(make.isVisible, timeout=PATIENCE)
    page.list.view.setFocus()
    QTest.keyClick(page.list.view, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: len(page.detail.model_sounds.rows) == 1, timeout=PATIENCE)
    made = page.detail.model_sounds.rows[0].sample.path
    qtbot.waitUntil(lambda: window.playing.playback.status.path == made, timeout=PATIENCE)
    assert made.stat().st_size > 10_000
