"""Offset and infrasound are removed before levels are measured; what can be heard is left as it was."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from distill.audio.cache.sound_cache import SoundCache
from distill.audio.decoding.infrasound import InfrasoundFilter
from distill.audio.decoding.mono_decoder import decode_sound
from distill.errors import SoundError

Array = npt.NDArray[Any]
RATE = 48_000


def hit(seconds: float, rate: int = RATE) -> Array:
    """A kick drum: a tone that falls from 200 to 50 Hz and dies away."""
    t = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(50 + 150 * np.exp(-40 * t)) / rate
    return np.asarray(0.3 * np.sin(phase) * np.exp(-6 * t), np.float32)


def share_under(audio: Array, hertz: float) -> float:
    power = np.abs(np.fft.rfft(audio)) ** 2
    return float(power[np.fft.rfftfreq(len(audio), 1 / RATE) < hertz].sum() / power.sum())


STEADY: dict[str, Callable[[Array], Array]] = {
    "offset 0.005": lambda t: np.full_like(t, 0.005),
    "offset 0.02": lambda t: np.full_like(t, 0.02),
    "offset -0.5": lambda t: np.full_like(t, -0.5),
    "2 Hz": lambda t: 0.1 * np.sin(2 * np.pi * 2 * t),
    "8 Hz": lambda t: 0.05 * np.sin(2 * np.pi * 8 * t + 1),
    "13 Hz": lambda t: 0.05 * np.cos(2 * np.pi * 13 * t),
    "drift": lambda t: 0.1 * (1 - np.exp(-t)),
}


@pytest.mark.parametrize("steady", STEADY)
@pytest.mark.parametrize("seconds", [0.6, 4.0, 25.0])
@pytest.mark.parametrize("rate", [44_100, 96_000])
def test_steady_content_is_removed(tmp_path: Path, steady: str, seconds: float, rate: int) -> None:
    clean = hit(seconds, rate)
    t = np.arange(len(clean), dtype=np.float32) / rate
    for name, audio in (("clean", clean), ("steady", clean + STEADY[steady](t))):
        soundfile.write(tmp_path / f"{name}.wav", audio, rate, subtype="FLOAT")
    expected, found = (decode_sound(tmp_path / f"{name}.wav") for name in ("clean", "steady"))
    # What is left lies within half a window of the ends: a quarter of its energy at 0.6 s, nothing at 25 s.
    assert share_under(found, 20) < share_under(expected, 20) + 0.05
    # The level is that of the sound, not that of the offset.
    loud = np.abs(expected) > 0.3
    assert np.abs(found[loud] / expected[loud]).mean() == pytest.approx(1, abs=0.2)
    assert np.corrcoef(expected, found)[0, 1] > 0.97


@pytest.mark.parametrize("offset", [0.0, 0.005, 0.02, -0.1, 0.4])
def test_an_offset_changes_nothing_in_the_cache(tmp_path: Path, offset: float) -> None:
    for name, audio in (("clean", hit(1.0)), ("offset", hit(1.0) + np.float32(offset))):
        soundfile.write(tmp_path / f"{name}.wav", audio, RATE, subtype="FLOAT")
    clean, found = (SoundCache().get(tmp_path / f"{name}.wav") for name in ("clean", "offset"))
    np.testing.assert_allclose(found.read(0, RATE), clean.read(0, RATE), atol=1e-5)


@pytest.mark.parametrize("hertz", [27.5, 35.0, 50.0, 110.0, 1000.0, 15_000.0])
def test_what_can_be_heard_is_kept_in_level_and_phase(hertz: float) -> None:
    t = np.arange(10 * RATE) / RATE
    sine = np.asarray(0.5 * np.sin(2 * np.pi * hertz * t), np.float32)
    found = filtered(sine)
    middle = slice(RATE, -RATE)
    np.testing.assert_allclose(found[middle], sine[middle], atol=0.002)


@pytest.mark.parametrize("seconds", [0.05, 0.2, 0.4, 1.0, 12.0])
def test_a_hit_keeps_its_shape(seconds: float) -> None:
    audio = hit(seconds)
    found = filtered(audio)
    assert np.corrcoef(audio, found)[0, 1] > 0.998
    # No click at the begin: the first sample moves by less than the step between two samples of the attack.
    assert abs(float(found[0] - audio[0])) < np.abs(np.diff(audio[:480])).max() + abs(float(audio.mean()))


def filtered(audio: Array, sizes: tuple[int, ...] = (100_000,)) -> Array:
    def blocks() -> Iterator[Array]:
        at = number = 0
        while at < len(audio):
            yield audio[at : at + sizes[number % len(sizes)]]
            at, number = at + sizes[number % len(sizes)], number + 1

    return np.concatenate(list(InfrasoundFilter(RATE).filter(blocks())))


@pytest.mark.parametrize("samples", [1, 2, 479, 4800, 100_000, 480_000, 480_001, 700_000, 1_500_000])
def test_blocks_of_any_size_give_the_same(samples: int) -> None:
    audio = np.random.default_rng(samples).standard_normal(samples).astype(np.float32)
    expected = filtered(audio, (samples,))
    assert expected.shape == audio.shape
    for sizes in ((1_000_000,), (65_536, 1, 4099), (131_072,)):
        if samples <= 480_000 or sizes != (1_000_000,):
            np.testing.assert_allclose(filtered(audio, sizes)[: samples // 2], expected[: samples // 2], atol=0.02)
    assert filtered(audio, (7919,)).shape == audio.shape


@pytest.mark.parametrize("steady", ["2 Hz", "8 Hz", "13 Hz"])
def test_a_file_of_infrasound_alone_is_refused(tmp_path: Path, steady: str) -> None:
    t = np.arange(20 * RATE, dtype=np.float32) / RATE
    fade = np.minimum(1, np.minimum(t, 20 - t) / 4) ** 2
    soundfile.write(tmp_path / "a.wav", 0.001 * STEADY[steady](t) * fade, RATE, subtype="FLOAT")
    with pytest.raises(SoundError, match=r"is silent|only an offset or sound under 20 Hz"):
        decode_sound(tmp_path / "a.wav")
