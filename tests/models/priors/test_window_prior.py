"""The prior over windows: each sound counts the same, lengths, projection, and its state."""

import sys
from itertools import pairwise

import pytest
import torch

from distill.models.priors.window_prior import WindowPrior, WindowTable
from distill.models.synthesis.window_blend import window_count


def table(dim: int = 3) -> WindowTable:
    """Two sounds of one window, and one of five."""
    generator = torch.Generator().manual_seed(0)
    return WindowTable(
        points=torch.randn(7, dim, generator=generator),
        variance=torch.full((7, dim), 0.01),
        sounds=torch.tensor([0, 1, 2, 2, 2, 2, 2]),
        previous=torch.tensor([-1, -1, -1, 2, 3, 4, 5]),
        total=torch.tensor([0.3, 0.8, 2.6, 2.6, 2.6, 2.6, 2.6]),
        offset=torch.tensor([0.0, 0.0, 0.0, 0.5, 1.0, 1.5, 2.0]),
    )


def test_each_sound_counts_the_same_and_half_of_a_long_one_is_its_beginning() -> None:
    weights = table().weights()
    assert weights[:3].tolist() == [1.0, 1.0, 0.5]
    assert float(weights[2:].sum()) == pytest.approx(1.0)
    used = torch.tensor([True, True, False, True, True, False, False])
    known = table().weights(used)
    assert known[~used].sum() == 0
    assert float(known[2:].sum()) == pytest.approx(1.0)


def test_copies_that_count_as_one_sound_are_one() -> None:
    """A prior of seven sounds, one of them there four times, is that of the seven sounds."""
    generator = torch.Generator().manual_seed(0)
    points, totals = torch.randn(7, 3, generator=generator), torch.tensor([0.2, 0.5, 0.5, 0.5, 0.9, 1.4, 2.0])
    fitted = []
    for which in (torch.arange(7), torch.tensor([3, 0, 3, 1, 2, 3, 4, 5, 6, 3])):
        counts = torch.where(which == 3, 0.25, 1.0) if len(which) > 7 else None
        prior = WindowPrior(3, anchors=7)
        prior.fit(
            WindowTable(
                points=points[which], variance=None, sounds=torch.arange(len(which)),
                previous=torch.full((len(which),), -1), total=totals[which], offset=torch.zeros(len(which)),
                counts=counts,
            )
        )  # fmt: skip
        fitted.append(prior)
    one, other = fitted
    assert torch.allclose(one.flow.mean, other.flow.mean, atol=1e-6)
    assert torch.allclose(one.flow.root, other.flow.root, atol=1e-5)
    assert torch.equal(one.anchors[one.anchors[:, 0].argsort()], other.anchors[other.anchors[:, 0].argsort()])
    assert float((one.lengths - other.lengths).abs().mean()) < 0.1
    assert [float(found.lengths[end]) for found in fitted for end in (0, -1)] == pytest.approx([0.2, 2.0, 0.2, 2.0])


@pytest.mark.parametrize(("total", "count"), [(0.02, 1), (1.0, 1), (1.01, 2), (1.5, 2), (2.0, 3), (30.0, 59)])
def test_windows_cover_the_sound(total: float, count: int) -> None:
    assert window_count(total) == count
    assert (count - 1) / 2 + 1 >= total


def test_lengths_keep_within_those_of_the_corpus_and_sounds_begin_near_one_of_about_the_same_length() -> None:
    prior = WindowPrior(3, anchors=2)
    assert prior.draw_sounds(4, torch.Generator().manual_seed(1))[1] is None  # nothing is known of a corpus yet
    prior.fit(table())
    totals, anchors = prior.draw_sounds(30, torch.Generator().manual_seed(1))
    assert anchors is not None
    assert 0.3 <= float(totals.min()) < float(totals.max()) <= 2.6
    longest = prior.anchors[prior.anchor_totals.argmax()]
    assert torch.equal(anchors[totals.argmax()], longest)
    assert not torch.equal(anchors[totals.argmin()], longest)
    again, free = prior.draw_sounds(30, torch.Generator().manual_seed(1), freedom=1.0)
    assert free is None
    assert torch.equal(again, totals)


def test_new_sounds_have_the_lengths_of_the_corpus_and_the_longest_are_not_most_of_what_is_heard() -> None:
    corpus = torch.exp(0.9 * torch.randn(165, generator=torch.Generator().manual_seed(5)))
    count = len(corpus)
    prior = WindowPrior(3)
    prior.fit(
        WindowTable(
            points=torch.randn(count, 3, generator=torch.Generator().manual_seed(0)),
            variance=None,
            sounds=torch.arange(count),
            previous=torch.full((count,), -1),
            total=corpus,
            offset=torch.zeros(count),
        )
    )
    made, _ = prior.draw_sounds(160, torch.Generator().manual_seed(1))
    at = torch.cat([made, corpus])[:, None]
    assert float(((made <= at).float().mean(1) - (corpus <= at).float().mean(1)).abs().max()) <= 0.15
    longest = corpus.quantile(0.9)
    assert float(made[made > longest].sum() / made.sum()) < 0.5 * float(corpus[corpus > longest].sum() / corpus.sum())


def test_the_temperature_spreads_beginnings() -> None:
    prior = WindowPrior(3, anchors=2)
    prior.fit(table())
    spreads = []
    for temperature in (0.0, 0.5, 1.0, 2.0):
        totals, anchors = prior.draw_sounds(200, torch.Generator().manual_seed(1))
        begun = prior.begin(totals, anchors, torch.Generator().manual_seed(2), temperature)
        spreads.append(float(torch.pdist(begun).mean()))
    assert spreads == sorted(spreads)


def test_the_loss_falls_with_training_and_the_state_comes_back() -> None:
    torch.manual_seed(0)
    prior, rows = WindowPrior(3, width=32, blocks=1, anchors=3), table()
    prior.fit(rows)
    optimizer = torch.optim.AdamW(prior.parameters(), 3e-3)
    picked = torch.multinomial(rows.weights(), 256, replacement=True, generator=torch.Generator().manual_seed(0))
    losses = []
    for _ in range(150):
        loss = prior.loss(rows, picked, torch.Generator().manual_seed(3))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    again = WindowPrior.of_state(prior.state_dict())
    length = torch.tensor([0.3, 2.6])
    drawn = [one.draw(None, length, 0.0, torch.Generator().manual_seed(5)) for one in (prior, again)]
    assert torch.equal(*drawn)
    # What follows depends on what was before it.
    before = torch.stack([rows.points[2], rows.points[4]])
    following = prior.draw(before, torch.tensor([2.6, 2.6]), 0.5, torch.Generator().manual_seed(5))
    other = prior.draw(before.flip(0), torch.tensor([2.6, 2.6]), 0.5, torch.Generator().manual_seed(5))
    assert not torch.allclose(following, other, atol=1e-3)


def test_components_hold_what_they_were_fitted_to() -> None:
    generator = torch.Generator().manual_seed(0)
    axes = torch.randn(2, 50, generator=generator)
    points = torch.randn(20, 2, generator=generator) @ axes + 3.0
    prior = WindowPrior(50, components=2)
    prior.fit_projection(points, torch.ones(20))
    torch.testing.assert_close(prior.restore(prior.project(points)), points, rtol=1e-3, atol=1e-3)
    odd = points + torch.randn(20, 50, generator=generator)
    torch.testing.assert_close(prior.restore(prior.project(odd), prior.missing(odd)), odd, rtol=1e-3, atol=1e-3)
    again = WindowPrior.of_state(prior.state_dict())
    assert (again.point_dim, again.dim) == (50, 2)
    torch.testing.assert_close(again.project(points), prior.project(points))


def test_components_of_few_points_leave_out_the_directions_without_variance() -> None:
    """The rows are centred: of five of them, one direction is nothing but the noise of the arithmetic."""
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        points = 100 * torch.randn(5, 300, generator=generator)
        prior = WindowPrior(300, components=8)
        prior.fit_projection(points, torch.rand(5, generator=generator) + 0.5)
        norms = prior.axes.norm(dim=0)
        assert torch.allclose(norms[:4], torch.ones(4), atol=1e-3)
        assert torch.equal(norms[4:], torch.zeros(4))
        torch.testing.assert_close(prior.restore(prior.project(points)), points, rtol=1e-3, atol=1e-2)
        others = 100 * torch.randn(5, 300, generator=generator)
        assert float((prior.restore(prior.project(others)) - prior.origin).norm()) <= 1.01 * float(
            (others - prior.origin).norm()
        )


def test_renewing_by_nothing_changes_nothing_and_by_all_forgets_everything() -> None:
    prior, rows = WindowPrior(3), table()
    prior.fit(rows)
    noise = torch.randn(7, 3, generator=torch.Generator().manual_seed(2))
    same = prior.renew(rows.points, torch.zeros(7), noise, None, rows.total, 0.0)
    torch.testing.assert_close(same, rows.points, rtol=1e-3, atol=1e-3)
    one, other = (
        prior.renew(points, torch.ones(7), noise, None, rows.total, 0.0) for points in (rows.points, -rows.points)
    )
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("key", "shape"),
    [("flow.enter.weight", (4000, 80)), ("flow.mean", (8000,)), ("axes", (0, 8000)), ("anchors", (10**9, 0))],
)
def test_a_small_file_makes_no_large_prior(key: str, shape: tuple[int, ...]) -> None:
    """Sizes that lie are noticed before memory is taken for a network, or a covariance, of such a size."""
    resource = pytest.importorskip("resource")
    state = WindowPrior(4, width=8, blocks=1).state_dict()
    state[key] = torch.zeros(1).expand(shape)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises((AttributeError, IndexError, KeyError, RuntimeError, ValueError)):
        WindowPrior.of_state(state)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100_000 * (1 if sys.platform == "linux" else 1024)  # kB, on macOS bytes


def test_as_many_blocks_as_there_are_and_no_more() -> None:
    state = WindowPrior(4, width=8, blocks=2).state_dict()
    state["flow.blocks.1000000000.norm.weight"] = torch.zeros(8)
    with pytest.raises(KeyError):
        WindowPrior.of_state(state)
    block = {key.removeprefix("flow.blocks.1."): value for key, value in state.items() if "blocks.1." in key}
    many = {f"flow.blocks.{number}.{key}": value for number in range(2000) for key, value in block.items()}
    with pytest.raises(ValueError, match="2000 blocks"):
        WindowPrior.of_state({**WindowPrior(4, width=8, blocks=2).state_dict(), **many})


@pytest.mark.parametrize("sounds", [1, 5, 12, 24, 48, 500])
def test_freedom_leads_farther_step_by_step_whatever_the_number_of_sounds(sounds: int) -> None:
    prior = WindowPrior(3, anchors=sounds)
    reached = [prior.reach(freedom / 10) for freedom in range(11)]
    assert (reached[0], reached[-1]) == (0.0, 1.0)
    assert all(low < high for low, high in pairwise(reached))
    assert prior.reach(None) == prior.reach(0.5) == reached[5]


def test_new_sounds_keep_farther_away_from_few_sounds_than_from_many() -> None:
    reached = [WindowPrior(3, anchors=sounds).reach(None) for sounds in (1, 12, 20, 30, 48, 500)]
    assert reached == sorted(reached, reverse=True)
    assert reached[0] == reached[1] == pytest.approx(0.8)
    assert reached[-1] == reached[-2] == pytest.approx(0.5)
    assert WindowPrior(3).reach(None) == pytest.approx(0.5)  # a prior that keeps no sounds does not know their number


def test_a_freedom_leads_a_sound_farther_from_what_it_begins_near_where_there_are_few() -> None:
    """The distance from the beginning, in what the flow describes it by."""
    apart = []
    for sounds in (12, 48):
        points = torch.randn(sounds, 3, generator=torch.Generator().manual_seed(2))
        one = torch.ones(sounds)
        prior = WindowPrior(3, anchors=sounds)
        prior.fit(WindowTable(points, None, torch.arange(sounds), -torch.ones(sounds).long(), one, 0 * one))
        generator = torch.Generator().manual_seed(3)
        totals, anchors = prior.draw_sounds(400, generator)
        assert anchors is not None
        apart.append(float(prior.flow.whiten(prior.begin(totals, anchors, generator) - anchors).norm(dim=1).mean()))
    assert apart[0] > 1.2 * apart[1]
