"""The dataset browser, through the real widgets."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QTableView
from pytestqt.qtbot import QtBot

from distill.gui.sounds.columns import Column
from distill.gui.widgets.empty_state import EmptyState
from distill.gui.widgets.formatting import format_seconds
from distill.gui.window.main_window import MainWindow
from distill.gui.window.top_bar import PLAY, TRAINING
from distill.playback.player import PlayerState
from tests.gui.conftest import double_click
from tests.gui.fakes import FakeDevice

LEFT = Qt.MouseButton.LeftButton


def view_of(window: MainWindow) -> QTableView:
    view = window.findChild(QTableView, "datasetBrowser")
    assert view is not None
    return view


def cells(window: MainWindow) -> dict[str, list[str]]:
    """Return the rows as they are shown, by name."""
    model = view_of(window).model()
    rows = [[str(model.index(r, c).data()) for c in range(model.columnCount())] for r in range(model.rowCount())]
    return {row[0]: row[1:] for row in rows}


def drop(window: MainWindow, *paths: Path) -> None:
    """Drop files on the middle of the window, as the system delivers it."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(p)) for p in paths])
    actions, buttons, keys = Qt.DropAction.CopyAction, LEFT, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(600, 400), actions, data, buttons, keys)
    QApplication.sendEvent(window, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(window, QDropEvent(QPointF(600, 400), actions, data, buttons, keys))


def test_a_folder_is_listed_with_what_is_left_out_and_why(loaded: MainWindow) -> None:
    shown = cells(loaded)
    assert shown["tone 1.wav"][:4] == ["0.30 s", "48", "1", "Ready"]
    assert shown["empty.wav"][3].startswith("Skipped: empty")
    assert "silent" in shown["silent.wav"][3]
    assert shown["silent.wav"][:3] == ["0.10 s", "44.1", "2"]
    assert "not a sound file" in shown["text.wav"][3]
    assert loaded.browser.detail.text() == "4 files · 1.40 s"
    assert "3 skipped" in loaded.browser.summary()
    assert "3 files are skipped" in loaded.notices.text()
    assert {p.name for p in loaded.sounds.usable()} == {f"tone {n}.wav" for n in range(4)}


def test_damage_and_a_lost_mix_are_told_in_the_tip_of_a_row(loaded: MainWindow, qtbot: QtBot) -> None:
    folder = loaded.sounds.roots[0]
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 48_000)
    soundfile.write(folder / "torn.flac", noise, 48_000)
    data = bytearray((folder / "torn.flac").read_bytes())
    data[len(data) // 2 : len(data) // 2 + 100] = bytes(100)
    (folder / "torn.flac").write_bytes(data)
    soundfile.write(folder / "against.wav", np.stack([noise, -noise], axis=1), 48_000)
    loaded.sounds.show(loaded.sounds.roots)
    names = ("torn.flac", "against.wav")
    qtbot.waitUntil(lambda: all(cells(loaded).get(name, [""] * 4)[3] == "Ready" for name in names), timeout=20_000)
    model = view_of(loaded).model()
    tips = {
        str(model.index(row, 0).data()): [
            str(model.index(row, column).data(Qt.ItemDataRole.ToolTipRole)) for column in (Column.NAME, Column.STATUS)
        ]
        for row in range(model.rowCount())
    }
    assert all("It is damaged: 0.09 s of it were replaced by silence." in tip for tip in tips["torn.flac"])
    assert all("Its channels cancel each other out in mono" in tip for tip in tips["against.wav"])
    assert not any("damaged" in tip or "channels" in tip for tip in tips["tone 1.wav"])


def test_nobody_is_asked_for_sounds_while_they_are_looked_for(window: MainWindow) -> None:
    invitation = next(e for e in window.browser.findChildren(EmptyState) if e.isVisible())
    window.browser.show_scanning()
    assert not invitation.isVisible()
    assert window.browser.detail.text() == "Looking for sounds…"
    window.browser.show_busy("")
    assert invitation.isVisible()
    assert window.browser.detail.text() == ""


def test_the_reason_is_told_in_full_for_the_row_under_the_cursor(loaded: MainWindow, qtbot: QtBot) -> None:
    view = view_of(loaded)
    model = view.model()
    rows = {str(model.index(r, 0).data()): r for r in range(model.rowCount())}
    view.setFocus()
    view.setCurrentIndex(model.index(rows["silent.wav"], 0))
    assert loaded.browser._reason.text() == "Skipped: silent"
    top, height = view.y(), view.height()
    view.setCurrentIndex(model.index(rows["tone 1.wav"], 0))
    assert loaded.browser._reason.text() == ""
    assert (view.y(), view.height()) == (top, height)  # nothing moves


def test_files_and_folders_dropped_on_the_window_are_added(loaded: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    other = tmp_path / "other"
    other.mkdir()
    source = loaded.sounds.usable()[0]
    (other / "more.wav").write_bytes(source.read_bytes())
    single = tmp_path / "single.wav"
    single.write_bytes(source.read_bytes())
    loaded.pages.show_page(PLAY)
    drop(loaded, other, single)
    assert loaded.pages.currentIndex() == TRAINING
    qtbot.waitUntil(lambda: len(cells(loaded)) == 9 and not loaded.sounds.scanner.is_busy)
    assert {"more.wav", "single.wav", "tone 0.wav"} <= set(cells(loaded))


def test_what_is_no_file_is_not_taken(window: MainWindow) -> None:
    data = QMimeData()
    data.setText("hello")
    event = QDragEnterEvent(QPoint(9, 9), Qt.DropAction.CopyAction, data, LEFT, Qt.KeyboardModifier.NoModifier)
    event.ignore()
    QApplication.sendEvent(window, event)
    assert not event.isAccepted()


def test_a_double_click_asks_for_the_demo_sounds_once(window: MainWindow) -> None:
    requests = list[bool]()
    window.browser.demo_requested.disconnect()
    window.browser.demo_requested.connect(lambda: requests.append(True))
    double_click(window.browser.demo_button)
    assert requests == [True]


def test_demo_sounds_are_one_click_away(window: MainWindow, qtbot: QtBot) -> None:
    QTest.mouseClick(window.browser.demo_button, LEFT)
    qtbot.waitUntil(lambda: window.controls.start.isEnabled() and not window.sounds.scanner.is_busy, timeout=120_000)
    assert len(window.sounds.usable()) >= 12
    assert window.sounds.name == "demo-sounds"


def test_an_empty_folder_is_told(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    window.open_folder(tmp_path)
    qtbot.waitUntil(lambda: "no sounds" in window.notices.text())
    assert not window.controls.start.isEnabled()


def test_a_click_and_the_space_bar_play_a_sound(loaded: MainWindow, device: FakeDevice, qtbot: QtBot) -> None:
    view = view_of(loaded)
    index = view.model().index(view.model().rowCount() - 1, 0)
    QTest.mouseClick(view.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, view.visualRect(index).center())
    qtbot.waitUntil(lambda: loaded.playing.playback.status.state is PlayerState.PLAYING)
    path = loaded.playing.playback.status.path
    assert path is not None
    assert path.name == index.data()
    QTest.keyClick(view, Qt.Key.Key_Up)
    QTest.keyClick(view, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: loaded.playing.playback.status.path != path)


def test_a_sound_is_asked_for_once_by_a_double_click_and_not_where_several_are_chosen(
    loaded: MainWindow, qtbot: QtBot
) -> None:
    view, paths = loaded.browser.view, list[Path]()
    view.audition_requested.connect(paths.append)
    first, second = (view.visualRect(view.model().index(row, 0)).center() for row in (4, 5))
    QTest.mouseClick(view.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, first)
    QTest.mouseDClick(view.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, first)
    QTest.mouseRelease(view.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, first)
    assert len(paths) == 1
    for modifier in (Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier):
        QTest.mouseClick(view.viewport(), LEFT, modifier, second)
    assert len(paths) == 1


def test_a_sound_is_not_asked_for_once_its_list_is_hidden(loaded: MainWindow, qtbot: QtBot) -> None:
    view, paths = loaded.browser.view, list[Path]()
    view.audition_requested.connect(paths.append)
    view.setCurrentIndex(view.model().index(5, 0))
    QTest.keyClick(view, Qt.Key.Key_Up)
    qtbot.waitUntil(lambda: len(paths) == 1)
    QTest.keyClick(view, Qt.Key.Key_Up)
    view.hide()
    qtbot.wait(50)
    assert len(paths) == 1


def test_sorting_by_length(loaded: MainWindow) -> None:
    view, trained = view_of(loaded), loaded.sounds.usable()
    view.setCurrentIndex(next(i for r in range(7) if (i := view.model().index(r, 0)).data() == "tone 1.wav"))
    for order in (Qt.SortOrder.DescendingOrder, Qt.SortOrder.AscendingOrder):
        view.sortByColumn(1, order)
        tones = [name for r in range(7) if "tone" in (name := str(view.model().index(r, 0).data()))]
        assert tones == sorted(tones, reverse=order is Qt.SortOrder.DescendingOrder)
        assert view.currentIndex().data() == "tone 1.wav"
        assert [index.data() for index in view.selectionModel().selectedRows()] == ["tone 1.wav"]
    assert loaded.sounds.usable() == trained  # what is trained on, and in which order, is not a matter of looks


def test_a_change_moves_a_row_where_the_list_is_sorted_by_it(loaded: MainWindow) -> None:
    view, name = view_of(loaded), "tone 0.wav"
    view.sortByColumn(Column.STATUS, Qt.SortOrder.AscendingOrder)
    positions = []
    for excluded in (set(), {path for path in loaded.sounds.usable() if path.name == name}):
        loaded.browser.table.set_excluded(excluded)
        positions.append([view.model().index(r, 0).data() for r in range(7)].index(name))
    assert positions[0] < positions[1] == 3  # behind the other tones, before what is left out


def test_a_second_folder_takes_the_place_of_the_first(loaded: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "one.wav").write_bytes(loaded.sounds.usable()[0].read_bytes())
    loaded.open_folder(other)
    qtbot.waitUntil(lambda: set(cells(loaded)) == {"one.wav"} and not loaded.sounds.scanner.is_busy)
    assert loaded.notices.text() == ""


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.346, "0.35 s"), (12.04, "12.0 s"), (187.2, "3:07"), (3725.0, "1:02:05")]
)
def test_durations_as_people_read_them(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
