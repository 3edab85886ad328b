"""A sound at a glance: peaks, levels, and the database that keeps them."""

import io
import math
import os
import sqlite3
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from distill import paths
from distill.audio.cache import waveform_overview
from distill.audio.cache.waveform_overview import BINS, OverviewStore, measure_sound
from distill.audio.decoding.mono_decoder import decode_sound
from distill.audio.waveform_peaks import waveform_peaks
from distill.errors import Cancelled, SoundError


def noise(seconds: float, channels: int = 1, rate: int = 44_100) -> NDArray[np.float32]:
    rng = np.random.default_rng(3)
    return rng.uniform(-0.5, 0.5, (round(seconds * rate), channels)).astype(np.float32)


def old(path: Path) -> Path:
    os.utime(path, (time.time() - 3600,) * 2)
    return path


@pytest.mark.parametrize("seconds", [0.01, 0.4, 7.3])
def test_the_peaks_are_those_of_the_whole_sound(tmp_path: Path, seconds: float) -> None:
    audio = noise(seconds, 2)
    audio[len(audio) // 3, :] = 0.9  # one sample that must not get lost
    soundfile.write(tmp_path / "a.wav", audio, 44_100, subtype="FLOAT")
    found = measure_sound(tmp_path / "a.wav").peaks
    mono = audio.mean(axis=1)
    assert found.shape == (BINS, 2)
    assert found.max() == pytest.approx(0.9, abs=1e-3)
    if len(mono) < 32 * BINS:
        np.testing.assert_allclose(found, waveform_peaks(mono, BINS), atol=1e-3)
        return
    # A long sound is collected in pieces, so a stretch may begin up to a piece (1/16 of it) too early.
    edges = np.arange(BINS + 1) * len(mono) // BINS
    piece = len(mono) // (16 * BINS)
    for (low, high), first, last in zip(found, edges[:-1], edges[1:], strict=True):
        inner, outer = mono[first + piece : last - piece], mono[max(0, first - 2 * piece) : last + 2 * piece]
        assert outer.min() - 1e-3 <= low <= inner.min() + 1e-3
        assert inner.max() - 1e-3 <= high <= outer.max() + 1e-3


def test_levels_are_those_of_the_file_not_of_its_mono_mix(tmp_path: Path) -> None:
    tone = 0.5 * np.sin(np.arange(48_000) * 2 * np.pi * 100 / 48_000)
    soundfile.write(tmp_path / "a.wav", np.stack([tone, -tone], axis=1), 48_000, subtype="FLOAT")
    found = measure_sound(tmp_path / "a.wav")
    assert found.peak_dbfs == pytest.approx(20 * math.log10(0.5), abs=0.01)
    assert found.rms_dbfs == pytest.approx(20 * math.log10(0.5 / math.sqrt(2)), abs=0.01)
    assert np.abs(found.peaks).max() < 1e-3  # the channels cancel each other out: that is what would be heard


@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.mp3", "a.aiff"])
def test_every_format_ends_where_the_sound_does(tmp_path: Path, name: str) -> None:
    audio = noise(2.0)
    audio[44_100:] = 0  # silent from the middle on
    soundfile.write(tmp_path / name, audio, 44_100)
    peaks = measure_sound(tmp_path / name).peaks
    assert np.abs(peaks[BINS // 4 : BINS * 9 // 20]).max(axis=1).min() > 0.1
    assert np.abs(peaks[BINS * 11 // 20 :]).max() < 0.1


def test_silence_and_what_is_not_a_number(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(4800), 48_000)
    assert measure_sound(tmp_path / "silent.wav").peak_dbfs == waveform_overview.SILENT_DBFS
    audio = noise(0.1)
    audio[7] = np.nan
    audio[8] = np.inf
    audio[9] = 1e30
    audio[10:20] = 3e38
    for channels in (1, 2):
        soundfile.write(tmp_path / "nan.wav", np.repeat(audio, channels, axis=1), 48_000, subtype="FLOAT")
        found = measure_sound(tmp_path / "nan.wav")
        assert np.isfinite(found.peaks).all()
        assert found.rms_dbfs < found.peak_dbfs < 0


def test_a_bad_file_and_a_cancel(tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_text("no sound")
    with pytest.raises(SoundError, match="not a sound file"):
        measure_sound(tmp_path / "bad.wav")
    soundfile.write(tmp_path / "a.wav", noise(1.0), 44_100)
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        measure_sound(tmp_path / "a.wav", stop)


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "a.wav", noise(0.2), 44_100)
    return old(tmp_path / "a.wav")


def forbid_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waveform_overview, "measure_sound", lambda *_: pytest.fail("measured again"))


def test_what_was_measured_is_kept_exactly(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = OverviewStore()
    made = first.get(sound)
    first.close()
    forbid_measuring(monkeypatch)
    second = OverviewStore()
    found = second.get(sound)
    second.close()
    np.testing.assert_array_equal(found.peaks, made.peaks)
    assert (found.peak_dbfs, found.rms_dbfs) == (made.peak_dbfs, made.rms_dbfs)


def test_files_of_one_size_and_time_that_are_renamed(tmp_path: Path) -> None:
    with_peaks = {name: tmp_path / f"{name}.wav" for name in ("loud", "soft")}
    for name, level in (("loud", 1.0), ("soft", 0.1)):
        soundfile.write(with_peaks[name], level * noise(1.0), 44_100)
        os.utime(with_peaks[name], (1e9, 1e9))
    store = OverviewStore(tmp_path / "o.sqlite")
    loud, soft = (store.get(path).peak_dbfs for path in with_peaks.values())
    store.flush()
    with_peaks["soft"].replace(with_peaks["loud"])
    assert store.get(with_peaks["loud"]).peak_dbfs == soft < loud - 10
    store.close()


@pytest.mark.skipif(os.name == "nt", reason="Names of files are text there.")
def test_a_name_that_is_no_utf_8_does_not_cost_the_others_their_overviews(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Path(os.fsdecode(os.fsencode(tmp_path) + b"/kl\xe4nge.wav"))
    other.write_bytes(sound.read_bytes())
    old(other)
    store = OverviewStore()
    kept = [store.get(path) for path in (other, sound)]
    store.close()
    forbid_measuring(monkeypatch)
    store = OverviewStore()
    for path, overview in zip((other, sound), kept, strict=True):
        np.testing.assert_array_equal(store.get(path).peaks, overview.peaks)
    store.close()


def test_two_at_once_do_not_hold_each_other_up(sound: Path, tmp_path: Path) -> None:
    one, other = OverviewStore(), OverviewStore()
    one.get(sound)
    soundfile.write(tmp_path / "b.wav", noise(0.1), 44_100)
    other.get(old(tmp_path / "b.wav"))
    other.close()
    one.close()
    with sqlite3.connect(one.file) as connection:
        assert connection.execute("SELECT count(*) FROM overviews").fetchone() == (2,)
    connection.close()


def test_a_file_that_is_just_being_written_is_not_kept(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "new.wav", noise(0.1), 44_100)
    store = OverviewStore()
    store.get(tmp_path / "new.wav")
    store.close()
    with sqlite3.connect(store.file) as connection:
        assert connection.execute("SELECT count(*) FROM overviews").fetchone() == (0,)
    connection.close()


@pytest.mark.parametrize("damage", [b"not a database at all" * 100, b""])
def test_a_damaged_database_starts_afresh(sound: Path, damage: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    file = paths.cache_dir() / "overviews.sqlite"
    file.parent.mkdir(parents=True)
    file.write_bytes(damage)
    store = OverviewStore()
    measured = store.get(sound)
    store.close()
    assert measured.peak_dbfs == pytest.approx(-6.0, abs=0.2)
    forbid_measuring(monkeypatch)
    again = OverviewStore()
    assert again.get(sound).peak_dbfs == measured.peak_dbfs  # kept in the new database
    again.close()


def test_a_database_with_damaged_pages_starts_afresh_the_next_time(
    sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the sounds behind the first page are lost; it opens like a whole one."""
    store = OverviewStore()
    measured = store.get(sound)
    store.close()
    with store.file.open("r+b") as file:
        file.seek(16)
        page, size = int.from_bytes(file.read(2), "big"), store.file.stat().st_size
        file.seek(page)
        file.write(b"\xff" * (size - page))
    for _ in range(2):
        store = OverviewStore()
        assert store.get(sound).peak_dbfs == measured.peak_dbfs
        store.close()
    forbid_measuring(monkeypatch)
    again = OverviewStore()
    assert again.get(sound).peak_dbfs == measured.peak_dbfs
    again.close()


def test_without_a_place_to_write_sounds_are_measured_all_the_same(sound: Path, tmp_path: Path) -> None:
    (tmp_path / "blocked").touch()
    store = OverviewStore(tmp_path / "blocked" / "overviews.sqlite")
    assert store.get(sound).peak_dbfs == pytest.approx(-6.0, abs=0.2)
    store.close()


def test_what_was_used_longest_ago_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waveform_overview, "MAX_KEPT", 2)
    files = [tmp_path / f"{n}.wav" for n in range(3)]
    for file in files:
        soundfile.write(file, noise(0.05), 44_100)
        store = OverviewStore()
        store.get(old(file))
        store.close()
        if file == files[1]:  # the first one is used again
            store = OverviewStore()
            store.get(files[0])
            store.close()
    with sqlite3.connect(store.file) as connection:
        kept = {Path(key.split("\n")[0]).name for (key,) in connection.execute("SELECT key FROM overviews")}
    connection.close()
    assert kept == {"0.wav", "2.wav"}


@pytest.mark.parametrize(("seconds", "rate"), [(0.002, 22_050), (0.01, 48_000), (0.5, 8_000)])
def test_a_short_recording_joined_behind_another_is_measured(tmp_path: Path, seconds: float, rate: int) -> None:
    """Of a few samples at another rate the resampler gives nothing at first, which was reported as a bug."""
    joined = b""
    for length, at in ((1.0, 44_100), (seconds, rate)):
        part = io.BytesIO()
        wave = 0.5 * np.sin(2 * np.pi * 300 * np.arange(round(length * at)) / at)
        soundfile.write(part, wave, at, format="OGG", subtype="VORBIS")
        joined += part.getvalue()
    path = tmp_path / "joined.ogg"
    path.write_bytes(joined)
    assert measure_sound(path).peak_dbfs == pytest.approx(-6.0, abs=1.0)
    assert len(decode_sound(path)) == pytest.approx((1.0 + seconds) * 48_000, abs=48)
