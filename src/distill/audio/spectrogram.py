"""Log-mel features and back; `ComplexSpectrogram` is offered here too."""

import torch
from torch import Tensor

from distill.audio.complex_spectrogram import ComplexSpectrogram as ComplexSpectrogram
from distill.audio.griffin_lim import (
    KnownSamples,
    griffin_lim,
    griffin_lim_iterations,
    random_phase,
)
from distill.audio.stft_and_mel import Transform, check_waveform, from_decades, sample_count, to_decades
from distill.config.spectrogram import SpectrogramConfig as SpectrogramConfig


class AudioSpectrogram:
    """Log-mel features and their inversion.

    Parameters
    ----------
    config
        Geometry; the default gives 128 bands and 94 frames for a second at 48 kHz.
    """

    def __init__(self, config: SpectrogramConfig | None = None) -> None:
        self.config = config or SpectrogramConfig()
        self.transform = Transform(self.config)

    def waveform_to_mel(self, waveform: Tensor) -> Tensor:
        """Return features ``[B, 1, n_mels, T]`` of waveforms ``[B, 1, N]`` (full scale 1), on their device.

        Raises
        ------
        ValueError
            The shape is not ``[B, 1, N]`` with N over 0.
        """
        check_waveform(waveform)
        return to_decades(self.transform.to_bands(self.transform.stft(waveform[:, 0].float()).abs()))[:, None]

    def mel_to_waveform(self, mel: Tensor, samples: int | None = None, known: KnownSamples | None = None) -> Tensor:
        """Return waveforms ``[B, 1, N]`` on the CPU for features ``[B, 1, n_mels, T]``.

        Mel inversion, then Griffin-Lim.  The same features always give the same samples.

        Parameters
        ----------
        mel
            Features.
        samples
            N, a number that gives T frames; by default a whole number of seconds where that fits T (94 frames:
            48 000), else ``(T - 1) * hop``, or one less than a hop for a single frame.
        known
            Samples that the result has as they are, ``N`` of them.

        Raises
        ------
        ValueError
            The shape does not fit the configuration.
        """
        count = sample_count(self.config, mel, 1, samples)
        bands = from_decades(mel.detach()[:, 0].to("cpu", torch.float32))
        magnitude = self.transform.from_bands(bands)
        phase = random_phase(*magnitude.shape[-2:])
        angles = torch.polar(torch.ones_like(phase), phase)
        iterations = griffin_lim_iterations(self.config, known)
        return griffin_lim(self.transform, magnitude, angles, count, iterations, known)[:, None]
