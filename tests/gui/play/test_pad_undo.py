"""Undo takes back what was changed on the pads."""

from pathlib import Path

import pytest
import shiboken6
import soundfile
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu, QPushButton, QSlider
from pytestqt.qtbot import QtBot

from distill.gui.play.pads.stored_pads import read_pads
from distill.gui.play.presenter import TOPIC, PlayPresenter
from distill.gui.window.main_window import MainWindow
from distill.gui.window.top_bar import MODELS, PLAY
from tests.gui.conftest import close
from tests.gui.fakes import tone
from tests.gui.play.conftest import WAIT, ToneSession, entry_of, idle


@pytest.fixture
def held(play: PlayPresenter, tmp_path: Path) -> list[Path]:
    """Four files, the first two of which were dropped on pads."""
    files = [tmp_path / f"held {number}.wav" for number in range(4)]
    for file in files:
        soundfile.write(file, tone(0.1), 48_000)
    for number in range(2):
        play.page.pads.pads[number].sound_given.emit(files[number])
    return files


def edit(window: MainWindow, text: str) -> QAction:
    """Return the entry of the Edit menu that begins with a text."""
    edit_menu = next(action.menu() for action in window.menuBar().actions() if action.text() == "&Edit")
    assert isinstance(edit_menu, QMenu)
    return next(action for action in edit_menu.actions() if action.text().startswith(text))


def test_an_emptied_pad_comes_back_with_ctrl_z(
    play: PlayPresenter, window: MainWindow, held: list[Path], qtbot: QtBot
) -> None:
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    pads, board = play.page.pads, play._control.board
    pads.pads[1].setFocus()
    QTest.keyClick(pads.pads[1], Qt.Key.Key_Delete)
    assert pads.sounds() == held[:1]
    assert edit(window, "Undo").text() == "Undo Empty Pad 2"
    QTest.keyClick(pads.pads[1], Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert pads.sounds() == held[:2]
    assert board.strike_pad(1, 100), "it is played again, too"
    edit(window, "Redo").trigger()
    assert pads.sounds() == held[:1]
    window.pages.open_page(MODELS)
    assert not edit(window, "Undo").isEnabled(), "each page has changes of its own"
    window.pages.open_page(PLAY)
    edit(window, "Undo").trigger()
    qtbot.waitUntil(lambda: [state.sound for state in read_pads("bells").states][:2] == held[:2], timeout=WAIT)


def test_a_replaced_sound_and_a_choke_group_come_back(
    play: PlayPresenter, window: MainWindow, held: list[Path]
) -> None:
    pad = play.page.pads.pads[0]
    pad.sound_given.emit(held[2])
    QTest.keyClick(pad, Qt.Key.Key_G)
    play.put_on_pads(held[2:])
    assert play.page.pads.sounds() == [held[2], held[1], *held[2:]]
    undo = edit(window, "Undo")
    undo.trigger()
    assert play.page.pads.sounds() == [held[2], held[1]], "sounds that came together go together"
    undo.trigger()
    assert (pad.sound, pad.choke_group) == (held[2], 0)
    undo.trigger()
    assert pad.sound == held[0]


def test_filling_and_varying_are_one_step_each(
    play: PlayPresenter, window: MainWindow, held: list[Path], qtbot: QtBot
) -> None:
    pads, undo = play.page.pads, edit(window, "Undo")
    play.fill_pads()
    qtbot.waitUntil(lambda: len(pads.sounds()) == 16, timeout=WAIT)
    idle(play, qtbot)
    filled = pads.sounds()
    pads.strike(3)
    play.vary(0.5)
    idle(play, qtbot)
    assert pads.sounds()[:8] != filled[:8]
    undo.trigger()
    assert pads.sounds() == filled
    undo.trigger()
    assert pads.sounds() == held[:2]
    edit(window, "Redo").trigger()
    assert pads.sounds() == filled


def test_the_button_of_the_notice_takes_back_the_same_step(
    play: PlayPresenter, window: MainWindow, held: list[Path], qtbot: QtBot
) -> None:
    pads = play.page.pads
    play.fill_pads()
    qtbot.waitUntil(lambda: "of 2 pads were replaced" in window.notices.text(), timeout=WAIT)
    idle(play, qtbot)
    filled = pads.sounds()
    button = window.findChild(QPushButton, "noticeAction")
    assert button is not None
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert pads.sounds() == held[:2]
    edit(window, "Redo").trigger()
    assert pads.sounds() == filled


def test_a_pad_that_is_changed_while_pads_are_filled_is_a_step_of_its_own(
    play: PlayPresenter, window: MainWindow, session: ToneSession, held: list[Path], qtbot: QtBot
) -> None:
    pads, undo = play.page.pads, edit(window, "Undo")
    session.go_on.clear()
    play.fill_pads()
    pads.pads[1].sound_given.emit(held[3])
    session.go_on.set()
    qtbot.waitUntil(lambda: len(pads.sounds()) == 16, timeout=WAIT)
    idle(play, qtbot)
    undo.trigger()
    assert pads.sounds() == [held[0], held[3]]
    undo.trigger()
    assert pads.sounds() == held[:2]


def test_nothing_of_another_model_and_no_old_name_comes_back(
    play: PlayPresenter, window: MainWindow, held: list[Path], qtbot: QtBot
) -> None:
    pads, undo = play.page.pads, edit(window, "Undo")
    play.follow_file(held[0], held[3])
    pads.pads[0].sound_given.emit(None)
    undo.trigger()
    assert pads.sounds() == [held[3], held[1]], "under the name that the file has now"
    play.show_model(entry_of(Path("drums.distill")))
    idle(play, qtbot)
    assert not undo.isEnabled()
    play.show_model(entry_of(Path("bells.distill")))
    idle(play, qtbot)
    assert pads.sounds() == [held[3], held[1]]
    assert not undo.isEnabled(), "coming back is no change"


def test_the_notice_goes_with_its_change_and_its_button_takes_back_nothing_else(
    play: PlayPresenter, window: MainWindow, held: list[Path], qtbot: QtBot
) -> None:
    pads, vary = play.page.pads, play.page.sound.vary
    pads.strike(0)
    vary.click()
    qtbot.waitUntil(lambda: "of 2 pads were replaced" in window.notices.text(), timeout=WAIT)
    assert edit(window, "Undo").text() == "Undo Put Variations on the Pads"
    edit(window, "Undo").trigger()
    assert pads.sounds() == held[:2]
    assert window.notices.text() == "Undone: Put Variations on the Pads"
    assert all(notice.action is None for notice in window.notices.notices), "nothing is left to take back"
    vary.click()
    qtbot.waitUntil(lambda: "of 2 pads were replaced" in window.notices.text(), timeout=WAIT)
    offered = window.notices.notices[-1].action
    assert offered is not None
    pads.pads[9].sound_given.emit(held[3])
    assert window.notices.text() == "", "the last change is another one now"
    offered.do()  # as a click would that was on its way
    assert pads.pads[9].sound == held[3]
    edit(window, "Undo").trigger()
    assert pads.pads[9].sound is None
    assert len(pads.sounds()) == 8


def test_a_notice_of_something_else_stays_when_a_pad_is_changed(
    play: PlayPresenter, window: MainWindow, held: list[Path], qtbot: QtBot
) -> None:
    play.page.pads.strike(0)
    play.page.sound.vary.click()
    qtbot.waitUntil(lambda: "of 2 pads were replaced" in window.notices.text(), timeout=WAIT)
    window.notices.notify(TOPIC, "The kit was written.", "info")
    play.page.pads.pads[9].sound_given.emit(held[3])
    assert window.notices.text() == "The kit was written."


def test_the_menu_and_a_notice_say_what_is_undone(
    play: PlayPresenter, window: MainWindow, session: ToneSession, held: list[Path], qtbot: QtBot
) -> None:
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    pads, undo = play.page.pads, edit(window, "Undo")
    slider = play.page.findChild(QSlider, "brightnessSlider")
    assert slider is not None
    assert undo.text() == "Undo Fill Pad 2"

    def made_as_shown() -> bool:
        return session.requests[-1:] == [(play.page.map.cursor_position, dict(play.page.sliders.moves()))]

    for value in (10, 20):
        slider.setValue(value)
        qtbot.waitUntil(made_as_shown, timeout=WAIT)
        idle(play, qtbot)
    assert undo.text() == "Undo Fill Pad 2", "which a movement of a slider does not change"
    QTest.keyClick(play.page.map, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert window.notices.text() == "Undone: Fill Pad 2"
    assert pads.sounds() == held[:1]
    pads.pads[0].sound_given.emit(held[2])
    assert undo.text() == "Undo Replace the Sound of Pad 1"
    QTest.keyClick(pads.pads[0], Qt.Key.Key_G)
    assert undo.text() == "Undo Change the Choke Group of Pad 1"


def test_the_window_can_go_while_an_undo_is_offered(
    play: PlayPresenter, window: MainWindow, session: ToneSession, held: list[Path], qtbot: QtBot
) -> None:
    play.page.history.sound_chosen.emit(held[2])
    play.vary(0.5)
    qtbot.waitUntil(lambda: "The sounds of 2 pads were replaced." in window.notices.text(), timeout=WAIT)
    idle(play, qtbot)
    close(qtbot, window)
    with qtbot.captureExceptions() as exceptions:
        shiboken6.delete(window)
    assert exceptions == []
