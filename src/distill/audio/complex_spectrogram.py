"""Two-channel features: how loud each band is, and which frequency sounds in it.

The first channel is the log-magnitude of `distill.audio.spectrogram`.  The second is the instantaneous frequency of the
band: the mean, weighted by energy, of what each bin says its frequency is, which is the bin's own plus its deviation
from it.  It is stored as the deviation from the band's centre in units of the distance between bands, so that it is a
small number at all heights.  A bin's frequency comes from a second transform with the derivative of the window
(Auger and Flandrin 1995, "Improving the readability of time-frequency and time-scale representations by the
reassignment method"); unlike a difference of phases it has no multiples of a turn to guess, and weighting by energy
turns it into one quotient of two sums.

What the inverse makes of it is in `distill.audio.phase`.
"""

import math

import torch
from torch import Tensor

from distill.audio.griffin_lim import KnownSamples, griffin_lim
from distill.audio.phase import PhaseBuilder
from distill.audio.stft_and_mel import Transform, check_waveform, from_decades, on_device, sample_count, to_decades
from distill.config.spectrogram import ComplexSpectrogramConfig, SpectrogramConfig

#: Largest deviation, in distances between bands: what is farther away is a louder band's leakage.
MOST_DEVIATION = 2.0
#: Iterations that bring the built phases of neighbouring windows together.
_ITERATIONS = 4
#: Iterations where the phases are fitted to known samples.
_FITTING_ITERATIONS = 16
#: Updates of the mel inversion, which begins near its end.
_INVERSION_UPDATES = 4


class ComplexSpectrogram:
    """Log-magnitude and instantaneous frequency of mel bands, and their inversion.

    Parameters
    ----------
    config
        Geometry and threshold; the default gives 128 bands and 94 frames for a second at 48 kHz.
    """

    def __init__(self, config: ComplexSpectrogramConfig | None = None) -> None:
        self.settings = config or ComplexSpectrogramConfig()
        self.config: SpectrogramConfig = self.settings.geometry()
        self.transform = Transform(self.config)
        self._phases = PhaseBuilder(self.transform)
        samples = torch.arange(self.config.n_fft)
        slope = math.pi / self.config.n_fft * torch.sin(2 * math.pi / self.config.n_fft * samples)
        self._slope = {"cpu": slope}  # of the Hann window, a sample

    def waveform_to_complex_mel(self, waveform: Tensor) -> Tensor:
        """Return features ``[B, 2, n_mels, T]`` of waveforms ``[B, 1, N]`` (full scale 1), on their device.

        Raises
        ------
        ValueError
            The shape is not ``[B, 1, N]`` with N over 0.
        """
        check_waveform(waveform)
        sound, device = waveform[:, 0].float(), waveform.device
        slope = on_device(self._slope, device)
        spectrum, sloped = self.transform.stft(sound), self.transform.stft(sound, slope)
        power = spectrum.real.square() + spectrum.imag.square()
        # Energy times the deviation of each bin (bins): Im(sloped * conj(spectrum)) counts against it.
        moment = (sloped.real * spectrum.imag - sloped.imag * spectrum.real) * (self.config.n_fft / (2 * math.pi))
        bins = torch.arange(power.shape[1], device=device)[:, None]
        bank = self.transform.bank(device).T
        # A sum of floats that spans the whole range of a sound: tiny bands need no more than their own precision.
        frequency = torch.matmul(bank, power * bins + moment) / torch.matmul(bank, power).clamp_min(1e-20)
        centre, distance = self._phases.bands(device)
        deviation = ((frequency - centre) / distance).clamp(-MOST_DEVIATION, MOST_DEVIATION)
        level = to_decades(self.transform.to_bands(power.sqrt()))
        threshold = to_decades(torch.tensor(10.0 ** (self.settings.masking_threshold / 20)))
        return torch.stack([level, torch.where(level > threshold.to(device), deviation, 0.0)], dim=1)

    def complex_mel_to_waveform(
        self, spec: Tensor, samples: int | None = None, known: KnownSamples | None = None
    ) -> Tensor:
        """Return waveforms ``[B, 1, N]`` on the CPU for features ``[B, 2, n_mels, T]``.

        Magnitudes of bins, phases from the frequencies, an inverse transform.  The same features always give the same
        samples.

        Parameters
        ----------
        spec
            Features.
        samples
            N, a number that gives T frames; by default as in `AudioSpectrogram.mel_to_waveform`.
        known
            Samples that the result has as they are, ``N`` of them.

        Raises
        ------
        ValueError
            The shape does not fit the configuration.
        """
        count = sample_count(self.config, spec, 2, samples)
        features = spec.detach().to("cpu", torch.float32)
        bands = from_decades(features[:, 0])
        centre, distance = self._phases.bands(features.device)
        frequency = centre + features[:, 1].clamp(-MOST_DEVIATION, MOST_DEVIATION) * distance
        tones = self._phases.tones(frequency)
        magnitude = self.transform.from_bands(bands, self._phases.sharpened(bands, tones), _INVERSION_UPDATES)
        angles = self._phases.angles(bands, frequency, magnitude, tones)
        iterations = _ITERATIONS if known is None else _FITTING_ITERATIONS
        return griffin_lim(self.transform, magnitude, angles, count, iterations, known)[:, None]
