"""Networks that are built for stored weights leave torch's generator alone."""

import threading

import pytest
import torch

from distill.computing.own_randomness import OwnRandomness
from distill.config.factory import make_config
from distill.models.families import make_family
from distill.models.priors.window_prior import WindowPrior


@pytest.mark.parametrize("key", ["vae", "complex_vae", "vqvae"])
def test_building_a_network_takes_no_number_from_torch(key: str) -> None:
    family = make_family(make_config(key, 4))
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with OwnRandomness():
        network = family.build()
        WindowPrior(8)
    assert torch.equal(torch.rand(3), expected)
    assert all(bool(torch.isfinite(value).all()) for value in network.state_dict().values())


def test_factories_and_other_threads_are_left_alone() -> None:
    torch.manual_seed(5)
    expected = torch.randn(2)
    torch.manual_seed(5)
    drawn: list[torch.Tensor] = []
    with OwnRandomness():
        first = torch.randn(2)
        other = threading.Thread(target=lambda: drawn.append(torch.randn(2)))
        other.start()
        other.join()
    with OwnRandomness():
        assert torch.equal(torch.randn(2), first)
    assert torch.equal(drawn[0], expected)
