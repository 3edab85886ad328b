"""Two-channel features: how loud each band is, and which frequency sounds in it.

The first channel is the log-magnitude of `distill.audio.spectrogram`.  The second is the instantaneous frequency of the
band: the mean, weighted by energy, of what each bin says its frequency is, which is the bin's own plus its deviation
from it.  It is stored as the deviation from the band's centre in units of the distance between bands, so that it is a
small number at all heights.  A bin's frequency comes from a second transform with the derivative of the window (Auger
and Flandrin 1995, "Improving the readability of time-frequency and time-scale representations by the reassignment
method"); unlike a difference of phases it has no multiples of a turn to guess, and weighting by energy turns it into
one quotient of two sums.

The inverse builds phases from these frequencies.  A band is wider than a bin, so its magnitude alone says neither where
in it a partial lies nor how the phases of its bins go together.  Three facts do:

- Where neighbouring bands report the same frequency there is one partial between them. Its energy is put into the
  main lobe of the window around that frequency, and the bins of the lobe share its phase (phase locking; Laroche and
  Dolson 1999, "Improved phase vocoder time-scale modification of audio"). A steady sine comes back at its pitch
  within a cent.
- Elsewhere each bin turns at its own frequency plus what the band deviates from the centroid of its energy.
- A band that swells and fades within one window holds a click. How its level differs between the windows before and
  after says where in the window it is, and phases that fall linearly with frequency put it there. (For Gaussian
  windows this is the phase gradient of Průša, Balazs and Søndergaard 2017, "A noniterative method for reconstruction
  of phase from STFT magnitude"; for the Hann window it is worked out in `_click_position`.)

Phases refer to the middle of each window, where those of a partial's lobe are equal.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from distill.audio.griffin_lim import KnownSamples, griffin_lim, random_phase
from distill.audio.stft_and_mel import Transform, check_waveform, from_decades, on_device, sample_count, to_decades
from distill.config.spectrogram import ComplexSpectrogramConfig, SpectrogramConfig

#: Neighbouring bands that differ by this much (in distances between bands) agree to 1/e.
_AGREEMENT = 0.2
#: How far outside the two bands, in their distance, a partial that they share may seem to lie.
_MARGIN = 0.6
#: Weight of a partial's main lobe against the even spread it is laid over.
_SHARPNESS = 8.0
#: Share of the even spread that a partial takes away.
_CLEARED = 0.9
#: Half the width of the Hann window's main lobe, bins.
_LOBE_BINS = 2
#: Fades in the click treatment: share of the swelling that a single impulse in the middle of a window shows.
_CLICK_FROM, _CLICK_FULL = 0.45, 0.8
#: Bands over which the place of a click is averaged, and the share of them that must hold it.
_CLICK_BANDS, _CLICK_SHARE = 15, 0.5
#: Magnitude added before levels are compared between windows.
_QUIET = 1e-6


class Tones(NamedTuple):
    """Partials between neighbouring bands.

    Attributes
    ----------
    certainty
        How much band and next band agree, 0 to 1: ``[B, M - 1, T]``.
    position
        Frequency of what they share (bins), of the same shape.
    """

    certainty: Tensor
    position: Tensor


class PhaseBuilder:
    """Builds magnitudes and phases of bins from magnitudes and frequencies of bands.

    Parameters
    ----------
    transform
        Geometry.
    """

    def __init__(self, transform: Transform) -> None:
        self.transform = transform
        bank = transform.bank(torch.device("cpu"))
        bins = torch.arange(bank.shape[0], dtype=torch.float32)
        centre = (bank * bins[:, None]).sum(0) / bank.sum(0)
        gap = centre.diff().clamp_min(1e-3)
        distance = torch.cat([gap[:1], (gap[1:] + gap[:-1]) / 2, gap[-1:]])
        self._bands = {"cpu": (centre[:, None], distance[:, None])}
        self._gap, self._bins, self._bank = gap[:, None], bins[:, None], bank
        share = bank / bank.sum(1, keepdim=True).clamp_min(1e-12)
        uncovered = (bank.sum(1) == 0).nonzero().flatten()  # beyond the outer bands: the nearest one counts
        share[uncovered, (bins[uncovered, None] - centre).abs().argmin(1)] = 1.0
        self._share = share

    def bands(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return centre and distance of the bands (bins), each ``[M, 1]``."""
        bands = self._bands.get(str(device))
        if bands is None:
            centre, distance = self._bands["cpu"]
            bands = self._bands[str(device)] = (centre.to(device), distance.to(device))
        return bands

    def tones(self, frequency: Tensor) -> Tones:
        """Return the partials that bands ``[B, M, T]`` with these frequencies (bins) share."""
        low, high = frequency[:, :-1], frequency[:, 1:]
        certainty = torch.exp(-((high - low) / (_AGREEMENT * self._gap)).square())
        position = (low + high) / 2
        centre, _ = self._bands["cpu"]
        margin = _MARGIN * self._gap
        between = (position > centre[:-1] - margin) & (position < centre[1:] + margin)
        return Tones(certainty * between, position)

    def sharpened(self, bands: Tensor, tones: Tones) -> Tensor:
        """Return bin magnitudes ``[B, F, T]`` to begin the inversion of ``bands`` with: partials stand out."""
        weight = self._bank.sum(0)[:, None]
        energy = (bands[:, 1:] + bands[:, :-1]) * tones.certainty * self._gap / (weight[1:] + weight[:-1])
        lobes = torch.zeros(bands.shape[0], self._bank.shape[0], bands.shape[2])
        nearest = tones.position.round()
        for offset in range(-_LOBE_BINS, _LOBE_BINS + 1):
            at = (nearest + offset).clamp(0, self._bank.shape[0] - 1)
            lobes.scatter_add_(1, at.long(), energy * _hann_lobe(at - tones.position))
        return self.transform.spread(bands) * (1 - _CLEARED * self._tonality(tones)) + _SHARPNESS * lobes

    def angles(self, bands: Tensor, frequency: Tensor, magnitude: Tensor, tones: Tones) -> Tensor:
        """Return phases of bins as complex numbers ``[B, F, T]`` of modulus 1, for `griffin_lim` to begin with."""
        config = self.transform.config
        tonality = self._tonality(tones)
        power = magnitude.square()
        bank = self._bank.T
        centroid = torch.matmul(bank, power * self._bins) / torch.matmul(bank, power).clamp_min(1e-20)
        loud = bands + 1e-9
        total = torch.matmul(self._share, loud)
        shift = torch.matmul(self._share, loud * (frequency - centroid)) / total
        shared = torch.matmul(self._share, loud * frequency) / total
        turning = torch.lerp(self._bins + shift, shared, tonality)  # bins: cycles in a window's length
        steps = (turning[:, :, 1:] + turning[:, :, :-1]) * (math.pi * config.hop_length / config.n_fft)
        start = random_phase(len(self._bins), 1) * (1 - tonality[:, :, :1])
        phase = torch.cat([start, steps], dim=2).cumsum(2)
        angles = torch.polar(torch.ones_like(phase), phase)
        angles = self._with_clicks(angles, bands, tonality)
        sign = 1 - 2 * (self._bins % 2)  # from the window's middle to its beginning, half a window earlier
        return angles * sign

    def _tonality(self, tones: Tones) -> Tensor:
        """Return how much each bin belongs to a partial, 0 to 1: ``[B, F, T]``."""
        sides = torch.nn.functional.pad(tones.certainty, (0, 0, 1, 1))
        return torch.matmul(self._share, torch.maximum(sides[:, 1:], sides[:, :-1]))

    def _with_clicks(self, angles: Tensor, bands: Tensor, tonality: Tensor) -> Tensor:
        clicking, position = _click_position(bands, self.transform.config.hop_length / self.transform.config.n_fft)
        clicking = torch.matmul(self._share, clicking) * (1 - tonality)
        position = torch.matmul(self._share, position)
        impulse = torch.polar(torch.ones_like(position), -2 * math.pi * self._bins * position)
        mixed = torch.lerp(angles, impulse, clicking.to(angles.dtype))
        return mixed / (mixed.abs() + 1e-12)


def _hann_lobe(offset: Tensor) -> Tensor:
    """Return the main lobe of the Hann window's spectrum, 1 at its top, at an offset in bins; 0 outside of it.

    ``sinc(x) / (1 - x**2)`` (Harris 1978, "On the use of windows for harmonic analysis"), with the limit 1/2 at 1.
    """
    x = offset.abs()
    below = 1 - x.square()
    near = below.abs() < 1e-3
    lobe = torch.where(near, 0.5, torch.sinc(x) / torch.where(near, 1.0, below))
    return lobe * (x < _LOBE_BINS)


def _click_position(bands: Tensor, hop_share: float) -> tuple[Tensor, Tensor]:
    """Return whether bands hold a click, 0 to 1, and where in the window (-1/2 to 1/2, 0 is the middle).

    An impulse at place p has the level ``2 log cos(pi p)`` in a Hann window.  With ``b = pi * hop / n_fft`` the levels
    before and after differ by ``2 log (cos(pi p - b) / cos(pi p + b))``, which solves to
    ``tan(pi p) = tanh(difference / 4) / tan(b)``; in the middle, the window before and the one after are together
    ``-4 log cos(b)`` quieter than twice this one.

    Parameters
    ----------
    bands
        Magnitudes ``[B, M, T]``.
    hop_share
        Distance between windows over their length.
    """
    angle = math.pi * hop_share
    level = (bands + _QUIET).log()
    around = torch.nn.functional.pad(level, (1, 1), mode="replicate")
    before, after = around[..., :-2], around[..., 2:]
    swelling = (2 * level - before - after) / (-4 * math.log(max(math.cos(angle), 1e-3)))
    clicking = ((swelling - _CLICK_FROM) / (_CLICK_FULL - _CLICK_FROM)).clamp(0, 1)
    position = torch.atan(torch.tanh((after - before) / 4) / math.tan(angle)) / math.pi
    weight = _smoothed(clicking * bands)
    position = _smoothed(clicking * bands * position) / weight.clamp_min(1e-12)
    return clicking * (_smoothed(clicking) > _CLICK_SHARE), position


def _smoothed(bands: Tensor) -> Tensor:
    """Return ``[B, M, T]`` averaged over neighbouring bands."""
    rows = bands.transpose(1, 2)
    mean: Tensor = torch.nn.functional.avg_pool1d(rows, _CLICK_BANDS, stride=1, padding=_CLICK_BANDS // 2)
    return mean.transpose(1, 2)


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
