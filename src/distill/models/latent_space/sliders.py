"""Labelled directions of a model's points: brightness, attack, noisiness, length, loudness.

A point is the latents of a VAE, or the encoder's grid of a VQ-VAE.  One straight line through the latents changes
several descriptors at once and none of them evenly (measured on 165 sounds: a regression of descriptors on latents gave
a rank correlation of 0.35 to 1.0 and a cross-talk of up to 2.4).
So a slider follows a curve: at each step the derivatives of all descriptors by the point are computed, and the step
is the one, most probable under the corpus's covariance, that changes one descriptor and leaves the others alone.
What is stored is the spread of each descriptor, the covariance, the mean direction, and what was measured of each
slider on new sounds.  A slider that does not do what its label says is not stored.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from distill.models.families.family import ModelFamily
from distill.models.latent_space.descriptors import DESCRIPTORS, DecodedChunks, describe

#: Range of a slider, in spreads of its descriptor, and the length of a step.
MOST_AMOUNT, _STEP = 1.5, 0.5
#: New sounds on which the sliders are measured.
_MEASURED = 4
#: Points that go through the network at once: fewer take longer, more take no less time (measured) and more memory.
_TOGETHER = 16
#: Rank correlation that a slider must have with its descriptor, and change of another one that it may cause.
LEAST_STRENGTH, MOST_CROSS_TALK = 0.9, 0.3
#: Points of more numbers have a factor of their covariance instead of the covariance, of at most so many rows.
_MANY_NUMBERS, _MOST_ROWS = 512, 96
#: Least difference of points that are not all of the same sound.
_LEAST_DIFFERENCE = 1e-6
#: Share of the mean own response that is added to the diagonal: bounds the steps where two descriptors go together.
_DAMPING = 0.02


@dataclass(frozen=True)
class Direction:
    """A slider.

    Attributes
    ----------
    name
        Of the descriptor.
    help
        What a higher value does.
    strength
        Mean rank correlation of slider and descriptor on new sounds.
    cross_talk
        Largest median change of another descriptor, relative to the own one, both in spreads.
    """

    name: str
    help: str
    strength: float
    cross_talk: float


@dataclass(frozen=True)
class LatentAnalysis:
    """The sliders of a model.

    Attributes
    ----------
    directions
        Those that were measured to work.
    spread
        ``[5]``, of each descriptor over the corpus.
    covariance
        ``[P, P]``, of the corpus's points; of points with many numbers a factor ``[R, P]`` with R under P: the
        covariance is its transpose times itself.
    mean_directions
        ``[directions, P]``, change of a point by one spread, averaged over new sounds.
    """

    directions: tuple[Direction, ...]
    spread: Tensor
    covariance: Tensor
    mean_directions: Tensor

    def move(self, family: ModelFamily, network: nn.Module, point: Tensor, name: str, amount: float) -> Tensor:
        """Return a point ``[P]`` moved along a direction by ``amount`` spreads of its descriptor.

        Raises
        ------
        ValueError
            There is no such direction, or the amount is out of range.
        """
        if name not in {direction.name for direction in self.directions}:
            raise ValueError(f"This model has no direction {name!r}.")
        if not abs(amount) <= MOST_AMOUNT:
            raise ValueError(f"amount must be a number from {-MOST_AMOUNT:g} to {MOST_AMOUNT:g}, not {amount!r}.")
        which = torch.tensor([list(DESCRIPTORS).index(name)], device=point.device)
        moved = point[None]
        spread, covariance = self.spread.to(point.device), self.covariance.to(point.device)
        steps = max(1, math.ceil(abs(amount) / _STEP - 1e-6))
        for _ in range(steps if amount else 0):
            moved = moved + _step(family, network, moved, spread, covariance, which) * (amount / steps)
        return moved[0]

    def to_file(self) -> dict[str, Any]:
        """Return tensors and plain values for the model file's key ``latent_analysis``."""
        listed = [
            {"name": d.name, "help": d.help, "strength": d.strength, "cross_talk": d.cross_talk}
            for d in self.directions
        ]
        tensors = {"spread": self.spread, "covariance": self.covariance, "mean_directions": self.mean_directions}
        return {"version": 1, "directions": listed, **tensors}

    @classmethod
    def of_file(cls, data: Mapping[str, Any], point_size: int) -> "LatentAnalysis":
        """Return the analysis that a model file holds.

        Raises
        ------
        AttributeError, KeyError, TypeError, ValueError
            The data is not an analysis of points of this size.
        """
        listed = tuple(
            Direction(str(d["name"]), str(d["help"]), float(d["strength"]), float(d["cross_talk"]))
            for d in data["directions"]
        )
        names = ("spread", "covariance", "mean_directions")
        spread, covariance, means = (data[name].float() for name in names)
        is_factor = point_size > _MANY_NUMBERS and 1 <= len(covariance) <= _MOST_ROWS
        rows = len(covariance) if is_factor else point_size
        fits = spread.shape == (len(DESCRIPTORS),) and covariance.shape == (rows, point_size)
        if not fits or means.shape != (len(listed), point_size) or {d.name for d in listed} - set(DESCRIPTORS):
            raise ValueError("the analysis belongs to another network")
        if not all(bool(torch.isfinite(tensor).all()) for tensor in (spread, covariance, means)):
            raise ValueError("the analysis holds numbers that are not finite")
        return cls(listed, spread, covariance, means)


def _step(
    family: ModelFamily, network: nn.Module, points: Tensor, spread: Tensor, covariance: Tensor, which: Tensor
) -> Tensor:
    """Return the change ``[B, P]`` of points that raises one descriptor by a spread and keeps the others.

    ``which`` is ``[B]``, the number of that descriptor for each point.
    """
    return _change(_derivatives(family, network, points, spread), covariance, which)


def _derivatives(family: ModelFamily, network: nn.Module, points: Tensor, spread: Tensor) -> Tensor:
    """Return the derivatives ``[B, 5, P]`` of the descriptors, in spreads, by the points."""
    parts = []
    for part in torch.split(points, _TOGETHER):
        with torch.enable_grad():
            moving = part.detach().clone().requires_grad_(True)
            described = describe(family.from_points(network, moving)) / spread
            totals = described.sum(0)
            rows = [torch.autograd.grad(total, moving, retain_graph=True)[0] for total in totals]
        parts.append(torch.stack(rows, 1))
    return torch.cat(parts)


def _change(jacobian: Tensor, covariance: Tensor, which: Tensor) -> Tensor:
    """Return the change ``[B, P]`` of `_step` from derivatives ``[B, 5, P]``."""
    is_factor = covariance.shape[0] < covariance.shape[1]
    along = (jacobian @ covariance.T) @ covariance if is_factor else jacobian @ covariance
    response = along @ jacobian.transpose(1, 2)
    mean_response = response.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]
    identity = torch.eye(jacobian.shape[1], device=jacobian.device)
    damped = response + _DAMPING * mean_response * identity
    wanted_change = identity[which][..., None]
    change: Tensor = (along.transpose(1, 2) @ torch.linalg.solve(damped.cpu(), wanted_change.cpu()).to(along))[..., 0]
    return change


def fit_analysis(family: ModelFamily, network: nn.Module, chunks: DecodedChunks) -> LatentAnalysis | None:
    """Return the sliders of a network, or None where no slider works.

    Parameters
    ----------
    family, network
        The model; the network is in eval mode.
    chunks
        What the network makes of chunks of the corpus.
    """
    device = next(network.parameters()).device
    points = chunks.points.to(device)
    centred = points - points.mean(0)
    if len(points) < 3 or float(centred.abs().max()) < _LEAST_DIFFERENCE:
        return None
    spread = chunks.described.std(0).clamp_min(1e-6).to(device)
    covariance = _covariance(centred)
    new = points.mean(0) + _gaussian(centred)
    paths, mean_directions = _paths(family, network, new, spread, covariance)
    directions, means = [], []
    for which, (name, text) in enumerate(DESCRIPTORS.items()):
        strength, cross_talk = _measure(paths[which], which)
        if strength >= LEAST_STRENGTH and cross_talk < MOST_CROSS_TALK:
            directions.append(Direction(name, text, strength, cross_talk))
            means.append(mean_directions[which])
    if not directions:
        return None
    if covariance.shape[0] < covariance.shape[1]:
        covariance = covariance.half()  # exact, see `_covariance`
    return LatentAnalysis(tuple(directions), spread.cpu(), covariance.cpu(), torch.stack(means).cpu())


def _covariance(centred: Tensor) -> Tensor:
    """Return what `LatentAnalysis.covariance` is of centred points ``[N, P]``."""
    if centred.shape[1] <= _MANY_NUMBERS:
        return centred.T @ centred / (len(centred) - 1)
    _, values, axes = torch.linalg.svd(centred / math.sqrt(len(centred) - 1), full_matrices=False)
    factor: Tensor = values[:_MOST_ROWS, None] * axes[:_MOST_ROWS]
    return factor.half().float()  # as it is stored


def _gaussian(centred: Tensor) -> Tensor:
    """Return points ``[_MEASURED, P]`` with the covariance of centred ones, the same each time."""
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(_MEASURED, len(centred), generator=generator).to(centred)
    drawn: Tensor = weights @ centred / math.sqrt(len(centred))
    return drawn


def _paths(
    family: ModelFamily, network: nn.Module, new: Tensor, spread: Tensor, covariance: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the descriptors along each slider, in spreads, and the mean directions.

    They are ``[sliders, B, positions, 5]`` and ``[sliders, P]``.  The points of all sliders move side by side: many
    small steps of a network cost more than few large ones.
    """
    sliders, count = len(DESCRIPTORS), len(new)
    which = torch.arange(sliders, device=new.device).repeat_interleave(count)
    # The derivatives at the start are the same for all sliders.
    start = _derivatives(family, network, new, spread).repeat(sliders, 1, 1)
    first = _change(start, covariance, which)
    moved, change = new.repeat(2 * sliders, 1), first.repeat(2, 1)
    down_and_up = torch.tensor([-_STEP, _STEP], device=new.device).repeat_interleave(len(first))[:, None]
    sides = []
    for number in range(round(MOST_AMOUNT / _STEP)):
        if number:
            change = _step(family, network, moved, spread, covariance, which.repeat(2))
        moved = moved + down_and_up * change
        sides.append(moved.reshape(2, len(first), -1))
    along = torch.stack([side[0] for side in reversed(sides)] + [new.repeat(sliders, 1)] + [side[1] for side in sides])
    with torch.no_grad():
        described = torch.cat(
            [describe(family.from_points(network, points)) for points in torch.split(along.flatten(0, 1), _TOGETHER)]
        )
    paths = (described / spread).cpu().reshape(len(along), sliders, count, -1).permute(1, 2, 0, 3)
    return paths, first.reshape(sliders, count, -1).mean(1)


def _measure(path: Tensor, which: int) -> tuple[float, float]:
    """Return the mean rank correlation of position and descriptor, and the largest cross-talk."""
    positions = torch.arange(path.shape[1]).float()
    positions = positions - positions.mean()
    ranks = path[..., which].argsort(1).argsort(1).float()
    ranks = ranks - ranks.mean(1, keepdim=True)
    strength = ((ranks @ positions) / (ranks.norm(dim=1) * positions.norm())).mean()
    slopes = (path * positions[None, :, None]).sum(1).abs().median(0).values
    others = torch.cat([slopes[:which], slopes[which + 1 :]]).max()
    return float(strength), float(others / slopes[which].clamp_min(1e-9))
