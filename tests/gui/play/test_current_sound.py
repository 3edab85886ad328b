"""The player bar has the sound that was heard last on the Play page, and Space plays that one."""

from pathlib import Path

import pytest
import soundfile
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from distill.gui.play.presenter import PlayPresenter
from distill.gui.widgets.labels import ElidedLabel
from distill.gui.window.main_window import MainWindow
from distill.gui.window.top_bar import TRAINING
from distill.playback.player import PlayerState
from tests.gui.fakes import tone
from tests.gui.play.conftest import WAIT, ToneSession, idle
from tests.gui.play.test_map import pixel


def bar_title(window: MainWindow) -> str:
    label = window.transport.findChild(ElidedLabel)
    assert label is not None
    return label.text()


@pytest.fixture
def mapped(play: PlayPresenter, window: MainWindow, qtbot: QtBot) -> Path:
    """A sound that a click on the map has made; it plays."""
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    QTest.mouseClick(play.page.map, Qt.MouseButton.LeftButton, pos=pixel(play.page.map, (0.5, 0.02)))
    await_playing(window, qtbot, "position 1.wav")
    idle(play, qtbot)
    assert play.current is not None
    return play.current


def await_playing(window: MainWindow, qtbot: QtBot, name: str) -> None:
    def is_playing() -> bool:
        status = window.playing.playback.status
        return status.state is PlayerState.PLAYING and status.path is not None and status.path.name == name

    qtbot.waitUntil(is_playing, timeout=WAIT)


def press_space(play: PlayPresenter) -> None:
    QTest.keyClick(play.page.map, Qt.Key.Key_Space)


def stop(window: MainWindow, play: PlayPresenter, qtbot: QtBot) -> None:
    press_space(play)
    qtbot.waitUntil(lambda: window.playing.playback.status.state is PlayerState.IDLE, timeout=WAIT)


def hold(play: PlayPresenter, path: Path, seconds: float) -> None:
    soundfile.write(path, tone(seconds), 48_000)
    play.page.pads.pads[5].sound_given.emit(path)  # as a drop does


def test_the_bar_takes_the_sound_of_a_pad_without_playing_it_again(
    play: PlayPresenter, window: MainWindow, mapped: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    hold(play, tmp_path / "held.wav", 0.7)
    stop(window, play, qtbot)
    QTest.keyClick(play.page.map, Qt.Key.Key_W)
    assert bar_title(window) == "held.wav"
    playback = window.playing.playback
    qtbot.waitUntil(lambda: playback.status.peaks is not None and playback.status.seconds > 0.6, timeout=WAIT)
    assert playback.status.state is PlayerState.IDLE
    assert window.transport.position.isEnabled()
    press_space(play)
    await_playing(window, qtbot, "held.wav")
    assert play.current == tmp_path / "held.wav"


def test_a_sound_that_plays_stays_in_the_bar_until_it_ends(
    play: PlayPresenter, window: MainWindow, mapped: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    hold(play, tmp_path / "held.wav", 0.7)
    QTest.keyClick(play.page.map, Qt.Key.Key_W)
    assert window.playing.playback.status.state is PlayerState.PLAYING
    assert bar_title(window) == mapped.name, "it can be stopped there"
    stop(window, play, qtbot)
    assert bar_title(window) == "held.wav"
    press_space(play)
    await_playing(window, qtbot, "held.wav")


def test_the_bar_takes_the_variation_that_is_heard(
    play: PlayPresenter, window: MainWindow, session: ToneSession, mapped: Path, qtbot: QtBot
) -> None:
    stop(window, play, qtbot)
    play.page.sound.vary.click()
    qtbot.waitUntil(lambda: len(play.page.pads.sounds()) == 8, timeout=WAIT)
    idle(play, qtbot)
    first = play.page.pads.pads[0].sound
    assert first is not None
    assert play.current == first
    assert bar_title(window) == first.name
    press_space(play)
    await_playing(window, qtbot, first.name)


def test_the_bar_takes_a_sound_from_another_page(
    play: PlayPresenter, window: MainWindow, session: ToneSession, mapped: Path, qtbot: QtBot
) -> None:
    stop(window, play, qtbot)
    play.take_sound(session.own)
    assert bar_title(window) == session.own.name
    press_space(play)
    await_playing(window, qtbot, session.own.name)


@pytest.mark.parametrize("what", ["extend", "vary"])
def test_what_is_ready_after_the_page_was_left_plays_nothing_there(
    what: str,
    play: PlayPresenter,
    session: ToneSession,
    mapped: Path,
    tmp_path: Path,
    window: MainWindow,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    struck: list[int] = []
    monkeypatch.setattr(play._control.board, "strike_pad", lambda pad, _velocity: struck.append(pad))
    session.go_on.clear()
    if what == "extend":
        play.extend(1.0)
    else:
        play.vary(0.3)
    window.pages.open_page(TRAINING)
    heard = tmp_path / "preview.wav"
    soundfile.write(heard, tone(2.0), 48_000)
    window.playing.play(heard)
    await_playing(window, qtbot, "preview.wav")
    session.go_on.set()
    idle(play, qtbot)
    assert window.playing.playback.chosen == heard
    assert bar_title(window) == "preview.wav"
    assert struck == []
    assert len(play.page.history.sounds()) == (2 if what == "extend" else 9), "it is there when the page is opened"


def test_escape_stops_what_is_being_computed(
    play: PlayPresenter, session: ToneSession, mapped: Path, window: MainWindow, qtbot: QtBot
) -> None:
    session.go_on.clear()
    play.vary(0.3)
    qtbot.waitUntil(lambda: session.cancel is not None, timeout=WAIT)
    QTest.keyClick(play.page, Qt.Key.Key_Escape)
    assert session.cancel is not None
    assert session.cancel.is_set()
    session.go_on.set()
    idle(play, qtbot)
    assert [pad.sound for pad in play.page.pads.pads if pad.sound is not None] == []
    assert play.current == mapped
