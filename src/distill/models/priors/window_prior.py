"""The prior of a corpus: how long its sounds are, what their windows are like, and what follows what.

A sound is described by windows that overlap by half, each by the point that its family gives it (the latents of a
VAE, the grid vectors of a VQ-VAE).  The flow draws the point of a window under a condition: the point of the window
before it, the length of the whole sound, and how much of the sound is left in this window.  New sounds of any length
are drawn window by window.

Points with thousands of numbers are first projected onto their principal components.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from distill.models.priors.flow_prior import STEPS, FlowPrior

#: Numbers of a condition beside the previous point: whether there is one, the length, and two for what is left.
_CONDITION_EXTRA = 4
#: Spread of the logarithm of the length that training adds: a length must not give away which file it is of.
_LENGTH_JITTER = 0.15
#: Share of the training rows whose previous point is hidden, so that a window can also be drawn without one.
_PREVIOUS_DROPOUT = 0.1
#: Share of a longer sound's weight that its first window has.
_FIRST_SHARE = 0.5
#: Quantiles of the lengths that are stored.
_QUANTILES = 129
#: Lengths in the upper half of the corpus are drawn this much lower in rank.  Each second of a long sound is heard as
#: much as a whole short one; drawn at their own lengths, the longest files fill most of what is heard.
_RANK_SHIFT = 0.11
#: Shortest sound that is described, in windows.
_SHORTEST = 0.02
#: Most sounds of the corpus that are kept as beginnings for new sounds close to them.
_MOST_ANCHORS = 512
#: Principal components with less variance than this, relative to the largest, are noise of the arithmetic: the rows
#: are centred, so that of N of them at most N - 1 directions have any.
_LEAST_VARIANCE = 1e-6
#: A freedom of 0.5, and none, stand for the default, which depends on how many sounds there are: of few sounds a prior
#: learns little more than the sounds themselves.  Reach of the default where there are at most, and at least, so many;
#: between them it falls with the logarithm of the number.
_FEW, _REACH_OF_FEW = 12, 0.8
_MANY, _REACH_OF_MANY = 48, 0.5
#: A new sound begins with the first window of a sound of the corpus, of which noise has taken a share: at a reach of 0,
#: `_REACH_OF_MANY` and 1, where nothing of it is left.
_NOISE_SHARES = (0.2, 0.4, 1.0)
#: Factor of the noise at the same reaches.  Sounds that are drawn with a factor of 1 are smoother than those of the
#: corpus: what the network has not learned, the flow averages away.  The second row is for priors that keep no
#: beginnings: theirs are drawn from noise alone, as of a Gaussian, where the flow is right.
_HEATS = (1.2, 1.2, 1.4)
_HEATS_WITHOUT_BEGINNINGS = (1.0, 1.0, 1.4)


@dataclass(frozen=True)
class WindowTable:
    """The windows of a corpus as training material of a prior.

    Attributes
    ----------
    points
        ``[N, K]``: latents (means of the posterior), or principal components.
    variance
        ``[N, K]``, variance of the posterior; None for points without one.
    sounds
        ``[N]``, the number of the sound that each is of; variants of a sound have its number.
    previous
        ``[N]``, the row of the window half a window earlier; -1 where the table does not have it.
    total, offset
        ``[N]``, length of the sound and start of the window, in windows.
    counts
        ``[N]``, how much the sound of each counts, on the CPU; None where all count the same.
    """

    points: Tensor
    variance: Tensor | None
    sounds: Tensor
    previous: Tensor
    total: Tensor
    offset: Tensor
    counts: Tensor | None = None

    def weights(self, used: Tensor | None = None) -> Tensor:
        """Return how likely each row is drawn ``[N]``, double precision, on the CPU: each sound as much as it counts.

        ``used`` ``[N]`` says which rows there are to draw.
        """
        sounds, first = self.sounds.cpu(), self.offset.cpu() == 0
        drawable = torch.ones_like(first) if used is None else used
        count = int(sounds.max()) + 1
        firsts, later = (torch.bincount(sounds[kind & drawable], minlength=count)[sounds] for kind in (first, ~first))
        share = torch.where(firsts == 0, 0.0, torch.where(later == 0, 1.0, _FIRST_SHARE)).double()
        weight = torch.where(first, share / firsts.clamp_min(1), (1 - share) / later.clamp_min(1))
        weight = torch.where(drawable, weight, 0.0)
        return weight if self.counts is None else weight * self.counts.to(weight)

    def only(self, used: Tensor) -> "WindowTable":
        """Return the rows that ``used`` ``[N]`` names, without what lies before them."""
        used_rows = used.nonzero().flatten().to(self.points.device)
        return WindowTable(
            points=self.points[used_rows],
            variance=None if self.variance is None else self.variance[used_rows],
            sounds=self.sounds[used_rows],
            previous=torch.full_like(used_rows, -1),
            total=self.total[used_rows],
            offset=self.offset[used_rows],
            counts=None if self.counts is None else self.counts[used_rows.cpu()],
        )


def prior_entry(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a prior's state as a model file holds it: weights in half precision, statistics in full."""
    half_precision = ("flow.enter.", "flow.blocks.", "flow.leave.", "axes")
    on_cpu = {key: value.detach().cpu().contiguous() for key, value in state.items()}
    return {key: value.half() if key.startswith(half_precision) else value for key, value in on_cpu.items()}


def anchor_count(sounds: int) -> int:
    """Return how many anchors a prior of so many sounds has."""
    return min(_MOST_ANCHORS, sounds)


class WindowPrior(nn.Module):
    """Draws the windows of new sounds, and their lengths.

    Parameters
    ----------
    points
        P, numbers in a point.
    components
        K, principal components that the flow describes; None for the points themselves.
    width, blocks
        Size of the flow's network.
    anchors
        Number of sounds whose first windows are kept; see `anchor_count`.
    """

    origin: Tensor
    axes: Tensor
    lengths: Tensor
    anchors: Tensor
    anchor_totals: Tensor

    def __init__(
        self, points: int, components: int | None = None, width: int = 384, blocks: int = 3, anchors: int = 0
    ) -> None:
        super().__init__()
        self.is_projecting = components is not None
        dim = points if components is None else components
        self.register_buffer("origin", torch.zeros(points if self.is_projecting else 0))
        self.register_buffer("axes", torch.zeros(points if self.is_projecting else 0, dim))
        self.register_buffer("lengths", torch.ones(_QUANTILES))
        self.register_buffer("anchors", torch.zeros(anchors, dim))
        self.register_buffer("anchor_totals", torch.ones(anchors))
        self.flow = FlowPrior(dim, dim + _CONDITION_EXTRA, width, blocks)

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> "WindowPrior":
        """Return a prior with the sizes and the contents of a state dict.

        Raises
        ------
        AttributeError, IndexError, KeyError, RuntimeError, ValueError
            The state is not one of a prior.
        """
        points = state["axes"].shape[0]
        dim, _, width, blocks = FlowPrior.sizes_of(state, "flow.")
        if any(state[key].shape[1:] != (dim,) for key in ("axes", "anchors")):
            raise ValueError("sizes that do not fit each other")
        prior = cls(points or dim, dim if points else None, width, blocks, len(state["anchors"]))
        prior.load_state_dict(dict(state))
        return prior

    @staticmethod
    def size_of(state: Mapping[str, Any]) -> tuple[int, int]:
        """Return width and number of blocks of a state dict's network; errors are those of `of_state`."""
        _, _, width, blocks = FlowPrior.sizes_of(state, "flow.")
        return width, blocks

    @classmethod
    def standard(cls, dim: int) -> "WindowPrior":
        """Return the standard normal of ``dim`` numbers, for sounds of one window: for models that have no prior."""
        prior = cls(dim, width=1, blocks=1)
        prior.flow.fit(torch.zeros(1, dim), torch.ones(1, dim))
        return prior

    @torch.no_grad()
    def start_from(self, state: Mapping[str, Tensor]) -> bool:
        """Load the state of the prior of another run; False where it is of another kind.

        Until it is fitted to the sounds of the new run, new sounds have the lengths of those of the other run and begin
        near them; where its prior keeps no beginnings, they begin anywhere.
        """
        own = self.state_dict()
        taken = {**state, **_as_many_anchors(state, len(self.anchors))}
        if any(key not in own or own[key].shape != value.shape for key, value in taken.items()):
            return False
        self.load_state_dict({**own, **taken})
        self.flow.is_fitted &= len(state["anchors"]) > 0
        return True

    @property
    def dim(self) -> int:
        """K, numbers that the flow describes a window by."""
        return self.flow.dim

    @torch.no_grad()
    def fit_projection(self, points: Tensor, weights: Tensor) -> None:
        """Find the principal components of points ``[N, P]`` by their weights ``[N]``; N is bounded by the caller.

        Where the points have fewer directions than there are components, the axes of the others are zero.
        """
        share = (weights / weights.sum()).to(points.device, points.dtype)
        centre = share @ points
        self.origin.copy_(centre)
        rows = (points - centre) * share.sqrt()[:, None]
        eigenvalues, vectors = torch.linalg.eigh((rows @ rows.T).cpu().double())
        variance = eigenvalues.flip(0)[: self.dim].clamp_min(1e-12)
        count = int((variance > _LEAST_VARIANCE * variance[0]).sum())
        kept = vectors.flip(1)[:, :count] / variance[:count].sqrt()
        self.axes.zero_()
        self.axes[:, :count] = (rows.T @ kept.to(rows)).to(self.axes)

    @property
    def point_dim(self) -> int:
        """P, numbers in a point."""
        return len(self.origin) if self.is_projecting else self.dim

    def project(self, points: Tensor) -> Tensor:
        """Return what the flow describes ``[B, K]`` of points ``[B, P]``."""
        return (points - self.origin) @ self.axes if self.is_projecting else points

    def restore(self, components: Tensor, missed: Tensor | None = None) -> Tensor:
        """Return points ``[B, P]``; ``missed`` is added to them: what the components do not hold, see `missing`."""
        if not self.is_projecting:
            return components
        points = components @ self.axes.T + self.origin
        return points if missed is None else points + missed

    def missing(self, points: Tensor) -> Tensor:
        """Return what the components miss of points ``[B, P]``; zero without a projection."""
        return points - self.restore(self.project(points))

    @torch.no_grad()
    def fit(self, table: WindowTable) -> None:
        """Take mean, covariance, lengths and anchors from a table; the network is left as it is.

        The first row of each sound must be of the sound itself, not of a variant.
        """
        self.flow.fit(table.points, table.variance, table.weights())
        _, sounds = torch.unique(table.sounds, return_inverse=True)
        beginnings = torch.full((int(sounds.max()) + 1,), len(sounds), dtype=torch.long, device=sounds.device)
        beginnings.scatter_reduce_(0, sounds, torch.arange(len(sounds), device=sounds.device), "amin")
        totals = table.total[beginnings].cpu().double()
        ranks = torch.linspace(0, 1, _QUANTILES, dtype=torch.double)
        if table.counts is None:
            lengths = totals.quantile(ranks)
            kept = torch.linspace(0, len(beginnings) - 1, len(self.anchors)).round().long()
        else:
            counts = table.counts[beginnings.cpu()]
            order = totals.argsort(stable=True)
            lengths = totals[_at_shares(order, counts, ranks)]
            # Copies count as much and are as long as each other: of several that count as one, one is kept.
            order = order[counts[order].argsort(descending=True, stable=True)]
            middles = (torch.arange(len(self.anchors), dtype=torch.double) + 0.5) / max(1, len(self.anchors))
            kept = _at_shares(order, counts, middles)
        self.lengths.copy_(lengths.float())
        kept = beginnings[kept.to(beginnings.device)]
        self.anchors.copy_(table.points[kept])
        self.anchor_totals.copy_(table.total[kept])

    def loss(self, table: WindowTable, rows: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the flow-matching loss of rows of a table (scalar); ``generator`` is on the CPU."""

        def noise(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator).to(table.points)

        def drawn(at: Tensor) -> Tensor:
            found = table.points[at]
            return found if table.variance is None else found + table.variance[at].sqrt() * noise(*found.shape)

        rows = rows.to(table.points.device)
        previous = table.previous[rows]
        is_previous_shown = torch.rand(len(rows), generator=generator).to(table.points) >= _PREVIOUS_DROPOUT
        has_previous = (previous >= 0) & is_previous_shown
        total = table.total[rows] * torch.exp(_LENGTH_JITTER * noise(len(rows)))
        offset = table.offset[rows]
        condition = self._condition(
            drawn(previous.clamp_min(0)), has_previous, torch.maximum(total, offset + _SHORTEST), offset
        )
        return self.flow.loss(drawn(rows), condition, generator)

    def _condition(self, previous: Tensor, has_previous: Tensor, total: Tensor, offset: Tensor) -> Tensor:
        """Return conditions ``[B, K + 4]``; lengths ``[B]`` are in windows."""
        has = has_previous.to(previous)[:, None]
        left = (total - offset)[:, None]
        length = total.clamp(_SHORTEST, 32.0).log()[:, None]
        return torch.cat([self.flow.whiten(previous) * has, has, length, left.clamp(0, 1), (left - 1).clamp(0, 1)], 1)

    def condition(self, previous: Tensor | None, total: Tensor, offset: float) -> Tensor:
        """Return the condition ``[B, K + 4]`` of windows.

        Parameters
        ----------
        previous
            What the flow described the windows before by ``[B, K]``; None for the beginning of a sound.
        total
            Lengths of the sounds, in windows, ``[B]``.
        offset
            Start of the window in its sound, in windows.
        """
        before = total.new_zeros(len(total), self.dim) if previous is None else previous
        has = torch.full_like(total, 0.0 if previous is None else 1.0)
        return self._condition(before, has, total, torch.full_like(total, offset))

    def draw(
        self,
        previous: Tensor | None,
        total: Tensor,
        offset: float,
        generator: torch.Generator,
        temperature: float = 1.0,
        steps: int = STEPS,
    ) -> Tensor:
        """Return new windows ``[B, K]``; parameters as in `condition` and `FlowPrior.sample`."""
        condition = self.condition(previous, total, offset)
        return self.flow.sample(len(total), generator, temperature, condition, steps)

    def renew(
        self,
        components: Tensor,
        strength: Tensor,
        noise: Tensor,
        previous: Tensor | None,
        total: Tensor,
        offset: float,
        steps: int = STEPS,
    ) -> Tensor:
        """Return windows ``[B, K]`` near given ones; see `condition` and `FlowPrior.renew`."""
        condition = self.condition(previous, total, offset)
        return self.flow.renew(components, strength, noise, condition, steps)

    def draw_sounds(
        self, count: int, generator: torch.Generator, freedom: float | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Return lengths ``[count]``, in windows, and what new sounds begin near ``[count, K]``, or None.

        Lengths are spread evenly over those of the corpus, in random order; each sound begins near one of the corpus
        that is about as long.  With freedom 1 they begin anywhere, as do those of a prior that keeps no beginnings.
        """
        rank = (torch.randperm(count, generator=generator) + torch.rand(count, generator=generator)) / count
        lengths = self._lengths_at(rank)
        if self._noise_share(freedom) == 1 or not len(self.anchors) or not bool(self.flow.is_fitted):
            return lengths, None
        by_length = self.anchor_totals.cpu().argsort(stable=True)
        chosen = by_length[(rank * len(by_length)).long().clamp_max(len(by_length) - 1)]
        return lengths, self.anchors[chosen.to(self.anchors.device)]

    def begin(
        self,
        total: Tensor,
        anchors: Tensor | None,
        generator: torch.Generator,
        temperature: float = 1.0,
        freedom: float | None = None,
    ) -> Tensor:
        """Return first windows ``[B, K]`` of sounds of some lengths, in windows, ``[B]``; see `draw_sounds`.

        Noise takes a share of the anchors, and the flow goes on from there.  What a sound is at large comes from the
        corpus, then, and not from the beginning of the flow, where the network has learned least.
        """
        heat = self.heat(temperature, freedom)
        if anchors is None:
            return self.draw(None, total, 0.0, generator, heat)
        noise = heat * torch.randn(anchors.shape, generator=generator).to(anchors)
        return self.renew(anchors, torch.full_like(total, self._noise_share(freedom)), noise, None, total, 0.0)

    def heat(self, temperature: float, freedom: float | None) -> float:
        """Return the factor of the flow's noise, which is not 1 at a temperature of 1; see `_HEATS`."""
        begins_near = len(self.anchors) > 0 and bool(self.flow.is_fitted)
        return temperature * at_reach(self.reach(freedom), _HEATS if begins_near else _HEATS_WITHOUT_BEGINNINGS)

    def reach(self, freedom: float | None) -> float:
        """Return how far from the corpus a freedom leads, 0 to 1; None is the default, as is 0.5.

        The same freedom leads farther where there are few sounds.
        """
        few = math.log(_MANY / max(1, len(self.anchors))) / math.log(_MANY / _FEW) if len(self.anchors) else 0.0
        usual = _REACH_OF_MANY + (_REACH_OF_FEW - _REACH_OF_MANY) * min(max(few, 0.0), 1.0)
        return _between(0.5 if freedom is None else freedom, 0.5, (0.0, usual, 1.0))

    def _noise_share(self, freedom: float | None) -> float:
        """Return the share of noise in what a new sound begins with."""
        return at_reach(self.reach(freedom), _NOISE_SHARES)

    def _lengths_at(self, rank: Tensor) -> Tensor:
        """Return the lengths of new sounds at some ranks from 0 to 1; see `_RANK_SHIFT`."""
        lower = torch.where(rank < 0.5, rank, (rank - _RANK_SHIFT).clamp_min(0.5))
        position = lower * (_QUANTILES - 1)
        below = position.long().clamp(0, _QUANTILES - 2)
        lengths = self.lengths.cpu()
        found: Tensor = torch.lerp(lengths[below], lengths[below + 1], position - below)
        return found.clamp_min(_SHORTEST)


def at_reach(reach: float, values: tuple[float, float, float]) -> float:
    """Return the value at a reach (`WindowPrior.reach`), of those at 0, at the default of many sounds, and at 1."""
    return _between(reach, _REACH_OF_MANY, values)


def _at_shares(order: Tensor, counts: Tensor, shares: Tensor) -> Tensor:
    """Return which sounds ``[M]``, in an order ``[N]`` of them, lie at shares ``[M]`` of all that they count."""
    reached = counts.double()[order].cumsum(0)
    return order[torch.searchsorted(reached, shares * reached[-1]).clamp_max(len(order) - 1)]


def _between(number: float, middle: float, values: tuple[float, float, float]) -> float:
    """Return the value at a number, of those at 0, ``middle`` and 1."""
    least, default, most = values
    if number < middle:
        return least + (default - least) * number / middle
    return default + (most - default) * (number - middle) / (1 - middle)


def _as_many_anchors(state: Mapping[str, Tensor], count: int) -> dict[str, Tensor]:
    """Return the anchors and their lengths of a prior's state, spread evenly or repeated to another number."""
    known = len(state["anchors"])
    if not known:
        dim = state["anchors"].shape[1]
        return {"anchors": torch.zeros(count, dim), "anchor_totals": torch.ones(count)}
    at = torch.linspace(0, known - 1, count).round().long()
    return {key: state[key][at] for key in ("anchors", "anchor_totals")}
