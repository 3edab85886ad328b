"""Stopping a run whose sounds lie on a drive that does not answer: the user is told so, and what is kept."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from distill.audio.cache.sound_cache import SoundCache
from distill.computing import unresponsive_drives
from distill.events import Event
from distill.runs.folder import new_run_dir
from distill.runs.run_record import RunRecord
from distill.training import TrainingCompleteEvent, TrainingNotice, resume_run, train
from tests.training.conftest import QUICK, write_sounds


@pytest.fixture
def drive(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], threading.Event]]:
    """Makes a method of the cache wait for an answer; gives the event that is set once it does."""
    monkeypatch.setattr(unresponsive_drives, "PATIENCE_S", 0.3)
    answers = threading.Event()

    def silence(method: str) -> threading.Event:
        read, reading = getattr(SoundCache, method), threading.Event()

        def wait(*arguments: Any) -> Any:
            reading.set()
            answers.wait(100)
            return read(*arguments)

        monkeypatch.setattr(SoundCache, method, wait)
        return reading

    yield silence
    answers.set()
    deadline = time.monotonic() + 60
    while unresponsive_drives.is_left_behind() and time.monotonic() < deadline:
        time.sleep(0.01)


def stopped_while(reading: threading.Event, work: Callable[..., Any]) -> tuple[dict[str, Any], list[Event]]:
    """Return the result and the events of a run that the user stops while it waits for its sounds."""
    stop, events = threading.Event(), list[Event]()

    def press() -> None:
        reading.wait(100)
        stop.set()

    user = threading.Thread(target=press)
    user.start()
    result = work(callback=events.append, cancel_event=stop)
    user.join()
    return result, events


def notice(events: list[Event]) -> TrainingNotice:
    return next(event for event in events if isinstance(event, TrainingNotice) and event.topic == "stopped")


def test_a_new_run_says_that_the_folder_does_not_answer(
    tmp_path: Path, drive: Callable[[str], threading.Event]
) -> None:
    """It waited for ever, and so did the window that was to be closed."""
    files, run = write_sounds(tmp_path / "bells", 3), new_run_dir("bells")
    result, events = stopped_while(drive("get"), lambda **given: train(QUICK, files, run, "cpu", **given))
    assert result["outcome"] == "stopped"
    said = notice(events)
    assert said.message.startswith(f"{tmp_path / 'bells'} does not answer. Stopped while the run was prepared: ")
    assert said.message.endswith("what was computed from the sounds is kept.")
    assert said.level == "warning"
    assert RunRecord.load(run).status == "stopped"
    assert isinstance(events[-1], TrainingCompleteEvent)


def test_a_resumed_run_stays_at_its_checkpoint(tmp_path: Path, drive: Callable[[str], threading.Event]) -> None:
    files, run = write_sounds(tmp_path / "bells", 3), new_run_dir("bells")
    train(replace(QUICK, max_epochs=1), files, run, "cpu")
    before = (run / "run.json").read_bytes()
    result, events = stopped_while(drive("content_hash"), lambda **given: resume_run(run, max_epochs=2, **given))
    assert result["outcome"] == "stopped"
    assert notice(events).message == (
        f"{tmp_path / 'bells'} does not answer. Stopped before the training continued: the run stays at "
        "checkpoint_epoch0000.pt."
    )
    assert (run / "run.json").read_bytes() == before
