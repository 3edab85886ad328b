"""The real window with a fake engine, a fake sound device, and a fake file manager."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import shiboken6
import soundfile
from PySide6.QtCore import QEvent, QObject, QPointF, Qt, QUrl, Slot
from PySide6.QtGui import QDesktopServices, QMouseEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from distill.gui import background_tasks
from distill.gui.plots.panel import PlotsPanel
from distill.gui.window.main_window import MainWindow
from distill.playback.player import Player
from tests.gui.fakes import FakeDevice, FakeEngine, tone


@pytest.fixture(autouse=True)
def _nothing_steps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let background work run as anything else: beside the other tests, what steps back hardly runs at all."""
    monkeypatch.setattr(background_tasks, "BACKGROUND_NICENESS", 0)
    monkeypatch.setattr(background_tasks, "PATIENCE_S", 120.0)  # nothing is left behind because the machine is busy
    monkeypatch.setattr(background_tasks, "KEEPING_PATIENCE_S", 120.0)


@pytest.fixture(autouse=True)
def plots_when_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the plots out that a complete window builds, which take a fifth of its time; a file may override this."""
    monkeypatch.setattr(PlotsPanel, "build_named", lambda panel: None)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def device() -> FakeDevice:
    return FakeDevice()


@pytest.fixture
def window(qapp: QApplication, qtbot: QtBot, engine: FakeEngine, device: FakeDevice) -> Iterator[MainWindow]:
    made = make_window(qtbot, engine, device)
    yield made
    close(qtbot, made)


def make_window(qtbot: QtBot, engine: FakeEngine, device: FakeDevice) -> MainWindow:
    made = MainWindow(engine, Player(open_output=device))  # type: ignore[arg-type]
    with qtbot.waitExposed(made):
        made.show()
    return made


def close(qtbot: QtBot, window: MainWindow) -> None:
    if not shiboken6.isValid(window):  # the test has closed it
        return
    window.quit_now()
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=60_000)
    window.deleteLater()


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """Four sounds and three files that must be left out: two by their headers, one by what is in it."""
    folder = tmp_path / "my sounds"
    folder.mkdir()
    for n in range(4):
        soundfile.write(folder / f"tone {n}.wav", tone(0.2 + 0.1 * n), 48_000)
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("no sound")
    soundfile.write(folder / "silent.wav", np.zeros((4410, 2)), 44_100)
    return folder


@pytest.fixture
def loaded(window: MainWindow, sounds: Path, qtbot: QtBot) -> MainWindow:
    window.open_folder(sounds)
    qtbot.waitUntil(
        lambda: len(window.browser.usable_paths()) == 4 and not window.sounds.scanner.is_busy, timeout=60_000
    )
    return window


def double_click(widget: QWidget, between: Callable[[], object] = lambda: None) -> None:
    """Double-click the middle of a widget, as the system reports it; ``between`` is called between the two clicks."""
    at, left = QPointF(widget.rect().center()), Qt.MouseButton.LeftButton
    released = QEvent.Type.MouseButtonRelease
    for kind in (QEvent.Type.MouseButtonPress, released, QEvent.Type.MouseButtonDblClick, released):
        if kind is QEvent.Type.MouseButtonDblClick:
            between()
        held = Qt.MouseButton.NoButton if kind is released else left
        event = QMouseEvent(kind, at, widget.mapToGlobal(at), left, held, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(widget, event)


class FileManager(QObject):
    """Stands in for the program that shows folders."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []

    @Slot(QUrl)
    def open(self, url: QUrl) -> None:
        self.shown.append(url.toLocalFile())


@pytest.fixture
def file_manager(monkeypatch: pytest.MonkeyPatch, qapp: QApplication) -> Iterator[FileManager]:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    made = FileManager()
    QDesktopServices.setUrlHandler("file", made, "open")  # type: ignore[arg-type]
    yield made
    QDesktopServices.unsetUrlHandler("file")
