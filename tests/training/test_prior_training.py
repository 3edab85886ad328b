"""The prior beside the network: what it keeps, what it draws, and that a step without numbers changes nothing."""

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from distill.models.priors.window_prior import WindowPrior
from distill.training.data.epoch_batches import EpochBatches
from distill.training.steps.prior_training import LatentTable, PriorTraining, spread_by_file

#: Items of three files: one of them long.
OWNER = [0, 1, 1, 1, 1, 1, 1, 2]
DIM = 3
GOOD, SKIPPED = torch.tensor(False), torch.tensor(True)


def dataset() -> Any:
    items = len(OWNER)
    return SimpleNamespace(
        owner=np.array(OWNER),
        previous=np.full(items, -1),
        total=np.ones(items, np.float32),
        offset=np.zeros(items, np.float32),
        weights=None,
    )


def training(steps: int = 2) -> PriorTraining:
    torch.manual_seed(0)
    return PriorTraining(WindowPrior(DIM, width=16, blocks=1), LatentTable(dataset(), DIM), steps, torch.device("cpu"))


def filled(steps: int = 2) -> PriorTraining:
    found = training(steps)
    points = torch.randn(len(OWNER), DIM, generator=torch.Generator().manual_seed(1))
    found.put(torch.arange(len(OWNER)), points, torch.full_like(points, 0.1), GOOD)
    found.fit()
    return found


def test_each_file_is_drawn_alike() -> None:
    rows = filled().table.draw(6000)
    shares = torch.bincount(torch.tensor(OWNER)[rows]) / 6000
    # Five standard errors of a share of a third of 6000 draws.
    assert torch.allclose(shares, torch.full((3,), 1 / 3), atol=5 * (2 / 9 / 6000) ** 0.5)


def test_only_what_was_seen_is_drawn() -> None:
    found = training()
    found.put(torch.tensor([0, 4]), torch.ones(2, DIM), None, GOOD)
    found.fit()
    assert set(found.table.draw(100).tolist()) == {0, 4}


def test_a_skipped_or_broken_step_leaves_the_table_as_it_was() -> None:
    found = filled()
    before = {key: value.clone() for key, value in found.table.state_dict().items()}
    broken = torch.full((2, DIM), torch.nan)
    found.put(torch.tensor([0, 1]), torch.ones(2, DIM), None, SKIPPED)
    found.put(torch.tensor([0, 1]), broken, None, GOOD)
    found.put(torch.tensor([0, 1]), torch.ones(2, DIM), broken, GOOD)
    assert all(torch.equal(value, before[key]) for key, value in found.table.state_dict().items())


def test_a_first_step_that_is_skipped_does_no_harm() -> None:
    found = training()
    found.put(torch.tensor([0]), torch.ones(1, DIM), None, SKIPPED)
    found.fit()
    weights = [p.detach().clone() for p in found.prior.parameters()]
    assert float(found.step(1.0, nullcontext)) == 0
    assert all(torch.equal(a, b) for a, b in zip(weights, found.prior.parameters(), strict=True))
    assert not found.table.has_doubled
    found.put(torch.tensor([0]), torch.ones(1, DIM), None, GOOD)
    assert found.table.has_doubled


@pytest.mark.parametrize("steps", [0, 2])
def test_a_step_that_is_not_taken_has_its_loss_on_the_device_of_the_others(steps: int) -> None:
    prior = WindowPrior(DIM, width=16, blocks=1)
    table = LatentTable(dataset(), DIM, "meta")
    found = PriorTraining(prior, table, steps, torch.device("cpu"))
    assert found.step(1.0, nullcontext).device.type == "meta"


def test_a_loss_that_is_no_number_leaves_the_weights_as_they_were() -> None:
    found = filled()
    found.table.mean.fill_(torch.inf)
    weights = [p.detach().clone() for p in found.prior.parameters()]
    found.step(1.0, nullcontext)
    assert all(torch.equal(a, b) for a, b in zip(weights, found.prior.parameters(), strict=True))


def test_training_goes_on_exactly_from_its_state() -> None:
    whole, part = filled(), filled()
    for found in (whole, part):
        torch.manual_seed(3)
        found.step(1.0, nullcontext)
    again = training()
    again.load_state_dict(part.state_dict())
    for found in (whole, again):
        torch.manual_seed(4)
        found.step(0.5, nullcontext)
    for mine, theirs in ((whole.prior, again.prior), (whole.averaged, again.averaged)):
        state = theirs.state_dict()
        assert all(torch.equal(value, state[key]) for key, value in mine.state_dict().items())


@pytest.mark.parametrize("anchors", [2, 7])
def test_a_prior_from_a_model_begins_near_the_sounds_of_that_until_it_is_fitted(anchors: int) -> None:
    source = WindowPrior(DIM, width=16, blocks=1, anchors=3)
    points = 5 + torch.randn(len(OWNER), DIM, generator=torch.Generator().manual_seed(1))
    table = LatentTable(dataset(), DIM)
    table.put(torch.arange(len(OWNER)), points, None, GOOD)
    table.fit(source)
    source.anchor_totals.copy_(torch.tensor([0.5, 1.0, 1.5]))
    started = PriorTraining(
        WindowPrior(DIM, width=16, blocks=1, anchors=anchors), LatentTable(dataset(), DIM), 2, torch.device("cpu")
    )
    assert started.start_from(source.state_dict())
    for prior in (started.prior, started.averaged):
        assert torch.equal(prior.lengths, source.lengths)
        assert len(prior.anchors) == anchors
        known = {(*anchor, total) for anchor, total in zip(source.anchors.tolist(), [0.5, 1.0, 1.5], strict=True)}
        taken = list(zip(prior.anchors.tolist(), prior.anchor_totals.tolist(), strict=True))
        assert {(*anchor, total) for anchor, total in taken} <= known
        assert len({total for _, total in taken}) == min(anchors, 3)


def test_a_prior_from_a_model_without_beginnings_has_none_until_it_is_fitted() -> None:
    source = WindowPrior(DIM, width=16, blocks=1)
    source.flow.fit(torch.ones(1, DIM), torch.ones(1, DIM))
    started = PriorTraining(
        WindowPrior(DIM, width=16, blocks=1, anchors=3), LatentTable(dataset(), DIM), 2, torch.device("cpu")
    )
    assert started.start_from(source.state_dict())
    assert started.averaged.draw_sounds(4, torch.Generator().manual_seed(0))[1] is None
    started.put(torch.arange(len(OWNER)), torch.ones(len(OWNER), DIM), None, GOOD)
    started.fit()
    assert started.averaged.draw_sounds(4, torch.Generator().manual_seed(0))[1] is not None


def test_an_epoch_has_as_much_of_each_file() -> None:
    owner = np.array([0] * 3 + [1] * 90 + [2] * 7)
    batches = EpochBatches(100, 16, 5, owner)
    for epoch in range(3):
        items = np.concatenate(batches.batches_of(epoch))
        counts = np.bincount(owner[items])
        assert len(items) == 100
        assert counts.max() - counts.min() <= 1
        long_items = items[owner[items] == 1]
        assert len(set(long_items.tolist())) == len(long_items)  # no item twice while there are others
    assert batches.batches_of(1) == EpochBatches(100, 16, 5, owner).batches_of(1) != batches.batches_of(2)


def test_kept_items_are_spread_by_file() -> None:
    owner = torch.tensor([0] * 2 + [1] * 100 + [2] * 10)
    kept = owner[spread_by_file(owner, 22)]
    assert torch.bincount(kept).tolist() == [2, 10, 10]
    assert len(spread_by_file(owner, 200)) == len(owner)


@pytest.mark.parametrize(("files", "most"), [(500, 288), (288, 288), (20, 288), (7, 3), (5, 1)])
def test_no_more_items_are_taken_than_wanted_and_files_are_spread(files: int, most: int) -> None:
    owner = torch.arange(files).repeat(2)  # chunks, then variants
    picked = spread_by_file(owner, most)
    assert len(picked) == min(most, 2 * files)
    assert bool((picked.diff() > 0).all())
    taken = torch.tensor(sorted(set(owner[picked].tolist())))
    assert len(taken) == min(most, files)
    if most > 1:
        assert int(taken.diff().max()) <= -(-files // most) + 1
