"""The flow: its Gaussian start, what it learns, and the temperature of its draws."""

import pytest
import torch
from torch import Tensor

from distill.models.priors.flow_prior import FlowPrior


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gaussian(count: int, seed: int = 0) -> Tensor:
    """Points whose coordinates depend on each other, far from zero."""
    mixing = torch.tensor([[2.0, 0.0, 0.0], [1.5, 0.5, 0.0], [0.0, 0.3, 0.1]])
    return torch.randn(count, 3, generator=seeded(seed)) @ mixing.T + torch.tensor([3.0, -1.0, 0.5])


def covariance(points: Tensor) -> Tensor:
    return torch.cov(points.T)


@pytest.mark.parametrize("sizes", [(0,), (3, -1), (3, 0, 0), (3, 0, 8, 0)])
def test_sizes_are_checked(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="positive"):
        FlowPrior(*sizes)


def test_a_fitted_prior_that_was_not_trained_draws_the_corpus_gaussian() -> None:
    corpus = gaussian(4000)
    prior = FlowPrior(3)
    prior.fit(corpus)
    drawn = prior.sample(4000, seeded(1))
    # The standard error of a mean of 4000 draws is spread / 63; of a variance, variance / 45.
    assert torch.allclose(drawn.mean(0), corpus.mean(0), atol=5 * float(corpus.std(0).max()) / 63)
    assert torch.allclose(covariance(drawn), covariance(corpus), atol=6 * float(covariance(corpus).max()) / 45)


def test_weights_and_variances_count_in_the_fit() -> None:
    points = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 0.0]])
    prior = FlowPrior(2)
    prior.fit(points, torch.full((3, 2), 0.5), torch.tensor([1.0, 1.0, 0.0]))
    assert torch.allclose(prior.mean, torch.tensor([5.0, 0.0]))
    assert torch.allclose(prior.root @ prior.root, torch.diag(torch.tensor([25.5, 0.5])), atol=1e-4)


def test_whitening_is_undone_and_changes_smoothly() -> None:
    prior, later = FlowPrior(3), FlowPrior(3)
    corpus = gaussian(500)
    prior.fit(corpus)
    later.fit(corpus + 0.01 * torch.randn(500, 3, generator=seeded(3)))
    assert torch.allclose(prior.unwhiten(prior.whiten(corpus)), corpus, atol=1e-4)
    # Two fits to nearly the same points must agree on every axis: no axis may change sign or place.
    assert float((prior.whiten(corpus) - later.whiten(corpus)).abs().max()) < 0.5


def test_it_learns_what_is_not_gaussian() -> None:
    """Two clusters, where the Gaussian has most of its points between them."""
    signs = torch.where(torch.rand(600, 1, generator=seeded()) < 0.5, -1.0, 1.0)
    corpus = torch.cat([3 * signs, torch.zeros(600, 1)], 1) + 0.1 * torch.randn(600, 2, generator=seeded(1))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        prior = FlowPrior(2, width=64, blocks=2)
    prior.fit(corpus)

    def between() -> float:
        return float((prior.sample(400, seeded(2))[:, 0].abs() < 2).float().mean())

    before = between()
    optimizer = torch.optim.AdamW(prior.parameters(), lr=3e-3)
    draws = seeded(4)
    for _ in range(400):
        batch = corpus[torch.randint(600, (128,), generator=draws)]
        optimizer.zero_grad()
        prior.loss(batch, generator=draws).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert before > 0.3
    assert between() < before / 3


def test_spread_and_density_follow_the_temperature() -> None:
    prior = FlowPrior(3)
    prior.fit(gaussian(500))
    spreads = [float(prior.sample(200, seeded(), t).std(0).norm()) for t in (0.0, 0.3, 0.7, 1.0, 1.5)]
    assert spreads == sorted(spreads)
    assert spreads[0] == pytest.approx(0.0, abs=1e-5)


def test_a_seed_repeats_a_draw() -> None:
    prior = FlowPrior(3)
    prior.fit(gaussian(50))
    assert torch.equal(prior.sample(5, seeded(7)), prior.sample(5, seeded(7)))
    assert not torch.equal(prior.sample(5, seeded(7)), prior.sample(5, seeded(8)))


def test_renewed_points_move_away_with_the_strength() -> None:
    prior = FlowPrior(3)
    corpus = gaussian(300)
    prior.fit(corpus)
    noise = torch.randn(300, 3, generator=seeded())
    distances = []
    for strength in (0.0, 0.25, 0.5, 0.75, 1.0):
        renewed = prior.renew(corpus, torch.full((300,), strength), noise)
        distances.append(float((prior.whiten(renewed) - prior.whiten(corpus)).norm(dim=1).mean()))
    assert distances[0] == pytest.approx(0.0, abs=1e-4)
    assert distances == sorted(distances)


def test_a_state_says_its_sizes() -> None:
    prior = FlowPrior(5, 2, width=16, blocks=4)
    prior.fit(torch.randn(20, 5, generator=seeded()))
    again = FlowPrior.of_state(prior.state_dict())
    condition = torch.ones(3, 2)
    assert (again.dim, again.condition_dim) == (5, 2)
    assert torch.equal(again.sample(3, seeded(), 1.0, condition), prior.sample(3, seeded(), 1.0, condition))
    with pytest.raises((KeyError, RuntimeError, ValueError)):
        FlowPrior.of_state({"mean": torch.zeros(3)})
