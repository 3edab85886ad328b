"""A window that comes in steps: its frame first, the rest when that is on the screen or when somebody needs it."""

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from distill import diagnostics
from distill.gui.sounds.presenter import SoundsPresenter
from distill.gui.window.main_window import MainWindow
from distill.gui.window_part import WindowPart
from distill.playback.player import Player
from distill.settings import WindowSettings
from tests.gui.conftest import close, make_window
from tests.gui.fakes import FakeDevice, FakeEngine


@pytest.fixture
def frame(qapp: QApplication, qtbot: QtBot, engine: FakeEngine, device: FakeDevice) -> Iterator[MainWindow]:
    WindowSettings(side_tab=1, page=1, epochs=7).save()
    made = MainWindow(engine, Player(open_output=device), in_steps=True)  # type: ignore[arg-type]
    yield made
    close(qtbot, made)


def test_the_rest_comes_once_the_frame_has_been_painted(frame: MainWindow, qtbot: QtBot) -> None:
    assert frame.findChild(QWidget, "lossPlot") is None
    with qtbot.waitSignals([frame.painted, frame.ready], order="strict", timeout=90_000):
        frame.show()
    assert frame.is_ready
    assert frame.findChild(QWidget, "lossPlot") is not None
    assert frame.tabs.currentWidget() is frame.run_list
    assert frame.pages.currentWidget() is frame.models_page
    assert frame.controls.epochs.value() == 7


def test_the_first_click_is_not_lost(frame: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    frame.pages.show_page(0)
    frame.tabs.setCurrentIndex(0)
    asked: list[bool] = []
    monkeypatch.setattr(SoundsPresenter, "use_demo_sounds", lambda _self: asked.append(True))
    frame.show()
    QTest.mouseClick(frame.browser.demo_button, Qt.MouseButton.LeftButton)
    assert asked == [True]
    assert frame.findChild(QWidget, "lossPlot") is not None


def test_a_folder_does_not_wait_for_the_first_frame(frame: MainWindow, sounds: Path, qtbot: QtBot) -> None:
    frame.open_folder(sounds)
    frame.show()
    qtbot.waitUntil(lambda: len(frame.browser.usable_paths()) == 4, timeout=10_000)


def test_closing_at_once_loses_no_preferences(frame: MainWindow, qtbot: QtBot) -> None:
    frame.show()
    frame.quit_now()
    qtbot.waitUntil(lambda: not frame.isVisible())
    saved = WindowSettings.load()
    assert (saved.side_tab, saved.page, saved.epochs) == (1, 1, 7)


def test_a_folder_that_cannot_be_reached_does_not_stop_the_start(
    qtbot: QtBot, engine: FakeEngine, device: FakeDevice
) -> None:
    unreachable = "/" + 300 * "x"  # the system refuses to look for it, as it does in a share that is gone
    WindowSettings(making={"folder": unreachable, "count": 9}, volume=0.25).save()
    window = make_window(qtbot, engine, device)
    assert window.making.panel.new.count.value() == 9
    assert window.making.choices.to_dict()["folder"] == unreachable, "the export says what is wrong with it"
    window.transport.volume.setValue(30)
    close(qtbot, window)
    assert WindowSettings.load().volume == pytest.approx(0.3**2)


def test_a_part_that_cannot_be_restored_does_not_cost_the_others(
    qtbot: QtBot, engine: FakeEngine, device: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[BaseException] = []
    monkeypatch.setattr(diagnostics, "report", lambda error, *_args, **_more: reported.append(error))
    error = OSError(107, "Transport endpoint is not connected")

    def fail(_part: WindowPart, _settings: WindowSettings) -> None:
        raise error

    monkeypatch.setattr(SoundsPresenter, "restore", fail)
    WindowSettings(making={"count": 9}).save()
    window = make_window(qtbot, engine, device)
    assert reported == [error]
    assert window.making.panel.new.count.value() == 9
    qtbot.waitUntil(lambda: window.is_ready, timeout=10_000)
    close(qtbot, window)
    assert WindowSettings.load().making["count"] == 9


def test_a_window_that_is_closed_can_be_forgotten(
    qapp: QApplication, qtbot: QtBot, engine: FakeEngine, device: FakeDevice
) -> None:
    made = weakref.ref(make_window(qtbot, engine, device))
    window = made()
    assert window is not None
    close(qtbot, window)
    del window
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    qapp.processEvents()
    gc.collect()
    assert made() is None
