"""The choice of number format, layout and threads."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from distill.computing.devices import pick_device
from distill.errors import ConfigurationError
from distill.json_files import read_json, write_json
from distill.training import TrainingConfig
from distill.training.beginning.compute_plan_trial import LEAST_CHUNKS, choose_plan
from distill.training.compute_plan import ComputePlan

CPU = torch.device("cpu")


class Clock:
    """The time that steps take here; no real time passes, so that a busy computer does not matter."""

    seconds = 0.0


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distill.training.beginning.compute_plan_trial.time.perf_counter", lambda: Clock.seconds)


class Machine:
    """Takes steps that last as long as a table says, in milliseconds; the first one longer by ``start``."""

    def __init__(self, start: float = 0.0, **table: float) -> None:
        self.start = start
        self.table = {"plain": 20.0, "last": 20.0, "half": 20.0} | table
        self.steps: list[str] = []

    def __call__(self, speed: ComputePlan, chunks: int) -> None:
        name = "half" if speed.precision == "bfloat16" else "last" if speed.channels_last else "plain"
        Clock.seconds += (self.table[name] + (0.0 if self.steps else self.start)) / 1000
        self.steps.append(name)


def chosen(machine: Machine, subject: str = "a", total_chunks: int = LEAST_CHUNKS, **settings: Any) -> ComputePlan:
    config = replace(TrainingConfig(num_threads=1), **settings)
    return choose_plan(config, CPU, machine, 4, subject, total_chunks)


def test_the_fastest_is_chosen_and_says_why() -> None:
    speed = chosen(Machine(half=4.0))
    assert (speed.precision, speed.channels_last) == ("bfloat16", True)
    assert "ms a step" in speed.why
    assert "float32" in speed.why  # what it was measured against
    assert len(speed.trials) == 3
    assert chosen(Machine(last=4.0), "b").channels_last
    assert chosen(Machine(half=60.0, last=60.0), "c").precision == "float32"


def test_a_first_step_that_loads_torch_does_not_end_the_trial() -> None:
    """It takes more than a second on some computers: they all computed in float32, with units for bfloat16 or not."""
    assert chosen(Machine(start=1500.0, half=4.0)).precision == "bfloat16"


def test_a_short_run_is_not_delayed_by_a_trial() -> None:
    machine = Machine(half=4.0)
    speed = chosen(machine, total_chunks=LEAST_CHUNKS - 1)
    assert not machine.steps
    assert speed.precision == "float32"
    assert "too short" in speed.why
    assert chosen(machine).precision == "bfloat16"  # nothing was remembered of it


def test_what_is_hardly_faster_is_not_worth_it() -> None:
    assert chosen(Machine(half=19.8, last=19.8, plain=20.0)).name.startswith("float32,")


def test_the_answer_is_remembered_for_the_same_work() -> None:
    machine = Machine(half=4.0)
    first = chosen(machine)
    taken = len(machine.steps)
    assert chosen(machine).precision == first.precision
    assert len(machine.steps) == taken
    for change in ({"subject": "another network"}, {"batch_size": 99}, {"num_threads": 2}):
        before = len(machine.steps)
        chosen(machine, **change)
        assert len(machine.steps) > before


def test_a_damaged_or_old_memory_is_measured_anew(distill_home: Path) -> None:
    machine = Machine(half=4.0)
    chosen(machine)
    file = distill_home / "cache" / "speed.json"
    stored = read_json(file)
    for content in ("", "[]", '{"a": 1}'):
        file.write_text(content)
        before = len(machine.steps)
        assert chosen(machine).precision == "bfloat16"
        assert len(machine.steps) > before
    write_json(file, {key: value | {"at": time.time() - 40 * 86_400} for key, value in stored.items()})
    before = len(machine.steps)
    chosen(machine)
    assert len(machine.steps) > before


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_what_the_user_fixes_is_not_measured(precision: str) -> None:
    machine = Machine(half=4.0)
    speed = chosen(machine, precision=precision, num_threads=2)
    assert (speed.precision, speed.num_threads) == (precision, 2)
    assert "as the settings say" in speed.why
    assert machine.steps == []


def test_devices() -> None:
    assert pick_device("cpu") == CPU
    assert pick_device("auto").type in ("cpu", "cuda", "mps")
    for wrong in ("cuda:99", "toaster", ""):
        with pytest.raises(ConfigurationError, match="cannot be used here"):
            pick_device(wrong)
    assert pick_device(torch.device("cpu")).index is None
