"""Log-mel features: what they keep, and the way back to sound."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from distill.audio import AudioSpectrogram, SpectrogramConfig
from distill.errors import ConfigurationError
from tests.audio.conftest import loudest_hertz, tone

RATE = 48_000


def struck(seed: int, seconds: float = 1.0) -> Tensor:
    """A decaying harmonic tone with noise at its start, ``[1, 1, N]``: nearer to real sounds than a sine."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    pitch = 110 * 2 ** rng.uniform(0, 2)
    sound = sum(np.sin(2 * np.pi * pitch * k * t) * np.exp(-t * (2 + k)) / k for k in range(1, 8))
    sound = sound + 0.3 * rng.standard_normal(t.size) * np.exp(-40 * t)
    return torch.from_numpy((sound / np.abs(sound).max()).astype(np.float32))[None, None]


@pytest.fixture(scope="module")
def mel() -> AudioSpectrogram:
    return AudioSpectrogram()


def test_a_second_is_94_frames_and_comes_back_as_a_second(mel: AudioSpectrogram) -> None:
    features = mel.waveform_to_mel(struck(0).expand(3, 1, RATE))
    assert features.shape == (3, 1, 128, 94)
    assert features.dtype == torch.float32
    assert mel.mel_to_waveform(features[:1]).shape == (1, 1, RATE)


@pytest.mark.parametrize("samples", [1, 100, 511, 512, 1023, 1024, 2047, 2048, 2049, 30_000, 72_000])
def test_every_length_goes_there_and_back(mel: AudioSpectrogram, samples: int) -> None:
    features = mel.waveform_to_mel(struck(1, 1.5)[..., :samples])
    assert features.shape == (1, 1, 128, 1 + samples // 512)
    back = mel.mel_to_waveform(features, samples)
    assert back.shape == (1, 1, samples)
    assert torch.isfinite(back).all()
    default = mel.mel_to_waveform(features)
    assert default.shape[-1] > 0
    assert mel.config.frames(default.shape[-1]) == features.shape[-1]


def test_the_scale_is_decades_around_minus_60_db(mel: AudioSpectrogram) -> None:
    silence = mel.waveform_to_mel(torch.zeros(1, 1, RATE))
    assert torch.equal(silence, torch.full_like(silence, -3.0))
    full = mel.waveform_to_mel(torch.from_numpy(tone(1.0, level=1.0))[None, None])[..., 4:-4]
    assert full.max() == pytest.approx(3.0, abs=0.1)
    quiet = mel.waveform_to_mel(torch.from_numpy(tone(1.0, level=1e-3))[None, None])[..., 4:-4]
    assert (full.max() - quiet.max()) == pytest.approx(3.0, abs=0.01)  # 60 dB are three decades
    loudest = full[0, 0, :, 40].argmax()
    assert loudest == quiet[0, 0, :, 40].argmax()


def test_the_loudest_band_rises_with_the_pitch(mel: AudioSpectrogram) -> None:
    bands = [
        int(mel.waveform_to_mel(torch.from_numpy(tone(1.0, hertz=f))[None, None])[0, 0, :, 40].argmax())
        for f in (100.0, 400.0, 1600.0, 6400.0)
    ]
    assert bands == sorted(set(bands))


@pytest.mark.parametrize("seed", range(3))
def test_the_round_trip_keeps_what_the_ear_hears(mel: AudioSpectrogram, seed: int) -> None:
    sound = struck(seed)
    features = mel.waveform_to_mel(sound)
    again = mel.waveform_to_mel(mel.mel_to_waveform(features))
    decibels = 20 * (features - again).abs()
    assert decibels.mean() < 1.5  # the contract's bound on real sounds is 2.0 dB
    quiet = features < -1.0  # under -80 dB: the fade is kept, not covered with hiss
    assert quiet.float().mean() > 0.05
    assert decibels[quiet].mean() < 3.0


def test_the_round_trip_keeps_the_pitch(mel: AudioSpectrogram) -> None:
    sine = torch.from_numpy(tone(1.0, hertz=440.0))[None, None]
    back = mel.mel_to_waveform(mel.waveform_to_mel(sine))[0, 0].numpy()
    assert 1200 * abs(math.log2(loudest_hertz(back) / 440.0)) < 40  # cents; a mel band is wider than that


def test_silence_stays_silent(mel: AudioSpectrogram) -> None:
    back = mel.mel_to_waveform(mel.waveform_to_mel(torch.zeros(2, 1, RATE)))
    assert torch.equal(back, torch.zeros(2, 1, RATE))
    below = mel.mel_to_waveform(torch.full((1, 1, 128, 94), -7.0))
    assert torch.equal(below, torch.zeros(1, 1, RATE))


def test_features_that_a_model_invents_make_finite_sound(mel: AudioSpectrogram) -> None:
    wild = torch.randn(1, 1, 128, 94, generator=torch.Generator().manual_seed(1)) * 20
    assert torch.isfinite(mel.mel_to_waveform(wild)).all()


def test_the_inverse_is_deterministic_and_leaves_the_random_stream_alone(mel: AudioSpectrogram) -> None:
    features = mel.waveform_to_mel(struck(4))
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = mel.mel_to_waveform(features)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(AudioSpectrogram().mel_to_waveform(features), one)


def test_a_row_does_not_depend_on_its_neighbours(mel: AudioSpectrogram) -> None:
    sounds = torch.cat([struck(n, 0.5) for n in range(3)])
    together = mel.waveform_to_mel(sounds)
    for n in range(3):
        torch.testing.assert_close(together[n : n + 1], mel.waveform_to_mel(sounds[n : n + 1]), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "bound"),
    [
        ({"hop_length": 1024}, 3.0),
        ({"n_fft": 512, "hop_length": 256}, 3.0),
        ({"n_fft": 256, "hop_length": 64, "n_mels": 128}, 3.0),  # more bands than bins at the lower end
        ({"power": 2.0}, 3.0),
        ({"sample_rate": 44_100}, 3.0),
        ({"f_min": 200.0, "f_max": 8_000.0, "n_mels": 40}, 3.0),
    ],
)
def test_other_geometries(settings: dict[str, Any], bound: float) -> None:
    config = SpectrogramConfig(**settings)
    mel = AudioSpectrogram(config)
    sound = struck(5, 0.5)
    features = mel.waveform_to_mel(sound)
    assert features.shape == (1, 1, config.n_mels, config.frames(sound.shape[-1]))
    again = mel.waveform_to_mel(mel.mel_to_waveform(features, sound.shape[-1]))
    assert 20 * (features - again).abs().mean() < bound
    assert features.max() > 1.5  # no geometry changes the scale of a loud sound


@pytest.mark.parametrize("shape", [(48_000,), (1, 48_000), (1, 2, 48_000), (1, 1, 0), (1, 1, 1, 48_000)])
def test_a_waveform_of_another_shape_is_refused(mel: AudioSpectrogram, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\[B, 1, N\]"):
        mel.waveform_to_mel(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(128, 94), (1, 128, 94), (1, 2, 128, 94), (1, 1, 64, 94)])
def test_features_of_another_shape_are_refused(mel: AudioSpectrogram, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\[B, 1, 128, T\]"):
        mel.mel_to_waveform(torch.zeros(shape))


def test_a_number_of_samples_that_does_not_fit_the_frames_is_refused(mel: AudioSpectrogram) -> None:
    with pytest.raises(ValueError, match="94"):
        mel.mel_to_waveform(torch.zeros(1, 1, 128, 94), 1000)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"sample_rate": 0}, "sample_rate"),
        ({"n_fft": 1}, "n_fft"),
        ({"hop_length": 0}, "hop_length"),
        ({"hop_length": 1025}, "hop_length"),
        ({"n_mels": 0}, "n_mels"),
        ({"n_mels": 12.5}, "n_mels"),
        ({"f_min": -1.0}, "f_min"),
        ({"f_min": 5_000.0, "sample_rate": 8_000}, "f_min"),
        ({"f_min": 500.0, "f_max": 400.0}, "f_min"),
        ({"f_max": 30_000.0}, "f_max"),
        ({"f_max": "high"}, "f_max"),
        ({"f_max": float("nan")}, "f_max"),
        ({"power": 0.0}, "power"),
    ],
)
def test_a_geometry_that_cannot_be_is_refused(settings: dict[str, Any], name: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{name} must"):
        SpectrogramConfig(**settings)


def test_the_geometry_survives_its_dict() -> None:
    config = SpectrogramConfig(n_fft=1024, hop_length=256, n_mels=64, f_min=50.0, f_max=12_000.0, power=2.0)
    assert SpectrogramConfig.from_dict(config.to_dict()) == config


def test_mel_bands_are_triangles_that_share_each_bin() -> None:
    """The scale is linear below 1000 Hz, and then a factor of 6.4 in 27 mels (Slaney 1998)."""
    config = SpectrogramConfig(f_min=0.0, f_max=20_000.0)
    bank = AudioSpectrogram(config).transform.bank(torch.device("cpu")).double()
    hertz = torch.arange(len(bank)) * config.sample_rate / config.n_fft
    peaks = (bank * hertz[:, None]).sum(0) / bank.sum(0)  # centres of gravity
    between = (hertz > float(peaks[0])) & (hertz < float(peaks[-1]))
    assert torch.allclose(bank[between].sum(1), torch.ones(1, dtype=torch.double), atol=1e-3)
    bends = int((peaks < 1000).sum())
    steps, ratios = peaks.diff(), peaks[1:] / peaks[:-1]
    mels = float(steps[2 : bends - 2].mean()) / (200 / 3)
    assert float(ratios[bends + 2 : -2].log().mean()) == pytest.approx(mels * np.log(6.4) / 27, rel=0.01)
