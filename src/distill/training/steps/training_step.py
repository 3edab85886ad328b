"""One training step: features, loss terms and weights, and the rule that a step which is not finite changes nothing."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from distill.distributed.shared_batch import BatchSlice, sharing
from distill.errors import Cancelled
from distill.models.families.family import ModelFamily, Objective
from distill.training.compute_plan import ComputePlan


def weighted_sum(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Return the total loss: the one place where terms and weights meet."""
    parts = [weights[name] * term for name, term in terms.items()]
    return torch.stack([part.float() for part in parts]).sum()


def features_of(family: ModelFamily, batch: Tensor, plan: ComputePlan, device: torch.device) -> Tensor:
    """Return a batch's features on the device: a waveform batch ``[B, 1, N]`` is turned into them."""
    moved = batch.to(device, non_blocking=True)
    return plan.layout(family.features(moved) if moved.ndim == 3 else moved)


@contextmanager
def step_randomness(seed: int, epoch: int, step: int, device: torch.device) -> Iterator[None]:
    """Make all random draws inside the block a pure function of seed, epoch and step.

    A resumed run then needs no random stream restored, and draws elsewhere do not affect a run.
    """
    state = np.random.SeedSequence([seed, epoch, step]).generate_state(2, np.uint32)
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        _seed(int(state[0]) << 32 | int(state[1]), device)
        yield


def _seed(seed: int, device: torch.device) -> None:
    """Seed the processor's random stream and the device's.

    `torch.manual_seed` seeds those of all kinds of devices, and formats the call stack for each kind that is not there:
    a millisecond, twice a step.
    """
    if device.type == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)


class TrainingStep:
    """A network, its optimizer, and the rule that a step which is not finite changes nothing.

    Parameters
    ----------
    family, model, optimizer
        What is trained.
    clip_norm
        Maximum gradient norm (L2).
    plan
        Number format and layout.
    """

    def __init__(
        self, family: ModelFamily, model: nn.Module, optimizer: Optimizer, clip_norm: float, plan: ComputePlan
    ) -> None:
        self.family, self.model, self.optimizer, self.plan = family, model, optimizer, plan
        self._clip_norm = clip_norm
        self._trained = [p for group in optimizer.param_groups for p in group["params"]]

    def __call__(
        self,
        features: Tensor,
        weights: Mapping[str, float],
        step: int,
        cancel_event: threading.Event | None = None,
        part: BatchSlice | None = None,
    ) -> tuple[Objective, Tensor, Tensor]:
        """Take a step; return the objective, the total loss, and whether the step was left out (a device bool).

        Where the features are those of a part of the batch, losses and gradients are those of all of it.

        Raises
        ------
        Cancelled
            ``cancel_event`` was set before a weight was changed: everything is as before the step, which a resumed
            run takes again.
        """
        running = list(self.model.buffers())
        before = [b.clone() for b in running]

        @torch.no_grad()
        def check() -> None:
            if cancel_event is not None and cancel_event.is_set():
                for now, then in zip(running, before, strict=True):
                    now.copy_(then)
                raise Cancelled

        with self.plan.autocast(features.device), sharing(part):
            objective = self.family.objective(self.model, features, step)
        total = weighted_sum(objective.terms, weights)
        check()
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        if part is not None:
            objective, total = self._of_batch(objective, total, part)
        check()
        norm = nn.utils.clip_grad_norm_(self._trained, self._clip_norm)
        skipped = ~(torch.isfinite(total.detach()) & torch.isfinite(norm))
        update_unless(self.optimizer, skipped)
        with torch.no_grad():
            for now, then in zip(running, before, strict=True):
                now.copy_(torch.where(skipped, then, now))
        return objective, total.detach(), skipped

    def _of_batch(self, objective: Objective, total: Tensor, part: BatchSlice) -> tuple[Objective, Tensor]:
        """Add up the gradients of all processes; return the terms and the total of the whole batch."""
        terms = objective.terms
        values = torch.stack([value.detach().float() for value in (total, *terms.values())])
        total, *reduced = part.reduce(self._trained, values)
        return replace(objective, terms=dict(zip(terms, reduced, strict=True))), total


def update_unless(optimizer: Optimizer, skipped: Tensor) -> None:
    """Let an optimizer update its weights unless the step is skipped (a bool on the device).

    Fused optimizers take the flag as ``found_inf``, as from a gradient scaler, without waiting for the GPU at each
    step; for others the flag is read.
    """
    if all(group.get("fused") for group in optimizer.param_groups):
        optimizer.grad_scale = None  # type: ignore[attr-defined]
        optimizer.found_inf = skipped.float()  # type: ignore[attr-defined]
        optimizer.step()
        del optimizer.grad_scale, optimizer.found_inf  # type: ignore[attr-defined]
    elif not bool(skipped):
        optimizer.step()
