"""The grid of previews through the real widgets: what it shows, walking, choosing, and playing."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QModelIndex, QPoint, QRect, Qt
from PySide6.QtGui import QAccessible, QKeyEvent
from PySide6.QtTest import QAbstractItemModelTester, QTest
from PySide6.QtWidgets import QApplication, QSlider, QTableView, QToolButton
from pytestqt.qtbot import QtBot

from distill.gui.previews.model import PLAYING_ROLE, SOUND_ROLE, OriginalsModel, PreviewModel
from distill.gui.window.main_window import MainWindow
from distill.playback.player import PlayerState
from distill.runs.preview_files import PreviewKind, PreviewSound, Slot, find_previews
from tests.gui.fakes import FakeDevice, make_previews

LEFT, NO_KEYS = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def table(window: MainWindow, name: str = "previewList") -> QTableView:
    view = window.findChild(QTableView, name)
    assert view is not None
    return view


def cell(window: MainWindow, row: int, column: int) -> QModelIndex:
    return table(window).model().index(row, column)


def headings(view: QTableView, orientation: Qt.Orientation) -> list[str]:
    model = view.model()
    count = model.columnCount() if orientation is Qt.Orientation.Horizontal else model.rowCount()
    return [str(model.headerData(n, orientation)) for n in range(count)]


def add_epochs(window: MainWindow, folder: Path, epochs: Iterable[int]) -> None:
    for epoch in epochs:
        for path in make_previews(folder, epoch):
            window.previews.add(path)


def click(view: QTableView, index: QModelIndex, keys: Qt.KeyboardModifier = NO_KEYS) -> None:
    QTest.mouseClick(view.viewport(), LEFT, keys, view.visualRect(index).center())


def played(window: MainWindow) -> list[str]:
    """Names of the files that are asked for, as they come."""
    names = list[str]()
    for cells in window.previews.table.cells:
        cells.playing_requested.connect(lambda sound: names.append(sound.path.name))
    return names


def test_an_original_is_drawn_when_its_first_copy_comes(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    """The columns are there before the sounds: the strip stayed blank until something else drew it."""
    new, copy = make_previews(tmp_path, 0)
    window.previews.grid.set_previews([], [Slot(False, 0), Slot(True, 0)])
    window.previews.add(new)
    originals, strip = window.previews.table.originals, table(window, "previewOriginals")
    qtbot.waitUntil(lambda: strip.isVisible() and window.previews.thumbnails.peaks(new) is not None)
    QApplication.processEvents()  # it is drawn, without an original
    assert originals.sound_at(originals.index(0, 1)) is None
    with qtbot.waitSignal(originals.dataChanged, timeout=20_000):
        window.previews.add(copy)
    assert originals.sound_at(originals.index(0, 1)) is not None


@pytest.fixture
def with_previews(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> MainWindow:
    """Epochs 4, 5 and 6 (as people count), each with a new sound and a pair."""
    add_epochs(window, tmp_path / "previews", (3, 4, 5))
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    table(window).setFocus()
    return window


def test_names_of_files_are_read() -> None:
    sound = PreviewSound.from_path(Path("recon_epoch0020_recon_01.wav"))
    assert sound is not None
    assert (sound.epoch, sound.kind, sound.slot) == (20, PreviewKind.RECONSTRUCTION, Slot(True, 1))
    original = sound.original()
    assert original is not None
    assert original.path.name == "recon_epoch0020_orig_01.wav"
    assert PreviewSound.from_path(Path("notes.wav")) is None


def test_the_grid_keeps_qts_rules_and_its_order(tmp_path: Path, qtbot: QtBot) -> None:
    grid = PreviewModel()
    strip = OriginalsModel(grid)
    mode = QAbstractItemModelTester.FailureReportingMode.Warning
    testers = [QAbstractItemModelTester(grid, mode), QAbstractItemModelTester(strip, mode)]
    for epoch in (20, 0, 10):
        for path in reversed(make_previews(tmp_path, epoch)):  # the columns come in the wrong order, too
            sound = PreviewSound.from_path(path)
            assert sound is not None
            grid.add(sound)
            grid.add(sound)
    again = PreviewModel()
    again.set_previews(find_previews(tmp_path))
    for made in (grid, again):
        assert [made.headerData(n, Qt.Orientation.Vertical) for n in range(made.rowCount())] == ["1", "11", "21"]
        assert made.columns == (Slot(False, 0), Slot(True, 0))
        assert made.sound_count == 6
        names = [made.index(1, n).data(SOUND_ROLE).path.name for n in range(2)]
        assert names == ["preview_epoch0010_00.wav", "recon_epoch0010_recon_00.wav"]
        original = made.original_of(Slot(True, 0))
        assert original is not None
        assert original.path.name == "recon_epoch0000_orig_00.wav"
    for tester in testers:
        tester.deleteLater()


def test_a_row_an_epoch_counted_from_one_and_originals_on_top(with_previews: MainWindow) -> None:
    view, strip = table(with_previews), table(with_previews, "previewOriginals")
    assert headings(view, Qt.Orientation.Vertical) == ["4", "5", "6"]
    columns = " ".join(headings(strip, Qt.Orientation.Horizontal)).split()  # a narrow one has its number below
    assert columns == ["New", "1", "Sound", "1"]
    assert [strip.model().index(0, n).data() for n in range(2)] == [None, "Original of sound 1"]
    tip = cell(with_previews, 1, 1).data(Qt.ItemDataRole.ToolTipRole)
    assert "epoch 5" in tip
    assert "recon_epoch0004_recon_00.wav" in tip
    for column in range(2):  # what belongs together is in line, on the screen
        above, below = (
            v.viewport().mapToGlobal(v.visualRect(v.model().index(0, column)).topLeft()).x() for v in (strip, view)
        )
        assert above == below


def test_a_gap_is_stepped_over_and_still_plays_something(window: MainWindow, tmp_path: Path) -> None:
    add_epochs(window, tmp_path, (0, 1, 2))
    for path in make_previews(tmp_path, 3)[1:]:  # its new sound could not be made
        window.previews.add(path)
    view, names = table(window), played(window)
    assert not cell(window, 3, 0).flags() & Qt.ItemFlag.ItemIsEnabled
    view.activated.emit(cell(window, 3, 0))
    assert names == ["recon_epoch0003_recon_00.wav"]


def test_selection_and_scrolling_stay_while_previews_come_in(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    add_epochs(window, tmp_path, range(10, 60))
    view = table(window)
    view.setCurrentIndex(cell(window, 30, 1))
    view.scrollTo(cell(window, 30, 1))
    qtbot.wait(50)
    position = view.verticalScrollBar().value()
    assert 0 < position < view.verticalScrollBar().maximum()
    add_epochs(window, tmp_path, range(60, 70))
    qtbot.wait(50)
    assert view.currentIndex().data() == "Sound 1, epoch 41"
    assert view.selectedIndexes() == [view.currentIndex()]
    assert view.verticalScrollBar().value() == position


def test_the_end_stays_in_sight_until_the_chosen_cell_would_leave(
    window: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    add_epochs(window, tmp_path, range(40))
    view = table(window)
    bar = view.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 0 and bar.value() == bar.maximum())
    view.setCurrentIndex(cell(window, 39, 0))
    add_epochs(window, tmp_path, range(40, 80))  # as many as would push it out
    qtbot.wait(50)
    assert view.viewport().rect().contains(view.visualRect(cell(window, 39, 0)))
    assert bar.value() < bar.maximum()
    newest = window.findChild(QToolButton, "newestButton")
    assert newest is not None
    QTest.mouseClick(newest, LEFT)
    assert bar.value() == bar.maximum()
    add_epochs(window, tmp_path, range(80, 82))
    qtbot.waitUntil(lambda: bar.value() == bar.maximum())
    assert view.viewport().rect().intersects(view.visualRect(cell(window, 81, 0)))


def test_a_click_plays_and_marks_what_is_heard(with_previews: MainWindow, device: FakeDevice, qtbot: QtBot) -> None:
    window, view = with_previews, table(with_previews)
    index = cell(window, 0, 1)
    click(view, index)
    qtbot.waitUntil(lambda: window.playing.playback.status.state is PlayerState.PLAYING)
    path = window.playing.playback.status.path
    assert path is not None
    assert path.name == "recon_epoch0003_recon_00.wav"
    assert index.data(PLAYING_ROLE) is True
    interface = QAccessible.queryAccessibleInterface(view)
    assert interface is not None
    assert "playing" in index.data(Qt.ItemDataRole.AccessibleTextRole)
    device.outputs[0].finish()
    qtbot.waitUntil(lambda: window.playing.playback.status.state is PlayerState.IDLE)
    assert index.data(PLAYING_ROLE) is False


def test_activating_an_epoch_plays_its_first_sound(with_previews: MainWindow, qtbot: QtBot) -> None:
    view = table(with_previews)
    view.activated.emit(view.model().index(0, 0))
    qtbot.waitUntil(lambda: with_previews.playing.playback.status.state is PlayerState.PLAYING)
    assert str(with_previews.playing.playback.status.path).endswith("preview_epoch0003_00.wav")


def test_a_double_click_plays_once(with_previews: MainWindow) -> None:
    view, names = table(with_previews), played(with_previews)
    position = view.visualRect(cell(with_previews, 0, 0)).center()
    QTest.mouseClick(view.viewport(), LEFT, NO_KEYS, position)
    QTest.mouseDClick(view.viewport(), LEFT, NO_KEYS, position)
    assert len(names) == 1


def test_arrow_keys_walk_and_play(with_previews: MainWindow, qtbot: QtBot) -> None:
    window, view, strip = with_previews, table(with_previews), table(with_previews, "previewOriginals")
    names = played(window)
    view.setCurrentIndex(cell(window, 1, 0))
    for key, name in (
        (Qt.Key.Key_Right, "recon_epoch0004_recon_00.wav"),
        (Qt.Key.Key_Up, "recon_epoch0003_recon_00.wav"),
        (Qt.Key.Key_Up, "recon_epoch0003_orig_00.wav"),  # over the first row, the original
        (Qt.Key.Key_Down, "recon_epoch0003_recon_00.wav"),
        (Qt.Key.Key_Down, "recon_epoch0004_recon_00.wav"),
        (Qt.Key.Key_Left, "preview_epoch0004_00.wav"),
        (Qt.Key.Key_Return, "preview_epoch0004_00.wav"),
    ):
        QTest.keyClick(strip if strip.hasFocus() else view, key)
        qtbot.waitUntil(lambda name=name: names[-1:] == [name])  # type: ignore[misc]
        assert len(strip.selectedIndexes() + view.selectedIndexes()) == 1  # one cursor for both tables
    assert len(names) == 7
    QTest.keyClick(view, Qt.Key.Key_Left)  # nothing is there
    qtbot.wait(30)
    assert len(names) == 7


def test_space_plays_and_stops(with_previews: MainWindow, qtbot: QtBot) -> None:
    window, view, strip = with_previews, table(with_previews), table(with_previews, "previewOriginals")
    playback = window.playing.playback

    def press_space(cells: QTableView, index: QModelIndex, state: PlayerState) -> None:
        cells.setFocus()
        cells.setCurrentIndex(index)
        QTest.keyClick(cells, Qt.Key.Key_Space)
        qtbot.waitUntil(lambda: playback.status.state is state)

    for cells, index in ((view, cell(window, 1, 0)), (strip, strip.model().index(0, 1))):
        for _ in range(2):
            press_space(cells, index, PlayerState.PLAYING)
            assert playback.status.path == index.data(SOUND_ROLE).path
            press_space(cells, index, PlayerState.IDLE)
    press_space(view, cell(window, 1, 0), PlayerState.PLAYING)
    other = cell(window, 2, 0)
    press_space(view, other, PlayerState.PLAYING)
    qtbot.waitUntil(lambda: playback.status.path == other.data(SOUND_ROLE).path)
    assert playback.status.state is PlayerState.PLAYING


def test_a_key_that_is_held_down_plays_where_it_stops(with_previews: MainWindow, qtbot: QtBot) -> None:
    window, view = with_previews, table(with_previews)
    names = played(window)
    view.setCurrentIndex(cell(window, 0, 1))
    for _ in range(2):
        repeated = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Down, NO_KEYS, "", True)
        QApplication.sendEvent(view, repeated)
    qtbot.waitUntil(lambda: bool(names))
    assert names == ["recon_epoch0005_recon_00.wav"]


def test_choosing_several_is_silent(with_previews: MainWindow) -> None:
    view, names = table(with_previews), played(with_previews)
    click(view, cell(with_previews, 0, 0))
    click(view, cell(with_previews, 1, 0), CONTROL)
    click(view, cell(with_previews, 2, 1), SHIFT)
    assert len(view.selectedIndexes()) > 2
    assert len(names) == 1


def test_the_focus_starts_at_the_newest_epoch_and_tab_leaves(with_previews: MainWindow) -> None:
    window, view = with_previews, table(with_previews)
    assert view.currentIndex() == cell(window, 2, 0)
    assert not view.selectedIndexes()
    QTest.keyClick(view, Qt.Key.Key_Backtab)
    assert window.focusWidget() is table(window, "previewOriginals")
    QTest.keyClick(window.focusWidget(), Qt.Key.Key_Tab)
    QTest.keyClick(view, Qt.Key.Key_Tab)
    assert window.focusWidget() not in (view, table(window, "previewOriginals"))


def test_pictures_come_and_are_renewed(with_previews: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    import soundfile

    window, view = with_previews, table(with_previews)
    path = tmp_path / "previews" / "preview_epoch0003_00.wav"
    thumbnails = window.previews.thumbnails
    qtbot.waitUntil(lambda: thumbnails.peaks(path) is not None)
    area = view.visualRect(cell(window, 0, 0))
    before = view.viewport().grab(area).toImage()
    soundfile.write(path, np.linspace(0, 0.9, 9600, dtype=np.float32), 48_000, subtype="PCM_16")
    window.previews.add(path)  # the epoch was trained once more, after a resume
    qtbot.waitUntil(lambda: view.viewport().grab(area).toImage() != before)


@pytest.mark.parametrize("width", [200, 360, 640])
def test_columns_share_the_width_or_scroll(with_previews: MainWindow, qtbot: QtBot, width: int) -> None:
    window, view, strip = with_previews, table(with_previews), table(with_previews, "previewOriginals")
    for name in ("preview_epoch0003_01.wav", "preview_epoch0003_02.wav", "recon_epoch0003_recon_01.wav"):
        window.previews.add(view.model().index(0, 0).data(SOUND_ROLE).path.with_name(name))
    window.previews.setParent(None)
    panel = window.previews
    try:
        panel.resize(width, 400)
        with qtbot.waitExposed(panel):
            panel.show()
        last = view.model().index(0, 4)
        view.scrollTo(last)
        qtbot.waitUntil(lambda: view.viewport().rect().contains(view.visualRect(last).center()))
        assert view.columnWidth(4) >= 36
        assert strip.visualRect(strip.model().index(0, 4)).left() == view.visualRect(last).left()
        if width >= 360:
            assert view.horizontalScrollBar().maximum() == 0
        visible = QRect(QPoint(0, 0), panel.size())
        for button in panel.tools.findChildren(QToolButton):
            assert visible.contains(QRect(button.mapTo(panel, QPoint(0, 0)), button.size()))
    finally:
        window.splitter.addWidget(panel)


def test_the_transport(with_previews: MainWindow, device: FakeDevice, qtbot: QtBot) -> None:
    window = with_previews
    play, stop = window.findChild(QToolButton, "playButton"), window.findChild(QToolButton, "stopButton")
    position, volume = window.findChild(QSlider, "positionSlider"), window.findChild(QSlider, "volumeSlider")
    assert play is not None
    assert stop is not None
    assert position is not None
    assert volume is not None
    table(window).setCurrentIndex(cell(window, 0, 0))
    QTest.mouseClick(play, LEFT)
    qtbot.waitUntil(stop.isEnabled)
    QTest.mouseClick(position, LEFT, NO_KEYS, position.rect().center())
    player = window.playing.playback.player
    device.outputs[0].fill(np.zeros((480, 2), dtype=np.float32))
    assert player.position_seconds == pytest.approx(0.11, abs=0.02)
    volume.setValue(50)
    assert player.volume == pytest.approx(0.25)
    QTest.mouseClick(stop, LEFT)
    qtbot.waitUntil(lambda: not stop.isEnabled())


def test_a_preview_that_was_deleted_is_told(with_previews: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    for path in (tmp_path / "previews").iterdir():
        path.unlink()
    table(with_previews).activated.emit(cell(with_previews, 0, 0))
    qtbot.waitUntil(lambda: "not there any more" in with_previews.notices.text())
