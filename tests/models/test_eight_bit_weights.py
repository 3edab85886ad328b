"""Large networks are stored in eight bits: nearly the same numbers, and a damaged file is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch

from distill.errors import ModelFileError
from distill.models import eight_bit_weights as module
from distill.models.eight_bit_weights import STEPS, stored_weights, with_weights

FILE = Path("bells.distill")


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    monkeypatch.setattr(module, "_LARGE_NETWORK", 1000)
    monkeypatch.setattr(module, "_LARGE_TENSOR", 100)
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(30, 4, 5, 5, generator=generator) * torch.logspace(-4, 2, 30)[:, None, None, None]
    weight[3] = 0.0
    return {
        "weight": weight,
        "bias": torch.randn(30, generator=generator),
        "few": torch.randn(3, 3),
        "codes": torch.arange(900),
    }


def test_numbers_come_back_to_half_a_step_of_their_output(state: dict[str, torch.Tensor]) -> None:
    entries = stored_weights(state)
    assert entries["model_state_dict"]["weight"].dtype == torch.int8
    found = with_weights(entries, FILE)["model_state_dict"]
    assert found.keys() == state.keys()
    for name in ("bias", "few", "codes"):
        assert torch.equal(found[name], state[name])
    error = (found["weight"] - state["weight"]).flatten(1).abs().amax(1)
    assert bool((error <= state["weight"].flatten(1).abs().amax(1) / 127 / 2 * 1.001).all())


def test_small_networks_and_files_of_older_versions_are_as_they_are(state: dict[str, torch.Tensor]) -> None:
    small = {"few": state["few"]}
    assert stored_weights(small).keys() == {"model_state_dict"}
    plain = {"model_state_dict": state}
    assert with_weights(plain, FILE) is plain


@pytest.mark.parametrize(
    "change",
    [
        {"weight": torch.ones(29)},
        {"weight": torch.full((30,), torch.nan)},
        {"weight": torch.ones(30, dtype=torch.long)},
        {"weight": 3.0},
        {"bias": torch.ones(30)},
        {"other": torch.ones(30)},
    ],
)
def test_damaged_steps_are_refused(state: dict[str, torch.Tensor], change: dict[str, Any]) -> None:
    entries = stored_weights(state)
    with pytest.raises(ModelFileError, match=r"bells\.distill is damaged"):
        with_weights({**entries, STEPS: {**entries[STEPS], **change}}, FILE)
    with pytest.raises(ModelFileError, match=r"bells\.distill is damaged"):
        with_weights({**entries, STEPS: [1]}, FILE)
