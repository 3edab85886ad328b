"""Variants of a sound: other pitch, other speed, noise, another level.

A pipeline is a pure function of the sound and of the random generator that it is given.  It is not run in the
training step: `FeatureDataset` computes each variant once and keeps its features, so that a step costs the same with
and without augmentation.  Everything works on a batch at once; the heavy parts are the FFTs of a phase vocoder, and
soxr.
"""

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import soxr
import torch
from torch import Tensor

_N_FFT = 2048
_HOP = 512


def _resampled(audio: Tensor, ratio: float) -> Tensor:
    """Return ``[B, N]`` played ``ratio`` times as fast, ``[B, about N / ratio]``."""
    rows = np.ascontiguousarray(audio.numpy().T)
    fast = soxr.resample(rows, ratio * 48_000, 48_000, quality="MQ")
    return torch.from_numpy(np.ascontiguousarray(fast.T, dtype=np.float32))


def _fit(audio: Tensor, samples: int) -> Tensor:
    """Cut or zero-pad ``[B, N]`` at its end."""
    return torch.nn.functional.pad(audio[:, :samples], (0, max(0, samples - audio.shape[-1])))


def change_speed(audio: Tensor, factor: float) -> Tensor:
    """Return ``[B, N]`` played ``factor`` times as fast, like tape: pitch and length change together.

    The length stays N: a faster sound ends in silence, a slower one is cut.
    """
    return _fit(_resampled(audio, factor), audio.shape[-1])


def _own_peaks(magnitude: Tensor) -> Tensor:
    """Return for each bin of ``[..., F]`` the nearest bin that is louder than the two on either side of it."""
    bins = magnitude.shape[-1]
    around = torch.nn.functional.pad(magnitude, (2, 2), value=-1.0).unfold(-1, 5, 1).amax(-1)
    peak, number = magnitude >= around, torch.arange(bins)
    below = torch.where(peak, number, -2 * bins).cummax(-1).values
    above = torch.where(peak, number, 3 * bins).flip(-1).cummin(-1).values.flip(-1)
    return torch.where(number - below <= above - number, below, above)


def _stretched(spectrum: Tensor, rate: float) -> Tensor:
    """Return the spectrum ``[B, F, T / rate]`` of the same sound, ``rate`` times as fast.

    Phases go on from frame to frame as in Flanagan and Golden 1966, at the peaks; the bins around a peak turn with it
    (Laroche and Dolson 1999, "Improved phase vocoder time-scale modification of audio", identity phase locking).
    Bins that go on each by itself, as in torchaudio, cancel each other: a sine that is shifted up loses 10 dB.
    """
    advance = torch.linspace(0, math.pi * _HOP, spectrum.shape[-2])[:, None]
    times = torch.arange(0, spectrum.shape[-1] - 1e-6, rate)
    first = times.long()
    padded = torch.nn.functional.pad(spectrum, (0, 1))
    levels, phase = padded.abs(), padded.angle()
    between = times - first
    magnitude = (1 - between) * levels[..., first] + between * levels[..., first + 1]
    angles = phase[..., first]
    turn = phase[..., first + 1] - angles - advance
    turn = turn - (2 * math.pi) * (turn / (2 * math.pi)).round() + advance
    peaks = _own_peaks(magnitude.transpose(-1, -2).contiguous()).unbind(-2)
    known, turns = (values.transpose(-1, -2).contiguous().unbind(-2) for values in (angles, turn))
    phases = [known[0]]
    for frame in range(1, len(times)):
        gone_on = phases[-1] + turns[frame - 1] - known[frame]
        phases.append(known[frame] + gone_on.gather(-1, peaks[frame]))
    return torch.polar(magnitude, torch.stack(phases, -2).transpose(-1, -2))


def pitch_shift(audio: Tensor, semitones: float) -> Tensor:
    """Return ``[B, N]`` at another pitch and the same speed.

    A phase vocoder stretches the time, resampling brings the length back.
    """
    ratio = 2.0 ** (semitones / 12)
    samples = audio.shape[-1]
    padded = _fit(audio, max(samples, _N_FFT))
    window = torch.hann_window(_N_FFT)
    spectrum = torch.stft(padded, _N_FFT, _HOP, window=window, return_complex=True)
    slow = _stretched(spectrum, 1 / ratio)
    reach = (slow.shape[-1] - 1) * _HOP + _N_FFT // 2
    stretched = torch.istft(slow, _N_FFT, _HOP, window=window, length=min(reach, round(padded.shape[-1] * ratio)))
    return _fit(_resampled(stretched, ratio), samples)


def _ends(audio: Tensor) -> Tensor:
    """Return where each row of ``[B, N]`` ends, ``[B, 1]``: behind its last sample that is not zero."""
    positions = torch.arange(1, audio.shape[-1] + 1)
    return torch.where(audio != 0, positions, 0).amax(-1, keepdim=True)


def _ended(audio: Tensor, ends: Tensor) -> Tensor:
    """Return ``[B, N]`` with zeros from each row's end ``[B, 1]`` on."""
    return torch.where(torch.arange(audio.shape[-1]) < ends, audio, 0.0)


def add_noise(audio: Tensor, snr_db: float, rng: np.random.Generator) -> Tensor:
    """Return ``[B, N]`` with white noise at a signal-to-noise ratio (dB, of the RMS of each row).

    A row counts up to its last sample that is not zero: the padding behind a short sound is no part of the recording,
    and stays silent.
    """
    noise = torch.from_numpy(rng.standard_normal(audio.shape, dtype=np.float32))
    ends = _ends(audio)
    level = (audio.square().sum(-1, keepdim=True) / ends.clamp_min(1)).sqrt() * 10 ** (-snr_db / 20)
    return audio + _ended(noise * level, ends)


def apply_gain(audio: Tensor, gain_db: float) -> Tensor:
    """Return ``[B, N]`` made louder or softer by ``gain_db`` decibels."""
    return audio * 10 ** (gain_db / 20)


def _is_span(value: Any) -> bool:
    """Whether a value is a pair of numbers in order."""
    try:
        low, high = value
    except (TypeError, ValueError):
        return False
    return isinstance(low, Real) and isinstance(high, Real) and bool(low <= high)


@dataclass(frozen=True)
class AugmentationPipeline:
    """Pitch shift, speed, noise and gain, each drawn at random for a call.

    Attributes
    ----------
    pitch_semitones
        Largest shift, up or down.
    speed_change
        Largest relative change: 0.06 means between 6 % slower and 6 % faster.
    snr_db
        Lowest and highest signal-to-noise ratio.
    gain_db
        Lowest and highest gain.
    probability
        How likely each of pitch, speed and noise is to be applied; gain always is.
    """

    pitch_semitones: float = 2.0
    speed_change: float = 0.06
    snr_db: tuple[float, float] = (35.0, 60.0)
    gain_db: tuple[float, float] = (-8.0, 2.0)
    probability: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability must be a number from 0 to 1, not {self.probability!r}.")
        if not 0 <= self.pitch_semitones <= 24:
            raise ValueError(f"pitch_semitones must be a number from 0 to 24, not {self.pitch_semitones!r}.")
        if not 0 <= self.speed_change <= 0.5:
            raise ValueError(f"speed_change must be a number from 0 to 0.5, not {self.speed_change!r}.")
        for name in ("snr_db", "gain_db"):
            span = getattr(self, name)
            if not _is_span(span):
                raise ValueError(f"{name} must be a lowest and a highest value, not {span!r}.")

    def __call__(self, waveform: Tensor, rng: np.random.Generator) -> Tensor:
        """Return a variant of ``[B, 1, N]``, of the same shape; all rows are changed in the same way.

        Parameters
        ----------
        waveform
            Mono sounds at 48 kHz, on the CPU.
        rng
            Where the choices and the noise are drawn from.
        """
        audio = waveform[:, 0].float()
        ends = _ends(audio)  # the filters below leave a trace of sound behind the end
        if rng.random() < self.probability:
            audio = _ended(pitch_shift(audio, rng.uniform(-self.pitch_semitones, self.pitch_semitones)), ends)
        if rng.random() < self.probability:
            factor = 1 + rng.uniform(-self.speed_change, self.speed_change)
            audio = _ended(change_speed(audio, factor), (ends / factor).ceil())
        if rng.random() < self.probability:
            audio = add_noise(audio, rng.uniform(*self.snr_db), rng)
        return apply_gain(audio, rng.uniform(*self.gain_db))[:, None]

    def fingerprint(self) -> str:
        """Return a text that differs for pipelines that make different variants."""
        return f"v2 {self!r}"
