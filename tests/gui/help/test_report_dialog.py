"""The report that a user looks through and saves."""

import logging
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QDialog, QFileDialog, QListWidget, QPlainTextEdit, QPushButton
from pytestqt.qtbot import QtBot

from distill import __version__, diagnostics
from distill.gui.help.report_dialog import ReportDialog
from distill.gui.window.crash_presenter import ReportWatcher
from distill.gui.window.main_window import MainWindow
from tests.gui.conftest import FileManager
from tests.gui.window.test_help import menu_action


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    monkeypatch.setattr(diagnostics, "_echo", lambda _report: None)
    diagnostics.start()
    yield diagnostics.log
    diagnostics.stop()


def open_from_menu(window: MainWindow, qtbot: QtBot) -> ReportDialog:
    menu_action(window, "Help", "Report a problem").trigger()
    (dialog,) = window.findChildren(ReportDialog)
    qtbot.waitUntil(dialog.save.isEnabled)
    return dialog


def shown(dialog: QDialog) -> dict[str, str]:
    """Return what a user can read, file by file."""
    files, text = dialog.findChild(QListWidget, "reportFiles"), dialog.findChild(QPlainTextEdit, "reportText")
    assert files is not None
    assert text is not None
    found = {}
    for row in range(files.count()):
        files.setCurrentRow(row)
        found[files.item(row).text()] = text.toPlainText()
    return found


def test_what_is_saved_is_what_was_shown(
    window: MainWindow, logged: logging.Logger, qtbot: QtBot, tmp_path: Path, file_manager: FileManager
) -> None:
    logged.warning("The list of sounds is empty; '/volume/clarissa/My wedding/gong.wav' is not there.")
    dialog = open_from_menu(window, qtbot)
    texts = shown(dialog)
    assert "The list of sounds is empty" in texts["log.txt"]
    assert f"Distill {__version__}" in texts["versions.txt"]
    assert not any(word in text for text in texts.values() for word in ("clarissa", "wedding", "gong"))
    dialog.save.click()
    chooser = dialog.findChild(QFileDialog, "saveReportDialog")
    assert chooser is not None
    assert chooser.selectedFiles()[0].endswith(".zip")
    target = tmp_path / "report.zip"
    with qtbot.waitSignal(dialog.saved):
        chooser.fileSelected.emit(str(target))
    with zipfile.ZipFile(target) as archive:
        assert {name: archive.read(name).decode() for name in archive.namelist()} == texts
    assert "report.zip" in window.notices.text()
    button = window.notices.findChild(QPushButton, "noticeAction")
    assert button is not None
    button.click()
    qtbot.waitUntil(lambda: file_manager.shown == [str(tmp_path)])


def test_a_folder_that_cannot_be_written_to_is_told_in_the_dialog(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    dialog = open_from_menu(window, qtbot)
    (tmp_path / "file").touch()
    dialog.save_as(tmp_path / "file" / "report.zip")
    qtbot.waitUntil(lambda: "Choose another folder" in dialog.state.text())
    assert dialog.isVisible()
    assert dialog.save.isEnabled()
    dialog.reject()


def test_it_can_be_closed_while_it_is_put_together(window: MainWindow, qtbot: QtBot) -> None:
    menu_action(window, "Help", "Report a problem").trigger()
    (dialog,) = window.findChildren(ReportDialog)
    dialog.reject()
    qtbot.waitUntil(lambda: window.findChildren(ReportDialog) == [])


def test_the_dialog_for_an_error_gives_its_errors_to_the_report(
    window: MainWindow, logged: logging.Logger, qtbot: QtBot
) -> None:
    watcher = ReportWatcher(window)
    for text in ("first", "second"):
        diagnostics.report(KeyError(text), "a thread")
    qtbot.waitUntil(lambda: watcher.dialog is not None and len(watcher.dialog.reports) == 2)
    assert watcher.dialog is not None
    button = watcher.dialog.findChild(QPushButton, "reportButton")
    assert button is not None
    button.click()
    (dialog,) = watcher.dialog.findChildren(ReportDialog)
    qtbot.waitUntil(dialog.save.isEnabled)
    errors = shown(dialog)["errors.txt"]
    assert errors.index("KeyError: 'first'") < errors.index("KeyError: 'second'")
    dialog.reject()
    watcher.close()
