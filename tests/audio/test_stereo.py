"""The stereo image of a sound: measured, given to a mono sound, and read from files."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from distill.audio.cache.sound_cache import SoundCache
from distill.audio.decoding.mono_decoder import decode_sound
from distill.audio.stereo.moment_alignment import followed, heard_levels
from distill.audio.stereo.mono_to_stereo import divide, render, render_stream
from distill.audio.stereo.stereo_files import count_stereo, decode_channels, image_of_sound, is_stereo_file, stereo_text
from distill.audio.stereo.stereo_image import (
    BANDS,
    COLUMN,
    LEFT,
    RIGHT,
    StereoImage,
    band_sums,
    base_of,
    columns_of,
    frames_of,
    image_of,
    levels_of,
)
from distill.errors import SoundError
from tests.training.conftest import tone

RATE = 48_000


def noise(seed: int, seconds: float = 1.0) -> Any:
    rng = np.random.default_rng(seed)
    return (0.2 * rng.standard_normal(round(seconds * RATE))).astype(np.float32)


def panned(mono: Any, place: float) -> Any:
    """Return left and right of a sound at a place, from -1 to 1."""
    angle = (place + 1) * np.pi / 4
    return np.stack([np.cos(angle) * mono, np.sin(angle) * mono]).astype(np.float32)


def moving(seconds: float = 2.0) -> Any:
    t = np.arange(round(seconds * RATE)) / RATE
    angle = (np.sin(2 * np.pi * 0.7 * t) + 1) * np.pi / 4
    return (noise(1, seconds) * np.stack([np.cos(angle), np.sin(angle)])).astype(np.float32)


def wide(share: float, seconds: float = 1.0) -> Any:
    middle, side = noise(2, seconds), share * noise(3, seconds)
    return np.stack([middle + side, middle - side])


def pair_of_notes() -> Any:
    """Return a low note at the left and a high one at the right."""
    t = np.arange(RATE) / RATE
    low, high = np.sin(2 * np.pi * 150 * t), np.sin(2 * np.pi * 3000 * t)
    return (0.3 * (panned(low, -0.7) + panned(high, 0.7))).astype(np.float32)


def sums_of(channels: Any) -> tuple[Any, Any, Any]:
    """Return the energies of left and right and their product in each band."""
    left, right = (frames_of(np.pad(channel, 1024)) for channel in channels)
    parts = (np.abs(left) ** 2, np.abs(right) ** 2, (left * right.conj()).real)
    return tuple(band_sums(part).sum(0) for part in parts)


@pytest.mark.parametrize(
    "channels",
    [panned(tone(1), 0.6), panned(noise(0), -0.9), moving(), wide(0.5), wide(1.0), wide(2.5), pair_of_notes()],
    ids=["tone", "noise", "moving", "narrow", "unrelated", "against", "notes"],
)
def test_a_mix_gets_its_channels_back(channels: Any) -> None:
    mono = channels.mean(0)
    made = render(mono, image_of(channels).held())
    np.testing.assert_allclose(made.mean(0), mono, atol=1e-6)  # whatever the image, the mix is the sound
    (left, right, product), (new_left, new_right, new_product) = sums_of(channels), sums_of(made)
    heard = left + right > 1e-4 * (left + right).max()
    balance = 10 * np.log10(left / right) - 10 * np.log10(new_left / new_right)
    likeness = product / np.sqrt(left * right) - new_product / np.sqrt(new_left * new_right)
    assert np.abs(balance[heard]).max() < 1.0
    assert np.abs(likeness[heard]).max() < 0.1


def test_a_channel_as_the_base_stays_as_it_is() -> None:
    """Channels that cancel each other out: the model is given one of them, and the other one comes back."""
    left = noise(4)
    channels = np.stack([left, -0.5 * left])
    assert base_of(np.stack([0.5 * left, -left * 0.5])) == LEFT
    assert base_of(np.stack([0.4 * left, -0.5 * left])) == RIGHT
    made = render(left, image_of(channels, LEFT).held())
    np.testing.assert_array_equal(made[0], left)
    np.testing.assert_allclose(made[1, 4096:-4096], channels[1, 4096:-4096], atol=0.02)


def test_a_stream_is_the_whole_in_any_blocks() -> None:
    mono = np.resize(tone(2, 3.0), 5 * RATE)
    image = image_of(np.stack([mono, np.roll(mono, 300)])).held()
    blocks = np.split(mono, [7, 3000, 98_304, 98_305, 200_000])
    np.testing.assert_array_equal(np.concatenate(list(render_stream(blocks, image))).T, render(mono, image))
    for samples in (1, 100, 2048, 98_305):
        assert render(mono[:samples], image).shape == (2, samples)


def test_attacks_stay_attacks_in_the_second_signal() -> None:
    click = np.zeros(RATE, np.float32)
    click[24_000:24_100] = noise(5)[:100]
    image = StereoImage(*np.stack([np.zeros((30, BANDS)), np.zeros((30, BANDS)), np.zeros((30, BANDS))]))
    _, side = divide(render(click, image), -1)
    assert float(np.abs(side).max()) > 0.01
    heard = np.flatnonzero(np.abs(side) > 0.02 * np.abs(side).max())
    assert heard[0] > 24_000 - 2048
    assert heard[-1] < 24_000 + 3072


def test_levels_are_those_of_an_image() -> None:
    mono = tone(3, 1.3)
    np.testing.assert_allclose(levels_of(mono), image_of(np.stack([mono, mono])).level, atol=0.07)  # half precision
    assert levels_of(mono[:1]).shape == (columns_of(1), BANDS)


@pytest.mark.parametrize("measure", [image_of, lambda channels: levels_of(channels[0])], ids=["image", "levels"])
def test_a_long_sound_is_measured_in_parts(measure: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the memory of a part, to the values of the whole."""
    channels = panned(np.concatenate([noise(seed) for seed in range(8)]), 0.3)

    def measured() -> tuple[Any, int]:
        tracemalloc.start()
        try:
            found = measure(channels)
            return found, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    whole, most = measured()
    monkeypatch.setattr("distill.audio.stereo.stereo_image._PART_FRAMES", 50)
    parts, least = measured()
    assert least < most / 3
    for one, other in zip(*([x.balance, x.level] if measure is image_of else [x] for x in (parts, whole)), strict=True):
        np.testing.assert_allclose(one, other, atol=0.05)


def test_what_is_not_heard_takes_the_last_image_that_was() -> None:
    channels = np.concatenate([panned(noise(6), 0.5), np.zeros((2, RATE), np.float32)], axis=1)
    image = image_of(channels)
    assert abs(float(image.balance[-1].mean())) < 0.1
    expected = 20 * np.log10(np.cos(1.5 * np.pi / 4) / np.sin(1.5 * np.pi / 4))
    np.testing.assert_allclose(image.held().balance[-1], expected, atol=0.2)


def test_the_way_from_one_image_to_another() -> None:
    left, right = (image_of(panned(noise(7), place)).held() for place in (-0.5, 0.5))
    shares = [float(left.towards(right, share).balance.mean()) for share in (0.0, 0.5, 1.0)]
    np.testing.assert_allclose(shares, [shares[0], 0.0, -shares[0]], atol=0.05)
    assert shares[0] > 5


class TestFollowing:
    def test_a_sound_follows_itself(self) -> None:
        image = image_of(moving()).held()
        levels = heard_levels(image.level)
        assert followed(levels, levels, image).tolist() == list(range(len(image)))

    def test_its_end_goes_on(self) -> None:
        image = image_of(panned(noise(8), 0.2)).held()
        levels = heard_levels(image.level)
        longer = np.concatenate([levels, np.repeat(levels[-1:], 5, 0)])
        path = followed(longer, levels, image)
        assert path[-5:].tolist() == [len(levels) - 1] * 5

    def test_moments_that_fit_are_jumped_to(self) -> None:
        """A sound of two unlike halves in the other order."""
        one, other = tone(1, 1.0), noise(9)
        image = image_of(np.concatenate([panned(one, 0.3), panned(other, 0.4)], axis=1)).held()
        turned = levels_of(np.concatenate([other, one]))
        path = followed(heard_levels(turned), heard_levels(image.level), image)
        half = RATE // COLUMN
        assert np.mean(path[2 : half - 2] > half) > 0.9
        assert np.mean(path[half + 3 :] < half) > 0.9

    def test_memory_for_a_long_sound_on_a_long_one(self) -> None:
        """A number for each pair of moments would be a quarter of a gigabyte for a minute on a quarter of an hour."""
        rng = np.random.default_rng(0)
        balance, likeness, level = rng.normal(0, 3, (3, 3000, BANDS)).astype(np.float32)
        image = StereoImage(balance, likeness, level)
        levels = image.level[100:700]
        tracemalloc.start()
        try:
            path = followed(levels, image.level, image)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert path.tolist() == list(range(100, 700))
        assert peak < 5_000_000  # 600 times 3000 numbers of eight bytes are 14 MB

    def test_a_sound_of_one_column(self) -> None:
        image = image_of(panned(noise(8, 0.003), 0.2)).held()
        levels = heard_levels(image.level)
        assert followed(levels[:1], levels[:1], image.part(0, 0)).tolist() == [0]
        assert followed(levels, levels[:1], image.part(0, 0)).tolist() == [0] * len(levels)


class TestFiles:
    def write(self, path: Path, channels: Any, rate: int = RATE) -> Path:
        soundfile.write(path, np.asarray(channels).T, rate, subtype="PCM_24")
        return path

    def test_stereo_is_what_differs(self, tmp_path: Path) -> None:
        mono = noise(13)
        files = {
            "mono": (mono[None], False),
            "dual mono": (np.stack([mono, mono]), False),
            "an offset in one channel": (np.stack([mono, mono + 0.1]), False),
            "half a decibel": (np.stack([mono, 0.95 * mono]), False),
            "panned": (panned(mono, 0.3), True),
            "wide": (wide(0.3), True),
            "cancelling": (np.stack([mono, -mono]), True),
            "four channels": (np.stack([mono, mono, -mono, mono]), False),
        }
        for name, (channels, expected) in files.items():
            assert is_stereo_file(self.write(tmp_path / f"{name}.wav", channels)) is expected, name
        cache = SoundCache()
        sounds = [cache.get(tmp_path / f"{name}.wav") for name in ("mono", "dual mono", "panned", "wide")]
        assert count_stereo(sounds) == 2
        assert stereo_text(2, 4) == "2 of 4 sounds are stereo."
        assert "too few" in stereo_text(1, 40)
        assert stereo_text(0, 40) == ""
        (tmp_path / "wide.wav").unlink()
        assert count_stereo(sounds) == 1  # what cannot be read any more is not counted

    def test_channels_come_as_they_are_decoded_to_mono(self, tmp_path: Path) -> None:
        path = self.write(tmp_path / "a.wav", wide(0.4, 0.7), 44_100)
        channels = decode_channels(path)
        np.testing.assert_allclose(channels.mean(0), decode_sound(path, normalize=False), atol=1e-6)
        with pytest.raises(SoundError, match="two channels"):
            decode_channels(self.write(tmp_path / "b.wav", noise(14)[None]))

    def test_an_image_is_measured_once_and_of_parts(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        sound = SoundCache().get(self.write(tmp_path / "a.wav", moving()))
        whole = image_of_sound(sound)
        assert len(whole) == columns_of(sound.samples)
        monkeypatch.setattr("distill.audio.stereo.stereo_files.image_of_file", None)
        part = image_of_sound(sound.part(10 * COLUMN, 20 * COLUMN))
        np.testing.assert_array_equal(part.balance, whole.balance[10:21])
        mono = image_of_sound(sound, stereo=False)
        assert float(np.abs(mono.balance).max()) == 0.0
        np.testing.assert_array_equal(mono.level, whole.level)

    def test_a_file_that_has_changed_has_no_image(self, tmp_path: Path) -> None:
        sound = SoundCache().get(self.write(tmp_path / "a.wav", wide(0.5)))
        self.write(tmp_path / "a.wav", wide(0.5, 0.5))
        with pytest.raises(SoundError, match="changed"):
            image_of_sound(sound)
