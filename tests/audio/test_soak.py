"""Decoded sound against independent decoders, for hundreds of generated files: by hand, with ``-m soak``."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from distill.audio.decoding.mono_decoder import decode_sound
from tests.audio.test_mono_decoder import FORMATS
from tests.audio.test_real_end import correlation

#: Formats that neither program reads, or reads as something else.
UNREAD = {"SDS", "XI", "WVE", "HTK", "MAT5", "PVF", "AVR", "PAF", "NIST", "IRCAM", "SVX"}
RATES = (8_000, 22_050, 32_000, 44_100, 48_000, 96_000)
LENGTHS = (0.31, 1.7)
#: Seconds of a packet of the slowest rate, by which decoders differ at the end of lossy files.
PACKET_S = 0.08


def _reference(path: Path) -> Any:
    """The sound as FFmpeg decodes it, else as sox does, mono at its own rate; None where neither reads it."""
    ffmpeg = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "f32le", "-ac", "1", "-ar", "48000", "-"]
    sox = ["sox", "-V1", str(path), "-t", "f32", "-c", "1", "-r", "48000", "-"]
    for command in (ffmpeg, sox):
        if shutil.which(command[0]):
            output = subprocess.run(command, capture_output=True, check=False).stdout
            if len(output) > 4000:
                return np.frombuffer(output, np.float32)
    return None


def _cases() -> list[tuple[str, str, int, float, int]]:
    cases = []
    for container, coding, _ in FORMATS:
        if container in UNREAD:
            continue
        for rate in RATES:
            for seconds in LENGTHS:
                for channels in (1, 2):
                    cases.append((container, coding, rate, seconds, channels))
    return cases


@pytest.mark.soak
@pytest.mark.skipif(not shutil.which("ffmpeg") and not shutil.which("sox"), reason="needs ffmpeg or sox")
def test_as_independent_decoders_do(tmp_path: Path) -> None:
    compared, differing = 0, []
    for number, (container, coding, rate, seconds, channels) in enumerate(_cases()):
        rng = np.random.default_rng(number)
        t = np.arange(round(seconds * rate)) / rate
        audio = 0.4 * np.sin(2 * np.pi * 300 * t * (1 + 0.5 * t)) + 0.01 * rng.standard_normal(len(t))
        path = tmp_path / f"{number}.{container.lower() if container != 'WAVEX' else 'wav'}"
        try:
            soundfile.write(path, np.stack([audio] * channels, 1), rate, format=container, subtype=coding)
        except (soundfile.LibsndfileError, ValueError):
            continue  # a rate that the coding does not have
        expected = _reference(path)
        if expected is None:
            continue
        found = decode_sound(path, normalize=False)
        compared += 1
        tail = min(len(found), len(expected))
        same = correlation(found[:tail], expected[:tail], min(2400, tail // 4))
        if abs(len(found) - len(expected)) > PACKET_S * 48_000 or same < 0.99:
            differing.append((container, coding, rate, seconds, channels, len(found), len(expected), round(same, 3)))
        path.unlink()
    assert compared >= 300
    assert not differing
