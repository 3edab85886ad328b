"""Phases for magnitudes: a fast Griffin-Lim (Perraudin, Balazs and Søndergaard 2013)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from distill.audio.stft_and_mel import Frames, Transform
from distill.config.spectrogram import SpectrogramConfig

_MOMENTUM = 0.99
#: Added to the power of what is divided by its magnitude: silence stays silence.
_LEAST_POWER = 1e-24


@dataclass(frozen=True)
class KnownSamples:
    """Samples that are known before a sound is made of features: the phases of the rest are fitted to them.

    Attributes
    ----------
    waveform
        ``[N]``.
    share
        ``[N]``, 1 where the sample stays as it is, 0 where it is open; in between the two are mixed.
    """

    waveform: Tensor
    share: Tensor

    def put_into(self, waveform: Tensor) -> Tensor:
        """Return waveforms ``[B, N]`` with the known samples at their positions."""
        return torch.lerp(waveform, self.waveform, self.share)


def recover_phases(
    frames: Frames, magnitude: Tensor, angles: Tensor, iterations: int, known: KnownSamples | None = None
) -> Tensor:
    """Return signals ``[B, N]`` whose spectra have about the given magnitudes.

    Parameters
    ----------
    frames
        Transform of signals of the wanted length.
    magnitude
        ``[B, T, F]``.
    angles
        Complex numbers of modulus 1 to begin with, that broadcast to the magnitudes.
    iterations
        Number of round trips that bring the phases of neighbouring windows together.
    known
        Samples that each round trip, and the result, has as they are.
    """

    def signals() -> Tensor:
        waveform = frames.signals(spectrum)
        return waveform if known is None else known.put_into(waveform)

    spectrum = magnitude * angles
    previous: Tensor | None = None
    for _ in range(iterations):
        rebuilt = frames.spectrum(signals())
        accelerated = rebuilt if previous is None else rebuilt.sub(previous, alpha=_MOMENTUM / (1 + _MOMENTUM))
        spectrum = accelerated * _gain(accelerated, magnitude)
        previous = rebuilt
    return signals()


def _gain(spectrum: Tensor, magnitude: Tensor) -> Tensor:
    """Return what brings a complex spectrum to a magnitude: half the time of `torch.sgn`, which has no fast path."""
    real, imaginary = torch.view_as_real(spectrum).unbind(-1)
    return torch.addcmul(real.square(), imaginary, imaginary).add_(_LEAST_POWER).rsqrt_().mul_(magnitude)


#: Iterations of Griffin-Lim, few and many: for the usual geometry many are only 0.06 dB nearer.
_ITERATIONS, _MOST_ITERATIONS = 12, 32
#: Iterations where the phases are fitted to known samples.
_FITTING_ITERATIONS = 32


def random_phase(*shape: int) -> Tensor:
    """Return random phases (radian), the same each time.

    They come from a generator of their own: the same features give the same sound, and the random stream of a
    training run is left alone.
    """
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)) * (2 * math.pi)


def griffin_lim(
    transform: Transform,
    magnitude: Tensor,
    angles: Tensor,
    samples: int,
    iterations: int,
    known: KnownSamples | None = None,
) -> Tensor:
    """Return a waveform ``[B, samples]`` whose spectrum has about the given magnitudes.

    Parameters
    ----------
    transform
        Geometry.
    magnitude
        ``[B, F, T]``.
    angles
        Complex numbers of modulus 1 to begin with, that broadcast to the magnitudes.
    samples
        Length.
    iterations
        Number of round trips that bring the phases of neighbouring windows together.
    known
        Samples that each round trip, and the result, has as they are.
    """

    config, device = transform.config, magnitude.device
    frames = Frames(transform.window(device), config.hop_length, magnitude.shape[-1], samples)
    rows = (magnitude / transform.scale).transpose(1, 2).contiguous()
    return recover_phases(frames, rows, angles.transpose(-1, -2).contiguous(), iterations, known)


def griffin_lim_iterations(config: SpectrogramConfig, known: KnownSamples | None = None) -> int:
    """Return the iterations that a geometry needs: shorter windows, and windows that overlap less, need more.

    Phases that are fitted to ``known`` samples take `_FITTING_ITERATIONS`.
    """
    if known is not None:
        return _FITTING_ITERATIONS
    is_easy = config.n_fft >= 2048 and config.hop_length * 4 <= config.n_fft
    return _ITERATIONS if is_easy else _MOST_ITERATIONS
