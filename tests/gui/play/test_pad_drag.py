"""Pads are dragged onto each other and into other programs, with the mouse of a real screen, and moved by keys."""

from pathlib import Path

import pytest
import soundfile
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from distill.gui.play.pads.pad import Pad
from distill.gui.play.presenter import PlayPresenter
from distill.gui.window.main_window import MainWindow
from distill.gui.window.top_bar import PLAY
from tests.gui.fakes import tone
from tests.gui.play.conftest import WAIT
from tests.gui.play.test_pad_undo import edit
from tests.gui.previews.test_files import drag_by_hand, dropped_elsewhere
from tests.support.screen import Screen

ALT = Qt.KeyboardModifier.AltModifier


@pytest.fixture
def held(play: PlayPresenter, window: MainWindow, tmp_path: Path, qtbot: QtBot) -> list[Path]:
    """Two files on the first pads, the second of which is in a choke group."""
    files = [tmp_path / name for name in ("kick.wav", "snare.wav")]
    for number, file in enumerate(files):
        soundfile.write(file, tone(0.1), 48_000)
        play.page.pads.pads[number].sound_given.emit(file)
    play.page.pads.pads[1].group_chosen.emit(2)
    window.setGeometry(0, 0, 1200, 800)
    qtbot.wait(50)
    return files


def middle(pad: Pad) -> QPoint:
    return pad.mapToGlobal(pad.rect().center())


def shown(play: PlayPresenter, *numbers: int) -> list[tuple[Path | None, int]]:
    return [(pad.sound, pad.choke_group) for pad in (play.page.pads.pads[number] for number in numbers)]


def test_a_pad_that_is_dragged_onto_another_one_changes_places_with_it(
    xvfb: Screen, play: PlayPresenter, window: MainWindow, held: list[Path], qtbot: QtBot
) -> None:
    pads, struck, released = play.page.pads, list[int](), list[int]()
    pads.pressed.connect(struck.append)
    pads.released.connect(released.append)
    drag_by_hand(qtbot, middle(pads.pads[0]), middle(pads.pads[1]))
    qtbot.waitUntil(lambda: shown(play, 0, 1) == [(held[1], 2), (held[0], 0)], timeout=WAIT)
    assert struck == [0], "it plays at the press, as always"
    assert 0 in released
    assert not pads.pads[0].isDown()
    assert play._control.board.strike_pad(0, 100)
    assert edit(window, "Undo").text() == "Undo Exchange Pads 1 and 2"
    drag_by_hand(qtbot, middle(pads.pads[1]), middle(pads.pads[10]))
    qtbot.waitUntil(lambda: shown(play, 1, 10) == [(None, 0), (held[0], 0)], timeout=WAIT)
    assert edit(window, "Undo").text() == "Undo Move Pad 2 to D"
    edit(window, "Undo").trigger()
    assert shown(play, 0, 1, 10) == [(held[1], 2), (held[0], 0), (None, 0)]
    edit(window, "Undo").trigger()
    assert shown(play, 0, 1, 10) == [(held[0], 0), (held[1], 2), (None, 0)]
    edit(window, "Redo").trigger()
    assert shown(play, 0, 1) == [(held[1], 2), (held[0], 0)]


def test_a_pad_that_is_dropped_nowhere_stays(
    xvfb: Screen, play: PlayPresenter, window: MainWindow, held: list[Path], qtbot: QtBot
) -> None:
    pads, steps = play.page.pads, play.keeper.changes.undo_stack.count()
    drag_by_hand(qtbot, middle(pads.pads[0]), middle(pads.pads[0]))
    drag_by_hand(qtbot, middle(pads.pads[0]), play.page.map.mapToGlobal(play.page.map.rect().center()))
    assert shown(play, 0, 1) == [(held[0], 0), (held[1], 2)]
    assert play.keeper.changes.undo_stack.count() == steps
    assert window.pages.currentIndex() == PLAY, "it is not added to the sounds to train on"


def test_another_program_gets_the_file_of_a_pad(
    xvfb: Screen, play: PlayPresenter, held: list[Path], qtbot: QtBot, tmp_path: Path
) -> None:
    with dropped_elsewhere(tmp_path, qtbot) as taken:
        drag_by_hand(qtbot, middle(play.page.pads.pads[1]), QPoint(1335, 210))
    assert taken() == f"CopyAction|{held[1]}"
    assert shown(play, 0, 1) == [(held[0], 0), (held[1], 2)]


def test_alt_with_the_arrow_keys_moves_a_pad(
    play: PlayPresenter, window: MainWindow, held: list[Path], qtbot: QtBot
) -> None:
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    pads = play.page.pads.pads
    pads[0].setFocus()
    QTest.keyClick(pads[0], Qt.Key.Key_Right, ALT)
    assert shown(play, 0, 1) == [(held[1], 2), (held[0], 0)]
    assert pads[1].hasFocus(), "it can be moved on"
    QTest.keyClick(pads[1], Qt.Key.Key_Down, ALT)
    assert shown(play, 1, 5) == [(None, 0), (held[0], 0)]
    steps = play.keeper.changes.undo_stack.count()
    QTest.keyClick(pads[0], Qt.Key.Key_Up, ALT)
    QTest.keyClick(pads[0], Qt.Key.Key_Left, ALT)
    QTest.keyClick(pads[3], Qt.Key.Key_Left, ALT)
    assert play.keeper.changes.undo_stack.count() == steps, "there is no pad, or nothing on it"
    assert "Alt with an arrow key" in pads[0].toolTip()
