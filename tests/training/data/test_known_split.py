"""What a model knows is not held out, and what it was tested with is not trained on."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from distill.audio.cache.sound_cache import CachedSound, SoundCache
from distill.audio.decoding.sound_file import SAMPLE_RATE, write_wav
from distill.training.data.known_split import KnownSplit, is_tested_by_known, split_with
from distill.training.data.split import split_sounds
from tests.training.conftest import tone

CHUNK = SAMPLE_RATE


@pytest.fixture
def many(tmp_path: Path) -> list[CachedSound]:
    cache, made = SoundCache(tmp_path / "cache"), []
    for number in range(14):
        path = tmp_path / f"{number}.wav"
        write_wav(path, tone(number, 0.3))
        made.append(cache.get(path))
    return made


def sources(sounds: list[CachedSound]) -> set[Path]:
    return {sound.source for sound in sounds}


def test_known_sounds_stay_on_their_side_and_new_ones_are_split(many: list[CachedSound]) -> None:
    train, val = split_sounds(many[:8], 0.25, CHUNK)
    known = KnownSplit.from_dict(KnownSplit.of(train, val).to_dict())
    assert known is not None
    learnt, tested = split_with(known, many, 0.25, CHUNK)
    assert sources(train) <= sources(learnt)
    assert sources(val) <= sources(tested)
    assert sources(learnt) | sources(tested) == sources(many)
    assert sources(tested) - sources(val)  # of the new ones too
    assert not is_tested_by_known(known, tested)
    few, still = split_with(known, many[:9], 0.25, CHUNK)
    assert sources(still) == sources(val)
    assert many[8].source in sources(few)


def test_a_copy_in_another_format_goes_with_the_sound_that_is_known(many: list[CachedSound], tmp_path: Path) -> None:
    train, val = split_sounds(many[:8], 0.25, CHUNK)
    copy = tmp_path / "copy.flac"
    soundfile.write(copy, soundfile.read(val[0].source)[0], SAMPLE_RATE)
    copied = SoundCache(tmp_path / "cache").get(copy)
    _, tested = split_with(KnownSplit.of(train, val), [*many[:8], copied], 0.25, CHUNK)
    assert copy in sources(tested)


def test_sounds_that_are_all_known_are_said_to_be(many: list[CachedSound]) -> None:
    train, val = split_sounds(many[:8], 0.25, CHUNK)
    known = KnownSplit.of(train, val)
    _, tested = split_with(known, train, 0.25, CHUNK)  # what was held out is gone
    assert is_tested_by_known(known, tested)


def test_the_end_of_a_divided_sound_stays_held_out(tmp_path: Path) -> None:
    paths = [tmp_path / "long.wav", tmp_path / "other.wav"]
    for number, path in enumerate(paths):
        write_wav(path, np.random.default_rng(number).uniform(-0.5, 0.5, 20 * SAMPLE_RATE))
    cache = SoundCache(tmp_path / "cache")
    train, val = split_sounds([cache.get(paths[0])], 0.2, CHUNK)
    known = KnownSplit.of(train, val)
    assert known.divided
    learnt, tested = split_with(known, [cache.get(path) for path in paths], 0.2, CHUNK)
    [before] = [sound for sound in learnt if sound.source == paths[0]]
    [after] = [sound for sound in tested if sound.source == paths[0]]
    assert before.start + before.samples <= train[0].start + train[0].samples
    assert after.start >= val[0].start - 480


@pytest.mark.parametrize("data", [None, [], {"trained": []}, {"trained": [], "held_out": [], "divided": {"a": [2, 1]}}])
def test_what_is_damaged_is_not_known(data: object) -> None:
    assert KnownSplit.from_dict(data) is None
