"""Loudness against what the standard says, and the gains that make two sounds equally loud."""

import numpy as np
import pytest

from distill.playback.loudness import loudness, matching_gains
from tests.playback.listening import Floats, noise


def sine(hertz: float, seconds: float, sample_rate: int = 48_000, channels: int = 1) -> Floats:
    turn = 2 * np.pi * hertz * np.arange(round(seconds * sample_rate)) / sample_rate
    return np.repeat(np.sin(turn).astype(np.float32)[:, np.newaxis], channels, axis=1)


@pytest.mark.parametrize("sample_rate", [44_100, 48_000, 96_000])
def test_a_full_scale_tone_has_the_loudness_of_the_standard(sample_rate: int) -> None:
    """BS.1770-4: 997 Hz at 0 dBFS in one channel reads -3.01 LKFS; EBU Tech 3341: -23 dBFS in both reads -23."""
    assert loudness(sine(997, 2.0, sample_rate), sample_rate) == pytest.approx(-3.01, abs=0.03)
    stereo = 10 ** (-23 / 20) * sine(1000, 2.0, sample_rate, 2)
    assert loudness(stereo.astype(np.float32), sample_rate) == pytest.approx(-23.0, abs=0.1)


def test_high_tones_count_more_and_a_rumble_hardly() -> None:
    middle, high, rumble = (loudness(sine(hertz, 2.0), 48_000) for hertz in (1000, 8000, 20))
    assert high - middle == pytest.approx(3.3, abs=0.3)
    assert rumble < middle - 10


def test_silence_after_a_sound_does_not_make_it_quieter() -> None:
    tone = sine(1000, 2.0)
    with_silence = np.concatenate([tone, np.zeros((48_000 * 6, 1), np.float32)])
    assert loudness(with_silence, 48_000) == pytest.approx(loudness(tone, 48_000), abs=0.7)


def test_a_click_and_silence_have_a_loudness_too() -> None:
    assert np.isfinite(loudness(noise(0.01), 48_000))
    assert loudness(np.zeros((48_000, 2), np.float32), 48_000) == -np.inf
    assert loudness(np.zeros((1, 1), np.float32), 48_000) == -np.inf


def test_only_the_louder_one_is_turned_down() -> None:
    np.testing.assert_allclose(matching_gains(-20.0, -26.0), (10 ** (-6 / 20), 1.0))
    np.testing.assert_allclose(matching_gains(-26.0, -20.0), (1.0, 10 ** (-6 / 20)))
    assert matching_gains(-np.inf, -20.0) == (1.0, 1.0)
    assert min(matching_gains(-70.0, 0.0)) == pytest.approx(10 ** (-30 / 20))  # next to silence: not that far
