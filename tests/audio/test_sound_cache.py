"""The cache: decoded once, read in parts, safe from crashes, other processes and full disks."""

import errno
import hashlib
import json
import mmap
import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from distill import paths
from distill.audio.cache import array_files
from distill.audio.cache import sound_cache as cache_module
from distill.audio.cache.sound_cache import MAX_BYTES, SIZE_VARIABLE, SoundCache, max_cache_bytes, read_derived
from distill.audio.decoding.mono_decoder import FloatArray, decode_sound, stream_prepared
from distill.errors import Cancelled, SoundError, TrainingError
from distill.files import PARTIAL_SUFFIX
from tests.audio.conftest import LONG_AGO, WriteTone, cached_files, tone


def settle(path: Path) -> Path:
    """Make a file look as if it had been there for long."""
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def test_what_is_cached_is_what_is_decoded(write_tone: WriteTone) -> None:
    path = write_tone("a.wav", 3.3, 44_100)
    cache = SoundCache()
    sound = cache.get(path)
    audio = decode_sound(path)
    assert (sound.source, sound.samples, sound.duration_s) == (path, len(audio), len(audio) / 48_000)
    assert sound.content_hash == hashlib.blake2b(path.read_bytes(), digest_size=20).hexdigest()
    assert sound.file.parent == cache.folder == paths.cache_dir() / "sounds"
    np.testing.assert_array_equal(sound.read(0, sound.samples), audio)
    np.testing.assert_array_equal(np.fromfile(sound.file, "<f4", sound.samples), audio)
    np.testing.assert_array_equal(sound.read(48_000, 48_000), audio[48_000:96_000])
    tail = sound.read(144_000, 48_000)
    np.testing.assert_array_equal(tail[:14_400], audio[144_000:])
    assert not tail[14_400:].any()
    assert not sound.read(10**9, 10).any()
    assert sound.read(0, 0).shape == (0,)
    tail[0] = 7  # a copy
    with pytest.raises(ValueError, match="negative"):
        sound.read(-1, 10)


def test_a_second_start_neither_decodes_nor_hashes(
    write_tone: WriteTone, decoded: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [settle(write_tone(f"{n}.wav", hertz=100 * n)) for n in range(1, 5)]
    first = SoundCache()
    hashes = [first.get(f).content_hash for f in files]
    assert decoded.total() == 4
    monkeypatch.setattr(hashlib, "blake2b", lambda *a, **k: pytest.fail("hashed again"))
    second = SoundCache()
    assert [second.get(f).content_hash for f in files] == hashes
    assert decoded.total() == 4


def test_a_moved_file_is_not_decoded_again(write_tone: WriteTone, tmp_path: Path, decoded: Counter[str]) -> None:
    path = settle(write_tone("a.wav"))
    sound = SoundCache().get(path)
    assert SoundCache().get(path.rename(tmp_path / "b.wav")).file == sound.file
    assert decoded.total() == 1


def test_a_changed_file_is_decoded_again(write_tone: WriteTone, decoded: Counter[str]) -> None:
    path = settle(write_tone("a.wav"))
    cache = SoundCache()
    before = cache.get(path)
    write_tone("a.wav", hertz=2000)
    after = cache.get(path)
    assert after.content_hash != before.content_hash
    assert decoded["a.wav"] == 2
    # Rewritten within one tick of the clock, in the same size: told apart as long as the file is young.
    stamp = path.stat().st_mtime_ns
    write_tone("a.wav", hertz=3000)
    os.utime(path, ns=(stamp, stamp))
    assert cache.get(path).content_hash != after.content_hash


def test_files_of_one_size_and_time_that_are_renamed(write_tone: WriteTone, tmp_path: Path) -> None:
    """An archive gives all of its files one time, and one-shots are often equally long."""
    one, two = settle(write_tone("1.wav", hertz=500)), settle(write_tone("2.wav", hertz=700))
    hashes = [SoundCache().get(path).content_hash for path in (one, two)]
    one.rename(tmp_path / "other.wav")
    two.rename(one)
    assert SoundCache().get(one).content_hash == hashes[1] != hashes[0]
    assert SoundCache().remembered_hashes(one) == set(hashes)


def test_the_index_of_older_versions_is_not_believed_but_remembered(write_tone: WriteTone) -> None:
    path, cache = settle(write_tone("a.wav")), SoundCache()
    cache.folder.mkdir(parents=True)
    status = path.stat()
    line = json.dumps([str(path), status.st_size, status.st_mtime_ns, "0" * 40])
    (cache.folder / "index.jsonl").write_text(f"\n{line}\n")
    found = cache.get(path).content_hash
    assert found != "0" * 40
    assert SoundCache().remembered_hashes(path) == {found, "0" * 40}


def test_a_lost_or_damaged_index_costs_nothing_but_hashing(write_tone: WriteTone, decoded: Counter[str]) -> None:
    files = [settle(write_tone(f"{n}.wav", hertz=100 * n)) for n in range(1, 4)]
    cache = SoundCache()
    hashes = [cache.get(f).content_hash for f in files]
    index = cache.folder / "index.jsonl"
    whole = index.read_bytes()
    junk = b'\xff\xfe\n{"a": 1}\n[1, 2]\n["x", 1, 2, "../../etc"]\n[null, null, null, null]\n\n'
    for damage in (None, b"", junk + whole, whole[:-7], b"\0" * 5000):
        if damage is None:
            index.unlink()
        else:
            index.write_bytes(damage)
        assert [SoundCache().get(f).content_hash for f in files] == hashes
    assert SoundCache().get(files[2]).content_hash == hashes[2]
    assert index.read_bytes().count(b"3.wav") == 1  # remembered again, after a line that was cut
    index.unlink()
    index.mkdir()
    assert [SoundCache().get(f).content_hash for f in files] == hashes
    assert decoded.total() == 3


def test_a_long_index_is_tidied(write_tone: WriteTone) -> None:
    path = settle(write_tone("a.wav"))
    cache = SoundCache()
    cache.get(path)
    index = cache.folder / "index.jsonl"
    index.write_bytes(index.read_bytes() * 2000)
    SoundCache().get(path)
    assert index.read_bytes().count(b"a.wav") == 1


def test_bad_files_are_remembered_by_content(write_tone: WriteTone, tmp_path: Path, decoded: Counter[str]) -> None:
    path = tmp_path / "silent.wav"
    soundfile.write(path, np.zeros(4800), 48_000)
    (tmp_path / "copy.wav").write_bytes(path.read_bytes())
    for _ in range(3):
        for file in (path, tmp_path / "copy.wav"):
            with pytest.raises(SoundError, match=r"^is silent$"):
                SoundCache().get(file)
    assert decoded.total() == 1
    assert not cached_files(paths.cache_dir() / "sounds", f"*{PARTIAL_SUFFIX}")
    (fault,) = cached_files(paths.cache_dir() / "sounds", "*.json")
    fault.write_bytes(b"[damaged")
    with pytest.raises(SoundError, match=r"^is silent$"):
        SoundCache().get(path)
    assert decoded.total() == 2


def test_trouble_of_the_moment_is_not_remembered(
    write_tone: WriteTone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = SoundCache()
    with pytest.raises(SoundError, match="no longer there"):
        cache.get(tmp_path / "late.wav")
    path = settle(write_tone("late.wav"))
    with monkeypatch.context() as patch:

        def forbidden(self: Path, *args: Any, **kwargs: Any) -> Any:
            raise PermissionError(13, "Permission denied", str(self))

        patch.setattr(Path, "open", forbidden)
        with pytest.raises(SoundError, match=r"^permission denied"):
            cache.get(path)
    assert cache.get(path).samples == 24_000


def test_a_file_that_changes_meanwhile(write_tone: WriteTone, monkeypatch: pytest.MonkeyPatch) -> None:
    path = settle(write_tone("a.wav"))

    def changing(source: Path, *arguments: Any) -> Any:
        yield from stream_prepared(source, *arguments)
        source.touch()

    with monkeypatch.context() as patch:  # not `undo`, which would take the test's own home away too
        patch.setattr(cache_module, "stream_prepared", changing)
        with pytest.raises(SoundError, match="changed while it was being read"):
            SoundCache().get(path)
    assert not cached_files(SoundCache().folder)


def test_what_is_wrong_with_a_file_only_while_it_is_written_is_not_remembered(
    write_tone: WriteTone, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = settle(write_tone("a.wav", 1.0, 48_000))
    whole = path.read_bytes()

    def written_anew(source: Path, *args: Any) -> Iterable[FloatArray]:
        source.write_bytes(whole[:20_000])  # another program exports the same sound again
        yield from stream_prepared(source, *args)

    with monkeypatch.context() as patch:
        patch.setattr(cache_module, "stream_prepared", written_anew)
        with pytest.raises(SoundError, match="changed while it was being read"):
            SoundCache().get(path)
    path.write_bytes(whole)
    assert SoundCache().get(path).samples == 48_000
    assert cached_files(paths.cache_dir() / "sounds", "*.json") == []


def test_damaged_entries_are_made_again(write_tone: WriteTone, decoded: Counter[str]) -> None:
    path = settle(write_tone("a.wav"))
    file = SoundCache().get(path).file
    whole = file.read_bytes()
    for damage in (b"", whole[:5], whole[:-400], whole[:-1], whole + b"x", whole[: len(whole) // 2] + whole[-16:]):
        file.write_bytes(damage)
        assert SoundCache().get(path).samples == 24_000
        assert file.read_bytes() == whole
    assert decoded["a.wav"] == 7


#: What is deleted under the hands of a training, and whether the sound is decoded again then.
DELETED: dict[str, tuple[Callable[[Path, Path], Iterable[Path]], bool]] = {
    "the sound": (lambda sound, derived: [sound], True),
    "what was derived": (lambda sound, derived: [derived], False),
    "both": (lambda sound, derived: [sound, derived], True),
    "the folder of sounds": (lambda sound, derived: [sound.parent], True),
    "the whole cache": (lambda sound, derived: [paths.cache_dir()], True),
    "the content of the cache": (lambda sound, derived: paths.cache_dir().iterdir(), True),
    "all but the sound": (lambda sound, derived: [p for p in sound.parent.iterdir() if p != sound], False),
}


@pytest.mark.parametrize("what", DELETED)
@pytest.mark.parametrize("times", [1, 3])
def test_a_deleted_cache_is_computed_anew(write_tone: WriteTone, decoded: Counter[str], what: str, times: int) -> None:
    sound = SoundCache().get(settle(write_tone("a.wav")))
    before, envelope = sound.read(0, 10_000), sound.envelope()

    def make() -> FloatArray:
        return sound.read(0, 9000).reshape(3, -1)

    rows = sound.rows("x", make, 1, 2)
    deleted, is_decoded = DELETED[what]
    for _ in range(times):
        for path in list(deleted(sound.file, sound.derived("x", make))):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        np.testing.assert_array_equal(sound.rows("x", make, 1, 2), rows)
        np.testing.assert_array_equal(sound.read(0, 10_000), before)
        np.testing.assert_array_equal(sound.envelope(), envelope)
    assert decoded["a.wav"] == 1 + times * is_decoded


def test_nothing_of_the_cache_is_mapped_into_memory(write_tone: WriteTone, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that the disk cannot read, or that is behind the end of a file by now, would kill the process."""
    sound = SoundCache().get(settle(write_tone("a.wav")))

    def make() -> FloatArray:
        return sound.read(0, 9000).reshape(3, -1)

    monkeypatch.setattr(mmap, "mmap", lambda *_arguments, **_named: pytest.fail("it was mapped"))
    for _ in range(2):  # computed, and found
        np.testing.assert_array_equal(sound.rows("x", make, 1, 2), make()[1:])
    np.testing.assert_array_equal(read_derived(sound.derived("x", make), 0, 1), make()[:1])


@pytest.mark.parametrize("part", ["rows", "samples"])
@pytest.mark.parametrize("fault", ["the disk fails", "the file shrinks"])
def test_what_the_disk_cannot_read_is_computed_anew(
    write_tone: WriteTone, decoded: Counter[str], monkeypatch: pytest.MonkeyPatch, fault: str, part: str
) -> None:
    sound = SoundCache().get(settle(write_tone("a.wav")))

    def make() -> FloatArray:
        decoded["made"] += 1
        return np.arange(6, dtype=np.float32).reshape(3, 2)

    file = sound.derived("x", make) if part == "rows" else sound.file
    whole, fill, failed = file.read_bytes(), array_files._fill, list[Path]()

    def read() -> FloatArray:
        return sound.rows("x", make, 1, 2) if part == "rows" else sound.read(0, 10_000)

    before = read()

    def fail_once(stored: Any, array: Any) -> None:
        if not failed:
            failed.append(Path(stored.name))
            if fault == "the disk fails":
                raise OSError(errno.EIO, "Input/output error")
            os.truncate(stored.name, 20)
        fill(stored, array)

    monkeypatch.setattr(array_files, "_fill", fail_once)
    np.testing.assert_array_equal(read(), before)
    assert failed == [file]
    assert decoded == ({"a.wav": 1, "made": 2} if part == "rows" else {"a.wav": 2})
    assert file.read_bytes() == whole


def test_a_disk_that_cannot_be_read_at_all_is_one_sentence(
    write_tone: WriteTone, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = SoundCache().get(settle(write_tone("a.wav")))

    def fail(_stored: Any, _array: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(array_files, "_fill", fail)
    with pytest.raises(TrainingError, match=r"or the disk cannot read it\. Start or resume again"):
        sound.rows("x", lambda: np.zeros((3, 2), np.float32), 0, 1)
    with pytest.raises(TrainingError, match=r"decoded audio of a\.wav was deleted .* or the disk cannot read it"):
        sound.read(0, 10)


@pytest.mark.parametrize("what", ["gone", "changed", "damaged"])
def test_a_deleted_cache_of_a_lost_sound_is_an_error_of_the_training(write_tone: WriteTone, what: str) -> None:
    path = write_tone("a.wav")
    sound = SoundCache().get(path)
    sound.file.unlink()
    if what == "gone":
        path.unlink()
    elif what == "changed":
        write_tone("a.wav", 1.5)
    else:
        path.write_bytes(b"RIFF")
    with pytest.raises(TrainingError, match=r"decoded audio of a\.wav was deleted from the cache.*resume the run"):
        sound.read(0, 10)


def test_a_refusal_holds_until_the_decoder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoded: Counter[str]
) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(4800), 48_000)
    for version, times in ((7, 1), (7, 1), (8, 2), (8, 2)):
        monkeypatch.setattr(cache_module, "DECODER_VERSION", version)
        with pytest.raises(SoundError):
            SoundCache().get(tmp_path / "a.wav")
        assert decoded["a.wav"] == times
    (fault,) = cached_files(paths.cache_dir() / "sounds", "*.json")
    fault.write_text(json.dumps({"reason": "written by an older version"}))
    with pytest.raises(SoundError, match="is silent"):
        SoundCache().get(tmp_path / "a.wav")


def test_sounds_of_older_runs_are_prepared_as_before(write_tone: WriteTone, tmp_path: Path) -> None:
    path = tmp_path / "offset.wav"
    soundfile.write(path, 0.2 + tone(1.0, level=0.1), 48_000, subtype="FLOAT")
    old, new = SoundCache(preparation=1).get(path), SoundCache().get(path)
    raw = decode_sound(path, normalize=False)
    np.testing.assert_array_equal(old.read(0, 48_000), raw / np.abs(raw).max())
    assert old.file.read_bytes()[-16:-8] == b"DISTILL1"
    assert abs(float(new.read(0, 48_000).mean())) < 1e-3
    assert SoundCache(preparation=1).get(path).samples == 48_000  # read back


def test_cancelling(write_tone: WriteTone) -> None:
    stop = threading.Event()
    stop.set()
    cache = SoundCache()
    with pytest.raises(Cancelled):
        cache.get(write_tone("a.wav", 20.0), stop)
    assert not list(cache.folder.glob("*.f32"))
    assert not list(cache.folder.glob(f".*{PARTIAL_SUFFIX}"))


def test_derived_arrays(write_tone: WriteTone) -> None:
    path = settle(write_tone("a.wav"))
    made: list[str] = []

    def make(key: str, dtype: type[Any]) -> Callable[[], FloatArray]:
        def run() -> FloatArray:
            made.append(key)
            return np.arange(600, dtype=dtype).reshape(3, 2, 100)[:, ::-1]

        return run

    sound = SoundCache().get(path)
    for dtype in (np.float32, np.float16):
        key = f"features {np.dtype(dtype).name}"
        file = sound.derived(key, make(key, dtype))
        assert SoundCache().get(path).derived(key, make(key, dtype)) == file
        loaded = np.load(file)
        assert loaded.dtype == dtype
        np.testing.assert_array_equal(loaded, make(key, dtype)())
        made.pop()
        np.testing.assert_array_equal(read_derived(file, 1, 2), loaded[1:3])
        assert read_derived(file, 2, 5).shape == (1, 2, 100)
        whole = file.read_bytes()
        for damage in (b"", whole[:100], whole[:-1], whole + b"x"):
            file.write_bytes(damage)
            assert sound.derived(key, make(key, dtype)).read_bytes() == whole
    assert Counter(made) == {"features float32": 5, "features float16": 5}
    with pytest.raises(TypeError, match="float32 or float16"):
        sound.derived("wrong", lambda: np.zeros(3))
    big = sound.derived("big", lambda: np.ones((1 << 20, 2), np.float16))
    assert np.load(big, mmap_mode="r").shape == (1 << 20, 2)


def test_threads_share_the_work(write_tone: WriteTone, decoded: Counter[str]) -> None:
    files = [write_tone(f"{n}.wav", 2.0, hertz=100 + n) for n in range(6)]
    caches = [SoundCache(), SoundCache()]
    made = []

    def work(index: int) -> tuple[str, Path]:
        sound = caches[index % 2].get(files[index % 6])
        sound.derived("k", lambda: made.append(1) or np.zeros(9, np.float32))  # type: ignore[func-returns-value]
        return sound.content_hash, sound.file

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(work, range(48)))
    assert len(set(found)) == 6
    assert decoded == {f.name: 1 for f in files}
    assert len(made) == 6


_PROCESS = """
import sys, json
from pathlib import Path
import numpy as np
from distill.audio.cache.sound_cache import SoundCache
folder, rounds = Path(sys.argv[1]), int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
sums = []
for r in range(rounds):
    for path in sorted(folder.glob("*.wav")):
        sound = SoundCache().get(path)
        file = sound.derived("k", lambda: sound.read(0, 48000).reshape(10, -1))
        sums.append([sound.samples, float(sound.read(0, sound.samples).sum()), float(np.load(file).sum())])
print(json.dumps(sums))
"""


def test_two_processes_at_once(write_tone: WriteTone, tmp_path: Path) -> None:
    for index in range(6):
        write_tone(f"{index}.wav", 2.0, hertz=100 + index)
    command = [sys.executable, "-c", _PROCESS, str(tmp_path), "2"]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [process.communicate(timeout=60) for process in started]
    assert [errors for _, errors in told] == ["", ""]
    first, second = (json.loads(output) for output, _ in told)
    assert first == second
    assert first[:6] == first[6:]
    assert [row[0] for row in first] == [96_000] * 12
    names = Counter(p.suffix for p in (paths.cache_dir() / "sounds").iterdir())
    assert (names[".f32"], names[".npy"], names[PARTIAL_SUFFIX]) == (6, 6, 0)


_MEMORY = """
import resource, sys
from pathlib import Path
import numpy as np
from distill.audio.cache.sound_cache import SoundCache
def peak_mb(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
SoundCache().get(Path(sys.argv[2]))
start = peak_mb()
sound = SoundCache().get(Path(sys.argv[1]))
decoded = peak_mb()
peak = max(float(np.abs(sound.read(at, 48000)).max()) for at in range(0, sound.samples, 48000))
print(start, decoded, peak_mb(), sound.samples, peak)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory in Linux's way")
def test_memory_does_not_grow_with_the_sound(write_tone: WriteTone, tmp_path: Path) -> None:
    seconds = 600
    long = tmp_path / "long.wav"
    soundfile.write(long, np.tile(tone(1.0, 44_100), seconds), 44_100)
    warm_up = write_tone("warm-up.wav", 3.0, 44_100)
    command = [sys.executable, "-c", _MEMORY, str(long), str(warm_up)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    start, decoded, read, samples, peak = map(float, output.split())
    assert samples == seconds * 48_000  # 115 MB
    assert peak == 1.0
    assert decoded - start < 30
    assert read - decoded < 10


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0.5", 500_000_000), ("", MAX_BYTES), ("much", MAX_BYTES), ("-3", MAX_BYTES), ("inf", MAX_BYTES)],
)
def test_the_size_of_the_cache_can_be_set(monkeypatch: pytest.MonkeyPatch, text: str, expected: int) -> None:
    monkeypatch.setenv(SIZE_VARIABLE, text)
    assert max_cache_bytes() == expected


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in folders here")
def test_a_pipe_among_the_sounds_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    """A folder with a pipe called like a sound made a training wait for ever, which no Ctrl-C ended."""
    pipe, reasons = tmp_path / "pipe.wav", list[str]()
    os.mkfifo(pipe)

    def get() -> None:
        try:
            SoundCache().get(pipe)
        except SoundError as exc:
            reasons.append(str(exc))

    thread = threading.Thread(target=get)
    thread.start()
    thread.join(3.0)
    is_waiting = thread.is_alive()
    os.close(os.open(pipe, os.O_RDWR | os.O_NONBLOCK))  # lets go of one that waits
    thread.join()
    assert not is_waiting
    assert reasons == ["is not a regular file"]
