"""Number format, layout and threads of a run."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from distill.training.compute_plan import ComputePlan, computing_threads

CPU = torch.device("cpu")


def test_the_way_through_a_dict() -> None:
    speed = ComputePlan("bfloat16", True, 3, "because", (("x", 1.0),))
    assert ComputePlan.from_dict(speed.to_dict()) == replace(speed, trials=())


def test_threads_are_set_and_given_back() -> None:
    before = torch.get_num_threads()
    with computing_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with pytest.raises(ZeroDivisionError), computing_threads(before + 1):
        raise ZeroDivisionError
    assert torch.get_num_threads() == before
    with computing_threads("auto"):
        assert torch.get_num_threads() == before


def test_layout_and_autocast() -> None:
    half = ComputePlan("bfloat16", True)
    x = torch.randn(2, 3, 4, 4)
    assert half.layout(x).is_contiguous(memory_format=torch.channels_last)
    layer = nn.Conv2d(3, 5, 3)
    half.prepare_model(layer)
    assert layer.weight.is_contiguous(memory_format=torch.channels_last)
    assert layer.weight.dtype == torch.float32
    with half.autocast(CPU):
        assert layer(x).dtype == torch.bfloat16
    with ComputePlan().autocast(CPU):
        assert layer(x).dtype == torch.float32
