"""Where file dialogs start: a folder that does not answer never keeps the window waiting."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QObject, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QFileDialog, QWidget
from pytestqt.qtbot import QtBot

from distill.generation.history.sound_history import GeneratedEntry
from distill.generation.recipe import NEW, Recipe
from distill.gui.background_tasks import end_tasks
from distill.gui.desktop.dialog_folders import StartFolders
from distill.gui.generate.export_dialog import ExportChoices, ExportDialog
from distill.gui.play.export.kit_dialog import KitDialog
from distill.gui.window.main_window import MainWindow
from distill.gui.window.top_bar import PLAY
from distill.runs.preview_files import PreviewSound
from tests.gui.conftest import close


class DeadShare:
    """A folder of which nothing can be learnt until the network is back."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.answers = threading.Event()
        self._iterdir, self._stat = Path.iterdir, Path.stat
        share = self

        def iterdir(path: Path) -> Iterator[Path]:
            share._wait_for(path)
            return share._iterdir(path)

        def stat(path: Path, **how: bool) -> object:
            share._wait_for(path)
            return share._stat(path, **how)

        monkeypatch.setattr(Path, "iterdir", iterdir)
        monkeypatch.setattr(Path, "stat", stat)

    def _wait_for(self, path: Path) -> None:
        if path == self.folder or self.folder in path.parents:
            assert threading.current_thread() is not threading.main_thread(), f"the window itself asks for {path}"
            assert self.answers.wait(30)


@pytest.fixture
def share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DeadShare]:
    folder = tmp_path / "share"
    folder.mkdir()
    made = DeadShare(folder, monkeypatch)
    yield made
    made.answers.set()


@pytest.fixture
def starts(qapp: object) -> Iterator[StartFolders]:
    owner = QObject()
    yield StartFolders(owner)
    end_tasks(owner)


def test_a_dialog_starts_at_home_until_the_folder_has_answered(
    starts: StartFolders, tmp_path: Path, qtbot: QtBot
) -> None:
    (tmp_path / "a.csv").touch()
    assert starts.start(tmp_path) == Path.home()
    qtbot.waitUntil(lambda: starts.names(tmp_path) == {"a.csv"})
    qtbot.waitUntil(lambda: starts.start(tmp_path) == tmp_path)
    gone = tmp_path / "gone"
    for _ in range(2):
        assert starts.start(gone) == Path.home()
        qtbot.waitUntil(lambda: not starts._looking)


def test_a_folder_that_goes_is_noticed_with_the_next_look(starts: StartFolders, tmp_path: Path, qtbot: QtBot) -> None:
    folder = tmp_path / "sounds"
    folder.mkdir()
    starts.look(folder)
    qtbot.waitUntil(lambda: not starts._looking)
    folder.rmdir()
    assert starts.start(folder) == folder
    qtbot.waitUntil(lambda: not starts._looking)
    assert starts.start(folder) == Path.home()


def test_a_share_that_is_gone_is_not_waited_for(starts: StartFolders, share: DeadShare, qtbot: QtBot) -> None:
    starts.look(share.folder)
    for _ in range(3):
        assert starts.start(share.folder) == Path.home()
    assert len(starts._looking) == 1, "one thread waits for it, not one for each dialog"
    share.answers.set()
    qtbot.waitUntil(lambda: not starts._looking)
    assert starts.start(share.folder) == share.folder


def test_the_window_closes_while_a_share_does_not_answer(window: MainWindow, share: DeadShare, qtbot: QtBot) -> None:
    window.previewing._starts.look(share.folder)
    window.previews.reveal_requested.emit(share.folder / "a.wav")
    close(qtbot, window)
    assert not share.answers.is_set()


def test_dropped_files_are_told_apart_by_their_names(window: MainWindow, share: DeadShare, qtbot: QtBot) -> None:
    sound, model = share.folder / "a.wav", share.folder / "b.distill"
    assert window.models.files.take_drop([sound, model]) == [sound]
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in (model, sound)])
    pads = window.parts.play.page.pads
    pads.pads[2].dropEvent(
        QDropEvent(
            QPointF(5, 5), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        )
    )
    assert pads.sounds() == [sound]
    share.answers.set()
    qtbot.waitUntil(lambda: window.notices.has(f"model {model}"))  # it is not there


def _previews(window: MainWindow, folder: Path) -> None:
    window.previewing._save_folder = folder
    sound = PreviewSound.from_path(Path("/runs/bells/previews/preview_epoch0000_00.wav"))
    assert sound is not None
    window.previews.saving_requested.emit(sound)


def _plots(window: MainWindow, folder: Path) -> None:
    window.curves.export._folder = folder
    window.curves.export.save_table("epochs")


def _sources(window: MainWindow, folder: Path) -> None:
    window.making.panel.transform.set_sources([folder / "a.wav"])
    window.making.panel.choosing_requested.emit()


def _export(window: MainWindow, folder: Path) -> None:
    sound = GeneratedEntry(folder / "a.wav", Recipe(NEW, "ab" * 16, "Tones"))
    dialog = ExportDialog([sound], ExportChoices(), window.making._dialog_folders, window)
    dialog.set_folder(folder)
    dialog.browse.click()


def _sound(window: MainWindow, folder: Path) -> None:
    window.parts.play.exports.restore(str(folder))
    window.pages.open_page(PLAY)
    window.parts.play.exports.ask_for_sound_file(Path("a.wav"))


def _kit(window: MainWindow, folder: Path) -> None:
    window.parts.play.exports.restore(str(folder))
    window.parts.play.exports.ask_for_kit()
    dialog = window.findChild(KitDialog)
    assert dialog is not None
    dialog.browse.click()


@pytest.mark.parametrize("ask", [_previews, _plots, _sources, _export, _sound, _kit])
def test_dialogs_start_at_home_where_a_share_does_not_answer(
    window: MainWindow, share: DeadShare, ask: Callable[[MainWindow, Path], None]
) -> None:
    ask(window, share.folder)
    (dialog,) = window.findChildren(QFileDialog)
    assert Path(dialog.directory().absolutePath()) == Path.home()
    for opened in (dialog, *window.findChildren(KitDialog), *window.findChildren(ExportDialog)):
        opened.close()
    share.answers.set()


@pytest.mark.parametrize("choose", ["choose_folder", "choose_added_folder"])
def test_another_folder_of_sounds_is_chosen_from_home_where_the_last_one_does_not_answer(
    loaded: MainWindow, sounds: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, choose: str
) -> None:
    started: list[str] = []

    def ask(_parent: QWidget, _title: str, start: str) -> str:
        started.append(start)
        return ""

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", ask)
    qtbot.waitUntil(lambda: not loaded.sounds._starts._looking)
    getattr(loaded.sounds, choose)()
    assert started == [str(sounds)]
    qtbot.waitUntil(lambda: not loaded.sounds._starts._looking)
    share = DeadShare(sounds, monkeypatch)
    loaded.sounds._starts.look(sounds)
    getattr(loaded.sounds, choose)()
    assert started[1:] == [str(Path.home())]
    share.answers.set()
    qtbot.waitUntil(lambda: not loaded.sounds._starts._looking)
