"""The demo sounds: there, whole, varied, clean, and the same every time."""

import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from distill import paths
from distill.audio.cache.sound_cache import SoundCache
from distill.audio.demo import synth
from distill.audio.demo.demo_sounds import write_demo_sounds
from distill.audio.sound_scan import check_sounds, scan_sounds
from tests.audio.conftest import loudest_hertz


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    start = time.process_time()
    write_demo_sounds(folder)
    assert time.process_time() - start < 6.0  # half of that where nothing else runs
    return folder


def test_they_are_a_corpus(folder: Path) -> None:
    result = scan_sounds([folder])
    assert 16 <= len(result.entries) <= 24
    assert not result.skipped
    assert {e.sample_rate for e in result.entries} == {48_000}
    assert {e.channels for e in result.entries} == {1, 2}
    assert all(0.29 <= e.duration_s <= 4.01 for e in result.entries)
    reasons: list[str | None] = []
    check_sounds(result.entries, SoundCache(), lambda entry, reason: reasons.append(reason))
    assert reasons == [None] * len(result.entries)


def test_they_are_clean(folder: Path) -> None:
    for path in folder.iterdir():
        audio, _ = soundfile.read(path, always_2d=True)
        assert 0.85 < np.abs(audio).max() < 0.95, path.name
        assert np.abs(audio.mean(axis=0)).max() < 1e-3, path.name  # no direct current
        assert np.abs(audio[[0, -1]]).max() < 2e-3, path.name  # no click
        assert 20 * np.log10(np.sqrt((audio**2).mean())) > -26, path.name


def test_they_differ(folder: Path) -> None:
    bands = []
    for path in sorted(folder.iterdir()):
        audio = soundfile.read(path, always_2d=True)[0].mean(axis=1)
        power = np.abs(np.fft.rfft(audio, 192_000)) ** 2
        edges = np.geomspace(40, 90_000, 24).astype(int)
        level = np.log10(np.add.reduceat(power, edges) + 1e-6)
        bands.append(np.append(level - level.mean(), len(audio) / 48_000))
    distance = np.linalg.norm(np.array(bands)[:, None] - np.array(bands)[None], axis=2)
    assert distance[np.triu_indices(len(bands), 1)].min() > 1.0


def test_they_are_written_once_and_the_same(folder: Path, tmp_path: Path) -> None:
    files = write_demo_sounds()
    assert {f.parent for f in files} == {paths.demo_dir()}
    stamps = {f: f.stat().st_mtime_ns for f in files}
    damaged, *others = files
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:1000])
    assert write_demo_sounds() == files
    assert damaged.read_bytes() == whole
    assert {f: f.stat().st_mtime_ns for f in others} == {f: stamps[f] for f in others}
    for file in files:
        assert file.read_bytes() == (folder / file.name).read_bytes()


@pytest.mark.parametrize("hertz", [82.41, 261.63, 440.0, 659.26])
def test_strings_are_in_tune(hertz: float) -> None:
    string = synth.plucked(hertz, 2.0, 0.6, np.random.default_rng(1))
    lowest = synth.shaped(string, synth.band(hertz * 0.8, hertz * 1.2, 6.0)).astype(np.float32)
    assert 1200 * abs(np.log2(loudest_hertz(lowest) / hertz)) < 4  # cents


def test_a_moving_filter_that_stands_still_is_a_filter() -> None:
    noise = np.random.default_rng(1).standard_normal(48_000)
    still = synth.swept(noise, np.full(48_000, 1e9))
    np.testing.assert_allclose(still, noise, atol=1e-9)
    dark = np.abs(np.fft.rfft(synth.swept(noise, np.full(48_000, 1000.0)))) / np.abs(np.fft.rfft(noise))
    assert np.median(dark[100:300]) == pytest.approx(1, abs=0.02)
    assert np.median(dark[7900:8100]) == pytest.approx(1 / 64, rel=0.1)
