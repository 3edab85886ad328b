"""How near a sound is to the sounds that a model was trained on.

A sound is described by the levels of 16 x 16 patches of its log-mel features, relative to its loudest point.  On 128
new sounds of one corpus the distance to the nearest training chunk ranks them as the embedding of a network for
finding sound effects does, with a rank correlation of 0.75.  The index holds numbers only: no names of files.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from distill.models.latent_space.descriptors import AUDIBLE_DECADES, describe_patches

#: Quantiles of the usual distance that are stored.
_QUANTILES = 101


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
        described = describe_patches(features)
        index = cls(*described.shape)
        index.described.copy_(described)
        index.owner.copy_(owner)
        distance = torch.cdist(described, described)
        distance.masked_fill_(owner[:, None] == owner, torch.inf)
        nearest_distance = distance.amin(1)
        # Each file counts the same, however many chunks it has.
        weight = 1.0 / torch.bincount(owner.long())[owner.long()].double()
        order = nearest_distance.argsort()
        weight_reached = weight[order].cumsum(0) / weight.sum()
        ranks = torch.linspace(0, 1, _QUANTILES, dtype=torch.double)
        ranks = ranks.clamp_max(float(weight_reached[-1]))
        quantiles = torch.searchsorted(weight_reached, ranks).clamp_max(len(order) - 1)
        usual = nearest_distance[order[quantiles]]
        index.usual.copy_(torch.where(torch.isfinite(usual), usual, 0.0))
        index.alone.copy_(torch.where(torch.isfinite(nearest_distance), nearest_distance, 0.0))
        return index

    @torch.no_grad()
    def nearest(self, features: Tensor) -> Nearest:
        """Return the training chunk nearest to features ``[B, C, F, T]``; those of another length never match well."""
        stored = self.described.float()
        described = _fitted(describe_patches(features.to(stored.device)), stored.shape[1])
        nearest_distance, nearest_chunk = torch.cdist(described, stored).min(1)
        newness = torch.searchsorted(self.usual, nearest_distance.contiguous()).float() / _QUANTILES
        alone = self.alone[nearest_chunk].clamp_min(float(self.usual[_QUANTILES // 2]))
        relative = torch.where(alone > 0, nearest_distance / alone.clamp_min(1e-9), torch.inf)
        return Nearest(self.owner[nearest_chunk].long(), nearest_distance, newness, relative)


def _fitted(described: Tensor, size: int) -> Tensor:
    """Return descriptions cut to a size, or continued by silence."""
    return functional.pad(described[:, :size], (0, max(0, size - described.shape[1])), value=-AUDIBLE_DECADES)
