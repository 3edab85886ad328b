"""The last phase of a prior: it is exact, it can be stopped, and its result is what the model file has."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from distill.events import Event, PreparationProgress
from distill.models.persistence import open_model, read_model_file
from distill.models.priors.window_prior import prior_entry
from distill.serialization.checkpoint_reader import read_checkpoint
from distill.training import get_best_checkpoint, resume_run, train
from distill.training.steps.prior_training import PriorClosing
from distill.training.stop_request import StopRequest
from tests.training.conftest import ONE_FAMILY_OFTEN, MakeConfig, ended, topics

STAGE = "Learning to make new sounds"


@pytest.fixture(autouse=True)
def _steps_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the phase have so many steps that it can be stopped in its middle."""
    monkeypatch.setattr("distill.runs.estimates.estimate._CLOSING_STEPS_PER_SOUND", 4)


def progress(events: list[Event]) -> list[tuple[int, int]]:
    return [(e.done, e.total) for e in events if isinstance(e, PreparationProgress) and e.stage == STAGE]


def prior_of(folder: Path) -> dict[str, torch.Tensor]:
    entry: dict[str, torch.Tensor] = read_model_file(folder / "model.distill")["prior"]
    return entry


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def pausing(cancel: threading.Event, events: list[Event], at: int = 1) -> Callable[[Event], None]:
    """Return a callback that sets the event in the last phase."""

    def told(event: Event) -> None:
        events.append(event)
        if len(progress(events)) == at:
            cancel.set()

    return told


@ONE_FAMILY_OFTEN
def test_a_run_that_is_stopped_in_it_ends_like_one_that_is_not(
    tmp_path: Path, sounds: list[Path], make_config: MakeConfig
) -> None:
    config = make_config(max_epochs=2, prior_steps=3)
    events: list[Event] = []
    whole: list[Event] = []
    train(config, sounds, tmp_path / "whole", "cpu", whole.append)
    steps = 2 * sum(1 for e in whole if type(e).__name__ in ("StepMetrics", "VQStepMetrics"))
    assert progress(whole)[-1] == (steps, steps)
    cancel = threading.Event()
    stopped = train(config, sounds, tmp_path / "part", "cpu", pausing(cancel, events), cancel)
    assert stopped["outcome"] == ended(events).outcome == "stopped"
    assert not same(prior_of(tmp_path / "part"), prior_of(tmp_path / "whole"))
    again = resume_run(tmp_path / "part")
    assert again["outcome"] == "finished"
    assert same(prior_of(tmp_path / "part"), prior_of(tmp_path / "whole"))


@ONE_FAMILY_OFTEN
def test_it_changes_the_model_and_not_the_training(tmp_path: Path, sounds: list[Path], make_config: MakeConfig) -> None:
    results = {}
    for steps in (1, 3):
        events: list[Event] = []
        results[steps] = train(make_config(max_epochs=1, prior_steps=steps), sounds, tmp_path / str(steps), "cpu",
                               events.append)  # fmt: skip
        assert bool(progress(events)) == (steps > 1)
        assert "checkpoint" not in topics(events)
    best = get_best_checkpoint(tmp_path / "3" / "checkpoints")
    assert best is not None
    stored = read_checkpoint(best)["training_state"]["prior"]
    assert not bool(stored["table"]["known"].all())  # a batch by file does not hold every window
    assert not same(prior_of(tmp_path / "3"), prior_entry(stored["averaged"]))
    one, other = (results[steps]["model"].state_dict() for steps in (1, 3))
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("family_key", ["vae"], indirect=True)
def test_a_run_that_is_finished_early_has_it_too(tmp_path: Path, sounds: list[Path], make_config: MakeConfig) -> None:
    events: list[Event] = []
    cancel = StopRequest()

    def finish(event: Event) -> None:
        events.append(event)
        if type(event).__name__ == "StepMetrics":
            cancel.finish()

    result = train(make_config(), sounds, tmp_path / "run", "cpu", finish, cancel)
    assert result["outcome"] == "finished"
    assert progress(events)


@pytest.mark.parametrize("family_key", ["vae"], indirect=True)
def test_an_error_in_it_costs_the_phase_and_not_the_model(
    tmp_path: Path, sounds: list[Path], make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*given: Any) -> Any:
        raise RuntimeError("out of memory")

    monkeypatch.setattr("distill.training.steps.prior_training.PriorClosing._encode", fails)
    events: list[Event] = []
    result = train(replace(make_config(), max_epochs=1), sounds, tmp_path / "run", "cpu", events.append)
    assert result["outcome"] == "finished"
    assert "checkpoint" in topics(events)
    assert len(open_model(result["model_path"]).sample(1, seed=1)) == 1


def test_a_table_that_knows_all_windows_needs_no_encoding() -> None:
    encoded: list[Any] = []
    table = SimpleNamespace(unknown=torch.empty(0, dtype=torch.long))
    known: Any = SimpleNamespace(table=table, put=lambda *given: encoded.append(given))
    dataset: Any = SimpleNamespace(owner=np.array([0, 0, 1]), batches=lambda *given: iter([torch.zeros(1, 1, 4, 4)]))
    family: Any = SimpleNamespace(posterior=lambda network, features: (torch.zeros(1, 2), None))
    nothing: Any = None
    closing = PriorClosing(known, family, dataset, torch.device("cpu"), nothing, nothing)
    closing._encode(known, nothing)
    assert encoded == []
    table.unknown = torch.tensor([2])
    closing._encode(known, nothing)
    assert len(encoded) == 1
