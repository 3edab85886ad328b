"""The store under the cache: what is deleted and what stays, and what happens on a full disk."""

import errno
import os
import shutil
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import numpy as np
import pytest

from distill.audio.cache import lru_folder as store_module
from distill.audio.cache.sound_cache import SoundCache
from distill.errors import DistillError, SoundError
from distill.files import PARTIAL_SUFFIX, write_whole
from tests.audio.conftest import LONG_AGO, WriteTone, cached_files


def forget_use() -> None:
    """Make this process forget which files it uses, as a new one would."""
    store_module._used.clear()
    store_module._renewed.clear()


def test_the_least_recently_used_go(write_tone: WriteTone, decoded: Counter[str]) -> None:
    files = [write_tone(f"{n}.wav", 1.0, hertz=100 + n) for n in range(6)]
    old = [SoundCache().get(f).file for f in files[:4]]
    forget_use()
    for age, file in enumerate(old):
        os.utime(file, (LONG_AGO + 60 * age,) * 2)
    entry = old[0].stat().st_size
    cache = SoundCache(max_bytes=int(3.5 * entry))
    cache.get(files[0])  # the oldest, used again by this process, which alone must save it
    os.utime(old[0], (LONG_AGO - 60, LONG_AGO - 60))
    cache.get(files[4])
    assert set(cached_files(cache.folder)) == {old[0], old[3], cache.get(files[4]).file}
    assert decoded.total() == 5
    last = [cache.get(files[n]).file for n in (5, 1, 0)]
    assert set(cached_files(cache.folder)) == set(last)  # what this process used goes as well: the limit holds


def test_the_limit_holds_within_a_session(write_tone: WriteTone) -> None:
    files = [write_tone(f"{n}.wav", 1.0, hertz=100 + n) for n in range(12)]
    entry = SoundCache().get(files[0]).file.stat().st_size
    cache = SoundCache(max_bytes=int(4.5 * entry))
    sounds = []
    for path in files:
        sounds.append(cache.get(path))
        assert sum(file.stat().st_size for file in cached_files(cache.folder)) <= cache.store.max_bytes
    expected = SoundCache(cache.folder.with_name("other")).get(files[0])
    np.testing.assert_array_equal(sounds[0].read(0, 48_000), expected.read(0, 48_000))  # decoded again


def test_what_any_process_used_lately_stays(write_tone: WriteTone) -> None:
    files = [write_tone(f"{n}.wav", 1.0, hertz=100 + n) for n in range(3)]
    other = SoundCache().get(files[0])
    forget_use()  # as if another process had used it
    cache = SoundCache(max_bytes=1000)
    cache.get(files[1])
    assert other.file.exists()
    os.utime(other.file, (LONG_AGO, LONG_AGO))
    forget_use()
    other.read(0, 10)  # renews it
    forget_use()
    cache.get(files[2])
    assert other.file.exists()


def test_the_limit_leaves_half_of_the_disk_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "old.f32").write_bytes(bytes(200))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=800))
    assert store_module.LruFolder(tmp_path, 10_000).max_bytes == 500
    assert store_module.LruFolder(tmp_path, 100).max_bytes == 100


def test_what_a_crash_left_is_removed_in_time(write_tone: WriteTone) -> None:
    cache = SoundCache(max_bytes=1000)
    cache.folder.mkdir(parents=True)
    dead, alive = cache.folder / f".dead{PARTIAL_SUFFIX}", cache.folder / f".alive{PARTIAL_SUFFIX}"
    dead.write_bytes(bytes(10))
    alive.write_bytes(bytes(10))
    os.utime(dead, (LONG_AGO, LONG_AGO))
    cache.get(write_tone("a.wav"))
    assert not dead.exists()
    assert alive.exists()


def _full_disk(monkeypatch: pytest.MonkeyPatch, room_after_deleting: Path | None = None) -> None:
    def full(path: Path, tidies: bool) -> Any:
        if room_after_deleting is not None and not room_after_deleting.exists():
            return write_whole(path, tidies)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store_module, "write_whole", full)


def test_full_disk(write_tone: WriteTone, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_tone("a.wav")
    cache = SoundCache()
    _full_disk(monkeypatch)
    with pytest.raises(DistillError, match=r"cache folder .* is full\. Free some space") as caught:
        cache.get(path)
    assert not isinstance(caught.value, SoundError)
    monkeypatch.undo()


def test_full_disk_makes_room_from_old_entries(write_tone: WriteTone, monkeypatch: pytest.MonkeyPatch) -> None:
    old = SoundCache().get(write_tone("old.wav")).file
    os.utime(old, (LONG_AGO, LONG_AGO))
    forget_use()
    _full_disk(monkeypatch, room_after_deleting=old)
    assert SoundCache().get(write_tone("new.wav", hertz=50)).samples == 24_000
    assert not old.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_disk_that_is_really_full_is_recognised(tmp_path: Path) -> None:
    store = store_module.LruFolder(tmp_path, 1000)

    def fill(out: IO[bytes]) -> None:
        with Path("/dev/full").open("wb", buffering=0) as full:
            full.write(b"x")

    with pytest.raises(DistillError, match="is full"):
        store.write(tmp_path / "a", fill)
    assert not list(tmp_path.iterdir())


def test_a_write_does_not_read_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With twenty thousand sounds that took longer than decoding them."""
    store = store_module.LruFolder(tmp_path, 10**9)
    read: list[Any] = []
    scandir = os.scandir

    def noted(folder: Any) -> Any:
        read.append(folder)
        return scandir(folder)

    with monkeypatch.context() as patch:
        patch.setattr("os.scandir", noted)
        store.write(tmp_path / "sound", _write_samples)
    assert not read
    assert (tmp_path / "sound").read_bytes() == b"samples"


def _write_samples(file: IO[bytes]) -> None:
    file.write(b"samples")
