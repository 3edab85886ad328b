"""The page of the models: what is kept is found, heard, changed, lost and brought back, through the real window."""

import errno
import os
import pickle
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QAction, QDragEnterEvent, QDropEvent, QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from distill import paths
from distill.config.training import TrainingConfig
from distill.errors import LibraryError
from distill.gui.desktop import system_trash
from distill.gui.library import background_library
from distill.gui.library.model_facts_text import row_facts
from distill.gui.window.main_window import MainWindow
from distill.gui.window.top_bar import MODELS, TRAINING
from distill.library.model_library import ModelLibrary
from distill.playback.player import PlayerState
from distill.runs.folder import RunFolder
from distill.runs.run_record import RunRecord
from tests.gui.conftest import close, double_click, make_window
from tests.gui.fakes import FakeDevice, FakeEngine, make_previews
from tests.gui.window.test_help import menu_action
from tests.library.test_model_library import bells, write_model

W = TypeVar("W", bound=QWidget)


@pytest.fixture(autouse=True)
def _own_trash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))


@pytest.fixture
def library() -> ModelLibrary:
    """Three models, of which two have the same name."""
    made = ModelLibrary(paths.models_dir())
    for n, (name, loss) in enumerate((("Rain", 0.3), ("Rain", 0.1), ("Glöckchen", 0.2))):
        metadata = bells(
            name=name, model_id=f"{n + 1:x}" * 32, final_val_loss=loss, save_date=f"2026-01-0{n + 1}T12:00:00+00:00",
            training_date="",
        )  # fmt: skip
        write_model(made.folder / f"model {n}.distill", metadata)
    return made


@pytest.fixture
def page(library: ModelLibrary, window: MainWindow, qtbot: QtBot) -> MainWindow:
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    window.pages.open_page(MODELS)
    until_idle(window, qtbot)
    return window


def until_idle(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not window.models.worker.is_busy and bool(window.models_page.list.table.items))


def names(window: MainWindow) -> list[str]:
    rows = window.models_page.list.rows
    return [str(rows.index(row, 0).data()) for row in range(rows.rowCount())]


def choose(window: MainWindow, name: str) -> None:
    row = names(window).index(name)
    window.models_page.list.view.setCurrentIndex(window.models_page.list.rows.index(row, 0))


def find(window: MainWindow, kind: type[W], name: str) -> W:
    found = window.findChild(kind, name)
    assert found is not None, name
    return found


def says(window: MainWindow, text: str) -> bool:
    return text in window.notices.text()


def drop(window: QWidget, *files: Path) -> None:
    """Drop files on the window, as a file manager does."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in files])
    actions, button, keys = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(5, 5), actions, data, button, keys)
    window.dragEnterEvent(enter)
    assert enter.isAccepted()
    window.dropEvent(QDropEvent(QPointF(5, 5), actions, data, button, keys))


def test_the_page_is_reached_by_key_and_remembered(
    window: MainWindow, qtbot: QtBot, engine: FakeEngine, device: FakeDevice
) -> None:
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    QTest.keyClick(window, Qt.Key.Key_M, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(window.models_page.isVisible)
    assert not window.browser.isVisible()
    assert find(window, QToolButton, "modelsPageButton").isChecked()
    close(qtbot, window)
    again = make_window(qtbot, engine, device)
    assert again.models_page.isVisible()
    QTest.mouseClick(find(again, QToolButton, "trainingPageButton"), Qt.MouseButton.LeftButton)
    assert again.browser.isVisible()
    assert again.pages.currentIndex() == TRAINING
    close(qtbot, again)


def test_models_are_told_apart_sorted_and_searched(page: MainWindow, library: ModelLibrary, qtbot: QtBot) -> None:
    model_list = page.models_page.list
    assert names(page) == ["Glöckchen", "Rain (22222222)", "Rain (11111111)"]
    model_list.order.setCurrentIndex(model_list.order.findData("loss"))
    assert names(page) == ["Rain (22222222)", "Glöckchen", "Rain (11111111)"]
    QTest.keyClicks(model_list.search, "glock")
    assert names(page) == ["Glöckchen"]
    assert page.models_page.detail.name.text() == "Glöckchen"
    QTest.keyClick(model_list.search, Qt.Key.Key_Escape)
    assert len(names(page)) == 3
    left = list[bool]()
    model_list.search.left.connect(lambda: left.append(True))
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Escape):
        model_list.search.setFocus()
        QTest.keyClick(model_list.search, key)
        assert model_list.view.hasFocus()
    assert left == [True] * 3
    model_list.only.setCurrentIndex(model_list.only.findData("vae"))
    assert names(page) == []
    page.models.show_model(library.folder / "model 0.distill")  # hidden by the filter, but asked for
    assert page.models_page.detail.name.text() == "Rain"
    shown = model_list.current()
    assert shown is not None
    assert shown.model_id == "1" * 32


def test_name_tags_notes_and_star_are_kept_and_undone(page: MainWindow, library: ModelLibrary, qtbot: QtBot) -> None:
    choose(page, "Glöckchen")
    detail = page.models_page.detail
    name, tags = find(page, QLineEdit, "modelName"), find(page, QLineEdit, "modelTags")
    name.selectAll()
    QTest.keyClicks(name, "Ice")
    QTest.keyClick(name, Qt.Key.Key_Return)
    tags.clear()
    QTest.keyClicks(tags, "cold, , cold,blue ")
    QTest.keyClick(tags, Qt.Key.Key_Return)
    notes = find(page, QPlainTextEdit, "modelNotes")
    notes.setFocus()
    notes.selectAll()
    QTest.keyClicks(notes, "softly")
    QTest.mouseClick(detail.star, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: any(e.notes == "softly" and e.starred for e in library.list()), timeout=10_000)
    until_idle(page, qtbot)
    entry = next(e for e in library.list() if e.notes == "softly")
    assert (entry.name, entry.tags, entry.starred) == ("Ice", ("cold", "blue"), True)
    assert "Ice" in names(page)
    while page.models.undo_stack.canUndo():
        page.models.undo_stack.undo()
    until_idle(page, qtbot)
    qtbot.waitUntil(lambda: "Glöckchen" in names(page))
    entry = next(e for e in library.list() if e.name == "Glöckchen")
    assert (entry.tags, entry.notes, entry.starred) == (("metal",), "All of them", False)


def test_notes_that_are_being_typed_when_the_window_closes_are_kept(
    page: MainWindow, library: ModelLibrary, qtbot: QtBot
) -> None:
    choose(page, "Glöckchen")
    QTest.keyClicks(find(page, QPlainTextEdit, "modelNotes"), "last words ")
    close(qtbot, page)
    assert [e.notes for e in library.list() if e.name == "Glöckchen"] == ["last words All of them"]


def test_notes_that_the_disk_refuses_are_not_lost(
    page: MainWindow, library: ModelLibrary, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They stay in the field, come back to it after another model was shown, and are stored once there is room."""

    def refuse(_library: ModelLibrary, _path: Path, _notes: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    choose(page, "Glöckchen")
    field = find(page, QPlainTextEdit, "modelNotes")
    with monkeypatch.context() as full:
        full.setattr(ModelLibrary, "set_notes", refuse)
        QTest.keyClicks(field, "last words ")
        with pytest.raises(LibraryError, match="Glöckchen"):
            page.models.flush()
        assert says(page, "No space left")
        choose(page, names(page)[-1] if names(page)[-1] != "Glöckchen" else names(page)[0])
        assert "last words" not in field.toPlainText()
        choose(page, "Glöckchen")
        assert field.toPlainText().startswith("last words ")
        page.close()
        assert page.isVisible(), "the window stays open, once"
        assert says(page, "Close the window again")
    page.models.flush()
    assert [e.notes for e in library.list() if e.name == "Glöckchen"] == ["last words All of them"]


def test_closing_goes_on_when_the_library_refuses_a_change(
    page: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_library: ModelLibrary, _path: Path, _name: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ModelLibrary, "rename", refuse)
    choose(page, "Glöckchen")
    page.models.worker.refresh()  # so that the next request has to wait
    page.models._on_renamed(page.models_page.list.current(), "Ice")  # type: ignore[arg-type]
    close(qtbot, page)
    assert not page.isVisible()


def test_a_bug_in_background_work_is_reported_and_not_shown_as_the_users_error(
    page: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports: list[BaseException] = []
    monkeypatch.setattr("distill.diagnostics.report", lambda error, *_origin, **_kind: reports.append(error))

    def break_down(_library: ModelLibrary, _path: Path, _name: str) -> None:
        raise KeyError("bug")

    monkeypatch.setattr(ModelLibrary, "rename", break_down)
    page.models._on_renamed(page.models_page.list.current(), "Ice")  # type: ignore[arg-type]
    qtbot.waitUntil(lambda: len(reports) == 1)
    assert not page.notices.text()


def test_a_deleted_model_comes_back_by_key_and_by_notice(
    page: MainWindow, library: ModelLibrary, qtbot: QtBot, tmp_path: Path
) -> None:
    choose(page, "Glöckchen")
    before = (library.folder / "model 2.distill").read_bytes()
    view = page.models_page.list.view
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: "is in the trash" in page.notices.text(), timeout=10_000)
    assert "Glöckchen" not in names(page)
    assert not (library.folder / "model 2.distill").exists()
    assert [path.read_bytes() for path in (tmp_path / "xdg").rglob("*.distill")] == [before]
    QTest.mouseClick(find(page, QPushButton, "noticeAction"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "Glöckchen" in names(page), timeout=10_000)
    assert (library.folder / "model 2.distill").read_bytes() == before
    QTest.mouseClick(find(page, QPushButton, "deleteModelButton"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "Glöckchen" not in names(page), timeout=10_000)
    QTest.keyClick(page, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: "Glöckchen" in names(page), timeout=10_000)
    assert (library.folder / "model 2.distill").read_bytes() == before


@pytest.mark.parametrize("way", ["key", "menu", "button"])
def test_the_notice_of_a_deletion_goes_when_it_is_undone(page: MainWindow, qtbot: QtBot, way: str) -> None:
    page.notices.notify("models", "A copy was exported.", "warning")
    choose(page, "Glöckchen")
    page.models_page.list.actions_by_name["delete"].trigger()
    qtbot.waitUntil(lambda: says(page, "is in the trash"), timeout=10_000)
    if way == "key":
        QTest.keyClick(page, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    elif way == "menu":
        menu_action(page, "Edit", "Undo").trigger()
    else:
        QTest.mouseClick(find(page, QPushButton, "noticeAction"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "Glöckchen" in names(page), timeout=10_000)
    until_idle(page, qtbot)
    assert [notice.message for notice in page.notices.notices] == ["A copy was exported."]
    menu_action(page, "Edit", "Redo").trigger()
    qtbot.waitUntil(lambda: says(page, "is in the trash"), timeout=10_000)
    assert "Glöckchen" not in names(page)


def test_without_a_trash_a_model_goes_into_the_librarys_own(
    page: MainWindow, library: ModelLibrary, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoTrash(system_trash.QFile):  # type: ignore[misc,name-defined]
        def moveToTrash(self) -> bool:
            return False

    def no_trash(path: Path) -> Path:
        raise OSError("none")

    monkeypatch.setattr(system_trash, "QFile", NoTrash)
    monkeypatch.setattr("distill.trash.move_to_trash", no_trash)
    choose(page, "Glöckchen")
    page.models_page.list.actions_by_name["delete"].trigger()
    qtbot.waitUntil(lambda: "there is no trash here" in page.notices.text(), timeout=10_000)
    assert (library.folder / background_library.DELETED_MODELS_FOLDER / "model 2.distill").is_file()
    page.models.undo_stack.undo()
    qtbot.waitUntil(lambda: "Glöckchen" in names(page), timeout=10_000)


def test_a_dropped_model_is_imported_and_shown(page: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    page.pages.open_page(TRAINING)
    drop(page, write_model(tmp_path / "friend.distill", bells(name="From a friend", model_id="f" * 32)))
    qtbot.waitUntil(lambda: page.models_page.detail.name.text() == "From a friend", timeout=10_000)
    assert page.models_page.isVisible()
    assert len(names(page)) == 4
    assert not page.sounds.roots


def test_a_model_that_is_there_already_is_shown_and_not_called_added(
    page: MainWindow, library: ModelLibrary, qtbot: QtBot, tmp_path: Path
) -> None:
    before = names(page)
    copy = tmp_path / "the same.distill"
    copy.write_bytes((library.folder / "model 1.distill").read_bytes())
    drop(page, copy)
    qtbot.waitUntil(lambda: says(page, "is in your models already"))
    assert not says(page, "was added")
    until_idle(page, qtbot)
    assert names(page) == before


def test_a_malicious_model_is_refused_and_not_run(page: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    trap = tmp_path / "sprung"

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(trap),)

    evil = tmp_path / "evil.distill"
    evil.write_bytes(pickle.dumps(Trap()))
    inside = tmp_path / "inside.distill"
    torch.save({"format": "distill_model", "version": 1, "metadata": Trap()}, inside)
    before = len(names(page))
    for file in (evil, inside):
        page.notices.forget_all()
        drop(page, file)
        refusal = f"{file.name} was not opened: "
        qtbot.waitUntil(partial(says, page, refusal), timeout=10_000)
        assert "\n" not in page.notices.text()
    assert not trap.exists()
    assert len(names(page)) == before
    assert len(list(paths.models_dir().glob("*.distill"))) == before


def test_sounds_that_are_dropped_on_the_models_are_sent_where_they_belong(
    page: MainWindow, qtbot: QtBot, sounds: Path
) -> None:
    drop(page, sounds / "tone 1.wav")
    qtbot.waitUntil(lambda: page.making.panel.transform.sources == (sounds / "tone 1.wav",))
    assert not page.sounds.roots


def test_bad_models_are_listed_with_their_sentence_and_never_touched(
    library: ModelLibrary, window: MainWindow, qtbot: QtBot
) -> None:
    write_model(library.folder / "newer.distill", bells(name="Newer"), version=9)
    (library.folder / "torn.distill").write_bytes(b"PK\x03\x04 no")
    before = {path.name: path.read_bytes() for path in library.folder.glob("*.distill")}
    window.pages.open_page(MODELS)
    qtbot.waitUntil(lambda: len(names(window)) == 5, timeout=10_000)
    assert names(window)[0] == "Glöckchen"  # the others do not stand in the way
    choose(window, "newer")
    detail = window.models_page.detail
    assert "newer version" in detail.problem.text()
    assert not detail.export.isEnabled()
    assert detail.reveal.isEnabled()
    assert detail.name.isReadOnly()
    assert {path.name: path.read_bytes() for path in library.folder.glob("*.distill")} == before


def test_the_last_previews_of_the_run_are_heard_at_once(
    window: MainWindow, library: ModelLibrary, qtbot: QtBot, device: FakeDevice, tmp_path: Path
) -> None:
    folder = paths.runs_dir() / "a run"
    run = RunFolder(folder, resuming=False)
    record = RunRecord(TrainingConfig(), [tmp_path / "a.wav"], preview_sounds=[tmp_path / "a <kick>.wav"])
    record.save(folder)
    for epoch in (0, 3):
        make_previews(run.previews, epoch)
    run.close()
    write_model(library.folder / "heard.distill", bells(name="Heard", training_date=RunRecord.load(folder).created))
    window.pages.open_page(MODELS)
    qtbot.waitUntil(lambda: len(names(window)) == 4, timeout=10_000)
    choose(window, "Heard")
    samples = window.models_page.detail.model_sounds
    qtbot.waitUntil(lambda: len(samples.rows) == 3, timeout=10_000)
    assert [row.text() for row in samples.rows] == ["New sound 1", "a <kick>", "its copy"]
    assert "a &lt;kick&gt;.wav<br>One of your sounds that was held out" in samples.rows[1].toolTip()
    assert samples.rows[2].accessibleName() == "Play the copy of a <kick>"
    assert all("epoch0003" in row.sample.path.name for row in samples.rows)
    QTest.keyClick(window.models_page.list.view, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: window.playing.playback.status.path == samples.rows[0].sample.path)
    assert len(device.outputs) == 1
    playback, row = window.playing.playback, samples.rows[1]
    row.setFocus()
    for state in (PlayerState.PLAYING, PlayerState.IDLE):
        QTest.keyClick(row, Qt.Key.Key_Space)
        wanted = (state, row.sample.path)
        qtbot.waitUntil(lambda wanted=wanted: (playback.status.state, playback.status.path) == wanted)  # type: ignore[misc]
    assert [Path(url.toLocalFile()) for url in samples.rows[2].make_drag().mimeData().urls()] == [
        samples.rows[2].sample.path
    ]


def test_a_copy_is_exported_with_the_users_words(
    page: MainWindow, library: ModelLibrary, qtbot: QtBot, tmp_path: Path
) -> None:
    choose(page, "Glöckchen")
    taken = tmp_path / "copy.distill"
    taken.write_text("mine")
    library.set_notes(library.folder / "model 2.distill", "for you")
    QTest.mouseClick(find(page, QPushButton, "exportModelButton"), Qt.MouseButton.LeftButton)
    dialog = find(page, QFileDialog, "exportModelDialog")
    dialog.setDirectory(str(tmp_path))
    dialog.selectFile("copy.distill")
    dialog.accept()
    copy = tmp_path / "copy (2).distill"
    qtbot.waitUntil(lambda: str(copy) in page.notices.text(), timeout=10_000)
    assert taken.read_text() == "mine"
    assert ModelLibrary(tmp_path / "theirs").import_file(copy).notes == "for you"


def test_what_another_program_adds_is_new_until_it_is_seen(
    page: MainWindow, library: ModelLibrary, qtbot: QtBot
) -> None:
    page.pages.open_page(TRAINING)
    write_model(library.folder / "late.distill", replace(bells(name="Late"), model_id="e" * 32))
    page.models.await_model()
    qtbot.waitUntil(lambda: "Late" in page.notices.text(), timeout=10_000)
    table = page.models_page.list.table
    index = table.index(table.row_of(library.folder / "late.distill"))
    assert "new" in index.data(Qt.ItemDataRole.AccessibleTextRole).split(", ")
    QTest.mouseClick(find(page, QPushButton, "noticeAction"), Qt.MouseButton.LeftButton)
    assert page.models_page.isVisible()
    assert page.models_page.detail.name.text() == "Late"
    qtbot.waitUntil(lambda: "new" not in index.data(Qt.ItemDataRole.AccessibleTextRole).split(", "))
    page.pages.open_page(TRAINING)
    write_model(library.folder / "later.distill", replace(bells(name="Later"), model_id="f" * 32))
    page.models.await_model()
    qtbot.waitUntil(lambda: "Later" in page.notices.text(), timeout=10_000)
    page.pages.open_page(MODELS)  # without the notice's help, which nobody needs any more
    assert "Later" not in page.notices.text()


def test_every_control_has_a_name_and_says_what_it_means(page: MainWindow, qtbot: QtBot) -> None:
    choose(page, "Glöckchen")
    for widget in page.models_page.list.findChildren(QWidget) + page.models_page.detail.findChildren(QWidget):
        if isinstance(widget, (QPushButton, QToolButton, QLineEdit)) and widget.isVisible():
            if widget.objectName().startswith("qt_") or isinstance(widget.parent(), QLineEdit):
                continue
            assert widget.accessibleName() or getattr(widget, "text", str)(), widget.objectName()
            assert widget.toolTip(), widget.objectName()
    keys = [a.shortcut().toString() for a in page.findChildren(QAction) if not a.shortcut().isEmpty()]
    assert len([key for key in keys if key in ("Ctrl+Shift+M", "Ctrl+Shift+T", "Ctrl+I")]) == 3


def test_without_a_model_the_page_says_where_one_comes_from(window: MainWindow, qtbot: QtBot) -> None:
    window.pages.open_page(MODELS)
    qtbot.waitUntil(lambda: not window.models.worker.is_busy)
    panel, detail = window.making.panel, window.models_page.detail
    assert panel.status.text() == "Train or import a model first."
    assert "are shown here" in detail.empty.text.text()
    write_model(paths.models_dir() / "bells.distill", bells())
    window.models.refresh()
    qtbot.waitUntil(lambda: panel.entry is not None)
    panel.show_model(None)
    assert panel.status.text() == "Choose a model."
    assert detail.empty.text.text().startswith("Choose one in the list")


@pytest.mark.parametrize("key", [Qt.Key.Key_Space, Qt.Key.Key_Return])
def test_a_key_that_is_held_down_plays_the_model_once(page: MainWindow, key: Qt.Key) -> None:
    view = page.models_page.list.view
    asked: list[bool] = []
    view.hear_requested.connect(lambda: asked.append(True))
    view.activated.connect(lambda _index: asked.append(True))
    choose(page, "Glöckchen")
    none = Qt.KeyboardModifier.NoModifier
    for is_repeat in (False, True, True):
        QApplication.sendEvent(view, QKeyEvent(QEvent.Type.KeyPress, key, none, "", is_repeat))
    assert len(asked) == 1


def test_what_cannot_be_stored_is_shown_as_it_was(
    page: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_library: ModelLibrary, *_given: Any) -> None:
        raise LibraryError("The disk is full.")

    for name in ("rename", "set_star", "set_tags"):
        monkeypatch.setattr(ModelLibrary, name, refuse)
    choose(page, "Glöckchen")
    detail = page.models_page.detail
    tags = detail.tags.text()
    detail.star.click()
    for field in (detail.name, detail.tags):
        field.setFocus()
        field.selectAll()
        QTest.keyClicks(field, "Other")
        QTest.keyClick(field, Qt.Key.Key_Return)
    until_idle(page, qtbot)
    assert says(page, "The disk is full.")
    assert (detail.star.isChecked(), detail.name.text(), detail.tags.text()) == (False, "Glöckchen", tags)
    detail.commit()
    until_idle(page, qtbot)
    assert detail.name.text() == "Glöckchen"


def test_which_epoch_a_model_is_from_is_said(page: MainWindow) -> None:
    """It is not the number of epochs that were trained, which Runs shows."""
    choose(page, "Glöckchen")
    entry = page.models_page.list.current()
    assert entry is not None
    assert row_facts(entry)[1] == ("12 sounds", "epoch 7")
    tip = str(page.models_page.list.view.currentIndex().data(Qt.ItemDataRole.ToolTipRole))
    assert "That is epoch 7. The run may have trained on after it" in tip
    find(page, QToolButton, "modelInfoButton").click()
    value = find(page, QLabel, "model epochs")
    assert value.isVisible()
    assert value.text() == "7. The model has the weights of this epoch of its run."
    label = page.models_page.detail.facts.labelForField(value)
    assert isinstance(label, QLabel)
    assert label.text() == "Best epoch"


@pytest.mark.parametrize("wait", [0, 300])
def test_a_double_click_moves_one_model_to_the_trash(page: MainWindow, qtbot: QtBot, wait: int) -> None:
    """Whether or not the list has followed the first click when the second one comes."""
    choose(page, "Glöckchen")
    double_click(find(page, QPushButton, "deleteModelButton"), lambda: qtbot.wait(wait))
    qtbot.waitUntil(lambda: "Glöckchen" not in names(page))
    until_idle(page, qtbot)
    assert [name[:4] for name in names(page)] == ["Rain", "Rain"]
    assert [notice.message for notice in page.notices.notices] == ["“Glöckchen” is in the trash."]


def test_delete_pressed_again_before_the_list_follows_changes_nothing(page: MainWindow, qtbot: QtBot) -> None:
    choose(page, "Glöckchen")
    for _ in range(3):
        page.models_page.list.actions_by_name["delete"].trigger()
    until_idle(page, qtbot)
    assert [name[:4] for name in names(page)] == ["Rain", "Rain"]
    notice = page.notices.notices[-1]
    assert (notice.message, notice.action is not None) == ("“Glöckchen” is in the trash.", True)
    page.models.undo_stack.undo()
    qtbot.waitUntil(lambda: "Glöckchen" in names(page))
    choose(page, "Glöckchen")
    page.models_page.list.actions_by_name["delete"].trigger()  # once it is back, it can go again
    qtbot.waitUntil(lambda: "Glöckchen" not in names(page))


def test_a_held_delete_key_moves_one_model_to_the_trash(page: MainWindow, qtbot: QtBot) -> None:
    page.models_page.list.view.setFocus()
    choose(page, "Glöckchen")
    handle, plain = page.windowHandle(), Qt.KeyboardModifier.NoModifier
    for number in range(4):
        key = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Delete, plain, "", number > 0)
        QApplication.sendEvent(handle, key)
        qtbot.wait(150)
    assert [name[:4] for name in names(page)] == ["Rain", "Rain"]


def test_undo_shows_a_name_as_it_is(page: MainWindow, qtbot: QtBot) -> None:
    """A single & would be eaten by the menu, and a long name would make it as wide as the screen."""
    choose(page, "Glöckchen")
    for name in ("R&B", "x" * 190):
        field = find(page, QLineEdit, "modelName")
        field.setText(name)
        field.setModified(True)
        page.models_page.detail.commit()
        until_idle(page, qtbot)
    page.models.undo_stack.undo()
    assert page.models.undo_stack.undoText() == "Rename Glöckchen"
    assert page.models.undo_stack.redoText() == "Rename R&&B"
    page.models.undo_stack.redo()
    entry = page.models_page.detail.entry
    assert entry is not None
    page.models.deletion.delete(replace(entry, name="x" * 190))
    assert len(page.models.undo_stack.undoText()) < 80
