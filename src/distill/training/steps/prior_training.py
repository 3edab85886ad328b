"""Trains a model's prior: beside its network, on the points of the batches, and alone at the end of the run.

A table keeps the points of each item of the training set as the encoder last gave them.  After each step of the
network the prior takes one on a draw from the table, in which each sound counts the same, however long it is; the
parts of a recording with long pauses are sounds of their own (`distill.training.data.audible_regions`).  A run that
is stopped at any moment therefore has a prior that fits its network.  The other steps follow at the end of the run
(`PriorClosing`).
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from distill.distributed.shared_batch import BatchSlice
from distill.models.families.family import ModelFamily
from distill.models.priors.window_prior import WindowPrior, WindowTable
from distill.runs.estimates.estimate import closing_steps
from distill.training.dataset import FeatureDataset
from distill.training.steps.training_step import step_randomness, update_unless

#: Latents that are drawn for a step of the prior.
BATCH = 128
#: Steps until the learning rate has warmed up.
WARMUP_STEPS = 50
#: Highest learning rate, weight decay and maximum norm of the gradient.
LEARNING_RATE, WEIGHT_DECAY, CLIP_NORM = 1.5e-3, 1e-2, 1.0
#: Memory of the mean of the weights that sounds are drawn with, in steps; it warms up.
MEAN_DECAY = 0.999
#: Most chunks whose latents are kept.
MOST_CHUNKS = 16_384
#: Name of the last phase for people.
CLOSING_STAGE = "Learning to make new sounds"
#: Most windows that are encoded for the last phase, and how many at a time.
_MOST_WINDOWS, _WINDOWS_AT_ONCE = 4096, 64
#: In the place of an epoch's number in the seed of the last phase's random draws.
_CLOSING_DRAWS = 2**32 - 1


class LatentTable:
    """What the prior learns from: the points of the items of a training set, and how they lie in their sounds.

    Parameters
    ----------
    dataset
        The training set.
    dim
        K, numbers that the prior describes an item by.
    device
        Where the points are kept.
    """

    def __init__(self, dataset: FeatureDataset, dim: int, device: torch.device | str = "cpu") -> None:
        owner, previous = torch.from_numpy(dataset.owner), torch.from_numpy(dataset.previous)
        kept_items = spread_by_file(owner, MOST_CHUNKS)
        self._slot = torch.full((len(owner),), -1)
        self._slot[kept_items] = torch.arange(len(kept_items))
        previous_items = previous[kept_items]
        self._owner = owner[kept_items]
        self._previous = torch.where(previous_items >= 0, self._slot[previous_items.clamp_min(0)], -1).to(device)
        self._total = torch.from_numpy(dataset.total)[kept_items].float().to(device)
        self._offset = torch.from_numpy(dataset.offset)[kept_items].float().to(device)
        self.mean = torch.zeros(len(kept_items), dim, device=device)
        self.variance = torch.ones(len(kept_items), dim, device=device)
        self.known = torch.zeros(len(kept_items), dtype=torch.bool, device=device)
        self._weight: Tensor | None = None
        weights = dataset.weights
        self._by_sound = None if weights is None else torch.from_numpy(weights)[self._owner]

    @property
    def windows(self) -> WindowTable:
        """All entries; a window before that is not known yet does not count as one."""
        previous = self._previous
        is_previous_known = (previous >= 0) & self.known[previous.clamp_min(0)]
        return WindowTable(
            points=self.mean,
            variance=self.variance,
            sounds=self._owner.to(self.mean.device),
            previous=torch.where(is_previous_known, previous, -1),
            total=self._total,
            offset=self._offset,
            counts=self._by_sound,
        )

    def put(self, items: Tensor, mean: Tensor, variance: Tensor | None, skipped: Tensor) -> None:
        """Keep the latents ``[B, D]`` of items, unless the step was skipped or they are not numbers."""
        slots = self._slot[items]
        is_in_table = slots >= 0
        slots, where = slots[is_in_table].to(self.mean.device), is_in_table.to(mean.device)
        mean, spread = mean[where], torch.zeros_like(mean[where]) if variance is None else variance[where]
        good = (torch.isfinite(mean).all(1) & torch.isfinite(spread).all(1) & ~skipped)[:, None]
        # Without a wait for the device: what is not good writes what is there already.
        self.mean[slots] = torch.where(good, mean.float(), self.mean[slots])
        self.variance[slots] = torch.where(good, spread.float(), self.variance[slots])
        self.known[slots] |= good[:, 0]

    def fit(self, prior: WindowPrior) -> None:
        """Give a prior what is known of the corpus, and go by it in the draws that follow."""
        known = self.known.cpu()
        self._weight = self.windows.weights(known)
        if bool(known.any()):
            prior.fit(self.windows.only(known))

    @property
    def unknown(self) -> Tensor:
        """Numbers of the kept items whose points are not known, ascending."""
        kept = self._slot >= 0
        return (kept & ~self.known.cpu()[self._slot.clamp_min(0)]).nonzero().flatten()

    @property
    def is_drawable(self) -> bool:
        """Whether there is anything to draw."""
        return self._weight is not None and bool((self._weight > 0).any())

    @property
    def has_doubled(self) -> bool:
        """Whether twice as many entries are known as the prior was fitted to."""
        fitted = 0 if self._weight is None else int((self._weight > 0).sum())
        # Once half of the entries are known there is nothing to double, and no need to wait for the device.
        return 2 * fitted <= len(self.known) and int(self.known.sum()) >= max(1, 2 * fitted)

    def draw(self, count: int) -> Tensor:
        """Return which entries a step of the prior learns from, ``[count]``; from torch's generator."""
        assert self._weight is not None
        return torch.multinomial(self._weight, count, replacement=True)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the latents and how they are drawn."""
        weight = torch.zeros(0, dtype=torch.double) if self._weight is None else self._weight
        return {"mean": self.mean, "variance": self.variance, "known": self.known, "weight": weight}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up `state_dict`'s result.

        Raises
        ------
        KeyError, RuntimeError, TypeError, AttributeError
            It is of another table.
        """
        if not isinstance(state, Mapping):  # torch warns of a tensor that is asked for a name
            raise TypeError("no table of latents")
        for name in ("mean", "variance", "known"):
            latents = getattr(self, name)
            if state[name].shape != latents.shape:
                raise RuntimeError("the latents are those of other sounds")
            latents.copy_(state[name])
        self._weight = state["weight"].cpu().clone() if len(state["weight"]) else None


def spread_by_file(owner: Tensor, most: int) -> Tensor:
    """Return up to ``most`` item numbers, ascending: all of the short files, and the same number of each long one.

    Where there are more files than that, it is the first item of evenly spaced ones.
    """
    counts = torch.bincount(owner)
    share = most
    if len(owner) > most:
        low, high = 1, int(counts.max())
        while low < high:  # the largest share for which all fits
            middle = (low + high + 1) // 2
            fits = int(counts.clamp_max(middle).sum()) <= most
            low, high = (middle, high) if fits else (low, middle - 1)
        share = low
    order = torch.argsort(owner, stable=True)
    picked = [
        part[torch.linspace(0, len(part) - 1, min(len(part), share)).round().long()]
        for part in torch.split(order, counts.tolist())
        if len(part)
    ]
    spread_items = torch.cat(picked)
    if len(spread_items) > most:
        spread_items = spread_items[torch.linspace(0, len(spread_items) - 1, most).round().long()]
    return spread_items.sort().values


class PriorTraining:
    """A prior, its optimizer, and the table that it learns from.

    Parameters
    ----------
    prior
        The prior, not trained yet.
    table
        What it learns from.
    steps
        Steps of the prior for each one of the network: the first beside it, the others at the end of the run.
    device
        Where it computes.
    """

    def __init__(self, prior: WindowPrior, table: LatentTable, steps: int, device: torch.device) -> None:
        self.table, self.steps = table, steps
        self.prior = prior.to(device)
        self.averaged = copy.deepcopy(self.prior).requires_grad_(False).eval()
        self._averaged_over = 0
        self._trained: list[Tensor] = list(self.prior.parameters())
        self.optimizer = AdamW(self._trained, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True)

    def put(
        self,
        items: Tensor,
        points: Tensor,
        variance: Tensor | None,
        skipped: Tensor,
        part: BatchSlice | None = None,
    ) -> None:
        """Take the points ``[B, P]`` of items of the training set; see `LatentTable.put`.

        Where they are those of a part of a batch, all processes get those of all its ``items``.
        """
        points = self.prior.project(points.float())
        if part is not None:
            points = part.whole(points)
            variance = None if variance is None else part.whole(variance)
        self.table.put(items, points, variance, skipped)

    def start_from(self, state: Mapping[str, Tensor]) -> bool:
        """Start with the weights of the prior of another run; False where it is of another kind."""
        if not self.prior.start_from(state) or not self.averaged.start_from(state):
            return False
        self._averaged_over = WARMUP_STEPS
        return True

    def fit_projection(self, points: Tensor, weights: Tensor) -> None:
        """Find the components of points; see `WindowPrior.fit_projection`."""
        for prior in (self.prior, self.averaged):
            prior.fit_projection(points, weights)

    def fit(self) -> None:
        """Bring the Gaussian of the prior up to date with the table."""
        self.table.fit(self.prior)
        for mine, theirs in zip(self.averaged.buffers(), self.prior.buffers(), strict=True):
            mine.copy_(theirs)

    @property
    def closing_steps(self) -> int:
        """Steps at the end of the run for each one of the network."""
        return max(0, self.steps - 1)

    def step(self, rate: float, autocast: Callable[[], Any]) -> Tensor:
        """Take a step; return its loss.

        Parameters
        ----------
        rate
            Share of the highest learning rate.
        autocast
            Returns the context of a forward pass.
        """
        if not self.steps or not self.table.is_drawable:
            return self.table.mean.new_zeros(())  # with the other losses on the device
        for group in self.optimizer.param_groups:
            group["lr"] = LEARNING_RATE * rate
        rows = self.table.draw(BATCH)
        with autocast():
            loss = self.prior.loss(self.table.windows, rows)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self._trained, CLIP_NORM)
        skipped = ~(torch.isfinite(loss.detach()) & torch.isfinite(norm))
        update_unless(self.optimizer, skipped)
        self._averaged_over += 1
        decay = min(MEAN_DECAY, self._averaged_over / (self._averaged_over + 9))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.averaged.parameters()), self._trained, 1 - decay)
        return loss.detach()

    def state_dict(self) -> dict[str, Any]:
        """Return all that goes on with the training."""
        return {
            "prior": self.prior.state_dict(),
            "averaged": self.averaged.state_dict(),
            "averaged_over": self._averaged_over,
            "optimizer": self.optimizer.state_dict(),
            "table": self.table.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up `state_dict`'s result.

        Raises
        ------
        KeyError, RuntimeError, TypeError, ValueError, AttributeError
            It does not fit.
        """
        self.table.load_state_dict(state["table"])
        self.prior.load_state_dict(state["prior"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self._averaged_over = int(state["averaged_over"])


@dataclass(frozen=True)
class PriorClosing:
    """The last phase of a run: the prior alone, on the points of the network that is saved.

    While the network trains, its points move, and the prior follows them with a constant learning rate.  When the last
    epoch is done they stand still: the windows that the batches did not hold are encoded, and the prior goes on with a
    learning rate that falls to zero.  The phase is a function of a checkpoint and the settings.  It changes nothing of
    the training, so that a run which is stopped in it begins it again when it is resumed, and a longer run goes on as
    if there had been no end.

    Attributes
    ----------
    training
        The prior of the run; it is left as it is.
    family, dataset
        Of the run.
    device
        Where it computes.
    autocast
        Returns the context of a forward pass.
    on_progress
        Is told the stage, the steps that are done, and all of them.
    """

    training: PriorTraining
    family: ModelFamily
    dataset: FeatureDataset
    device: torch.device
    autocast: Callable[[], AbstractContextManager[Any]]
    on_progress: Callable[[str, int, int], None]

    def __call__(self, checkpoint: Mapping[str, Any], network: nn.Module) -> Mapping[str, Tensor] | None:
        """Return the state of the prior for the network of a checkpoint, in eval mode; None where there is no phase."""
        if self.training.closing_steps == 0:
            return None
        prior = copy.deepcopy(self.training)
        stored = (checkpoint.get("training_state") or {}).get("prior")
        if stored is not None:  # that of an older version has none
            prior.load_state_dict(stored)
        self._encode(prior, network)
        prior.fit()
        steps = closing_steps(prior.closing_steps * int(checkpoint["step"]), len(self.dataset.layout.sounds))
        for number, rate in enumerate(_falling(steps)):
            with step_randomness(self.family.config.seed, _CLOSING_DRAWS, number, self.device):
                prior.step(rate, self.autocast)
            self.on_progress(CLOSING_STAGE, number + 1, steps)
        return prior.averaged.state_dict()

    @torch.no_grad()
    def _encode(self, prior: PriorTraining, network: nn.Module) -> None:
        """Put the points of windows that no batch held into the table."""
        unknown = prior.table.unknown
        if not len(unknown):  # of sounds of one chunk, the batches hold all
            return
        items = unknown[spread_by_file(torch.from_numpy(self.dataset.owner)[unknown], _MOST_WINDOWS)]
        kept = torch.zeros((), dtype=torch.bool, device=self.device)
        for part in torch.split(items, _WINDOWS_AT_ONCE):
            features = next(self.dataset.batches(part.tolist(), _WINDOWS_AT_ONCE)).to(self.device)
            prior.put(part, *self.family.posterior(network, features), kept)


def _falling(steps: int) -> Iterator[float]:
    """Yield the shares of the learning rate: a cosine that reaches zero with the last step."""
    return (0.5 * (1 + math.cos(math.pi * (number + 1) / (steps + 1))) for number in range(steps))
