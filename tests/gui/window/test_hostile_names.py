"""Names from files are plain text in every widget: no markup, no raw control characters, and any length."""

import json
from pathlib import Path
from typing import Any

import pytest
import soundfile
from PySide6 import QtGui
from PySide6.QtCore import QAbstractItemModel, QModelIndex, Qt
from PySide6.QtGui import QAction, QTextDocument
from PySide6.QtWidgets import QAbstractButton, QAbstractItemView, QLabel, QWidget
from pytestqt.qtbot import QtBot

from distill import paths
from distill.config.training import TrainingConfig
from distill.gui.widgets.labels import ElidedLabel
from distill.gui.widgets.plain_text import readable
from distill.gui.window.main_window import MainWindow
from distill.library.model_library import ModelLibrary
from distill.playback.player_status import PlayerState, PlayerStatus
from distill.runs.run_record import RunRecord
from tests.library.test_model_library import bells, write_model
from tests.training.conftest import tone

#: Harmful, if it acts: loads a file, loses text, colours a terminal, turns a line around, is nothing but long.
NAMES = [
    "kick<snare> & <img src=x>", "<b>bold</b>[red]rich[/red]", "esc\x1b[31mred\x1b]0;title\x07", "bidi\u202egpj.wav",
    "zero\u200bwidth\x85\u2028line", "x" * 4000, "tab\tnew\nline", "lone\udce9byte",
]  # fmt: skip
ROLES = (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.StatusTipRole, Qt.ItemDataRole.WhatsThisRole)


def file_name(name: str) -> str:
    return name.replace("/", "_").replace("\n", " ")[:60]


@pytest.fixture
def hostile(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> MainWindow:
    """The window with sounds, runs, models and notices of hostile names."""
    folder = tmp_path / "sounds <img src=x>"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        soundfile.write(folder / f"{number}.wav", tone(number, 0.2), 48_000)
        (folder / f"{number}.wav").rename(folder / f"{file_name(name)}.wav")
        record = RunRecord(
            TrainingConfig(), [folder / "a.wav"], model_name=name, dataset_name=name, error=name, notes=[name]
        )
        record.status = "failed"
        record.save(paths.runs_dir() / f"run {number}")
        facts = bells(name=name, model_id=f"{number}" * 32, dataset_name=name, description=name, tags=(name[:90],))
        if "\udce9" not in name:
            write_model(paths.models_dir() / f"{number} {file_name(name)}.distill", facts)
    window.open_folder(folder)
    qtbot.waitUntil(lambda: len(window.browser.usable_paths()) == len(NAMES), timeout=30_000)
    for name in NAMES:
        window.notices.notify(name, name, "error")
    window.models.refresh()
    window.past_runs.refresh()
    qtbot.waitUntil(lambda: window.run_list.table.rowCount() == len(NAMES), timeout=30_000)
    return window


def acts(text: str) -> bool:
    """Whether Qt would show a text otherwise than it is written."""
    return bool(QtGui.Qt.mightBeRichText(text))


def raw(text: str) -> list[str]:
    """Return the control characters of a text that are shown as such."""
    return [c for c in text if readable(c) != c and c not in "\n\udce9"]


def wrong_tip(text: str) -> str:
    """Return what a tooltip does that it should not: markup other than the window's own, or raw characters."""
    document = QTextDocument()
    document.setHtml(text if acts(text) else "")
    images = [name for name in ("<img", "<b>bold") if name in text.lower()]
    shown = document.toPlainText() if acts(text) else text
    return f"acts: {images} " * bool(images) + f"raw: {raw(shown)}" * bool(raw(shown))


def rows(model: QAbstractItemModel) -> list[QModelIndex]:
    return [
        model.index(row, column)
        for row in range(min(model.rowCount(), 50))
        for column in range(min(model.columnCount(), 20))
    ]


def test_every_widget_shows_names_as_they_are(hostile: MainWindow) -> None:
    seen, wrong = 0, []
    for widget in [hostile, *hostile.findChildren(QWidget)]:
        where = f"{type(widget).__name__} {widget.objectName()}"
        if isinstance(widget, QLabel):
            seen += 1
            if widget.textFormat() is Qt.TextFormat.AutoText or raw(widget.text()):
                wrong.append(f"{where}: {widget.text()[:80]!r}")
        if isinstance(widget, QAbstractButton) and raw(widget.text()):
            wrong.append(f"{where}: {widget.text()[:80]!r}")
        if bad := wrong_tip(widget.toolTip()):
            wrong.append(f"tooltip of {where}: {bad}")
        if isinstance(widget, QAbstractItemView) and widget.model() is not None:
            for index in rows(widget.model()):
                seen += 1
                for role in ROLES:
                    if bad := wrong_tip(str(index.data(role) or "")):
                        wrong.append(f"row {index.row()} of {where}: {bad}")
    for action in hostile.findChildren(QAction):
        seen += 1
        if bad := wrong_tip(action.toolTip().replace("\t", " ")):  # a shortcut stands behind a tab
            wrong.append(f"action {action.objectName()}: {bad}")
    assert seen > 60
    assert wrong == []


def test_the_notice_bar_shows_them(hostile: MainWindow) -> None:
    for notice, name in zip(hostile.notices.notices, NAMES, strict=False):
        assert not raw(notice.message)
        assert notice.message == readable(name)


@pytest.mark.parametrize("name", NAMES)
def test_readable_text_has_no_control_characters(name: str) -> None:
    shown = readable(name)
    assert not [c for c in shown if readable(c) != c]
    assert shown.isprintable() or "\n" in shown
    assert readable("héllo 日本 3.4\u202fMB\u00a0👨\u200d👩") == "héllo 日本 3.4\u202fMB\u00a0👨\u200d👩"


def test_the_library_index_holds_them(hostile: MainWindow) -> None:
    entries: Any = ModelLibrary(paths.models_dir()).list()
    assert len({entry.name for entry in entries}) == len(NAMES) - 1
    assert not [entry.problem for entry in entries if entry.problem]
    assert json.dumps([entry.to_dict() for entry in entries])


def test_the_player_and_the_form_write_control_characters_out(
    hostile: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    path = next(path for path in hostile.browser.usable_paths() if path.name.startswith("bidi"))
    hostile.transport.show_status(PlayerStatus(PlayerState.IDLE, path))
    hostile.making.panel.transform.set_sources([path])
    shown = [label.text() for label in hostile.findChildren(ElidedLabel)]
    assert not [text for text in shown if "\u202e" in text]
    assert shown.count("bidi\\u202egpj.wav.wav") == 2
