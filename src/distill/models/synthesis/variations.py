"""Variations of a sound, and morphs between two."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from distill.audio.stft_and_mel import check_tensor
from distill.models.priors.flow_prior import STEPS
from distill.models.priors.window_prior import WindowPrior
from distill.models.synthesis.synthesizer import Synthesizer, audible_difference, check_number, check_whole
from distill.models.synthesis.window_blend import blend, half_step

#: Shares of noise at which the distance from the source is measured, windows that are measured, and steps of the flow.
_LEVELS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.0)
_MEASURED_WINDOWS, _MEASURING_STEPS = 6, 10
#: Points of a morph at which distances are measured, and rounds in which its steps are evened out.
_MORPH_POINTS, _MORPH_ROUNDS = 25, 6
#: Most sounds of one call.
MOST_VARIATIONS = 1000


@dataclass(frozen=True)
class Source:
    """A sound that goes in: at full scale ``[1, N]``, its peak, and its windows."""

    sound: Tensor
    peak: float
    windows: Tensor
    points: Tensor

    @property
    def samples(self) -> int:
        """N, its length."""
        return self.sound.shape[-1]


def checked_sound(waveform: Tensor) -> tuple[Tensor, float]:
    """Return a sound ``[1, N]`` at full scale and its peak.

    Raises
    ------
    ValueError
        It is not one mono sound, has samples that are not numbers, or is silent.
    """
    check_tensor(waveform)
    sound = waveform.detach().to("cpu", torch.float32)
    if sound.ndim not in (1, 2, 3) or sound.numel() != sound.shape[-1] or not sound.numel():
        raise ValueError(f"waveform must be one mono sound [1, N], not {list(waveform.shape)}.")
    peak = float(sound.abs().max())
    if not math.isfinite(peak):
        raise ValueError("The sound contains samples that are not numbers.")
    if peak == 0.0:
        raise ValueError("The sound is silent, so there is nothing to start from. Choose another sound.")
    return sound.reshape(1, -1) / peak, peak


def source_of(synth: Synthesizer, waveform: Tensor) -> Source:
    """Return a sound as a model describes it; errors are those of `checked_sound`."""
    sound, peak = checked_sound(waveform)
    windows = synth.windows_of(sound)
    return Source(sound, peak, windows.float().cpu(), synth.points_of(windows))


def _finished(
    synth: Synthesizer, windows: Tensor, samples: int, peak: float, detail: float | None = None, owner: int = -1
) -> Tensor:
    """Return the sound ``[1, N]`` of decoded windows ``[K, C, F, frames]``, with a given peak; see `detailed`."""
    features = synth.detailed(blend(windows, synth.frames_of(samples)), detail, owner)
    sound = synth.to_sound(features, samples)
    return sound * (peak / sound.abs().max().clamp_min(1e-9))


# --- variations ----------------------------------------------------------------------------------------------------


@torch.no_grad()
def vary_each(
    synth: Synthesizer, waveform: Tensor, count: int, strength: float, seed: int, detail: float | None = None
) -> Iterator[Tensor]:
    """Yield ``count`` variations ``[1, N]`` of a sound, as long and as loud as it is, each when it is done.

    Noise is mixed into what the prior describes the sound by, and flows out again.  How much is chosen by
    measurement, so that the distance from the model's own copy grows evenly with the strength.

    Parameters
    ----------
    waveform
        The sound, mono.
    count, seed
        How many, and the start of the draw.
    strength
        0 for the model's own copy, 1 for sounds that have nothing to do with it.
    detail
        Share of the detail that is put back; None for the model's default.

    Raises
    ------
    ValueError
        A number is out of range, or the sound cannot be used.
    ModelFileError
        The model has no prior.
    """
    check_whole("count", count)
    if not 1 <= count <= MOST_VARIATIONS:
        raise ValueError(f"count must be a number from 1 to {MOST_VARIATIONS}, not {count!r}.")
    check_number("strength", strength, 0.0, 1.0)
    prior = synth.need_prior("vary a sound")
    source = source_of(synth, waveform)
    seeds = torch.randint(2**31, (count,), generator=torch.Generator().manual_seed(seed)).tolist()
    noise = torch.stack([torch.randn(prior.dim, generator=torch.Generator().manual_seed(own)) for own in seeds])
    levels = _noise_levels(synth, prior, source, strength, noise)
    owner = synth.training_sound_of(synth.decoded(source.points))
    for own, level in zip(noise, levels, strict=True):
        points = source.points if strength == 0 else _renewed(prior, synth, source, level[None], own[None])[0]
        yield _finished(synth, synth.decoded(points), source.samples, source.peak, detail, owner)


def _renewed(
    prior: WindowPrior, synth: Synthesizer, source: Source, levels: Tensor, noise: Tensor, steps: int = STEPS
) -> Tensor:
    """Return the points ``[M, K, P]`` of versions of a sound with shares of noise that flowed out again.

    Parameters
    ----------
    levels
        Share of the noise of each version, ``[M]``.
    noise
        ``[M, dim]``; all windows of a version have the same.
    steps
        Steps of the flow.
    """
    count = len(levels)
    levels, noise = levels.to(source.points), noise.to(source.points)
    total = torch.full_like(levels, source.samples / synth.chunk)
    previous: Tensor | None = None
    windows = []
    for number, point in enumerate(source.points):
        components = prior.project(point[None]).expand(count, -1)
        previous = prior.renew(components, levels, noise, previous, total, number / 2, steps)
        missed = (1 - levels[:, None]) * prior.missing(point[None])
        windows.append(prior.restore(previous, missed))
    return torch.stack(windows, 1)


def _noise_levels(synth: Synthesizer, prior: WindowPrior, source: Source, strength: float, noise: Tensor) -> Tensor:
    """Return the share of the noise for each row of ``noise``, so that the distance from the source grows evenly.

    It is measured for each at some shares, on the first windows and with few steps of the flow.
    """
    if strength in (0.0, 1.0):
        return torch.full((len(noise),), strength)
    measured = replace(source, points=source.points[:_MEASURED_WINDOWS])
    windows = source.windows[:_MEASURED_WINDOWS]
    distances_by_level = []
    for level in _LEVELS:
        points = _renewed(prior, synth, measured, torch.full((len(noise),), level), noise, _MEASURING_STEPS)
        decoded = synth.decoded(points.flatten(0, 1))
        decoded = decoded.view(*points.shape[:2], *decoded.shape[1:])
        distances_by_level.append(audible_difference(windows.expand_as(decoded), decoded).mean(1))
    distances = torch.stack(distances_by_level).cummax(0).values
    levels = []
    for line in distances.T.tolist():
        levels.append(_inverse(line, list(_LEVELS), line[0] + strength * (line[-1] - line[0])))
    return torch.tensor(levels)


def _inverse(values: list[float], positions: list[float], wanted: float) -> float:
    """Return where a rising line through ``values`` at ``positions`` reaches a value."""
    for number in range(1, len(values)):
        if values[number] >= wanted:
            step = values[number] - values[number - 1]
            share = 0.0 if step <= 0 else (wanted - values[number - 1]) / step
            return positions[number - 1] + share * (positions[number] - positions[number - 1])
    return positions[-1]


# --- morphs --------------------------------------------------------------------------------------------------------


@torch.no_grad()
def morph_steps(
    synth: Synthesizer, first: Tensor, second: Tensor, steps: int, detail: float | None = None
) -> Iterator[tuple[float, Tensor]]:
    """Yield ``steps`` sounds ``[1, N_i]`` on the way from the model's copy of one sound to that of another.

    Each comes when it is done, with its share of the way, from 0 to 1.

    The way is a straight line between their points; the steps are placed so that neighbours differ equally much.
    Length and level change evenly.

    Raises
    ------
    ValueError
        ``steps`` is out of range, or a sound cannot be used.
    """
    check_whole("steps", steps)
    if not 2 <= steps <= MOST_VARIATIONS:
        raise ValueError(f"steps must be a number from 2 to {MOST_VARIATIONS}, not {steps!r}.")
    ends = [source_of(synth, waveform) for waveform in (first, second)]
    longest = max(len(end.points) for end in ends)
    silence = torch.zeros(1, longest * synth.chunk)
    one, other = (_lengthened(synth, end, longest, silence) for end in ends)
    quiet = synth.family.features(silence[None, :, : synth.chunk].to(synth.device))[0, ..., :1].float().cpu()
    samples = [end.samples for end in ends]
    total = synth.frames_of(max(samples))

    def length_at(share: float) -> int:
        return round(samples[0] + share * (samples[1] - samples[0]))

    def features_at(share: float) -> Tensor:
        windows = synth.decoded(torch.lerp(one, other, share))
        features = synth.detailed(blend(windows, total), detail)
        features[..., synth.frames_of(length_at(share)) :] = quiet
        return features

    for share in _even_steps(features_at, steps):
        sound = synth.to_sound(features_at(share), length_at(share))
        peak = ends[0].peak ** (1 - share) * ends[1].peak ** share
        sound = sound * (peak / sound.abs().max().clamp_min(1e-9))
        yield share, sound if share in (0.0, 1.0) else synth.faded(sound)


def _lengthened(synth: Synthesizer, source: Source, count: int, silence: Tensor) -> Tensor:
    """Return the points ``[count, P]`` of a sound that is followed by silence."""
    if len(source.points) == count:
        return source.points
    length = (count - 1) * half_step(synth.frames) * synth.hop + synth.chunk
    longer = torch.cat([source.sound, silence], 1)[:, :length]
    return synth.points_of(synth.windows_of(longer))[:count]


def _even_steps(features_at: Callable[[float], Tensor], steps: int) -> list[float]:
    """Return ``steps`` shares of the way, from 0 to 1, whose features differ equally from one to the next.

    Two features at a time are in memory: those of a thousand steps of a long sound would not fit.
    """
    shares = torch.linspace(0, 1, max(_MORPH_POINTS, steps)).tolist()
    best: list[float] = []
    least = math.inf
    for number in range(_MORPH_ROUNDS):
        gaps = [float(audible_difference(a, b)) for a, b in pairwise(map(features_at, shares))]
        if number > 0 and max(gaps) < least:
            best, least = shares, max(gaps)
        # The sum of small steps is not the length of a large one: from the second round on, the large ones count.
        walked = [0.0, *accumulate(gaps)]
        inner = [_inverse(walked, shares, walked[-1] * at / (steps - 1)) for at in range(1, steps - 1)]
        shares = [0.0, *inner, 1.0]
    return best
