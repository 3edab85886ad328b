"""What a model makes of sounds of one or two channels: versions of a stereo sound keep its own image."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

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
from distill.models.synthesis import continuation, variations
from distill.models.synthesis.limiter import limited
from distill.models.synthesis.synthesizer import Synthesizer

#: Samples over which a second signal that is kept and a new one are mixed, and over which a step is taken out.
_FADE, _STEP = 480, 96
#: Columns at the end of a sound that what follows may be like: half a minute.
_MOST_FOLLOWED = 700


def vary(synth: Synthesizer, waveform: Tensor, count: int, strength: float, seed: int) -> Iterator[Tensor]:
    """Yield variations of a sound ``[1, N]`` or ``[2, N]``, with as many channels; see `variations.vary_each`.

    They have the peak of the sound: that of the louder channel.
    """
    source = source_of(waveform)
    if source is None:
        yield from variations.vary_each(synth, waveform, count, strength, seed)
        return
    peak = _peak(waveform)
    for sound in variations.vary_each(synth, _base(source), count, strength, seed):
        yield _at_peak(_tensor(source.copy(_array(sound))), peak)


def morph(synth: Synthesizer, first: Tensor, second: Tensor, steps: int) -> Iterator[Tensor]:
    """Yield the steps from one sound to another; of two channels each where one of them has two.

    The image goes the same way as the sound, and the peak of the channels too; see `variations.morph_steps`.
    """
    stereo_sources = [source_of(waveform) for waveform in (first, second)]
    if stereo_sources == [None, None]:
        for _, sound in variations.morph_steps(synth, first, second, steps):
            yield sound
        return
    ends = [
        _mono_source(waveform) if source is None else source
        for source, waveform in zip(stereo_sources, (first, second), strict=True)
    ]
    peaks = _peak(first), _peak(second)
    for share, sound in variations.morph_steps(synth, _base(ends[0]), _base(ends[1]), steps):
        stereo_image = ends[0].image.towards(ends[1].image, share)
        mono = _array(sound)
        channels = _tensor(np.stack(join(mono, second_signal(mono, stereo_image), stereo_image.base)))
        yield _at_peak(channels, peaks[0] ** (1 - share) * peaks[1] ** share)


def extend(synth: Synthesizer, waveform: Tensor, seconds: float, seed: int) -> Tensor:
    """Return a sound ``[1, N]`` or ``[2, N]`` that goes on; see `continuation.extend`."""
    source = source_of(waveform)
    if source is None:
        return continuation.extend(synth, waveform, seconds, seed)
    generated = _tensor(source.extended(_array(continuation.extend(synth, _base(source), seconds, seed))))
    return limited(generated, (waveform.shape[-1], generated.shape[-1]), _peak(waveform), synth.rate)


def repaint(synth: Synthesizer, waveform: Tensor, start_seconds: float, end_seconds: float, seed: int) -> Tensor:
    """Return a sound ``[1, N]`` or ``[2, N]`` of which a part is new; see `continuation.repaint`."""
    source = source_of(waveform)
    if source is None:
        return continuation.repaint(synth, waveform, start_seconds, end_seconds, seed)
    generated = continuation.repaint(synth, _base(source), start_seconds, end_seconds, seed)
    part = continuation.part_of(generated.shape[-1], start_seconds, end_seconds, synth.rate)
    return limited(_tensor(source.repainted(_array(generated), *part)), part, _peak(waveform), synth.rate)


@dataclass(frozen=True)
class StereoSource:
    """A sound of two channels as what a mono model is given, and what its versions are made stereo by.

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
            source = np.concatenate([np.arange(own), first + path])
        else:
            source = np.arange(columns)
        image = StereoImage(self.image.balance[source], self.image.likeness[source], levels, self.image.base)
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


def source_of(waveform: Tensor) -> StereoSource | None:
    """Return a sound of two channels ``[2, N]`` as a source; None for all that is not one.

    Raises
    ------
    ValueError
        It has samples that are not numbers.
    """
    if waveform.ndim != 2 or len(waveform) != 2 or not waveform.shape[-1]:
        return None
    channels = waveform.detach().to("cpu", torch.float32)
    if not bool(torch.isfinite(channels).all()):
        raise ValueError("The sound contains samples that are not numbers.")
    return StereoSource.of(channels.numpy())


def _mono_source(waveform: Tensor) -> StereoSource:
    """Return a mono sound ``[1, N]`` as a source; errors are those of `variations.checked_sound`."""
    variations.checked_sound(waveform)
    mono = _array(waveform.detach().cpu())
    image = replace(StereoImage.mono(1 + -(-len(mono) // COLUMN)), level=levels_of(mono))
    return StereoSource(mono, np.zeros_like(mono), image)


def _peak(waveform: Tensor) -> float:
    return float(waveform.abs().max())


def _at_peak(channels: Tensor, peak: float) -> Tensor:
    """Return channels with a given peak, at one gain for both: what is not in common may add up to more."""
    return channels * (peak / channels.abs().max().clamp_min(1e-9))


def _base(source: StereoSource) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(source.base))[None]


def _array(sound: Tensor) -> Any:
    """Return a mono sound as ``[N]``."""
    return sound.reshape(-1).to(torch.float32).numpy()


def _tensor(channels: Any) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(channels, np.float32))
