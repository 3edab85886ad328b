"""How near a sound is to the sounds that a model was trained on.

A sound is described by the levels of 16 x 16 patches of its log-mel features, relative to its loudest point.  On 128
new sounds of one corpus the distance to the nearest training chunk ranks them as the embedding of a network for
finding sound effects does, with a rank correlation of 0.75.  The index holds numbers only: no names of files.

`kernel_distance` compares sets of sounds: how near new sounds are to a corpus as a whole.  For this, sounds are
described by `describe_texture`: what they are like on average, not which sound it is.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Side of the patches, bands and frames.
_PATCH = 16
#: Decades under the loudest point below which levels do not count.
_AUDIBLE_DECADES = 3.5
#: Least spread of a number in `kernel_distance`, as a share of the usual one: what never changes in the corpus counts
#: little.
_LEAST_SPREAD = 0.01
#: Bands that are described together in a texture.
_TEXTURE_BANDS = 8
#: Width of the kernel of `kernel_distance`, as a share of the median distance within the reference: narrow enough to
#: see that new sounds lie beside those of the corpus and not among them.
_KERNEL_WIDTH = 0.5
#: Quantiles of the usual distance that are stored.
_QUANTILES = 101
#: Fewest sounds whose `kernel_distance` from others says anything.
FEWEST_SOUNDS = 8


class Nearest(NamedTuple):
    """The training sound nearest to each of B sounds.

    Attributes
    ----------
    owner
        Its number, in the order of the training sounds' content, ``[B]``.
    distance
        How far it is, ``[B]``.
    newness
        Share of the training sounds that lie nearer than this to another training sound, 0 to 1, ``[B]``: near 0 is a
        copy, 0.5 is as new as the training sounds are to each other.
    relative
        The distance over that of the training chunk that was found to the nearest one of another file, ``[B]``, which
        counts as at least the median one: 0 is a copy, and from 1 on the sound is as new as that chunk is (Alaa et al.
        2022, "How faithful is your synthetic data?", call it authentic).  Without the median, two strokes of one drum
        in the corpus would let through every copy of them.
    """

    owner: Tensor
    distance: Tensor
    newness: Tensor
    relative: Tensor


class SoundIndex(nn.Module):
    """Descriptions of training chunks; everything is a buffer, `state_dict` is what a model file holds.

    Parameters
    ----------
    chunks, size
        How many chunks are described, by how many numbers.
    """

    described: Tensor
    owner: Tensor
    usual: Tensor
    alone: Tensor

    def __init__(self, chunks: int, size: int) -> None:
        super().__init__()
        self.register_buffer("described", torch.zeros(chunks, size, dtype=torch.float16))
        self.register_buffer("owner", torch.zeros(chunks, dtype=torch.int32))
        self.register_buffer("usual", torch.zeros(_QUANTILES))
        self.register_buffer("alone", torch.zeros(chunks))

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> "SoundIndex":
        """Return the index with a state dict's sizes and contents; those of older files do not have ``alone``.

        Raises
        ------
        AttributeError, KeyError, RuntimeError, TypeError, ValueError
            The state is not one of an index.
        """
        index = cls(*state["described"].shape)
        index.load_state_dict({"alone": index.alone, **state})
        return index

    @classmethod
    @torch.no_grad()
    def build(cls, features: Tensor, owner: Tensor) -> "SoundIndex":
        """Return an index of training chunks ``[N, C, F, T]``; ``owner`` is the number of the file of each, ``[N]``."""
        described = describe(features)
        index = cls(*described.shape)
        index.described.copy_(described)
        index.owner.copy_(owner)
        distance = torch.cdist(described, described)
        distance.masked_fill_(owner[:, None] == owner, torch.inf)
        nearest = distance.amin(1)
        # Each file counts the same, however many chunks it has.
        weight = 1.0 / torch.bincount(owner.long())[owner.long()].double()
        order = nearest.argsort()
        reached = weight[order].cumsum(0) / weight.sum()
        ranks = torch.linspace(0, 1, _QUANTILES, dtype=torch.double)
        at = torch.searchsorted(reached, ranks.clamp_max(float(reached[-1]))).clamp_max(len(order) - 1)
        usual = nearest[order[at]]
        index.usual.copy_(torch.where(torch.isfinite(usual), usual, 0.0))
        index.alone.copy_(torch.where(torch.isfinite(nearest), nearest, 0.0))
        return index

    @torch.no_grad()
    def nearest(self, features: Tensor) -> Nearest:
        """Return the training chunk nearest to features ``[B, C, F, T]``; those of another length never match well."""
        stored = self.described.float()
        distance, at = torch.cdist(_fitted(describe(features.to(stored.device)), stored.shape[1]), stored).min(1)
        newness = torch.searchsorted(self.usual, distance.contiguous()).float() / _QUANTILES
        alone = self.alone[at].clamp_min(float(self.usual[_QUANTILES // 2]))
        relative = torch.where(alone > 0, distance / alone.clamp_min(1e-9), torch.inf)
        return Nearest(self.owner[at].long(), distance, newness, relative)


def describe(features: Tensor) -> Tensor:
    """Return descriptions ``[B, numbers]`` of features ``[B, C, F, T]``, of which the first channel counts."""
    # Columns first, so that a longer sound begins with the numbers of a shorter one.
    return functional.avg_pool2d(_relative(features), _PATCH, ceil_mode=True).transpose(2, 3).flatten(1)


def describe_texture(features: Tensor) -> Tensor:
    """Return the texture ``[B, numbers]`` of features ``[B, C, F, T]``, of which the first channel counts.

    For each group of bands: its mean level, how much that varies in time, and the mean step from frame to frame and
    from band to band.  The steps tell a blurred spectrum from a recorded one.
    """
    relative = _relative(features)[:, 0]
    in_time = (relative[:, :, 1:] - relative[:, :, :-1]).abs().mean(2)
    in_frequency = functional.pad((relative[:, 1:] - relative[:, :-1]).abs().mean(2), (0, 1))
    measured = torch.stack([relative.mean(2), relative.std(2), in_time, in_frequency], 1)
    return functional.avg_pool1d(measured, _TEXTURE_BANDS, ceil_mode=True).flatten(1)


def _relative(features: Tensor) -> Tensor:
    """Return the levels ``[B, 1, F, T]`` of features, from the loudest point down to what is heard."""
    level = features[:, :1].float()
    return (level - level.amax((2, 3), keepdim=True)).clamp_min(-_AUDIBLE_DECADES)


def _fitted(described: Tensor, size: int) -> Tensor:
    """Return descriptions cut to a size, or continued by silence."""
    return functional.pad(described[:, :size], (0, max(0, size - described.shape[1])), value=-_AUDIBLE_DECADES)


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
