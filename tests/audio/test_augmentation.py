"""What each augmentation does to a sine, and that a pipeline is a pure function of sound and generator."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from distill.audio import AugmentationPipeline
from distill.audio.augmentation import add_noise, apply_gain, change_speed, pitch_shift
from tests.audio.conftest import loudest_hertz, tone

RATE = 48_000


def sine(seconds: float = 1.0, hertz: float = 1000.0) -> Tensor:
    return torch.from_numpy(tone(seconds, hertz=hertz))[None]


def cents(audio: Tensor, hertz: float) -> float:
    return 1200 * math.log2(loudest_hertz(audio[0].numpy()) / hertz)


def decibels(audio: Tensor) -> float:
    return 20 * math.log10(float(audio.square().mean().sqrt()))


@pytest.mark.parametrize("semitones", [-12.0, -2.0, -0.5, 0.0, 0.7, 2.0, 12.0])
@pytest.mark.parametrize("hertz", [220.0, 1000.0, 5000.0])
def test_pitch_shift_moves_the_pitch_and_nothing_else(semitones: float, hertz: float) -> None:
    shifted = pitch_shift(sine(hertz=hertz), semitones)
    assert shifted.shape == (1, RATE)
    assert cents(shifted, hertz) == pytest.approx(100 * semitones, abs=5)
    assert decibels(shifted[:, 4800:-4800]) == pytest.approx(decibels(sine()[:, 4800:-4800]), abs=1.0)


def test_pitch_shift_keeps_the_time() -> None:
    clicks = torch.zeros(1, RATE)
    clicks[:, 12_000:12_200] = sine()[:, :200]
    clicks[:, 36_000:36_200] = sine()[:, :200]
    energy = pitch_shift(clicks, 2.0).square()[0]
    centres = [
        float((energy[lo:hi] * torch.arange(lo, hi)).sum() / energy[lo:hi].sum())
        for lo, hi in ((0, 24_000), (24_000, RATE))
    ]
    assert centres[0] == pytest.approx(12_100, abs=480)  # 10 ms
    assert centres[1] == pytest.approx(36_100, abs=480)


@pytest.mark.parametrize("factor", [0.9, 0.94, 1.0, 1.06, 1.5])
def test_speed_moves_pitch_and_length_together(factor: float) -> None:
    changed = change_speed(sine(), factor)
    assert changed.shape == (1, RATE)
    end = min(RATE, round(RATE / factor))
    assert cents(changed[:, : end - 100], 1000.0) == pytest.approx(1200 * math.log2(factor), abs=3)
    assert decibels(changed[:, 2000 : end - 2000]) == pytest.approx(decibels(sine()), abs=0.1)
    assert changed[:, end + 100 :].abs().amax(-1) < 1e-3 if end + 100 < RATE else True


@pytest.mark.parametrize("snr_db", [0.0, 20.0, 40.0, 60.0])
def test_noise_has_the_ratio_that_it_says(snr_db: float) -> None:
    sound = sine()
    noise = add_noise(sound, snr_db, np.random.default_rng(0)) - sound
    assert decibels(sound) - decibels(noise) == pytest.approx(snr_db, abs=0.2)
    spectrum = torch.fft.rfft(noise[0]).abs().square()
    halves = spectrum[:12_000].sum() / spectrum[12_000:].sum()
    assert halves == pytest.approx(1.0, abs=0.1)  # white


def test_noise_ends_where_the_recording_ends() -> None:
    rows = torch.zeros(3, RATE)
    rows[0, :12_000] = sine()[0, :12_000]
    rows[1] = sine()[0]
    noisy = add_noise(rows, 20.0, np.random.default_rng(0))
    end = int(rows[0].nonzero().max()) + 1
    assert torch.equal(noisy[0, end:], torch.zeros(RATE - end))
    assert decibels(rows[0, :end]) - decibels((noisy - rows)[0, :end]) == pytest.approx(20.0, abs=0.3)
    assert (noisy - rows)[1, -100:].abs().max() > 0
    assert torch.equal(noisy[2], rows[2])  # silence stays silent


@pytest.mark.parametrize("gain_db", [-8.0, 0.0, 2.0])
def test_gain(gain_db: float) -> None:
    assert decibels(apply_gain(sine(), gain_db)) == pytest.approx(decibels(sine()) + gain_db, abs=1e-3)


def test_a_pipeline_is_a_pure_function_of_sound_and_generator() -> None:
    pipeline = AugmentationPipeline(probability=1.0)
    sound = sine()[None]
    torch.manual_seed(0)
    torch_stream, numpy_stream = torch.get_rng_state(), repr(np.random.get_state(legacy=False))
    one = pipeline(sound, np.random.default_rng(7))
    assert torch.equal(pipeline(sound, np.random.default_rng(7)), one)
    assert not torch.allclose(pipeline(sound, np.random.default_rng(8)), one)
    assert torch.equal(torch.get_rng_state(), torch_stream)
    assert repr(np.random.get_state(legacy=False)) == numpy_stream
    assert torch.equal(sound, sine()[None])  # the original is not written to


@pytest.mark.parametrize("samples", [1, 300, 2048, RATE, 3 * RATE + 17])
@pytest.mark.parametrize("rows", [1, 3])
def test_shapes(samples: int, rows: int) -> None:
    sound = sine(4.0)[:, :samples].expand(rows, samples)[:, None]
    changed = AugmentationPipeline(probability=1.0)(sound, np.random.default_rng(0))
    assert changed.shape == (rows, 1, samples)
    assert changed.dtype == torch.float32
    assert torch.isfinite(changed).all()


def test_the_padding_behind_a_short_sound_stays_silent() -> None:
    sound = torch.zeros(1, 1, RATE)
    sound[..., :10_000] = sine()[:, :10_000]
    pipeline = AugmentationPipeline(probability=1.0, speed_change=0.06)
    for seed in range(6):
        changed = pipeline(sound, np.random.default_rng(seed))
        assert changed[..., :9_000].abs().max() > 0.05
        assert changed[..., 10_000 * 100 // 94 + 1 :].abs().max() == 0


@pytest.mark.parametrize("only", ["pitch", "speed", "noise", "gain"])
def test_all_four_are_really_drawn(only: str) -> None:
    """With the others switched off, each still changes the sound, and differently from call to call."""
    pipeline = AugmentationPipeline(
        pitch_semitones=2.0 if only == "pitch" else 0.0,
        speed_change=0.06 if only == "speed" else 0.0,
        snr_db=(10.0, 30.0) if only == "noise" else (300.0, 300.0),
        gain_db=(-8.0, 2.0) if only == "gain" else (0.0, 0.0),
        probability=1.0,
    )
    sound = sine()[None]
    made = [pipeline(sound, np.random.default_rng(seed))[0] for seed in range(8)]
    figures = {
        "pitch": [cents(m, 1000.0) for m in made],
        "speed": [cents(m[:, : RATE * 94 // 106], 1000.0) for m in made],
        "noise": [-decibels(m - sound[0]) for m in made],
        "gain": [decibels(m) for m in made],
    }[only]
    spans = {"pitch": (200, 120), "speed": (105, 50), "noise": (40, 5), "gain": (20, 3)}
    most, spread = spans[only]
    assert max(figures) - min(figures) > spread
    assert all(abs(f) <= most + 5 for f in figures)


def test_probability_zero_leaves_only_the_gain() -> None:
    pipeline = AugmentationPipeline(probability=0.0, gain_db=(-6.0, -6.0))
    changed = pipeline(sine()[None], np.random.default_rng(0))
    torch.testing.assert_close(changed, apply_gain(sine()[None], -6.0))


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"probability": 1.5}, "probability"),
        ({"pitch_semitones": -1.0}, "pitch_semitones"),
        ({"speed_change": 0.9}, "speed_change"),
        ({"snr_db": (40.0, 20.0)}, "snr_db"),
        ({"gain_db": (2.0, -2.0)}, "gain_db"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, float], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        AugmentationPipeline(**settings)  # type: ignore[arg-type]


def test_the_fingerprint_tells_pipelines_apart() -> None:
    assert AugmentationPipeline().fingerprint() == AugmentationPipeline().fingerprint()
    assert AugmentationPipeline().fingerprint() != AugmentationPipeline(gain_db=(-8.0, 3.0)).fingerprint()
