"""Versions of a stereo sound keep its image."""

import numpy as np
import pytest

from distill.models.stereo.stereo_variations import StereoSource
from tests.audio.test_stereo import RATE, noise, panned, wide


class TestStereoSource:
    def test_an_extension_keeps_the_sound_and_its_place(self) -> None:
        channels = panned(noise(10), -0.6)
        source = StereoSource.of(channels)
        longer = np.concatenate([source.base, 0.7 * noise(11)])
        made = source.extended(longer)
        np.testing.assert_allclose(made[:, :RATE], channels, atol=1e-6)
        levels = (made[:, RATE:] ** 2).sum(1)
        expected = (channels**2).sum(1)
        assert 10 * np.log10(levels[0] / levels[1]) == pytest.approx(10 * np.log10(expected[0] / expected[1]), abs=0.5)

    def test_repainting_changes_the_part_alone(self) -> None:
        channels = wide(0.7)
        source = StereoSource.of(channels)
        mono = source.base.copy()
        mono[12_000:24_000] = noise(12)[:12_000]
        made = source.repainted(mono, 12_000, 24_000)
        outside = np.r_[0:12_000, 24_000:RATE]
        np.testing.assert_allclose(made[:, outside], channels[:, outside], atol=1e-6)
        part = made[:, 12_500:23_500]
        wanted = np.corrcoef(*channels[:, 12_500:23_500]).min()
        assert np.corrcoef(*part).min() == pytest.approx(wanted, abs=0.1)
