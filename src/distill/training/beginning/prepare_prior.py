"""Prepares the prior of a run: of the size that its checkpoint has, with its components fitted or restored."""

from typing import Any

import torch
from torch import nn

from distill.errors import CheckpointError, pass_on_memory_error
from distill.models.priors.window_prior import WindowPrior, anchor_count
from distill.training.beginning.training_data import spread_items
from distill.training.run import OpenedRun, TrainingData
from distill.training.steps.prior_training import LatentTable, PriorTraining

#: Width and blocks of the network of a new run's prior.
PRIOR_SIZE = (384, 3)
#: Items of the training set, spread evenly, that the components of a prior are computed from.
_PROJECTION_ITEMS = 768


def make_prior(opened: OpenedRun, data: TrainingData, model: nn.Module) -> PriorTraining:
    """Return the training of a prior that starts with the network, of the size that the checkpoint has."""
    dataset, family, config = data.train_set, opened.family, opened.config
    stored = ((opened.checkpoint or {}).get("training_state") or {}).get("prior")
    try:
        begun = opened.start.prior if opened.start is not None else None if stored is None else stored["prior"]
        width, blocks = PRIOR_SIZE if begun is None else WindowPrior.size_of(begun)
        anchors = anchor_count(dataset.counted_sounds) if stored is None else len(stored["prior"]["anchors"])
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as exc:
        raise _unfitting_prior(opened) from exc
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        prior = WindowPrior(family.point_dim(model), family.prior_components, width, blocks, anchors)
    return PriorTraining(prior, LatentTable(dataset, prior.dim, opened.device), config.prior_steps, opened.device)


@torch.no_grad()
def fit_projection(opened: OpenedRun, data: TrainingData, model: nn.Module, prior: PriorTraining) -> None:
    """Compute the components that the prior describes the points by, once: the encoder starts near its linear part.

    On one corpus the components of the new network hold 98.8 % of the variance of the trained one's points, where its
    own hold 98.9 %.
    """
    if not prior.prior.is_projecting or not opened.ranks.is_first:  # the others are sent what this one computes
        return
    items = spread_items(len(data.train_set), _PROJECTION_ITEMS)
    was_training = model.training
    model.eval()
    batches = data.train_set.batches(items, 64)
    points = [opened.family.points(model, batch.to(opened.device)).float() for batch in batches]
    model.train(was_training)
    owner = torch.from_numpy(data.train_set.owner)[items]
    weights = 1.0 / torch.bincount(owner)[owner].double()
    if data.train_set.weights is not None:
        weights = weights * torch.from_numpy(data.train_set.weights)[owner]
    prior.fit_projection(torch.cat(points), weights)


def restore_prior(
    opened: OpenedRun, checkpoint: dict[str, Any], data: TrainingData, model: nn.Module, prior: PriorTraining
) -> None:
    """Continue the prior where a checkpoint stands; that of an older version has none, and the prior then starts here.

    Raises
    ------
    CheckpointError
        The stored prior does not fit.
    """
    stored = (checkpoint.get("training_state") or {}).get("prior")
    if stored is None:
        fit_projection(opened, data, model, prior)
        return
    try:
        prior.load_state_dict(stored)
    except (KeyError, RuntimeError, TypeError, ValueError, AttributeError) as exc:
        pass_on_memory_error(exc)
        raise _unfitting_prior(opened) from exc


def _unfitting_prior(opened: OpenedRun) -> CheckpointError:
    assert opened.request.resume_checkpoint is not None
    name = opened.request.resume_checkpoint.name
    return CheckpointError(f"{name} holds a prior that does not fit this run. Use another checkpoint.")
