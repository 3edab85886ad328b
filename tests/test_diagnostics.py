import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from distill import diagnostics
from distill.diagnostics import Report


@pytest.fixture
def diagnosed() -> Iterator[None]:
    diagnostics.start()
    yield
    diagnostics.stop()


def _failing(message: str) -> None:
    raise RuntimeError(message)


def _caught(message: str) -> RuntimeError:
    with pytest.raises(RuntimeError) as info:
        _failing(message)
    return info.value


@pytest.mark.usefixtures("diagnosed")
def test_report_reaches_log_and_observers() -> None:
    seen: list[Report] = []
    diagnostics.subscribe(seen.append)
    made = diagnostics.report(_caught("the cat stepped on it"))
    assert seen == [made]
    assert made.summary == "RuntimeError: the cat stepped on it"
    assert made.origin == "MainThread"
    text = diagnostics.log_file().read_text(encoding="utf-8")
    assert "the cat stepped on it" in text
    assert "in _failing" in text


@pytest.mark.usefixtures("diagnosed")
def test_reports_wait_for_the_first_observer() -> None:
    for number in range(diagnostics.KEPT_REPORTS + 5):
        diagnostics.report(_caught(str(number)))
    first: list[Report] = []
    second: list[Report] = []
    diagnostics.subscribe(first.append)
    diagnostics.subscribe(second.append)
    assert [r.summary for r in first[:2]] == ["RuntimeError: 0", "RuntimeError: 1"]
    assert len(first) == diagnostics.KEPT_REPORTS
    assert second == []


@pytest.mark.usefixtures("diagnosed")
def test_a_name_that_is_no_utf8_is_logged(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnostics.log, "propagate", False)  # pytest could not send what it captured to its parent
    diagnostics.log.warning("No waveform of %s", "k\udcfcche.wav")
    assert r"No waveform of k\udcfcche.wav" in diagnostics.log_file().read_text(encoding="utf-8")
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("diagnosed")
def test_unsubscribed_observer_hears_nothing_more() -> None:
    seen: list[Report] = []
    unsubscribe = diagnostics.subscribe(seen.append)
    unsubscribe()
    unsubscribe()
    diagnostics.report(_caught("quiet"))
    assert seen == []


@pytest.mark.usefixtures("diagnosed")
def test_broken_observer_hides_nothing() -> None:
    seen: list[Report] = []

    def broken(made: Report) -> None:
        raise ValueError("no room for a dialog")

    diagnostics.subscribe(broken)
    diagnostics.subscribe(seen.append)
    diagnostics.report(_caught("first"))
    assert [r.summary for r in seen] == ["RuntimeError: first"]
    assert "no room for a dialog" in diagnostics.log_file().read_text(encoding="utf-8")


@pytest.mark.usefixtures("diagnosed")
def test_errors_of_threads_are_reported(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[Report] = []
    diagnostics.subscribe(seen.append)
    thread = threading.Thread(target=_failing, args=("in a thread",), name="worker")
    thread.start()
    thread.join()
    assert [(r.summary, r.origin) for r in seen] == [("RuntimeError: in a thread", "worker")]
    assert str(diagnostics.log_file()) in capsys.readouterr().err


def test_log_rotates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnostics, "LOG_BYTES", 3000)
    diagnostics.start()
    for number in range(60):
        diagnostics.log.info("line %d %s", number, "x" * 200)
    diagnostics.stop()
    files = sorted(diagnostics.log_file().parent.glob("distill.log*"))
    assert len(files) == diagnostics.LOG_FILES
    assert all(f.stat().st_size <= 3000 for f in files)
    assert "line 59" in diagnostics.log_file().read_text(encoding="utf-8")


def test_a_log_that_another_process_holds_is_continued(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Windows renames no file that is open in a second window or in a terminal: each further line was lost."""

    def held(*_names: object) -> None:
        raise PermissionError(13, "The process cannot access the file")

    monkeypatch.setattr(diagnostics, "LOG_BYTES", 200)
    diagnostics.start()
    with monkeypatch.context() as patch:
        patch.setattr("logging.handlers.os.rename", held)
        for number in range(4):
            diagnostics.log.info("line %d %s", number, "x" * 150)
    text = diagnostics.log_file().read_text(encoding="utf-8")
    assert [f"line {number} " in text for number in range(4)] == [True] * 4
    for _ in range(3):
        diagnostics.log.info("it is let go %s", "x" * 150)
    diagnostics.stop()
    assert "line 0 " not in diagnostics.log_file().read_text(encoding="utf-8")
    assert capsys.readouterr().err == ""


def test_log_folder_that_cannot_be_made_is_told(distill_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (distill_home / "log").write_text("a file where the folder should be")
    diagnostics.start()
    seen: list[Report] = []
    diagnostics.subscribe(seen.append)
    diagnostics.report(_caught("still told"))
    diagnostics.stop()
    assert [r.summary for r in seen] == ["RuntimeError: still told"]
    assert "no log is kept" in capsys.readouterr().err


def test_without_a_log_errors_that_are_told_elsewhere_are_not_printed(distill_home: Path) -> None:
    (distill_home / "log").write_text("a file where the folder should be")
    script = "from distill import diagnostics as d; d.start(); d.log.error('It failed', exc_info=OSError('no place'))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("distill: no log is kept")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_log_that_cannot_be_written_any_more_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    """In place of a traceback of the log itself for each line of it."""
    diagnostics.start()
    diagnostics.log_file().symlink_to("/dev/full")
    for number in range(3):
        diagnostics.log.error("The run %d failed", number, exc_info=OSError("no place"))
    assert capsys.readouterr().err == "distill: the log cannot be written (No space left on device).\n"


_CHILD = """
import json, sys
from distill import diagnostics

class Angry:
    def __del__(self):
        raise RuntimeError("in a destructor")

diagnostics.start()
seen = []
diagnostics.subscribe(lambda made: seen.append([made.summary, made.origin]))
thing = Angry()
del thing
print(json.dumps(seen), flush=True)
if sys.argv[1] == "crash":
    import faulthandler
    faulthandler._sigsegv()
raise ValueError("at the very top")
"""


def test_destructors_and_the_main_thread_are_caught() -> None:
    done = subprocess.run([sys.executable, "-c", _CHILD, "raise"], capture_output=True, text=True)
    assert done.returncode == 1
    (entry,) = json.loads(done.stdout)
    assert entry[0] == "RuntimeError: in a destructor"
    assert "Angry.__del__" in entry[1]
    assert "at the very top" in diagnostics.log_file().read_text(encoding="utf-8")
    assert "at the very top" in done.stderr


def test_crash_of_native_code_leaves_a_trace() -> None:
    done = subprocess.run([sys.executable, "-c", _CHILD, "crash"], capture_output=True, text=True)
    assert done.returncode < 0
    assert "Segmentation fault" in (diagnostics.log_file().parent / "crash.log").read_text(encoding="utf-8")
