"""Finishing a run now: it ends as a full one does, with the epochs that it has made."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from distill.errors import CheckpointError
from distill.events import Event
from distill.models import open_model
from distill.runs.record_changes import mark_finished, parts_missing_text
from distill.runs.run_history import read_history
from distill.runs.run_record import RunRecord
from distill.runs.summary import summarise
from distill.training import (
    EpochMetrics,
    PreparationProgress,
    PreviewEvent,
    StepMetrics,
    TrainingCompleteEvent,
    TrainingRunner,
    VQEpochMetrics,
    list_checkpoints,
    list_previews,
    resume_run,
    train,
)
from distill.training.ending.model_contents import map_entries
from distill.training.steps.prior_training import CLOSING_STAGE
from distill.training.stop_request import StopRequest, pause_event_of, wants_finish
from tests.training.conftest import QUICK, MakeConfig, ended, topics, write_sounds
from tests.training.test_resume import assert_same_run


class SecondEpoch(StopRequest):
    """Asks to finish after the first step of the second epoch: steps are told late, but the loop looks before each."""

    def __init__(self) -> None:
        super().__init__()
        self.looks_left: int | None = None
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, (EpochMetrics, VQEpochMetrics)):
            self.looks_left = 1

    def is_set(self) -> bool:
        if self.looks_left is not None:
            self.looks_left -= 1
            if self.looks_left < 0:
                self.request_end()
        return super().is_set()

    def request_end(self) -> None:
        self.finish()

    def told(self, *kinds: type) -> list[Any]:
        return [e for e in self.events if isinstance(e, kinds)]


def test_a_plain_event_means_pause() -> None:
    plain, stop = threading.Event(), StopRequest()
    plain.set()
    assert not wants_finish(plain)
    assert pause_event_of(plain) is plain
    stop.finish()
    assert stop.is_set()
    assert wants_finish(stop)
    assert not pause_event_of(stop).is_set()
    stop.set()  # the device is wanted back at once
    assert not wants_finish(stop)
    assert pause_event_of(stop).is_set()


def test_in_the_middle_of_an_epoch(sounds: list[Path], make_config: MakeConfig, tmp_path: Path) -> None:
    at = SecondEpoch()
    config = make_config(max_epochs=50, checkpoint_interval=10)
    result = train(config, sounds, tmp_path / "run", "cpu", at.emit, at, models_dir=tmp_path / "library")
    assert result["outcome"] == ended(at.events).outcome == "finished"
    epochs = at.told(EpochMetrics, VQEpochMetrics)
    made = len(epochs)
    assert made == epochs[-1].total_epochs == 2
    assert epochs[-1].eta_seconds == 0
    steps = result["metrics_history"].step_column("step")
    assert steps[-1] == 0  # the epoch was cut short
    record = RunRecord.load(tmp_path / "run")
    assert (record.status, record.config.max_epochs) == ("finished", made)
    assert topics(at.events).count("finished") == 1
    assert "after epoch 2 of 50" in " ".join(record.notes)
    listed = summarise(tmp_path / "run")  # the list says the same
    assert (listed.progress.epochs, listed.epochs_asked) == (2, 50)
    newest = list_checkpoints(tmp_path / "run" / "checkpoints")[-1]
    assert newest["epoch"] == made - 1
    assert newest["val_loss"] == epochs[-1].val_loss  # it was measured, and may be the best
    assert open_model(tmp_path / "run" / "model.distill").metadata.training_epochs in (1, made)
    assert len(list((tmp_path / "library").glob("*.distill"))) == 1
    previewed = {e.epoch for e in at.told(PreviewEvent)}
    assert previewed == {0, made - 1}


def test_between_two_epochs_none_is_begun(tmp_path: Path) -> None:
    stop, events = StopRequest(), []

    def emit(event: Event) -> None:
        events.append(event)
        if isinstance(event, EpochMetrics) and event.epoch == 2:
            stop.finish()

    sounds = write_sounds(tmp_path / "sounds", 4)
    train(replace(QUICK, max_epochs=40), sounds, tmp_path / "run", "cpu", emit, stop)
    assert [e.epoch for e in events if isinstance(e, EpochMetrics)] == [0, 1, 2]
    steps = [e for e in events if isinstance(e, StepMetrics)]
    assert len(steps) == 3 * steps[0].total_steps
    assert {p["epoch"] for p in list_previews(tmp_path / "run" / "previews")} == {0, 2}
    assert RunRecord.load(tmp_path / "run").config.max_epochs == 3


class OneEpoch(StopRequest):
    """Asks to pause after the first epoch."""

    def emit(self, event: Event) -> None:
        if isinstance(event, EpochMetrics):
            self.set()


def test_a_paused_run_that_is_finished_gets_all_parts_of_its_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distill.training.ending.model_contents.map_entries", map_entries)  # other tests leave it out
    at, request = OneEpoch(), StopRequest()
    sounds, run = write_sounds(tmp_path / "sounds", 6), tmp_path / "run"
    config = replace(QUICK, max_epochs=9)
    assert train(config, sounds, run, "cpu", at.emit, at, models_dir=tmp_path / "library")["outcome"] == "stopped"
    paused = open_model(run / "model.distill")
    assert (paused.map, paused.parts.detail) == (None, None)
    assert not mark_finished(run), "the engine has to finish it"
    request.finish()
    events: list[Event] = []
    assert resume_run(run, events.append, request, models_dir=tmp_path / "library")["outcome"] == "finished"
    assert not [e for e in events if isinstance(e, StepMetrics)], "nothing is trained"
    for model in (run / "model.distill", *(tmp_path / "library").glob("*.distill")):
        opened = open_model(model)
        assert opened.map is not None
        assert opened.parts.detail is not None
    record = RunRecord.load(run)
    assert (record.status, record.config.max_epochs, record.epochs_asked) == ("finished", 1, 9)
    assert mark_finished(run)
    assert not parts_missing_text(run)


def test_a_paused_run_without_its_sounds_is_finished_as_it_is(tmp_path: Path) -> None:
    at = OneEpoch()
    sounds, run = write_sounds(tmp_path / "sounds", 4), tmp_path / "run"
    train(replace(QUICK, max_epochs=9), sounds, run, "cpu", at.emit, at)
    sounds[0].unlink()
    assert mark_finished(run)
    assert RunRecord.load(run).status == "finished"
    assert sounds[0].name in parts_missing_text(run)


def test_a_finished_run_can_still_be_made_longer(tmp_path: Path) -> None:
    at = SecondEpoch()
    sounds = write_sounds(tmp_path / "sounds", 6)
    config = replace(QUICK, max_epochs=6)
    train(config, sounds, tmp_path / "run", "cpu", at.emit, at)
    made = RunRecord.load(tmp_path / "run").config.max_epochs
    assert made == 2
    with pytest.raises(CheckpointError, match="epochs already"):
        resume_run(tmp_path / "run")
    events: list[Event] = []
    longer = resume_run(tmp_path / "run", events.append, max_epochs=6)
    assert longer["outcome"] == "finished"
    assert [e.epoch for e in longer["metrics_history"].epochs] == list(range(6))
    assert RunRecord.load(tmp_path / "run").epochs_asked == 6
    assert RunRecord.load(tmp_path / "run").planned_epochs is None
    # The schedule has passed over the steps that were not made: it goes on where a whole epoch would have ended,
    # on the very curve of the six epochs that the run was begun for, down to zero.
    whole = train(config, sounds, tmp_path / "whole", "cpu")
    rates = [dict(zip(zip(h.step_column("epoch"), h.step_column("step"), strict=True), h.step_column("learning_rate"),
                      strict=True)) for h in (whole["metrics_history"], longer["metrics_history"])]  # fmt: skip
    assert all(rates[0][position] == rate for position, rate in rates[1].items())
    assert len(rates[1]) < len(rates[0])
    assert read_history(tmp_path / "run").to_dict() == longer["metrics_history"].to_dict()


def test_pausing_while_the_last_epoch_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from distill.training import loop

    sounds = write_sounds(tmp_path / "sounds", 6)
    at = SecondEpoch()
    real = loop.__dict__["validate"]

    def pausing(*arguments: object) -> object:
        if at.wants_finish:
            at.set()
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "validate", pausing)
        assert train(QUICK, sounds, tmp_path / "run", "cpu", at.emit, at)["outcome"] == "stopped"
    assert RunRecord.load(tmp_path / "run").config == QUICK
    assert_same_run(train(QUICK, sounds, tmp_path / "whole", "cpu"), resume_run(tmp_path / "run"))


def test_before_the_first_step_there_is_nothing_to_finish(tmp_path: Path) -> None:
    stop = StopRequest()
    stop.finish()
    sounds = write_sounds(tmp_path / "sounds", 4)
    events: list[Event] = []
    assert train(QUICK, sounds, tmp_path / "run", "cpu", events.append, stop)["outcome"] == "stopped"
    assert resume_run(tmp_path / "run")["outcome"] == "finished"


def test_a_paused_run_is_finished_without_another_step(tmp_path: Path) -> None:
    """As the window does it for a run that was killed, and has no model yet."""
    sounds = write_sounds(tmp_path / "sounds", 6)
    at = SecondEpoch()
    at.request_end = at.set  # type: ignore[method-assign]
    train(QUICK, sounds, tmp_path / "run", "cpu", at.emit, at)
    (tmp_path / "run" / "model.distill").unlink()
    before = read_history(tmp_path / "run").step_count
    stop, events = StopRequest(), []  # type: ignore[var-annotated]
    stop.finish()
    result = resume_run(tmp_path / "run", events.append, stop)
    assert result["outcome"] == "finished"
    assert result["metrics_history"].step_count == before
    assert open_model(tmp_path / "run" / "model.distill")
    assert len(result["metrics_history"].epochs) == RunRecord.load(tmp_path / "run").config.max_epochs == 2


def test_the_runner_finishes_too(tmp_path: Path) -> None:
    runner, first_step, events = TrainingRunner(), threading.Event(), []

    def emit(event: Event) -> None:
        events.append(event)
        if isinstance(event, StepMetrics):
            first_step.set()

    config = replace(QUICK, max_epochs=500)
    runner.start(config, write_sounds(tmp_path / "sounds", 5), tmp_path / "run", "cpu", emit)
    assert first_step.wait(60)
    runner.finish()
    assert runner.wait(60)
    result = runner.result()
    assert result is not None
    assert result["outcome"] == "finished"
    assert isinstance(events[-1], TrainingCompleteEvent)
    assert all(torch.isfinite(p).all() for p in result["model"].parameters())


def test_a_run_that_is_paused_after_it_was_finished_early_still_says_what_it_was_made_for(tmp_path: Path) -> None:
    """The share of its epochs after which it was good is kept for estimates."""
    sounds, stop = write_sounds(tmp_path / "sounds", 4), StopRequest()

    def end(event: Event) -> None:
        if isinstance(event, EpochMetrics):
            stop.finish()
        if isinstance(event, PreparationProgress) and event.stage == CLOSING_STAGE:
            stop.set()

    assert train(QUICK, sounds, tmp_path / "run", "cpu", end, stop)["outcome"] == "stopped"
    for _ in range(2):
        record = RunRecord.load(tmp_path / "run")
        assert (record.config.max_epochs, record.epochs_asked) == (1, QUICK.max_epochs)
        if record.status == "stopped":
            assert resume_run(tmp_path / "run")["outcome"] == "finished"
    resume_run(tmp_path / "run", max_epochs=2)
    assert RunRecord.load(tmp_path / "run").epochs_asked == 2
