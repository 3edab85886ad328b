"""What is listed: adding and removing with undo, folders without sounds, names, and sounds that make a poor set."""

import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PySide6.QtCore import QItemSelectionModel, QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QAction, QDragEnterEvent, QDragLeaveEvent
from PySide6.QtTest import QSignalSpy, QTest
from PySide6.QtWidgets import QApplication, QLabel, QMenu, QPushButton
from pytestqt.qtbot import QtBot

from distill.audio.demo.demo_sounds import write_demo_sounds
from distill.gui.background_tasks import BackgroundTask
from distill.gui.sounds import presenter
from distill.gui.sounds.model import CELL_ROLE
from distill.gui.window.main_window import MainWindow
from distill.gui.window.top_bar import MODELS
from distill.names import short_names
from distill.settings import WindowSettings
from tests.gui.conftest import close, make_window
from tests.gui.fakes import FakeDevice, FakeEngine, tone
from tests.gui.sounds.test_sounds import cells, drop, view_of


def names(window: MainWindow) -> set[str]:
    return {row.name for row in window.browser.table.rows}


def settle(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not (window.sounds.scanner.is_busy or window.sounds.splitting.is_busy), timeout=10_000)


def menu_action(window: MainWindow, text: str) -> QAction:
    menus = [menu for menu in window.menuBar().findChildren(QMenu) if isinstance(menu, QMenu)]
    return next(action for menu in menus for action in menu.actions() if action.text().startswith(text))


@pytest.fixture
def more(tmp_path: Path) -> Path:
    folder = tmp_path / "more"
    folder.mkdir()
    soundfile.write(folder / "extra.wav", tone(0.5, 700.0), 48_000)
    return folder


def test_adding_is_undone_and_redone(loaded: MainWindow, more: Path, qtbot: QtBot) -> None:
    before = names(loaded)
    drop(loaded, more)
    qtbot.waitUntil(lambda: "extra.wav" in names(loaded))
    settle(loaded, qtbot)
    undo = menu_action(loaded, "Undo")
    assert undo.text() == "Undo Add more"
    undo.trigger()
    qtbot.waitUntil(lambda: names(loaded) == before)
    settle(loaded, qtbot)
    menu_action(loaded, "Redo").trigger()
    qtbot.waitUntil(lambda: "extra.wav" in names(loaded))


def test_sounds_are_removed_from_the_list_and_stay_on_the_disk(
    loaded: MainWindow, sounds: Path, engine: FakeEngine, device: FakeDevice, qtbot: QtBot
) -> None:
    view = view_of(loaded)
    model = view.model()
    index = next(i for r in range(model.rowCount()) if (i := model.index(r, 0)).data() == "tone 1.wav")
    # Not `selectRow`, which goes by the mouse buttons and keys that a test before this one has left.
    flags = QItemSelectionModel.SelectionFlag
    view.selectionModel().setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)
    view.setFocus()
    assert [row.name for row in loaded.browser.view.selected_rows()] == ["tone 1.wav"]
    assert loaded.browser.view.actions_of_rows["remove"].isEnabled()
    loaded.browser.view.actions_of_rows["remove"].trigger()
    assert loaded.sounds.exclusions.choice.removed == {sounds / "tone 1.wav"}
    # While the sounds are still being checked, the list changes when they have been listed anew.
    qtbot.waitUntil(lambda: "tone 1.wav" not in names(loaded))
    assert (sounds / "tone 1.wav").exists()
    settle(loaded, qtbot)
    menu_action(loaded, "Undo").trigger()
    qtbot.waitUntil(lambda: "tone 1.wav" in names(loaded))
    qtbot.waitUntil(lambda: loaded.sounds.is_checked)
    settle(loaded, qtbot)
    assert any(row.is_held_out for row in loaded.browser.table.rows)
    menu_action(loaded, "Redo").trigger()
    qtbot.waitUntil(lambda: "tone 1.wav" not in names(loaded))
    close(qtbot, loaded)
    again = make_window(qtbot, engine, device)
    qtbot.waitUntil(lambda: len(names(again)) == 6, timeout=10_000)
    assert "tone 1.wav" not in names(again)
    close(qtbot, again)


def test_a_folder_without_sounds_does_not_wipe_the_list(loaded: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    settle(loaded, qtbot)
    before, roots = names(loaded), loaded.sounds.roots
    empty = tmp_path / "empty"
    empty.mkdir()
    loaded.open_folder(empty)
    qtbot.waitUntil(lambda: "There are no sounds in there" in loaded.notices.text())
    settle(loaded, qtbot)
    qtbot.waitUntil(lambda: names(loaded) == before)
    assert "There are no sounds in there" in loaded.notices.text()  # no other notice has come in front of it
    assert loaded.sounds.roots == roots
    qtbot.waitUntil(button(loaded, "startButton").isEnabled)


def test_a_folder_without_sounds_brings_back_none_that_was_removed(
    loaded: MainWindow, sounds: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    settle(loaded, qtbot)
    loaded.sounds.exclusions.remove([sounds / "tone 1.wav"])
    qtbot.waitUntil(lambda: "tone 1.wav" not in names(loaded))
    before, empty = names(loaded), tmp_path / "empty"
    empty.mkdir()
    loaded.open_folder(empty)
    qtbot.waitUntil(lambda: "There are no sounds in there" in loaded.notices.text())
    settle(loaded, qtbot)
    assert loaded.sounds.exclusions.choice.removed == {sounds / "tone 1.wav"}
    assert names(loaded) == before


def test_the_list_comes_back_after_two_folders_without_sounds(loaded: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    """The second is chosen while the first is still being searched."""
    settle(loaded, qtbot)
    before, roots = names(loaded), loaded.sounds.roots
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        loaded.open_folder(tmp_path / name)
    qtbot.waitUntil(lambda: "There are no sounds in there" in loaded.notices.text())
    settle(loaded, qtbot)
    assert loaded.sounds.roots == roots
    assert names(loaded) == before


def button(window: MainWindow, name: str) -> QPushButton:
    found = window.findChild(QPushButton, name)
    assert found is not None
    return found


def test_the_target_of_a_drag_is_highlighted(loaded: MainWindow, more: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(more))])
    hint = loaded.findChild(QLabel, "dropHint")
    assert hint is not None
    event = QDragEnterEvent(
        QPoint(600, 400), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(loaded, event)
    assert hint.isVisible()
    assert hint.text() == "Drop to add to the sounds"
    QApplication.sendEvent(loaded, QDragLeaveEvent())
    assert not hint.isVisible()


def test_a_sound_dropped_on_the_models_page_is_to_be_transformed(loaded: MainWindow, more: Path, qtbot: QtBot) -> None:
    loaded.pages.show_page(MODELS)
    drop(loaded, more / "extra.wav")
    qtbot.waitUntil(lambda: loaded.making.panel.transform.sources == (more / "extra.wav",))
    assert "extra.wav" not in names(loaded)


def test_names_are_shown_without_what_they_have_in_common(loaded: MainWindow, qtbot: QtBot) -> None:
    many = ["samples_kit_kick.flac", "samples_kit_snare.flac", "samples_kit_hat.flac"]
    assert list(short_names(many).values()) == ["kick", "snare", "hat"]
    assert list(short_names(["a.wav", "a.aiff", "b.wav"]).values()) == ["a.wav", "a.aiff", "b"]
    assert list(short_names(["kick 1.wav", "kick 2.wav", "kick.wav"]).values()) == ["kick 1", "kick 2", "kick"]
    assert list(short_names(["samples_a.wav", "samples_b.wav"]).values()) == ["samples_a", "samples_b"]
    assert short_names([]) == {}
    model = view_of(loaded).model()
    painted = {model.index(r, 0).data(): model.index(r, 0).data(CELL_ROLE)[0] for r in range(model.rowCount())}
    assert painted["tone 1.wav"] == "tone 1"


def test_the_list_stays_where_it_is(loaded: MainWindow, qtbot: QtBot) -> None:
    view = view_of(loaded)
    settle(loaded, qtbot)
    at = view.mapTo(loaded, QPoint(0, 0)), view.size()
    view.selectRow(0)
    QTest.keyClick(view, Qt.Key.Key_Delete)  # the first exclusion
    qtbot.wait(50)
    assert (view.mapTo(loaded, QPoint(0, 0)), view.size()) == at
    for row in range(view.model().rowCount()):
        view.setCurrentIndex(view.model().index(row, 0))
        qtbot.wait(10)
        assert (view.mapTo(loaded, QPoint(0, 0)), view.size()) == at


def write(folder: Path, *lengths: float, same: bool = False) -> Path:
    folder.mkdir()
    for number, seconds in enumerate(lengths):
        soundfile.write(folder / f"{number}.wav", tone(seconds, 300.0 if same else 300.0 + 50 * number), 48_000)
    return folder


@pytest.mark.parametrize(("lengths", "same", "words"), [
    ((0.3, 0.3, 0.3, 0.3), True, "All 4 files are copies of one sound."),
    ((0.2, 0.2, 0.2, 20.0), False, "3.wav is 97 % of the material, but counts as one sound of 4."),
    ((0.5, 0.5, 0.5, 7.3), False, "3.wav is 83 % of the material"),
    ((0.5, 12.0), False, "1.wav is 96 % of the material"),
    ((0.003, 0.003, 0.003, 0.003), False, "held-out sounds last only 3 ms"),
])  # fmt: skip
def test_a_poor_set_of_sounds_is_reported(
    window: MainWindow, tmp_path: Path, lengths: tuple[float, ...], same: bool, words: str, qtbot: QtBot
) -> None:
    window.open_folder(write(tmp_path / "poor", *lengths, same=same))
    qtbot.waitUntil(lambda: any(words in notice.message for notice in window.notices.notices), timeout=10_000)
    good = write(tmp_path / "good", 0.4, 0.5, 0.6, 0.7)
    window.open_folder(good)  # the notice goes with its reason
    qtbot.waitUntil(lambda: {path.parent for path in window.browser.usable_paths()} == {good})
    settle(window, qtbot)
    assert window.notices.notices == ()


@pytest.mark.parametrize(("seconds", "is_enough"), [(40.0, True), (0.5, False)])
def test_one_sound_is_divided_if_it_is_long_enough(
    window: MainWindow, tmp_path: Path, qtbot: QtBot, seconds: float, is_enough: bool
) -> None:
    splits = QSignalSpy(window.sounds.splitting.found)
    window.open_folder(write(tmp_path / "one", seconds))
    qtbot.waitUntil(lambda: splits.count() > 0, timeout=20_000)
    assert ("1 training, 1 held out" in window.browser.summary()) is is_enough
    assert cells(window)["0.wav"][3] == ("Partly held out" if is_enough else "Ready")
    if is_enough:
        qtbot.waitUntil(lambda: "How long it takes" in window.controls.estimate.text(), timeout=10_000)
    assert window.notices.notices == (), "there are no other sounds beside which it is too much"


def test_the_start_looks_at_no_folder_on_its_own_thread(
    qapp: QApplication, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mount = tmp_path / "network disk"
    mount.mkdir()
    soundfile.write(mount / "a.wav", np.zeros(100), 48_000)
    WindowSettings(sounds=[str(mount)], recent=[str(mount)], run=str(mount / "run")).save()
    looked: list[str] = []
    stat = Path.stat

    def note(path: Path, **options: bool) -> object:
        if threading.current_thread() is threading.main_thread() and mount in (path, *path.parents):
            looked.append(str(path))
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", note)
    window = make_window(qtbot, FakeEngine(), FakeDevice())
    qtbot.waitUntil(lambda: "a.wav" in names(window), timeout=10_000)
    assert looked == []
    close(qtbot, window)


def test_stereo_sounds_are_counted(loaded: MainWindow, more: Path, qtbot: QtBot) -> None:
    settle(loaded, qtbot)
    assert "stereo" not in loaded.browser.summary()
    sound = tone(0.5, 500.0)
    soundfile.write(more / "panned.wav", np.stack([sound, 0.5 * sound], axis=1), 48_000)
    soundfile.write(more / "dual mono.wav", np.stack([sound, sound], axis=1) * 0.5, 48_000)
    drop(loaded, more)
    qtbot.waitUntil(lambda: "panned.wav" in names(loaded))
    settle(loaded, qtbot)
    qtbot.waitUntil(lambda: f"1 of {len(loaded.sounds.usable())} stereo" in loaded.browser.summary())


def test_demo_sounds_that_are_ready_late_do_not_replace_what_was_chosen_since(
    window: MainWindow, sounds: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They did, with the exclusions and the undo of the user's own folder."""
    goes_on, written = threading.Event(), list[object]()

    def write_slowly() -> list[Path]:
        goes_on.wait(30)
        written.append(write_demo_sounds())
        return []

    monkeypatch.setattr(presenter, "write_demo_sounds", write_slowly)
    button = window.browser.findChild(QPushButton, "demoButton")
    assert button is not None
    button.click()
    window.open_folder(sounds)
    qtbot.waitUntil(lambda: len(window.browser.usable_paths()) == 4, timeout=30_000)
    goes_on.set()
    qtbot.waitUntil(lambda: bool(written), timeout=60_000)
    qtbot.waitUntil(lambda: not [t for t in window.sounds.findChildren(BackgroundTask) if t.isRunning()])
    QApplication.processEvents()
    settle(window, qtbot)
    assert window.sounds.roots == (sounds,)
    assert len(window.browser.usable_paths()) == 4
