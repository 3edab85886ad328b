"""``distill train`` is killed at random moments, again and again, and resumed each time: by hand, with ``-m soak``."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from distill.models import open_model
from distill.runs.run_history import read_history
from distill.runs.run_record import RunRecord
from distill.serialization.checkpoint_reader import read_checkpoint
from distill.training import list_checkpoints
from tests.training.conftest import write_sounds

EPOCHS = 6
KILLS = 30
#: Kinds of moments that must have been hit: before the first step, in an epoch, at its end, in the closing phase.
PHASES = {"preparation", "step", "epoch", "preview", "closing"}


def program(home: Path, *words: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "distill", *map(str, words), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env=os.environ | {"DISTILL_HOME": str(home), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def phase_of(event: dict[str, Any], has_trained: bool) -> str:
    kind = event["event"]
    if kind == "PreparationProgress":
        return "closing" if has_trained else "preparation"
    return {"StepMetrics": "step", "EpochMetrics": "epoch", "PreviewEvent": "preview"}.get(kind, "notice")


def read_events(process: "subprocess.Popen[str]", most: int) -> list[dict[str, Any]]:
    """Read so many events, or all that there are."""
    assert process.stdout is not None
    events: list[dict[str, Any]] = []
    for line in process.stdout:
        events.append(json.loads(line))
        if len(events) == most:
            break
    return events


def newest(run: Path) -> tuple[int, int]:
    """Return how far the newest checkpoint is: its epoch, and the steps of the run."""
    found = list_checkpoints(run / "checkpoints")
    if not found:
        return -1, -1
    whole = read_checkpoint(found[-1]["path"])
    return int(whole["epoch"]), int(whole["step"])


def left_behind(*folders: Path) -> list[Path]:
    return [path for folder in folders for path in folder.rglob("*") if path.name.endswith(".part")]


def finish(process: "subprocess.Popen[str]") -> None:
    _, errors = process.communicate(timeout=900)
    assert process.returncode == 0, errors


@pytest.mark.soak
def test_killed_at_thirty_random_moments(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "sounds"
    write_sounds(folder, 6)
    settings = ("--epochs", EPOCHS, "--threads", 1, "--precision", "float32")
    whole = program(home, "train", folder, "--out", tmp_path / "whole", *settings)
    expected = read_events(whole, 1_000_000)
    finish(whole)
    rng, hit, runs, kills, ended = random.Random(7), set[str](), 0, 0, 0
    run = tmp_path / f"run {runs}"
    confirmed = (-1, -1)
    while kills < KILLS or PHASES - hit:
        assert kills < 4 * KILLS, f"never hit: {PHASES - hit}"
        begun = (run / "run.json").exists()
        words = ("resume", run) if begun else ("train", folder, "--out", run, *settings)
        process = program(home, *words)
        # The events of a whole run, and some behind them: writing the model comes last.
        events = read_events(process, rng.randrange(1, len(expected) - 1))
        time.sleep(rng.choice((0.0, 0.0, 0.02, 0.2)))
        process.kill()
        _, errors = process.communicate(timeout=60)
        assert "should not" not in errors
        assert "Traceback" not in errors
        is_finished = (run / "run.json").exists() and RunRecord.load(run).status == "finished"
        if process.returncode == 0 or is_finished:  # it was faster, or killed behind all that it had to do
            assert process.returncode in (0, -9), errors
            assert is_finished
            assert open_model(run / "model.distill")
            runs, ended, confirmed = runs + 1, ended + 1, (-1, -1)
            run = tmp_path / f"run {runs}"
            continue
        assert process.returncode == -9, errors
        kills += 1
        trained = any(event["event"] == "StepMetrics" for event in events) or confirmed[0] >= EPOCHS - 1
        hit.add(phase_of(events[-1], trained))
        steps = [event for event in events if event["event"] == "StepMetrics"]
        if begun and steps and confirmed[1] >= 0:
            assert steps[0]["epoch"] >= confirmed[0], "what a checkpoint held was trained again"
        found = newest(run)
        assert found >= confirmed, "a checkpoint was lost"
        confirmed = found
        print(kills, hit, confirmed, events[-1]["event"], flush=True)
    if not (run / "run.json").exists():
        finish(program(home, "train", folder, "--out", run, *settings))
    elif RunRecord.load(run).status != "finished":
        finish(program(home, "resume", run))
    assert RunRecord.load(run).status == "finished"
    assert open_model(run / "model.distill")
    assert [epoch.epoch for epoch in read_history(run).epochs] == list(range(EPOCHS))
    assert newest(run)[0] == newest(tmp_path / "whole")[0]
    assert newest(run)[1] == newest(tmp_path / "whole")[1]
    listed = subprocess.run(
        [sys.executable, "-m", "distill", "models", "list", "--json"], capture_output=True, text=True, check=True,
        env=os.environ | {"DISTILL_HOME": str(home)},
    )  # fmt: skip
    models = [json.loads(line) for line in listed.stdout.splitlines()]
    assert len(models) == ended + 2  # the whole run, those that were faster, and the last one
    assert not [model for model in models if model["problem"]]
    assert not left_behind(home, run)
