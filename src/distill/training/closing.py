"""The last phase of a run: the prior alone, on the points of the network that is saved.

While the network trains, its points move, and the prior follows them with a constant learning rate.  When the last
epoch is done they stand still: the windows that the batches did not hold are encoded, and the prior goes on with a
learning rate that falls to zero.  The phase is a function of a checkpoint and the settings.  It changes nothing of the
training, so that a run which is stopped in it begins it again when it is resumed, and a longer run goes on as if there
had been no end.
"""

import copy
import logging
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from distill.errors import CheckpointError
from distill.events import TrainingNotice
from distill.serialization.archive import read_checkpoint
from distill.training.checkpoint import list_checkpoints
from distill.training.run import ClosedPrior, Run
from distill.training.steps.prior_training import PriorTraining, spread_by_file
from distill.training.steps.step import step_randomness

log = logging.getLogger(__name__)

#: Most steps of the phase: for each sound, so that a prior of few sounds does not learn them by heart, and in all.
_STEPS_PER_SOUND, _MOST_STEPS = 25, 4000
#: Most windows that are encoded for it.
_MOST_WINDOWS = 4096
#: In the place of an epoch's number in the seed of the phase's random draws.
_DRAWS = 2**32 - 1
_BATCH = 64


def by_validation_loss(folder: Path) -> list[Path]:
    """Return the checkpoints from the best to the worst, then those that were not validated, the newest first."""
    listed = list_checkpoints(folder)
    measured = sorted((c for c in listed if c["val_loss"] is not None), key=lambda c: (c["val_loss"], c["epoch"]))
    return [Path(c["path"]) for c in (*measured, *(c for c in reversed(listed) if c["val_loss"] is None))]


def network_of(run: Run, checkpoint: Mapping[str, Any]) -> nn.Module:
    """Return the network of a checkpoint, in eval mode."""
    with torch.random.fork_rng(devices=[]):  # the weights that the checkpoint replaces are drawn
        network = run.family.build()
    network.load_state_dict(checkpoint["model_state_dict"])
    return network.to(run.device).eval()


def close_prior(run: Run) -> bool:
    """Take the last steps of the prior for the model that is saved; False when the user paused.

    The result is in ``run.closed_prior``.  Where it cannot be computed the model has the prior of its checkpoint.
    """
    if run.prior is None or run.prior.closing_steps == 0:
        return True
    try:
        for path in _checkpoints(run):
            try:
                checkpoint = read_checkpoint(path)
            except CheckpointError as exc:
                log.warning("The prior is not closed for the best checkpoint: %s", exc)
                continue
            prior = _prior_of(run.prior, checkpoint)
            if not _encode(run, prior, network_of(run, checkpoint)) or not _train(run, prior):
                return False
            run.closed_prior = ClosedPrior(checkpoint["epoch"], prior.averaged.state_dict())
            return True
    except Exception as exc:  # an improvement of a part of the model: whatever it is, the model is saved
        log.exception("The last phase of the prior failed")
        run.emit(TrainingNotice("checkpoint", f"The model's new sounds are less good than they could be ({exc})."))
    return True


def _checkpoints(run: Run) -> list[Path]:
    run.writer.flush()
    return by_validation_loss(run.folder.checkpoints)


def _prior_of(training: PriorTraining, checkpoint: Mapping[str, Any]) -> PriorTraining:
    """Return the training of the prior where a checkpoint stands; that of an older version has none."""
    prior = copy.deepcopy(training)
    stored = (checkpoint.get("training_state") or {}).get("prior")
    if stored is not None:
        prior.load_state_dict(stored)
    return prior


@torch.no_grad()
def _encode(run: Run, prior: PriorTraining, network: nn.Module) -> bool:
    """Put the points of windows that no batch held into the table; False when the user paused."""
    dataset, family = run.training_data.train_set, run.family
    unknown = prior.table.unknown
    owner = torch.from_numpy(dataset.owner)[unknown]
    items = unknown[spread_by_file(owner, _MOST_WINDOWS)] if len(unknown) > _MOST_WINDOWS else unknown
    kept = torch.zeros((), dtype=torch.bool, device=run.device)
    for low in range(0, len(items), _BATCH):
        if run.request.pause_event.is_set():
            return False
        part = items[low : low + _BATCH]
        features = next(dataset.batches(part.tolist(), _BATCH)).to(run.device)
        prior.put(part, *family.posterior(network, features), kept)
    return not run.request.pause_event.is_set()


def _train(run: Run, prior: PriorTraining) -> bool:
    """Take the steps; False when the user paused."""
    prior.fit()
    steps = closing_steps(prior.closing_steps * run.history.step_count, len(run.training_data.train_set.layout.sounds))
    for number, rate in enumerate(_falling(steps)):
        if run.request.pause_event.is_set():
            return False
        with step_randomness(run.config.seed, _DRAWS, number, run.device):
            prior.step(rate, lambda: run.speed.autocast(run.device))
        run.emit.progress("Learning to make new sounds", number + 1, steps)
    return True


def closing_steps(planned: int, sounds: int) -> int:
    """Return how many steps the phase has, of those that are planned, for a number of training sounds."""
    return min(planned, _STEPS_PER_SOUND * sounds, _MOST_STEPS)


def _falling(steps: int) -> Iterator[float]:
    """Yield the shares of the learning rate: a cosine that reaches zero with the last step."""
    return (0.5 * (1 + math.cos(math.pi * (number + 1) / (steps + 1))) for number in range(steps))
