"""The last phase of a run: the prior alone, on the points of the network that is saved.

While the network trains, its points move, and the prior follows them with a constant learning rate.  When the last
epoch is done they stand still: the windows that the batches did not hold are encoded, and the prior goes on with a
learning rate that falls to zero.  The phase is a function of a checkpoint and the settings.  It changes nothing of the
training, so that a run which is stopped in it begins it again when it is resumed, and a longer run goes on as if there
had been no end.
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from distill.models.families.family import ModelFamily
from distill.runs.estimates.estimate import closing_steps
from distill.training.dataset import FeatureDataset
from distill.training.steps.prior_training import PriorTraining, spread_by_file
from distill.training.steps.training_step import step_randomness

#: Name of the phase for people.
STAGE = "Learning to make new sounds"
#: Most windows that are encoded for it.
_MOST_WINDOWS = 4096
#: In the place of an epoch's number in the seed of the phase's random draws.
_DRAWS = 2**32 - 1
_BATCH = 64


@dataclass(frozen=True)
class Closing:
    """What the last phase needs beside a checkpoint.

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
            with step_randomness(self.family.config.seed, _DRAWS, number, self.device):
                prior.step(rate, self.autocast)
            self.on_progress(STAGE, number + 1, steps)
        return prior.averaged.state_dict()

    @torch.no_grad()
    def _encode(self, prior: PriorTraining, network: nn.Module) -> None:
        """Put the points of windows that no batch held into the table."""
        unknown = prior.table.unknown
        if not len(unknown):  # of sounds of one chunk, the batches hold all
            return
        items = unknown[spread_by_file(torch.from_numpy(self.dataset.owner)[unknown], _MOST_WINDOWS)]
        kept = torch.zeros((), dtype=torch.bool, device=self.device)
        for part in torch.split(items, _BATCH):
            features = next(self.dataset.batches(part.tolist(), _BATCH)).to(self.device)
            prior.put(part, *self.family.posterior(network, features), kept)


def _falling(steps: int) -> Iterator[float]:
    """Yield the shares of the learning rate: a cosine that reaches zero with the last step."""
    return (0.5 * (1 + math.cos(math.pi * (number + 1) / (steps + 1))) for number in range(steps))
