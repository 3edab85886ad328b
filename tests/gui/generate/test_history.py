"""The list of generated sounds beside the form: after a restart, in its order, as a source, and on the disk."""

import errno
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QItemSelectionModel, QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QLineEdit, QPushButton
from pytestqt.qtbot import QtBot

from distill import paths
from distill.audio.export import write_wav
from distill.generation.history.sound_history import GeneratedEntry, GeneratedHistory, ListedSound
from distill.generation.recipe import MAPPED, NEW, TRANSFORMED, Recipe
from distill.gui.desktop import system_trash
from distill.gui.desktop.dialog_folders import StartFolders
from distill.gui.desktop.system_trash import move_to_trash
from distill.gui.generate import history_presenter
from distill.gui.generate.export_dialog import ExportChoices, ExportDialog
from distill.gui.generate.panel import GeneratePanel
from distill.gui.lists.list_model import ITEM_ROLE
from distill.gui.window.main_window import SMALLEST_SIZE, MainWindow
from distill.gui.window.top_bar import MODELS, TRAINING
from distill.library.model_library import ModelLibrary
from distill.playback.player import Player
from distill.settings import WindowSettings
from tests.gui.conftest import FileManager, close, make_window
from tests.gui.fakes import FakeDevice, FakeEngine
from tests.support.models import write_tone_model
from tests.training.conftest import tone

Rows = QItemSelectionModel.SelectionFlag


def recipe(number: int, seed: int = 7, count: int = 3, kind: str = NEW) -> Recipe:
    return Recipe(kind, "ab" * 16, "Tones", seed=seed if kind == NEW else 0, count=count, number=number)


def keep(recipes: list[Recipe]) -> list[Path]:
    """Write generated sounds as the program keeps them, and return their files."""
    made = []
    for n, one in enumerate(recipes):
        path = paths.generated_dir() / f"{one.kind}_seed{one.seed}_{one.number:02d} {n}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_wav(path, tone(n, 0.1))
        made.append(GeneratedEntry(path, one))
    GeneratedHistory().add(made)
    return [sound.path for sound in made]


def names(panel: GeneratePanel) -> list[str]:
    return [sound.path.name for sound in panel.history.table.items]


@pytest.fixture
def made(window: MainWindow, qtbot: QtBot) -> tuple[GeneratePanel, list[Path]]:
    """The panel with a batch of three sounds, none of which is chosen."""
    files = keep([recipe(n) for n in range(3)])
    window.pages.open_page(MODELS)
    panel = window.making.panel
    qtbot.waitUntil(lambda: panel.history.table.rowCount() == 3, timeout=10_000)
    panel.history.view.clearSelection()
    return panel, files


@pytest.fixture
def restarted(qapp: QApplication, qtbot: QtBot, engine: FakeEngine, device: FakeDevice) -> Iterator[MainWindow]:
    """The window as the program starts it: its frame first, on the page on which it was closed."""
    keep([recipe(n) for n in range(3)])
    WindowSettings(page=MODELS).save()
    window = MainWindow(engine, Player(open_output=device), in_steps=True)  # type: ignore[arg-type]
    with qtbot.waitSignal(window.ready, timeout=20_000):
        window.show()
    yield window
    close(qtbot, window)


def test_made_sounds_are_there_after_a_restart_on_their_page(restarted: MainWindow, qtbot: QtBot) -> None:
    assert restarted.pages.currentWidget() is restarted.models_page
    qtbot.waitUntil(lambda: restarted.making.panel.history.filtered.rowCount() == 3, timeout=10_000)
    assert restarted.making.panel.history.view.isVisible()


def test_use_selected_takes_what_is_seen_to_be_chosen(
    loaded: MainWindow, made: tuple[GeneratePanel, list[Path]], qtbot: QtBot
) -> None:
    panel, files = made
    transform, view = panel.transform, panel.history.view
    QTest.mouseClick(panel.modes[1], Qt.MouseButton.LeftButton)
    assert not transform.use.isEnabled()
    assert "first" in transform.use.toolTip()

    loaded.pages.open_page(TRAINING)
    loaded.browser.view.selectAll()
    trained_on = [row.path for row in loaded.browser.view.selected_rows() if row.entry is not None]
    assert len(trained_on) > 1
    loaded.pages.open_page(MODELS)
    assert "training sound" in transform.use.toolTip()
    QTest.mouseClick(transform.use, Qt.MouseButton.LeftButton)
    assert list(transform.sources) == trained_on

    view.setCurrentIndex(panel.history.filtered.index(1, 0))
    assert "Uses the selected generated sound" in transform.use.toolTip()
    assert files[1].name in transform.use.toolTip()
    QTest.mouseClick(transform.use, Qt.MouseButton.LeftButton)
    assert list(transform.sources) == files[1:2]
    view.selectionModel().select(panel.history.filtered.index(2, 0), Rows.Select)
    assert "2 selected generated sounds" in transform.use.toolTip()
    QTest.mouseClick(transform.use, Qt.MouseButton.LeftButton)
    assert list(transform.sources) == files[1:]

    panel.history.filter.setText("no such sound")  # what is hidden is not what is meant
    QTest.mouseClick(transform.use, Qt.MouseButton.LeftButton)
    assert list(transform.sources) == trained_on


def test_each_click_on_a_star_counts_and_neither_plays_nor_selects(
    made: tuple[GeneratePanel, list[Path]],
) -> None:
    view = made[0].history.view
    view.setCurrentIndex(made[0].history.filtered.index(0, 0))
    played, starred = list[object](), list[object]()
    view.playing_requested.connect(played.append)
    view.starring_requested.connect(starred.append)
    row = view.visualRect(made[0].history.filtered.index(1, 0))
    star = row.topRight() + QPoint(-8, row.height() // 2)
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=star)
    QTest.mouseDClick(view.viewport(), Qt.MouseButton.LeftButton, pos=star)
    QTest.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton, pos=star)
    assert len(starred) == 2
    assert starred[0] == [made[0].history.filtered.index(1, 0).data(ITEM_ROLE)]
    assert played == []
    assert view.currentIndex().row() == 0


def test_a_batch_is_listed_in_its_own_order_under_newer_ones(window: MainWindow, qtbot: QtBot) -> None:
    recipes = [
        *[recipe(n) for n in range(3)],
        *[recipe(n, kind=TRANSFORMED) for n in range(2)],
        recipe(0, count=1, kind=TRANSFORMED),
        *[recipe(n) for n in range(2)],  # the same again, and cancelled
        recipe(1),  # made again
    ]
    files = keep(recipes)
    expected = [path.name for path in (files[8], *files[6:8], files[5], *files[3:5], *files[:3])]
    assert [sound.path.name for sound in GeneratedHistory().list()] == expected
    window.pages.open_page(MODELS)
    panel = window.making.panel
    qtbot.waitUntil(lambda: names(panel) == expected, timeout=10_000)

    panel.history.table.set_items([])
    for path, one in zip(files, recipes, strict=True):  # as they come while they are made
        panel.history.table.add(ListedSound(GeneratedEntry(path, one), 0.1))
    assert names(panel) == expected


@pytest.mark.parametrize("size", [SMALLEST_SIZE, (1280, 800)])
def test_the_list_stays_where_it_is_when_the_form_changes(
    window: MainWindow, size: tuple[int, int], qapp: QApplication, tmp_path: Path
) -> None:
    write_tone_model(tmp_path, latent_dim=8, tones=4)
    window.pages.open_page(MODELS)
    window.resize(*size)
    panel, positions = window.making.panel, set()
    panel.show_model(ModelLibrary(tmp_path).list()[0])
    assert panel.entry is not None
    for sources in ((), (Path("a.wav"),), (Path("a.wav"), Path("b.wav"))):
        panel.transform.set_sources(sources)
        for mode in panel.modes:
            QTest.mouseClick(mode, Qt.MouseButton.LeftButton)
            for _ in range(3):  # a layout asks for the next one
                qapp.processEvents()
            button = panel.history.export
            positions.add((button.mapTo(window, button.rect().topLeft()), panel.history.height()))
    assert len(positions) == 1


def test_a_removal_that_fails_half_way_can_be_undone(
    window: MainWindow, made: tuple[GeneratePanel, list[Path]], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel, files = made

    def fail_at_second(path: Path, own_folder: Path | None = None) -> Path | None:
        if path == files[1]:
            raise OSError(errno.EACCES, "Permission denied")
        return move_to_trash(path, own_folder)

    monkeypatch.setattr(history_presenter, "move_to_trash", fail_at_second)
    panel.history.view.selectAll()
    QTest.keyClick(panel.history.view, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: "Permission denied" in window.notices.text(), timeout=10_000)
    qtbot.waitUntil(lambda: names(panel) == [path.name for path in files[1:]], timeout=10_000)
    assert not files[0].exists()
    assert files[1].exists()
    button = window.findChild(QPushButton, "noticeAction")
    assert button is not None
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: names(panel) == [path.name for path in files], timeout=10_000)
    assert all(path.exists() for path in files)


def test_undo_brings_back_the_deletion_that_was_the_newest_when_it_was_pressed(
    window: MainWindow, made: tuple[GeneratePanel, list[Path]], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if that deletion is still under way, and if it fails then."""
    panel, files = made
    answers, view = threading.Event(), panel.history.view

    def wait_and_fail_at_second(path: Path, own_folder: Path | None = None) -> Path | None:
        answers.wait(30)
        if path == files[1]:
            raise OSError(errno.EACCES, "Permission denied")
        return move_to_trash(path, own_folder)

    def delete_first_row() -> None:
        view.setCurrentIndex(panel.history.filtered.index(0, 0))
        QTest.keyClick(view, Qt.Key.Key_Delete)

    monkeypatch.setattr(history_presenter, "move_to_trash", wait_and_fail_at_second)
    delete_first_row()
    QTest.keyClick(view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    delete_first_row()
    QTest.keyClick(view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    delete_first_row()
    answers.set()
    qtbot.waitUntil(lambda: names(panel) == [path.name for path in files[:2]], timeout=10_000)
    qtbot.waitUntil(lambda: not files[2].exists() and not window.making.history._list_tasks.is_busy, timeout=10_000)
    assert names(panel) == [path.name for path in files[:2]]
    assert files[0].exists()
    assert f"{files[2].name} is in the trash now." in window.notices.text()


def test_without_a_trash_a_deleted_sound_comes_back_all_the_same(
    window: MainWindow, made: tuple[GeneratePanel, list[Path]], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel, files = made

    class NoTrash(system_trash.QFile):  # type: ignore[misc,name-defined]
        def moveToTrash(self) -> bool:
            return False

    def no_trash(_path: Path) -> Path:
        raise OSError("none")

    monkeypatch.setattr(system_trash, "QFile", NoTrash)
    monkeypatch.setattr("distill.trash.move_to_trash", no_trash)
    panel.history.view.setCurrentIndex(panel.history.filtered.index(0, 0))
    QTest.keyClick(panel.history.view, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: not files[0].exists(), timeout=10_000)
    assert (files[0].parent / history_presenter.DELETED_SOUNDS_FOLDER / files[0].name).is_file()
    QTest.keyClick(panel.history.view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(files[0].exists, timeout=10_000)


def test_closing_goes_on_when_the_list_cannot_be_changed(
    window: MainWindow, made: tuple[GeneratePanel, list[Path]], qtbot: QtBot
) -> None:
    """As with a full disk: the pending work fails, and what comes after it is still done."""
    done: list[str] = []

    def fail(_notify: object, _cancel: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    window.making.history.refresh()  # so that the next requests have to wait
    window.making.history._change_history(fail)
    window.making.history._change_history(lambda _notify, _cancel: done.append("second"))
    close(qtbot, window)
    assert done == ["second"]


def test_one_sees_where_a_made_sound_lies(
    made: tuple[GeneratePanel, list[Path]], file_manager: FileManager, qtbot: QtBot
) -> None:
    panel, files = made
    index = panel.history.filtered.index(1, 0)
    assert str(files[1]) in index.data(Qt.ItemDataRole.ToolTipRole)
    panel.history.view.setCurrentIndex(index)
    show = panel.history.make_menu().findChild(QAction, "made reveal")
    assert show is not None
    assert (show.text(), show.isEnabled()) == ("Show in folder", True)
    show.trigger()
    qtbot.waitUntil(lambda: file_manager.shown == [str(paths.generated_dir())])


def test_a_sound_is_renamed_in_the_list(
    made: tuple[GeneratePanel, list[Path]], window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel, files = made
    view, play = panel.history.view, window.parts.play
    play.put_on_pads(files[1:2])
    play.take_sound(files[1])
    window.pages.open_page(MODELS)
    panel.transform.set_sources(files[1:])
    view.setCurrentIndex(panel.history.filtered.index(1, 0))
    window.parts.playing.play(files[1])
    qtbot.waitUntil(lambda: window.parts.playing.playback.status.path == files[1])

    def rename(text: str) -> None:
        QTest.keyClick(view, Qt.Key.Key_F2)
        editor = view.findChild(QLineEdit, "soundNameEdit")
        assert editor is not None
        editor.selectAll()
        QTest.keyClicks(editor, text)
        panel.history.table.rows_changed(range(3))  # as when a waveform comes: what is typed stays
        assert editor.text() == text
        QTest.keyClick(editor, Qt.Key.Key_Return)

    rename("My: best  snare?")
    renamed = files[1].with_name("My best snare.wav")
    qtbot.waitUntil(lambda: names(panel)[1] == renamed.name)
    assert renamed.is_file()
    assert not files[1].exists()
    assert GeneratedHistory().list()[1].path == renamed, "also after a restart"
    assert play.page.pads.sounds() == [renamed]
    assert play.current == renamed
    window.parts.playing.play_current()
    assert window.parts.playing.playback.chosen == renamed, "it can be played again"
    assert panel.transform.sources == (renamed, files[2])

    view.setCurrentIndex(panel.history.filtered.index(0, 0))
    rename("My best snare")
    qtbot.waitUntil(lambda: names(panel)[0] == "My best snare (2).wav")

    def full(_history: GeneratedHistory, _recipe: Recipe, _path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(GeneratedHistory, "note_move", full)
    rename("another")
    qtbot.waitUntil(lambda: "cannot be renamed (No space left on device)" in window.notices.text())
    qtbot.waitUntil(lambda: names(panel)[0] == "My best snare (2).wav")
    assert renamed.with_name("My best snare (2).wav").is_file()


def test_pads_follow_a_sound_that_is_renamed_twice_in_a_row(
    made: tuple[GeneratePanel, list[Path]], window: MainWindow, qtbot: QtBot
) -> None:
    panel, files = made
    window.parts.play.put_on_pads(files[1:2])
    go_on = threading.Event()
    window.making.history._list_tasks.submit(lambda _notify, _cancel: go_on.wait(10))  # a long list is read
    sound = panel.history.table.item(1)
    for name in ("Gong", "Chime"):
        panel.history.table.renamed.emit(sound, name)
    go_on.set()
    renamed = files[1].with_name("Chime.wav")
    qtbot.waitUntil(lambda: names(panel)[1] == renamed.name)
    assert renamed.is_file()
    assert window.parts.play.page.pads.sounds() == [renamed]


def test_one_star_is_one_star(window: MainWindow, tmp_path: Path) -> None:
    table = window.making.panel.history.table
    followed = replace(recipe(0), candidates=16, stars=1)
    table.set_items([ListedSound(GeneratedEntry(tmp_path / "a.wav", followed), 1.0)])
    assert "follows 1 star, seed 7" in table.index(0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert "Chosen from 16, by 1 starred sound<" in table.index(0).data(Qt.ItemDataRole.ToolTipRole)


def test_the_export_of_a_sound_with_a_long_name_fits_the_screen(window: MainWindow, tmp_path: Path) -> None:
    sound = GeneratedEntry(tmp_path / f"{'x' * 200}.wav", recipe(0))
    dialog = ExportDialog([sound], ExportChoices(), StartFolders(window), window)
    assert dialog.minimumSizeHint().width() < 600
    dialog.deleteLater()


def test_the_export_shows_a_name_that_looks_like_markup_as_it_is(window: MainWindow, tmp_path: Path) -> None:
    """It was shown in bold, without its brackets."""
    sound = GeneratedEntry(tmp_path / "<b>kick.wav", recipe(0))
    dialog = ExportDialog([sound], ExportChoices(), StartFolders(window), window)
    dialog.set_folder(tmp_path / "bidi\u202e")
    assert "Written as <b>kick.wav;" in dialog.name.text()
    assert {label.textFormat() for label in dialog.findChildren(QLabel)} == {Qt.TextFormat.PlainText}
    assert dialog.position.text().endswith("bidi\\u202e")
    dialog.deleteLater()


def test_a_long_history_is_listed_at_once(window: MainWindow, tmp_path: Path) -> None:
    """Sound by sound, each of which had all of the others looked at, it froze the window for seconds."""
    table, inserted = window.making.panel.history.table, list[tuple[int, int]]()
    table.rowsInserted.connect(lambda _parent, first, last: inserted.append((first, last)))
    sounds = [ListedSound(GeneratedEntry(tmp_path / f"{n}.wav", recipe(n, count=300)), 1.0) for n in range(300)]
    window.making.panel.history.show_sounds([*sounds[100:200]])
    window.making.panel.history.show_sounds(sounds)
    assert inserted == [(0, 99), (0, 99), (200, 299)]
    assert list(table.items) == sounds
    assert [table.row_of(sound.recipe.id) for sound in sounds] == list(range(300))


def shown_kinds(panel: GeneratePanel) -> list[str]:
    return [
        panel.history.filtered.index(row, 0).data(ITEM_ROLE).recipe.kind
        for row in range(panel.history.filtered.rowCount())
    ]


def mapped() -> Recipe:
    """Return the recipe of a sound of the Play page."""
    return Recipe(MAPPED, "ab" * 16, "Tones", map="c" * 32, positions=((0.5, 0.5),))


def test_what_the_play_page_made_does_not_bury_the_rest(
    window: MainWindow, made: tuple[GeneratePanel, list[Path]], qtbot: QtBot
) -> None:
    panel, files = made
    origin = panel.history.findChild(QComboBox, "madeOriginCombo")
    assert origin is not None
    assert not origin.isVisible(), "there is nothing to tell apart"
    keep([mapped(), mapped()])
    window.making.history.refresh()
    qtbot.waitUntil(lambda: len(shown_kinds(panel)) == 5, timeout=10_000)
    assert origin.isVisible()
    origin.setFocus()
    QTest.keyClick(origin, Qt.Key.Key_Down)
    assert (origin.currentText(), shown_kinds(panel)) == ("This page", [NEW] * 3)
    assert panel.history.detail.text() == "3 of 5 sounds"
    QTest.keyClick(origin, Qt.Key.Key_Down)
    assert (origin.currentText(), shown_kinds(panel)) == ("Play page", [MAPPED] * 2)
    panel.history.add(ListedSound(GeneratedEntry(files[0].with_name("x.wav"), recipe(0)), 0.1))
    assert origin.currentText() == "All", "a sound that is generated now is seen"
    origin.setCurrentIndex(2)
    panel.history.view.selectAll()
    QTest.keyClick(panel.history.view, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: set(shown_kinds(panel)) == {NEW}, timeout=10_000)
    assert not origin.isVisible(), "it is not in the way where one kind is left"
    qtbot.waitUntil(lambda: not window.making.history._list_tasks.is_busy, timeout=10_000)


def test_the_filter_by_origin_is_remembered(
    window: MainWindow, made: tuple[GeneratePanel, list[Path]], qtbot: QtBot, engine: FakeEngine, device: FakeDevice
) -> None:
    keep([mapped()])
    window.making.history.refresh()
    qtbot.waitUntil(lambda: len(shown_kinds(made[0])) == 4, timeout=10_000)
    made[0].history.origin.setCurrentIndex(1)
    close(qtbot, window)
    again = make_window(qtbot, engine, device)
    again.pages.open_page(MODELS)
    panel = again.making.panel
    qtbot.waitUntil(lambda: panel.history.table.rowCount() == 4, timeout=10_000)
    assert (panel.history.origin.currentText(), shown_kinds(panel)) == ("This page", [NEW] * 3)
    for wrong in (None, 3, "elsewhere", ["all"]):
        again.making.restore(WindowSettings(making={"origin": wrong}))
    assert panel.history.origin.currentText() == "This page"
    close(qtbot, again)
