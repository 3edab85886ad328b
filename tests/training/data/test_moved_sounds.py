"""A run finds its sounds again: moved, renamed, with other tags, in another lossless format."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from distill.audio.cache.sound_cache import SoundCache
from distill.audio.scan_result import SkippedSound
from distill.errors import SoundError
from distill.runs.loaded_run import missing_sounds
from distill.runs.run_record import RunRecord
from distill.training import TrainingConfig
from distill.training.data.moved_sounds import fingerprints_of, keep_identities, locate_sounds
from distill.training.dataset import prepare_sounds
from tests.training.conftest import write_sounds


@pytest.fixture
def record(tmp_path: Path) -> RunRecord:
    """The record of a run on five sounds, with one more file that was refused."""
    (tmp_path / "disk").mkdir()
    files = write_sounds(tmp_path / "disk" / "sounds", 5)
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


def rename_one(sounds: Path, _other: Path) -> None:
    sounds.joinpath("tone 01.wav").rename(sounds / "kick.wav")


def swap_two(sounds: Path, _other: Path) -> None:
    for before, after in (("tone 01.wav", "x"), ("tone 02.wav", "tone 01.wav"), ("x", "tone 02.wav")):
        sounds.joinpath(before).rename(sounds / after)


def tag_one(sounds: Path, _other: Path) -> None:
    tag(sounds / "tone 03.wav")


def tag_all(sounds: Path, _other: Path) -> None:
    for path in sounds.glob("tone*"):
        tag(path)


def tag_and_rename(sounds: Path, _other: Path) -> None:
    tag(sounds / "tone 01.wav")
    sounds.joinpath("tone 01.wav").rename(sounds / "a.wav")


def convert_one(sounds: Path, _other: Path) -> None:
    as_flac(sounds / "tone 02.wav")


def add_one(sounds: Path, _other: Path) -> None:
    shutil.copy(sounds / "tone 00.wav", sounds / "again.wav")


def rename_folder(sounds: Path, _other: Path) -> None:
    move(sounds, sounds.with_name("renamed"))


def move_all(sounds: Path, other: Path) -> None:
    move(sounds, other / "deep" / "er")


def rename_all_and_move(sounds: Path, other: Path) -> None:
    for number, path in enumerate(sorted(sounds.glob("tone*"))):
        path.rename(path.with_name(f"{number}.wav"))
    move(sounds, other / "deep")


def tag_all_and_move(sounds: Path, other: Path) -> None:
    tag_all(sounds, other)
    move(sounds, other / "x")


def scatter(sounds: Path, other: Path) -> None:
    for number, path in enumerate(sorted(sounds.glob("tone*"))):
        move(path, other / str(number) / "a.wav")


#: What happens to the folder of sounds, and whether the user has to show where they are.
CHANGES: dict[str, tuple[Callable[[Path, Path], None], bool]] = {
    "nothing": (lambda sounds, other: None, False),
    "one renamed": (rename_one, False),
    "two swapped": (swap_two, False),
    "one tagged": (tag_one, False),
    "all tagged": (tag_all, False),
    "tagged and renamed": (tag_and_rename, False),
    "one converted": (convert_one, False),
    "more files": (add_one, False),
    "folder renamed": (rename_folder, False),
    "moved": (move_all, True),
    "moved and all renamed": (rename_all_and_move, True),
    "moved and tagged": (tag_all_and_move, True),
    "scattered": (scatter, True),
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


def test_folders_that_cannot_exist_here_are_passed_over(
    tmp_path: Path, record: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names of another system may be too long for this one, and its paths may look like names beside this process."""
    expected = hashes(record, record.file_paths)
    sounds = record.file_paths[0].parent
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    shutil.copy(sounds / "tone 01.wav", here / "again.wav")
    for former in (str(tmp_path / ("\u97ff" * 100)) + "/sounds/", "C:\\Sounds of mine\\"):
        moved = {path: Path(former + path.name) for path in record.file_paths}
        elsewhere = replace(
            record,
            file_paths=list(moved.values()),
            skipped=[replace(item, path=moved[item.path]) for item in record.skipped],
            fingerprints={str(moved[Path(path)]): item for path, item in record.fingerprints.items()},
        )
        assert hashes(record, locate_sounds(elsewhere, sounds)) == expected
        assert missing_sounds(elsewhere) == tuple(elsewhere.file_paths[:5])
        with pytest.raises(SoundError, match="5 of the 5 sounds of this run cannot be found"):
            locate_sounds(elsewhere)
