"""Sounds for other programs: what is written is what was made, in every format, and nothing is lost on the way."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from distill.audio.decoding.mono_decoder import decode_sound
from distill.audio.export import export_sound, widen
from distill.audio.export_options import FORMATS, RATES, ExportOptions
from distill.errors import ConfigurationError

EVERY = [(row.key, rate) for row in FORMATS for rate in row.rates]


def chord(seconds: float = 1.0) -> Any:
    t = np.arange(int(seconds * 48_000)) / 48_000
    sound = sum(np.sin(2 * np.pi * f * t + f) for f in (110, 277, 1103, 5009)) * np.exp(-2 * t)
    return (sound / np.abs(sound).max()).astype(np.float32)


def level_db(audio: Any, rate: int, hz: float) -> float:
    t = np.arange(len(audio)) / rate
    return float(20 * np.log10(np.abs(np.mean(audio * np.exp(-2j * np.pi * hz * t)))))


def correlation(audio: Any) -> float:
    left, right = audio.T
    return float(np.mean(left * right) / np.sqrt(np.mean(left**2) * np.mean(right**2)))


@pytest.mark.parametrize(("key", "rate"), EVERY)
@pytest.mark.parametrize("stereo", [False, True])
def test_every_format_holds_the_sound_and_its_facts(tmp_path: Path, key: str, rate: int, stereo: bool) -> None:
    sound, options = chord(), ExportOptions(key, rate, stereo)
    made = export_sound(tmp_path / f"chord{options.kind.suffix}", sound, options, "A title", "a comment, {}")
    with soundfile.SoundFile(made.path) as file:
        assert (file.samplerate, file.channels) == (rate, 1 + stereo)
        assert (file.title, file.comment) == ("A title", "a comment, {}")
        audio = file.read(always_2d=True)
    assert abs(len(audio) / rate - 1.0) < 0.06  # MP3 pads to whole frames
    assert np.abs(audio).max() <= 1.0
    mono = audio.mean(1) * (np.sqrt(2) if stereo else 1) / made.gain
    for hz in (110, 277, 1103, 5009):
        assert abs(level_db(mono, rate, hz) - level_db(sound, 48_000, hz)) < 0.7


@pytest.mark.parametrize("key", ["wav16", "wav24", "wav32f"])
def test_what_is_too_large_for_wav_is_written_as_rf64(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """Of a WAV file of over four hours what lies behind the first 4 GB was lost."""
    sound = chord() * np.float32(0.5)
    monkeypatch.setattr("distill.audio.export.MOST_WAV_BYTES", 96_000 * (2 if key == "wav16" else 1))
    heads = []
    for seconds in (1, 5):
        made = export_sound(tmp_path / "a.wav", np.tile(sound, seconds), ExportOptions(key), "A title", "a comment")
        heads.append(made.path.read_bytes()[:4])
        with soundfile.SoundFile(made.path) as file:
            assert (file.title, file.comment, file.frames) == ("A title", "a comment", seconds * 48_000)
        assert np.abs(decode_sound(made.path, normalize=False) - np.tile(sound, seconds)).max() < 1e-3
    assert heads == [b"RIFF" if key == "wav16" else b"RF64", b"RF64"]


def test_float_is_exact_and_24_bits_nearly(tmp_path: Path) -> None:
    sound = chord() * np.float32(0.5)
    exact, _ = soundfile.read(export_sound(tmp_path / "a.wav", sound, ExportOptions("wav32f")).path, dtype="float32")
    assert np.array_equal(exact, sound)
    for key in ("wav24", "flac24"):
        near, _ = soundfile.read(export_sound(tmp_path / f"b.{key}", sound, ExportOptions(key)).path, dtype="float32")
        assert np.abs(near - sound).max() <= 2.0**-23


def test_dither_keeps_what_rounding_would_lose(tmp_path: Path) -> None:
    t = np.arange(48_000) / 48_000
    faint = (0.4 * 2.0**-15 * np.sin(2 * np.pi * 441 * t)).astype(np.float32)  # under half a step of 16 bits
    with_it, _ = soundfile.read(export_sound(tmp_path / "a.wav", faint).path)
    without, _ = soundfile.read(export_sound(tmp_path / "b.wav", faint, ExportOptions(dither=False)).path)
    assert not without.any()
    assert abs(level_db(with_it, 48_000, 441) - level_db(faint, 48_000, 441)) < 1.5
    again = export_sound(tmp_path / "c.wav", faint).path
    assert np.array_equal(soundfile.read(again)[0], with_it)  # the same sound, the same file
    silent, _ = soundfile.read(export_sound(tmp_path / "d.wav", np.zeros(100)).path)
    assert not silent.any()


@pytest.mark.parametrize("key", [row.key for row in FORMATS])
def test_nothing_clips(tmp_path: Path, key: str) -> None:
    loud = np.sign(np.sin(2 * np.pi * 997 * np.arange(24_000) / 48_000)) * 3  # resampling and codecs add to its edges
    options = ExportOptions(key, 44_100, stereo=True)
    made = export_sound(tmp_path / "loud", loud, options)
    audio, _ = soundfile.read(made.path)
    assert made.gain < 1 / 3
    assert 0.5 < np.abs(audio).max() <= 1.0
    assert np.mean(np.abs(audio) >= np.abs(audio).max() - 2.0**-15) < 0.01  # no flat tops


def test_two_channels_differ_and_add_up_to_the_sound() -> None:
    noise = np.random.default_rng(1).standard_normal(96_000).astype(np.float32)
    wide = widen(noise)
    assert abs(correlation(wide)) < 0.1
    np.testing.assert_allclose(wide.sum(1) / np.sqrt(2), noise, atol=1e-5)
    assert abs(wide[:, 0].std() / wide[:, 1].std() - 1) < 0.05
    bass = np.sin(2 * np.pi * 40 * np.arange(96_000) / 48_000).astype(np.float32)
    assert correlation(widen(bass)[20_000:]) > 0.8
    assert widen(np.ones(1, np.float32)).shape == (1, 2)


def test_no_name_is_overwritten(tmp_path: Path) -> None:
    sound = chord(0.1)
    names = [export_sound(tmp_path / "new" / "a.wav", sound).path.name for _ in range(3)]
    assert names == ["a.wav", "a (2).wav", "a (3).wav"]
    assert export_sound(tmp_path / "a.song", sound).path.name == "a.song.wav"
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and p.stat().st_size == 0]


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    for bad in (np.zeros(0), np.zeros((2, 3)), np.array([np.nan]), np.full((9, 2), 3e38)):
        with pytest.raises(ValueError, match="exported"):
            export_sound(tmp_path / "a.wav", bad)
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(OSError, match="file"):
        export_sound(blocked / "a.wav", chord(0.1))
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(("key", "rate"), [("mp3", 96_000), ("wav16", 8_000), ("wav8", 48_000)])
def test_what_cannot_be_written_is_refused(key: str, rate: int) -> None:
    with pytest.raises(ConfigurationError):
        ExportOptions(key, rate)
    assert 48_000 in RATES


def loud_in_the_middle() -> Any:
    """Half a second of tone that is cut off hard, between silences of 0.3 and 0.7 s."""
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(24_000) / 48_000 + 1).astype(np.float32)
    return np.concatenate([np.zeros(14_400, np.float32), tone, np.full(33_600, 1e-4, np.float32)])


def test_silence_is_trimmed_and_cuts_are_faded(tmp_path: Path) -> None:
    options = ExportOptions("wav32f", trim=True, fade_ms=5)
    made, _ = soundfile.read(export_sound(tmp_path / "a.wav", loud_in_the_middle(), options).path, dtype="float32")
    assert 24_000 <= len(made) <= 24_000 + 48 + 480  # at most 1 ms before and 10 ms after are kept
    assert abs(made[0]) == abs(made[-1]) == 0
    heard = np.flatnonzero(np.abs(made) > 1e-3)
    assert heard[0] < 96  # an attack is not lost in the fade
    assert np.allclose(made[240:20_000], loud_in_the_middle()[14_400 - 48 :][240:20_000])


def test_a_hard_end_is_faded(tmp_path: Path) -> None:
    cut = loud_in_the_middle()[14_400:38_000]
    assert abs(cut[0]) > 0.3
    made, _ = soundfile.read(
        export_sound(tmp_path / "a.wav", cut, ExportOptions("wav32f", fade_ms=5)).path, dtype="float32"
    )
    assert len(made) == len(cut)
    assert made[0] == made[-1] == 0
    assert np.abs(np.diff(made[:240])).max() < 0.04  # no step: the tone itself moves by 0.03 a sample
    assert np.array_equal(made[240:-240], cut[240:-240])


def test_by_default_nothing_is_cut_off_or_faded(tmp_path: Path) -> None:
    sound = loud_in_the_middle()
    made, _ = soundfile.read(export_sound(tmp_path / "a.wav", sound, ExportOptions("wav32f")).path, dtype="float32")
    assert np.array_equal(made, sound)


def test_a_silent_or_tiny_sound_stays(tmp_path: Path) -> None:
    options = ExportOptions("wav32f", trim=True, fade_ms=500)
    for name, sound in (("a.wav", np.zeros(100, np.float32)), ("b.wav", np.full(3, 0.5, np.float32))):
        made, _ = soundfile.read(export_sound(tmp_path / name, sound, options).path, dtype="float32")
        assert np.array_equal(made, sound)


@pytest.mark.parametrize("fade", [-1, 1001, float("nan")])
def test_a_fade_out_of_range_is_refused(fade: float) -> None:
    with pytest.raises(ConfigurationError, match="fade_ms"):
        ExportOptions(fade_ms=fade)


def test_a_long_stereo_ogg(tmp_path: Path) -> None:
    """libsndfile dies of what it is given at once (its stack overflows at 80 s), and with it the whole process."""
    script = """
import sys
from pathlib import Path

import numpy as np
import soundfile

from distill.audio.export import export_sound
from distill.audio.export_options import ExportOptions

audio = np.zeros((100 * 48_000, 2), np.float32)
audio[::4801] = 0.5
made = export_sound(Path(sys.argv[1]), [audio], ExportOptions("ogg"))  # as one block
assert soundfile.info(made.path).frames == len(audio)
"""
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "a.ogg"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("key", [row.key for row in FORMATS])
def test_no_encoder_is_given_more_than_a_second_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    given: list[int] = []
    write = soundfile.SoundFile.write

    def counting(file: soundfile.SoundFile, data: Any) -> None:
        given.append(len(data))
        write(file, data)

    monkeypatch.setattr(soundfile.SoundFile, "write", counting)
    export_sound(
        tmp_path / "a", iter([np.zeros((100, 2), np.float32), chord(3.0)[:, None].repeat(2, 1)]), ExportOptions(key)
    )
    assert sum(given) >= 3 * 44_100
    assert max(given) <= 48_000


@pytest.mark.parametrize("louder", [0, 1])
def test_one_channel_of_two_that_cancel_each_other_out(tmp_path: Path, louder: int) -> None:
    """Their mean is silent, so the louder one is written, as where sounds are read."""
    sound = chord(3.0)
    pair = np.stack([sound, -sound], axis=1) * (0.5 + 0.1 * (np.arange(2) == louder)).astype(np.float32)
    made = export_sound(tmp_path / "a.wav", pair, ExportOptions("wav24", stereo=False))
    audio, _ = soundfile.read(made.path)
    assert (audio.shape, made.samples) == (sound.shape, len(sound))
    np.testing.assert_allclose(audio, pair[:, louder], atol=1e-6)
    other = export_sound(tmp_path / "c.wav", pair, ExportOptions("wav24", 44_100, stereo=False))
    assert np.abs(soundfile.read(other.path)[0]).max() == pytest.approx(np.abs(pair[:, louder]).max(), rel=0.02)
    usual = np.stack([sound, np.roll(sound, 500)], axis=1) / 2
    audio, _ = soundfile.read(export_sound(tmp_path / "b.wav", usual, ExportOptions("wav32f", stereo=False)).path)
    np.testing.assert_allclose(audio, usual.mean(1), atol=1e-6)
