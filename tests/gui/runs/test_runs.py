"""Earlier runs, pausing and finishing, through the real widgets, with an engine that replays events."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtGui import QAction, QTextDocument
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QListView, QMenu, QMessageBox
from pytestqt.qtbot import QtBot

from distill import paths, trash
from distill.gui.background_tasks import BackgroundTask
from distill.gui.desktop import system_trash
from distill.gui.engine.run_state import RunState
from distill.gui.runs import presenter
from distill.gui.window.main_window import MainWindow
from distill.runs.folder import RunFolder
from distill.runs.loaded_run import LoadedRun
from distill.runs.run_record import RunRecord
from distill.runs.summary import RunSummary
from tests.gui.conftest import close, make_window
from tests.gui.fakes import FakeDevice, FakeEngine
from tests.gui.training.test_training import await_state, button, click, eta, start

LEFT = Qt.MouseButton.LeftButton


def view(window: MainWindow) -> QListView:
    found = window.findChild(QListView, "runList")
    assert found is not None
    return found


def names(window: MainWindow) -> list[str]:
    model = view(window).model()
    return [str(model.index(n, 0).data()) for n in range(model.rowCount())]


def said(window: MainWindow, number: int = 0) -> str:
    """What a screen reader says of a row."""
    return str(view(window).model().index(number, 0).data(Qt.ItemDataRole.AccessibleTextRole))


def train(window: MainWindow, qtbot: QtBot, epochs: int = 2) -> Path:
    start(window, epochs)
    qtbot.waitUntil(lambda: len(window.runs.bridge.history.epochs) == epochs, timeout=10_000)
    await_state(qtbot, window, RunState.IDLE)
    folder = window.runs.runs.folder
    assert folder is not None
    return folder


def pause_after(window: MainWindow, qtbot: QtBot, engine: FakeEngine, epochs: int, asked: int = 500) -> Path:
    engine.step_seconds = 0.01
    start(window, asked)
    qtbot.waitUntil(lambda: len(window.runs.bridge.history.epochs) >= epochs, timeout=10_000)
    click(window, "cancelButton")
    await_state(qtbot, window, RunState.IDLE)
    folder = window.runs.runs.folder
    assert folder is not None
    return folder


def earlier_run(name: str, status: str = "stopped", epochs: int = 3, day: int = 1, family: str = "vae") -> Path:
    """A run of an earlier day on disk."""
    from distill.config.factory import make_config
    from tests.gui.fakes import epoch_end, make_previews, step

    path = paths.runs_dir() / name
    folder = RunFolder(path, resuming=False)
    RunRecord(
        make_config(family, 4, "auto", 9), [Path("a.wav"), Path("b.wav")], model_name=name, status=status,
        created=f"2026-01-{day:02}T10:00:00+00:00",
    ).save(path)  # fmt: skip
    for n in range(epochs):
        folder.append_history([step(n, 0), epoch_end(n, 9)])
        (folder.checkpoints / f"checkpoint_epoch{n:04}.pt").touch()
    make_previews(folder.previews, 0)
    folder.close()
    return path


def show_list(window: MainWindow, qtbot: QtBot, count: int) -> None:
    window.tabs.setCurrentWidget(window.run_list)
    window.past_runs.refresh()
    qtbot.waitUntil(lambda: window.run_list.table.rowCount() == count)


def click_row(window: MainWindow, number: int) -> None:
    index = view(window).model().index(number, 0)
    QTest.mouseClick(view(window).viewport(), LEFT, pos=view(window).visualRect(index).center())


def use_trash(trashed: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Replace the system's trash, which a test must not fill; returns what is in it."""
    moved: list[Path] = []
    trashed.mkdir()

    class Trash:
        def __init__(self, path: str) -> None:
            self.path = path

        def moveToTrash(self) -> bool:
            self.path = str(shutil.move(self.path, trashed))
            moved.append(Path(self.path))
            return True

        def fileName(self) -> str:
            return self.path

    monkeypatch.setattr(system_trash, "QFile", Trash)
    return moved


def choose_rows(window: MainWindow, *numbers: int) -> None:
    """Choose rows with the mouse: one with a click, the others with Ctrl."""
    for position, number in enumerate(numbers):
        at = view(window).visualRect(view(window).model().index(number, 0)).center()
        keys = Qt.KeyboardModifier.ControlModifier if position else Qt.KeyboardModifier.NoModifier
        QTest.mouseClick(view(window).viewport(), LEFT, keys, at)


def test_a_click_on_the_shown_run_keeps_it_while_another_is_being_read(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one was shown when it had been read, although the user had gone back."""
    shown, slow = earlier_run("shown", day=2), earlier_run("slow", day=1)
    goes_on, read = threading.Event(), list[Path]()
    show_list(window, qtbot, 2)
    click_row(window, names(window).index("shown"))
    qtbot.waitUntil(lambda: window.runs.runs.folder == shown)

    def read_slowly(folder: Path) -> LoadedRun:
        if folder == slow:
            goes_on.wait(30)
        run = read_run(folder)
        read.append(folder)
        return run

    read_run = LoadedRun.read
    monkeypatch.setattr(LoadedRun, "read", read_slowly)
    click_row(window, names(window).index("slow"))
    click_row(window, names(window).index("shown"))
    goes_on.set()
    qtbot.waitUntil(lambda: slow in read)
    qtbot.waitUntil(lambda: not [task for task in window.findChildren(BackgroundTask) if task.isRunning()])
    QApplication.processEvents()
    assert window.runs.runs.folder == shown
    assert window.runs.runs.opening is None


class TestList:
    def test_it_says_what_a_run_is(self, loaded: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
        loaded.tabs.setCurrentWidget(loaded.run_list)
        train(loaded, qtbot, 3)
        qtbot.waitUntil(lambda: "finished" in said(loaded))
        text = said(loaded)
        for words in ("my sounds", "shown", "4 sounds", "Fast", "3 of 3 epochs trained", "best epoch 1, loss 0.55"):
            assert words in text

    def test_a_run_under_way_is_marked_and_followed(
        self, loaded: MainWindow, engine: FakeEngine, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(presenter, "FOLLOW_SECONDS", 0.0)
        loaded.tabs.setCurrentWidget(loaded.run_list)
        engine.step_seconds = 0.01
        start(loaded, 500)
        qtbot.waitUntil(
            lambda: view(loaded).model().rowCount() == 1 and "3 of 500 epochs" in said(loaded), timeout=10_000
        )
        assert "training" in said(loaded)
        click(loaded, "cancelButton")
        qtbot.waitUntil(lambda: view(loaded).model().rowCount() == 1 and "paused" in said(loaded), timeout=10_000)

    def test_a_click_shows_a_run_and_resume_goes_on(self, window: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
        earlier_run("old bells", day=1)
        folder = earlier_run("new bells", day=2)
        show_list(window, qtbot, 2)
        assert names(window) == ["new bells", "old bells"]
        click_row(window, 0)
        qtbot.waitUntil(lambda: window.runs.runs.folder == folder)
        assert "new bells · Paused at epoch 3 of 9" in eta(window)
        assert window.controls.epochs.value() == 9
        assert "shown" in said(window, 0)
        assert "shown" not in said(window, 1)
        QTest.keyClick(view(window), Qt.Key.Key_Down)
        QTest.keyClick(view(window), Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: "shown" in said(window, 1))
        QTest.keyClick(view(window), Qt.Key.Key_Up)
        click(window, "runResumeButton")  # of the chosen one, which is not the one that is shown
        qtbot.waitUntil(lambda: engine.calls == ["resume to None"])
        await_state(qtbot, window, RunState.IDLE)
        assert window.runs.runs.folder == folder
        qtbot.waitUntil(lambda: "finished" in said(window, 0))
        assert not button(window, "runResumeButton").isEnabled()

    def test_a_resume_that_fails_is_told(
        self, window: MainWindow, engine: FakeEngine, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from distill.errors import CheckpointError

        # Otherwise the notice about them, which comes in its own time, takes the place of the reason.
        monkeypatch.setattr("distill.gui.training.missing_sounds_notice.missing_sounds", lambda record: ())
        earlier_run("bells")
        engine.fail_with = CheckpointError("The sounds are not those that it was trained on. Put them back.")
        show_list(window, qtbot, 1)
        click_row(window, 0)
        qtbot.waitUntil(lambda: window.runs.runs.folder is not None)
        qtbot.waitUntil(button(window, "runResumeButton").isEnabled)
        click(window, "runResumeButton")
        qtbot.waitUntil(lambda: "Put them back" in window.notices.text())

    def test_a_run_that_could_not_be_resumed_is_only_shown_later(
        self, window: MainWindow, engine: FakeEngine, qtbot: QtBot
    ) -> None:
        record = earlier_run("bells") / "run.json"
        content = record.read_bytes()
        show_list(window, qtbot, 1)
        record.write_bytes(b"damaged")
        window.past_runs.resume(record.parent)
        qtbot.waitUntil(lambda: window.notices.has("open"))
        record.write_bytes(content)
        window.past_runs.show(record.parent)
        qtbot.waitUntil(lambda: window.runs.runs.folder == record.parent)
        assert window.runs.bridge.state is RunState.IDLE
        assert engine.calls == []

    def test_the_filter(self, window: MainWindow, qtbot: QtBot) -> None:
        for n, name in enumerate(("Bells", "drums", "little BELLS"), 1):
            earlier_run(name, day=n)
        show_list(window, qtbot, 3)
        field = window.findChild(QLineEdit, "runFilter")
        assert field is not None
        QTest.keyClicks(field, "bell")
        assert names(window) == ["little BELLS", "Bells"]
        QTest.keyClicks(field, "xyz")
        assert names(window) == []
        QTest.keyClick(field, Qt.Key.Key_Escape)
        assert len(names(window)) == 3

    def test_what_is_chosen_stays_chosen_when_runs_come_and_go(self, window: MainWindow, qtbot: QtBot) -> None:
        kept, gone = earlier_run("kept", day=3), earlier_run("gone", day=1)
        show_list(window, qtbot, 2)
        view(window).setCurrentIndex(view(window).model().index(0, 0))
        earlier_run("new", day=9)
        shutil.rmtree(gone)
        window.past_runs.refresh()
        qtbot.waitUntil(lambda: names(window) == ["new", "kept"])
        current = window.run_list.current()
        assert current is not None
        assert current.folder == kept

    def test_a_new_name(self, window: MainWindow, qtbot: QtBot) -> None:
        folder = earlier_run("bells")
        show_list(window, qtbot, 1)
        view(window).setCurrentIndex(view(window).model().index(0, 0))
        view(window).setFocus()
        QTest.keyClick(view(window), Qt.Key.Key_F2)
        editor = view(window).findChild(QLineEdit, "runNameEdit")
        assert editor is not None
        editor.selectAll()
        QTest.keyClicks(editor, "Church bells")
        QTest.keyClick(editor, Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: names(window) == ["Church bells"])
        assert RunRecord.load(folder).model_name == "Church bells"

    @pytest.mark.parametrize("answer", ["keep", "delete"])
    def test_to_the_trash_after_asking(
        self, window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: str
    ) -> None:
        moved = use_trash(tmp_path / "trash", monkeypatch)
        folder = earlier_run("bells")
        show_list(window, qtbot, 1)
        click_row(window, 0)
        qtbot.waitUntil(lambda: window.runs.runs.folder == folder)
        QTest.keyClick(view(window), Qt.Key.Key_Delete)
        question = window.findChild(QMessageBox, "deleteRunDialog")
        assert question is not None
        assert "bells" in question.text()
        if answer == "keep":
            QTest.keyClick(question, Qt.Key.Key_Escape)
            assert folder.is_dir()
            assert names(window) == ["bells"]
            return
        QTest.mouseClick(next(b for b in question.buttons() if b.objectName() == "deleteRunButton"), LEFT)
        qtbot.waitUntil(lambda: names(window) == [])
        assert (moved[0] / "run.json").is_file()
        assert window.runs.runs.folder is None  # the window shows it no more
        assert not button(window, "resumeButton").isEnabled()
        assert window.previews.grid.sound_count == 0

    def test_a_run_of_another_process_is_left_alone(self, window: MainWindow, qtbot: QtBot) -> None:
        folder = RunFolder(earlier_run("bells", status="running"), resuming=True)
        try:
            show_list(window, qtbot, 1)
            view(window).setCurrentIndex(view(window).model().index(0, 0))
            assert "training" in said(window)
            for name in ("resume", "rename", "delete"):
                action = window.findChild(QAction, f"run {name}")
                assert action is not None
                assert not action.isEnabled()
            assert not button(window, "runResumeButton").isEnabled()
            assert not view(window).model().flags(view(window).model().index(0, 0)) & Qt.ItemFlag.ItemIsEditable
        finally:
            folder.close()

    def test_a_place_without_a_trash_is_told(
        self, window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_path: Path) -> Path:
            raise OSError("there is no trash here")

        class NoTrash:
            def __init__(self, _path: str) -> None: ...

            def moveToTrash(self) -> bool:
                return False

        monkeypatch.setattr(system_trash, "QFile", NoTrash)
        monkeypatch.setattr(trash, "move_to_trash", fail)
        folder = earlier_run("bells")
        show_list(window, qtbot, 1)
        view(window).setCurrentIndex(view(window).model().index(0, 0))
        view(window).setFocus()
        QTest.keyClick(view(window), Qt.Key.Key_Delete)
        question = window.findChild(QMessageBox, "deleteRunDialog")
        assert question is not None
        QTest.mouseClick(next(b for b in question.buttons() if b.objectName() == "deleteRunButton"), LEFT)
        qtbot.waitUntil(lambda: "cannot be moved to a trash" in window.notices.text())
        assert folder.is_dir()

    def test_the_tab_and_the_keys(
        self, window: MainWindow, engine: FakeEngine, device: FakeDevice, qtbot: QtBot
    ) -> None:
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow)
        control = Qt.KeyboardModifier.ControlModifier
        QTest.keyClick(window, Qt.Key.Key_5, control)
        assert button(window, "openRunButton").hasFocus()  # there is nothing in the list yet
        earlier_run("bells")
        show_list(window, qtbot, 1)
        QTest.keyClick(window, Qt.Key.Key_5, control)
        assert view(window).hasFocus()
        QTest.keyClick(window, Qt.Key.Key_1, control)
        assert window.browser.isVisible()
        QTest.keyClick(window, Qt.Key.Key_5, control)
        close(qtbot, window)
        again = make_window(qtbot, engine, device)
        qtbot.waitUntil(lambda: view(again).isVisible())
        close(qtbot, again)

    def test_every_row_can_be_painted(self, window: MainWindow, qtbot: QtBot) -> None:
        """All statuses, an empty curve and a damaged record: the pictures differ, and nothing is raised."""
        for n, status in enumerate(("finished", "stopped", "running", "failed"), 1):
            earlier_run(status, status=status, epochs=n - 1, day=n)
        (earlier_run("damaged", day=9) / "run.json").write_text("{")
        show_list(window, qtbot, 5)
        image = view(window).viewport().grab().toImage()
        index: QModelIndex = view(window).model().index(0, 0)
        height = view(window).visualRect(index).height()
        rows = [image.copy(0, n * height, image.width(), height) for n in range(5)]
        assert all(a != b for n, a in enumerate(rows) for b in rows[:n])


class TestDeletingSeveral:
    @pytest.fixture
    def listed(self, window: MainWindow, qtbot: QtBot) -> MainWindow:
        for day, name in enumerate(("d", "c", "b", "a"), 1):
            earlier_run(name, day=day)
        show_list(window, qtbot, 4)
        assert names(window) == ["a", "b", "c", "d"]
        return window

    def question(self, window: MainWindow) -> QMessageBox:
        found = window.findChild(QMessageBox, "deleteRunDialog")
        assert found is not None
        return found

    def test_what_is_named_goes_to_the_trash(
        self, listed: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        moved = use_trash(tmp_path / "trash", monkeypatch)
        choose_rows(listed, 0, 2, 3)
        QTest.keyClick(view(listed), Qt.Key.Key_Delete)
        text = self.question(listed).text()
        assert text == "3 runs go to the trash, with their curves, previews and checkpoints: “a”, “c”, “d”."
        button(listed, "deleteRunButton").click()
        qtbot.waitUntil(lambda: names(listed) == ["b"])
        assert sorted(path.name for path in moved) == ["a", "c", "d"]

    def test_one_that_stays_does_not_keep_the_others(
        self, listed: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        moved = use_trash(tmp_path / "trash", monkeypatch)
        choose_rows(listed, 0, 1, 2)
        QTest.keyClick(view(listed), Qt.Key.Key_Delete)
        other = RunFolder(paths.runs_dir() / "a", resuming=True)  # another program begins to train in it
        try:
            button(listed, "deleteRunButton").click()
            qtbot.waitUntil(lambda: names(listed) == ["a", "d"])
            assert "Another Distill is training in" in listed.notices.text()
            assert sorted(path.name for path in moved) == ["b", "c"]
        finally:
            other.close()

    def test_a_run_that_trains_among_them_cannot_be_deleted(self, listed: MainWindow, qtbot: QtBot) -> None:
        other = RunFolder(earlier_run("e", status="running", day=9), resuming=True)
        try:
            show_list(listed, qtbot, 5)
            assert "training" in said(listed, 0)
            delete = listed.run_list.actions_by_name["delete"]
            choose_rows(listed, 1, 2)
            assert delete.isEnabled()
            choose_rows(listed, 1, 0)
            assert not delete.isEnabled()
        finally:
            other.close()

    def test_the_menu_of_a_row_keeps_the_others_chosen(self, listed: MainWindow) -> None:
        choose_rows(listed, 0, 2)
        for number, chosen in ((0, ["a", "c"]), (3, ["d"])):
            at = view(listed).visualRect(view(listed).model().index(number, 0)).center()
            QTest.mouseClick(view(listed).viewport(), Qt.MouseButton.RightButton, pos=at)
            view(listed).customContextMenuRequested.emit(at)
            menu = listed.findChild(QMenu, "runMenu")
            assert menu is not None
            menu.close()
            assert [run.name for run in listed.run_list.view.chosen_runs()] == chosen
            current = listed.run_list.current()
            assert current is not None
            assert current.name == chosen[0]


_KILLED = """
import sys
from pathlib import Path
from PySide6.QtWidgets import QApplication
from distill.gui.window.main_window import MainWindow
from distill.playback.player import Player
from tests.gui.fakes import FakeDevice, FakeEngine

app = QApplication(["distill"])
window = MainWindow(FakeEngine(0.02), Player(open_output=FakeDevice()))
window.show()
window.open_folder(Path(sys.argv[1]))
window.sounds.sounds_changed.connect(window.controls.start.click)
window.runs.bridge.epoch_finished.connect(lambda epoch: print("epoch", epoch.epoch, flush=True))
app.exec()
"""


def test_a_run_survives_the_death_of_the_program(
    qapp: object, sounds: Path, engine: FakeEngine, device: FakeDevice, qtbot: QtBot
) -> None:
    for bad in ("empty.wav", "text.wav", "silent.wav"):
        (sounds / bad).unlink()
    root = Path(__file__).parents[3]
    child = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(sounds)], stdout=subprocess.PIPE, text=True, cwd=root,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (root / "src", root)))},
    )  # fmt: skip
    try:
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith("epoch 1"):
                break
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    window = make_window(qtbot, engine, device)
    qtbot.waitUntil(lambda: view(window).model().rowCount() == 1)
    assert "interrupted" in said(window)
    qtbot.waitUntil(button(window, "resumeButton").isEnabled)  # the run is shown again, as it was
    assert "shown" in said(window)
    before = len(window.run_list.table.item(0).progress.curve)
    assert before >= 2
    window.tabs.setCurrentWidget(window.run_list)
    view(window).setCurrentIndex(view(window).model().index(0, 0))
    engine.step_seconds = 0.0005
    click(window, "runResumeButton")
    await_state(qtbot, window, RunState.TRAINING)
    click(window, "cancelButton")
    await_state(qtbot, window, RunState.IDLE)
    assert engine.calls == ["resume to None"]
    assert [e.epoch for e in window.runs.bridge.history.epochs][:before] == list(range(before))
    qtbot.waitUntil(lambda: "paused" in said(window))
    close(qtbot, window)


def test_names_in_tooltips_are_no_markup(window: MainWindow) -> None:
    name = "<b>kick</b> & <img src=x>"
    run = RunSummary(Path("/runs/<i>odd"), "odd status", name, problem="<u>damaged</u>")
    window.run_list.show_runs([run])
    tip = window.run_list.table.index(0).data(Qt.ItemDataRole.ToolTipRole)
    document = QTextDocument()
    document.setHtml(tip)
    for text in (name, "<u>damaged</u>", "<i>odd"):
        assert text in document.toPlainText()
    assert "unreadable" in window.run_list.table.index(0).data(Qt.ItemDataRole.AccessibleTextRole)


def test_a_run_that_has_begun_again_is_not_deleted(
    window: MainWindow, loaded: MainWindow, engine: FakeEngine, qtbot: QtBot
) -> None:
    """The queue resumes it while the question about it is open."""
    folder = pause_after(loaded, qtbot, engine, 1)
    show_list(loaded, qtbot, 1)
    click_row(loaded, 0)
    delete = loaded.run_list.actions_by_name["delete"]
    qtbot.waitUntil(delete.isEnabled)  # the list has seen that the run is paused
    delete.trigger()
    loaded.runs.resume()
    await_state(qtbot, loaded, RunState.TRAINING)
    button(loaded, "deleteRunButton").click()
    assert loaded.notices.text() == "“my sounds” is training now. Pause it before you move it to the trash."
    assert loaded.runs.runs.folder == folder
    click(loaded, "cancelButton")
    await_state(qtbot, loaded, RunState.IDLE)
    assert folder.exists()
