"""Recent folders, the help menu, and the dialog for errors that nobody expected."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
from PySide6.QtCore import QTimer
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QPushButton,
)
from pytestqt.qtbot import QtBot

from distill import __version__, diagnostics, paths
from distill.errors import SoundError
from distill.generation.history.sound_history import GeneratedEntry
from distill.generation.kits.kit_sounds import KitPlan
from distill.generation.recipe import NEW, Recipe
from distill.gui.desktop.dialog_folders import StartFolders
from distill.gui.engine.run_state import RunState
from distill.gui.generate.export_dialog import ExportChoices, ExportDialog
from distill.gui.help.about_dialog import AboutDialog
from distill.gui.help.keyboard_shortcuts import ShortcutsDialog
from distill.gui.help.report_dialog import ReportDialog
from distill.gui.play.export.kit_dialog import KitDialog
from distill.gui.sounds.recent_folders import MOST, RecentMenu
from distill.gui.window import composition
from distill.gui.window.crash_presenter import ReportWatcher
from distill.gui.window.main_window import MainWindow
from distill.playback.player import Player
from tests.gui.conftest import FileManager, close, make_window
from tests.gui.fakes import FakeDevice, FakeEngine, tone


def menu_action(window: MainWindow, *way: str) -> QAction:
    """Return an action by the words on the way to it."""
    actions = window.menuBar().actions()
    for number, word in enumerate(way):
        found = next(a for a in actions if a.text().replace("&", "").startswith(word))
        if number == len(way) - 1:
            return found
        menu = found.menu()
        assert isinstance(menu, QMenu)
        actions = menu.actions()
    raise AssertionError(way)


def recent_menu(window: MainWindow) -> RecentMenu:
    menu = menu_action(window, "File", "Recent folders").menu()
    assert isinstance(menu, RecentMenu)
    return menu


def recent_names(window: MainWindow) -> list[str]:
    return [a.text().split("  ", 1)[1] for a in recent_menu(window).actions() if "  " in a.text()]


def show(qtbot: QtBot, window: MainWindow, folder: Path) -> None:
    with qtbot.waitSignal(window.sounds.scanner.scan_finished, timeout=10_000):
        window.open_folder(folder)


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    made = []
    for name in ("bells", "drums & bass", "empty"):
        folder = tmp_path / name
        folder.mkdir()
        for n in range(2) if name != "empty" else ():
            soundfile.write(folder / f"{n}.wav", tone(0.1), 48_000)
        made.append(folder)
    return made


def test_recent_folders_come_back_and_a_missing_one_is_not_offered(
    window: MainWindow, folders: list[Path], qtbot: QtBot, engine: FakeEngine, device: FakeDevice
) -> None:
    assert not menu_action(window, "File", "Recent folders").isEnabled()
    for folder in folders:
        show(qtbot, window, folder)
    assert recent_names(window) == ["drums && bass", "bells"]  # one without sounds is not worth coming back to
    close(qtbot, window)
    again = make_window(qtbot, engine, device)
    assert recent_names(again) == ["drums && bass", "bells"]
    moved = folders[0].rename(folders[0].parent / "away")
    recent_menu(again).aboutToShow.emit()
    qtbot.waitUntil(lambda: recent_names(again) == ["drums && bass"])
    moved.rename(folders[0])  # the disk is plugged in again
    recent_menu(again).aboutToShow.emit()
    qtbot.waitUntil(lambda: recent_names(again) == ["drums && bass", "bells"])
    with qtbot.waitSignal(again.sounds.scanner.scan_finished, timeout=10_000):
        recent_menu(again).actions()[1].trigger()
    assert again.sounds.roots == (folders[0],)
    assert recent_names(again) == ["bells", "drums && bass"]
    recent_menu(again).actions()[-1].trigger()
    assert recent_names(again) == []
    close(qtbot, again)


def test_only_so_many_folders_are_remembered(window: MainWindow, tmp_path: Path) -> None:
    window.recent.note(tmp_path / str(n) for n in range(3 * MOST))
    window.recent.note([tmp_path / "0"])
    assert len(window.recent.all) == MOST
    assert window.recent.all[0] == tmp_path / "0"


# Help.


def dialog_of(window: MainWindow, name: str) -> QDialog:
    found = [d for d in window.findChildren(QDialog) if d.objectName() == name and d.isVisible()]
    assert len(found) == 1, found
    return found[0]


def shown_keys(dialog: QDialog) -> dict[str, set[str]]:
    assert isinstance(dialog, ShortcutsDialog)
    found: dict[str, set[str]] = {}
    for _, children in dialog.groups:
        for child in children:
            if not child.isHidden():
                found.setdefault(child.text(0), set()).add(child.text(1))
    return found


def test_the_list_of_shortcuts_is_that_of_the_menus_and_panels(window: MainWindow) -> None:
    menu_action(window, "Training", "Pause").setShortcut("Ctrl+Alt+9")  # whatever a menu says is what is listed
    menu_action(window, "Help", "Keyboard").trigger()
    dialog = dialog_of(window, "shortcutsDialog")
    keys = shown_keys(dialog)
    for action in window.findChildren(QAction):
        if action.shortcut().isEmpty() or not isinstance(action.parent(), QMenu):
            continue
        text = action.text().partition("\t")[0].replace("&", "").rstrip("…")
        assert any(action.shortcut().toString() in ways.split(" or ") for ways in keys[text]), text
    assert keys["Pause"] == {"Ctrl+Alt+9"}
    assert keys["Play or stop"] == {"Space or Ctrl+Return", "Space"}  # everywhere, and in a list
    assert keys["Undo"] == {"Ctrl+Z"}  # platforms have F14 and a key "Undo" for it, too
    assert keys["Exclude from training"] == {"Del or Backspace"}
    assert "Star, or remove the star" in keys
    field = dialog.findChild(QLineEdit, "shortcutFilter")
    assert field is not None
    field.setText("play stop")
    assert set(shown_keys(dialog)) == {"Play or stop"}
    dialog.close()


def test_the_menus_say_a_thing_once_and_count_in_order(window: MainWindow) -> None:
    def texts(word: str) -> list[tuple[str, str]]:
        menu = menu_action(window, word).menu()
        assert isinstance(menu, QMenu)
        return [(a.text().partition("\t")[0], a.shortcut().toString()) for a in menu.actions() if a.text()]

    playback = [text for text, _ in texts("Playback")]
    assert [text for text in playback if "Play" in text or "Stop" in text] == ["Play or stop"]
    numbers = [keys for text, keys in texts("View") if text.startswith("Go to")]
    assert numbers == [f"Ctrl+{n}" for n in range(1, 6)]


def test_about_says_what_it_is_made_of(window: MainWindow) -> None:
    menu_action(window, "Help", "About").trigger()
    dialog = dialog_of(window, "aboutDialog")
    text = dialog.findChild(QPlainTextEdit, "versionsText")
    assert text is not None
    lines = text.toPlainText()
    for part in (f"Distill {__version__}", "Qt 6.", "PySide6", "torch 2.", "libsndfile 1."):
        assert part in lines
    button = dialog.findChild(QPushButton, "licencesButton")
    assert button is not None
    button.click()
    assert "GNU LESSER GENERAL PUBLIC LICENSE" in text.toPlainText()
    copy = dialog.findChild(QPushButton, "copyVersionsButton")
    assert copy is not None
    copy.click()
    assert QGuiApplication.clipboard().text() == lines
    dialog.close()


# What nobody expected.


@pytest.fixture
def watcher(window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReportWatcher]:
    monkeypatch.setattr(diagnostics, "_echo", lambda _report: None)
    diagnostics.start()
    made = ReportWatcher(window)
    yield made
    made.close()
    diagnostics.stop()


def fail(text: str) -> None:
    """Fail as a bug does: in a thread, with nobody to catch it."""

    def work() -> None:
        raise KeyError(text)

    thread = threading.Thread(target=work, name="worker")
    thread.start()
    thread.join()


def press(dialog: QDialog, name: str) -> None:
    button = dialog.findChild(QPushButton, name)
    assert button is not None
    button.click()


def copy_details(dialog: QDialog, qtbot: QtBot) -> str:
    """Return what "Copy details" puts on the clipboard."""
    QGuiApplication.clipboard().clear()
    press(dialog, "copyDetailsButton")
    qtbot.waitUntil(lambda: bool(QGuiApplication.clipboard().text()))
    return QGuiApplication.clipboard().text()


def test_an_error_in_a_thread_is_told_once_with_all_that_a_report_needs(
    window: MainWindow, watcher: ReportWatcher, qtbot: QtBot, file_manager: FileManager
) -> None:
    fail("lost")
    qtbot.waitUntil(lambda: watcher.dialog is not None)
    dialog = dialog_of(window, "crashDialog")
    fail("second")
    fail("lost")  # the same once more is no news
    qtbot.waitUntil(lambda: any("and 1 more" in label.text() for label in dialog.findChildren(QLabel)))
    assert dialog_of(window, "crashDialog") is dialog
    assert any(label.text().startswith("KeyError: 'lost'") for label in dialog.findChildren(QLabel))
    copied = copy_details(dialog, qtbot)
    for part in (f"Distill {__version__}", "Qt 6.", "worker: Traceback", "in work", "KeyError: 'second'", "end of the"):
        assert part in copied
    press(dialog, "logFolderButton")
    qtbot.waitUntil(lambda: file_manager.shown == [str(paths.log_dir())])
    press(dialog, "goOnButton")
    qtbot.waitUntil(lambda: watcher.dialog is None)
    fail("second")
    qtbot.waitUntil(lambda: "KeyError: 'second'" in window.notices.text())
    assert watcher.dialog is None
    assert window.isVisible()


def test_copied_details_have_no_private_names(window: MainWindow, watcher: ReportWatcher, qtbot: QtBot) -> None:
    diagnostics.log.warning("'/volume/clarissa/My wedding/gong.wav' is not there.")
    fail("/volume/clarissa/My wedding/gong.wav")
    qtbot.waitUntil(lambda: watcher.dialog is not None)
    dialog = dialog_of(window, "crashDialog")
    button = dialog.findChild(QPushButton, "copyDetailsButton")
    assert button is not None
    copied = copy_details(dialog, qtbot)
    assert not any(word in copied for word in ("clarissa", "wedding", "gong"))
    for part in ("worker: Traceback", "in work", "KeyError: ", "WARNING", "is not there", "Qt 6."):
        assert part in copied
    qtbot.waitUntil(button.isEnabled)
    assert button.text() == "&Copied"
    fail("another")
    qtbot.waitUntil(lambda: button.text() == "&Copy details")
    press(dialog, "copyDetailsButton")
    press(dialog, "goOnButton")  # while it is still being put together
    qtbot.waitUntil(lambda: watcher.dialog is None)


def test_an_error_in_a_slot_reaches_the_dialog_while_a_training_is_under_way(
    loaded: MainWindow, watcher: ReportWatcher, qtbot: QtBot, engine: FakeEngine
) -> None:
    loaded.controls.epochs.setValue(500)
    loaded.controls.start.click()
    qtbot.waitUntil(lambda: loaded.runs.bridge.state is RunState.TRAINING, timeout=10_000)

    def broken() -> None:
        raise ZeroDivisionError("in a slot")

    with qtbot.capture_exceptions() as caught:  # takes it in place of the program's own hook
        QTimer.singleShot(0, loaded, broken)
        qtbot.waitUntil(lambda: bool(caught))
    diagnostics._on_main_error(*caught[0])
    qtbot.waitUntil(lambda: watcher.dialog is not None)
    dialog = dialog_of(loaded, "crashDialog")
    assert any("training goes on" in label.text() for label in dialog.findChildren(QLabel))
    assert loaded.runs.bridge.is_running
    press(dialog, "quitButton")
    qtbot.waitUntil(lambda: not loaded.isVisible(), timeout=10_000)
    assert engine.calls == ["train"]
    assert not loaded.runs.bridge.is_running


def test_an_error_while_the_window_is_built_is_shown(
    qapp: QApplication, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_given: object) -> Iterator[None]:
        yield
        raise ZeroDivisionError("in a panel")

    monkeypatch.setattr(composition, "compose", broken)
    window = MainWindow(FakeEngine(), Player(open_output=FakeDevice()), in_steps=True)  # type: ignore[arg-type]
    watcher = ReportWatcher(window)
    with qtbot.capture_exceptions() as caught:
        window.show()
        qtbot.waitUntil(lambda: bool(caught))
    diagnostics._on_main_error(*caught[0])
    qtbot.waitUntil(lambda: watcher.dialog is not None)
    dialog = dialog_of(window, "crashDialog")
    assert any(label.text().startswith("ZeroDivisionError") for label in dialog.findChildren(QLabel))
    press(dialog, "quitButton")
    qtbot.waitUntil(lambda: not window.isVisible())
    watcher.close()
    window.deleteLater()


def test_what_a_user_can_act_on_opens_no_dialog(window: MainWindow, watcher: ReportWatcher, qtbot: QtBot) -> None:
    diagnostics.report(SoundError("kick.wav is silent. Choose another sound."))
    qtbot.waitUntil(lambda: window.notices.text() == "kick.wav is silent. Choose another sound.")
    assert watcher.dialog is None


def test_a_log_that_is_not_there_is_no_second_error(window: MainWindow, watcher: ReportWatcher, qtbot: QtBot) -> None:
    diagnostics.report(RuntimeError("first"))
    qtbot.waitUntil(lambda: watcher.dialog is not None)
    shutil.rmtree(paths.log_dir(), ignore_errors=True)
    diagnostics.report(RuntimeError("second"))
    dialog = dialog_of(window, "crashDialog")
    qtbot.waitUntil(lambda: any("and 1 more" in label.text() for label in dialog.findChildren(QLabel)))
    press(dialog, "goOnButton")


def test_the_buttons_of_dialogs_have_no_icons_of_the_desktop(window: MainWindow) -> None:
    """A box that is made before it has a parent takes them, whatever the style sheet says: a red cross on Cancel."""
    sound = GeneratedEntry(Path("a.wav"), Recipe(NEW, "a" * 32))
    dialogs = (
        AboutDialog(window), ShortcutsDialog((), window), ReportDialog([], window),
        ExportDialog([sound], ExportChoices(), StartFolders(window), window),
        KitDialog(16, KitPlan(), Path(), "Kit", window),
    )  # fmt: skip
    for dialog in dialogs:
        buttons = [button for box in dialog.findChildren(QDialogButtonBox) for button in box.buttons()]
        assert buttons
        assert all(button.icon().isNull() for button in buttons), dialog.objectName()
        dialog.close()
        dialog.deleteLater()
