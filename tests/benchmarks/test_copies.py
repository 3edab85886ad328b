"""Whether planted copies of own sounds are found, and how many new real sounds are taken for copies.  By hand.

A fifth of the sounds is put aside (``random.Random(7).shuffle`` of the sorted files, the first fifth).  Copies are
made of the others: softer, shifted, a semitone up or down, with noise, and through lossy formats.
"""

import io
import random
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from distill.audio.decoding.mono_decoder import SAMPLE_RATE, FloatArray, decode_sound
from distill.errors import SoundError
from distill.generation.map.copy_check import COPY_CORRELATION, CopySearch, Match
from tests.benchmarks.conftest import Report

pytestmark = pytest.mark.benchmark

#: Own sounds of which copies are planted.
PLANTED = 40


def copies(audio: FloatArray, rng: np.random.Generator) -> dict[str, FloatArray]:
    """Return copies of a sound, by what was done to it."""
    noise = rng.standard_normal(len(audio)) * np.sqrt(np.square(audio).mean())
    made = {
        "gain": audio * 10 ** (-rng.uniform(6, 24) / 20),
        "later": np.pad(audio, (round(rng.uniform(0.01, 0.4) * SAMPLE_RATE), 0)),
        "cut": audio[round(min(0.2 * len(audio), rng.uniform(0.005, 0.1) * SAMPLE_RATE)) :],
        "semitone up": soxr.resample(audio, SAMPLE_RATE * 2 ** (1 / 12), SAMPLE_RATE),
        "semitone down": soxr.resample(audio, SAMPLE_RATE * 2 ** (-1 / 12), SAMPLE_RATE),
        "noise at 30 dB": audio + noise * 10 ** (-30 / 20),
        "noise at 20 dB": audio + noise * 10 ** (-20 / 20),
        "MP3": coded(audio, "MP3"),
        "Vorbis": coded(audio, "OGG"),
        "22 kHz": soxr.resample(soxr.resample(audio, SAMPLE_RATE, 22_050), 22_050, SAMPLE_RATE),
    }
    return {name: np.asarray(sound, np.float32) for name, sound in made.items()}


def coded(audio: FloatArray, name: str) -> FloatArray:
    buffer = io.BytesIO()
    soundfile.write(buffer, 0.9 * audio, SAMPLE_RATE, format=name, compression_level=0.8)
    buffer.seek(0)
    read: FloatArray = soundfile.read(buffer, dtype="float32")[0]
    return read


def is_usable(path: Path) -> bool:
    try:
        decode_sound(path)
    except SoundError:
        return False
    return True


def test_planted_copies_and_false_alarms(bench_sounds: list[Path], report: Report) -> None:
    files = [path for path in sorted(bench_sounds) if is_usable(path)]
    random.Random(7).shuffle(files)
    aside, rest = files[: len(files) // 5], files[len(files) // 5 :]
    audio = {number: decode_sound(path) for number, path in enumerate(rest)}
    own, rng = CopySearch(audio.items()), np.random.default_rng(1)
    new = [(own.find(decode_sound(path)), path.stem) for path in aside]
    planted: dict[str, list[tuple[Match, int]]] = {}
    for number in sorted(rng.permutation(len(rest))[:PLANTED].tolist()):
        for name, sound in copies(audio[number][: 4 * SAMPLE_RATE], rng).items():
            planted.setdefault(name, []).append((own.find(sound), number))
    for name, found in planted.items():
        values = np.array([match.correlation for match, _ in found])
        share = np.mean([match.correlation >= COPY_CORRELATION for match, _ in found])
        right = np.mean([match.number == number for match, number in found])
        report(f"{name}: found {share:.3f}, the right one {right:.3f}, lowest {np.sort(values)[:3].round(3)}")
    every = np.array([match.correlation for found in planted.values() for match, _ in found])
    alarms = sorted(((match.correlation, name, rest[match.number].stem) for match, name in new), reverse=True)
    report(f"new sounds that are most like own ones: {[(round(a, 3), b, c) for a, b, c in alarms[:6]]}")
    values = np.array([value for value, _, _ in alarms])
    for limit in (0.85, 0.9, 0.93, 0.95, 0.97, 0.98):
        report(f"from {limit}: copies found {np.mean(every >= limit):.3f}, false alarms {np.mean(values >= limit):.3f}")
    assert np.mean(every >= COPY_CORRELATION) > 0.9
