"""One epoch: training steps and validation, for every family."""

import math
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from distill.distributed.shared_batch import BatchSlice, sharing
from distill.errors import Cancelled
from distill.models.families.family import ModelFamily, Objective
from distill.training.compute_plan import ComputePlan
from distill.training.steps.loss_reader import LossReader
from distill.training.steps.training_step import TrainingStep, features_of, step_randomness
from distill.training.stop_request import pause_event_of

#: Takes the number of the step in its epoch, the objective, and whether the step was skipped; returns the prior's loss.
PriorStep = Callable[[int, Objective, Tensor], Tensor]


def train_steps(
    step: TrainingStep,
    batches: Iterable[Tensor],
    meter: LossReader,
    device: torch.device,
    seed: int = 0,
    first_step: int = 0,
    after_step: Callable[[], None] | None = None,
    cancel_event: threading.Event | None = None,
    prior_step: PriorStep | None = None,
    part_of: Callable[[int], BatchSlice | None] = lambda number: None,
) -> int:
    """Train on batches; return how many steps of the epoch are done.

    Parameters
    ----------
    step
        Takes the steps.
    batches
        Waveforms ``[B, 1, N]`` or features ``[B, C, F, T]``.
    meter
        Takes the losses.
    device
        Where the network is.
    seed, first_step
        Seed of the random draws, and the number of the first step within the epoch.
    after_step
        Called after each step: moves the schedule on.
    cancel_event
        Ends the epoch before the next step; a pause also before the step in progress has changed a weight.
    prior_step
        Called within each step, after the network's own part: trains the prior and returns its loss.
    part_of
        Returns which part of a batch, by its number, the batches are that are given; None: all of it.
    """
    step.model.train()
    pause_event = None if cancel_event is None else pause_event_of(cancel_event)
    done = first_step
    for number, batch in enumerate(batches, first_step):
        if cancel_event is not None and cancel_event.is_set():
            break
        rate = float(step.optimizer.param_groups[0]["lr"])
        with step_randomness(seed, meter.epoch, number, device):
            features = features_of(step.family, batch, step.plan, device)
            try:
                objective, total, skipped = step(features, meter.weights, number, pause_event, part_of(number))
            except Cancelled:
                break
            if prior_step is not None:
                terms = {**objective.terms, "prior_loss": prior_step(number, objective, skipped)}
                objective = Objective(terms, objective.detail)
        if after_step is not None:
            after_step()
        done = number + 1
        meter.add(number, objective, total, skipped, rate)
    meter.read()
    return done


@dataclass(frozen=True)
class ValidationResult:
    """What `validate` found: the total, each term, and what the family watches."""

    loss: float
    terms: dict[str, float]
    figures: dict[str, Any]

    def overfitting_gap(self, trained: "ValidationResult") -> float:
        """Return by which share the loss on these, held-out sounds is higher than that on ``trained`` ones."""
        return (self.loss - trained.loss) / trained.loss if trained.loss else 0.0


@torch.no_grad()
def validate(
    family: ModelFamily,
    model: nn.Module,
    batches: Iterable[Tensor],
    weights: Mapping[str, float],
    device: torch.device,
    plan: ComputePlan,
    cancel_event: threading.Event | None = None,
    part_of: Callable[[int], BatchSlice | None] = lambda number: None,
) -> ValidationResult | None:
    """Measure the objective in eval mode, each chunk counting the same; None when cancelled.

    The network is left in the mode in which it was.  Several processes share each batch, and all find the same.
    """
    was_training = model.training
    model.eval()
    sums: list[Tensor] = []
    details: list[Any] = []
    names: tuple[str, ...] = ()
    chunks = 0
    part: BatchSlice | None = None
    try:
        for number, batch in enumerate(batches):
            if cancel_event is not None and cancel_event.is_set():
                return None
            part = part_of(number)
            features = features_of(family, batch, plan, device)
            with plan.autocast(device), sharing(part):
                objective = family.objective(model, features, None)
            names = tuple(objective.terms)
            rows = len(batch) if part is None else part.size
            sums.append(torch.stack([t.detach().float() for t in objective.terms.values()]).cpu().double() * rows)
            details.append(objective.detail if part is None else _of_batch(objective.detail, part))
            chunks += len(batch) if part is None else part.total
        if sums and part is not None:
            sums = [torch.stack(sums).sum(0)]
            part.all_reduce(sums[0])
        terms = dict(zip(names, (torch.stack(sums).sum(0) / max(chunks, 1)).tolist(), strict=True)) if sums else {}
        loss = sum(weights[name] * value for name, value in terms.items()) if terms else math.nan
        return ValidationResult(loss, terms, family.validation_figures(details) if details else {})
    finally:
        model.train(was_training)


def _of_batch(detail: Any, part: BatchSlice) -> Any:
    """Return a family's detail of a whole batch: its tensors have a row for each of the batch."""
    if not isinstance(detail, tuple):
        return detail
    return tuple(part.whole(item) if isinstance(item, Tensor) else item for item in detail)
