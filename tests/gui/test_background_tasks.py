"""Work on other threads, and its end."""

import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import shiboken6
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from distill import diagnostics
from distill.computing import unresponsive_drives
from distill.errors import NoAnswer, SoundError
from distill.gui import background_tasks
from distill.gui.background_tasks import BackgroundTask, TaskQueue, Work, end_tasks
from distill.gui.previews import stars
from distill.gui.user_errors import error_text


def test_no_task_begins_under_what_has_been_ended(qapp: QApplication, qtbot: QtBot) -> None:
    window, begun = QObject(), threading.Event()
    presenter = QObject(window)

    def begin(notify: object, cancelled: threading.Event) -> None:
        begun.set()

    end_tasks(window)
    task = BackgroundTask(begin, presenter)
    with qtbot.waitSignal(task.destroyed):
        task.start()
    assert not begun.wait(0.2)
    window.deleteLater()


def test_no_call_is_lost_when_the_thread_is_slow_to_end(qapp: QApplication, qtbot: QtBot) -> None:
    owner, calls = QObject(), list[str]()
    task = BackgroundTask(lambda _notify, _cancelled: None, owner)
    # The thread emits `finished` for a while: the event loop has time to delete the task before the last call is there.
    task.finished.connect(lambda: time.sleep(0.1), Qt.ConnectionType.DirectConnection)
    task.finished.connect(lambda: calls.append("finished"))
    with qtbot.waitSignal(task.destroyed):
        task.start()
    assert calls == ["finished"]
    owner.deleteLater()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the whole process would step back")
def test_a_task_steps_back_for_the_window(qapp: QApplication, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_tasks, "BACKGROUND_NICENESS", 7)
    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    owner, found = QObject(), list[int]()

    def look(_notify: object, _cancelled: object) -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    task = BackgroundTask(look, owner)
    task.succeeded.connect(found.append)
    task.start()
    qtbot.waitUntil(lambda: found == [max(7, before)])
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before
    end_tasks(owner)
    owner.deleteLater()


def test_a_task_goes_before_what_it_works_for(qapp: QApplication) -> None:
    owner, gone = QObject(), list[str]()
    owner.destroyed.connect(lambda: gone.append("owner"))

    def hold(_notify: object, _cancelled: object) -> QObject:
        return owner

    task = BackgroundTask(hold, owner)
    task.destroyed.connect(lambda: gone.append("task"))
    task.start()
    end_tasks(owner)
    assert gone == ["task"]
    assert not shiboken6.isValid(task)
    owner.deleteLater()


def test_what_hangs_is_left_behind_and_ends_with_the_program(
    qapp: QApplication, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read from a network drive that does not answer used to keep the window from closing."""
    codes: list[int] = []
    monkeypatch.setattr(background_tasks, "PATIENCE_S", 0.05)
    monkeypatch.setattr(os, "_exit", codes.append)
    monkeypatch.setattr(diagnostics, "stop", lambda: None)
    owner, go_on, heard = QObject(), threading.Event(), list[object]()
    task = BackgroundTask(lambda _notify, _cancelled: go_on.wait(120), owner)
    task.succeeded.connect(heard.append)
    task.start()
    end_tasks(owner)
    owner.deleteLater()
    QApplication.sendPostedEvents(owner, QEvent.Type.DeferredDelete)
    assert shiboken6.isValid(task)
    assert task.isRunning()
    background_tasks.end_if_stuck(3)
    with qtbot.waitSignal(task.destroyed):
        go_on.set()
    background_tasks.end_if_stuck(4)
    assert (codes, heard) == ([3], [])


def test_the_program_ends_although_a_stopped_training_still_waits_for_its_sounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    monkeypatch.setattr(diagnostics, "stop", lambda: None)
    monkeypatch.setattr(unresponsive_drives, "PATIENCE_S", 0.05)
    stop, answers = threading.Event(), threading.Event()
    stop.set()
    with pytest.raises(NoAnswer):
        unresponsive_drives.wait_for(lambda _progress: answers.wait(120), stop, [])
    background_tasks.end_if_stuck(3)
    answers.set()
    deadline = time.monotonic() + 60
    while unresponsive_drives.is_left_behind() and time.monotonic() < deadline:
        time.sleep(0.01)
    background_tasks.end_if_stuck(4)
    assert codes == [3]


def test_what_keeps_the_work_of_the_user_is_waited_for_longer(
    qapp: QApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background_tasks, "PATIENCE_S", 0.01)
    owner, written = QObject(), list[str]()

    def write(_notify: object, cancelled: threading.Event) -> None:
        assert cancelled.wait(60)
        time.sleep(0.2)
        written.append("a model")

    BackgroundTask(write, owner, keeps=True).start()
    end_tasks(owner)
    assert written == ["a model"]
    owner.deleteLater()


def test_pending_requests_are_carried_out_beside_one_that_hangs(
    qapp: QApplication, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, go_on, done = QObject(), threading.Event(), list[str]()
    queue = TaskQueue("things", owner)
    queue.submit(lambda _notify, _cancel: go_on.wait(120))
    queue.submit(lambda _notify, _cancel: done.append("notes"))
    task = queue.findChild(BackgroundTask)
    assert isinstance(task, BackgroundTask)
    monkeypatch.setattr(background_tasks, "PATIENCE_S", 0.05)
    queue.finish()
    assert done == []
    monkeypatch.setattr(background_tasks, "milliseconds_until", lambda _deadline: 50)
    monkeypatch.setattr(background_tasks, "PATIENCE_S", 120.0)
    queue.close()
    assert done == ["notes"]
    with qtbot.waitSignal(task.destroyed):
        go_on.set()
    owner.deleteLater()


def test_the_program_ends_although_a_thread_hangs(tmp_path: Path) -> None:
    """The thread, and one that it has started, wait for ever, as a read from a drive that does not answer."""
    code = """
    import sys, threading
    from PySide6.QtCore import QCoreApplication, QObject
    from distill.gui import background_tasks
    background_tasks.PATIENCE_S = 0.05
    app, owner, begun = QCoreApplication([]), QObject(), threading.Event()
    def hang(_notify, _cancel):
        threading.Thread(target=threading.Event().wait).start()
        begun.set()
        threading.Event().wait()
    background_tasks.BackgroundTask(hang, owner).start()
    begun.wait()
    background_tasks.end_tasks(owner)
    del owner
    background_tasks.end_if_stuck(7)
    """
    assert subprocess.run([sys.executable, "-c", textwrap.dedent(code)], timeout=120).returncode == 7


def test_closed_stars_read_nothing_more(
    qapp: QApplication, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    def note(folder: Path, changes: list[stars.StarChange]) -> stars._Update:
        read.append(folder)
        return stars._Update(folder, frozenset(), False)

    monkeypatch.setattr(stars, "update_stars", note)
    window = QObject()
    starred = stars.Stars(window)
    starred.open(tmp_path)
    starred.open(tmp_path / "other")  # waits for the first
    starred.close()
    qtbot.wait(100)  # the end of the first is told
    assert read == [tmp_path]
    window.deleteLater()


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> list[tuple[BaseException, bool | None]]:
    found: list[tuple[BaseException, bool | None]] = []

    def note(error: BaseException, _origin: str | None = None, *, is_expected: bool | None = None) -> None:
        found.append((error, is_expected))

    monkeypatch.setattr(diagnostics, "report", note)
    return found


@pytest.mark.parametrize("is_connected", [True, False])
@pytest.mark.parametrize("error", [SoundError("It is silent."), OSError(28, "No space left"), KeyError("a bug")])
def test_errors_are_shown_or_reported_and_never_only_logged(
    qapp: QApplication,
    qtbot: QtBot,
    reports: list[tuple[BaseException, bool | None]],
    error: Exception,
    is_connected: bool,
) -> None:
    def fail(_notify: object, _cancelled: object) -> None:
        raise error

    owner, shown, ended = QObject(), list[Exception](), list[bool]()
    task = BackgroundTask(fail, owner)
    if is_connected:
        task.failed.connect(shown.append)
    task.ended.connect(lambda: ended.append(True))
    task.start()
    qtbot.waitUntil(lambda: ended == [True])
    if isinstance(error, KeyError):  # a bug: the user cannot act on it
        assert (shown, reports) == ([], [(error, None)])
    elif is_connected:
        assert (shown, reports) == ([error], [])
    else:
        assert reports == [(error, True)]
    end_tasks(owner)
    owner.deleteLater()


def test_an_error_says_what_the_system_says() -> None:
    assert error_text(OSError(28, "No space left", "/disk/a.wav")) == "No space left: /disk/a.wav"
    assert error_text(SoundError("It is silent.")) == "It is silent."


class Recorder:
    """Makes work that notes when it is carried out, and can be held up."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.cancelled: list[str] = []  # carried out with the event set that requests an early end
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def work(self, name: str, error: Exception | None = None) -> Work:
        def work(notify: Any, cancel: threading.Event) -> str:
            self.begun.set()
            assert self.go_on.wait(10)
            self.done.append(name)
            if cancel.is_set():
                self.cancelled.append(name)
            notify(f"{name} is nearly done")
            if error is not None:
                raise error
            return name

        return work


@pytest.fixture
def queue(qapp: QApplication) -> Iterator[TaskQueue]:
    owner = QObject()
    yield TaskQueue("things", owner)
    end_tasks(owner)
    owner.deleteLater()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def test_a_queue_runs_in_order_and_delivers_each_result(queue: TaskQueue, recorder: Recorder, qtbot: QtBot) -> None:
    heard = list[object]()
    recorder.go_on.clear()
    for name in ("a", "b"):
        queue.submit(
            recorder.work(name), heard.append, on_progress=heard.append, on_started=lambda: heard.append("started")
        )
    assert heard == ["started"], "the first starts at once, the second not before it has ended"
    assert (queue.is_busy, queue.has_pending) == (True, True)
    assert queue.findChild(BackgroundTask, "things") is not None
    with qtbot.waitSignal(queue.idle):
        recorder.go_on.set()
    assert heard == ["started", "a is nearly done", "a", "started", "b is nearly done", "b"]
    assert (queue.is_busy, queue.has_pending) == (False, False)


def test_a_queue_goes_on_after_an_error(
    queue: TaskQueue, recorder: Recorder, qtbot: QtBot, reports: list[tuple[BaseException, bool | None]]
) -> None:
    shown, error, bug = list[Exception](), SoundError("It is silent."), KeyError("a bug")
    queue.submit(recorder.work("a", error), on_failed=shown.append)
    queue.submit(recorder.work("b", error))  # for which nobody shows errors
    queue.submit(recorder.work("c", bug), on_failed=shown.append)
    queue.submit(recorder.work("d"))
    with qtbot.waitSignal(queue.idle):
        pass
    assert recorder.done == ["a", "b", "c", "d"]
    assert shown == [error]
    assert reports == [(error, True), (bug, None)]


def test_what_a_result_leads_to_comes_after_what_is_pending(queue: TaskQueue, recorder: Recorder, qtbot: QtBot) -> None:
    queue.submit(recorder.work("a"), lambda _result: queue.submit(recorder.work("c")))
    queue.submit(recorder.work("b"))
    with qtbot.waitSignal(queue.idle):
        pass
    assert recorder.done == ["a", "b", "c"]


def test_of_a_cancelled_task_nothing_is_heard_and_the_next_follows(
    queue: TaskQueue, recorder: Recorder, qtbot: QtBot
) -> None:
    heard = list[object]()
    recorder.go_on.clear()
    for name in ("a", "b"):
        queue.submit(recorder.work(name), heard.append)
    assert recorder.begun.wait(10)
    queue.cancel()
    assert queue.is_busy, "its thread has not ended yet"
    with qtbot.waitSignal(queue.idle):
        recorder.go_on.set()
    assert recorder.done == ["a", "b"]
    assert recorder.cancelled == ["a"]
    assert heard == ["b"]


def test_of_several_requests_the_newest_can_be_kept(queue: TaskQueue, recorder: Recorder, qtbot: QtBot) -> None:
    recorder.go_on.clear()
    for name in ("a", "b", "c"):
        queue.clear()
        queue.submit(recorder.work(name))
    with qtbot.waitSignal(queue.idle):
        recorder.go_on.set()
    assert recorder.done == ["a", "c"]


def test_finishing_a_queue_delivers_all_results(queue: TaskQueue, recorder: Recorder) -> None:
    heard = list[object]()
    queue.submit(recorder.work("a"), lambda _result: queue.submit(recorder.work("c"), heard.append))
    queue.submit(recorder.work("b"), heard.append)
    queue.finish()
    assert heard == ["b", "c"]
    assert not queue.is_busy


def test_closing_a_queue_carries_out_what_is_pending_and_delivers_nothing(
    queue: TaskQueue, recorder: Recorder, qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    heard = list[object]()
    queue.idle.connect(lambda: heard.append("idle"))
    recorder.go_on.clear()
    queue.submit(recorder.work("a"), heard.append, heard.append, on_progress=heard.append)
    queue.submit(recorder.work("b", KeyError("a bug")), heard.append, heard.append)
    queue.submit(recorder.work("c"), heard.append)
    assert recorder.begun.wait(10)
    threading.Timer(0.05, recorder.go_on.set).start()
    queue.close()
    queue.submit(recorder.work("too late"))
    qtbot.wait(50)  # the end of the first would be delivered
    assert recorder.done == recorder.cancelled == ["a", "b", "c"]
    assert heard == []
    assert not queue.is_busy
    assert "'things'" in caplog.text


def test_a_cleared_queue_closes_without_the_pending_requests(queue: TaskQueue, recorder: Recorder) -> None:
    recorder.go_on.clear()
    for name in ("a", "b"):
        queue.submit(recorder.work(name))
    assert recorder.begun.wait(10)
    recorder.go_on.set()
    queue.clear()
    queue.close()
    assert recorder.done == ["a"]


def test_pending_requests_are_carried_out_after_the_tasks_of_the_window_have_ended(
    queue: TaskQueue, recorder: Recorder
) -> None:
    recorder.go_on.clear()
    for name in ("a", "b"):
        queue.submit(recorder.work(name))
    assert recorder.begun.wait(10)
    recorder.go_on.set()
    owner = queue.parent()
    assert owner is not None
    end_tasks(owner)
    queue.close()
    assert recorder.done == ["a", "b"]
