"""The best epoch's weights are kept, whatever the interval of the checkpoints and however the run ends."""

import errno
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from distill.events import Event
from distill.models import open_model
from distill.training import (
    EpochMetrics,
    StepMetrics,
    TrainingNotice,
    list_checkpoints,
    load_checkpoint,
    loop,
    resume_run,
    save_progress,
    train,
)
from distill.training.checkpoint import write_checkpoint
from distill.training.run import Run
from distill.training.stop_request import StopRequest
from tests.training.conftest import ONE_FAMILY_OFTEN, QUICK, MakeConfig, topics
from tests.training.test_resume import assert_same_run

CONFIG = replace(QUICK, max_epochs=6, checkpoint_interval=4, preview_interval_short=100)


class Losses:
    """Replaces the loss on held-out sounds, and keeps the weights that each epoch ended with."""

    def __init__(self, losses: Sequence[float], monkeypatch: pytest.MonkeyPatch) -> None:
        self.weights: dict[int, dict[str, torch.Tensor]] = {}
        measure = loop._measure

        def measured(run: Run) -> Any:
            event = measure(run)
            assert event is not None
            self.weights[run.epoch] = {name: value.clone() for name, value in run.model.state_dict().items()}
            return replace(event, val_loss=losses[run.epoch])

        monkeypatch.setattr(loop, "_measure", measured)

    def assert_model(self, folder: Path, epoch: int) -> None:
        """Compare the model file, the best checkpoint and the weights after an epoch."""
        model = open_model(folder / "model.distill")
        assert model.metadata.training_epochs == epoch + 1
        stored = model.model.state_dict()
        assert all(torch.equal(value, stored[name]) for name, value in self.weights[epoch].items())


def kept(folder: Path) -> list[int]:
    return [found["epoch"] for found in list_checkpoints(folder / "checkpoints")]


def test_the_best_epoch_between_two_checkpoints(
    sounds: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    losses = Losses([5, 4, 3, 3.5, 2, 6], monkeypatch)
    result = train(CONFIG, sounds, run, "cpu")
    assert kept(run) == [3, 4, 5]
    assert result["best_checkpoint_path"].name == "checkpoint_epoch0004.pt"
    assert result["metrics_history"].get_best_epoch() == 4
    losses.assert_model(run, 4)
    checkpoint = load_checkpoint(result["best_checkpoint_path"], result["model"])
    assert [row["epoch"] for row in checkpoint["metrics_history"]["epochs"]] == [0, 1, 2, 3, 4]
    assert max(checkpoint["metrics_history"]["steps"]["epoch"]) == 4


def test_finished_in_the_middle_of_an_epoch(
    sounds: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distill.training.steps.loss_reader._READ_INTERVAL_S", 0.0)  # each step is told at once
    losses, stop = Losses([1, 2], monkeypatch), StopRequest()

    def finish(event: Event) -> None:
        if isinstance(event, StepMetrics) and event.epoch == 1:
            stop.finish()

    result = train(CONFIG, sounds, tmp_path / "run", "cpu", finish, stop)
    steps = result["metrics_history"].step_column("step")
    assert steps[-1] < result["metrics_history"].step_column("total_steps")[-1] - 1  # cut short
    assert kept(tmp_path / "run") == [0, 1]
    losses.assert_model(tmp_path / "run", 0)


def test_paused_in_the_middle_of_an_epoch(sounds: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losses, cancel = Losses([3, 1, 2, 2, 2, 2], monkeypatch), threading.Event()

    def stop(event: Event) -> None:
        if isinstance(event, EpochMetrics) and event.epoch == 1:
            cancel.set()

    train(CONFIG, sounds, tmp_path / "run", "cpu", stop, cancel)
    assert kept(tmp_path / "run") == [0, 1]
    losses.assert_model(tmp_path / "run", 1)
    resume_run(tmp_path / "run")
    losses.assert_model(tmp_path / "run", 1)  # it knows the best of the session before


def test_a_run_that_is_resumed_after_a_crash_keeps_the_best_epoch(
    sounds: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    losses = Losses([5, 1, 3, 3.5, 2, 6], monkeypatch)

    def crash(event: Event) -> None:
        if isinstance(event, EpochMetrics) and event.epoch == 4:
            raise MemoryError

    with pytest.raises(MemoryError):
        train(CONFIG, sounds, run, "cpu", crash)
    assert kept(run) == [0, 1, 3]
    events: list[Event] = []
    resume_run(run, events.append)
    assert [event.epoch for event in events if isinstance(event, EpochMetrics)] == [4, 5]
    (said,) = [e.message for e in events if isinstance(e, TrainingNotice) and e.topic == "resumed"]
    assert said.endswith("4 of 6 epochs are done; 1 later epoch is lost and trained again.")
    losses.assert_model(run, 1)


def test_a_full_disk_does_not_lose_the_best_epoch(
    sounds: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    refused: list[Path] = []
    losses = Losses([5, 1, 3, 3.5, 2, 6], monkeypatch)

    def full(path: Path, data: dict[str, Any]) -> Path:
        if data["epoch"] == 1 and not refused:
            refused.append(path)
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_checkpoint(path, data)

    monkeypatch.setattr(save_progress, "write_checkpoint", full)
    events: list[Event] = []
    train(CONFIG, sounds, run, "cpu", events.append)
    assert refused
    assert "checkpoint" in topics(events)
    losses.assert_model(run, 1)


@ONE_FAMILY_OFTEN
def test_checkpoints_by_time_lie_within_epochs_and_are_resumed_exactly(
    sounds: list[Path], make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(max_epochs=2, checkpoint_interval=100)
    whole = train(config, sounds, tmp_path / "whole", "cpu")
    monkeypatch.setattr(save_progress, "SAVE_SECONDS", 0.0)  # after each step

    def crash(event: Event) -> None:
        if isinstance(event, EpochMetrics) or event.__class__.__name__ == "VQEpochMetrics":
            raise MemoryError

    with pytest.raises(MemoryError):
        train(config, sounds, tmp_path / "part", "cpu", crash)
    (newest,) = list_checkpoints(tmp_path / "part" / "checkpoints")
    assert (newest["epoch"], newest["val_loss"]) == (0, None)
    monkeypatch.undo()
    events: list[Event] = []
    resumed = resume_run(tmp_path / "part", events.append)
    (said,) = [e.message for e in events if isinstance(e, TrainingNotice) and e.topic == "resumed"]
    steps = whole["metrics_history"].step_column("total_steps")[0]
    assert f"{steps - 1} of {steps} steps of epoch 1" in said
    first = next(e for e in events if isinstance(e, StepMetrics) or e.__class__.__name__ == "VQStepMetrics")
    assert first.step == steps - 1  # type: ignore[union-attr]
    assert_same_run(resumed, whole)
