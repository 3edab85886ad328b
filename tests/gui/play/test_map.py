"""The map of the Play page: dots, paths, lassos, keys, and maps that do not open."""

import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QLabel,
    QListWidget,
)
from pytestqt.qtbot import QtBot

from distill.generation.map.map_chunks import Position, ShownMap
from distill.gui.background_tasks import BackgroundTask
from distill.gui.play import waveform_reader
from distill.gui.play.map_view import MapView
from distill.gui.play.pads.pad import Pad
from distill.gui.play.presenter import PlayPresenter
from distill.gui.play.waveform_reader import read_wave
from distill.gui.window.main_window import MainWindow
from distill.gui.window.top_bar import MODELS, PLAY
from distill.playback.player import PlayerState
from tests.gui.fakes import tone
from tests.gui.play.conftest import WAIT, ToneSession, entry_of, idle


def pixel(view: MapView, position: Position) -> QPoint:
    return view.pixel_of(position).toPoint()


def test_a_click_between_dots_generates_and_a_click_on_a_dot_plays_its_own_sound(
    play: PlayPresenter, session: ToneSession, qtbot: QtBot
) -> None:
    view = play.page.map
    target = (0.5, 0.75)
    assert view.dot_at(view.pixel_of(target)) == -1
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=pixel(view, target))
    qtbot.waitUntil(lambda: len(session.requests) == 1, timeout=WAIT)
    idle(play, qtbot)
    position, moves = session.requests[0]
    assert position == pytest.approx(target, abs=0.01)
    assert moves == {}
    assert play.current is not None
    assert play.current.stem.startswith("position")
    first = play.page.map.shown
    assert first is not None
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=pixel(view, first.positions[1]))
    assert play.current == session.own
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=pixel(view, first.positions[4]))  # its file is not known
    qtbot.waitUntil(lambda: len(session.requests) == 2, timeout=WAIT)
    idle(play, qtbot)


class StalledPath(type(Path())):  # type: ignore[misc]
    """A file in a share that does not answer: who looks for it waits."""

    def stat(self, **_options: bool) -> os.stat_result:
        assert threading.current_thread() is not threading.main_thread(), "the window waits"
        return Path(str(self)).stat()


def test_the_window_does_not_look_for_the_file_of_a_dot(
    play: PlayPresenter, window: MainWindow, session: ToneSession, qtbot: QtBot
) -> None:
    view = play.page.map
    assert view.shown is not None
    view.show_map(replace(view.shown, files={0: StalledPath(session.own)}))
    play.play_dot(0)
    qtbot.waitUntil(lambda: play._player.playback.status.path == session.own, timeout=WAIT)
    session.own.unlink()
    play.play_dot(1)
    qtbot.waitUntil(lambda: "own bell.wav cannot be played: it is not there" in window.notices.text(), timeout=WAIT)


def test_the_player_plays_a_dot_again(
    play: PlayPresenter, window: MainWindow, session: ToneSession, qtbot: QtBot
) -> None:
    playback, transport = play._player.playback, window.transport
    assert not transport.play.isEnabled()
    play.play_dot(1)
    qtbot.waitUntil(lambda: playback.status.state is PlayerState.PLAYING, timeout=WAIT)
    for is_by_key in (True, False):
        if is_by_key:
            QTest.keyClick(window, Qt.Key.Key_Space)
        else:
            transport.stop.click()
        qtbot.waitUntil(lambda: playback.status.state is PlayerState.IDLE, timeout=WAIT)
        assert transport.play.isEnabled()
        QTest.keyClick(window, Qt.Key.Key_Space)
        qtbot.waitUntil(lambda: playback.status.state is PlayerState.PLAYING, timeout=WAIT)
        assert playback.status.path == session.own


def test_the_player_plays_a_comparison_again(
    play: PlayPresenter, session: ToneSession, tmp_path: Path, qtbot: QtBot
) -> None:
    playback, other = play._player.playback, tmp_path / "other.wav"
    soundfile.write(other, tone(0.2), 48_000)
    play.play_position((0.3, 0.3))
    qtbot.waitUntil(lambda: play.page.sound.verdict.text().startswith("New"), timeout=WAIT)
    idle(play, qtbot)
    generated = play.current
    play._player.play(other)
    qtbot.waitUntil(lambda: playback.status.path == other, timeout=WAIT)
    play.page.sound.compare.click()
    qtbot.waitUntil(lambda: playback.status.pair == (generated, session.own), timeout=WAIT)
    playback.stop()
    qtbot.waitUntil(lambda: playback.status.state is PlayerState.IDLE, timeout=WAIT)
    play._player.play_current()
    qtbot.waitUntil(lambda: playback.status.state is PlayerState.PLAYING, timeout=WAIT)
    assert playback.status.path == generated, "not what was chosen before"


def test_the_waveform_of_a_file_is_read_once_and_no_more_once_another_is_shown(
    play: PlayPresenter, session: ToneSession, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[Path, threading.Event]] = []
    go_on = threading.Event()

    def reading(path: Path, cancel: threading.Event) -> tuple[NDArray[np.float32], float]:
        begun.append((path, cancel))
        assert go_on.wait(10)
        return read_wave(path, cancel)

    monkeypatch.setattr(waveform_reader, "read_wave", reading)
    view, wave = play.page.map, play.page.sound.wave
    other = tmp_path / "other.wav"
    soundfile.write(other, tone(0.5), 48_000)
    assert view.shown is not None
    view.show_map(replace(view.shown, files={0: session.own, 1: session.own, 2: other}))
    play.page.hover.setChecked(True)
    for row in range(4):
        QTest.mouseMove(view, pixel(view, view.shown.positions[row]))
        qtbot.waitUntil(lambda row=row: view.hovered == row, timeout=WAIT)  # type: ignore[misc]
    assert play.current == session.own
    QTest.mouseMove(view, pixel(view, view.shown.positions[4]))
    assert play.current == other
    qtbot.waitUntil(lambda: len(begun) == 2, timeout=WAIT)
    assert {path: cancel.is_set() for path, cancel in begun} == {session.own: True, other: False}
    go_on.set()
    qtbot.waitUntil(lambda: wave.seconds == 0.5, timeout=WAIT)


def test_a_file_that_could_not_be_read_is_read_again(play: PlayPresenter, session: ToneSession, qtbot: QtBot) -> None:
    content = session.own.read_bytes()
    session.own.write_bytes(b"no sound")
    play.play_dot(0)
    qtbot.waitUntil(lambda: play.findChild(BackgroundTask, "play wave") is None, timeout=WAIT)
    session.own.write_bytes(content)
    play.play_dot(0)
    qtbot.waitUntil(lambda: play.page.sound.wave.seconds == pytest.approx(0.3), timeout=WAIT)


def test_a_drag_plays_a_path_of_the_chosen_length(play: PlayPresenter, session: ToneSession, qtbot: QtBot) -> None:
    view = play.page.map
    length = play.page.findChild(QDoubleSpinBox, "lengthSpin")
    assert length is not None
    length.setValue(6.5)
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=pixel(view, (0.2, 0.2)))
    for step in range(1, 11):
        QTest.mouseMove(view, pixel(view, (0.2 + 0.05 * step, 0.2)))
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=pixel(view, (0.7, 0.2)))
    qtbot.waitUntil(lambda: len(session.requests) == 1, timeout=WAIT)
    idle(play, qtbot)
    path, seconds = session.requests[0]
    assert seconds == 6.5
    assert path[0] == pytest.approx((0.2, 0.2), abs=0.01)
    assert path[-1] == pytest.approx((0.7, 0.2), abs=0.02)
    assert len(path) > 5


def test_the_map_takes_the_focus_when_it_comes(play: PlayPresenter, window: MainWindow, qtbot: QtBot) -> None:
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    shown = play.page.map.shown
    for moves_on in (False, True):
        window.pages.open_page(MODELS)
        play.page.show_opening("bells")
        window.pages.open_page(PLAY)
        assert play.page.tabs.tabBar().hasFocus(), "the map is not there yet"
        if moves_on:
            play.page.pads.findChild(Pad, "pad3").setFocus()  # type: ignore[union-attr]
        play.page.show_map(shown, "bells")
        assert play.page.map.hasFocus() is not moves_on


def test_the_map_by_keyboard(play: PlayPresenter, session: ToneSession, qtbot: QtBot) -> None:
    view = play.page.map
    view.setFocus()
    before = view.cursor_position
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Up):
        QTest.keyClick(view, key)
    assert view.cursor_position[0] > before[0] + 0.05
    assert view.cursor_position[1] > before[1]
    assert "bell <" in view.accessibleDescription()
    QTest.keyClick(view, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(session.requests) == 1, timeout=WAIT)
    idle(play, qtbot)
    scale = view.pixel_of((1, 0)).x() - view.pixel_of((0, 0)).x()
    QTest.keyClick(view, Qt.Key.Key_Plus)
    assert view.pixel_of((1, 0)).x() - view.pixel_of((0, 0)).x() == pytest.approx(1.3 * scale, rel=0.01)
    QTest.keyClick(view, Qt.Key.Key_0)
    assert view.pixel_of((1, 0)).x() - view.pixel_of((0, 0)).x() == pytest.approx(scale)
    seen = set()
    for _ in range(3):
        QTest.keyClick(view, Qt.Key.Key_N)
        seen.add(view.cursor_position)
        idle(play, qtbot)
    assert len(seen) == 3, "N goes from one near sound to the next"
    near = play.page.findChild(QListWidget, "nearList")
    assert near is not None
    assert near.count() == 8


def test_a_model_without_a_map_says_why(play: PlayPresenter, qtbot: QtBot) -> None:
    play.show_model(entry_of(Path("old.distill")))
    qtbot.waitUntil(lambda: "has no map" in play.page.empty.text.text(), timeout=WAIT)
    idle(play, qtbot)
    assert play.page.map.shown is None
    assert play.page.pads.sounds() == []
    play.show_model(None)
    assert "Choose a model" in play.page.empty.text.text()


def test_a_map_that_could_not_be_opened_is_opened_again(
    play: PlayPresenter, window: MainWindow, session: ToneSession, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, entry = play.page, entry_of(Path("large.distill"))

    def fail(_file: Path) -> ShownMap:
        raise MemoryError

    def chosen_again() -> None:
        play.show_model(entry)

    def seen_again() -> None:
        window.pages.open_page(MODELS)
        window.pages.open_page(PLAY)

    for is_repeated in (chosen_again, seen_again):
        with monkeypatch.context() as patch:
            patch.setattr(session, "open", fail)
            play.show_model(None)
            play.show_model(entry)
            qtbot.waitUntil(lambda: "not enough memory" in page.empty.text.text(), timeout=WAIT)
            idle(play, qtbot)
        page.pads.hold(0, session.own)
        is_repeated()
        qtbot.waitUntil(lambda: page.map.shown is not None, timeout=WAIT)
        idle(play, qtbot)
        assert page.pads.sounds() == [session.own], "what is on the pads stays"


def test_a_lasso_selects_what_the_pads_are_filled_from(
    play: PlayPresenter, window: MainWindow, session: ToneSession, qtbot: QtBot
) -> None:
    view = play.page.map
    corners = [(0.01, 0.01), (0.3, 0.01), (0.3, 0.99), (0.01, 0.99)]
    QTest.mousePress(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier, pixel(view, corners[0]))
    for corner in corners[1:]:
        QTest.mouseMove(view, pixel(view, corner), 20)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=pixel(view, corners[-1]))
    shown = view.shown
    assert shown is not None
    inside = [row for row, (x, _) in enumerate(shown.positions) if x < 0.3]
    assert view.selected == inside
    near = play.page.findChild(QListWidget, "nearList")
    assert near is not None
    assert near.count() == len(inside)
    play.fill_pads()
    qtbot.waitUntil(lambda: len(play.page.pads.sounds()) == len(inside), timeout=WAIT)
    idle(play, qtbot)
    assert [request[0] for request in session.requests] == [shown.positions[row] for row in inside]
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert view.selected == []
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    view.setFocus()
    qtbot.waitUntil(view.hasFocus)
    QTest.keyClick(view, Qt.Key.Key_L)
    assert len(view.selected) == len(set(shown.sounds)), "the near ones, one of each sound"
    assert not window.transport.loop_action.isChecked(), "L is a key of the map"


def test_a_map_that_changes_under_the_mouse(play: PlayPresenter, session: ToneSession) -> None:
    """What was begun on the map before, a path or a lasso, is given up."""
    view = play.page.map
    shown = view.shown
    assert shown is not None
    for modifier in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier):
        QTest.mousePress(view, Qt.MouseButton.LeftButton, modifier, pixel(view, (0.2, 0.2)))
        QTest.mouseMove(view, pixel(view, (0.5, 0.2)))
        view.show_map(None)
        QTest.mouseMove(view, pixel(view, (0.6, 0.2)))
        QTest.mouseRelease(view, Qt.MouseButton.LeftButton, modifier, pixel(view, (0.6, 0.2)))
        view.show_map(shown)
        QTest.mouseMove(view, pixel(view, (0.7, 0.2)))
        QTest.mouseRelease(view, Qt.MouseButton.LeftButton, modifier, pixel(view, (0.7, 0.2)))
    assert session.requests == []
    assert view.selected == []


def test_near_sounds_are_those_of_the_map_and_the_cursor(play: PlayPresenter, qtbot: QtBot) -> None:
    view = play.page.map
    shown = view.shown
    assert shown is not None
    chosen: list[int] = []
    view.dot_chosen.connect(chosen.append)
    view.move_cursor(shown.positions[-1])
    QTest.keyClick(view, Qt.Key.Key_N)
    view.move_cursor(shown.positions[0])
    QTest.keyClick(view, Qt.Key.Key_N)
    assert chosen == [len(shown.positions) - 1, 0]
    view.show_map(replace(shown, positions=shown.positions[:2], sounds=shown.sounds[:2], brightness=(0.0, 1.0)))
    QTest.keyClick(view, Qt.Key.Key_N)
    assert chosen[-1] in (0, 1)
    idle(play, qtbot)


def test_a_model_without_a_map_says_so_until_its_run_has_written_one(
    play: PlayPresenter, session: ToneSession, qtbot: QtBot
) -> None:
    page = play.page
    assert page.hint.isVisible()
    title = page.empty.findChild(QLabel, "emptyTitle")
    assert title is not None
    old = entry_of(Path("old.distill"))
    play.show_model(old)
    assert title.text() == "Opening the map…"
    qtbot.waitUntil(lambda: page.empty.text.text() == "This model has no map.", timeout=WAIT)
    assert title.text() == "No map"
    assert not page.hint.isVisible()
    idle(play, qtbot)
    session.has_map = True  # the run has finished, and the file is another one now
    play.show_model(replace(old, mtime_ns=1))
    qtbot.waitUntil(lambda: page.map.shown is not None, timeout=WAIT)
    assert page.hint.isVisible()
    idle(play, qtbot)
    play.play_position((0.5, 0.5))
    qtbot.waitUntil(lambda: play.current is not None, timeout=WAIT)
    idle(play, qtbot)
    play.show_model(replace(old, mtime_ns=2))
    assert page.map.shown is not None, "what is being played with stays"
    assert play.current is not None
