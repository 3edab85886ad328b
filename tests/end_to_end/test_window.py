"""The whole way through the real window with the real engine: sounds in, a preview heard, stopped, resumed."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from PySide6.QtWidgets import QAbstractItemView, QApplication, QComboBox, QPushButton, QSpinBox, QWidget
from pytestqt.qtbot import QtBot

from distill.audio.demo.demo_sounds import write_demo_sounds
from distill.gui.engine.run_state import RunState
from distill.gui.window.main_window import MainWindow
from distill.playback.player import PlayerState
from distill.runs.run_history import read_history
from distill.runs.run_record import RunRecord
from tests.playback.listening import correlations
from tests.support.hand import click
from tests.support.screen import Screen
from tests.support.sound_card import NullSink

#: Patience, in milliseconds: training steps back for other programs, and seconds become minutes on a busy machine.
PATIENCE = 180_000

W = TypeVar("W", bound=QWidget)


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """A few short demo sounds."""
    folder = tmp_path / "drums"
    folder.mkdir()
    made = sorted(write_demo_sounds(), key=lambda p: p.stat().st_size)
    for path in made[:6]:
        shutil.copy(path, folder)
    return folder


@pytest.fixture
def window(xvfb: Screen, qapp: QApplication, qtbot: QtBot, null_sink: NullSink) -> Iterator[MainWindow]:
    made = MainWindow()
    made.move(0, 0)
    with qtbot.waitExposed(made):
        made.show()
    yield made
    made.quit_now()
    qtbot.waitUntil(lambda: not made.isVisible(), timeout=PATIENCE)
    made.wait_for_engine()


def find(window: MainWindow, kind: type[W], name: str) -> W:
    found = window.findChild(kind, name)
    assert found is not None
    return found


def test_from_a_folder_to_a_sound_one_can_hear(
    window: MainWindow, xvfb: Screen, qtbot: QtBot, null_sink: NullSink, sounds: Path
) -> None:
    window.open_folder(sounds)
    start, stop = find(window, QPushButton, "startButton"), find(window, QPushButton, "cancelButton")
    resume, epochs = find(window, QPushButton, "resumeButton"), find(window, QSpinBox, "epochsSpin")
    preset = find(window, QComboBox, "presetCombo")
    qtbot.waitUntil(lambda: start.isEnabled() and not window.sounds.scanner.is_busy, timeout=PATIENCE)
    preset.setCurrentIndex(preset.findData("aggressive"))  # fewest variants: the quickest to prepare
    epochs.setValue(200)
    click(xvfb, qtbot, start)
    bridge = window.runs.bridge
    qtbot.waitUntil(lambda: bridge.state is RunState.TRAINING and len(bridge.history.epochs) >= 2, timeout=PATIENCE)
    curves = window.plots.loss.widget.getPlotItem().listDataItems()
    qtbot.waitUntil(lambda: max(len(c.yData) for c in curves if c.yData is not None) >= 2)

    previews = find(window, QAbstractItemView, "previewList")
    qtbot.waitUntil(lambda: window.previews.grid.sound_count >= 3, timeout=PATIENCE)
    sound = previews.model().index(0, 0)
    player = window.playing.playback
    with null_sink.recording() as take:
        click(xvfb, qtbot, previews.viewport(), previews.visualRect(sound).center())
        qtbot.waitUntil(lambda: player.status.state is PlayerState.PLAYING, timeout=PATIENCE)
        qtbot.waitUntil(lambda: player.status.state is PlayerState.IDLE, timeout=PATIENCE)
        assert bridge.state is RunState.TRAINING
    assert player.status.path is not None
    wanted = player.player.volume * read(player.status.path)
    assert min(correlations(take.audio, wanted)) > 0.99
    assert player.player.underflows == 0

    click(xvfb, qtbot, stop)
    qtbot.waitUntil(lambda: bridge.state is RunState.IDLE, timeout=PATIENCE)
    folder = window.runs.runs.folder
    assert folder is not None
    assert RunRecord.load(folder).status == "stopped"
    assert (folder / "model.distill").exists()
    before = bridge.history.step_count
    click(xvfb, qtbot, resume)
    qtbot.waitUntil(lambda: bridge.history.step_count > before + 2, timeout=PATIENCE)
    click(xvfb, qtbot, stop)
    qtbot.waitUntil(lambda: bridge.state is RunState.IDLE, timeout=PATIENCE)
    assert bridge.history.to_dict() == read_history(folder).to_dict()


def read(path: Path) -> NDArray[np.float32]:
    audio, sample_rate = soundfile.read(path, dtype="float32")
    assert sample_rate == 48_000
    return np.asarray(audio, dtype=np.float32)


_STARTS = """
import sys, time
from PySide6.QtCore import QTimer
from distill.gui import app
from distill.gui.window import main_window
made = []
class Window(main_window.MainWindow):
    def __init__(self, **options):
        super().__init__(**options)
        made.append(self)
        self.painted.connect(self.on_first_frame)
    def on_first_frame(self):
        found = {"torch", "numpy", "soundfile", "pyqtgraph"} & set(sys.modules)
        assert not found, f"{found} before the first frame"
        print("painted", time.time(), flush=True)
        QTimer.singleShot(0, self.quit_now)
app.MainWindow = Window
sys.exit(app.run(None))
"""


def test_the_first_frame_comes_without_heavy_libraries_and_the_program_ends(xvfb: Screen) -> None:
    done = subprocess.run([sys.executable, "-c", _STARTS], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("painted")
    assert done.stderr == ""
