"""Features of a long sound to its waveform: in parts of some seconds, faded into each other at equal energy."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from distill.models.families.family import ModelFamily

#: Seconds of sound whose phases are found together: memory and the wait for a cancel grow with it.
SEGMENT_S = 8.0
#: Seconds over which such segments are faded into each other, and what is skipped before and after: the ends of a
#: segment are less exact than its middle.
_FADE_S, _MARGIN_S = 0.25, 0.05


def sound_of_features(
    family: ModelFamily, features: Tensor, samples: int, on_share: Callable[[float], None] | None = None
) -> Tensor:
    """Return the waveform ``[1, 1, samples]`` of features ``[1, C, F, T]`` of any length.

    ``on_share`` is called before each segment with the share that is done, and with 1 at the end; it may raise.
    """
    report = on_share or (lambda share: None)
    return _join(list(_segments(family, features, samples, report)), family.spectrogram_config.sample_rate, samples)


def _segments(
    family: ModelFamily, features: Tensor, samples: int, report: Callable[[float], None]
) -> Iterator[tuple[int, Tensor]]:
    """Yield segments of a sound: the first sample of each and its waveform ``[n]``; neighbours overlap."""
    geometry = family.spectrogram_config
    hop, rate = geometry.hop_length, geometry.sample_rate
    total = features.shape[-1]
    overlap = math.ceil((_FADE_S + 2 * _MARGIN_S) * rate / hop) + 1
    length = max(math.ceil(SEGMENT_S * rate / hop), 2 * overlap)
    starts = list(range(0, max(1, total - overlap), length - overlap))
    for number, start in enumerate(starts):
        report(number / len(starts))
        last = number == len(starts) - 1
        end = total if last else min(total, start + length)
        count = samples - start * hop if last else (end - start - 1) * hop
        yield start * hop, family.to_waveform(features[..., start:end], count)[0, 0]
    report(1.0)


def _join(segments: list[tuple[int, Tensor]], rate: int, samples: int) -> Tensor:
    """Return the sound ``[1, 1, N]`` of overlapping segments."""
    margin, fade = round(_MARGIN_S * rate), round(_FADE_S * rate)
    sound = torch.zeros(samples)
    for start, wave in segments:
        if start == 0:
            sound[: len(wave)] = wave
            continue
        begin = start + margin
        before, after = sound[begin : begin + fade].clone(), wave[margin : margin + fade]
        mixed, sign = crossfade(before, after)
        sound[begin : begin + fade] = mixed
        rest = wave[margin + fade :]
        sound[begin + fade : begin + fade + len(rest)] = sign * rest
    return sound[None, None]


def crossfade(before: Tensor, after: Tensor) -> tuple[Tensor, float]:
    """Return a fade ``[n]`` from one signal to another at steady energy, and the sign that the second one has in it.

    Signals that are alike are faded by their sum, signals that have nothing in common by their energy, and anything
    between by how much they have in common.  The second one is turned over where that makes them more alike.
    """
    energies = before.square().mean(), after.square().mean()
    alike = float((before * after).mean() / (energies[0] * energies[1]).sqrt().clamp_min(1e-12))
    sign = -1.0 if alike < 0 else 1.0
    ramp = torch.sin((torch.arange(len(before)) + 0.5) / len(before) * (math.pi / 2)).square()
    gain = ((1 - ramp).square() + ramp.square() + 2 * abs(alike) * ramp * (1 - ramp)).rsqrt()
    return gain * ((1 - ramp) * before + sign * ramp * after), sign
