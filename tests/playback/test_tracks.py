"""What is played of a file is what a model is trained on."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from distill.audio.decoding.mono_decoder import decode_sound
from distill.errors import PlaybackError
from distill.playback import tracks as sound_module
from distill.playback.tracks import load_sound
from tests.audio.test_real_end import RATE, correlation, encoded, sweep

WAV = encoded("WAV PCM_16", sweep(1.0))
FILES: dict[str, bytes] = {
    "joined.mp3": encoded("MP3", sweep(1.0)) + encoded("MP3", sweep(1.0, seed=1)),
    "joined.flac": encoded("FLAC PCM_16", sweep(1.0)) + encoded("FLAC PCM_16", sweep(1.0, seed=1)),
    "joined.ogg": encoded("OGG VORBIS", sweep(1.0)) + encoded("OGG VORBIS", sweep(1.0, seed=1)),
    "tagged.wav": b"ID3\x04\0\0\0\0\x08\0" + bytes(1024) + WAV,
    "never closed.wav": WAV[:40] + bytes(4) + WAV[44:],
}


@pytest.mark.parametrize("name", FILES)
def test_a_sound_is_played_as_it_is_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FILES[name])
    played, expected = load_sound(tmp_path / name), decode_sound(tmp_path / name, normalize=False)
    assert len(played.frames) / RATE == pytest.approx(len(expected) / 48_000, abs=1e-3)
    mono = np.interp(np.arange(len(expected)) / 48_000, np.arange(len(played.frames)) / RATE, played.frames[:, 0])
    assert correlation(expected[-24_000:], mono[-24_000:]) > 0.99


@pytest.mark.skipif(os.name == "nt", reason="Names of files are text there.")
@pytest.mark.parametrize("change", [lambda data: data, lambda data: data[:-20_000]], ids=["whole", "cut off"])
def test_a_name_that_is_no_utf_8_is_played(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/kick \xff.wav"))
    path.write_bytes(change(WAV))
    assert len(load_sound(path).frames) == (len(change(WAV)) - 44) // 2


@pytest.mark.skipif(os.name == "nt", reason="There are no pipes in folders there.")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.wav")
    with pytest.raises(PlaybackError, match="cannot be decoded"):
        load_sound(tmp_path / "a.wav")
    with pytest.raises(PlaybackError, match="not there any more"):
        load_sound(tmp_path / "b.wav")


@pytest.mark.parametrize("kept_s", [600, 2, 1])
@pytest.mark.parametrize("kind", ["WAV PCM_16", "FLAC PCM_16", "FLAC without a length", "WAV of six channels"])
def test_sounds_of_stated_and_unstated_lengths_are_read_to_the_end_or_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, kept_s: int
) -> None:
    monkeypatch.setattr(sound_module, "LONGEST_SECONDS", kept_s)
    audio = np.stack([sweep(2.5), sweep(2.5, seed=1)], 1)
    stored = np.repeat(audio, 3, axis=1)[:, [0, 3, 1, 1, 1, 1]] if kind.endswith("channels") else audio
    data = encoded("FLAC PCM_16" if kind.startswith("FLAC") else "WAV PCM_16", stored)
    if kind.endswith("length"):
        data = data[:21] + bytes([data[21] & 0xF0]) + bytes(4) + data[26:]
    (tmp_path / "a").write_bytes(data)
    expected = audio[: kept_s * RATE]
    frames = load_sound(tmp_path / "a").frames
    assert frames.shape == expected.shape
    assert np.abs(frames - expected).max() < 1e-4
    assert frames.flags.c_contiguous
