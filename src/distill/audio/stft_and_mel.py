"""Transforms of the representations: STFT and its inverse, mel bands, levels in decades.

A representation is stateless: its scaling is fixed, so that features can be cached and compared between models.  What
a corpus looks like (its mean and spread) is the model's business.

Mel features are decadic logarithms of mel magnitudes, centred so that 0 is -60 dB: a full-scale sine is about +3, the
floor of -120 dB is -3.  The floor lies under the noise of a 16-bit recording on purpose: with a higher one the fade of
a reverb and the silence after a drum come back as hiss, which costs 5 dB in the round trip at -80 dB.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from distill.config.spectrogram import SpectrogramConfig

#: Decades between full scale and the floor, and the offset that centres them.
FLOOR_DECADES = 6.0
CENTRE = FLOOR_DECADES / 2


#: Smallest sum of squared windows that is divided by.
_LEAST_ENVELOPE = 1e-8
#: Multiplicative updates of the mel inversion; the round trip stops improving after five.
_INVERSION_UPDATES = 5


def on_device(tables: dict[str, Tensor], device: torch.device) -> Tensor:
    """Return a table on a device, which is copied there once; ``tables`` has it by device, at first on the CPU."""
    table = tables.get(str(device))
    if table is None:
        table = tables[str(device)] = tables["cpu"].to(device)
    return table


class Transform:
    """Short-time Fourier transform and mel bands, with the constants kept by device.

    Magnitudes are scaled so that a full-scale sine has magnitude 1.
    """

    def __init__(self, config: SpectrogramConfig) -> None:
        self.config = config
        bank = _mel_bank(config)
        self._bank = {"cpu": bank}
        self._window = {"cpu": torch.hann_window(config.n_fft)}
        self.scale = 2.0 / float(self._window["cpu"].sum())

    def window(self, device: torch.device) -> Tensor:
        """Return the Hann window ``[n_fft]`` on a device."""
        return on_device(self._window, device)

    def bank(self, device: torch.device) -> Tensor:
        """Return the mel filters ``[n_fft // 2 + 1, n_mels]`` on a device."""
        return on_device(self._bank, device)

    def stft(self, waveform: Tensor, window: Tensor | None = None) -> Tensor:
        """Return the complex spectrum ``[B, F, T]`` of ``[B, N]``; sounds shorter than a window are padded.

        ``window`` ``[n_fft]`` takes the place of the Hann window; the scale stays that of the Hann window.
        """
        c = self.config
        short = c.n_fft - waveform.shape[-1]
        padded = functional.pad(waveform, (0, short)) if short > 0 else waveform
        used = self.window(waveform.device) if window is None else window
        spec = torch.stft(padded, c.n_fft, c.hop_length, window=used, return_complex=True)
        scaled: Tensor = spec[..., : c.frames(waveform.shape[-1])] * self.scale
        return scaled

    def istft(self, spectrum: Tensor, samples: int) -> Tensor:
        """Return the waveform ``[B, samples]`` of ``[B, F, T]``."""
        c = self.config
        window = self.window(spectrum.device)
        reach = min(samples, (spectrum.shape[-1] - 1) * c.hop_length + c.n_fft // 2)
        wave = torch.istft(spectrum / self.scale, c.n_fft, c.hop_length, window=window, length=reach)
        return functional.pad(wave, (0, samples - reach))

    def to_bands(self, magnitude: Tensor) -> Tensor:
        """Return band magnitudes ``[B, M, T]`` of bin magnitudes ``[B, F, T]``, summed at the configured power."""
        power = self.config.power
        raised = magnitude if power == 1 else magnitude.pow(power)
        bands = torch.matmul(self.bank(magnitude.device).T, raised)
        return bands if power == 1 else bands.pow(1 / power)

    def spread(self, bands: Tensor) -> Tensor:
        """Return bin magnitudes ``[B, F, T]`` with the energy of each band spread evenly over its bins."""
        bank = self.bank(bands.device)
        return torch.matmul(bank / bank.sum(0), bands)

    def from_bands(self, bands: Tensor, first: Tensor | None = None, updates: int = _INVERSION_UPDATES) -> Tensor:
        """Return non-negative bin magnitudes ``[B, F, T]`` whose bands are ``bands`` ``[B, M, T]``.

        Richardson-Lucy updates (Lee and Seung 2001, the Kullback-Leibler case): multiplicative, so that nothing
        turns negative and silence stays silent.

        Parameters
        ----------
        bands
            Band magnitudes.
        first
            Where to begin, at the configured power, ``[B, F, T]``: of the many spectra with these bands the one near
            it is found.  By default each band is spread evenly over its bins.
        updates
            Number of updates.
        """
        power = self.config.power
        bank = self.bank(bands.device)
        target = bands if power == 1 else bands.pow(power)
        per_bin = bank.sum(1)[:, None].clamp_min(1e-9)
        estimate = self.spread(target) if first is None else first
        for _ in range(updates):
            ratio = target / torch.matmul(bank.T, estimate).clamp_min(1e-20)
            estimate = estimate * torch.matmul(bank, ratio) / per_bin
        return estimate if power == 1 else estimate.pow(1 / power)


class Frames:
    """Short-time Fourier transform of signals of one length, frame by frame: ``[B, T, F]``.

    Frames lie in rows of memory, so that transforms and overlap-add run over whole rows: less than half the time of
    Griffin-Lim's iterations with `torch.stft` and `torch.istft`, whose results these are.

    Parameters
    ----------
    window
        ``[n_fft]``.
    hop
        Samples between frames.
    count
        T, number of frames.
    samples
        N, samples of a signal.
    """

    def __init__(self, window: Tensor, hop: int, count: int, samples: int) -> None:
        self._window, self._hop, self._count, self._samples = window, hop, count, samples
        self._size = len(window)
        self._half = self._size // 2
        squares = window.square().expand(1, count, -1)
        self._envelope = self._overlap_add(squares).clamp_min(_LEAST_ENVELOPE).reciprocal()

    def _overlap_add(self, frames: Tensor) -> Tensor:
        """Return the sum ``[B, (T - 1) * hop + n_fft]`` of frames ``[B, T, n_fft]``."""
        batch, count, size = frames.shape
        parts, rest = divmod(size, self._hop)
        if rest:
            length = (count - 1) * self._hop + size
            folded = functional.fold(frames.transpose(1, 2), (1, length), (1, size), stride=(1, self._hop))
            return folded.view(batch, length)
        cells = frames.view(batch, count, parts, self._hop)
        summed = frames.new_zeros(batch, count + parts - 1, self._hop)
        for part in range(parts):
            summed[:, part : part + count] += cells[:, :, part]
        return summed.view(batch, -1)

    def signals(self, spectrum: Tensor) -> Tensor:
        """Return signals ``[B, N]`` of a spectrum ``[B, T, F]``."""
        frames = torch.fft.irfft(spectrum, n=self._size) * self._window
        return (self._overlap_add(frames) * self._envelope)[:, self._half : self._half + self._samples]

    def spectrum(self, signals: Tensor) -> Tensor:
        """Return the spectrum ``[B, T, F]`` of signals ``[B, N]``; those shorter than a window are padded."""
        longer = functional.pad(signals, (0, max(0, self._size - self._samples)))
        padded = functional.pad(longer[:, None], (self._half, self._half), mode="reflect")[:, 0]
        spectrum: Tensor = torch.fft.rfft(padded.unfold(1, self._size, self._hop)[:, : self._count] * self._window)
        return spectrum


#: The mel scale of Slaney 1998, "Auditory toolbox": linear below a frequency, by so many hertz a mel, and above it by
#: a factor of 6.4 in 27 mels.
_LINEAR_BELOW, _HERTZ_PER_MEL, _LOG_STEP = 1000.0, 200.0 / 3, math.log(6.4) / 27.0


def _to_mel(hertz: float) -> float:
    if hertz < _LINEAR_BELOW:
        return hertz / _HERTZ_PER_MEL
    return _LINEAR_BELOW / _HERTZ_PER_MEL + math.log(hertz / _LINEAR_BELOW) / _LOG_STEP


def _from_mel(mel: Tensor) -> Tensor:
    bend = _LINEAR_BELOW / _HERTZ_PER_MEL
    return torch.where(mel < bend, _HERTZ_PER_MEL * mel, _LINEAR_BELOW * torch.exp(_LOG_STEP * (mel - bend)))


def _mel_bank(config: SpectrogramConfig) -> Tensor:
    """Return mel filters ``[n_fft // 2 + 1, n_mels]``, none of them empty.

    With many bands and a short window a band can lie between two bins; it then gets the last bin of the band below.
    """
    top = config.f_max or config.sample_rate / 2
    bins = torch.linspace(0, config.sample_rate // 2, config.n_fft // 2 + 1)
    corners = _from_mel(torch.linspace(_to_mel(config.f_min), _to_mel(top), config.n_mels + 2))
    distance = corners - bins[:, None]
    width = corners.diff()
    bank = torch.minimum(-distance[:, :-2] / width[:-1], distance[:, 2:] / width[1:]).clamp_min(0.0)
    last = round(config.f_min / config.sample_rate * config.n_fft)
    for band in range(config.n_mels):
        if float(bank[:, band].sum()) == 0:
            bank[last, band] = 1.0
        last = int(bank[:, band].argmax())
    return bank


def to_decades(magnitude: Tensor) -> Tensor:
    """Return centred decadic logarithms of magnitudes (full-scale sine: 1)."""
    feature: Tensor = magnitude.clamp_min(10.0**-FLOOR_DECADES).log10() + CENTRE
    return feature


def from_decades(feature: Tensor) -> Tensor:
    """Undo `to_decades`; what lies at the floor or under it becomes silence."""
    floor = 10.0**-FLOOR_DECADES
    magnitude: Tensor = (torch.pow(10.0, feature.clamp(-CENTRE, CENTRE + 1) - CENTRE) - floor).clamp_min(0.0)
    return magnitude


def check_tensor(waveform: Any) -> None:
    """Refuse a sound that is not a tensor, as soundfile and librosa give it.

    Raises
    ------
    TypeError
        It is something else.
    """
    if not isinstance(waveform, Tensor):
        raise TypeError(
            f"waveform must be a torch.Tensor, not {type(waveform).__name__}. Make one of a NumPy array with "
            "torch.from_numpy."
        )


def check_waveform(waveform: Tensor) -> None:
    """Refuse what is not a mono waveform ``[B, 1, N]``.

    Raises
    ------
    TypeError
        It is no tensor.
    ValueError
        The shape is another.
    """
    check_tensor(waveform)
    if waveform.ndim != 3 or waveform.shape[1] != 1 or not waveform.numel():
        raise ValueError(f"waveform must have the shape [B, 1, N], not {list(waveform.shape)}.")


def sample_count(config: SpectrogramConfig, features: Tensor, channels: int, samples: int | None) -> int:
    """Return how many samples features ``[B, channels, n_mels, T]`` become: ``samples``, or what fits T best.

    Raises
    ------
    ValueError
        The features have another shape, or ``samples`` gives another number of frames.
    """
    if features.ndim != 4 or tuple(features.shape[1:3]) != (channels, config.n_mels):
        raise ValueError(
            f"Features must have the shape [B, {channels}, {config.n_mels}, T], not {list(features.shape)}."
        )
    frames = features.shape[-1]
    count = config.samples(frames) if samples is None else samples
    if config.frames(count) != frames:
        raise ValueError(f"{count} samples give {config.frames(count)} frames; the features have {frames}.")
    return count
