"""The whole way with the hand: a folder is dropped, a sound excluded, a model trained, heard, paused, and finished.

Everything is done by the X server's mouse and keyboard, in the real window with the real engine, and what is heard is
recorded from a sound card.  Between pausing and going on the application is closed and started again.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, QPoint
from PySide6.QtWidgets import QAbstractItemView, QApplication, QPushButton, QSpinBox, QWidget
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

#: Where the window is, and the other program's that the folder is dragged from: beside each other.
WINDOW, BESIDE = (0, 0, 1280, 800), (1300, 100, 200, 200)

#: A file manager as X sees one: it offers a folder to whatever the mouse is let go over (XDND).
_FILE_MANAGER = """
import sys
from PySide6.QtCore import QMimeData, Qt, QTimer, QUrl
from PySide6.QtGui import QDrag
from PySide6.QtWidgets import QApplication, QWidget
class Source(QWidget):
    def mousePressEvent(self, event):
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(sys.argv[1])])
        drag = QDrag(self)
        drag.setMimeData(data)
        drag.exec(Qt.DropAction.CopyAction)
        QTimer.singleShot(1500, app.quit)  # the data is fetched from it only now
app = QApplication(["file manager"])
source = Source()
source.setGeometry(*map(int, sys.argv[2:6]))
source.show()
QTimer.singleShot(300, lambda: print("ready", flush=True))
QTimer.singleShot(60000, app.quit)
app.exec()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five short demo sounds, in a folder whose name a URL must escape."""
    made = tmp_path / "my drums #1"
    made.mkdir()
    for path in sorted(write_demo_sounds(), key=lambda p: p.stat().st_size)[:5]:
        shutil.copy(path, made)
    return made


class Hand:
    """Works a window with the X server's mouse and keyboard."""

    def __init__(self, screen: Screen, qtbot: QtBot) -> None:
        self._screen, self._qtbot = screen, qtbot

    def click(self, widget: QWidget, position: QPoint | None = None) -> None:
        """Click on a widget, in its middle or at a place in it."""
        click(self._screen, self._qtbot, widget, position)

    def press(self, *keys: str) -> None:
        """Press keys."""
        self._screen.xdotool("key", *keys)
        self._qtbot.wait(60)

    def drag_folder(self, folder: Path, window: MainWindow) -> None:
        """Drag a folder out of another program and drop it on the window."""
        command = [sys.executable, "-c", _FILE_MANAGER, str(folder), *map(str, BESIDE)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as manager:
            assert manager.stdout is not None
            assert manager.stdout.readline() == "ready\n"
            x, y = BESIDE[0] + 100, BESIDE[1] + 100
            to = window.tabs.mapToGlobal(window.tabs.rect().center())
            moves = f"mousemove {x} {y} mousedown 1 sleep 0.1"
            for step in range(1, 11):
                moves += f" mousemove {x + (to.x() - x) * step // 10} {y + (to.y() - y) * step // 10} sleep 0.04"
            moves += f" mousemove {to.x() + 2} {to.y()}"
            hovering = _Hovering(window)
            self._run(moves)  # meanwhile the window has to answer
            self._qtbot.waitUntil(lambda: hovering.seen, timeout=PATIENCE)
            self._qtbot.wait(300)  # the answer crosses to the other program
            self._run("mouseup 1")
            self._qtbot.waitUntil(lambda: manager.poll() is not None, timeout=PATIENCE)

    def _run(self, words: str) -> None:
        with subprocess.Popen(["xdotool", *words.split()]) as moving:
            self._qtbot.waitUntil(lambda: moving.poll() is not None, timeout=PATIENCE)


class _Hovering(QObject):
    """Notes that what is dragged has come over a window."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.seen = False
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        self.seen = self.seen or event.type() == QEvent.Type.DragMove
        return super().eventFilter(watched, event)


@pytest.fixture
def hand(xvfb: Screen, qapp: QApplication, qtbot: QtBot) -> Hand:
    return Hand(xvfb, qtbot)


@pytest.fixture
def windows(hand: Hand, qtbot: QtBot, null_sink: NullSink) -> Iterator[list[MainWindow]]:
    """The windows of this test, one start after the other; all are closed at the end."""
    made: list[MainWindow] = []
    yield made
    for window in made:
        close(window, qtbot)


def start(windows: list[MainWindow], qtbot: QtBot) -> MainWindow:
    window = MainWindow()
    windows.append(window)
    window.setGeometry(*WINDOW)
    with qtbot.waitExposed(window):
        window.show()
    window.activateWindow()  # there is no window manager here that would do it
    qtbot.waitUntil(window.isActiveWindow)
    return window


def close(window: MainWindow, qtbot: QtBot) -> None:
    if window.isVisible():
        window.quit_now()
        qtbot.waitUntil(lambda: not window.isVisible(), timeout=PATIENCE)
    window.wait_for_engine()


def button(window: MainWindow, name: str) -> QPushButton:
    found = window.findChild(QPushButton, name)
    assert found is not None
    return found


def excluded_names(window: MainWindow) -> list[str]:
    return [row.path.name for row in window.browser.table.rows if row.is_excluded]


def listen(hand: Hand, window: MainWindow, qtbot: QtBot, null_sink: NullSink) -> None:
    """Click on a preview, and compare what is heard with its file."""
    view = window.findChild(QAbstractItemView, "previewList")
    assert view is not None
    player = window.playing.playback
    with null_sink.recording() as take:
        hand.click(view.viewport(), view.visualRect(view.model().index(0, 0)).center())
        qtbot.waitUntil(lambda: player.status.state is PlayerState.PLAYING, timeout=PATIENCE)
        assert player.status.path is not None
        path = player.status.path
        qtbot.waitUntil(lambda: player.status.state is PlayerState.IDLE, timeout=PATIENCE)
    audio, sample_rate = soundfile.read(path, dtype="float32")
    assert sample_rate == 48_000
    wanted: NDArray[np.float32] = np.asarray(player.player.volume * audio, dtype=np.float32)
    assert min(correlations(take.audio, wanted)) > 0.99


def test_drop_exclude_train_hear_pause_restart_resume_and_finish(
    windows: list[MainWindow], hand: Hand, qtbot: QtBot, null_sink: NullSink, folder: Path
) -> None:
    window = start(windows, qtbot)
    hand.drag_folder(folder, window)
    qtbot.waitUntil(lambda: len(window.browser.usable_paths()) == 5, timeout=PATIENCE)
    qtbot.waitUntil(lambda: not window.sounds.scanner.is_busy, timeout=PATIENCE)
    assert window.sounds.roots == (folder,)

    view = window.browser.view
    hand.click(view.viewport(), view.visualRect(view.model().index(1, 0)).center())
    excluded = window.browser.view.selected_rows()[0].path.name
    hand.press("Delete")
    qtbot.waitUntil(lambda: excluded_names(window) == [excluded])
    qtbot.waitUntil(lambda: not window.sounds.scanner.is_busy, timeout=PATIENCE)
    window.playing.playback.stop()

    epochs = window.findChild(QSpinBox, "epochsSpin")
    assert epochs is not None
    hand.click(window.controls.preset)
    hand.press("End", "Return")  # the last preset has the fewest variants: the quickest to prepare
    hand.click(epochs)
    hand.press("ctrl+a", "4", "0", "0", "Tab")
    assert epochs.value() == 400
    hand.click(button(window, "startButton"))
    bridge = window.runs.bridge
    qtbot.waitUntil(lambda: len(bridge.history.epochs) >= 2, timeout=PATIENCE)
    curves = window.plots.loss.widget.getPlotItem().listDataItems()
    qtbot.waitUntil(lambda: max(len(c.yData) for c in curves if c.yData is not None) >= 2)
    qtbot.waitUntil(lambda: window.previews.grid.sound_count >= 3, timeout=PATIENCE)
    listen(hand, window, qtbot, null_sink)
    assert bridge.state is RunState.TRAINING

    hand.click(button(window, "cancelButton"))
    qtbot.waitUntil(lambda: bridge.state is RunState.IDLE, timeout=PATIENCE)
    run = window.runs.runs.folder
    assert run is not None
    record = RunRecord.load(run)
    assert record.status == "stopped"
    assert excluded not in [Path(path).name for path in record.file_paths]
    before = read_history(run).to_dict()
    hand.press("ctrl+q")
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=PATIENCE)

    window = start(windows, qtbot)
    resume = button(window, "resumeButton")
    qtbot.waitUntil(lambda: resume.isEnabled() and not window.sounds.scanner.is_busy, timeout=PATIENCE)
    assert window.runs.runs.folder == run
    assert excluded_names(window) == [excluded]
    qtbot.waitUntil(lambda: window.plots.history.to_dict() == before)
    assert window.previews.grid.sound_count >= 3
    hand.click(resume)
    bridge = window.runs.bridge
    made = len(before["epochs"])
    qtbot.waitUntil(lambda: len(bridge.history.epochs) > made, timeout=PATIENCE)
    hand.click(button(window, "finishButton"))
    qtbot.waitUntil(lambda: bridge.state is RunState.IDLE, timeout=PATIENCE)
    assert RunRecord.load(run).status == "finished"
    assert (run / "model.distill").exists()
    history = read_history(run).to_dict()
    assert history == bridge.history.to_dict()
    assert history["epochs"][:made] == before["epochs"]
    assert resume.isEnabled()  # the epochs that were not trained can still be
