"""Changes of models that are stored late, refused at first, or overtaken by what the user does next."""

import errno
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from distill import paths
from distill.errors import LibraryError
from distill.gui.library.model_detail import Notes
from distill.gui.window.main_window import MainWindow
from distill.gui.window.top_bar import TRAINING
from distill.library.model_library import ModelLibrary
from tests.gui.library.test_page import choose, drop, find, names, until_idle
from tests.library.test_model_library import bells, write_model


@pytest.fixture(autouse=True)
def _own_trash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))


@pytest.fixture
def models_page(two_models: MainWindow) -> MainWindow:
    choose(two_models, "Bells")
    return two_models


@pytest.fixture
def slow(models_page: MainWindow) -> Iterator[threading.Event]:
    """A library that is busy until the event is set."""
    goes_on = threading.Event()
    models_page.models.worker.do(lambda _library: goes_on.wait(30))
    yield goes_on
    goes_on.set()


def stored(name: str = "model 1.distill") -> tuple[str, str]:
    """Return name and notes of a model, as they are on the disk."""
    return next((e.name, e.notes) for e in ModelLibrary(paths.models_dir()).list() if e.path.name == name)


def test_notes_that_were_refused_do_not_come_back_over_newer_ones(
    models_page: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refused ones came back when the model was shown again, and were stored over those written since."""

    def refuse(_library: ModelLibrary, _path: Path, _notes: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    field = find(models_page, Notes, "modelNotes")
    with monkeypatch.context() as full:
        full.setattr(ModelLibrary, "set_notes", refuse)
        field.selectAll()
        QTest.keyClicks(field, "soft")
        with pytest.raises(LibraryError):
            models_page.models.flush()
    field.selectAll()
    QTest.keyClicks(field, "loud and bright")
    models_page.models_page.detail.commit()
    until_idle(models_page, qtbot)
    assert stored()[1] == "loud and bright"
    for name in ("Rain", "Bells"):
        choose(models_page, name)
    assert field.toPlainText() == "loud and bright"
    models_page.models.flush()
    assert stored()[1] == "loud and bright"


def test_a_name_that_is_typed_back_while_it_is_stored_is_the_last_word(
    models_page: MainWindow, slow: threading.Event, qtbot: QtBot
) -> None:
    field = find(models_page, QLineEdit, "modelName")
    for name in ("Gongs", "Bells"):
        field.selectAll()
        QTest.keyClicks(field, name)
        QTest.keyClick(field, Qt.Key.Key_Return)
    slow.set()
    until_idle(models_page, qtbot)
    assert stored()[0] == "Bells"
    assert field.text() == "Bells"


def test_notes_that_are_typed_back_while_they_are_stored_are_the_last_word(
    models_page: MainWindow, slow: threading.Event, qtbot: QtBot
) -> None:
    field, before = find(models_page, Notes, "modelNotes"), stored()[1]
    for text in ("soft", before):
        field.selectAll()
        QTest.keyClicks(field, text)
        models_page.models_page.detail.commit()
    slow.set()
    until_idle(models_page, qtbot)
    assert stored()[1] == before
    assert field.toPlainText() == before


def test_dropped_models_open_the_page_once(models_page: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    """Each of them did, whatever the user had gone on to do."""
    files = [write_model(tmp_path / f"{n}.distill", bells(name=f"New {n}", model_id=f"{n + 5}" * 32)) for n in range(3)]
    opened = list[bool]()
    models_page.pages.show_page(TRAINING)
    models_page.models.page_requested.connect(lambda: opened.append(True))
    drop(models_page, *files)
    qtbot.waitUntil(lambda: len(names(models_page)) == 5)
    until_idle(models_page, qtbot)
    assert opened == [True]
    current = models_page.models_page.list.current()
    assert current is not None
    assert current.name == "New 2"


def test_a_broken_file_behind_a_good_one_does_not_hide_it(
    models_page: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    good = write_model(tmp_path / "good.distill", bells(name="Good", model_id="7" * 32))
    broken = tmp_path / "worse.distill"
    broken.write_bytes(b"no model")
    drop(models_page, good, broken)
    qtbot.waitUntil(lambda: any("worse.distill was not opened" in n.message for n in models_page.notices.notices))
    current = models_page.models_page.list.current()
    assert current is not None
    assert current.name == "Good"


def test_undo_and_redo_leave_a_model_alone_that_has_taken_the_place_of_a_deleted_one(
    models_page: MainWindow, qtbot: QtBot
) -> None:
    """They were carried out on it: redo put it in the trash, in place of the one that had been deleted."""
    file = paths.models_dir() / "model 1.distill"
    field = find(models_page, QLineEdit, "modelName")
    field.selectAll()
    QTest.keyClicks(field, "Gongs")
    QTest.keyClick(field, Qt.Key.Key_Return)
    until_idle(models_page, qtbot)
    models_page.models_page.list.actions_by_name["delete"].trigger()
    qtbot.waitUntil(lambda: names(models_page) == ["Rain"])
    write_model(file, bells(name="Newer", model_id="9" * 32))  # another training of the same name
    models_page.models.refresh()
    qtbot.waitUntil(lambda: sorted(names(models_page)) == ["Newer", "Rain"])
    stack = models_page.models.undo_stack
    stack.undo()
    qtbot.waitUntil(lambda: sorted(names(models_page)) == ["Gongs", "Newer", "Rain"])
    stack.redo()
    qtbot.waitUntil(lambda: len(names(models_page)) == 2)
    assert sorted(names(models_page)) == ["Newer", "Rain"]
    stack.undo()
    qtbot.waitUntil(lambda: len(names(models_page)) == 3)
    stack.undo()
    until_idle(models_page, qtbot)
    assert sorted(names(models_page)) == ["Bells", "Newer", "Rain"]
