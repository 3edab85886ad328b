"""Measures while a model trains how near its new sounds lie to the sounds that it is trained on, as a set.

Sounds are compared by their textures: what they are like on average, not which sound it is.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from distill.events import EpochMetrics, VQEpochMetrics
from distill.models.detail_by_example import EVENNESS
from distill.models.families.family import ModelFamily
from distill.models.latent_space.descriptors import describe_texture
from distill.models.model_parts import build_detail, draw_points
from distill.models.priors.window_prior import WindowPrior
from distill.training.dataset import FeatureDataset


class _Measure(NamedTuple):
    """How many sounds a figure is taken from.

    Attributes
    ----------
    drawn
        New sounds that are drawn.
    most_detail
        Most training sounds that they get detail from.
    """

    drawn: int
    most_detail: int


#: Measures by their number.  A run keeps its own when it is resumed, so that its curve has no step; the first is that
#: of runs which have no number.
_MEASURES = {1: _Measure(128, 128), 2: _Measure(256, 64)}
NEWEST_MEASURE = max(_MEASURES)
#: Seed of the draw: the same for all epochs.
_SEED = 0
#: Most sounds of the corpus that new sounds are compared with.
_MOST_SOUNDS = 256
#: Steps of the network after which it is measured again; it costs less than three hundredths of them.
_STEPS_APART = 240
_BATCH = 32
#: Fewest sounds whose `kernel_distance` from others says anything.
_FEWEST_SOUNDS = 8
#: Least spread of a number in `kernel_distance`, as a share of the usual one: what never changes in the corpus counts
#: little.
_LEAST_SPREAD = 0.01
#: Width of the kernel of `kernel_distance`, as a share of the median distance within the reference: narrow enough to
#: see that new sounds lie beside those of the corpus and not among them.
_KERNEL_WIDTH = 0.5

_T = TypeVar("_T")


class NewSoundMeter:
    """Compares the beginnings of new sounds with those of the sounds of a run.

    Parameters
    ----------
    family
        Of the run.
    datasets
        Its training and its held-out sounds; both are what new sounds should be like.  New sounds get detail from the
        training sounds, as those of a finished model do: without it all are blurred, and differ in that alone.
    measure
        Number of the measure, from 1 to `NEWEST_MEASURE`.
    """

    def __init__(self, family: ModelFamily, datasets: Sequence[FeatureDataset], measure: int = NEWEST_MEASURE) -> None:
        self._family, self._datasets, self.measure_number = family, datasets, measure
        self._measure = _MEASURES[measure]

    @property
    def can_measure(self) -> bool:
        """Whether there are enough sounds to compare with."""
        return sum(len(dataset.layout.sounds) for dataset in self._datasets) >= _FEWEST_SOUNDS

    @cached_property
    def _corpus(self) -> Tensor:
        """Textures of the beginnings of the sounds ``[M, D]``, of at most `_MOST_SOUNDS` of them."""
        beginnings = [(dataset, item) for dataset in self._datasets for item in _beginnings(dataset)]
        return torch.cat(
            [describe_texture(dataset[item][None]) for dataset, item in _thinned(beginnings, _MOST_SOUNDS)]
        )

    @cached_property
    def _examples(self) -> Tensor:
        """Features ``[N, C, F, T]`` of the beginnings of training sounds that new sounds get detail from."""
        trained = self._datasets[0]
        return torch.stack([trained[item] for item in _thinned(_beginnings(trained), self._measure.most_detail)])

    @torch.no_grad()
    def measure(
        self, network: nn.Module, prior: WindowPrior, autocast: Callable[[], AbstractContextManager[Any]] = nullcontext
    ) -> float | None:
        """Return the kernel distance of new sounds of a network and its prior; 0 is the distribution of the corpus.

        It falls below 0 where new sounds are closer to single sounds of the corpus than those are to each other, and
        ranks models there, too.  None is returned where the network gives values that are not finite.  The network
        computes under ``autocast``, and is left in the mode in which it was.
        """
        was_training = network.training
        network.eval()
        try:
            points = draw_points(self._family, network, prior, self._measure.drawn, _SEED)
            assert points is not None
            with autocast():
                parts = torch.split(points, _BATCH)
                generated = [self._family.from_points(network, part).float().cpu() for part in parts]
                if not all(bool(part.isfinite().all()) for part in generated):
                    return None
                owner = torch.arange(len(self._examples))
                detail = build_detail(self._family, network, self._examples, owner, points.device)
        finally:
            network.train(was_training)
        textures = [describe_texture(detail.add(part, evenness=EVENNESS)) for part in generated]
        distance = kernel_distance(torch.cat(textures), self._corpus)
        return distance if math.isfinite(distance) else None


def kernel_distance(given: Tensor, reference: Tensor) -> float:
    """Return the squared maximum mean discrepancy of two sets of descriptions, times 1000.

    The unbiased estimate with a Gaussian kernel (Gretton et al. 2012, "A kernel two-sample test", lemma 6).  It is
    around 0, and can be slightly below, for two draws from the same distribution.  Each number counts by its spread in
    the reference.

    Parameters
    ----------
    given, reference
        ``[N, D]`` and ``[M, D]``, both of at least two rows.

    Raises
    ------
    ValueError
        A set has fewer than two rows.
    """
    if min(len(given), len(reference)) < 2:
        raise ValueError("kernel_distance needs at least two rows in each set.")
    given, reference = given.cpu().double(), reference.cpu().double()
    mean, spread = reference.mean(0), reference.std(0)
    spread = spread.clamp_min(max(_LEAST_SPREAD * float(spread.square().mean().sqrt()), 1e-12))
    one, other = ((rows - mean) / spread for rows in (given, reference))
    width = _KERNEL_WIDTH * torch.pdist(other).median().clamp_min(1e-12)

    def similar(a: Tensor, b: Tensor) -> Tensor:
        return torch.exp(-torch.cdist(a, b).square() / (2 * width**2))

    def within(a: Tensor) -> Tensor:
        return (similar(a, a).sum() - len(a)) / (len(a) * (len(a) - 1))

    return 1000 * float(within(one) + within(other) - 2 * similar(one, other).mean())


def _thinned(beginnings: Sequence[_T], most: int) -> Sequence[_T]:
    """Return at most so many of the beginnings, evenly from among all."""
    return beginnings[:: max(1, -(-len(beginnings) // most))]


def _beginnings(dataset: FeatureDataset) -> list[int]:
    """Return the numbers of the first chunks of the sounds, as they are, without variants."""
    return [item for item in range(dataset.layout.chunks) if dataset.offset[item] == 0]


def is_due(epochs: Sequence[EpochMetrics | VQEpochMetrics], steps_per_epoch: int, is_last: bool) -> bool:
    """Return whether new sounds are measured after the epoch that follows ``epochs``.

    It depends on the epochs alone, so that a run which is resumed measures the same ones.
    """
    since = 1
    for epoch in reversed(epochs):
        if epoch.new_sound_distance is not None:
            break
        since += 1
    return is_last or since * steps_per_epoch >= _STEPS_APART
