"""Stereo by example: a new sound gets the stereo image of the training sound that it resembles most.

The networks work on mono sounds.  Beside them a model file holds the images of the training sounds, column by column,
with their levels.  For a new sound the training sound is looked up whose beginning has the most similar levels, and
then the moments of that one sound that fit (`distill.audio.stereo.moment_alignment`): it does not jump from one image
to another.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from distill.audio.stereo.moment_alignment import FLOOR_DB, followed, heard_levels
from distill.audio.stereo.mono_to_stereo import render
from distill.audio.stereo.stereo_image import BANDS, COLUMN, MOST_BALANCE, FloatArray, StereoImage, levels_of

#: Largest store (bytes), and what one of its columns takes.
MOST_BYTES = 1_500_000
COLUMN_BYTES = 3 * BANDS + 4
#: Columns of the beginning of a sound that the most similar one is found by: two seconds.
_COMPARED = 47
#: Most columns of a store that is read from a file; those that are written have half as many.
_MOST_COLUMNS = 50_000
_LEVELS = 127
_LEVEL_STEP_DB = 0.5


class ImageStore(nn.Module):
    """Images of the training sounds; everything is a buffer, `state_dict` is what a model file holds.

    Parameters
    ----------
    columns
        How many columns are stored, of all sounds together.
    """

    columns: Tensor
    owner: Tensor

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.register_buffer("columns", torch.zeros(columns, 3, BANDS, dtype=torch.int8))
        self.register_buffer("owner", torch.zeros(columns, dtype=torch.int32))

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> "ImageStore":
        """Return the store with a state dict's sizes and contents.

        Raises
        ------
        AttributeError, KeyError, RuntimeError, TypeError, ValueError
            The state is not one of a store.
        """
        count = len(state["owner"])
        if not 1 <= count <= _MOST_COLUMNS:
            raise ValueError(f"a store of {count} columns")
        store = cls(count)
        store.load_state_dict(dict(state))
        if int(store.owner[0]) < 0 or bool((store.owner[1:] < store.owner[:-1]).any()):
            raise ValueError("columns that are not in order")
        return store

    @classmethod
    def build(cls, images: Sequence[StereoImage]) -> "ImageStore":
        """Return a store of the images of training sounds; of the longest ones it has the beginning."""
        most = _longest([len(image) for image in images])
        kept = [image.part(0, (min(len(image), most) - 1) * COLUMN) for image in images]
        store = cls(sum(len(image) for image in kept))
        stored = [np.stack(_to_levels(image), 1) for image in kept]
        store.columns.copy_(torch.from_numpy(np.concatenate(stored)))
        store.owner.copy_(torch.from_numpy(np.repeat(np.arange(len(kept)), [len(image) for image in kept])))
        return store

    def render(self, mono: FloatArray) -> FloatArray:
        """Return a new sound ``[N]`` with the image of the training sound that it resembles most, ``[2, N]``."""
        return render(mono, self.image_for(mono))

    def image_for(self, mono: FloatArray) -> StereoImage:
        """Return the image that a new sound ``[N]`` gets."""
        levels = heard_levels(levels_of(mono))
        level_difference = np.square(self._stored_beginnings - _beginning(levels)).mean(1)
        image, stored_levels = self._stored_images[int(level_difference.argmin())]
        columns = followed(levels, stored_levels, image)
        return StereoImage(image.balance[columns], image.likeness[columns], levels)

    @cached_property
    def _stored_images(self) -> list[tuple[StereoImage, FloatArray]]:
        """Images of the stored sounds, and the levels that they are compared by."""
        owner = self.owner.cpu().numpy()
        first = np.flatnonzero(np.diff(owner, prepend=owner[0] - 1))
        values = self.columns.cpu().numpy().astype(np.float32)
        images = []
        for part in np.split(values, first[1:]):
            level = part[:, 2] * np.float32(_LEVEL_STEP_DB)
            image = StereoImage(
                part[:, 0] * np.float32(MOST_BALANCE / _LEVELS), part[:, 1] / np.float32(_LEVELS), level
            )
            images.append((image, heard_levels(level)))
        return images

    @cached_property
    def _stored_beginnings(self) -> FloatArray:
        """Beginnings of the stored sounds, ``[sounds, numbers]``."""
        return np.stack([_beginning(levels) for _, levels in self._stored_images])


def _to_levels(image: StereoImage) -> tuple[Any, Any, Any]:
    """Return an image in 8-bit numbers, ``[columns, BANDS]`` each."""
    level = image.level - image.level.max()
    scaled = (image.balance * (_LEVELS / MOST_BALANCE), image.likeness * _LEVELS, level / _LEVEL_STEP_DB)
    return tuple(v.round().clip(-_LEVELS, _LEVELS).astype(np.int8) for v in scaled)  # type: ignore[return-value]


def _beginning(levels: FloatArray) -> FloatArray:
    """Return the beginning of a sound ``[numbers]``, continued by silence."""
    part = levels[:_COMPARED]
    padded: FloatArray = np.pad(part, ((0, _COMPARED - len(part)), (0, 0)), constant_values=FLOOR_DB)
    return padded.ravel()


def _longest(counts: Sequence[int]) -> int:
    """Return how many columns of a sound are stored at most, so that all of them fit."""
    budget, most = MOST_BYTES // COLUMN_BYTES, max(counts)
    while most > 1 and sum(min(count, most) for count in counts) > budget:
        most = max(1, most * 9 // 10)
    return most
