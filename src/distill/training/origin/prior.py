"""Starts a prior with the weights of another one."""

from collections.abc import Mapping

import torch
from torch import Tensor

from distill.models.priors.window_prior import WindowPrior


def load_prior(prior: WindowPrior, state: Mapping[str, Tensor]) -> bool:
    """Load the prior of a start point into that of a new run; False where it is of another kind.

    What it knows of single sounds (anchors and lengths) stays: it is fitted to the sounds of the new run.
    """
    own = prior.state_dict()
    taken = {key: value for key, value in state.items() if not key.startswith("anchor")}
    if any(key not in own or own[key].shape != value.shape for key, value in taken.items()):
        return False
    with torch.no_grad():
        prior.load_state_dict({**own, **taken})
    return True
