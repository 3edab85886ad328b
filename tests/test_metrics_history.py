"""Events and the history that collects them."""

import json
import math
import random
import struct
from dataclasses import fields
from typing import Any

import pytest

from distill.events import event_to_dict
from distill.training import (
    EpochMetrics,
    MetricsHistory,
    PreviewEvent,
    StepMetrics,
    TrainingCompleteEvent,
    TrainingNotice,
    VQEpochMetrics,
    VQMetricsHistory,
    VQStepMetrics,
)

ODD = [0.1, 1 / 3, math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308, 3.0]


def make(kind: type[Any], seed: Any = 0, **values: Any) -> Any:
    """An event with every number set, some of them odd."""
    rng = random.Random(seed)
    made: dict[str, Any] = {}
    for item in fields(kind):
        if item.type is int:
            made[item.name] = rng.randrange(10_000)
        elif item.type is float:
            made[item.name] = rng.choice([*ODD, rng.random()])
    health = {"level_0": {"utilization": rng.random(), "perplexity": math.nan, "dead_codes": 3.0}}
    extra = {"codebook_health": health} if "codebook_health" in {f.name for f in fields(kind)} else {}
    return kind(**(made | extra | values))


def bits(value: Any) -> Any:
    """Something that is equal only for values that are equal to the last bit."""
    if isinstance(value, float):
        return struct.pack("<d", value)
    if isinstance(value, dict):
        return {key: bits(v) for key, v in value.items()}
    return value


def all_bits(event: Any) -> list[Any]:
    return [bits(getattr(event, item.name)) for item in fields(event)]


KINDS: list[Any] = [
    (MetricsHistory, StepMetrics, EpochMetrics),
    (VQMetricsHistory, VQStepMetrics, VQEpochMetrics),
]


def filled(history_type: Any, step_type: Any, epoch_type: Any, epochs: int = 4, steps: int = 5) -> Any:
    history = history_type()
    for epoch in range(epochs):
        for step in range(steps):
            history.add_step(make(step_type, seed=epoch * 100 + step, epoch=epoch, step=step))
        history.add_epoch(make(epoch_type, seed=epoch, epoch=epoch))
    history.add_step(make(step_type, epoch=epochs, step=0))  # an epoch in progress
    return history


@pytest.mark.parametrize(("history_type", "step_type", "epoch_type"), KINDS)
def test_the_way_through_json_is_exact(history_type: Any, step_type: Any, epoch_type: Any) -> None:
    history = filled(history_type, step_type, epoch_type)
    text = json.dumps(history.to_dict(), allow_nan=False)
    again = history_type.from_dict(json.loads(text))
    assert again == history
    assert [all_bits(e) for e in again.events()] == [all_bits(e) for e in history.events()]
    assert json.dumps(again.to_dict()) == text
    assert history_type.from_dict(history_type().to_dict()) == history_type()


@pytest.mark.parametrize(("history_type", "step_type", "epoch_type"), KINDS)
def test_event_by_event_is_exact_too(history_type: Any, step_type: Any, epoch_type: Any) -> None:
    """As the history on disk is read: one JSON object a line."""
    history, again = filled(history_type, step_type, epoch_type), history_type()
    for event in history.events():
        again.add_dict(json.loads(json.dumps(event_to_dict(event), allow_nan=False)))
    again.add_dict(event_to_dict(TrainingNotice("speed", "Computing.")))  # others are passed over
    assert [all_bits(e) for e in again.events()] == [all_bits(e) for e in history.events()]


@pytest.mark.parametrize(("history_type", "step_type", "epoch_type"), KINDS)
def test_events_come_in_the_order_in_which_they_happened(history_type: Any, step_type: Any, epoch_type: Any) -> None:
    history = filled(history_type, step_type, epoch_type, epochs=3, steps=2)
    told = [(type(e), e.epoch) for e in history.events()]
    s, e = step_type, epoch_type
    assert told == [(s, 0), (s, 0), (e, 0), (s, 1), (s, 1), (e, 1), (s, 2), (s, 2), (e, 2), (s, 3)]


def test_a_step_is_added_whole_or_not_at_all() -> None:
    history = MetricsHistory()
    history.add_step(make(StepMetrics))
    for name in ("step", "train_loss", "step_time_s"):
        wrong = event_to_dict(make(StepMetrics))
        for value in (None, "rubbish", [1]):
            with pytest.raises((TypeError, ValueError)):
                history.add_dict(wrong | {name: value})
        with pytest.raises((KeyError, TypeError)):
            history.add_dict({k: v for k, v in wrong.items() if k != name})
    assert history.step_count == 1
    assert len(list(history.events())) == 1


@pytest.mark.parametrize(
    "data",
    [
        {}, [], None, {"steps": {}, "epochs": []}, {"steps": [], "epochs": []}, {"steps": 3, "epochs": []},
        {"steps": MetricsHistory().to_dict()["steps"] | {"epoch": [1]}, "epochs": []},
        {"steps": MetricsHistory().to_dict()["steps"] | {"epoch": ["x"]}, "epochs": []},
        {"steps": MetricsHistory().to_dict()["steps"], "epochs": [{"epoch": 1}]},
        {"steps": MetricsHistory().to_dict()["steps"], "epochs": [3]},
    ],
)  # fmt: skip
def test_what_is_no_history_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match="history"):
        MetricsHistory.from_dict(data)


@pytest.mark.parametrize(("history_type", "step_type", "epoch_type"), KINDS)
def test_loss_curves(history_type: Any, step_type: Any, epoch_type: Any) -> None:
    history, third = history_type(), "kl_loss" if history_type is MetricsHistory else "commit_loss"
    for n in range(3):
        history.add_step(make(step_type, epoch=n, recon_loss=float(n), **{third: n / 4}))
        history.add_epoch(make(epoch_type, epoch=n, train_loss=n / 2, val_loss=n * 2.0))
    assert history.get_loss_curves() == {
        "train_losses": [0.0, 0.5, 1.0],
        "val_losses": [0.0, 2.0, 4.0],
        "recon_losses": [0.0, 1.0, 2.0],
        f"{third}es": [0.0, 0.25, 0.5],
    }
    assert list(history.step_column("epoch")) == [0, 1, 2]


@pytest.mark.parametrize(
    ("losses", "best"),
    [
        ([], None),
        ([3.0], 0),
        ([3.0, 1.0, 2.0], 1),
        ([math.nan, 2.0, math.inf], 1),
        ([math.nan], None),
        ([2.0, 1.0, 1.0], 1),
    ],
)
def test_best_epoch(losses: list[float], best: int | None) -> None:
    history = MetricsHistory()
    for epoch, loss in enumerate(losses):
        history.add_epoch(make(EpochMetrics, epoch=epoch, val_loss=loss))
    assert history.get_best_epoch() == best


def test_time_left() -> None:
    history = MetricsHistory()
    assert history.compute_eta(1, 10, 20.0) == 80.0
    assert history.compute_eta(9, 10, 100.0) == 0.0
    assert history.compute_eta(6, 10, 20.0, epochs_done=2) == 30.0  # resumed at epoch 5


def test_overfitting_is_that_of_the_newest_epoch() -> None:
    history = MetricsHistory()
    assert not history.is_overfitting()
    for gap, expected in ((0.3, True), (0.2, False), (0.21, True), (math.nan, False)):
        history.add_epoch(make(EpochMetrics, overfitting_gap=gap))
        assert history.is_overfitting() is expected


def test_events_as_standard_json() -> None:
    done = TrainingCompleteEvent(3, 1.5, math.nan, None, 0.5, 2, "failed", "the disk is full")
    data = json.loads(json.dumps(event_to_dict(done), allow_nan=False))
    assert data == {
        "event": "TrainingCompleteEvent", "total_epochs": 3, "total_time_s": 1.5, "final_train_loss": "nan",
        "final_val_loss": None, "best_val_loss": 0.5, "best_epoch": 2, "outcome": "failed", "error": "the disk is full",
    }  # fmt: skip
    assert event_to_dict(PreviewEvent(4, "a.wav", 48_000))["event"] == "PreviewEvent"
    assert event_to_dict(make(StepMetrics, train_loss=math.inf))["train_loss"] == "inf"
