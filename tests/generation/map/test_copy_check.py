"""Copies of own sounds are known by their waveforms, whatever was done to them; other sounds are not."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from distill.audio.decoding.mono_decoder import SAMPLE_RATE, FloatArray, decode_sound
from distill.generation.map.copy_check import COPY_CORRELATION, CopySearch

RATE = SAMPLE_RATE


def strike(seed: int, seconds: float = 0.6) -> FloatArray:
    """Return some decaying partials with a noisy attack."""
    rng = np.random.default_rng(seed)
    at = np.arange(round(seconds * RATE)) / RATE
    wave = sum(
        np.sin(2 * np.pi * rng.uniform(150, 3000) * at + rng.uniform(0, 6)) * np.exp(-at * rng.uniform(4, 30))
        for _ in range(6)
    )
    wave = wave + rng.standard_normal(len(at)) * np.exp(-at * 200)
    sound: FloatArray = (0.5 * wave / np.abs(wave).max()).astype(np.float32)
    return sound


@pytest.fixture(scope="module")
def own() -> CopySearch:
    return CopySearch((number, strike(number, 0.4 + 0.5 * number)) for number in range(8))


@pytest.mark.parametrize(
    "change",
    [
        lambda x, _rng: x * 0.05,
        lambda x, _rng: np.pad(x, (4321, 0)),
        lambda x, _rng: x[100:],
        lambda x, _rng: soxr.resample(x, RATE * 2 ** (1 / 12), RATE),
        lambda x, _rng: soxr.resample(x, RATE * 2 ** (-1 / 12), RATE),
        lambda x, rng: x + 0.01 * np.abs(x).max() * rng.standard_normal(len(x)),
        lambda x, _rng: -x,
    ],
    ids=["softer", "later", "cut", "semitone up", "semitone down", "noise", "inverted"],
)
def test_a_copy_is_found(own: CopySearch, change: "object") -> None:
    assert callable(change)
    for number in (0, 5, 7):
        made = np.asarray(change(strike(number, 0.4 + 0.5 * number), np.random.default_rng(1)), np.float32)
        match = own.find(made)
        assert match.number == number
        assert match.correlation >= COPY_CORRELATION


def test_another_sound_is_no_copy(own: CopySearch) -> None:
    for seed in range(100, 106):
        assert own.find(strike(seed)).correlation < 0.9
    noise = np.random.default_rng(5).standard_normal(RATE).astype(np.float32)
    assert own.find(noise).correlation < 0.5


def test_nothing_to_compare(tmp_path: Path) -> None:
    assert CopySearch([]).find(strike(0)).number == -1
    silent = CopySearch([(3, np.zeros(RATE, np.float32))])
    assert silent.find(strike(0)).correlation < 0.5
    assert silent.find(np.zeros(RATE, np.float32)).number == -1
    assert silent.find(np.ones(3, np.float32)).number == -1
    path, other = tmp_path / "a.wav", tmp_path / "b.wav"
    soundfile.write(path, strike(2), RATE)
    other.write_text("no sound")
    found = CopySearch.of_files({4: path, 5: other, 6: tmp_path / "missing.wav"}).find(strike(2))
    assert found.number == 4
    assert found.correlation > 0.99


def test_no_more_is_decoded_than_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distill.generation.map.copy_check._MOST_SECONDS", 1)
    files = {number: tmp_path / f"{number}.wav" for number in range(5)}
    for number, path in files.items():
        soundfile.write(path, strike(number), RATE)  # of 0.6 s
    decoded: list[Path] = []

    def decode(path: Path) -> FloatArray:
        decoded.append(path)
        return decode_sound(path)

    monkeypatch.setattr("distill.generation.map.copy_check.decode_sound", decode)
    own = CopySearch.of_files(files)
    assert decoded == [files[0], files[1]]
    assert own.find(strike(0)).number == 0
    assert own.find(strike(1)[: RATE // 3]).number == 1
    assert own.find(strike(2)).correlation < COPY_CORRELATION
