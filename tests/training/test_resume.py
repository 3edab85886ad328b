"""Resuming is exact: a run that was cancelled or killed ends as the run that was left alone."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from distill.config.family_catalog import FAMILIES
from distill.config.training import AnyConfig
from distill.errors import CheckpointError, RunFolderError
from distill.events import Event
from distill.runs.run_record import RunRecord
from distill.training import (
    StepMetrics,
    TrainingCompleteEvent,
    TrainingNotice,
    VQStepMetrics,
    list_checkpoints,
    resume_run,
    train,
)
from distill.training.steps.training_step import weighted_sum
from tests.training.conftest import ONE_FAMILY_OFTEN, LeftAlone, MakeConfig


def losses(result: dict[str, Any]) -> list[Any]:
    """All that was measured, without the times, which differ."""
    history = result["metrics_history"]
    steps = [list(history.step_column(name)) for name in ("epoch", "step", "train_loss", "recon_loss", "learning_rate")]
    return [steps, [(e.epoch, e.train_loss, e.val_loss, e.overfitting_gap) for e in history.epochs]]


def assert_same_run(one: dict[str, Any], other: dict[str, Any]) -> None:
    weights, others = one["model"].state_dict(), other["model"].state_dict()
    assert weights.keys() == others.keys()
    assert all(torch.equal(weights[key], others[key]) for key in weights)
    assert losses(one) == losses(other)


class StopAt:
    """A callback that sets the cancel event when a number of steps has been told."""

    def __init__(self, steps: int) -> None:
        self.left = steps
        self.cancel = threading.Event()
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, (StepMetrics, VQStepMetrics)):
            self.left -= 1
            if self.left == 0:
                self.cancel.set()


#: Families, and steps after or within which a run is cancelled: each family within one, two of them also between two.
CANCELLATIONS = [(row.key, 5, True) for row in FAMILIES] + [(FAMILIES[0].key, 1, False), (FAMILIES[-1].key, 8, False)]


@pytest.mark.parametrize(("family_key", "stop_at", "is_within"), CANCELLATIONS, indirect=["family_key"])
def test_cancelled_and_resumed(
    sounds: list[Path],
    make_config: MakeConfig,
    left_alone: LeftAlone,
    tmp_path: Path,
    stop_at: int,
    is_within: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between two steps, or within one, which is then abandoned."""
    whole = left_alone(make_config())
    stop = StopAt(99 if is_within else stop_at)
    losses_computed = 0

    def summed(*arguments: Any) -> Any:
        nonlocal losses_computed
        losses_computed += 1
        if is_within and losses_computed == stop_at:
            stop.cancel.set()
        return weighted_sum(*arguments)

    monkeypatch.setattr("distill.training.steps.training_step.weighted_sum", summed)
    part = train(make_config(), sounds, tmp_path / "part", "cpu", stop, stop.cancel)
    assert part["outcome"] == "stopped"
    if is_within:
        assert losses_computed == stop_at
        assert part["metrics_history"].step_count == stop_at - 1
    assert part["metrics_history"].step_count <= whole["metrics_history"].step_count
    newest = list_checkpoints(tmp_path / "part" / "checkpoints")[-1]
    assert newest["val_loss"] is None  # the epoch in progress is newest, never best
    events: list[Event] = []
    resumed = resume_run(tmp_path / "part", events.append)
    assert resumed["outcome"] == "finished"
    assert_same_run(whole, resumed)
    told = [e.message for e in events if isinstance(e, TrainingNotice) and e.topic == "resumed"]
    assert len(told) == 1
    assert newest["path"].name in told[0]
    assert all(c["val_loss"] is not None for c in list_checkpoints(tmp_path / "part" / "checkpoints"))
    replayed = sum(isinstance(e, (StepMetrics, VQStepMetrics)) for e in events)
    assert replayed + part["metrics_history"].step_count == whole["metrics_history"].step_count


@ONE_FAMILY_OFTEN
def test_cancelled_while_validating(sounds: list[Path], make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config(max_epochs=2)
    whole = train(config, sounds, tmp_path / "whole", "cpu")
    steps = whole["metrics_history"].step_count // 2
    stop = StopAt(steps)  # the last step of the epoch: told when all are done, before validation
    train(config, sounds, tmp_path / "part", "cpu", stop, stop.cancel)
    assert_same_run(whole, resume_run(tmp_path / "part"))


CHILD = """
import json, sys
from pathlib import Path
from distill.training import train, resume_run
from tests.support.small_runs import leave_map_out, make_small, patch_for_good
leave_map_out(patch_for_good)
make_small(patch_for_good)
from distill.config.factory import config_from_dict
run, record = Path(sys.argv[1]), Path(sys.argv[2])
data = json.loads(record.read_text())
if (run / "run.json").exists():
    resume_run(run)
else:
    train(config_from_dict(data["config"]), data["sounds"], run, "cpu")
"""


def run_and_kill(run: Path, record: Path, is_time: Callable[[float], bool]) -> int:
    """Train or resume in a process; kill it when ``is_time`` says so of the seconds since its start."""
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(run), str(record)], stderr=subprocess.PIPE)
    started = time.monotonic()
    while child.poll() is None:
        if is_time(time.monotonic() - started):
            os.kill(child.pid, signal.SIGKILL)
            break
        time.sleep(0.01)
    _, errors = child.communicate()
    assert child.returncode in (0, -signal.SIGKILL), errors.decode()
    return child.returncode


def check_a_killed_run(
    sounds: list[Path], config: AnyConfig, tmp_path: Path, moments: Sequence[Callable[[float], bool]]
) -> None:
    """Kill a run at each of the moments, start it again each time, let it end, and compare with the run left alone."""
    import json

    record = tmp_path / "record.json"
    record.write_text(json.dumps({"config": config.to_dict(), "sounds": [str(s) for s in sounds]}))
    whole = train(config, sounds, tmp_path / "whole", "cpu")
    killed = sum(run_and_kill(tmp_path / "part", record, moment) != 0 for moment in moments)
    assert killed
    if RunRecord.load(tmp_path / "part").status != "finished":
        assert run_and_kill(tmp_path / "part", record, lambda seconds: False) == 0
    last = list_checkpoints(tmp_path / "part" / "checkpoints")[-1]
    stored = torch.load(last["path"], weights_only=True)
    assert last["epoch"] == config.max_epochs - 1
    weights = whole["model"].state_dict()
    assert all(torch.equal(weights[key], stored["model_state_dict"][key]) for key in weights)
    steps = whole["metrics_history"].to_dict()["steps"]
    assert stored["metrics_history"]["steps"]["train_loss"] == steps["train_loss"]


@ONE_FAMILY_OFTEN
@pytest.mark.skipif(sys.platform == "win32", reason="kills a process by a POSIX signal")
def test_killed_and_resumed(sounds: list[Path], make_config: MakeConfig, tmp_path: Path) -> None:
    def has_reached(epoch: int) -> Callable[[float], bool]:
        folder = tmp_path / "part" / "checkpoints"
        return lambda seconds: any(int(p.stem[-4:]) >= epoch for p in folder.glob("checkpoint_epoch*.pt"))

    check_a_killed_run(sounds, make_config(max_epochs=4), tmp_path, [has_reached(2)])


@pytest.mark.soak
def test_killed_at_twenty_random_moments(sounds: list[Path], make_config: MakeConfig, tmp_path: Path) -> None:
    rng = random.Random(time.time())
    delays = [rng.uniform(2.0, 7.0) for _ in range(20)]
    moments = [partial(float.__lt__, delay) for delay in delays]
    check_a_killed_run(sounds, make_config(max_epochs=150), tmp_path, moments)


@ONE_FAMILY_OFTEN
def test_more_epochs(sounds: list[Path], make_config: MakeConfig, tmp_path: Path) -> None:
    train(make_config(max_epochs=2), sounds, tmp_path / "run", "cpu")
    events: list[Event] = []
    result = resume_run(tmp_path / "run", events.append, max_epochs=4)
    assert [e.epoch for e in result["metrics_history"].epochs] == [0, 1, 2, 3]
    said = [e.message for e in events if isinstance(e, TrainingNotice) and e.topic == "schedule"]
    assert len(said) == 1
    assert "4 epochs" in said[0]
    rates = list(result["metrics_history"].step_column("learning_rate"))
    half = len(rates) // 2
    assert max(rates[half:]) > 5 * rates[half - 1]  # the longer cosine stands higher than the end of the shorter one
    assert rates[-1] < 0.2 * max(rates[half:])
    record = RunRecord.load(tmp_path / "run")
    assert (record.kl_epochs, record.config.max_epochs) == (2, 4)  # the warm-up is that of the shorter run


def test_what_cannot_be_resumed_is_refused(sounds: list[Path], make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config(max_epochs=1)
    result = train(config, sounds, tmp_path / "run", "cpu")
    checkpoint = result["best_checkpoint_path"]
    with pytest.raises(RunFolderError, match="holds another run"):
        train(config, sounds, tmp_path / "run", "cpu")
    other = make_config(max_epochs=2, learning_rate=1e-4)
    with pytest.raises(CheckpointError, match="learning_rate"):
        train(other, sounds, tmp_path / "run", "cpu", resume_checkpoint=checkpoint)
    with pytest.raises(CheckpointError, match="sounds are not those"):
        train(make_config(max_epochs=2), sounds[:-1], tmp_path / "run", "cpu", resume_checkpoint=checkpoint)
    with pytest.raises(CheckpointError, match="has done 1 epochs already"):
        resume_run(tmp_path / "run")
    events: list[Event] = []
    for path in (tmp_path / "run" / "checkpoints").glob("*.pt"):
        path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match="can be read"):
        resume_run(tmp_path / "run", events.append, max_epochs=2)
    for path in (tmp_path / "run" / "checkpoints").glob("*"):
        path.unlink()
    with pytest.raises(CheckpointError, match="checkpoints of this run are gone"):
        resume_run(tmp_path / "run", events.append, max_epochs=2)
    assert RunRecord.load(tmp_path / "run").status == "finished"
    with pytest.raises(RunFolderError, match="not the folder of a run"):
        resume_run(tmp_path / "nothing", events.append)


@ONE_FAMILY_OFTEN
def test_a_damaged_newest_checkpoint_is_told_and_an_older_one_used(
    sounds: list[Path], make_config: MakeConfig, left_alone: LeftAlone, tmp_path: Path
) -> None:
    train(make_config(), sounds, tmp_path / "run", "cpu")
    newest = list_checkpoints(tmp_path / "run" / "checkpoints")[-1]["path"]
    newest.write_bytes(newest.read_bytes()[:5000])
    events: list[Event] = []
    resumed = resume_run(tmp_path / "run", events.append)
    assert any(isinstance(e, TrainingNotice) and newest.name in e.message for e in events)
    assert isinstance(events[-1], TrainingCompleteEvent)
    assert_same_run(left_alone(make_config()), resumed)


def test_a_run_that_goes_on_from_another_ones_checkpoint_has_it_in_its_folder(
    sounds: list[Path], make_config: MakeConfig, tmp_path: Path
) -> None:
    """It was refused, as its folder is none of a run yet; and killed before its own first checkpoint, it would have
    begun at the first epoch again without a word."""
    config, stop = make_config(), StopAt(5)
    train(config, sounds, tmp_path / "first", "cpu", stop, stop.cancel)
    checkpoint = Path(list_checkpoints(tmp_path / "first" / "checkpoints")[-1]["path"])

    def die(event: Event) -> None:
        if isinstance(event, (StepMetrics, VQStepMetrics)):
            raise RuntimeError("the power is gone")

    with pytest.raises(RuntimeError, match="power"):
        train(config, sounds, tmp_path / "second", "cpu", die, resume_checkpoint=checkpoint)
    resumed = StopAt(1)
    resume_run(tmp_path / "second", resumed, resumed.cancel)
    notes = [event.message for event in resumed.events if isinstance(event, TrainingNotice)]
    assert any(note.startswith("Resumed from checkpoint_epoch") for note in notes), notes
