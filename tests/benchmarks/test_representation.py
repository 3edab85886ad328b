"""How long it takes from features to sound, and what the way there and back costs."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from distill.audio import AudioSpectrogram, ComplexSpectrogram
from distill.audio.cache.sound_cache import SoundCache
from distill.audio.griffin_lim import griffin_lim, random_phase
from distill.audio.stft_and_mel import from_decades
from distill.config.factory import make_config
from distill.config.family_catalog import FAMILIES
from distill.models.families import make_family
from distill.training.dataset import AudioTrainingDataset, prepare_sounds
from tests.benchmarks.conftest import Report

pytestmark = pytest.mark.benchmark

#: Griffin-Lim iterations of the inversion that the complex one is compared with.
_ITERATIONS = 64


def median_ms(work: Callable[[], object], rounds: int = 7) -> float:
    work()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def test_the_complex_inversion_against_a_long_griffin_lim(bench_sounds: list[Path], report: Report) -> None:
    chunks = AudioTrainingDataset(prepare_sounds(bench_sounds, SoundCache()).sounds)
    waves = torch.stack([chunks[i] for i in range(min(16, len(chunks)))])
    mel, two = AudioSpectrogram(), ComplexSpectrogram()
    bands, spec = from_decades(mel.waveform_to_mel(waves)[:, 0]), two.waveform_to_complex_mel(waves)

    def long_way() -> None:
        magnitude = mel.transform.from_bands(bands)
        phase = random_phase(*magnitude.shape[-2:])
        griffin_lim(mel.transform, magnitude, torch.polar(torch.ones_like(phase), phase), 48_000, _ITERATIONS)

    slow, fast = median_ms(long_way, 3), median_ms(lambda: two.complex_mel_to_waveform(spec))
    report(
        f"a chunk: {fast / len(waves):.1f} ms; with {_ITERATIONS} Griffin-Lim iterations {slow / len(waves):.1f} ms, "
    )
    report(f"{slow / fast:.1f} times as long")
    assert slow > 4 * fast


@pytest.mark.parametrize("family", [row.key for row in FAMILIES if row.makes_new_sounds])
def test_one_preview(family: str, report: Report) -> None:
    made = make_family(make_config(family, 100))
    model = made.build().eval()
    made.fit_statistics(model, made.features(0.1 * torch.randn(8, 1, 48_000)))

    def preview() -> None:
        with torch.no_grad():
            points = torch.zeros(1, made.point_dim(model))
            made.to_waveform(made.from_points(model, points), 48_000)

    taken = median_ms(preview)
    report(f"{family}: {taken:.0f} ms from a latent to a second of sound")
    assert taken < 1000  # faster than it plays
