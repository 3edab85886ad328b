"""Lays high-dimensional points out in two dimensions so that neighbours stay neighbours.

The method is t-SNE (van der Maaten and Hinton 2008) with all pairs, started from the first two principal axes, which
makes it repeatable: nothing is drawn at random.  For the hundreds of points of a corpus it takes seconds, so no
further library is needed for it.  Where there are more points than `LANDMARKS`, the others are placed between their
nearest laid-out neighbours.
"""

import math

import torch
from torch import Tensor

#: Points that are laid out; time and memory grow with the square of them.
LANDMARKS = 800
#: Effective number of neighbours of a point.
_PERPLEXITY = 15.0
#: Steps with and without exaggerated attraction.
_EARLY_STEPS, _STEPS = 100, 300
_EXAGGERATION = 12.0
#: Fewer points than this are shown on their principal axes.
_LEAST_POINTS = 8
#: Laid-out neighbours between which a further point is placed.
_PLACED_BETWEEN = 3


def principal_scores(rows: Tensor, count: int) -> Tensor:
    """Return the scores ``[N, count]`` of rows ``[N, D]`` on their first principal axes, in double precision."""
    precise = rows.cpu().double()
    centred = precise - precise.mean(0)
    values, vectors = torch.linalg.eigh(centred @ centred.T)
    kept = min(count, len(rows))
    scores = vectors.flip(1)[:, :kept] * values.flip(0)[:kept].clamp_min(0).sqrt()
    scores = scores * _signs(scores)
    return torch.nn.functional.pad(scores, (0, count - kept))


def _signs(scores: Tensor) -> Tensor:
    """Return a sign for each axis, which an eigenvector leaves open: its largest score is positive."""
    largest = scores.abs().argmax(0, keepdim=True)
    return torch.where(scores.gather(0, largest) < 0, -1.0, 1.0)


def lay_out(points: Tensor) -> Tensor:
    """Return positions ``[N, 2]`` of points ``[N, D]`` (double precision, centred, any scale)."""
    if len(points) <= LANDMARKS:
        return _lay_out_all(points.double())
    chosen = torch.linspace(0, len(points) - 1, LANDMARKS).round().long()
    laid_out = _lay_out_all(points[chosen].double())
    distance, nearest = torch.cdist(points.double(), points[chosen].double()).topk(_PLACED_BETWEEN, largest=False)
    weight = 1 / (distance.square() + 1e-9)
    positions = (laid_out[nearest] * (weight / weight.sum(1, keepdim=True))[..., None]).sum(1)
    positions[chosen] = laid_out
    return positions


def _lay_out_all(points: Tensor) -> Tensor:
    start = principal_scores(points, 2)
    if len(points) < _LEAST_POINTS:
        return start
    attraction = _affinities(points, min(_PERPLEXITY, (len(points) - 1) / 3))
    positions = start / start[:, 0].std().clamp_min(1e-12) * 1e-2
    velocity, gains = torch.zeros_like(positions), torch.ones_like(positions)
    rate = max(len(points) / _EXAGGERATION, 50.0)
    for step in range(_EARLY_STEPS + _STEPS):
        early = step < _EARLY_STEPS
        kernel = 1 / (1 + torch.cdist(positions, positions).square())
        kernel.fill_diagonal_(0.0)
        pull = ((_EXAGGERATION if early else 1.0) * attraction - kernel / kernel.sum()) * kernel
        gradient = 4 * (pull.sum(1, keepdim=True) * positions - pull @ positions)
        gains = torch.where(gradient.sign() != velocity.sign(), gains + 0.2, gains * 0.8).clamp_min(0.01)
        velocity = (0.5 if early else 0.8) * velocity - rate * gains * gradient
        positions = positions + velocity
        positions = positions - positions.mean(0)
    return positions


def _affinities(points: Tensor, perplexity: float) -> Tensor:
    """Return the symmetric affinities ``[N, N]``; each point's Gaussian is as wide as its perplexity needs."""
    squares = torch.cdist(points, points).square()
    squares = squares / squares.mean().clamp_min(1e-30)
    low = points.new_full((len(points), 1), -25.0)
    high = -low
    for _ in range(60):  # bisection of the logarithm of the precision
        middle = (low + high) / 2
        logits = -squares * middle.exp()
        logits.fill_diagonal_(-math.inf)
        share = logits.softmax(1)
        entropy = -(share * share.clamp_min(1e-300).log()).sum(1, keepdim=True)
        wide = entropy > math.log(perplexity)
        low, high = torch.where(wide, middle, low), torch.where(wide, high, middle)
    return (share + share.T) / (2 * len(points))


def trustworthiness(points: Tensor, positions: Tensor, neighbours: int = 10) -> float:
    """Return how far neighbours on a map are neighbours of the points (Venna and Kaski 2001); 1 is best, 0.5 chance.

    Parameters
    ----------
    points
        ``[N, D]``.
    positions
        ``[N, 2]``.
    neighbours
        k; as many as the definition allows where there are fewer points.
    """
    count = len(points)
    k = min(neighbours, (count - 1) // 2)
    if k < 1:
        return 1.0
    distance, shown = torch.cdist(points.double(), points.double()), torch.cdist(positions.double(), positions.double())
    distance.fill_diagonal_(math.inf)
    shown.fill_diagonal_(math.inf)
    rank = distance.argsort(1).argsort(1) + 1
    intruders = (rank.gather(1, shown.argsort(1)[:, :k]) - k).clamp_min(0).sum()
    return 1.0 - 2.0 / (count * k * (2 * count - 3 * k - 1)) * float(intruders)
