"""Silence is left out of what is trained on; the tail of a sound is not."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from distill.audio.cache.sound_cache import CachedSound, SoundCache
from distill.training.data.audible_regions import Region, chunk_starts, kept_seconds, silence_note, sound_regions
from distill.training.dataset import AudioTrainingDataset

RATE = CHUNK = 48_000


def of_parts(path: Path, parts: list[tuple[float, str]], noise_db: float | None = None) -> CachedSound:
    """A sound of stretches: seconds and ``on``, ``off`` or ``decay`` (a reverb tail from -20 to -74 dB)."""
    pieces = []
    for seconds, kind in parts:
        t = np.arange(round(seconds * RATE)) / RATE
        wave = 0.5 * np.sin(2 * np.pi * 440 * t)
        decay = 10 ** (-(20 + 54 * t / max(seconds, 1e-9)) / 20)
        level = decay if kind == "decay" else np.full(len(t), float(kind == "on"))
        pieces.append(wave * level)
    audio = np.concatenate(pieces)
    if noise_db is not None:
        audio = audio + 10 ** (noise_db / 20) * np.random.default_rng(1).uniform(-1, 1, len(audio))
    soundfile.write(path, audio, RATE, subtype="FLOAT")
    return SoundCache(path.parent / "cache").get(path)


@pytest.mark.parametrize(
    ("parts", "noise_db", "chunks", "first"),
    [
        ([(5.0, "off"), (0.5, "on")], None, 1, 5.0),  # silence in front
        ([(0.5, "on"), (5.0, "off")], None, 1, 0.0),  # behind
        ([(2.0, "on"), (7.0, "off"), (2.0, "on")], None, 4, 0.0),  # within
        ([(0.4, "on"), (0.8, "off"), (0.4, "on")], None, 2, 0.0),  # too short to be left out
        ([(0.5, "on")], None, 1, 0.0),
        ([(0.8, "on"), (0.15, "off")], None, 1, 0.0),  # the tail of a one-shot
        ([(3.0, "on")], None, 3, 0.0),
        ([(0.5, "on"), (2.0, "decay"), (6.0, "off")], None, 3, 0.0),  # a reverb is no silence
        ([(4.0, "off"), (1.0, "on"), (4.0, "off")], -70.0, 2, 4.0),  # the noise of a recorder is
        ([(0.3, "off"), (0.3, "on")], None, 1, 0.0),
        ([(30.0, "off"), (0.2, "on"), (30.0, "off"), (0.2, "on"), (30.0, "off")], None, 2, 30.0),
    ],
)
def test_what_is_trained_on(
    tmp_path: Path, parts: list[tuple[float, str]], noise_db: float | None, chunks: int, first: float
) -> None:
    sound = of_parts(tmp_path / "a.wav", parts, noise_db)
    regions = sound_regions(sound, CHUNK)
    starts = chunk_starts(regions, CHUNK)
    assert len(starts) == chunks
    assert starts[0] / RATE == pytest.approx(first, abs=0.011)
    for start in starts:
        assert np.abs(sound.read(start, CHUNK)).max() > 1e-4
    audible = np.flatnonzero(sound.envelope() >= 1e-2) * 480
    covered = np.zeros(sound.samples + CHUNK, bool)
    for start in starts:
        covered[start : start + CHUNK] = True
    assert covered[audible].all()


def test_an_older_run_has_all_of_it(tmp_path: Path) -> None:
    path = of_parts(tmp_path / "a.wav", [(5.0, "off"), (0.5, "on")]).source
    old = SoundCache(tmp_path / "cache", preparation=1).get(path)
    assert sound_regions(old, CHUNK) == [Region(0, old.samples, 6)]


def test_the_data_set_has_these_chunks(tmp_path: Path) -> None:
    sounds = [
        of_parts(tmp_path / "a.wav", [(5.0, "off"), (0.5, "on")]),
        of_parts(tmp_path / "b.wav", [(2.0, "on"), (4.0, "off"), (1.5, "on")]),
    ]
    data = AudioTrainingDataset(sounds)
    assert len(data) == data.chunks == 5
    peaks = [float(data[item].abs().max()) for item in range(5)]
    assert min(peaks) > 0.9
    assert [sound.source.name for sound in data.sounds] == ["a.wav", "b.wav", "b.wav"]
    np.testing.assert_array_equal(data[3].numpy()[0], sounds[1].read(sound_regions(sounds[1], CHUNK)[1].start, CHUNK))


def test_what_was_skipped_is_said(tmp_path: Path) -> None:
    sounds = [of_parts(tmp_path / f"{n}.wav", [(5.0, "off"), (0.5, "on")]) for n in range(2)]
    assert silence_note(sounds, CHUNK) == "Silence is not trained on: 10.0 s of 11.0 s are skipped."
    assert silence_note([of_parts(tmp_path / "c.wav", [(3.0, "on")])], CHUNK) == ""
    assert kept_seconds(sounds[0], CHUNK) == pytest.approx(0.52, abs=0.03)
