"""Trains a model's prior beside its network, on the latents that the training batches have anyway.

A table keeps the latents of each training chunk as the encoder last gave them.  After each step of the network the
prior takes some steps on draws from the table, in which each file counts the same, however long it is.  A run that is
ended at any moment therefore has a prior that fits its network.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from distill.models.priors.flow import FlowPrior
from distill.training.steps.step import update_unless

#: Latents that are drawn for a step of the prior.
BATCH = 256
#: Highest learning rate (it follows the schedule of the network's), weight decay and longest gradient.
LEARNING_RATE, WEIGHT_DECAY, CLIP_NORM = 1.5e-3, 1e-2, 1.0
#: Memory of the mean of the weights that sounds are drawn with, in steps; it warms up.
MEAN_DECAY = 0.999
#: Most chunks whose latents are kept.
MOST_CHUNKS = 16_384
#: Share of the draws whose condition lacks the latent before.
PREVIOUS_DROPPED = 0.15
#: Spread of the noise on the logarithm of a length.
LENGTH_NOISE = 0.15


class LatentTable:
    """Latents of the training chunks.

    Parameters
    ----------
    owner
        Number of the file that each item of the training set is of, ``[items]``.
    dim
        D, numbers in a latent.
    previous
        Item that lies before each in its sound, or -1, ``[items]``; None where the prior has no conditions.
    extras
        What else is known of each item, ``[items, A]``; the first column is the logarithm of the sound's length.
    device
        Where the latents are kept.
    """

    def __init__(
        self,
        owner: Tensor,
        dim: int,
        previous: Tensor | None = None,
        extras: Tensor | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        kept = spread_by_file(owner, MOST_CHUNKS)
        self._slot = torch.full((len(owner),), -1)
        self._slot[kept] = torch.arange(len(kept))
        self._owner = owner[kept]
        before = torch.full((len(kept),), -1) if previous is None else previous[kept]
        self._previous = torch.where(before >= 0, self._slot[before.clamp_min(0)], -1)
        self._extras = None if extras is None or previous is None else extras[kept].float().to(device)
        self.mean = torch.zeros(len(kept), dim, device=device)
        self.variance = torch.ones(len(kept), dim, device=device)
        self.known = torch.zeros(len(kept), dtype=torch.bool, device=device)
        self._weight: Tensor | None = None

    @property
    def condition_dim(self) -> int:
        """Numbers in a condition; see `draw`."""
        return 0 if self._extras is None else self.mean.shape[1] + 1 + self._extras.shape[1]

    def put(self, items: Tensor, mean: Tensor, variance: Tensor | None, skipped: Tensor) -> None:
        """Keep the latents ``[B, D]`` of items, unless the step was skipped or they are not numbers."""
        slots = self._slot[items]
        kept = slots >= 0
        slots, where = slots[kept].to(self.mean.device), kept.to(mean.device)
        mean, spread = mean[where], torch.zeros_like(mean[where]) if variance is None else variance[where]
        good = (torch.isfinite(mean).all(1) & torch.isfinite(spread).all(1) & ~skipped)[:, None]
        # Without a wait for the device: what is not good writes what is there already.
        self.mean[slots] = torch.where(good, mean.float(), self.mean[slots])
        self.variance[slots] = torch.where(good, spread.float(), self.variance[slots])
        self.known[slots] |= good[:, 0]

    def weights(self) -> Tensor:
        """Return how likely each entry is drawn, ``[N]``, on the CPU: files alike, and the chunks within a file."""
        known = self.known.cpu()
        counts = torch.bincount(self._owner[known], minlength=int(self._owner.max()) + 1)
        return torch.where(known, 1.0 / counts.clamp_min(1)[self._owner].double(), 0.0)

    def fit(self, prior: FlowPrior) -> None:
        """Give a prior the mean and the covariance of what is known."""
        self._weight = self.weights()
        known = self._weight > 0
        if bool(known.any()):
            where = known.to(self.mean.device)
            prior.fit(self.mean[where], self.variance[where], self._weight[known])

    def draw(self, count: int, prior: FlowPrior) -> tuple[Tensor, Tensor | None]:
        """Return latents ``[count, D]`` from the posteriors, and their conditions; from torch's generator.

        A condition is the latent before in the whitened basis of ``prior`` (zeros where there is none), whether
        there is one, and the extras.
        """
        if self._weight is None:
            self._weight = self.weights()
        rows = torch.multinomial(self._weight, count, replacement=True)
        latents = self._posterior(rows)
        if self._extras is None:
            return latents, None
        before = self._previous[rows]
        told = (before >= 0) & (torch.rand(count) >= PREVIOUS_DROPPED)
        there = told.to(latents.device) & self.known[before.clamp_min(0).to(latents.device)]
        previous = prior.whiten(self._posterior(before.clamp_min(0))) * there[:, None]
        extras = self._extras[rows.to(latents.device)].clone()
        extras[:, 0] += LENGTH_NOISE * torch.randn(count).to(extras)
        return latents, torch.cat([previous, there[:, None].to(previous), extras], 1)

    def _posterior(self, rows: Tensor) -> Tensor:
        rows = rows.to(self.mean.device)
        noise = torch.randn(len(rows), self.mean.shape[1]).to(self.mean)
        return self.mean[rows] + self.variance[rows].sqrt() * noise

    def state_dict(self) -> dict[str, Tensor]:
        """Return the latents and how they are drawn."""
        weight = torch.zeros(0, dtype=torch.double) if self._weight is None else self._weight
        return {"mean": self.mean, "variance": self.variance, "known": self.known, "weight": weight}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up `state_dict`'s result.

        Raises
        ------
        KeyError, RuntimeError, AttributeError
            It is of another table.
        """
        for name in ("mean", "variance", "known"):
            own = getattr(self, name)
            if state[name].shape != own.shape:
                raise RuntimeError("the latents are those of other sounds")
            own.copy_(state[name])
        self._weight = state["weight"].cpu().clone() if len(state["weight"]) else None


def spread_by_file(owner: Tensor, most: int) -> Tensor:
    """Return up to ``most`` item numbers, ascending: all of the short files, and the same number of each long one."""
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
    return torch.cat(picked).sort().values


class PriorTraining:
    """A prior, its optimizer, and the table that it learns from.

    Parameters
    ----------
    table
        Latents of the training chunks.
    steps
        Steps of the prior for each one of the network.
    device
        Where it computes.
    """

    def __init__(self, table: LatentTable, steps: int, device: torch.device) -> None:
        self.table, self.steps = table, steps
        self.prior = FlowPrior(table.mean.shape[1], table.condition_dim).to(device)
        self.averaged = copy.deepcopy(self.prior).requires_grad_(False).eval()
        self._averaged_over = 0
        self._trained: list[Tensor] = list(self.prior.parameters())
        self.optimizer = AdamW(self._trained, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True)

    def fit(self) -> None:
        """Bring the Gaussian of the prior up to date with the table."""
        self.table.fit(self.prior)
        for mine, theirs in zip(self.averaged.buffers(), self.prior.buffers(), strict=True):
            mine.copy_(theirs)

    def step(self, rate: float, autocast: Callable[[], Any]) -> Tensor:
        """Take the steps that go with one of the network; return their mean loss.

        Parameters
        ----------
        rate
            Share of the highest learning rate.
        autocast
            Returns the context of a forward pass.
        """
        if not self.steps:
            return torch.zeros(())
        for group in self.optimizer.param_groups:
            group["lr"] = LEARNING_RATE * rate
        losses = [self._step(autocast) for _ in range(self.steps)]
        return torch.stack(losses).mean()

    def _step(self, autocast: Callable[[], Any]) -> Tensor:
        latents, condition = self.table.draw(BATCH, self.prior)
        with autocast():
            loss = self.prior.loss(latents, condition)
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
