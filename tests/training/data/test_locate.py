"""A run finds its sounds again: moved, renamed, with other tags, in another lossless format."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from distill.audio.cache.sound_cache import SoundCache
from distill.audio.corpus import SkippedSound
from distill.errors import SoundError
from distill.runs.folder import RunRecord
from distill.training import TrainingConfig
from distill.training.data.locate import fingerprints_of, keep_identities, locate_sounds
from distill.training.dataset import prepare_sounds
from tests.training.conftest import write_sounds


@pytest.fixture
def record(tmp_path: Path) -> RunRecord:
    """The record of a run on five sounds, with one more file that was refused."""
    files = write_sounds(tmp_path / "disk" / "sounds", 5) if (tmp_path / "disk").mkdir() is None else []
    bad = files[0].with_name("bad.wav")
    bad.write_bytes(b"no sound")
    sounds = prepare_sounds(files, SoundCache()).sounds
    return RunRecord(
        TrainingConfig(), [*files, bad], [SkippedSound(bad, "no sound")], fingerprints=fingerprints_of(sounds)
    )


def hashes(record: RunRecord, paths: list[Path]) -> list[str]:
    """The content hashes under which the run knows the sounds."""
    usable = [path for path in paths if path.name != "bad.wav"]
    sounds = keep_identities(prepare_sounds(usable, SoundCache()).sounds, record.fingerprints)
    return [sound.content_hash for sound in sounds]


def tag(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"LIST\x0c\0\0\0INFOIART\0\0\0\0")


def as_flac(path: Path) -> None:
    audio, rate = soundfile.read(path, dtype="int16")
    soundfile.write(path.with_suffix(".flac"), audio, rate, subtype="PCM_16")
    path.unlink()


def move(folder: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(target)


#: What happens to the folder of sounds, and whether the user has to show where they are.
CHANGES: dict[str, tuple[Callable[[Path, Path], None], bool]] = {
    "nothing": (lambda sounds, other: None, False),
    "one renamed": (lambda sounds, other: sounds.joinpath("tone 01.wav").rename(sounds / "kick.wav") and None, False),
    "two swapped": (
        lambda sounds, other: (
            [
                sounds.joinpath(a).rename(sounds / b)
                for a, b in (("tone 01.wav", "x"), ("tone 02.wav", "tone 01.wav"), ("x", "tone 02.wav"))
            ]
            and None
        ),
        False,
    ),
    "one tagged": (lambda sounds, other: tag(sounds / "tone 03.wav"), False),
    "all tagged": (lambda sounds, other: [tag(path) for path in sounds.glob("tone*")] and None, False),
    "tagged and renamed": (
        lambda sounds, other: (
            (tag(sounds / "tone 01.wav"), sounds.joinpath("tone 01.wav").rename(sounds / "a.wav")) and None
        ),
        False,
    ),
    "one converted": (lambda sounds, other: as_flac(sounds / "tone 02.wav"), False),
    "more files": (lambda sounds, other: shutil.copy(sounds / "tone 00.wav", sounds / "again.wav") and None, False),
    "folder renamed": (lambda sounds, other: move(sounds, sounds.with_name("renamed")), False),
    "moved": (lambda sounds, other: move(sounds, other / "deep" / "er"), True),
    "moved and all renamed": (
        lambda sounds, other: (
            (
                [path.rename(path.with_name(f"{n}.wav")) for n, path in enumerate(sorted(sounds.glob("tone*")))],
                move(sounds, other / "deep"),
            )
            and None
        ),
        True,
    ),
    "moved and tagged": (
        lambda sounds, other: ([tag(path) for path in sounds.glob("tone*")], move(sounds, other / "x")) and None,
        True,
    ),
    "scattered": (
        lambda sounds, other: (
            [move(path, other / str(n) / "a.wav") for n, path in enumerate(sorted(sounds.glob("tone*")))] and None
        ),
        True,
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_sounds_are_found_by_content(tmp_path: Path, record: RunRecord, change: str) -> None:
    expected = hashes(record, record.file_paths)
    do, must_be_shown = CHANGES[change]
    other = tmp_path / "other"
    other.mkdir()
    do(record.file_paths[0].parent, other)
    if must_be_shown:
        with pytest.raises(SoundError, match=r"of the 5 sounds of this run cannot be found.*--sounds FOLDER"):
            locate_sounds(record)
    found = locate_sounds(record, other if must_be_shown else None)
    assert len(found) == len(record.file_paths)
    assert hashes(record, found) == expected


@pytest.mark.parametrize("lost", [1, 3, 5])
def test_what_cannot_be_found_is_named(tmp_path: Path, record: RunRecord, lost: int) -> None:
    for path in record.file_paths[:lost]:
        path.unlink()
    with pytest.raises(SoundError) as caught:
        locate_sounds(record, tmp_path)
    assert str(caught.value).startswith(f"{lost} of the 5 sounds of this run cannot be found in {tmp_path} or ")
    assert "tone 00.wav" in str(caught.value)
    assert ("and 2 more" in str(caught.value)) == (lost == 5)


def test_a_changed_sound_is_not_taken_for_the_same(record: RunRecord) -> None:
    path = record.file_paths[2]
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 30_000), 48_000)
    with pytest.raises(SoundError, match=r"1 of the 5 sounds .*: tone 02\.wav\."):
        locate_sounds(record)


def test_runs_of_older_versions_find_their_sounds_by_the_index_and_by_name(tmp_path: Path, record: RunRecord) -> None:
    for path in record.file_paths:
        os.utime(path, (1_600_000_000, 1_600_000_000))
    cache = SoundCache(preparation=1)
    expected = [cache.get(path).content_hash for path in record.file_paths[:5]]
    record.fingerprints = {}
    sounds = record.file_paths[0].parent
    for number, path in enumerate(sorted(sounds.glob("tone*"))):
        path.rename(path.with_name(f"{number}.wav"))
    found = locate_sounds(record, sounds)
    assert [cache.get(path).content_hash for path in found[:5]] == expected
    (cache.folder / "index.jsonl").unlink()  # nothing is known but the names
    moved = tmp_path / "moved"
    for number, path in enumerate(sorted(sounds.glob("?.wav"))):
        path.rename(path.with_name(f"tone {number:02d}.wav"))
    sounds.rename(moved)
    found = locate_sounds(record, moved)
    assert [path.name for path in found] == [path.name for path in record.file_paths]
    assert all(path.parent == moved for path in found[:5])
