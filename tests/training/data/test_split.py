"""The split: near its share in seconds and in files, the same audio on one side, long files divided by time."""

import itertools
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from distill.audio.cache.sound_cache import CachedSound, SoundCache
from distill.errors import NotEnoughSoundsError
from distill.training.data import copies_in_split
from distill.training.data.audible_regions import kept_seconds
from distill.training.data.copies_in_split import copies_note, copy_groups_for_split
from distill.training.data.split import neighbours_near, split_by_file, split_sounds
from distill.training.dataset import prepare_sounds
from tests.training.conftest import tone

RATE = CHUNK = 48_000
SHARE = 0.1


def recording(seed: int, seconds: float) -> np.ndarray:
    """A sound of any length that is nowhere silent."""
    rng = np.random.default_rng(seed)
    steps = rng.uniform(100, 2000, max(1, int(seconds * 4)))
    hertz = np.repeat(steps, -(-int(seconds * RATE) // len(steps)))[: int(seconds * RATE)]
    return np.asarray(0.4 * np.sin(2 * np.pi * np.cumsum(hertz) / RATE), np.float32)


def write(folder: Path, lengths: Sequence[float]) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = []
    for number, seconds in enumerate(lengths):
        paths.append(folder / f"{number}.wav")
        audio = tone(number, seconds) if seconds < 2 else recording(number, seconds)
        soundfile.write(paths[-1], audio, RATE, subtype="PCM_16")
    return paths


def prepared(folder: Path, paths: Sequence[Path]) -> list[CachedSound]:
    return prepare_sounds(paths, SoundCache(folder / "cache")).sounds


def seconds_of(sounds: Sequence[CachedSound]) -> float:
    return sum(kept_seconds(sound, CHUNK) for sound in sounds)


@pytest.mark.parametrize(
    ("lengths", "least_files"),
    [
        ([0.5] * 4 + [120.0], 2),  # hits and a field recording
        ([0.4] * 12 + [60.0, 45.0], 2),
        ([30.0, 40.0, 50.0], 2),
        ([0.8] * 20, 2),
        ([200.0, 0.3], 1),
        ([90.0, 80.0], 1),
        ([1.0, 2.0, 4.0, 8.0, 16.0, 32.0], 1),
        ([0.5] * 40 + [5.0] * 4, 2),
    ],
)
def test_the_held_out_part_is_near_its_share_in_seconds(tmp_path: Path, lengths: list[float], least_files: int) -> None:
    sounds = prepared(tmp_path, write(tmp_path / "sounds", lengths))
    train, val = split_sounds(sounds, SHARE, CHUNK)
    total = seconds_of(sounds)
    # Within half of the share, a chunk being the smallest part of a sound that is divided.
    assert abs(seconds_of(val) - SHARE * total) <= max(0.5 * SHARE * total, 1.5)
    assert seconds_of(train) >= 0.5 * total
    assert len({sound.source for sound in val}) >= least_files
    assert len({sound.source for sound in train}) >= min(2, len(lengths) - 1)


@pytest.mark.parametrize("lengths", [[120.0, 0.5, 0.5, 0.5], [30.0, 40.0], [60.0], [0.3, 100.0, 0.2], [25.0] * 3])
def test_a_divided_sound_has_a_chunk_between_its_parts(tmp_path: Path, lengths: list[float]) -> None:
    sounds = prepared(tmp_path, write(tmp_path / "sounds", lengths))
    train, val = split_sounds(sounds, SHARE, CHUNK)
    both = {sound.source for sound in train} & {sound.source for sound in val}
    assert both
    for source in both:
        (kept,) = (sound for sound in train if sound.source == source)
        (held,) = (sound for sound in val if sound.source == source)
        assert (kept.start, held.start + held.samples) == (0, held.total_samples)
        assert held.start - kept.samples >= CHUNK
        whole = next(sound for sound in sounds if sound.source == source)
        np.testing.assert_array_equal(held.read(0, 1000), whole.read(held.start, 1000))
        np.testing.assert_array_equal(held.envelope(), whole.envelope()[held.start // 480 :])


def test_a_last_chunk_of_less_than_a_step_can_be_held_out(tmp_path: Path) -> None:
    chunk = 48_144
    [sound] = prepared(tmp_path, write(tmp_path / "sounds", [(9 * chunk + 100) / RATE]))
    [train], [val] = split_sounds([sound], 0.01, chunk)
    assert train.start + train.samples <= val.start
    assert val.start + val.samples == sound.samples


def test_names_and_order_do_not_matter(tmp_path: Path) -> None:
    paths = write(tmp_path / "sounds", [0.5, 0.6, 0.7, 0.8, 40.0, 3.0])

    def sides(files: Sequence[Path]) -> list[list[tuple[str, int, int]]]:
        return [
            sorted((s.content_hash, s.start, s.samples) for s in side)
            for side in split_sounds(prepared(tmp_path, files), SHARE, CHUNK)
        ]

    expected = sides(paths)
    assert sides(paths[::-1]) == expected
    assert sides([path.rename(path.with_name(f"x{9 - n}.wav")) for n, path in enumerate(paths)]) == expected


def variant(name: str, audio: np.ndarray, path: Path) -> None:
    """Write the same audio in another way."""
    if name in ("FLAC", "AIFF", "CAF"):
        soundfile.write(path, audio, RATE, format=name, subtype="PCM_16")
    elif name == "softer":
        soundfile.write(path, 0.3 * audio, RATE, format="WAV", subtype="PCM_24")
    elif name == "inverted":
        soundfile.write(path, -audio, RATE, format="WAV", subtype="PCM_16")
    elif name == "44100":
        soundfile.write(path, soxr.resample(audio, RATE, 44_100), 44_100, format="WAV", subtype="PCM_16")
    elif name == "stereo":
        soundfile.write(path, np.stack([audio, audio], 1), RATE, format="WAV", subtype="PCM_16")
    else:
        soundfile.write(path, audio, RATE, format={"VORBIS": "OGG", "OPUS": "OGG"}.get(name, name))


@pytest.mark.parametrize("name", ["FLAC", "AIFF", "CAF", "softer", "inverted", "44100", "stereo", "MP3", "OGG"])
def test_the_same_audio_is_on_one_side(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "sounds"
    paths = write(folder, [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 3.0, 2.5])
    for number, path in enumerate(list(paths)):
        copy = folder / f"copy {number}.{name.lower()}"
        variant(name, soundfile.read(path, dtype="float32")[0], copy)
        paths.append(copy)
    sounds = prepared(tmp_path, paths)
    groups = copy_groups_for_split(sounds)
    stems = sorted(sorted(sound.source.stem.removeprefix("copy ") for sound in group) for group in groups)
    assert stems == [[str(number)] * 2 for number in range(8)]
    train, val = split_sounds(sounds, 0.25, CHUNK)
    sides = [{sound.source.stem.removeprefix("copy ") for sound in side} for side in (train, val)]
    assert not sides[0] & sides[1]


def test_different_sounds_are_not_taken_for_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "sounds"
    folder.mkdir()
    paths = []
    for seed, kind in itertools.product(range(6), ("tone", "noise", "hit")):
        rng = np.random.default_rng(seed)
        t = np.arange(24_000) / RATE
        audio = {
            "tone": 0.5 * np.sin(2 * np.pi * (200 + 30 * seed) * t),
            "noise": 0.2 * rng.standard_normal(24_000),
            "hit": rng.standard_normal(24_000) * np.exp(-20 * t) * 0.3,
        }[kind]
        paths.append(folder / f"{kind} {seed}.wav")
        soundfile.write(paths[-1], audio, RATE, subtype="PCM_16")
    assert len(copy_groups_for_split(prepared(tmp_path, paths))) == len(paths)


def similar_hits(folder: Path, count: int) -> list[Path]:
    """Hits of one drum of a machine, some of them twice, and one that begins later."""
    folder.mkdir()
    paths = []
    for number in range(count):
        rng = np.random.default_rng(number // 5 if number % 5 == 4 else 1000 + number)
        t = np.arange(int(rng.uniform(0.06, 0.9 if number % 3 else 0.3) * RATE)) / RATE
        hit = np.sin(2 * np.pi * rng.uniform(170, 190) * t + rng.uniform(0, 0.5)) * np.exp(-rng.uniform(10, 18) * t)
        hit += rng.uniform(0.02, 0.2) * rng.standard_normal(len(t)) * np.exp(-40 * t)
        late = np.zeros(int(0.03 * RATE) if number % 7 == 6 else 0)
        paths.append(folder / f"{number}.wav")
        audio = 0.7 / (1 + number % 2) * np.concatenate([late, hit])
        soundfile.write(paths[-1], audio, RATE, subtype="PCM_16")
    return paths


def correlated(first: CachedSound, second: CachedSound) -> float:
    """The largest correlation of two sounds around the loudest moment of the first, in the simplest way."""
    count, shift = RATE // 2, round(0.08 * RATE)
    begin = max(0, min(int(first.envelope().argmax()) * 480 - count // 4, first.samples - count))
    a = first.read(begin, count).astype(np.float64)
    b = second.read(max(0, begin - shift), count + 2 * shift).astype(np.float64)
    size = 1 << (len(a) + len(b)).bit_length()
    product = np.fft.irfft(np.fft.rfft(b, size) * np.conj(np.fft.rfft(a, size)), size)[: len(b) - len(a) + 1]
    sums = np.concatenate([[0.0], np.cumsum(b * b)])
    energies = sums[len(a) :] - sums[: len(b) - len(a) + 1]
    return float(np.abs(product / np.sqrt(np.maximum(energies * np.dot(a, a), 1e-12))).max())


def test_what_is_kept_of_each_sound_changes_no_correlation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spectra were computed anew for each pair: 500 hits of one machine took half a minute."""
    monkeypatch.setattr(copies_in_split, "_AT_ONCE", 4)  # what is kept is given up meanwhile
    paths = [*similar_hits(tmp_path / "hits", 12), *write(tmp_path / "more", [0.3, 0.4, 1.4, 2.2])]
    sounds = prepared(tmp_path, paths)
    correlation = copies_in_split._Correlation(sounds)
    for one, other in itertools.combinations(range(len(sounds)), 2):
        expected = correlated(sounds[one], sounds[other])
        assert correlation.of(one, other) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    found = list(copies_in_split._copy_candidates(sounds))
    assert sorted(found) == sorted(set(found))
    joined = {(one, other) for one, other in found if correlated(sounds[one], sounds[other]) >= 0.9}
    groups = copy_groups_for_split(sounds)
    number = {sound.source: at for at, group in enumerate(groups) for sound in group}
    assert all(number[sounds[one].source] == number[sounds[other].source] for one, other in joined)
    assert 1 < len(groups) < len(sounds)
    for group in groups:  # each is held together by pairs
        inside = {sounds.index(sound) for sound in group}
        reached = {min(inside)}
        for _ in inside:
            reached |= {n for pair in joined if reached & set(pair) for n in pair}
        assert reached == inside


@pytest.mark.parametrize(("seconds", "usable"), [(0.5, False), (3.0, False), (8.0, True), (20.0, True), (90.0, True)])
def test_one_single_sound(tmp_path: Path, seconds: float, usable: bool) -> None:
    paths = write(tmp_path / "sounds", [0.5]) if seconds < 2 else write(tmp_path / "sounds", [seconds])
    if not usable:
        with pytest.raises(NotEnoughSoundsError, match=r"or one of at least 8 s, but only 0\.wav can be used"):
            prepared(tmp_path, paths)
        return
    train, val = split_sounds(prepared(tmp_path, paths), SHARE, CHUNK)
    assert len(train) == len(val) == 1
    assert kept_seconds(train[0], CHUNK) > kept_seconds(val[0], CHUNK) >= 1


def test_older_runs_keep_their_split(tmp_path: Path) -> None:
    paths = write(tmp_path / "sounds", [0.5, 0.5, 0.5, 0.5, 40.0])
    sounds = prepare_sounds(paths, SoundCache(tmp_path / "cache", preparation=1)).sounds
    assert split_sounds(sounds, SHARE, CHUNK) == split_by_file(sounds, SHARE)


def test_of_many_sounds_only_exact_copies_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with each would take hours for twenty thousand files."""
    paths = [tmp_path / name for name in ("a.wav", "quieter.wav", "copy.wav")]
    audio = np.sin(np.arange(24_000) * 0.05 * (1 + np.arange(24_000) / 24_000)).astype(np.float32)
    for path, level in zip(paths, (1.0, 0.5, 1.0), strict=True):
        soundfile.write(path, level * audio, 48_000, subtype="PCM_16")
    sounds = prepared(tmp_path, paths)
    assert [len(group) for group in copy_groups_for_split(sounds)] == [3]
    assert not copies_note(sounds)
    monkeypatch.setattr(copies_in_split, "MOST_COMPARED", 1)
    assert sorted(len(group) for group in copy_groups_for_split(sounds)) == [1, 2]
    assert "only exact copies" in copies_note(sounds)


def added_up(seconds: Sequence[float], most: int, least: int, target: float) -> list[int]:
    """As `neighbours_near`, in the simplest way."""
    largest: list[int] = []
    for size in range(most, least - 1, -1):
        for first in range(len(seconds)):
            window = [(first + step) % len(seconds) for step in range(size)]
            total = sum(seconds[at] for at in window)
            if 0.5 * target <= total <= 1.5 * target:
                return window
            if total < target and (not largest or total > sum(seconds[at] for at in largest) + 1e-9):
                largest = window
    return largest


LENGTHS: dict[str, Callable[[random.Random], float]] = {
    "any": lambda rng: rng.uniform(0, 3),
    "equal": lambda rng: 0.1,
    "steps": lambda rng: rng.choice([0.01, 0.02, 1 / 3]),
    "few long": lambda rng: rng.choice([0.1, 0.2, 0.2, 0.3, 500.0]),
    "silent": lambda rng: rng.choice([0.0, 0.0, 7.0]),
}


@pytest.mark.parametrize("kind", LENGTHS)
def test_neighbours_are_chosen_as_if_each_sum_were_added_up(kind: str) -> None:
    rng = random.Random(0)
    for _ in range(60):
        seconds = [LENGTHS[kind](rng) for _ in range(rng.randrange(2, 26))]
        if rng.random() < 0.5:
            seconds[rng.randrange(len(seconds))] = 400.0
        most = rng.randrange(1, len(seconds))
        least = rng.randrange(1, most + 1)
        # Also targets of which a sum is exactly the half, or exactly one and a half.
        target = rng.choice([0.2 * sum(seconds), 2 * sum(seconds[:most]), sum(seconds[:least]) / 1.5])
        assert neighbours_near(seconds, most, least, target) == added_up(seconds, most, least, target)


class Counted(list[float]):
    """Numbers that count how often one is read."""

    reads = 0

    def __getitem__(self, index: Any) -> Any:
        self.reads += 1
        return super().__getitem__(index)


def test_many_short_sounds_and_a_long_one_are_split_in_a_moment() -> None:
    """Nothing fits, so that neighbours of each number are looked at: adding each sum up takes 20 million numbers."""
    rng = random.Random(0)
    seconds = Counted(rng.uniform(0.1, 0.5) for _ in range(1000))
    seconds[500] = 9000.0
    assert len(neighbours_near(seconds, 200, 2, 0.2 * sum(seconds))) == 200
    assert seconds.reads < 500_000
