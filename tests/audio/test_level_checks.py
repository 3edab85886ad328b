"""Channels that cancel each other out, and noise that is no sound."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from distill.audio.cache.sound_cache import SoundCache
from distill.audio.decoding.mono_decoder import decode_sound
from distill.errors import SoundError

Array = npt.NDArray[Any]
RATE = 48_000


def bell(seconds: float = 2.0) -> Array:
    t = np.arange(round(seconds * RATE)) / RATE
    return np.asarray(0.6 * np.sin(2 * np.pi * 220 * t * (1 + 0.1 * t)) * np.exp(-2 * t), np.float32)


def noise(level_db: float, samples: int, seed: int = 1) -> Array:
    rng = np.random.default_rng(seed)
    return np.asarray(10 ** (level_db / 20) * rng.standard_normal(samples), np.float32)


#: Channels, and the one that is used; None: the mix, which still has the sound.
STEREO: dict[str, tuple[Callable[[Array], list[Array]], int | None]] = {
    "inverse": (lambda x: [x, -x], 0),
    "inverse with noise": (lambda x: [x + noise(-66, len(x)), -x + noise(-66, len(x), 2)], 0),
    "right is louder": (lambda x: [0.97 * x + noise(-60, len(x)), -x], 1),
    "inverse with an offset": (lambda x: [x + 0.1, 0.05 - x], 0),
    "three of them": (lambda x: [-0.5 * x, x, -0.5 * x], 1),
    "the same": (lambda x: [x, x], None),
    "unrelated": (lambda x: [x, x[::-1].copy()], None),
    "one is silent": (lambda x: [x, 0 * x], None),
    "half as loud": (lambda x: [x, -0.5 * x], None),
    "of eight, one": (lambda x: [x, *(0 * x for _ in range(7))], None),
}


@pytest.mark.parametrize("case", STEREO)
@pytest.mark.parametrize("subtype", ["PCM_24", "FLOAT"])
def test_the_louder_channel_replaces_a_mix_without_sound(tmp_path: Path, case: str, subtype: str) -> None:
    make, used = STEREO[case]
    x = bell()
    channels = np.stack(make(x), 1)
    path = tmp_path / "a.wav"
    soundfile.write(path, channels, RATE, subtype=subtype)
    audio = decode_sound(path)
    expected = channels.mean(axis=1) if used is None else channels[:, used]
    assert abs(np.corrcoef(audio, expected)[0, 1]) > 0.99
    note = SoundCache().get(path).note
    if used is None:
        assert note == ""
    else:
        assert note.startswith("its channels cancel each other out in mono: only the ")
        assert ("left", "right")[used] in note or "2. channel" in note
    assert SoundCache().get(path).note == note  # also from the cache


@pytest.mark.parametrize("coding", [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None)])
def test_what_an_encoder_leaves_of_inverse_channels_is_not_the_sound(
    tmp_path: Path, coding: tuple[str, str | None]
) -> None:
    x = bell()
    path = tmp_path / "a.x"
    soundfile.write(path, np.stack([x, -x], 1), RATE, format=coding[0], subtype=coding[1])
    # Which of the channels is the louder one after the coding differs from processor to processor: one is x, one -x.
    assert abs(np.corrcoef(decode_sound(path)[: len(x)], x)[0, 1]) > 0.95


NOISE: dict[str, Callable[[], Array]] = {
    "white": lambda: noise(-76, 2 * RATE),
    "dither": lambda: np.round(np.random.default_rng(3).uniform(-7, 7, RATE)).astype(np.float32) / 32768,
    "pink": lambda: np.asarray(
        np.fft.irfft(np.fft.rfft(noise(-70, RATE)) / np.sqrt(np.arange(1, RATE // 2 + 2) / 300)), np.float32
    ),
    "hiss": lambda: np.asarray(2 * np.diff(noise(-86, RATE, 7)), np.float32),
    "with an offset": lambda: 0.2 + noise(-76, RATE),
}
QUIET_SOUNDS: dict[str, Callable[[], Array]] = {
    "tone": lambda: 6e-4 * bell(),
    "steady tone": lambda: np.asarray(5e-4 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE), np.float32),
    "hit": lambda: np.asarray(noise(-65, RATE) * np.exp(-np.arange(RATE) / 4000), np.float32),
    "tone in noise": lambda: np.asarray(
        noise(-90, RATE) + 3e-4 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE), np.float32
    ),
    "short": lambda: noise(-70, 480),
}


@pytest.mark.parametrize("name", NOISE)
def test_quiet_noise_is_not_raised_to_full_scale(tmp_path: Path, name: str) -> None:
    soundfile.write(tmp_path / "a.wav", NOISE[name](), RATE, subtype="FLOAT")
    with pytest.raises(SoundError, match=r"^holds nothing but quiet noise \(-\d\d dBFS\)$"):
        decode_sound(tmp_path / "a.wav")


@pytest.mark.parametrize("name", QUIET_SOUNDS)
def test_quiet_sounds_are_sounds(tmp_path: Path, name: str) -> None:
    soundfile.write(tmp_path / "a.wav", QUIET_SOUNDS[name](), RATE, subtype="FLOAT")
    assert np.abs(decode_sound(tmp_path / "a.wav")).max() == 1.0


@pytest.mark.parametrize("level_db", [-50, -40, -20, -6, -1])
def test_loud_noise_is_a_sound(tmp_path: Path, level_db: float) -> None:
    soundfile.write(tmp_path / "a.wav", noise(level_db - 12, RATE).clip(-1, 1), RATE, subtype="FLOAT")
    assert np.abs(decode_sound(tmp_path / "a.wav")).max() == 1.0
