"""The stereo images that a model file holds, and the sounds that get them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distill.audio.stereo.stereo_image import StereoImage, columns_of, image_of, levels_of
from distill.errors import ModelFileError
from distill.models import open_model
from distill.models.model_parts import ModelParts
from distill.models.stereo import image_store, stereo_variations
from distill.models.stereo.image_store import ImageStore
from tests.audio.test_stereo import noise, panned, wide
from tests.support.models import tone_model, write_model_with_prior
from tests.training.conftest import tone

RATE = 48_000
#: Where the tones of `store` are, from left to right.
PLACES = (-0.8, -0.4, 0.0, 0.4, 0.8)


def images() -> list[StereoImage]:
    return [image_of(panned(tone(number), place)).held() for number, place in enumerate(PLACES)]


def balance(channels: Any) -> float:
    left, right = (np.asarray(channels, np.float64) ** 2).sum(1)
    return float(10 * np.log10(left / right))


def test_a_sound_gets_the_image_of_the_sound_that_it_resembles() -> None:
    store = ImageStore.build(images())
    for number, place in enumerate(PLACES):
        like = 0.3 * (tone(number) + 0.01 * noise(number, 0.8))
        made = store.render(like)
        assert balance(made) == pytest.approx(balance(panned(tone(number), place)), abs=0.7)
        np.testing.assert_allclose(made.mean(0), like, atol=1e-6)


def test_all_of_a_sound_has_the_image_of_one_sound() -> None:
    """A new sound that is like two training sounds in turn does not jump from one side to the other."""
    store = ImageStore.build(images())
    turns = np.concatenate([tone(0)[:20_000], tone(4)[:20_000]])
    made = store.render(turns)
    assert balance(made[:, :18_000]) * balance(made[:, 22_000:]) > 0


def test_the_store_survives_a_file_and_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    store = ImageStore.build(images())
    again = ImageStore.of_state(store.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(store.buffers(), again.buffers(), strict=True))
    limit = 40 * image_store.COLUMN_BYTES
    monkeypatch.setattr(image_store, "MOST_BYTES", limit)
    long = image_of(wide(0.5, 4.0)).held()
    small = ImageStore.build([*images(), long])
    assert sum(value.numel() * value.element_size() for value in small.buffers()) <= limit
    assert set(small.owner.tolist()) == set(range(6))  # each sound keeps its beginning
    assert small.render(noise(3)).shape == (2, RATE)


def test_quiet_and_short_sounds_are_rendered() -> None:
    store = ImageStore.build([replace(StereoImage.mono(columns_of(200)), level=levels_of(tone(1)[:200]))])
    for mono in (tone(1)[:1], np.zeros(5000, np.float32), tone(2)):
        made = store.render(mono)
        assert np.isfinite(made).all()
        np.testing.assert_allclose(made[0], made[1], atol=1e-5)


@pytest.mark.parametrize(
    "damage",
    [
        {"columns": torch.zeros(4, 3, 7, dtype=torch.int8)},
        {"owner": torch.tensor([0, 2, 1, 3], dtype=torch.int32)},
        {"columns": torch.zeros(0, 3, 20, dtype=torch.int8), "owner": torch.zeros(0, dtype=torch.int32)},
        {"owner": "four"},
        {"owner": torch.zeros(60_000, dtype=torch.int32)},
    ],
    ids=["bands", "order", "empty", "text", "too many"],
)
def test_a_damaged_store_is_refused(tmp_path: Path, damage: dict[str, Any]) -> None:
    model = tone_model("vae")
    path = write_model_with_prior(model, tmp_path / "a.distill")
    data = torch.load(path, weights_only=True)
    whole = {"columns": torch.zeros(4, 3, 20, dtype=torch.int8), "owner": torch.zeros(4, dtype=torch.int32)}
    torch.save({**data, "stereo": whole}, path)
    assert open_model(path).is_stereo
    torch.save({**data, "stereo": {**whole, **damage}}, path)
    with pytest.raises(ModelFileError, match="stereo"):
        open_model(path)


@pytest.fixture(scope="module")
def model() -> Any:
    mono = tone_model("vae")
    return replace(mono, parts=replace(mono.parts, stereo=ImageStore.build(images())))


class TestModels:
    def test_scripts_get_one_channel_unless_they_ask_for_two(self, model: Any) -> None:
        mono = model.generate(3, seed=1)
        assert [one.shape[0] for one in mono] == [1, 1, 1]
        assert model.sample(2, seed=1).shape == (2, 1, RATE)
        for channels in (2, None):
            made = model.generate(3, seed=1, channels=channels)
            for one, both in zip(mono, made, strict=True):
                assert both.shape == (2, one.shape[1])
                assert float(both.abs().max()) == pytest.approx(1.0, abs=1e-6)
                mix = both.mean(0)
                torch.testing.assert_close(mix / mix.abs().max(), one[0], atol=1e-4, rtol=0)
        with pytest.raises(ValueError, match="channels"):
            model.generate(1, channels=3)

    def test_a_mono_model_says_so(self, model: Any) -> None:
        mono = replace(model, parts=ModelParts(prior=model.prior))
        assert mono.generate(1, seed=1, channels=None)[0].shape[0] == 1
        with pytest.raises(ModelFileError, match="makes mono sounds"):
            mono.generate(1, channels=2)
        with pytest.raises(ValueError, match="one mono sound"):
            mono.vary(torch.zeros(2, 100) + 0.1, 1, 0.0)

    def test_versions_of_a_stereo_sound_keep_its_image(self, model: Any) -> None:
        channels = torch.from_numpy(panned(tone(7), -0.5))
        wanted = balance(channels)
        for strength in (0.0, 0.6):
            (made,) = model.vary(channels, 1, strength, seed=1)
            assert made.shape == channels.shape
            assert balance(made) == pytest.approx(wanted, abs=0.6)
        longer = model.extend(channels, 0.5, seed=1)
        torch.testing.assert_close(longer[:, : channels.shape[1]], channels, atol=1e-5, rtol=0)
        assert balance(longer[:, channels.shape[1] :]) == pytest.approx(wanted, abs=1.0)
        again = model.repaint(channels, 0.2, 0.4, seed=1)
        torch.testing.assert_close(again[:, :9000], channels[:, :9000], atol=1e-5, rtol=0)
        assert balance(again[:, 10_500:18_500]) == pytest.approx(wanted, abs=0.6)
        mono = channels.mean(0, keepdim=True)
        assert model.vary(mono, 1, 0.3, seed=1)[0].shape[0] == 1

    @pytest.mark.parametrize("level", [1.0, 0.4])
    def test_versions_of_a_stereo_sound_have_its_peak(self, model: Any, level: float) -> None:
        """Channels that have little in common used to add up to more than full scale, which a file cuts off."""
        channels, other = (torch.from_numpy(sound) for sound in (wide(0.9), panned(tone(6), 0.6)))
        channels = channels * (level / channels.abs().max())
        for strength in (0.0, 0.5, 1.0):
            for made in model.vary(channels, 3, strength, seed=1):
                assert float(made.abs().max()) == pytest.approx(level, rel=1e-5)
        ends = [float(step.abs().max()) for step in model.morph(channels, other, 4)]
        assert ends[0] == pytest.approx(level, rel=1e-5)
        assert ends[-1] == pytest.approx(float(other.abs().max()), rel=1e-5)
        assert ends == sorted(ends, reverse=ends[0] > ends[-1])
        for made in (model.extend(channels, 0.5, seed=1), model.repaint(channels, 0.2, 0.6, seed=1)):
            assert float(made.abs().max()) <= level * (1 + 1e-5)

    def test_a_morph_goes_from_one_image_to_the_other(self, model: Any) -> None:
        left, right = (torch.from_numpy(panned(tone(n), place)) for n, place in ((5, -0.6), (6, 0.6)))
        places = [balance(step) for step in model.morph(left, right, 5)]
        assert places[0] == pytest.approx(balance(left), abs=0.6)
        assert places[-1] == pytest.approx(balance(right), abs=0.6)
        assert places == sorted(places, reverse=True)
        mono = torch.from_numpy(tone(6))[None]
        places = [balance(step) for step in model.morph(left, mono, 3)]
        assert places[-1] == pytest.approx(0.0, abs=0.1)
        with pytest.raises(ValueError, match="numbers"):
            model.morph(left * torch.nan, mono, 3)


def test_a_sound_of_three_channels_is_refused_beside_a_stereo_one() -> None:
    """It used to be taken for a mono sound that is three times as long."""
    stereo, three = torch.from_numpy(wide(0.5)), torch.ones(3, 4800)
    for pair in ((stereo, three), (three, stereo)):
        with pytest.raises(ValueError, match="one mono sound"):
            list(stereo_variations.morph(None, *pair, 2))  # type: ignore[arg-type]  # refused before anything is computed


@pytest.mark.parametrize("owner", [[-1, 0, 1], [0, 2, 1], [-(2**31), 0, 1]])
def test_columns_of_no_sound_are_refused(owner: list[int]) -> None:
    state = ImageStore(3).state_dict()
    state["owner"] = torch.tensor(owner, dtype=torch.int32)
    with pytest.raises(ValueError, match="not in order"):
        ImageStore.of_state(state)
