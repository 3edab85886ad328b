"""A sound of two channels as what a mono model is given, and what its copies are made stereo by."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from distill.audio.stereo.moment_alignment import followed, heard_levels
from distill.audio.stereo.mono_to_stereo import divide, join, second_signal
from distill.audio.stereo.stereo_image import (
    COLUMN,
    FloatArray,
    StereoImage,
    base_of,
    columns_of,
    image_of,
    levels_of,
)

#: Samples over which a second signal that is kept and a new one are mixed, and over which a step is taken out.
_FADE, _STEP = 480, 96
#: Columns at the end of a sound that what follows may be like: half a minute.
_MOST_FOLLOWED = 700


@dataclass(frozen=True)
class StereoSource:
    """A sound of two channels.

    Attributes
    ----------
    base
        What a mono model is given, ``[N]``: the mix, or the louder channel where the mix has lost the sound.
    second
        The second signal, ``[N]``; see `distill.audio.stereo.stereo_image`.
    image
        Its image.
    """

    base: FloatArray
    second: FloatArray
    image: StereoImage

    @classmethod
    def of(cls, channels: FloatArray) -> Self:
        """Return the source of left and right ``[2, N]``."""
        kind = base_of(channels)
        base, second = divide(channels, kind)
        return cls(base, second, image_of(channels, kind).held())

    def copy(self, mono: FloatArray) -> FloatArray:
        """Return the channels ``[2, M]`` of a version ``[M]`` of the sound, with the sound's own image."""
        return self._joined(mono, second_signal(mono, self.image))

    def extended(self, mono: FloatArray) -> FloatArray:
        """Return the channels ``[2, M]`` of a sound ``[M]`` that begins as this one, and goes on.

        What is new has the image of the moments of this sound that are most like it.
        """
        samples = len(self.base)
        levels, own = levels_of(mono), len(self.image)
        columns = columns_of(len(mono))
        if columns > own:
            top, first = float(self.image.level.max()), max(0, own - _MOST_FOLLOWED)
            end = self.image.part(first * COLUMN, (own - 1 - first) * COLUMN)
            path = followed(heard_levels(levels[own:], top), heard_levels(end.level, top), end, begins_at=len(end) - 1)
            at = np.concatenate([np.arange(own), first + path])
        else:
            at = np.arange(columns)
        image = StereoImage(self.image.balance[at], self.image.likeness[at], levels, self.image.base)
        generated = second_signal(mono, image)[samples:]
        if samples > 1 and len(generated) >= _STEP:
            ramp = np.linspace(1, 0, _STEP, dtype=np.float32)
            generated[:_STEP] += ramp * (2 * self.second[-1] - self.second[-2] - generated[0])
        return self._joined(mono, np.concatenate([self.second, generated]))

    def repainted(self, mono: FloatArray, start: int, stop: int) -> FloatArray:
        """Return the channels ``[2, N]`` of a sound ``[N]`` whose samples from ``start`` to ``stop`` are new."""
        generated = second_signal(mono, self.image)
        kept = np.ones(len(mono), np.float32)
        kept[start:stop] = 0.0
        fade = min(_FADE, (stop - start) // 2)
        ramp = np.cos((np.arange(fade) + 0.5) / max(fade, 1) * (np.pi / 2)).astype(np.float32) ** 2
        if start > 0:
            kept[start : start + fade] = ramp
        if stop < len(mono):
            kept[stop - fade : stop] = np.maximum(kept[stop - fade : stop], ramp[::-1])
        return self._joined(mono, kept * self.second[: len(mono)] + (1 - kept) * generated)

    def _joined(self, mono: FloatArray, second: FloatArray) -> FloatArray:
        return np.stack(join(mono, second, self.image.base))


def mono_source(mono: FloatArray) -> StereoSource:
    """Return a mono sound ``[N]`` as one of two equal channels."""
    image = replace(StereoImage.mono(1 + -(-len(mono) // COLUMN)), level=levels_of(mono))
    return StereoSource(mono, np.zeros_like(mono), image)
