"""The menu of a dot of the map, by the right button and by the menu key."""

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from distill.generation.map.map_chunks import ShownMap
from distill.gui.play.map_dot_menu import DotMenu
from distill.gui.play.presenter import PlayPresenter
from distill.gui.window.main_window import MainWindow
from tests.gui.conftest import FileManager
from tests.gui.play.conftest import WAIT, ToneSession, entry_of, idle
from tests.gui.play.test_map import pixel
from tests.support.screen import Screen

RIGHT = Qt.MouseButton.RightButton


def shown_of(play: PlayPresenter) -> ShownMap:
    shown = play.page.map.shown
    assert shown is not None
    return shown


def menu_of(play: PlayPresenter) -> DotMenu | None:
    menus = [menu for menu in play.page.findChildren(DotMenu) if menu.isVisible()]
    return menus[0] if menus else None


def opened(play: PlayPresenter, row: int) -> DotMenu:
    """Click a dot with the right button as a hand does, and return the menu."""
    view = play.page.map
    at = pixel(view, shown_of(play).positions[row])
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, view.mapToGlobal(at))
    QTest.mousePress(view, RIGHT, pos=at)
    QApplication.sendEvent(view, event)  # some systems send it at the press, others at the release
    QTest.mouseRelease(view, RIGHT, pos=at)
    menu = menu_of(play)
    assert menu is not None
    return menu


def test_the_menu_of_a_dot_does_what_it_says(
    play: PlayPresenter, session: ToneSession, file_manager: FileManager, qtbot: QtBot
) -> None:
    menu = opened(play, 1)
    assert all(action.isEnabled() for action in menu.actions() if not action.isSeparator())
    menu.play_dot.trigger()
    assert play.current == session.own
    assert play.page.map.cursor_position == shown_of(play).positions[1]
    menu.put_on_pad.trigger()
    assert play.page.pads.sounds() == [session.own]
    menu.copy_file.trigger()
    assert [url.toLocalFile() for url in QGuiApplication.clipboard().mimeData().urls()] == [str(session.own)]
    QGuiApplication.clipboard().clear()
    menu.save_copy.trigger()
    dialog = play.page.window().findChild(QFileDialog, "saveSoundDialog")
    assert dialog is not None
    dialog.reject()
    menu.show_in_folder.trigger()
    qtbot.waitUntil(lambda: file_manager.shown == [str(session.own.parent)], timeout=WAIT)


def test_what_cannot_be_done_is_disabled_and_says_why(
    play: PlayPresenter, session: ToneSession, tmp_path: Path, qtbot: QtBot
) -> None:
    menu = opened(play, 6)  # its file is not known
    for action in (menu.put_on_pad, menu.save_copy, menu.copy_file, menu.show_in_folder):
        assert not action.isEnabled()
        assert "not found" in action.toolTip()
    menu.play_dot.trigger()
    idle(play, qtbot)
    assert session.requests == [(shown_of(play).positions[6], {})], "the model's copy"
    menu.close()
    for number in range(16):
        play.page.pads.hold(number, tmp_path / "held.wav")
    menu = opened(play, 0)
    assert (menu.put_on_pad.isEnabled(), menu.save_copy.isEnabled()) == (False, True)
    assert "No pad is empty" in menu.put_on_pad.toolTip()
    menu.close()


def test_the_right_button_still_moves_the_map(play: PlayPresenter) -> None:
    view, shown = play.page.map, shown_of(play)
    view.zoom_by(2.0)
    dot, before = pixel(view, shown.positions[10]), view.pixel_of(shown.positions[10])
    QTest.mousePress(view, RIGHT, pos=dot)
    for step in range(1, 6):
        QTest.mouseMove(view, dot + QPoint(6 * step, 0))
    QTest.mouseRelease(view, RIGHT, pos=dot + QPoint(30, 0))
    assert view.pixel_of(shown.positions[10]).x() == pytest.approx(before.x() + 30, abs=1)
    assert menu_of(play) is None
    away = pixel(view, (0.5, 0.99))
    QTest.mouseClick(view, RIGHT, pos=away)
    assert menu_of(play) is None, "there is no dot"


def test_the_menu_key_opens_the_menu_of_the_chosen_dot(
    xvfb: Screen, play: PlayPresenter, window: MainWindow, session: ToneSession, qtbot: QtBot
) -> None:
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    view = play.page.map
    view.setFocus()
    qtbot.waitUntil(view.hasFocus)
    view.move_cursor((0.5, 0.99))
    xvfb.xdotool("key", "Menu")
    qtbot.wait(100)
    assert menu_of(play) is None, "the cursor is at no dot"
    view.move_cursor(shown_of(play).positions[0])
    QTest.keyClick(view, Qt.Key.Key_N)
    assert play.current == session.own
    xvfb.xdotool("key", "Menu")
    qtbot.waitUntil(lambda: menu_of(play) is not None, timeout=WAIT)
    menu = menu_of(play)
    assert menu is not None
    QTest.keyClick(menu, Qt.Key.Key_Down)
    QTest.keyClick(menu, Qt.Key.Key_Down)
    QTest.keyClick(menu, Qt.Key.Key_Return)
    assert play.page.pads.sounds() == [session.own]


def test_a_menu_that_is_open_while_another_map_comes_plays_nothing_of_it(
    play: PlayPresenter, session: ToneSession, qtbot: QtBot
) -> None:
    menu = opened(play, 19)
    play.show_model(entry_of(Path("other.distill")))
    idle(play, qtbot)
    menu.play_dot.trigger()
    assert play.current is None
    assert session.requests == []
    menu.close()
