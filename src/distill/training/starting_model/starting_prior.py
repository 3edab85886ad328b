"""Starts a prior with the weights of another one."""

from collections.abc import Mapping

import torch
from torch import Tensor

from distill.models.priors.window_prior import WindowPrior


def load_prior(prior: WindowPrior, state: Mapping[str, Tensor]) -> bool:
    """Load the prior of a start point into that of a new run; False where it is of another kind.

    Until it is fitted to the sounds of the new run, new sounds have the lengths of those of the start point and begin
    near them; where the start point keeps no beginnings, they begin anywhere.
    """
    own = prior.state_dict()
    taken = {**state, **_as_many_anchors(state, len(prior.anchors))}
    if any(key not in own or own[key].shape != value.shape for key, value in taken.items()):
        return False
    with torch.no_grad():
        prior.load_state_dict({**own, **taken})
        prior.flow.is_fitted &= len(state["anchors"]) > 0
    return True


def _as_many_anchors(state: Mapping[str, Tensor], count: int) -> dict[str, Tensor]:
    """Return the anchors and their lengths of a prior's state, spread evenly or repeated to another number."""
    known = len(state["anchors"])
    if not known:
        dim = state["anchors"].shape[1]
        return {"anchors": torch.zeros(count, dim), "anchor_totals": torch.ones(count)}
    at = torch.linspace(0, known - 1, count).round().long()
    return {key: state[key][at] for key in ("anchors", "anchor_totals")}
