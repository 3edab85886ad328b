"""The sounds of the previews: both parts of a divided sound have one path, and are told apart all the same."""

from pathlib import Path

import numpy as np
import pytest

from distill.audio.cache.sound_cache import CachedSound, SoundCache
from distill.audio.export import write_wav
from distill.config.training import TrainingConfig
from distill.runs.run_record import RunRecord
from distill.training.data.preview_choice import choose_previews, preview_sounds
from tests.training.conftest import tone


@pytest.fixture
def parts(tmp_path: Path) -> list[CachedSound]:
    """The held-out and the trained part of two sounds, in turn."""
    cache, found = SoundCache(), []
    for number in range(2):
        path = tmp_path / f"long {number}.wav"
        write_wav(path, np.concatenate([tone(10 * number + part) for part in range(3)]))
        sound = cache.get(path)
        found += [sound.part(96_000, sound.samples), sound.part(0, 48_000)]
    return found


def heard(parts: list[CachedSound], previewed: list[int], trained: list[int]) -> list[int]:
    """Return which parts a resumed run previews, where so many of its record are and these numbers are trained on."""
    record = RunRecord(TrainingConfig(), [], preview_sounds=[parts[number].source for number in previewed],
                       preview_training=trained)  # fmt: skip
    return [parts.index(sound) for sound in preview_sounds(record, None, parts[::2], parts[1::2])]


@pytest.mark.parametrize("previewed", [[0, 1], [0, 3], [2, 1]])
def test_a_resumed_run_previews_the_parts_that_it_did(parts: list[CachedSound], previewed: list[int]) -> None:
    assert heard(parts, [], []) == [0, 1]
    assert heard(parts, previewed, [1]) == previewed


def test_in_older_records_the_second_part_of_a_sound_is_trained_on(parts: list[CachedSound]) -> None:
    assert heard(parts, [2, 3], []) == [2, 3]
    assert heard(parts, [2, 1], []) == [2, 0]


def test_sounds_that_are_gone_are_not_previewed(parts: list[CachedSound]) -> None:
    record = RunRecord(TrainingConfig(), [], preview_sounds=[Path("/gone.wav"), parts[3].source], preview_training=[1])
    assert preview_sounds(record, None, parts[::2], parts[1::2]) == [parts[0], parts[1]]


def test_the_record_says_what_is_previewed_and_which_of_it_is_trained_on(parts: list[CachedSound]) -> None:
    record = RunRecord(TrainingConfig(), [])
    chosen = choose_previews(record, None, parts[::2], parts[1::2])
    assert chosen == [parts[0], parts[1]]
    assert record.preview_sounds == [parts[0].source, parts[1].source]
    assert record.preview_training == [1]
