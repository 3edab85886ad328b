"""Batches of item numbers, whose order is a pure function of seed and epoch, and the loader over them."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from distill.distributed.ranks import ALONE, Ranks
from distill.distributed.shared_batch import BatchSlice


class EpochBatches(Sampler[list[int]]):
    """Batches of item numbers; the order is a pure function of seed and epoch.

    Batches differ by at most one item in size, so that no last step is taken on a handful of chunks.

    Parameters
    ----------
    items
        Number of items.
    batch_size
        Largest batch.
    seed
        Start of the order, or None for the items' own order in each epoch.
    owner
        Number of the sound that each item is of, ``[items]``: an epoch then draws as many items as there are, and each
        sound counts the same in it.  The parts of a recording with long pauses are sounds of their own.  None: each
        item comes once.
    ranks
        The processes that share the batches; an iteration yields the rows of this one.
    weights
        How much each sound counts, ``[sounds]``; None: the same.
    """

    def __init__(
        self,
        items: int,
        batch_size: int,
        seed: int | None,
        owner: "np.ndarray[tuple[int], np.dtype[np.int64]] | None" = None,
        ranks: Ranks = ALONE,
        weights: "np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None" = None,
    ) -> None:
        self.items = items
        self.seed = seed
        self._ranks = ranks
        self._weights = None if owner is None or weights is None else weights[np.unique(owner)]
        self._by_sound = None if owner is None else [np.flatnonzero(owner == sound) for sound in np.unique(owner)]
        self.batches = max(1, -(-items // batch_size))
        self._epoch = 0
        self._first_batch = 0

    def start_at(self, epoch: int, first_batch: int = 0) -> None:
        """Set the epoch of the next iteration, and how many of its batches are skipped."""
        self._epoch, self._first_batch = epoch, first_batch

    def __len__(self) -> int:
        return self.batches - self._first_batch

    def __iter__(self) -> Iterator[list[int]]:
        epoch, first_batch = self._epoch, self._first_batch
        self.start_at(epoch + 1)  # by default, one epoch after the other
        for batch in self.batches_of(epoch)[first_batch:]:
            part = self._ranks.slice_of(len(batch))
            yield batch if part is None else batch[part.computed]

    def part_of(self, number: int) -> BatchSlice | None:
        """Return which part of a batch of an epoch this process has, or None for all of it."""
        low, high = self._edges()[number : number + 2].tolist()
        return self._ranks.slice_of(high - low)

    def _edges(self) -> "np.ndarray[tuple[int, ...], np.dtype[np.int64]]":
        edges: np.ndarray[tuple[int, ...], np.dtype[np.int64]] = (
            np.linspace(0, self.items, self.batches + 1).round().astype(np.int64)
        )
        return edges

    def batches_of(self, epoch: int) -> list[list[int]]:
        """Return the item numbers of all batches of an epoch."""
        order = np.arange(self.items)
        if self.seed is not None:
            rng = np.random.default_rng([self.seed, epoch])
            order = rng.permutation(self.items if self._by_sound is None else self._balanced(rng))
        return [order[low:high].tolist() for low, high in pairwise(self._edges())]

    def _balanced(self, rng: np.random.Generator) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        """Return as many items as there are, from each sound as many as from any other, or one more.

        With weights the numbers are in their proportion; what is left over is drawn.
        """
        assert self._by_sound is not None
        if self._weights is None:
            share, items_left = divmod(self.items, len(self._by_sound))
            counts = np.full(len(self._by_sound), share)
            counts[rng.permutation(len(counts))[:items_left]] += 1
        else:
            wanted_counts = self.items * self._weights / self._weights.sum()
            counts = np.floor(wanted_counts).astype(int)
            fractions_left = wanted_counts - counts
            items_left = self.items - int(counts.sum())
            if items_left:
                counts[rng.choice(len(counts), items_left, replace=False, p=fractions_left / fractions_left.sum())] += 1
        drawn_items = []
        for items_of_sound, count in zip(self._by_sound, counts, strict=True):
            if not count:  # of a sound that counts less, there is not one in each epoch
                continue
            rounds = -(-count // len(items_of_sound))  # each item of a sound comes once before any comes twice
            drawn_items.append(np.concatenate([rng.permutation(items_of_sound) for _ in range(rounds)])[:count])
        return np.concatenate(drawn_items)


def make_loader(
    dataset: Dataset[Tensor],
    items: int,
    batch_size: int,
    seed: int | None,
    owner: "np.ndarray[tuple[int], np.dtype[np.int64]] | None" = None,
    ranks: Ranks = ALONE,
    weights: "np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None" = None,
) -> DataLoader[Tensor]:
    """Return a loader over `EpochBatches` that draws nothing from torch's global random stream."""
    batches = EpochBatches(items, batch_size, seed, owner, ranks, weights)
    return DataLoader(dataset, batch_sampler=batches, generator=torch.Generator())
