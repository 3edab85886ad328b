"""A sound of any length through a model: overlapping windows in, one sound without seams out.

A model describes a chunk of a second or so.  Chunks that are turned into sound one by one and put together have
seams, and fading them into each other does not help: their phases are invented for each chunk anew, so that two of
them cancel each other out here and there.  So the windows are faded into each other as *features*, which have no such
phases, and sound is made of the whole; only sounds of more than `SEGMENT_S` are made in parts, faded at equal energy.
"""

import math
import threading
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from distill.audio.decoding.sound_file import DecodingCancelled
from distill.audio.spectrogram import check_waveform
from distill.models.inference import OpenModel

#: Seconds of sound whose phases are found together: memory and the wait for a cancel grow with it.
SEGMENT_S = 8.0
#: Seconds over which such segments are faded into each other, and what is left out before and after: the ends of a
#: segment are less exact than its middle.
_FADE_S, _MARGIN_S = 0.25, 0.05
_WINDOWS_AT_ONCE = 8

Progress = Callable[[float], None]


class GenerationCancelled(DecodingCancelled):
    """The making of a sound was given up because its ``cancel_event`` was set."""


@torch.no_grad()
def transform(
    model: OpenModel,
    waveform: Tensor,
    dry_wet: float = 1.0,
    progress: Progress | None = None,
    cancel_event: threading.Event | None = None,
) -> Tensor:
    """Return a sound that went through a model, blended with itself.

    The blend keeps the energy, not the sum: what comes out of a model has other phases than what went in, so that half
    and half would be 3 dB softer than either.

    Parameters
    ----------
    model
        The model.
    waveform
        ``[1, 1, N]`` at the model's rate, any level; level in is level out.
    dry_wet
        Share of the model's sound: 0 gives the sound itself, 1 the model's alone.
    progress
        Called with the share that is done, 0 to 1.
    cancel_event
        Ends the work when the windows or the segment in hand are done: a few seconds at most.

    Raises
    ------
    ValueError
        The shape is another, the sound is not finite, or ``dry_wet`` is out of range.
    MakingCancelled
        ``cancel_event`` was set.
    """
    check_waveform(waveform)
    if waveform.shape[0] != 1:
        raise ValueError(f"transform takes one sound [1, 1, N] at a time, not {list(waveform.shape)}.")
    if not 0.0 <= dry_wet <= 1.0:
        raise ValueError(f"dry_wet must be a number from 0 to 1, not {dry_wet!r}.")
    dry = waveform.detach().to("cpu", torch.float32)
    peak = dry.abs().max()
    if not bool(torch.isfinite(peak)):
        raise ValueError("The sound contains samples that are not numbers.")
    if dry_wet == 0.0 or not bool(peak):
        return dry.clone()
    work = _Work(progress, cancel_event)
    wet = _made(model, dry / peak, work) * peak
    if dry_wet == 1.0:
        return wet
    angle = dry_wet * math.pi / 2
    return math.cos(angle) * dry + math.sin(angle) * wet


class _Work:
    """Progress and cancelling: half of the work is the model's, half of it the making of sound."""

    def __init__(self, progress: Progress | None, cancel_event: threading.Event | None) -> None:
        self._progress, self._cancel = progress, cancel_event

    def done(self, share: float) -> None:
        if self._cancel is not None and self._cancel.is_set():
            raise GenerationCancelled
        if self._progress is not None:
            self._progress(share)


def _made(model: OpenModel, sound: Tensor, work: _Work) -> Tensor:
    """Return what a model makes of a sound ``[1, 1, N]`` of full scale."""
    features = _features(model, sound, work)
    return _join(list(_segments(model, features, sound.shape[-1], work)), model, sound.shape[-1])


def _features(model: OpenModel, sound: Tensor, work: _Work) -> Tensor:
    """Return the decoded features ``[1, C, F, T]`` of a sound, windows faded into each other."""
    geometry = model.family.spectrogram_config
    hop, chunk = geometry.hop_length, model.chunk_samples
    frames, total = geometry.frames(chunk), geometry.frames(sound.shape[-1])
    step = max(1, frames // 2)
    starts = list(range(0, max(1, total - frames + step), step))
    weight = _window(frames, frames - step)
    padded = torch.nn.functional.pad(sound, (0, starts[-1] * hop + chunk - sound.shape[-1]))
    chunks = torch.stack([padded[0, :, start * hop : start * hop + chunk] for start in starts])
    summed, weights = None, torch.zeros(starts[-1] + frames)
    for at in range(0, len(starts), _WINDOWS_AT_ONCE):
        work.done(0.5 * at / len(starts))
        batch = chunks[at : at + _WINDOWS_AT_ONCE].to(model.device)
        decoded = model.family.reconstruct(model.model, model.family.features(batch)).float().cpu()
        if summed is None:
            summed = decoded.new_zeros(1, *decoded.shape[1:-1], starts[-1] + frames)
        for number, features in enumerate(decoded, at):
            fade = weight.clone()
            if number == 0:
                fade[: frames // 2] = 1.0  # nothing lies before the first window, nor behind the last one
            if number == len(starts) - 1:
                fade[frames // 2 :] = 1.0
            summed[0, ..., starts[number] : starts[number] + frames] += fade * features
            weights[starts[number] : starts[number] + frames] += fade
    assert summed is not None
    return (summed / weights)[..., :total]


def _window(frames: int, overlap: int) -> Tensor:
    """Return weights ``[frames]`` that rise and fall as a squared sine over ``overlap`` frames, never to zero."""
    ramp = torch.sin((torch.arange(overlap) + 0.5) / overlap * (math.pi / 2)).square()
    weight = torch.ones(frames)
    weight[:overlap] = ramp
    weight[frames - overlap :] = torch.minimum(weight[frames - overlap :], ramp.flip(0))
    return weight


def _segments(model: OpenModel, features: Tensor, samples: int, work: _Work) -> Iterator[tuple[int, Tensor]]:
    """Yield segments of a sound: the first sample of each and its waveform ``[n]``; neighbours overlap."""
    geometry = model.family.spectrogram_config
    hop, rate = geometry.hop_length, geometry.sample_rate
    total = features.shape[-1]
    overlap = math.ceil((_FADE_S + 2 * _MARGIN_S) * rate / hop) + 1
    length = max(math.ceil(SEGMENT_S * rate / hop), 2 * overlap)
    starts = list(range(0, max(1, total - overlap), length - overlap))
    for number, start in enumerate(starts):
        work.done(0.5 + 0.5 * number / len(starts))
        last = number == len(starts) - 1
        end = total if last else min(total, start + length)
        count = samples - start * hop if last else (end - start - 1) * hop
        yield start * hop, model.family.to_waveform(features[..., start:end], count)[0, 0]
    work.done(1.0)


def _join(segments: list[tuple[int, Tensor]], model: OpenModel, samples: int) -> Tensor:
    """Return the sound ``[1, 1, N]`` of overlapping segments."""
    rate = model.family.spectrogram_config.sample_rate
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
