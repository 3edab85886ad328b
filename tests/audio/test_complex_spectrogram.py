"""Two-channel features: the frequencies that they hold, and sound that keeps its pitch and its place."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from distill.audio import AudioSpectrogram, ComplexSpectrogram
from distill.audio.complex_spectrogram import PhaseBuilder
from distill.config.spectrogram import ComplexSpectrogramConfig
from distill.errors import ConfigurationError
from tests.audio.conftest import tone

RATE = 48_000


@pytest.fixture(scope="module")
def spectrogram() -> ComplexSpectrogram:
    return ComplexSpectrogram()


def there_and_back(spectrogram: ComplexSpectrogram, sound: Tensor) -> Tensor:
    return spectrogram.complex_mel_to_waveform(spectrogram.waveform_to_complex_mel(sound), sound.shape[-1])


def sine(hertz: float, seconds: float = 1.0) -> Tensor:
    return torch.from_numpy(tone(seconds, RATE, hertz))[None, None]


def peak_hertz(sound: Tensor) -> float:
    """Frequency of the strongest partial, between the bins of a long transform."""
    middle = sound.flatten()[8000:-8000].double().numpy()
    spectrum = np.log(np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 1 << 19)) + 1e-12)
    at = int(spectrum.argmax())
    before, top, after = spectrum[at - 1 : at + 2]
    return float((at + 0.5 * (before - after) / (before - 2 * top + after)) * RATE / (1 << 19))


def cents(hertz: float, wanted: float) -> float:
    return 1200 * math.log2(hertz / wanted)


@pytest.mark.parametrize("hertz", [60.0, 61.7, 75.3, 97.1, 131.0, 440.0, 997.0, 1567.0, 3333.0, 7777.0, 12_000.0])
def test_a_steady_sine_comes_back_at_its_pitch_and_level(spectrogram: ComplexSpectrogram, hertz: float) -> None:
    sound = sine(hertz)
    back = there_and_back(spectrogram, sound)
    assert abs(cents(peak_hertz(back), hertz)) < 1
    middle = slice(8000, -8000)
    assert float(back[..., middle].std() / sound[..., middle].std()) == pytest.approx(1, abs=0.12)


def test_the_second_channel_is_the_frequency_of_the_band(spectrogram: ComplexSpectrogram) -> None:
    geometry = spectrogram.config
    bands = PhaseBuilder(spectrogram.transform).bands(torch.device("cpu"))
    centre, distance = (numbers[:, 0] * geometry.sample_rate / geometry.n_fft for numbers in bands)
    for hertz in (200.0, 1234.0, 5000.0):
        features = spectrogram.waveform_to_complex_mel(sine(hertz))[0, :, :, 20:70]
        band = int(features[0].mean(1).argmax())
        found = centre[band] + features[1, band] * distance[band]
        assert torch.allclose(found, torch.tensor(hertz), atol=0.05 * geometry.sample_rate / geometry.n_fft)


def test_two_partials_both_come_back(spectrogram: ComplexSpectrogram) -> None:
    sound = sine(440.0) + 0.5 * sine(2217.5)
    back = there_and_back(spectrogram, sound)[0, 0, 8000:-8000].numpy()
    spectrum = np.abs(np.fft.rfft(back * np.hanning(len(back)), 1 << 17))
    for hertz in (440.0, 2217.5):
        near = np.abs(np.arange(len(spectrum)) * RATE / (1 << 17) - hertz) < 40
        found = np.flatnonzero(near)[spectrum[near].argmax()] * RATE / (1 << 17)
        assert abs(cents(float(found), hertz)) < 5


def test_a_chirp_is_followed(spectrogram: ComplexSpectrogram) -> None:
    t = torch.arange(RATE) / RATE
    sound = (0.5 * torch.sin(2 * math.pi * (300 * t + 0.5 * 2000 * t.square())))[None, None]  # 300 to 2300 Hz
    back = there_and_back(spectrogram, sound)[0, 0]
    for at in (12_000, 24_000, 36_000):
        piece = back[at - 1024 : at + 1024] * torch.hann_window(2048)
        found = int(torch.fft.rfft(piece, 1 << 16).abs().argmax()) * RATE / (1 << 16)
        assert found == pytest.approx(300 + 2000 * at / RATE, abs=15)  # over a window it moves by 85 Hz


@pytest.mark.parametrize("position", [9_000, 20_000, 20_200, 20_333, 30_750])
def test_a_click_comes_back_where_it_was(spectrogram: ComplexSpectrogram, position: int) -> None:
    sound = torch.zeros(1, 1, RATE)
    sound[..., position] = 0.9
    back = there_and_back(spectrogram, sound).flatten().abs()
    assert abs(int(back.argmax()) - position) <= 2
    assert float(back.max()) > 0.6  # still a click, not a smear
    energy = back.square()
    assert float(energy[position - 50 : position + 50].sum() / energy.sum()) > 0.8


def test_a_struck_tone_keeps_its_onset(spectrogram: ComplexSpectrogram) -> None:
    t = torch.arange(RATE - 20_100) / RATE
    sound = torch.zeros(1, 1, RATE)
    sound[..., 20_100:] = torch.sin(2 * math.pi * 880 * t) * torch.exp(-6 * t)
    back = there_and_back(spectrogram, sound).flatten().abs()
    onset = int((back > 0.3 * back.max()).nonzero()[0])
    assert abs(onset - 20_100) < 256  # half a hop


def test_noise_stays_noise(spectrogram: ComplexSpectrogram) -> None:
    sound = 0.1 * torch.randn(1, 1, RATE, generator=torch.Generator().manual_seed(1))
    back = there_and_back(spectrogram, sound)
    mel = AudioSpectrogram()
    difference = (mel.waveform_to_mel(back) - mel.waveform_to_mel(sound)).abs().mean() * 20
    assert float(difference) < 2.5  # dB
    envelope = back.flatten()[2048:-2048].unfold(0, 480, 480).square().mean(1).sqrt()
    assert float(envelope.std() / envelope.mean()) < 0.25  # no pulses


def test_where_there_is_no_energy_there_is_no_frequency(spectrogram: ComplexSpectrogram) -> None:
    silence = spectrogram.waveform_to_complex_mel(torch.zeros(1, 1, RATE))
    assert torch.equal(silence[:, 0], torch.full_like(silence[:, 0], -3.0))
    assert torch.equal(silence[:, 1], torch.zeros_like(silence[:, 1]))
    assert float(there_and_back(spectrogram, torch.zeros(1, 1, RATE)).abs().max()) == 0
    features = spectrogram.waveform_to_complex_mel(1e-4 * sine(440.0))  # under -60 dB
    assert torch.equal(features[:, 1], torch.zeros_like(features[:, 1]))
    lower = ComplexSpectrogram(ComplexSpectrogramConfig(masking_threshold=-110.0))
    assert float(lower.waveform_to_complex_mel(1e-4 * sine(440.0))[:, 1].abs().max()) > 0.1


def test_the_first_channel_is_the_mel_spectrogram(spectrogram: ComplexSpectrogram) -> None:
    sound = sine(440.0)
    first = spectrogram.waveform_to_complex_mel(sound)[:, :1]
    torch.testing.assert_close(first, AudioSpectrogram().waveform_to_mel(sound))


def test_a_louder_sound_has_the_same_frequencies(spectrogram: ComplexSpectrogram) -> None:
    loud, quiet = (spectrogram.waveform_to_complex_mel(level * sine(440.0))[0, :, 11:16, 8:-8] for level in (1.0, 0.25))
    torch.testing.assert_close(loud[1], quiet[1], atol=1e-2, rtol=0)
    assert float((loud[0] - quiet[0]).mean()) == pytest.approx(math.log10(4), abs=0.01)


@pytest.mark.parametrize("samples", [1, 511, 512, 2047, 2048, 30_000, 72_000])
def test_every_length_goes_there_and_back(spectrogram: ComplexSpectrogram, samples: int) -> None:
    sound = sine(440.0, 1.5)[..., :samples]
    features = spectrogram.waveform_to_complex_mel(sound.expand(2, 1, samples))
    assert features.shape == (2, 2, 128, 1 + samples // 512)
    back = spectrogram.complex_mel_to_waveform(features, samples)
    assert back.shape == (2, 1, samples)
    assert torch.isfinite(back).all()


def test_a_second_is_94_frames_and_the_same_sound_each_time(spectrogram: ComplexSpectrogram) -> None:
    features = spectrogram.waveform_to_complex_mel(sine(440.0))
    assert features.shape == (1, 2, 128, 94)
    state = torch.get_rng_state()
    first, again = (spectrogram.complex_mel_to_waveform(features) for _ in range(2))
    assert first.shape == (1, 1, RATE)
    assert torch.equal(first, again)
    assert torch.equal(state, torch.get_rng_state())


def test_whatever_a_model_says_becomes_a_finite_sound(spectrogram: ComplexSpectrogram) -> None:
    wild = 4 * torch.randn(2, 2, 128, 94, generator=torch.Generator().manual_seed(2))
    assert torch.isfinite(spectrogram.complex_mel_to_waveform(wild)).all()


@pytest.mark.parametrize(
    "settings", [{"n_fft": 1024, "hop_length": 256, "n_mels": 64}, {"n_fft": 1024, "hop_length": 512}]
)
def test_another_geometry_keeps_pitch_too(settings: dict[str, int]) -> None:
    back = there_and_back(ComplexSpectrogram(ComplexSpectrogramConfig(**settings)), sine(997.0))
    assert abs(cents(peak_hertz(back), 997.0)) < 5


def test_wrong_shapes_and_settings_are_refused(spectrogram: ComplexSpectrogram) -> None:
    with pytest.raises(ValueError, match=r"\[B, 1, N\]"):
        spectrogram.waveform_to_complex_mel(torch.zeros(2, RATE))
    with pytest.raises(ValueError, match=r"\[B, 2, 128, T\]"):
        spectrogram.complex_mel_to_waveform(torch.zeros(1, 1, 128, 94))
    with pytest.raises(ValueError, match="94 frames"):
        spectrogram.complex_mel_to_waveform(torch.zeros(1, 2, 128, 93), RATE)
    with pytest.raises(ConfigurationError, match="hop_length"):
        ComplexSpectrogramConfig(n_fft=1024, hop_length=1024)
    with pytest.raises(ConfigurationError, match="masking_threshold"):
        ComplexSpectrogramConfig(masking_threshold=0.0)


def test_tables_are_moved_to_a_device_once(monkeypatch: pytest.MonkeyPatch) -> None:
    spectrogram, moved = ComplexSpectrogram(), list[str]()
    to = torch.Tensor.to

    def watched(self: torch.Tensor, *arguments: Any, **named: Any) -> torch.Tensor:
        moved.extend(str(one) for one in arguments if isinstance(one, torch.device))
        return to(self, *arguments, **named)

    monkeypatch.setattr(torch.Tensor, "to", watched)
    counts = []
    for _ in range(3):
        moved.clear()
        spectrogram.waveform_to_complex_mel(torch.rand(1, 1, 4800, device="meta"))
        counts.append(len(moved))
    assert counts == [6, 1, 1]  # window, filters, slope, two of the bands; and one number each time
