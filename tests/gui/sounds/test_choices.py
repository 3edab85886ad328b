"""Choosing sounds: boxes, keys, undo, the split, filter, columns, walking."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction, QContextMenuEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QStyle, QStyleOptionViewItem, QWidget
from pytestqt.qtbot import QtBot

from distill.audio.cache.sound_cache import SoundCache
from distill.audio.decoding.mono_decoder import SAMPLE_RATE
from distill.config.training import TrainingConfig
from distill.gui.sounds.cell_delegates import NameDelegate
from distill.gui.sounds.columns import Column
from distill.gui.sounds.model import ROW_ROLE
from distill.gui.sounds.view import SoundView
from distill.gui.widgets import theme
from distill.gui.window.main_window import MainWindow
from distill.runs.run_record import RunRecord
from distill.training.data.split import split_sounds
from distill.training.dataset import prepare_sounds
from tests.gui.conftest import close, make_window
from tests.gui.fakes import FakeDevice, FakeEngine, make_previews, tone

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def view(loaded: MainWindow, qtbot: QtBot) -> SoundView:
    loaded.activateWindow()
    loaded.browser.view.setFocus()
    qtbot.waitUntil(loaded.browser.view.hasFocus)
    return loaded.browser.view


def row_of(view: SoundView, name: str) -> int:
    return next(r for r in range(view.model().rowCount()) if view.model().index(r, 0).data() == name)


def cell(view: SoundView, name: str, column: Column = Column.NAME) -> QPoint:
    return view.visualRect(view.model().index(row_of(view, name), column)).center()


def box(view: SoundView, name: str) -> QPoint:
    index = view.model().index(row_of(view, name), Column.NAME)
    option = QStyleOptionViewItem()
    option.rect = view.visualRect(index)
    option.widget = view
    delegate = view.itemDelegateForIndex(index)
    assert isinstance(delegate, NameDelegate)
    delegate.initStyleOption(option, index)
    return view.style().subElementRect(QStyle.SubElement.SE_ItemViewItemCheckIndicator, option, view).center()


def click(view: SoundView, at: QPoint, modifier: Qt.KeyboardModifier = NONE) -> None:
    QTest.mouseClick(view.viewport(), LEFT, modifier, at)


def status(view: SoundView, name: str) -> str:
    return str(view.model().index(row_of(view, name), Column.STATUS).data())


def tick(view: SoundView, name: str) -> Qt.CheckState:
    return Qt.CheckState(view.model().index(row_of(view, name), 0).data(Qt.ItemDataRole.CheckStateRole))


def names(window: MainWindow) -> set[str]:
    return {path.name for path in window.sounds.usable()}


TONES = {f"tone {n}.wav" for n in range(4)}


def test_a_sound_whose_box_is_cleared_is_not_trained_on(
    loaded: MainWindow, view: SoundView, engine: FakeEngine, device: FakeDevice, qtbot: QtBot
) -> None:
    click(view, box(view, "tone 2.wav"))
    assert status(view, "tone 2.wav") == "Excluded"
    assert tick(view, "tone 2.wav") is Qt.CheckState.Unchecked
    assert names(loaded) == TONES - {"tone 2.wav"}
    assert "1 excluded" in loaded.browser.summary()
    loaded.controls.epochs.setValue(1)
    loaded.controls.start.click()
    qtbot.waitUntil(lambda: bool(engine.names[0]) and not loaded.runs.bridge.is_running, timeout=10_000)
    assert loaded.runs.runs.folder is not None
    assert {path.name for path in RunRecord.load(loaded.runs.runs.folder).file_paths} == TONES - {"tone 2.wav"}
    assert device.outputs == []  # a click on a box does not play
    click(view, box(view, "tone 2.wav"))
    assert names(loaded) == TONES


def test_keys_exclude_what_is_selected_and_undo_brings_it_back(loaded: MainWindow, view: SoundView) -> None:
    click(view, cell(view, "tone 1.wav"))
    click(view, cell(view, "tone 3.wav"), SHIFT)
    QTest.keyClick(view, Qt.Key.Key_Delete)
    assert names(loaded) == {"tone 0.wav"}
    assert loaded.sounds.exclusions.undo_stack.undoText() == "Exclude 3 Sounds"
    QTest.keyClick(view, Qt.Key.Key_Z, CTRL)
    assert names(loaded) == TONES
    QTest.keyClick(view, Qt.Key.Key_Z, CTRL | SHIFT)
    assert names(loaded) == {"tone 0.wav"}
    click(view, cell(view, "tone 2.wav"))
    QTest.keyClick(view, Qt.Key.Key_Insert)
    assert names(loaded) == {"tone 0.wav", "tone 2.wav"}
    QTest.keyClick(view, Qt.Key.Key_Z, CTRL)
    QTest.keyClick(view, Qt.Key.Key_Z, CTRL)
    assert names(loaded) == TONES
    assert not loaded.sounds.exclusions.undo_stack.canUndo()


def test_the_box_of_a_selected_row_counts_for_all_selected(loaded: MainWindow, view: SoundView) -> None:
    click(view, cell(view, "tone 0.wav"))
    click(view, cell(view, "tone 1.wav"), CTRL)
    click(view, box(view, "tone 1.wav"))
    assert names(loaded) == {"tone 2.wav", "tone 3.wav"}
    assert len(view.selected_rows()) == 2
    click(view, box(view, "tone 3.wav"))  # not of the selection: that one alone
    assert names(loaded) == {"tone 2.wav"}


def test_a_file_that_is_left_out_cannot_be_ticked(loaded: MainWindow, view: SoundView) -> None:
    click(view, box(view, "text.wav"))
    assert names(loaded) == TONES
    assert not loaded.sounds.exclusions.paths
    assert not view.model().flags(view.model().index(row_of(view, "text.wav"), 0)) & Qt.ItemFlag.ItemIsUserCheckable


def test_excluded_sounds_are_remembered(
    loaded: MainWindow, view: SoundView, qtbot: QtBot, tmp_path: Path, engine: FakeEngine, device: FakeDevice
) -> None:
    click(view, box(view, "tone 2.wav"))
    home = loaded.sounds.roots[0]
    loaded.open_folder(tmp_path / "elsewhere")
    assert not loaded.sounds.exclusions.undo_stack.canUndo()  # nothing to take back that one does not see
    loaded.open_folder(home)
    qtbot.waitUntil(lambda: "tone 0.wav" in names(loaded) and not loaded.sounds.scanner.is_busy)
    assert names(loaded) == TONES - {"tone 2.wav"}
    view.columns.set_wanted(Column.CHANNELS, True)
    view.sortByColumn(Column.DURATION, Qt.SortOrder.DescendingOrder)
    loaded.browser.walking.click()
    close(qtbot, loaded)
    again = make_window(qtbot, engine, device)
    qtbot.waitUntil(lambda: names(again) == TONES - {"tone 2.wav"})
    assert status(again.browser.view, "tone 2.wav") == "Excluded"
    assert again.browser.view.model().index(0, 0).data() == "tone 3.wav"  # the longest first, as it was
    assert not again.browser.view.isColumnHidden(Column.CHANNELS)
    assert not again.browser.view.hears_walking
    close(qtbot, again)


def held_out(view: SoundView) -> set[str]:
    rows = [view.model().index(r, 0).data(ROW_ROLE) for r in range(view.model().rowCount())]
    return {row.name for row in rows if row.is_held_out}


def split_of_a_training(window: MainWindow, share: float) -> set[str]:
    sounds = prepare_sounds(window.sounds.usable(), SoundCache()).sounds
    return {sound.source.name for sound in split_sounds(sounds, share, SAMPLE_RATE)[1]}


def wait_split(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not window.sounds.splitting.is_busy, timeout=10_000)


def test_the_split_that_is_shown_is_the_one_that_is_trained_with(
    loaded: MainWindow, view: SoundView, qtbot: QtBot
) -> None:
    share = TrainingConfig().val_fraction
    wait_split(loaded, qtbot)
    first = held_out(view)
    assert first == split_of_a_training(loaded, share)
    assert 0 < len(first) < 4
    assert f"{4 - len(first)} training, {len(first)} held out" in loaded.browser.summary()
    name = first.pop()
    assert status(view, name) == "Held out"
    tip = view.model().index(row_of(view, name), Column.STATUS).data(Qt.ItemDataRole.ToolTipRole)
    assert "does not learn from this sound" in tip
    click(view, box(view, name))
    assert status(view, name) == "Excluded"
    wait_split(loaded, qtbot)
    assert held_out(view) == split_of_a_training(loaded, share) != set()
    loaded.advanced.changes_made.emit({"val_fraction": 0.5})
    wait_split(loaded, qtbot)
    assert held_out(view) == split_of_a_training(loaded, 0.5) != set()


def test_of_a_long_sound_only_the_end_is_held_out(loaded: MainWindow, view: SoundView, qtbot: QtBot) -> None:
    folder = loaded.sounds.roots[0]
    noise = np.random.default_rng(3).uniform(-0.5, 0.5, 30 * SAMPLE_RATE).astype(np.float32)
    soundfile.write(folder / "long.wav", noise, SAMPLE_RATE)
    loaded.sounds.show(loaded.sounds.roots)
    qtbot.waitUntil(lambda: "long.wav" in held_out(view), timeout=20_000)
    assert status(view, "long.wav") == "Partly held out"
    tip = view.model().index(row_of(view, "long.wav"), Column.STATUS).data(Qt.ItemDataRole.ToolTipRole)
    assert "learns from the beginning" in tip


def test_the_split_is_not_told_before_it_is_certain(loaded: MainWindow, view: SoundView, qtbot: QtBot) -> None:
    soundfile.write(loaded.sounds.roots[0] / "tone 9.wav", tone(0.9, 500.0), 48_000)
    told: list[set[str]] = []
    loaded.sounds.scanner.scan_finished.connect(lambda _result: told.append(held_out(view)))
    loaded.sounds.show(loaded.sounds.roots)
    qtbot.waitUntil(lambda: bool(told) and not loaded.sounds.scanner.is_busy)
    assert told == [set()]  # the new file is not decoded yet: any of the others may be held out
    wait_split(loaded, qtbot)
    assert held_out(view) == split_of_a_training(loaded, TrainingConfig().val_fraction)


def test_the_filter_shows_what_holds_every_word(loaded: MainWindow, view: SoundView) -> None:
    QTest.keyClick(view, Qt.Key.Key_F, CTRL)
    field = loaded.browser.filter
    assert field.hasFocus()
    QTest.keyClicks(field, "WAV 1")
    shown = [view.model().index(r, 0).data() for r in range(view.model().rowCount())]
    assert shown == ["tone 1.wav"]
    assert "1 of 7 shown" in loaded.browser.summary()
    assert names(loaded) == TONES  # what is not shown is trained on all the same
    QTest.keyClick(field, Qt.Key.Key_Down)
    assert view.hasFocus()
    assert view.currentIndex().data() == "tone 1.wav"
    QTest.keyClick(view, Qt.Key.Key_F, CTRL)
    QTest.keyClick(field, Qt.Key.Key_Escape)
    assert view.model().rowCount() == 7
    QTest.keyClick(field, Qt.Key.Key_Escape)
    assert view.hasFocus()


def test_files_dropped_on_the_filter_are_for_the_window(loaded: MainWindow) -> None:
    assert not loaded.browser.filter.acceptDrops()
    assert not loaded.browser.view.acceptDrops()
    assert loaded.acceptDrops()


def heard(window: MainWindow) -> str:
    path = window.playing.playback.status.path
    return path.name if path is not None else ""


def test_walking_with_the_arrow_keys_plays_unless_it_is_switched_off(
    loaded: MainWindow, view: SoundView, qtbot: QtBot
) -> None:
    click(view, cell(view, "tone 0.wav"))
    qtbot.waitUntil(lambda: heard(loaded) == "tone 0.wav")
    QTest.keyClick(view, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: heard(loaded) == "tone 1.wav")
    QTest.mouseClick(loaded.browser.walking, LEFT)
    asked: list[Path] = []
    view.audition_requested.connect(asked.append)
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_Down)
    assert view.currentIndex().data() == "tone 2.wav"
    assert asked == []
    QTest.keyClick(view, Qt.Key.Key_Space)
    assert [path.name for path in asked] == ["tone 2.wav"]
    click(view, cell(view, "tone 3.wav"), CTRL)  # selects one more, and does not play
    assert len(asked) == 1


def test_a_file_that_cannot_be_opened_is_not_played(view: SoundView) -> None:
    asked: list[Path] = []
    view.audition_requested.connect(asked.append)
    click(view, cell(view, "text.wav"))
    assert asked == []


def test_the_list_fits_its_width_and_the_user_chooses(loaded: MainWindow, view: SoundView) -> None:
    def shown() -> set[Column]:
        return {column for column in Column if not view.isColumnHidden(column)}

    view.setFixedWidth(300)
    assert shown() == {Column.NAME, Column.STATUS, Column.WAVEFORM}
    assert view.columnWidth(Column.NAME) >= 130
    assert not view.horizontalScrollBar().isVisible()
    view.setFixedWidth(600)
    assert shown() == {Column.NAME, Column.STATUS, Column.WAVEFORM, Column.DURATION}  # the others on demand
    view.setFixedWidth(300)
    menu = view.columns.make_menu(view)
    rate = next(action for action in menu.actions() if action.text().startswith("kHz"))
    assert not rate.isChecked()
    rate.toggle()  # a column that is chosen comes first
    assert Column.RATE in shown()
    assert any(action.text() == "Waveform (no room)" for action in view.columns.make_menu(view).actions())
    assert view.columnWidth(Column.NAME) >= 130
    menu.deleteLater()


def test_the_level_is_told_and_sorted_by(loaded: MainWindow, view: SoundView, qtbot: QtBot) -> None:
    def level(name: str) -> str:
        return str(view.model().index(row_of(view, name), Column.LEVEL).data())

    qtbot.waitUntil(lambda: all(level(name) for name in TONES))
    assert level("tone 0.wav") == "\N{MINUS SIGN}10.5"  # a sine of amplitude 0.3
    view.sortByColumn(Column.LEVEL, Qt.SortOrder.DescendingOrder)
    assert view.model().index(0, 0).data() in TONES
    assert view.model().index(6, 0).data() not in TONES


def test_the_waveform_of_a_row_is_drawn(loaded: MainWindow, view: SoundView, qtbot: QtBot) -> None:
    paths = {path.name: path for path in loaded.sounds.usable()}
    qtbot.waitUntil(lambda: loaded.thumbnails.peaks(paths["tone 0.wav"]) is not None)

    def inked(name: str) -> int:
        rect = view.visualRect(view.model().index(row_of(view, name), Column.WAVEFORM))
        image = view.viewport().grab(rect).toImage()
        colors = [image.pixel(x, y) for x in range(image.width()) for y in range(image.height())]
        return sum(color != colors[0] for color in colors)

    qtbot.waitUntil(lambda: inked("tone 0.wav") > 200)
    assert inked("text.wav") == 0


def test_the_whole_row_under_the_mouse_is_shaded(loaded: MainWindow, view: SoundView, qtbot: QtBot) -> None:
    def is_shaded(name: str) -> list[bool]:
        image = view.viewport().grab().toImage()
        rects = [view.visualRect(view.model().index(row_of(view, name), column)) for column in Column]
        grounds = [rect.topRight() - QPoint(2, -1) for rect in rects if not rect.isEmpty()]
        return [image.pixelColor(position).name() == theme.colors().hover for position in grounds]

    QTest.mouseMove(view.viewport(), cell(view, "tone 1.wav"))
    qtbot.waitUntil(lambda: all(is_shaded("tone 1.wav")))
    assert not any(is_shaded("tone 2.wav"))
    QTest.mouseMove(view.viewport(), cell(view, "tone 2.wav", Column.DURATION))
    qtbot.waitUntil(lambda: all(is_shaded("tone 2.wav")))
    assert not any(is_shaded("tone 1.wav"))
    QTest.mouseMove(loaded.transport)
    qtbot.waitUntil(lambda: not any(is_shaded("tone 2.wav")))


def test_what_is_changed_during_a_training_counts_for_the_next(loaded: MainWindow, view: SoundView) -> None:
    browser, words = loaded.browser, "excluded (next run)"
    view.selectRow(row_of(view, "tone 0.wav"))
    QTest.keyClick(view, Qt.Key.Key_Delete)
    assert words not in browser.summary()
    browser.show_training(True)
    assert words not in browser.summary()  # nothing has been changed since
    view.selectRow(row_of(view, "tone 1.wav"))
    QTest.keyClick(view, Qt.Key.Key_Delete)
    assert words in browser.summary()
    loaded.sounds.exclusions.undo_stack.undo()
    assert words not in browser.summary()
    loaded.sounds.exclusions.undo_stack.undo()
    assert words in browser.summary()
    browser.show_training(False)
    assert words not in browser.summary()


def test_the_menu_of_a_row(loaded: MainWindow, view: SoundView) -> None:
    click(view, cell(view, "tone 1.wav"))
    click(view, cell(view, "tone 2.wav"), CTRL)
    QTest.keyClick(view, Qt.Key.Key_C, CTRL)
    data = QApplication.clipboard().mimeData()
    assert [Path(line).name for line in data.text().splitlines()] == ["tone 1.wav", "tone 2.wav"]
    assert [Path(url.toLocalFile()) for url in data.urls()] == [Path(line) for line in data.text().splitlines()]
    at = view.viewport().rect().center()
    event = QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, at, view.viewport().mapToGlobal(at))
    QApplication.sendEvent(view.viewport(), event)
    menu = view.findChild(QMenu, "soundMenu")
    assert menu is not None
    offered: dict[str, QAction] = {action.text(): action for action in menu.actions() if action.text()}
    assert set(offered) == {
        "Play", "Use on the Play page", "Put on a pad", "Exclude from training", "Include in training",
        "Remove from list", "Show in folder", "Copy path", "Sort by", "Columns",
    }  # fmt: skip
    assert not offered["Include in training"].isEnabled()
    by_length = menu.findChild(QMenu, "sortMenu").actions()[2]  # type: ignore[union-attr]
    assert by_length.text() == "Length"
    by_length.trigger()
    by_length.trigger()
    assert view.model().index(0, 0).data() == "tone 3.wav"  # the longest first
    offered["Exclude from training"].trigger()
    menu.close()
    assert names(loaded) == {"tone 0.wav", "tone 3.wav"}


def test_a_sound_stays_chosen_when_more_are_added(loaded: MainWindow, view: SoundView, qtbot: QtBot) -> None:
    click(view, cell(view, "tone 2.wav"))
    previews = make_previews(loaded.sounds.roots[0].parent / "more", 0)
    loaded.sounds.add(previews)
    qtbot.waitUntil(lambda: view.model().rowCount() == 9 and not loaded.sounds.scanner.is_busy)
    assert view.currentIndex().data() == "tone 2.wav"
    qtbot.waitUntil(lambda: heard(loaded) == "tone 2.wav")


def test_everything_says_what_it_is(loaded: MainWindow) -> None:
    for name in ("datasetBrowser", "soundFilter", "hearWalkingButton", "folderButton", "demoButton"):
        widget = loaded.browser.findChild(QWidget, name)
        assert isinstance(widget, QWidget)
        assert widget.accessibleName() or getattr(widget, "text", str)(), name
        assert widget.toolTip(), name
        assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus, name


def test_undo_shows_the_name_of_a_file_as_it_is(loaded: MainWindow) -> None:
    """In a menu a single & marks an access key, and what comes behind a line end is all that is shown."""
    exclusions, folder = loaded.sounds.exclusions, loaded.browser.usable_paths()[0].parent
    exclusions.choose([folder / "R&B.wav"], True)
    assert exclusions.undo_stack.undoText() == "Exclude R&&B.wav"
    exclusions.remove([folder / "one\ntwo.wav"])
    assert exclusions.undo_stack.undoText() == "Remove one two.wav"
    exclusions.add([folder / ("x" * 200)])
    assert len(exclusions.undo_stack.undoText()) < 80
