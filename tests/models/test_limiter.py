"""The new part of a sound stays within the level of the sound, without a step and without being cut off."""

import pytest
import torch

from distill.models.synthesis.limiter import limited

RATE = 48_000


def tone(seconds: float, level: float) -> torch.Tensor:
    return level * torch.sin(2 * torch.pi * 220 * torch.arange(round(seconds * RATE)) / RATE)[None]


@pytest.mark.parametrize("channels", [1, 2])
def test_a_loud_part_is_lowered_and_not_cut_off(channels: int) -> None:
    sound = torch.cat([tone(0.5, 0.5), tone(0.2, 0.5), tone(0.2, 3.0), tone(0.2, 0.5)], 1).repeat(channels, 1)
    part = round(0.5 * RATE), sound.shape[-1]
    made = limited(sound, part, 1.0, RATE)
    assert torch.equal(made[:, : part[0]], sound[:, : part[0]])
    assert float(made.abs().max()) <= 1.0
    loud = slice(round(0.72 * RATE), round(0.88 * RATE))
    assert float(made[:, loud].abs().max()) > 0.9
    cut = (made[:, loud].abs() > 0.999).float().mean()
    assert float(cut) < 0.05, "a sine that is cut off at a third of its height is flat most of the time"
    torch.testing.assert_close(made[:, -round(0.1 * RATE) :], sound[:, -round(0.1 * RATE) :])  # the gain is back


def test_the_gain_begins_and_ends_at_one() -> None:
    sound = torch.cat([tone(0.1, 0.9), tone(0.1, 2.0), tone(0.1, 0.9)], 1)
    part = round(0.1 * RATE), round(0.2 * RATE)
    made = limited(sound, part, 1.0, RATE)
    assert float(made.diff().abs().max()) <= 1.2 * float(sound.diff().abs().max())
    torch.testing.assert_close(made[:, part[0]], sound[:, part[0]])
    torch.testing.assert_close(made[:, part[1] - 1], sound[:, part[1] - 1])


def test_what_is_within_the_level_stays_as_it_is() -> None:
    sound = tone(0.3, 0.8)
    assert limited(sound, (0, sound.shape[-1]), 0.81, RATE) is sound
    assert limited(sound, (100, 100), 0.1, RATE) is sound
