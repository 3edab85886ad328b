"""Choosing among drawn sounds by what the user has starred and rejected."""

import pytest
import torch
from torch import Tensor

from distill.models.priors.taste_steering import Taste, candidate_count, choose

NONE = torch.zeros(0, 8)


def drawn(count: int = 256) -> Tensor:
    return torch.randn(count, 8, generator=torch.Generator().manual_seed(1))


def chosen(points: Tensor, taste: Taste, count: int = 16, seed: int = 3) -> list[int]:
    return choose(points, taste, count, torch.Generator().manual_seed(seed))


def near_share(points: Tensor, centre: Tensor, numbers: list[int]) -> float:
    distance = torch.cdist(points, centre).amin(1)
    return float((distance[numbers] <= distance.quantile(0.2)).float().mean())


def spread(points: Tensor) -> float:
    return float(torch.pdist(points).mean())


def test_twice_as_many_lie_near_the_starred_ones_and_they_stay_varied() -> None:
    points = drawn()
    stars = points[torch.cdist(points, points[:1])[:, 0].argsort()[:4]]
    numbers = chosen(points, Taste(stars, NONE))
    assert near_share(points, stars, numbers) >= 2 * 0.2
    assert spread(points[numbers]) >= 0.8 * spread(points)


def test_the_stars_are_followed_in_turn() -> None:
    points = drawn()
    stars = points[:4]  # far from each other
    numbers = chosen(points, Taste(stars, NONE), 10)
    assert {0, 1, 2, 3} < set(numbers)  # each candidate is nearest to itself
    assert numbers[0] in (0, 1, 2, 3)


def test_what_is_like_a_rejected_sound_is_passed_over() -> None:
    points = drawn()
    both = Taste(points[:6], points[6:8])
    numbers = chosen(points, both, 64)
    nearer = torch.cdist(points, both.rejected).amin(1) < torch.cdist(points, both.starred).amin(1)
    assert not nearer[numbers].any()
    only = chosen(points, Taste(NONE, points[2:4]), 64)
    assert near_share(points, points[2:4], only) == 0.0


def test_rejecting_nearly_everything_leaves_something_to_choose() -> None:
    points = drawn(64)
    numbers = chosen(points, Taste(points[:1], points[1:]), 64)
    assert sorted(numbers) == list(range(64))


@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_same_seed_chooses_the_same_without_repeats(count: int) -> None:
    points = drawn(64)
    taste = Taste(points[:3], points[3:5])
    assert chosen(points, taste, count) == chosen(points, taste, count)
    assert len(set(chosen(points, taste, count))) == count


def test_there_are_always_enough_candidates() -> None:
    assert [candidate_count(count) for count in (1, 4, 16, 1000)] == [64, 64, 256, 1024]
