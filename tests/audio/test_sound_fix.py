"""Fixes change what is decoded, under cache files of their own, and never the user's files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from distill.audio.cache.sound_cache import CachedSound, SoundCache
from distill.audio.decoding.hum import HumFilter, find_hum
from distill.audio.decoding.sound_fix import SoundFix
from distill.errors import SoundError

RATE = 48_000
BOTH = SoundFix(trims=True, weight=0.5)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A stereo sound whose channels differ, between half a second of silence and more."""
    t = np.arange(RATE) / RATE
    sound = (
        np.stack([0.8 * np.sin(2 * np.pi * 440 * t), 0.5 * np.sin(2 * np.pi * 660 * t)], 1) * np.exp(-6 * t)[:, None]
    )
    path = tmp_path / "sound.wav"
    soundfile.write(path, np.pad(sound, ((RATE // 2, RATE // 2), (0, 0))), RATE, subtype="FLOAT")
    return path


@pytest.fixture
def humming(tmp_path: Path, file: Path) -> Path:
    """The same with a hum from its beginning to its end."""
    at = np.arange(2 * RATE) / RATE
    path = tmp_path / "humming.wav"
    hum = 0.02 * np.sin(2 * np.pi * 50 * at)
    soundfile.write(path, soundfile.read(file)[0] + hum[:, None], RATE, subtype="FLOAT")
    return path


def fixed(tmp_path: Path, file: Path, fix: SoundFix) -> CachedSound:
    plain = SoundCache(tmp_path / "cache")
    return SoundCache(tmp_path / "cache", fixes={plain.content_hash(file): fix}).get(file)


@pytest.mark.parametrize("fix", [SoundFix(channel=1), SoundFix(hum_hz=50.0), SoundFix(channel=0, hum_hz=50.0)])
def test_a_fix_changes_the_samples_and_what_is_computed_from_them(tmp_path: Path, humming: Path, fix: SoundFix) -> None:
    file = humming
    before = file.read_bytes()
    plain, other = SoundCache(tmp_path / "cache").get(file), fixed(tmp_path, file, fix)

    def mean(sound: CachedSound) -> Any:
        return lambda: np.array([np.abs(sound.read(0, sound.samples)).mean()], np.float32)

    assert plain.derived("mean", mean(plain)) != other.derived("mean", mean(other))
    assert not np.array_equal(plain.read(0, plain.samples), other.read(0, plain.samples))
    assert (other.content_hash, other.audio_hash) == (plain.content_hash, plain.audio_hash)
    assert file.read_bytes() == before
    again = SoundCache(tmp_path / "cache").get(file)  # without the fix: as before
    assert np.array_equal(again.read(0, again.samples), plain.read(0, plain.samples))


def test_silence_is_trimmed(tmp_path: Path, file: Path) -> None:
    sound = fixed(tmp_path, file, SoundFix(trims=True))
    assert abs(sound.start - RATE // 2) <= RATE // 50
    assert sound.samples < 1.3 * RATE


def test_a_fix_is_found_by_the_audio_too(tmp_path: Path, file: Path) -> None:
    """Other tags give another file, and a run still has the fixes that it was begun with."""
    audio = SoundCache(tmp_path / "cache").get(file).audio_hash
    assert SoundCache(tmp_path / "cache", fixes={audio: BOTH}).get(file).weight == 0.5


def test_a_channel_that_is_not_there_is_refused(tmp_path: Path, file: Path) -> None:
    with pytest.raises(SoundError, match="no channel 3"):
        fixed(tmp_path, file, SoundFix(channel=2))


def test_hum_is_removed_and_a_bass_stays() -> None:
    t = np.arange(4 * RATE) / RATE
    bass = (0.5 * np.sin(2 * np.pi * 82 * t) * np.exp(-3 * (t % 1))).astype(np.float32)
    hum = (0.02 * np.sin(2 * np.pi * 60.03 * t + 1) + 0.01 * np.sin(2 * np.pi * 180.09 * t)).astype(np.float32)
    assert find_hum(bass + hum, RATE)[0] == 60.0
    cleaned = np.concatenate(list(HumFilter(60.0, RATE).filter(np.array_split(bass + hum, 23))))
    assert cleaned.shape == bass.shape
    assert np.square(cleaned - bass).mean() < 0.1 * np.square(hum).mean()
    assert find_hum(bass, RATE)[2] == 0
    untouched = np.concatenate(list(HumFilter(60.0, RATE).filter([bass])))
    assert np.square(untouched - bass).mean() < 1e-6


def test_a_fix_survives_json_and_damage_is_refused() -> None:
    fix = SoundFix(trims=True, channel=1, hum_hz=60.0, weight=0.25)
    assert SoundFix.from_dict({**fix.to_dict(), "unknown": 1}) == fix
    assert fix.without(SoundFix(hum_hz=60.0)) == SoundFix(trims=True, channel=1, weight=0.25)
    for damaged in ({"weight": 0}, {"channel": -1}, {"hum_hz": "50"}, {"trims": 1}):
        with pytest.raises((TypeError, ValueError)):
            SoundFix.from_dict(damaged)
