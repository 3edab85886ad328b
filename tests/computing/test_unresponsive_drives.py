"""Work that reads from a drive which does not answer: it is waited for, and left behind if the user wants to stop."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from distill.computing import unresponsive_drives
from distill.computing.unresponsive_drives import is_left_behind, wait_for
from distill.errors import Cancelled, NoAnswer, SoundError


@pytest.fixture
def drive(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A drive that answers when the event is set: at the latest at the end of the test."""
    monkeypatch.setattr(unresponsive_drives, "PATIENCE_S", 0.3)
    answers = threading.Event()
    yield answers
    answers.set()
    deadline = time.monotonic() + 60
    while is_left_behind() and time.monotonic() < deadline:
        time.sleep(0.01)


def hang(drive: threading.Event) -> Callable[[object], str]:
    def read(_progress: object) -> str:
        drive.wait(60)
        return "read"

    return read


def test_what_answers_is_as_if_called_here() -> None:
    threads: list[threading.Thread] = []

    def work(progress: Callable[..., None]) -> str:
        progress(1, 2)
        progress(2, 2)
        return "read"

    seen: list[tuple[int, int]] = []

    def show(done: int, total: int) -> None:
        threads.append(threading.current_thread())
        seen.append((done, total))

    assert wait_for(work, threading.Event(), [], show) == "read"
    assert seen == [(1, 2), (2, 2)]
    assert set(threads) == {threading.current_thread()}


def test_its_errors_are_raised_here() -> None:
    def work(_progress: object) -> None:
        raise SoundError("is empty")

    with pytest.raises(SoundError, match="is empty"):
        wait_for(work, None, [])


def test_without_a_wish_to_stop_it_is_waited_for(drive: threading.Event) -> None:
    threading.Timer(0.8, drive.set).start()
    assert wait_for(hang(drive), threading.Event(), []) == "read"


def test_after_a_wish_to_stop_it_has_a_while_to_answer(drive: threading.Event) -> None:
    stop = threading.Event()
    stop.set()
    threading.Timer(0.1, drive.set).start()
    assert wait_for(hang(drive), stop, []) == "read"
    assert not is_left_behind()


def test_what_does_not_answer_is_left_behind_until_it_does(drive: threading.Event, tmp_path: Path) -> None:
    stop, began = threading.Event(), time.monotonic()
    threading.Timer(0.2, stop.set).start()
    with pytest.raises(Cancelled) as raised:
        wait_for(hang(drive), stop, [tmp_path / "bells" / "low", tmp_path / "bells" / "high"])
    assert isinstance(raised.value, NoAnswer)
    assert str(raised.value) == f"{tmp_path / 'bells'} does not answer."
    assert time.monotonic() - began < 30
    assert is_left_behind()
    drive.set()
    deadline = time.monotonic() + 60
    while is_left_behind() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_left_behind()


@pytest.mark.parametrize("places", [[], [Path("/"), Path("/mnt/bells")], [Path("here"), Path("/there")]])
def test_no_folder_is_blamed_that_is_not_that_of_the_sounds(drive: threading.Event, places: list[Path]) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(NoAnswer, match=r"^A folder of the sounds does not answer\.$"):
        wait_for(hang(drive), stop, places)
