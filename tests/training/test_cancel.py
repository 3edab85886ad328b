"""Cancelling takes effect within one step, whatever the run is doing."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from distill.events import Event, StartPreviewEvent
from distill.models import open_model
from distill.models.families.vae_family import MelVAEFamily
from distill.models.nearest_training_sound import SoundIndex
from distill.runs.preview_files import BEFORE_FOLDER, PAIRS, SAMPLES
from distill.runs.run_record import RunRecord
from distill.training import (
    PreparationProgress,
    PreviewEvent,
    StepMetrics,
    TrainingNotice,
    TrainingRunner,
    list_checkpoints,
    list_previews,
    resume_run,
    train,
)
from distill.training.beginning.compute_plan_trial import FIRST_STEP_SECONDS, TRIAL_SECONDS, choose_plan
from distill.training.ending import model_contents
from tests.training.conftest import QUICK, ended, write_sounds
from tests.training.test_resume import assert_same_run


class CancelOn:
    """A callback that cancels at the first event that a condition holds for."""

    def __init__(self, condition: Callable[[Event], bool]) -> None:
        self.condition, self.cancel = condition, threading.Event()
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if self.condition(event):
            self.cancel.set()


def stage(name: str) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, PreparationProgress) and event.stage.startswith(name)


def notices(events: list[Event], topic: str) -> list[str]:
    return [e.message for e in events if isinstance(e, TrainingNotice) and e.topic == topic]


@pytest.mark.parametrize("name", ["Reading", "Preparing training sounds", "Preparing held-out", "Measuring"])
def test_while_the_run_is_prepared(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objectives = 0
    objective = MelVAEFamily.objective

    def counting(*arguments: Any) -> Any:
        nonlocal objectives
        objectives += 1
        return objective(*arguments)

    monkeypatch.setattr(MelVAEFamily, "objective", counting)
    stop = CancelOn(stage(name))
    config = replace(QUICK, precision="auto")
    sounds = write_sounds(tmp_path / "sounds", 4)
    assert train(config, sounds, tmp_path / "run", "cpu", stop, stop.cancel)["outcome"] == "stopped"
    assert objectives == 0  # not one step of the trial was taken
    assert ended(stop.events).outcome == "stopped"
    assert not list_checkpoints(tmp_path / "run" / "checkpoints")
    (told,) = notices(stop.events, "stopped")
    assert "there is no checkpoint yet" in told
    assert RunRecord.load(tmp_path / "run").status == "stopped"
    assert told in RunRecord.load(tmp_path / "run").notes
    assert resume_run(tmp_path / "run")["outcome"] == "finished"


def test_between_two_steps_of_the_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cancel, objectives = threading.Event(), 0
    objective = MelVAEFamily.objective

    def cancelling(*arguments: Any) -> Any:
        nonlocal objectives
        objectives += 1
        if objectives == 2:
            cancel.set()
        return objective(*arguments)

    monkeypatch.setattr(MelVAEFamily, "objective", cancelling)
    sounds = write_sounds(tmp_path / "sounds", 4)
    config = replace(QUICK, precision="auto")
    assert train(config, sounds, tmp_path / "run", "cpu", None, cancel)["outcome"] == "stopped"
    assert objectives == 2


def test_while_a_resumed_run_is_prepared(tmp_path: Path) -> None:
    sounds = write_sounds(tmp_path / "sounds", 4)
    whole = train(QUICK, sounds, tmp_path / "whole", "cpu")
    steps = CancelOn(lambda event: type(event).__name__ == "EpochMetrics")
    train(QUICK, sounds, tmp_path / "run", "cpu", steps, steps.cancel)
    before = (tmp_path / "run" / "run.json").read_bytes()
    stop = CancelOn(stage("Reading"))
    assert resume_run(tmp_path / "run", stop, stop.cancel)["outcome"] == "stopped"
    (told,) = notices(stop.events, "stopped")
    assert list_checkpoints(tmp_path / "run" / "checkpoints")[-1]["path"].name in told
    assert (tmp_path / "run" / "run.json").read_bytes() == before
    assert_same_run(whole, resume_run(tmp_path / "run"))


def test_before_the_sounds_of_a_resumed_run_are_located(tmp_path: Path) -> None:
    """The run ends as stopped, with its one last event, and stays as it was."""
    sounds = write_sounds(tmp_path / "sounds", 4)
    whole = train(QUICK, sounds, tmp_path / "whole", "cpu")
    steps = CancelOn(lambda event: type(event).__name__ == "EpochMetrics")
    train(QUICK, sounds, tmp_path / "run", "cpu", steps, steps.cancel)
    before = (tmp_path / "run" / "run.json").read_bytes()
    stop = CancelOn(lambda event: False)
    stop.cancel.set()
    assert resume_run(tmp_path / "run", stop, stop.cancel)["outcome"] == "stopped"
    assert ended(stop.events).outcome == "stopped"
    assert (tmp_path / "run" / "run.json").read_bytes() == before
    assert_same_run(whole, resume_run(tmp_path / "run"))


def test_while_previews_are_written(tmp_path: Path) -> None:
    """No preview is begun after it, and resuming the run writes those that are missing."""
    sounds = write_sounds(tmp_path / "sounds", 4)
    previews = 0

    def is_last(event: Event) -> bool:
        nonlocal previews
        previews += isinstance(event, PreviewEvent)
        return previews == 1

    stop = CancelOn(is_last)
    assert train(QUICK, sounds, tmp_path / "run", "cpu", stop, stop.cancel)["outcome"] == "stopped"
    assert sum(isinstance(e, PreviewEvent) for e in stop.events) == 1
    resume_run(tmp_path / "run")
    folder = tmp_path / "run" / "previews"
    assert sorted({p["epoch"] for p in list_previews(folder)}) == [0, 2]
    expected = SAMPLES + 2 * PAIRS  # a pair is an original and its reconstruction
    assert [len(list(folder.glob(f"*_epoch{epoch:04d}_*.wav"))) for epoch in (0, 2)] == [expected, expected]


def test_while_the_previews_before_training_are_written(tmp_path: Path) -> None:
    sounds, folder = write_sounds(tmp_path / "sounds", 4), tmp_path / "run" / "previews" / BEFORE_FOLDER
    stop = CancelOn(lambda event: isinstance(event, StartPreviewEvent))
    assert train(QUICK, sounds, tmp_path / "run", "cpu", stop, stop.cancel)["outcome"] == "stopped"
    assert len(list(folder.iterdir())) == 1
    again = CancelOn(lambda event: isinstance(event, StepMetrics))
    resume_run(tmp_path / "run", again, again.cancel)
    assert len(list(folder.iterdir())) == SAMPLES + 2 * PAIRS
    later = CancelOn(lambda event: isinstance(event, StepMetrics))
    resume_run(tmp_path / "run", later, later.cancel)  # a step is done: the model is no longer as it was
    assert not any(isinstance(event, StartPreviewEvent) for event in later.events)


def test_while_the_previews_of_the_last_epoch_are_written(tmp_path: Path) -> None:
    """All epochs are done: resuming the run completes it."""
    sounds = write_sounds(tmp_path / "sounds", 4)
    config = replace(QUICK, max_epochs=1)
    stop = CancelOn(lambda event: isinstance(event, PreviewEvent))
    assert train(config, sounds, tmp_path / "run", "cpu", stop, stop.cancel)["outcome"] == "stopped"
    assert_completed_by_resuming(tmp_path / "run", stop.events, tmp_path / "run" / "previews")


@pytest.mark.parametrize("part", ["_network", "_training_features", "build_detail", "SoundIndex.build", "map_entries"])
def test_while_the_model_file_is_completed(part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next operation of torch is not begun, the checkpoint stays, and resuming the run completes it."""
    module, name = model_contents, part
    if part == "SoundIndex.build":
        module, name = SoundIndex, "build"  # type: ignore[assignment]
    original = getattr(module, name)
    stop = CancelOn(lambda event: False)

    def cancelling(*arguments: Any) -> Any:
        stop.cancel.set()
        torch.zeros(1)
        pytest.fail("computed on after the cancel")
        return original(*arguments)

    monkeypatch.setattr(module, name, cancelling)
    sounds = write_sounds(tmp_path / "sounds", 4)
    config = replace(QUICK, max_epochs=1)
    assert train(config, sounds, tmp_path / "run", "cpu", stop, stop.cancel)["outcome"] == "stopped"
    monkeypatch.setattr(module, name, original)
    assert_completed_by_resuming(tmp_path / "run", stop.events)


def assert_completed_by_resuming(folder: Path, events: list[Event], previews: Path | None = None) -> None:
    """A run that was stopped after its last epoch says so, has its checkpoint and a model, and is completed."""
    assert ended(events).outcome == "stopped"
    (told,) = notices(events, "stopped")
    assert "all epochs are done" in told
    assert RunRecord.load(folder).status == "stopped"
    (checkpoint,) = list_checkpoints(folder / "checkpoints")
    assert open_model(folder / "model.distill").parts.index is None
    resumed: list[Event] = []
    assert resume_run(folder, resumed.append)["outcome"] == "finished"
    assert not [e for e in resumed if type(e).__name__ == "StepMetrics"]
    parts = open_model(folder / "model.distill").parts
    assert parts.index is not None
    assert parts.detail is not None
    assert list_checkpoints(folder / "checkpoints")[0]["val_loss"] == checkpoint["val_loss"]
    if previews is not None:
        assert len(list(previews.glob("*_epoch0000_*.wav"))) == SAMPLES + 2 * PAIRS


def test_between_two_operations_of_a_long_computation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What tidies up behind the cancelled preparation can use torch: the caller's random stream is as it was."""
    fit, stop = MelVAEFamily.fit_statistics, CancelOn(lambda event: False)

    def cancelling(*arguments: Any) -> None:
        torch.rand(3)
        stop.cancel.set()
        fit(*arguments)
        pytest.fail("computed on after the cancel")

    monkeypatch.setattr(MelVAEFamily, "fit_statistics", cancelling)
    torch.manual_seed(3)
    before = torch.get_rng_state()
    sounds = write_sounds(tmp_path / "sounds", 4)
    assert train(QUICK, sounds, tmp_path / "run", "cpu", stop, stop.cancel)["outcome"] == "stopped"
    assert torch.equal(torch.get_rng_state(), before)


def test_the_trial_is_short_however_slow_steps_are(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 0.0
    monkeypatch.setattr("distill.training.beginning.compute_plan_trial.time.perf_counter", lambda: clock)
    for seconds_a_chunk in (0.001, 0.01, 0.1, 0.3, 1.0, 4.0):
        began, asked = clock, list[int]()

        def step(plan: Any, chunks: int, cost: float = seconds_a_chunk, asked: list[int] = asked) -> None:
            nonlocal clock
            asked.append(chunks)
            clock += cost * (chunks + 0.5)

        config = replace(QUICK, precision="auto")
        plan = choose_plan(config, torch.device("cpu"), step, 16, f"steps of {seconds_a_chunk} s", 10**6)
        first = 1.5 * seconds_a_chunk  # of a step on one chunk, which shows how long steps take
        allowed = first if first > FIRST_STEP_SECONDS else 2 * first + TRIAL_SECONDS
        assert clock - began <= allowed + 1e-9
        assert max(asked) == (16 if seconds_a_chunk < 0.1 else 2 if seconds_a_chunk < 0.3 else 1)
        assert plan.precision == "float32"  # all are equally fast


def test_cancelling_the_runner_at_once(tmp_path: Path) -> None:
    runner, events = TrainingRunner(), []  # type: ignore[var-annotated]
    runner.start(
        replace(QUICK, precision="auto"), write_sounds(tmp_path / "sounds", 4), tmp_path / "run", "cpu", events.append
    )
    runner.cancel()
    assert runner.wait(60)
    assert runner.last_error() is None
    assert ended(events).outcome == "stopped"
