"""Maps of points whose neighbours are known."""

import torch
from torch import Tensor

from distill.models.latent_space.tsne import LANDMARKS, lay_out, principal_scores, trustworthiness


def clusters(each: int, count: int = 6, size: int = 20) -> Tensor:
    """Return ``count`` groups of ``each`` points in ``size`` dimensions."""
    generator = torch.Generator().manual_seed(1)
    centres = 5 * torch.randn(count, 1, size, generator=generator)
    return (centres + torch.randn(count, each, size, generator=generator)).reshape(-1, size)


def test_neighbours_stay_neighbours() -> None:
    points = clusters(20)
    laid_out = lay_out(points)
    assert trustworthiness(points, laid_out) > 0.95
    assert trustworthiness(points, laid_out) > trustworthiness(points, principal_scores(points, 2))
    groups = torch.arange(len(points)) // 20
    nearest = torch.cdist(laid_out, laid_out).fill_diagonal_(torch.inf).argmin(1)
    assert bool((groups[nearest] == groups).all())


def test_a_map_is_the_same_each_time() -> None:
    points = clusters(8)
    assert torch.equal(lay_out(points), lay_out(points))


def test_few_points_and_equal_points_have_a_map() -> None:
    for points in (torch.zeros(1, 4), torch.eye(3), torch.zeros(12, 5), clusters(2)):
        laid_out = lay_out(points)
        assert laid_out.shape == (len(points), 2)
        assert bool(torch.isfinite(laid_out).all())


def test_more_points_than_landmarks_are_placed_between_them() -> None:
    points = clusters(LANDMARKS // 6 + 30)
    assert len(points) > LANDMARKS
    assert trustworthiness(points[::4], lay_out(points)[::4]) > 0.9


def test_trustworthiness_of_known_maps() -> None:
    points = torch.rand(200, 2, generator=torch.Generator().manual_seed(0))
    assert trustworthiness(points, 3 * points) == 1.0
    shuffled = points[torch.randperm(200, generator=torch.Generator().manual_seed(0))]
    assert 0.4 < trustworthiness(points, shuffled) < 0.6
