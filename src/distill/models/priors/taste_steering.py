"""Steers new sounds by what the user has starred and rejected: which of many drawn candidates are made.

Nothing is trained and nothing is changed in the prior: more sounds are drawn than were requested, and some of them are
chosen by where their first windows lie.  Two of five follow the starred sounds in turn, each time the nearest
candidate that is left; the others are taken as they come, so that new sounds stay as varied as they were.  Candidates
that lie nearer to a rejected sound than to any starred one are passed over.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

#: Candidates for each requested sound; fewest and most of them.
_PER_SOUND, _FEWEST, _MOST = 16, 64, 1024
#: Share of the sounds that follow the starred ones: 2.4 to 2.7 times as many sounds as before are then near the
#: starred ones, at 0.83 to 0.89 of the spread; with 0.5, 2.8 times as many at 0.80 to 0.84.
_FOLLOWING = 0.4
#: Most of the candidates that are passed over; where nothing is starred, exactly these: those nearest to rejected ones.
_PASSED_OVER = 0.25


@dataclass(frozen=True)
class Taste:
    """Points ``[n, K]`` of the first windows of sounds that the user has starred, and of those rejected."""

    starred: Tensor
    rejected: Tensor

    def __bool__(self) -> bool:
        """Whether anything is known."""
        return bool(len(self.starred) or len(self.rejected))


def candidate_count(count: int) -> int:
    """Return how many sounds are drawn for ``count`` that are chosen."""
    return max(count, min(max(_PER_SOUND * count, _FEWEST), _MOST))


def choose(candidates: Tensor, taste: Taste, count: int, generator: torch.Generator) -> list[int]:
    """Return the numbers of the candidates that are made, in the order in which they are given out.

    Parameters
    ----------
    candidates
        Points of the first windows, ``[M, K]``; at least ``count``.
    taste
        What the user has starred and rejected.
    count
        How many are chosen.
    generator
        On the CPU; the same one gives the same choice.
    """
    points = candidates.detach().float().cpu()
    starred, rejected = taste.starred.float().cpu(), taste.rejected.float().cpu()
    to_starred = torch.cdist(points, starred)
    is_free = _allowed(points, to_starred, rejected, count)
    order = torch.randperm(len(starred), generator=generator).tolist()
    plain = iter(torch.randperm(len(points), generator=generator).tolist())
    chosen: list[int] = []
    followed = 0
    for number in range(count):
        if order and followed < _FOLLOWING * (number + 1):  # the first one follows
            star = order[followed % len(order)]
            best = int(to_starred[:, star].masked_fill(~is_free, torch.inf).argmin())
            followed += 1
        else:
            best = next(candidate for candidate in plain if is_free[candidate])
        is_free[best] = False
        chosen.append(best)
    return chosen


def _allowed(points: Tensor, to_starred: Tensor, rejected: Tensor, count: int) -> Tensor:
    """Return which candidates may be chosen ``[M]``: most of them, and at least ``count``."""
    if not len(rejected):
        return torch.ones(len(points), dtype=torch.bool)
    to_rejected = torch.cdist(points, rejected).amin(1)
    excess = to_starred.amin(1) - to_rejected if to_starred.shape[1] else -to_rejected
    limit = float(excess.quantile(1 - _PASSED_OVER))
    if to_starred.shape[1]:
        limit = max(0.0, limit)
    allowed = excess <= limit
    if int(allowed.sum()) < count:
        allowed = torch.zeros_like(allowed).index_fill(0, excess.argsort()[:count], True)
    return allowed
