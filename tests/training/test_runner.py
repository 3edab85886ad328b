"""A run in a thread of its own."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from distill.errors import NotEnoughSoundsError
from distill.events import Event
from distill.training import StepMetrics, TrainingCompleteEvent, TrainingRunner, list_checkpoints
from tests.training.conftest import QUICK, ended, write_sounds

LONG = replace(QUICK, max_epochs=500)


@pytest.fixture
def runner() -> TrainingRunner:
    return TrainingRunner()


def test_before_the_first_run(runner: TrainingRunner) -> None:
    assert not runner.is_running()
    assert runner.wait(0)
    assert runner.result() is None
    assert runner.last_error() is None
    runner.cancel()  # nothing to stop


def test_start_cancel_resume(runner: TrainingRunner, tmp_path: Path) -> None:
    sounds = write_sounds(tmp_path / "sounds", 5)
    first_step = threading.Event()
    events: list[Event] = []

    def emit(event: Event) -> None:
        assert threading.current_thread() is not threading.main_thread()
        events.append(event)
        if isinstance(event, StepMetrics):
            first_step.set()

    runner.cancel()  # of no run: must not stop the next one
    runner.start(LONG, sounds, tmp_path / "run", "cpu", emit)
    assert runner.is_running()
    assert runner.result() is None
    with pytest.raises(RuntimeError, match="running already"):
        runner.start(LONG, sounds, tmp_path / "other", "cpu")
    assert first_step.wait(60)
    assert not runner.wait(0.01)
    began = time.perf_counter()
    runner.cancel()
    assert time.perf_counter() - began < 0.05
    assert runner.wait(60)
    assert ended(events).outcome == "stopped"
    result = runner.result()
    assert result is not None
    assert result["outcome"] == "stopped"
    assert runner.last_error() is None

    checkpoint = list_checkpoints(tmp_path / "run" / "checkpoints")[-1]
    shorter = replace(LONG, max_epochs=checkpoint["epoch"] + 1)
    runner.resume(shorter, sounds, tmp_path / "run", "cpu", checkpoint["path"])
    assert runner.wait(60)
    again = runner.result()
    assert again is not None
    assert again["outcome"] == "finished"


def test_an_error_is_kept(runner: TrainingRunner, tmp_path: Path) -> None:
    events: list[Event] = []
    runner.start(QUICK, [], tmp_path / "run", "cpu", events.append)
    assert runner.wait(60)
    assert isinstance(runner.last_error(), NotEnoughSoundsError)
    assert runner.result() is None
    assert isinstance(events[-1], TrainingCompleteEvent)
    runner.start(replace(QUICK, max_epochs=1), write_sounds(tmp_path / "sounds", 4), tmp_path / "good", "cpu")
    assert runner.wait(60)
    assert runner.last_error() is None
    assert runner.result() is not None
