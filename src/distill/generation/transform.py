"""A sound of any length through a model: overlapping windows in, one sound without seams out.

The windows are faded into each other as features; see `distill.models.synthesis.windows`.
"""

import math
import threading
from collections.abc import Callable

import torch
from torch import Tensor

from distill.audio.decoding.sound_file import DecodingCancelled
from distill.audio.transforms import (
    check_waveform,
)
from distill.models.inference import OpenModel
from distill.models.synthesis.segments import sound_of_features
from distill.models.synthesis.windows import WindowBlend, cut_windows

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
    return sound_of_features(model.family, features, sound.shape[-1], lambda share: work.done(0.5 + 0.5 * share))


def _features(model: OpenModel, sound: Tensor, work: _Work) -> Tensor:
    """Return the decoded features ``[1, C, F, T]`` of a sound, windows faded into each other."""
    geometry = model.family.spectrogram_config
    frames = geometry.frames(model.chunk_samples)
    windows = cut_windows(sound[0], geometry.hop_length, model.chunk_samples, frames)
    blended = WindowBlend(len(windows), frames)
    for at in range(0, len(windows), _WINDOWS_AT_ONCE):
        work.done(0.5 * at / len(windows))
        batch = windows[at : at + _WINDOWS_AT_ONCE].to(model.device)
        decoded = model.family.reconstruct(model.model, model.family.features(batch)).float().cpu()
        for number, features in enumerate(decoded, at):
            blended.add(number, features)
    return blended.features(geometry.frames(sound.shape[-1]))[None]
