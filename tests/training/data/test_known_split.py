"""What a model knows is not held out, and what it was tested with is not trained on."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from distill.audio.cache.sound_cache import CachedSound, SoundCache
from distill.audio.decoding.mono_decoder import SAMPLE_RATE
from distill.audio.export import write_wav
from distill.config.training import TrainingConfig
from distill.runs.run_record import RunRecord
from distill.training.data.known_split import KnownSplit, is_tested_by_known, split_of_chain, split_with
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


def test_a_copy_of_a_divided_sound_is_on_neither_side(tmp_path: Path) -> None:
    long, copy = tmp_path / "long.wav", tmp_path / "copy.wav"
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 20 * SAMPLE_RATE)
    write_wav(long, samples)
    soundfile.write(copy, 0.7 * samples, SAMPLE_RATE, subtype="PCM_24")
    cache = SoundCache(tmp_path / "cache")
    known = KnownSplit.of(*split_sounds([cache.get(long)], 0.2, CHUNK))
    learnt, tested = split_with(known, [cache.get(long), cache.get(copy)], 0.2, CHUNK)
    assert sources(learnt) == sources(tested) == {long}


def test_what_an_earlier_run_of_a_chain_was_trained_on_stays_known(many: list[CachedSound]) -> None:
    first = KnownSplit.of(*split_sounds(many[:8], 0.25, CHUNK))
    second = KnownSplit.of(*split_with(first, many[8:], 0.25, CHUNK)).after(first)
    learnt, tested = split_with(second, many, 0.25, CHUNK)
    train, val = split_sounds(many[:8], 0.25, CHUNK)
    assert sources(train) <= sources(learnt)
    assert sources(val) <= sources(tested)
    assert not is_tested_by_known(second, tested)
    assert second.after(second) == second
    assert first.after(None) is first


def test_what_any_run_of_a_chain_was_trained_on_counts_as_that() -> None:
    both = frozenset("ab")
    earlier = KnownSplit(trained=frozenset("a"), held_out=frozenset("b"), divided={"c": (5, 7), "d": (5, 7)})
    later = KnownSplit(frozenset("b"), frozenset("ac"), {"d": (3, 9), "e": (1, 2)}, previewed=("a",))
    chain = later.after(earlier)
    assert chain == KnownSplit(both, frozenset(), {"c": (5, 7), "d": (5, 9), "e": (1, 2)}, ("a",))
    assert KnownSplit.from_dict(chain.to_dict()) == chain


def test_a_chain_does_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distill.training.data.known_split._MOST_KEYS", 10)
    chain = KnownSplit()
    for run in range(5):
        own = frozenset(f"{run} {number}" for number in range(4))
        chain = KnownSplit(own).after(chain)
        assert own <= chain.trained
        assert len(chain.trained) == min(10, 4 * (run + 1))
    assert KnownSplit(frozenset(map(str, range(20)))).after(chain).trained == frozenset(map(str, range(20)))


@pytest.mark.parametrize("data", [None, [], {"trained": []}, {"trained": [], "held_out": [], "divided": {"a": [2, 1]}}])
def test_what_is_damaged_is_not_known(data: object) -> None:
    assert KnownSplit.from_dict(data) is None


def test_a_record_knows_the_runs_that_its_run_came_from() -> None:
    record = RunRecord(TrainingConfig(), [], split=KnownSplit(frozenset("b"), frozenset("c")).to_dict())
    assert split_of_chain(record) == KnownSplit.from_dict(record.split)
    record.origin = {"name": "first", "split": KnownSplit(frozenset("a")).to_dict()}
    assert split_of_chain(record) == KnownSplit(frozenset("ab"), frozenset("c"))
    record.split = None
    assert split_of_chain(record) is None
