"""Colours of new sounds: how strong, how smooth, and what they do to features."""

import pytest
import torch

from distill.audio.stft_and_mel import CENTRE
from distill.models.synthesis.spectral_colour import coloured, draw_colours


@pytest.mark.parametrize("bands", [64, 128, 200])
@pytest.mark.parametrize("spread", [2.0, 6.0])
def test_a_colour_has_its_spread_and_no_level(bands: int, spread: float) -> None:
    found = 20 * draw_colours(2000, bands, spread, torch.Generator().manual_seed(1))
    assert found.shape == (2000, bands)
    assert float(found.square().mean().sqrt()) == pytest.approx(spread, rel=0.05)
    assert float(found.mean(1).abs().max()) < 1e-3 * spread


def test_a_colour_is_smooth() -> None:
    """Neighbouring bands change together; those that are a third of the spectrum apart do not."""
    found = draw_colours(4000, 128, 6.0, torch.Generator().manual_seed(2))
    together = [float(torch.corrcoef(found[:, [40, 40 + apart]].T)[0, 1]) for apart in (1, 8, 43)]
    assert together[0] > 0.99
    assert together[1] > 0.8
    assert together[2] < 0.3


def test_colours_are_the_same_for_a_seed_and_no_two_are_alike() -> None:
    first, again = (draw_colours(3, 128, 6.0, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, again)
    assert float((first[0] - first[1]).abs().max()) > 0.01


def test_only_the_magnitude_is_coloured_and_stays_over_the_floor() -> None:
    features = torch.randn(2, 128, 20, generator=torch.Generator().manual_seed(4)).clamp_min(-CENTRE)
    colour = torch.linspace(-1, 1, 128)
    found = coloured(features, colour, -CENTRE)
    assert torch.equal(found[1], features[1])
    assert float(found[0].min()) == -CENTRE
    torch.testing.assert_close(found[0, 100], features[0, 100] + colour[100])
