"""Finding sounds, reading their headers, checking them in the background."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from distill import paths
from distill.audio import sound_scan
from distill.audio.cache.sound_cache import SoundCache
from distill.audio.decoding.mono_decoder import decode_sound
from distill.audio.scan_result import SkippedSound, SoundEntry
from distill.audio.sound_scan import check_sounds, find_sound_files, scan_sounds
from distill.audio.waveform_peaks import waveform_peaks
from distill.errors import Cancelled, DistillError, SoundError
from distill.paths import RUN_MARKER
from tests.audio.conftest import WriteTone, tone


def found_below(root: Path, *named: Path | str) -> list[str]:
    """Names, relative to ``root``, of what is found in it or in what is named."""
    return [path.relative_to(root).as_posix() for path in find_sound_files(named or [root])]


def test_folders_are_searched_to_any_depth_and_sorted(write_tone: WriteTone, tmp_path: Path) -> None:
    for name in ("b.wav", "A.FLAC", "deep/er/c.ogg", "deep/d.aiff", "deep/e.mp3"):
        write_tone(name)
    for name in ("notes.txt", "cover.jpg", "score.mid", "noise.mat", "noise.raw"):
        (tmp_path / name).write_bytes(b"no sound")
    names = ["A.FLAC", "b.wav", "deep/d.aiff", "deep/e.mp3", "deep/er/c.ogg"]
    assert found_below(tmp_path) == names
    assert found_below(tmp_path, tmp_path / "deep", tmp_path / "b.wav", tmp_path, str(tmp_path / "A.FLAC")) == names


def test_hidden_files_and_folders_are_ignored(write_tone: WriteTone, tmp_path: Path) -> None:
    for name in ("a.wav", "._a.wav", ".hidden/b.wav"):
        write_tone(name)
    assert found_below(tmp_path) == ["a.wav"]
    assert found_below(tmp_path, tmp_path / ".hidden") == [".hidden/b.wav"]  # whoever names it means it


def test_links(write_tone: WriteTone, tmp_path: Path) -> None:
    real = write_tone("in/a.wav")
    (tmp_path / "in" / "up").symlink_to(tmp_path)
    (tmp_path / "in" / "same.wav").symlink_to(real)
    os.link(real, tmp_path / "in" / "z-hard.wav")
    (tmp_path / "in" / "dead.wav").symlink_to(tmp_path / "nowhere.wav")
    (tmp_path / "in" / "round.wav").symlink_to(tmp_path / "in" / "round.wav")
    (tmp_path / "round").symlink_to(tmp_path / "round")
    skipped: list[SkippedSound] = []
    assert [p.name for p in find_sound_files([tmp_path], skipped)] == ["a.wav"]
    reason = "is a link to a file that is not there"
    assert {(s.path.name, s.reason) for s in skipped} == {
        ("dead.wav", reason),
        ("round.wav", "is a link that leads back to itself"),
    }
    for item in skipped:  # a training says the same
        with pytest.raises(SoundError) as caught:
            decode_sound(item.path)
        assert str(caught.value) == item.reason


def test_linked_folders_are_searched(write_tone: WriteTone, tmp_path: Path) -> None:
    write_tone("elsewhere/a.wav")
    (tmp_path / "sounds").mkdir()
    (tmp_path / "sounds" / "link").symlink_to(tmp_path / "elsewhere")
    assert found_below(tmp_path, tmp_path / "sounds") == ["sounds/link/a.wav"]


def test_runs_models_and_cache_are_never_sounds(write_tone: WriteTone, tmp_path: Path) -> None:
    write_tone("a.wav")
    write_tone("run/previews/preview_epoch0001_00.wav")
    (tmp_path / "run" / RUN_MARKER).write_text("{}")
    for position in (paths.runs_dir(), paths.models_dir(), paths.cache_dir()):
        write_tone(str(position / "x" / "b.wav"))
    demo = write_tone(str(paths.demo_dir() / "demo.wav"))
    (tmp_path / "home").symlink_to(paths.data_dir().parent)
    assert found_below(tmp_path) == ["a.wav", "home/data/demo-sounds/demo.wav"]
    assert find_sound_files([paths.data_dir()]) == [demo]


RECORD = '{"version": 1, "config": {}, "sounds": [], "status": "running"}'


@pytest.mark.parametrize(
    ("record", "others", "expected"),
    [
        (RECORD, (), True),
        ("\ufeff" + RECORD, (), True),  # saved by an editor that writes a byte order mark
        ("{", ("history.jsonl",), True),
        ("[]", ("checkpoints/checkpoint_epoch0003.pt",), True),
        ("", ("previews/recon_epoch0001_orig_00.wav",), True),
        ('{"name": "marathon", "km": 42}', (), False),
        ("[1, 2]", (), False),
        ("{", (), False),
        ("", ("checkpoints/readme.txt",), False),
        ('{"version": 1, "config": {}}', ("previews/cover.wav",), False),
    ],
)
def test_runs_are_told_from_other_programs_records(
    write_tone: WriteTone, tmp_path: Path, record: str, others: tuple[str, ...], expected: bool
) -> None:
    sound = write_tone("top/folder/a.wav")
    folder = sound.parent
    (folder / RUN_MARKER).write_text(record, encoding="utf-8")
    for name in others:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"x")
    result = scan_sounds([tmp_path / "top"])
    assert [entry.path for entry in result.entries] == ([] if expected else [sound])
    assert [item.path for item in result.skipped if item.reason.startswith("belongs to Distill")] == [folder] * expected


@pytest.mark.parametrize("suffix", ["mp4", "MOV", "webm", "mka", "m4b", "3gp", "spx", "wma", "mkv"])
def test_containers_are_listed_with_a_reason(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"memo.{suffix}"
    path.write_bytes(b"\0\0\0\x20ftypisom" + bytes(4000))
    (skipped,) = scan_sounds([tmp_path]).skipped
    assert skipped == SkippedSound(path, f"{suffix.upper()} files cannot be read: convert it to WAV or FLAC")


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ((), ""),
        (("a.txt",), "1 other file is no sound by name: 1 .txt."),
        (("a.txt", "b.TXT", "c.jpg"), "3 other files are no sound by name: 2 .txt, 1 .jpg."),
        (("README", "deep/d.pdf"), "2 other files are no sound by name: 1 without a suffix, 1 .pdf."),
        (
            tuple(f"x.{n}k" for n in range(8)),
            "8 other files are no sound by name: 1 .0k, 1 .1k, 1 .2k, 1 .3k, 1 .4k, 1 .5k, 2 other kinds.",
        ),
        ((".hidden",), ""),
    ],
)
def test_other_files_are_counted_by_kind(tmp_path: Path, names: tuple[str, ...], text: str) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert scan_sounds([tmp_path]).passed_over_text() == text


def test_a_run_that_is_named_is_refused_but_its_file_is_taken(write_tone: WriteTone, tmp_path: Path) -> None:
    preview = write_tone("run/previews/preview_epoch0001_00.wav")
    (tmp_path / "run" / RUN_MARKER).write_text("{}")
    for folder in (tmp_path / "run", tmp_path / "run" / "previews"):
        (skipped,) = scan_sounds([folder]).skipped
        assert skipped.path == folder
        assert skipped.reason.startswith("belongs to Distill")
    assert [e.path for e in scan_sounds([preview]).entries] == [preview]


def test_what_is_named_and_no_sound_is_told(write_tone: WriteTone, tmp_path: Path) -> None:
    sound = write_tone("sound.dat", format="WAV")
    text = tmp_path / "notes.txt"
    text.write_text("no sound")
    result = scan_sounds([sound, text, tmp_path / "gone.wav", tmp_path / "gone", ""])
    assert sound in [e.path for e in result.entries]
    reasons = {s.path.name: s.reason for s in result.skipped}
    assert reasons["notes.txt"] == "not a sound file that can be read (its format is not recognised)"
    assert reasons["gone.wav"] == reasons["gone"] == "there is no such file or folder"


def test_what_cannot_be_decoded_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "song.m4a").write_bytes(bytes(4) + b"ftypM4A " + bytes(99))
    (skipped,) = scan_sounds([tmp_path]).skipped
    assert skipped.reason == "M4A files cannot be read: convert it to WAV or FLAC"


def test_unreadable_folder(write_tone: WriteTone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tone("a.wav")
    locked = write_tone("locked/b.wav").parent
    locked.chmod(0)
    if os.access(locked, os.R_OK):  # the superuser: let reading it fail as for others
        real = os.scandir

        def forbidden(path: Path) -> object:
            if Path(path) == locked:
                raise PermissionError(13, "Permission denied", str(path))
            return real(path)

        monkeypatch.setattr(os, "scandir", forbidden)
    result = scan_sounds([tmp_path])
    monkeypatch.undo()
    locked.chmod(0o700)
    assert [e.name for e in result.entries] == ["a.wav"]
    assert [(s.path, s.reason.split(":")[0]) for s in result.skipped] == [(locked, "permission denied")]


def test_scan_tells_what_headers_tell(write_tone: WriteTone, tmp_path: Path) -> None:
    good = write_tone("good.wav", 1.5, 44_100)
    stereo = tmp_path / "stereo.flac"
    soundfile.write(stereo, np.stack([tone(), tone()], 1), 96_000)
    cut = write_tone("cut.wav", 4.0)
    cut.write_bytes(cut.read_bytes()[:100_000])
    (tmp_path / "empty.wav").touch()
    seen: list[tuple[int, int]] = []
    result = scan_sounds([tmp_path], on_progress=lambda done, total: seen.append((done, total)))
    status = good.stat()
    assert result.entries[0] == SoundEntry(good, "good.wav", 1.5, 44_100, 1, status.st_size, status.st_mtime_ns)
    assert (result.entries[1].duration_s, result.entries[1].channels) == (0.25, 2)
    assert [s.path.name for s in result.skipped] == ["cut.wav", "empty.wav"]
    assert "cut off" in result.skipped[0].reason
    assert seen == [(n, 4) for n in (1, 2, 3, 4)]
    assert result.file_count == 4


def test_500_files_are_scanned_in_time(write_tone: WriteTone, tmp_path: Path) -> None:
    content = write_tone("0.flac", 1.0, 44_100).read_bytes()
    for index in range(1, 500):
        (tmp_path / f"{index}.flac").write_bytes(content)
    start = time.perf_counter()
    result = scan_sounds([tmp_path])
    assert time.perf_counter() - start < 2.0
    assert len(result.entries) == 500


def test_cancelled_scan(write_tone: WriteTone, tmp_path: Path) -> None:
    write_tone("a.wav")
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        scan_sounds([tmp_path], cancel_event=stop)


def test_check_finds_what_headers_do_not_tell(write_tone: WriteTone, tmp_path: Path) -> None:
    write_tone("good.wav")
    write_tone("other.wav", hertz=300)
    soundfile.write(tmp_path / "silent.wav", np.zeros(4800), 48_000)
    soundfile.write(tmp_path / "nan.wav", np.full(4800, np.nan), 48_000, subtype="FLOAT")
    gone = write_tone("gone.wav")
    entries = scan_sounds([tmp_path]).entries
    gone.unlink()
    found: dict[str, str | None] = {}
    threads = set()

    def on_checked(entry: SoundEntry, reason: str | None) -> None:
        found[entry.name] = reason
        threads.add(threading.current_thread())

    check_sounds(entries, SoundCache(), on_checked)
    assert threads == {threading.current_thread()}
    assert found == {
        "good.wav": None,
        "other.wav": None,
        "silent.wav": "is silent",
        "nan.wav": "contains samples that are not numbers (NaN or infinite), the first at 0.000 s",
        "gone.wav": "the file is no longer there",
    }


def test_cancelled_check_stops_and_is_silent(write_tone: WriteTone, tmp_path: Path) -> None:
    for index in range(30):
        write_tone(f"{index}.wav", 2.0, hertz=200 + index)
    entries = scan_sounds([tmp_path]).entries
    stop, told = threading.Event(), []

    def on_checked(entry: SoundEntry, reason: str | None) -> None:
        told.append(reason)
        stop.set()

    check_sounds(entries, SoundCache(), on_checked, stop)
    assert 1 <= len(told) < 30
    assert set(told) == {None}


def test_trouble_with_the_cache_is_not_the_files_fault(
    write_tone: WriteTone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tone("a.wav")
    entries = scan_sounds([tmp_path]).entries
    blocked = tmp_path / "cache"
    blocked.write_text("in the way")
    with pytest.raises(DistillError, match="cannot be written to"):
        check_sounds(entries, SoundCache(blocked), lambda entry, reason: pytest.fail(f"told {reason}"))


def test_peaks() -> None:
    audio = np.array([0, 1, -1, 0.5, 0.25, -0.25], np.float32)
    np.testing.assert_array_equal(waveform_peaks(audio, 3), [[0, 1], [-1, 0.5], [-0.25, 0.25]])
    np.testing.assert_array_equal(waveform_peaks(audio, 1), [[-1, 1]])
    assert waveform_peaks(audio, 100).shape == (100, 2)
    assert (waveform_peaks(audio, 100)[0] == 0).all()
    assert (waveform_peaks(np.zeros(0, np.float32), 5) == 0).all()
    long = np.random.default_rng(1).standard_normal(100_003).astype(np.float32)
    peaks = waveform_peaks(long, 777)
    assert (peaks[:, 0].min(), peaks[:, 1].max()) == (long.min(), long.max())
    with pytest.raises(ValueError, match="at least 1 bin"):
        waveform_peaks(audio, 0)


def test_no_torch_and_no_qt() -> None:
    modules = "distill.audio.demo.demo_sounds, distill.audio.cache.sound_cache, distill.audio.sound_scan"
    code = f"import sys, {modules}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "scipy", "PySide6", "pyqtgraph"} & set(loaded)
    assert sound_scan.__name__ in loaded


def test_names_that_begin_with_a_tilde_are_names(
    write_tone: WriteTone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder called ~backup was looked for in the home of a user of that name; with no such user it was a crash."""
    for name in ("~root/a.wav", "~nobody-of-that-name/b.wav", "~/c.wav", "home/d.wav"):
        write_tone(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert found_below(tmp_path, "~root") == ["~root/a.wav"]
    assert found_below(tmp_path, "~nobody-of-that-name") == ["~nobody-of-that-name/b.wav"]
    assert found_below(tmp_path, "~") == ["~/c.wav"]
    (tmp_path / "~").rename(tmp_path / "tilde")
    assert found_below(tmp_path, "~") == ["home/d.wav"]
    assert found_below(tmp_path, "~/d.wav") == ["home/d.wav"]
