"""The list of previews, and playing them, through the real widgets."""

from pathlib import Path

import pytest
from PySide6.QtCore import QAbstractItemModel, QModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester, QTest
from PySide6.QtWidgets import QAbstractItemView, QSlider, QToolButton
from pytestqt.qtbot import QtBot

from distill.gui.main_window import MainWindow
from distill.gui.preview_tree import PreviewKind, PreviewSound, PreviewTree, find_previews
from distill.playback.player import PlayerState
from tests.gui.fakes import FakeDevice, make_previews

LEFT, NO_KEYS = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


def list_of(window: MainWindow) -> QAbstractItemView:
    view = window.findChild(QAbstractItemView, "previewList")
    assert view is not None
    return view


def texts(model: QAbstractItemModel, parent: QModelIndex | None = None) -> list[str]:
    parent = parent or QModelIndex()
    return [str(model.index(row, 0, parent).data()) for row in range(model.rowCount(parent))]


def test_names_of_files_are_read() -> None:
    sound = PreviewSound.from_path(Path("recon_epoch0020_recon_01.wav"))
    assert sound is not None
    assert (sound.epoch, sound.kind, sound.number) == (20, PreviewKind.RECONSTRUCTION, 1)
    original = sound.original()
    assert original is not None
    assert original.path.name == "recon_epoch0020_orig_01.wav"
    assert PreviewSound.from_path(Path("notes.wav")) is None


def test_the_tree_keeps_qts_rules_and_its_order(tmp_path: Path, qtbot: QtBot) -> None:
    tree = PreviewTree()
    tester = QAbstractItemModelTester(tree, QAbstractItemModelTester.FailureReportingMode.Warning)
    for epoch in (20, 0, 10):
        for path in make_previews(tmp_path, epoch):
            sound = PreviewSound.from_path(path)
            assert sound is not None
            tree.add(sound)
            tree.add(sound)
    assert texts(tree) == ["Epoch 0", "Epoch 10", "Epoch 20"]
    assert texts(tree, tree.index(1, 0)) == ["New sound 1", "Original 1", "Reconstruction 1"]
    again = PreviewTree()
    again.set_previews(find_previews(tmp_path))
    assert texts(again) == texts(tree)
    assert texts(again, again.index(2, 0)) == texts(tree, tree.index(2, 0))
    tester.deleteLater()


def test_selection_and_scrolling_stay_while_previews_come_in(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    view = list_of(window)

    def add(epoch: int) -> None:
        for path in make_previews(tmp_path, epoch):
            window.previews.add(path)

    for epoch in range(10, 60):
        add(epoch)
    chosen = view.model().index(30, 0)
    view.setCurrentIndex(chosen)
    view.scrollTo(chosen)
    qtbot.wait(50)
    place = view.verticalScrollBar().value()
    for epoch in range(60, 70):
        add(epoch)
    qtbot.wait(50)
    assert view.currentIndex().data() == "Epoch 40"
    assert view.verticalScrollBar().value() == place


@pytest.fixture
def with_previews(window: MainWindow, tmp_path: Path) -> MainWindow:
    for path in make_previews(tmp_path / "previews", 3):
        window.previews.add(path)
    return window


def test_a_click_plays_and_marks_what_is_heard(with_previews: MainWindow, device: FakeDevice, qtbot: QtBot) -> None:
    window, view = with_previews, list_of(with_previews)
    index = view.model().index(2, 0, view.model().index(0, 0))
    assert index.data() == "Reconstruction 1"
    QTest.mouseClick(view.viewport(), LEFT, NO_KEYS, view.visualRect(index).center())
    qtbot.waitUntil(lambda: window.playing.playback.status.state is PlayerState.PLAYING)
    path = window.playing.playback.status.path
    assert path is not None
    assert path.name == "recon_epoch0003_recon_00.wav"
    assert index.data(Qt.ItemDataRole.ForegroundRole) is not None
    stop = window.findChild(QToolButton, "stopButton")
    assert stop is not None
    assert stop.isEnabled()
    device.outputs[0].finish()
    qtbot.waitUntil(lambda: window.playing.playback.status.state is PlayerState.IDLE)
    assert index.data(Qt.ItemDataRole.ForegroundRole) is None
    assert not stop.isEnabled()


def test_activating_an_epoch_plays_its_first_sound(with_previews: MainWindow, qtbot: QtBot) -> None:
    view = list_of(with_previews)
    view.activated.emit(view.model().index(0, 0))
    qtbot.waitUntil(lambda: with_previews.playing.playback.status.state is PlayerState.PLAYING)
    assert str(with_previews.playing.playback.status.path).endswith("preview_epoch0003_00.wav")


def test_a_double_click_plays_once(with_previews: MainWindow, qtbot: QtBot) -> None:
    view, asked = list_of(with_previews), list[PreviewSound]()
    with_previews.previews.playing_asked.connect(asked.append)
    place = view.visualRect(view.model().index(0, 0, view.model().index(0, 0))).center()
    QTest.mouseClick(view.viewport(), LEFT, NO_KEYS, place)
    QTest.mouseDClick(view.viewport(), LEFT, NO_KEYS, place)
    assert len(asked) == 1


def test_the_transport(with_previews: MainWindow, device: FakeDevice, qtbot: QtBot) -> None:
    window = with_previews
    play, stop = window.findChild(QToolButton, "playButton"), window.findChild(QToolButton, "stopButton")
    position, volume = window.findChild(QSlider, "positionSlider"), window.findChild(QSlider, "volumeSlider")
    assert play is not None
    assert stop is not None
    assert position is not None
    assert volume is not None
    assert not play.isEnabled()
    list_of(window).setCurrentIndex(window.previews.tree.index(0, 0))
    QTest.mouseClick(play, LEFT)
    qtbot.waitUntil(stop.isEnabled)
    QTest.mouseClick(position, LEFT, NO_KEYS, position.rect().center())
    player = window.playing.playback.player
    device.outputs[0].fill(__import__("numpy").zeros((480, 2), dtype="float32"))
    assert player.position_seconds == pytest.approx(0.11, abs=0.02)
    volume.setValue(50)
    assert player.volume == pytest.approx(0.25)
    QTest.mouseClick(stop, LEFT)
    qtbot.waitUntil(lambda: not stop.isEnabled())


def test_a_preview_that_was_deleted_is_told(with_previews: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    for path in (tmp_path / "previews").iterdir():
        path.unlink()
    view = list_of(with_previews)
    view.activated.emit(view.model().index(0, 0))
    qtbot.waitUntil(lambda: "not there any more" in with_previews.notices.text())
