"""The numbers in an optimizer's and a schedule's state are checked before a checkpoint is used."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from distill.audio import SpectrogramConfig
from distill.errors import CheckpointError
from distill.models.families import make_family
from distill.serialization.archive import write_archive
from distill.serialization.checkpoint_reader import read_checkpoint
from distill.serialization.plain_values import plain_config
from distill.training import MetricsHistory, TrainingConfig, save_checkpoint
from distill.training.steps.learning_rate_schedule import CosineFactor, make_scheduler

CONFIG = TrainingConfig(latent_dim=2, chunk_duration_s=0.25)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    model = make_family(CONFIG).build()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    scheduler = make_scheduler(optimizer, CosineFactor.of_run(10))
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    scheduler.step()
    path = tmp_path_factory.mktemp("whole") / "checkpoint_epoch0003.pt"
    spectrogram, history = plain_config(SpectrogramConfig()), MetricsHistory().to_dict()
    save_checkpoint(path, model, optimizer, scheduler, 3, 30, 0.5, 0.75, 1e-3, CONFIG, spectrogram, history)
    return path


def test_a_whole_one_is_read(whole: Path) -> None:
    assert read_checkpoint(whole)["epoch"] == 3


def moment(name: str, change: Callable[[torch.Tensor], Any]) -> Callable[[dict[str, Any]], None]:
    def edit(data: dict[str, Any]) -> None:
        table = data["optimizer_state_dict"]["state"][3]
        table[name] = change(table[name].clone())

    return edit


def group(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda data: data["optimizer_state_dict"]["param_groups"][0].update({name: value})


def schedule(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda data: data["scheduler_state_dict"].update({name: value})


def weight(value: float) -> Callable[[dict[str, Any]], None]:
    def edit(data: dict[str, Any]) -> None:
        first = next(v for v in data["model_state_dict"].values() if v.is_floating_point())
        first.view(-1)[0] = value

    return edit


def filled(value: float) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda tensor: tensor.fill_(value)


EDITS = {
    "NaN in a first moment": moment("exp_avg", filled(float("nan"))),
    "infinity in a second moment": moment("exp_avg_sq", filled(float("inf"))),
    "a negative second moment": moment("exp_avg_sq", filled(-1.0)),
    "a moment that is text": moment("exp_avg", lambda tensor: "moment"),
    "a negative count": moment("step", filled(-5.0)),
    "a count that is no number": moment("step", filled(float("nan"))),
    "a rate that is NaN": group("lr", float("nan")),
    "a negative rate": group("lr", -1e-3),
    "an absurd rate": group("lr", 1e30),
    "a rate that is text": group("lr", "fast"),
    "no rate": group("lr", None),
    "absurd betas": group("betas", (0.9, 7.0)),
    "a decay that is infinite": group("weight_decay", float("inf")),
    "a negative epoch": schedule("last_epoch", -7),
    "base rates that are NaN": schedule("base_lrs", [float("nan")]),
    "a negative last rate": schedule("_last_lr", [-1.0]),
    "no table": lambda data: data["optimizer_state_dict"]["state"].update({3: [1]}),
    "an absurd weight": weight(1e38),
    "a weight that is NaN": weight(float("nan")),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_numbers_that_are_none_are_refused(whole: Path, tmp_path: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    data = read_checkpoint(whole)
    edit(data)
    path = tmp_path / "checkpoint_epoch0004.pt"
    write_archive(path, data)
    with pytest.raises(CheckpointError, match=r"^checkpoint_epoch0004\.pt (is damaged|holds)[^\n]*checkpoint\.$"):
        read_checkpoint(path)
