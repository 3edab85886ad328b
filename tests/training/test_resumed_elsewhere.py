"""Runs that are resumed where something of them is out of reach: a device, or a checkpoint for the moment."""

import json
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from distill.audio.decoding.mono_decoder import PREPARATION
from distill.errors import CheckpointError
from distill.runs.run_record import RunRecord
from distill.training import list_checkpoints, resume_run, train
from distill.training.checkpoint import read_checkpoint, write_checkpoint
from distill.training.steps.new_sound_distance import NEWEST_MEASURE, NewSoundMeter
from tests.training.conftest import QUICK, write_sounds

pytestmark = pytest.mark.usefixtures("_small_runs")


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A run of two epochs."""
    train(replace(QUICK, max_epochs=2), write_sounds(tmp_path / "sounds", 3), tmp_path / "run", "cpu")
    return tmp_path / "run"


def test_a_run_whose_settings_name_a_device_goes_on_without_it(run_dir: Path) -> None:
    """As on another computer; its settings keep the device."""
    path = run_dir / "run.json"
    data = json.loads(path.read_text())
    data["config"]["device"] = data["speed"]["device"] = "cuda:99"
    path.write_text(json.dumps(data))
    assert resume_run(run_dir, max_epochs=3)["outcome"] == "finished"
    record = RunRecord.load(run_dir)
    assert record.config.device == "cuda:99"
    assert torch.device(record.speed["device"]).type != "cuda" or torch.cuda.is_available()


@pytest.mark.parametrize("number", [None, 1, NEWEST_MEASURE])
def test_new_sounds_of_a_resumed_run_are_measured_as_before(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, number: int | None
) -> None:
    """So that its curve has no step; runs of older versions have no number."""
    used: list[int] = []

    def measure(meter: NewSoundMeter, *given: Any) -> float:
        used.append(meter.measure_number)
        return 1.0

    monkeypatch.setattr(NewSoundMeter, "can_measure", True)
    monkeypatch.setattr(NewSoundMeter, "measure", measure)
    path = list_checkpoints(run_dir / "checkpoints")[-1]["path"]
    whole = read_checkpoint(path)
    state = {**whole["training_state"], "new_sound_measure": number}
    if number is None:
        del state["new_sound_measure"]
    write_checkpoint(path, {**whole, "training_state": state})
    resume_run(run_dir, max_epochs=3)
    newest = read_checkpoint(list_checkpoints(run_dir / "checkpoints")[-1]["path"])
    assert used == [number or 1]
    assert newest["training_state"]["new_sound_measure"] == (number or 1)


@pytest.mark.skipif(os.name != "posix", reason="links need a right on Windows")
def test_a_checkpoint_that_is_out_of_reach_is_not_given_up(run_dir: Path, tmp_path: Path) -> None:
    """As on a drive that is gone for a moment: an older one would be used, and this one deleted as the later one."""
    newest = list_checkpoints(run_dir / "checkpoints")[-1]["path"]
    kept = newest.rename(tmp_path / "kept.pt")
    newest.symlink_to("x" * 300)
    with pytest.raises(CheckpointError, match=r"checkpoint_epoch0001\.pt cannot be opened \(File name too long\)"):
        resume_run(run_dir, max_epochs=3)
    assert os.path.lexists(newest)
    kept.rename(newest)
    resumed = resume_run(run_dir, max_epochs=3)
    assert resumed["outcome"] == "finished"
    assert [epoch.epoch for epoch in resumed["metrics_history"].epochs] == [0, 1, 2]


SPEED = {"precision": "float32", "channels_last": False, "num_threads": 1, "why": ""}
DAMAGES: list[dict[str, Any]] = [
    {"kl_epochs": 0}, {"kl_epochs": -3}, {"step_in_epoch": -1}, {"step_in_epoch": 10**6},
    {"elapsed_seconds": math.nan}, {"elapsed_seconds": -5.0},
    {"schedule": {"total_steps": 0, "warmup_steps": 1}}, {"schedule": {"total_steps": 6, "warmup_steps": 0}},
    {"schedule": {"total_steps": "6", "warmup_steps": 1}},
    {"schedule": {"total_steps": 6, "warmup_steps": 1, "start_factor": math.inf}},
    {"epoch_completed": torch.zeros(2)}, {"preparation": "x"}, {"preparation": None}, {"preparation": 0},
    {"new_sound_measure": 0}, {"new_sound_measure": "x"},
    {"speed": torch.zeros(2)}, {"speed": {"precision": "float32"}}, {"speed": "fast"},
    {"speed": {**SPEED, "precision": "float8"}}, {"speed": {**SPEED, "num_threads": 0}},
    {"speed": {**SPEED, "num_threads": 10**7}},
]  # fmt: skip


@pytest.mark.parametrize("newer", [{"preparation": PREPARATION + 1}, {"new_sound_measure": NEWEST_MEASURE + 1}])
def test_a_checkpoint_of_a_run_that_a_newer_version_has_begun_is_refused(run_dir: Path, newer: dict[str, int]) -> None:
    path = list_checkpoints(run_dir / "checkpoints")[-1]["path"]
    whole = read_checkpoint(path)
    write_checkpoint(path, {**whole, "training_state": {**whole["training_state"], **newer}})
    with pytest.raises(CheckpointError, match="newer version of Distill"):
        resume_run(run_dir, max_epochs=3)


def test_a_checkpoint_with_a_damaged_place_in_the_run_is_refused(run_dir: Path) -> None:
    path = list_checkpoints(run_dir / "checkpoints")[-1]["path"]
    whole, before = read_checkpoint(path), (run_dir / "run.json").read_bytes()
    for damage in DAMAGES:
        changes = {"epoch_completed": False, **damage} if "step_in_epoch" in damage else damage
        write_checkpoint(path, {**whole, "training_state": {**whole["training_state"], **changes}})
        with pytest.raises(CheckpointError, match="Use another checkpoint"):
            resume_run(run_dir, max_epochs=3)
        assert (run_dir / "run.json").read_bytes() == before
    prior = {**whole["training_state"]["prior"], "table": torch.zeros(2)}
    write_checkpoint(path, {**whole, "training_state": {**whole["training_state"], "prior": prior}})
    with pytest.raises(CheckpointError, match="a prior that does not fit"):
        resume_run(run_dir, max_epochs=3)
    write_checkpoint(path, whole)
    assert resume_run(run_dir, max_epochs=3)["outcome"] == "finished"
