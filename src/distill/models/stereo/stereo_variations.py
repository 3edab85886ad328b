"""What a model makes of sounds of one or two channels: versions of a stereo sound keep its own image."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from distill.audio.stereo.mono_to_stereo import join, second_signal
from distill.audio.stereo.stereo_source import StereoSource, mono_source
from distill.models.synthesis import continuation, variations
from distill.models.synthesis.limiter import limited
from distill.models.synthesis.synthesizer import Synthesizer


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
    given = [source_of(waveform) for waveform in (first, second)]
    if given == [None, None]:
        for _, sound in variations.morph_steps(synth, first, second, steps):
            yield sound
        return
    ends = [
        _mono_source(waveform) if source is None else source
        for source, waveform in zip(given, (first, second), strict=True)
    ]
    peaks = _peak(first), _peak(second)
    for share, sound in variations.morph_steps(synth, _base(ends[0]), _base(ends[1]), steps):
        image = ends[0].image.towards(ends[1].image, share)
        mono = _array(sound)
        channels = _tensor(np.stack(join(mono, second_signal(mono, image), image.base)))
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
    return mono_source(_array(waveform.detach().cpu()))


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
