"""What is played of a file is what a model is trained on."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from distill.audio.decoding.sound_file import decode_sound
from distill.playback.sound import load_sound
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
