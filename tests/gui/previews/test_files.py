"""Previews as files: stars, dragging out, the clipboard, copies, and showing them where they lie."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QObject, QPoint, Qt, QUrl
from PySide6.QtGui import QContextMenuEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QLineEdit, QPushButton, QToolButton
from pytestqt.qtbot import QtBot

from distill.gui.desktop.show_in_folder import reveal
from distill.gui.previews.model import STARRED_ROLE
from distill.gui.previews.panel import PreviewMenu
from distill.gui.previews.stars import DAMAGED_FILE, STARS_FILE, Stars, read_stars
from distill.gui.widgets.drag_and_drop import file_drag
from distill.gui.window.main_window import MainWindow
from distill.runs.preview_files import find_previews
from tests.gui.conftest import FileManager
from tests.gui.fakes import make_previews
from tests.gui.previews.test_previews import LEFT, NO_KEYS, add_epochs, cell, headings, played, table
from tests.support.screen import Screen

CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Previews of a run with a name that a URL has to escape."""
    made = tmp_path / "my run #1" / "previews"
    for epoch in range(3):
        make_previews(made, epoch)
    return made


@pytest.fixture
def shown(window: MainWindow, folder: Path, qtbot: QtBot) -> MainWindow:
    window.previews.show_previews(find_previews(folder))
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    table(window).setFocus()
    return window


def stars_of(folder: Path) -> set[str]:
    try:
        return set(read_stars(folder))
    except FileNotFoundError:
        return set()


def menu_at(window: MainWindow, row: int, column: int) -> PreviewMenu:
    view = table(window)
    view.setCurrentIndex(cell(window, row, column))
    position = view.visualRect(cell(window, row, column)).center()
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, position, view.viewport().mapToGlobal(position))
    QApplication.sendEvent(view.viewport(), event)
    menu = window.findChild(PreviewMenu, "previewMenu")
    assert menu is not None
    return menu


def test_s_and_a_click_on_the_star_star_and_it_is_kept(shown: MainWindow, folder: Path, qtbot: QtBot) -> None:
    view, names = table(shown), played(shown)
    view.setCurrentIndex(cell(shown, 1, 1))
    QTest.keyClick(view, Qt.Key.Key_S)
    assert cell(shown, 1, 1).data(STARRED_ROLE) is True
    qtbot.waitUntil(lambda: stars_of(folder) == {"recon_epoch0001_recon_00.wav"})
    star = view.visualRect(cell(shown, 2, 0)).topRight() + QPoint(-8, 8)
    QTest.mouseClick(view.viewport(), LEFT, NO_KEYS, star)
    qtbot.waitUntil(lambda: len(stars_of(folder)) == 2)
    assert view.currentIndex() == cell(shown, 1, 1)  # neither chosen nor played
    assert names == []
    shown.previews.show_previews([])
    assert not shown.previewing.stars.paths
    shown.previews.show_previews(find_previews(folder))
    qtbot.waitUntil(lambda: cell(shown, 2, 0).data(STARRED_ROLE) is True)
    table(shown).setCurrentIndex(cell(shown, 1, 1))
    QTest.keyClick(table(shown), Qt.Key.Key_S)
    qtbot.waitUntil(lambda: stars_of(folder) == {"preview_epoch0002_00.wav"})
    assert set(json.loads((folder / STARS_FILE).read_text())) == {"version", "starred"}


def test_several_are_starred_at_once(shown: MainWindow, folder: Path, qtbot: QtBot) -> None:
    view = table(shown)
    view.selectAll()
    QTest.keyClick(view, Qt.Key.Key_S)
    qtbot.waitUntil(lambda: len(stars_of(folder)) == 6)
    QTest.keyClick(view, Qt.Key.Key_S)
    qtbot.waitUntil(lambda: stars_of(folder) == set())


def test_starred_only(shown: MainWindow, folder: Path, qtbot: QtBot) -> None:
    button = shown.findChild(QToolButton, "starredButton")
    assert button is not None
    assert not button.isEnabled()
    assert "(S)" in button.toolTip()
    table(shown).setCurrentIndex(cell(shown, 1, 0))
    QTest.keyClick(table(shown), Qt.Key.Key_S)
    QTest.mouseClick(button, LEFT)

    def rows() -> list[str]:
        return headings(table(shown), Qt.Orientation.Vertical)

    assert rows() == ["2"]
    add_epochs(shown, folder, [3])
    assert rows() == ["2"]
    QTest.keyClick(table(shown), Qt.Key.Key_S)
    assert rows() == ["2"]  # what the hand is on does not go away
    QTest.mouseClick(button, LEFT)
    assert rows() == ["1", "2", "3", "4"]


def test_stars_of_the_last_moment_are_kept(shown: MainWindow, folder: Path) -> None:
    table(shown).selectAll()
    QTest.keyClick(table(shown), Qt.Key.Key_S)
    shown.quit_now()
    assert len(stars_of(folder)) == 6


def test_a_star_that_cannot_be_kept_is_told_and_tried_again(shown: MainWindow, folder: Path, qtbot: QtBot) -> None:
    (folder / STARS_FILE).mkdir()  # in the way, also for a superuser
    view = table(shown)
    view.setCurrentIndex(cell(shown, 0, 0))
    QTest.keyClick(view, Qt.Key.Key_S)
    qtbot.waitUntil(lambda: "star cannot be kept" in shown.notices.text())
    (folder / STARS_FILE).rmdir()
    view.setCurrentIndex(cell(shown, 1, 0))
    QTest.keyClick(view, Qt.Key.Key_S)
    qtbot.waitUntil(lambda: stars_of(folder) == {"preview_epoch0000_00.wav", "preview_epoch0001_00.wav"})
    assert shown.notices.text() == ""


def test_damaged_stars_are_put_aside_and_told(window: MainWindow, folder: Path, qtbot: QtBot) -> None:
    (folder / STARS_FILE).write_text("[1, 2")
    window.previews.show_previews(find_previews(folder))
    qtbot.waitUntil(lambda: DAMAGED_FILE in window.notices.text())
    assert (folder / DAMAGED_FILE).read_text() == "[1, 2"


def test_stars_given_while_they_are_read_or_another_run_is_opened_are_kept(
    folder: Path, tmp_path: Path, qapp: QApplication, qtbot: QtBot
) -> None:
    other = tmp_path / "other"
    make_previews(other, 0)
    (folder / STARS_FILE).write_text(json.dumps({"version": 1, "starred": ["preview_epoch0002_00.wav"]}))
    window = QObject()
    stars = Stars(window)
    stars.open(folder)
    stars.set_starred([folder / "preview_epoch0000_00.wav"], True)
    stars.open(other)
    stars.set_starred([other / "preview_epoch0000_00.wav"], True)
    stars.close()
    assert stars_of(folder) == {"preview_epoch0000_00.wav", "preview_epoch0002_00.wav"}
    assert stars_of(other) == {"preview_epoch0000_00.wav"}
    window.deleteLater()


# Out of the window.


def test_what_is_dragged_out_is_what_a_daw_reads(shown: MainWindow, folder: Path) -> None:
    view = table(shown)
    for chosen in (cell(shown, 2, 1), cell(shown, 0, 0)):  # the files come from top to bottom all the same
        view.selectionModel().select(chosen, view.selectionModel().SelectionFlag.Select)
    drag = file_drag(shown.previews.view)
    assert drag is not None
    data = drag.mimeData()
    assert data.formats() == ["text/uri-list"]
    lines = bytes(data.data("text/uri-list").data()).decode().split()
    assert lines == [(folder / name).as_uri() for name in ("preview_epoch0000_00.wav", "recon_epoch0002_recon_00.wav")]
    assert [Path(url.toLocalFile()).is_file() for url in data.urls()] == [True, True]
    assert not drag.pixmap().isNull()
    assert view.model().supportedDragActions() == Qt.DropAction.CopyAction


def test_dragging_and_copying_do_not_ask_the_disk(
    shown: MainWindow, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be a share that is gone, and the window would wait for it."""
    stat = os.stat

    def asked(path: Any, *args: Any, **how: Any) -> os.stat_result:
        assert threading.current_thread() is not threading.main_thread() or not str(path).startswith(str(folder))
        return stat(path, *args, **how)

    monkeypatch.setattr(os, "stat", asked)
    monkeypatch.setattr(os.path, "isfile", lambda path: bool(asked(path)))
    with pytest.raises(AssertionError):
        (folder / "preview_epoch0000_00.wav").is_file()
    table(shown).setCurrentIndex(cell(shown, 0, 0))
    drag = file_drag(shown.previews.view)
    assert drag is not None
    assert [url.toLocalFile() for url in drag.mimeData().urls()] == [str(folder / "preview_epoch0000_00.wav")]
    shown.previews.table.copy_chosen()
    assert len(QGuiApplication.clipboard().mimeData().urls()) == 1
    QGuiApplication.clipboard().clear()


_TARGET = """
import sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QWidget
class Target(QWidget):
    def dragEnterEvent(self, event):
        event.acceptProposedAction()
    def dropEvent(self, event):
        print(event.dropAction().name, *[u.toLocalFile() for u in event.mimeData().urls()], sep="|", flush=True)
        event.acceptProposedAction()
        QTimer.singleShot(0, QApplication.quit)
app = QApplication([])
target = Target()
target.setAcceptDrops(True)
target.setGeometry(1290, 100, 100, 300)
target.show()
QTimer.singleShot(0, lambda: print("ready", flush=True))
QTimer.singleShot(30000, app.quit)
app.exec()
"""


def drag_by_hand(qtbot: QtBot, start: QPoint, end: QPoint) -> None:
    """Drag with the X server's mouse.  The hand is a process of its own: the drag's events must be served meanwhile."""
    hand = [f"mousemove {start.x()} {start.y()} mousedown 1"]
    hand += [f"mousemove {start.x() - 3 * n} {start.y()} sleep 0.02" for n in range(1, 8)]
    hand += [f"mousemove {end.x() - 5} {end.y()} sleep 0.2 mousemove {end.x()} {end.y()} sleep 0.3 mouseup 1"]
    with subprocess.Popen(["xdotool", *" ".join(hand).split()]) as moving:
        qtbot.waitUntil(lambda: moving.poll() is not None, timeout=20_000)


@contextmanager
def dropped_elsewhere(folder: Path, qtbot: QtBot) -> Iterator[Callable[[], str]]:
    """Run another program that takes one drop at 1290 to 1390, 100 to 400, and wait until it has ended.

    Yields a function that returns the action and the files of the drop.
    """
    log = folder / "target.txt"
    with log.open("w") as out, subprocess.Popen([sys.executable, "-c", _TARGET], stdout=out) as target:
        qtbot.waitUntil(lambda: "ready" in log.read_text(), timeout=20_000)
        yield lambda: log.read_text().split("\n")[1]
        qtbot.waitUntil(lambda: target.poll() is not None, timeout=20_000)


def test_another_program_gets_what_is_dropped(
    xvfb: Screen, shown: MainWindow, folder: Path, qtbot: QtBot, tmp_path: Path
) -> None:
    names = played(shown)
    shown.setGeometry(0, 0, 1200, 700)
    qtbot.wait(50)
    view = table(shown)
    start = view.viewport().mapToGlobal(view.visualRect(cell(shown, 2, 1)).center())
    with dropped_elsewhere(tmp_path, qtbot) as taken:
        drag_by_hand(qtbot, start, QPoint(1335, 210))
    assert taken() == f"CopyAction|{folder / 'recon_epoch0002_recon_00.wav'}"
    assert names == []
    assert (folder / "recon_epoch0002_recon_00.wav").is_file()


def test_a_preview_is_not_dropped_among_the_sounds_to_train_on(xvfb: Screen, shown: MainWindow, qtbot: QtBot) -> None:
    shown.setGeometry(0, 0, 1200, 700)
    qtbot.wait(50)
    view = table(shown)
    start = view.viewport().mapToGlobal(view.visualRect(cell(shown, 2, 1)).center())
    drag_by_hand(qtbot, start, shown.browser.mapToGlobal(shown.browser.rect().center()))
    qtbot.wait(50)
    assert not shown.sounds.roots


def test_copying_gives_files_and_text(shown: MainWindow, folder: Path) -> None:
    table(shown).setCurrentIndex(cell(shown, 0, 0))
    QTest.keyClick(table(shown), Qt.Key.Key_C, CONTROL)
    data = QGuiApplication.clipboard().mimeData()
    path = folder / "preview_epoch0000_00.wav"
    assert data.text() == str(path)
    assert [url.toLocalFile() for url in data.urls()] == [str(path)]
    QGuiApplication.clipboard().clear()


def test_the_menu_does_what_it_says(shown: MainWindow, folder: Path, qtbot: QtBot) -> None:
    names = played(shown)
    menu = menu_at(shown, 1, 0)
    assert not menu.compare.isEnabled()  # a new sound has no original
    menu.play.trigger()
    assert names == ["preview_epoch0001_00.wav"]
    menu.star.trigger()
    assert cell(shown, 1, 0).data(STARRED_ROLE) is True
    menu.copy.trigger()
    assert QGuiApplication.clipboard().text() == str(folder / "preview_epoch0001_00.wav")
    QGuiApplication.clipboard().clear()
    menu.close()
    qtbot.waitUntil(lambda: shown.findChild(PreviewMenu) is None)
    menu = menu_at(shown, 1, 1)
    assert menu.compare.isEnabled()
    menu.close()


def test_a_copy_is_saved_where_one_wants(shown: MainWindow, folder: Path, tmp_path: Path, qtbot: QtBot) -> None:
    menu = menu_at(shown, 2, 1)
    menu.save.trigger()
    menu.close()
    dialog = shown.findChild(QFileDialog, "saveCopyDialog")
    assert dialog is not None
    name = dialog.findChild(QLineEdit)
    assert name is not None
    assert name.text() == "my run #1 sound 1 epoch 3.wav"
    target = tmp_path / "copies" / "kept.wav"
    target.parent.mkdir()
    dialog.selectFile(str(target))
    dialog.accept()
    original = (folder / "recon_epoch0002_recon_00.wav").read_bytes()
    qtbot.waitUntil(lambda: target.is_file() and target.read_bytes() == original)
    (folder / "recon_epoch0002_recon_00.wav").unlink()
    shown.previewing._save(folder / "recon_epoch0002_recon_00.wav", target)
    qtbot.waitUntil(lambda: "cannot be copied" in shown.notices.text())
    assert target.read_bytes() == original


def test_a_copy_for_which_memory_is_missing(
    shown: MainWindow, folder: Path, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_files: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("distill.gui.previews.presenter.shutil.copyfileobj", fail)
    shown.previewing._save(folder / "recon_epoch0002_recon_00.wav", tmp_path / "kept.wav")
    qtbot.waitUntil(lambda: "not enough memory" in shown.notices.text())
    assert not (tmp_path / "kept.wav").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the platform's own program is called")
def test_show_in_folder(
    shown: MainWindow, folder: Path, file_manager: FileManager, tmp_path: Path, qtbot: QtBot
) -> None:
    menu = menu_at(shown, 1, 0)
    menu.reveal.trigger()
    menu.close()
    qtbot.waitUntil(lambda: file_manager.shown == [str(folder)])
    reveal(tmp_path / "gone" / "deeper" / "sound.wav", shown)
    qtbot.waitUntil(lambda: file_manager.shown[1:] == [str(tmp_path)])


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the platform's own program is called")
def test_a_disk_that_does_not_answer_is_waited_for_in_the_background(
    shown: MainWindow, folder: Path, file_manager: FileManager, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, exists = threading.Event(), Path.exists

    def slowly(path: Path, **how: bool) -> bool:
        if path.parent == folder:
            assert threading.current_thread() is not threading.main_thread(), "the window itself asks the disk"
            answers.wait(30)
        return exists(path, **how)

    monkeypatch.setattr(Path, "exists", slowly)
    shown.previews.reveal_requested.emit(folder / "preview_epoch0001_00.wav")
    qtbot.wait(20)
    assert file_manager.shown == []
    answers.set()
    qtbot.waitUntil(lambda: file_manager.shown == [str(folder)])


class NoProgram:
    """Stands in for a system on which no program shows folders."""

    @staticmethod
    def openUrl(_url: QUrl) -> bool:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the platform's own program is called")
def test_where_nothing_shows_folders_the_place_is_told_and_can_be_copied(
    shown: MainWindow, folder: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.setattr("distill.gui.desktop.show_in_folder.QDesktopServices", NoProgram)
    path = str(folder / "preview_epoch0001_00.wav")
    menu = menu_at(shown, 1, 0)
    menu.reveal.trigger()
    menu.close()
    qtbot.waitUntil(lambda: path in shown.notices.text())
    button = shown.notices.findChild(QPushButton, "noticeAction")
    assert button is not None
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == path
    QGuiApplication.clipboard().clear()
    for asked in (
        shown.browser.reveal_requested,
        shown.run_list.reveal_requested,
        shown.making.panel.history.reveal_requested,
    ):
        asked.emit(folder)
        qtbot.waitUntil(lambda: str(folder) in shown.notices.text())
        shown.notices.forget_all()


_ON_A_BUS = """
import sys
from pathlib import Path
from PySide6.QtCore import ClassInfo, QObject, QTimer, QUrl, Slot
from PySide6.QtDBus import QDBusConnection
from PySide6.QtGui import QDesktopServices, QGuiApplication
from distill.gui.desktop.show_in_folder import reveal
app = QGuiApplication(["test", "-platform", "offscreen"])
@ClassInfo({"D-Bus Interface": "org.freedesktop.FileManager1"})
class Manager(QObject):
    @Slot("QStringList", "QString")
    def ShowItems(self, addresses, startup_id):
        print("shown", *addresses)
        app.quit()
    @Slot(QUrl)
    def open(self, url):
        print("opened", url.toLocalFile())
        app.quit()
manager = Manager()
QDesktopServices.setUrlHandler("file", manager, "open")
if sys.argv[2] == "with":
    bus = QDBusConnection.connectToBus(QDBusConnection.BusType.SessionBus, "manager")
    assert bus.registerService("org.freedesktop.FileManager1")
    assert bus.registerObject(
        "/org/freedesktop/FileManager1", manager, QDBusConnection.RegisterOption.ExportAllSlots
    )
QTimer.singleShot(20000, app.quit)
reveal(Path(sys.argv[1]), app)
app.exec()
"""


@pytest.mark.skipif(shutil.which("dbus-run-session") is None, reason="there is no D-Bus here")
@pytest.mark.parametrize("manager", ["with", "without"])
def test_a_file_manager_is_asked_to_select_the_file(folder: Path, manager: str) -> None:
    path = folder / "preview_epoch0000_00.wav"
    command = ["dbus-run-session", "--", sys.executable, "-c", _ON_A_BUS, str(path), manager]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == (f"shown {path.as_uri()}" if manager == "with" else f"opened {folder}")
