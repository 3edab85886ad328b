"""Generated sounds of two channels, as files: what is stereo, and how it is made again."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from distill.audio.decoding.mono_decoder import measure_mono
from distill.audio.export import export_sound
from distill.audio.export_options import ExportOptions
from distill.audio.stereo.stereo_image import image_of
from distill.cli.app import main
from distill.errors import ModelFileError, SoundError
from distill.generation.new_sounds import make_new
from distill.generation.recipe import NEW, Recipe, read_recipe
from distill.generation.remake import remake, stream_again
from distill.generation.transform import reconstruct_file, transform_file, with_dry
from distill.library.model_library import ModelLibrary
from distill.models import open_model
from distill.models.stereo.image_store import ImageStore
from tests.audio.test_stereo import noise, panned, sums_of, wide
from tests.models.test_image_store import balance, images
from tests.support.models import tone_model, write_model_with_prior
from tests.training.conftest import tone

RATE = 48_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stereo")


@pytest.fixture(scope="module", params=["vae", "vqvae"])
def model_file(request: pytest.FixtureRequest, folder: Path) -> Path:
    mono = tone_model(request.param)
    model = replace(mono, parts=replace(mono.parts, stereo=ImageStore.build(images())))
    return write_model_with_prior(model, folder / f"{request.param}.distill")


@pytest.fixture(scope="module")
def mono_file(folder: Path) -> Path:
    return write_model_with_prior(tone_model("vae"), folder / "mono.distill")


@pytest.fixture(scope="module")
def model(model_file: Path) -> Any:
    return open_model(model_file)


@pytest.fixture(scope="module")
def sources(folder: Path) -> dict[str, Path]:
    moving = np.concatenate([panned(tone(4, 1.2), 0.5), panned(tone(4, 1.2), -0.2)], axis=1)
    files = {"panned": panned(tone(8, 1.3), -0.6), "wide": wide(0.8, 1.3), "moving": moving}
    files |= {"mono": tone(8, 1.3)[None], "turned": np.stack([tone(9), -tone(9)]) * 0.5}
    for name, channels in files.items():
        soundfile.write(folder / f"{name}.wav", channels.T, RATE, subtype="FLOAT")
    return {name: folder / f"{name}.wav" for name in files}


def likeness(channels: Any) -> float:
    left, right, product = (part.sum() for part in sums_of(channels))
    return float(product / np.sqrt(left * right))


class TestCopies:
    @pytest.mark.parametrize("name", ["panned", "wide", "moving"])
    @pytest.mark.parametrize("make", [transform_file, reconstruct_file])
    def test_keep_the_image_of_their_file(
        self, model: Any, model_file: Path, sources: dict[str, Path], name: str, make: Any
    ) -> None:
        made = make(model, model_file, sources[name])
        given = soundfile.read(sources[name], dtype="float32")[0].T
        assert made.recipe.channels == 2
        assert made.audio.shape == given.T.shape
        half = given.shape[1] // 2  # a model that is not trained has envelopes of its own: a moving sound in parts
        for part in (slice(0, half - 4096), slice(half + 4096, None)):
            assert balance(made.audio.T[:, part]) == pytest.approx(balance(given[:, part]), abs=1.0)
            assert likeness(made.audio.T[:, part]) == pytest.approx(likeness(given[:, part]), abs=0.1)
        mono = make(model, model_file, sources[name], mono=True)
        assert mono.recipe.channels == 1
        np.testing.assert_allclose(made.audio.mean(1), mono.audio, atol=1e-5)

    def test_of_channels_that_cancel_each_other_out(
        self, model: Any, model_file: Path, sources: dict[str, Path]
    ) -> None:
        made = transform_file(model, model_file, sources["turned"]).audio
        assert likeness(made.T) < -0.95
        np.testing.assert_allclose(
            made[:, 0], transform_file(model, model_file, sources["turned"], mono=True).audio, atol=1e-6
        )

    def test_of_a_mono_file_are_mono(self, model: Any, model_file: Path, sources: dict[str, Path]) -> None:
        assert transform_file(model, model_file, sources["mono"]).audio.ndim == 1

    def test_of_a_mono_model_are_mono(self, mono_file: Path, sources: dict[str, Path]) -> None:
        made = transform_file(open_model(mono_file), mono_file, sources["panned"])
        assert made.audio.ndim == 1
        assert "channels" not in made.recipe.to_dict()

    def test_are_blended_with_both_channels(self, model: Any, model_file: Path, sources: dict[str, Path]) -> None:
        given = soundfile.read(sources["moving"], dtype="float32")[0]
        wet = transform_file(model, model_file, sources["moving"]).audio
        half = transform_file(model, model_file, sources["moving"], 0.5).audio
        np.testing.assert_allclose(half, (given + wet) * 0.5**0.5, atol=1e-5)
        np.testing.assert_array_equal(transform_file(model, model_file, sources["moving"], 0.0).audio, given)

    def test_a_file_that_was_replaced_meanwhile_is_a_plain_error(self, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        soundfile.write(path, wide(0.8, 0.5).T, RATE, subtype="FLOAT")
        sound = measure_mono(path)
        wet = np.zeros((sound.samples, 2), np.float32)
        assert len(np.concatenate(list(with_dry([wet], sound, 0.5)))) == sound.samples
        soundfile.write(path, wide(0.8, 0.3).T, RATE, subtype="FLOAT")
        with pytest.raises(SoundError, match="changed"):
            list(with_dry([wet], sound, 0.5))


class TestRecipes:
    def test_new_sounds_are_made_again_in_stereo(self, model: Any, model_file: Path, tmp_path: Path) -> None:
        made = list(make_new(model, model_file, 2, seed=3))[1]
        assert made.audio.shape[1] == 2
        path = export_sound(tmp_path / "a", made.audio, ExportOptions("wav32f"), "t", made.recipe.to_text()).path
        recipe = read_recipe(path)
        assert recipe == made.recipe
        again = remake(made.recipe, ModelLibrary(tmp_path))
        np.testing.assert_array_equal(again.audio, made.audio)

    def test_of_older_versions_give_the_sounds_that_they_gave(
        self, model: Any, model_file: Path, tmp_path: Path
    ) -> None:
        """A recipe that does not speak of channels is of a mono sound, also for a model of stereo sounds."""
        mono = next(make_new(model, model_file, 1, seed=3, mono=True))
        text = mono.recipe.to_text()
        assert "channels" not in text
        again = remake(Recipe.from_text(text), ModelLibrary(tmp_path))
        np.testing.assert_array_equal(again.audio, mono.audio)
        np.testing.assert_array_equal(mono.audio, model.generate(1, 3)[0][0].numpy())

    def test_of_stereo_sounds_are_refused_by_mono_models(self, mono_file: Path, tmp_path: Path) -> None:
        model = open_model(mono_file)
        known = Recipe(
            NEW, model.metadata.model_id, model_file=str(mono_file), weights=model.weights_id(), channels=2,
            drawing=model.synthesizer.drawing,
        )  # fmt: skip
        with pytest.raises(ModelFileError, match="makes mono sounds now"):
            stream_again(known, ModelLibrary(tmp_path))

    @pytest.mark.parametrize("channels", [0, 3, -1, True, "2", 2.0])
    def test_with_impossible_channels_are_refused(self, channels: object) -> None:
        text = Recipe(NEW, "a" * 8).to_text()
        data = {**json.loads(text.removeprefix("distill recipe ")), "channels": channels}
        with pytest.raises(ValueError, match="recipe"):
            Recipe.from_dict(data)

    def test_weights_are_told_apart_by_their_images(self, model: Any) -> None:
        others = ImageStore.build([image_of(panned(noise(1), 0.1))])
        changed = replace(model, parts=replace(model.parts, stereo=others))
        assert changed.weights_id() != model.weights_id()


def said(capsys: pytest.CaptureFixture[str], *words: str) -> list[Path]:
    assert main(list(words)) == 0
    return [Path(line) for line in capsys.readouterr().out.splitlines()]


def test_in_the_terminal(
    model_file: Path, mono_file: Path, sources: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, source, mono = str(model_file), str(sources["panned"]), str(sources["mono"])
    out = ["--out", str(tmp_path / "out")]
    calls = {
        "new": ["sample", model, "--count", "2", "--seed", "3", *out],
        "varied": ["vary", model, source, "--count", "1", "--strength", "0.3", "--seed", "5", *out],
        "morphed": ["morph", model, source, mono, "--steps", "2", *out],
        "extended": ["extend", model, source, str(tmp_path / "e.wav"), "--seconds", "0.5", "--seed", "1"],
        "repainted": ["repaint", model, source, str(tmp_path / "p.wav"), "--from", "0.1", "--to", "0.3", "--seed", "1"],
        "transformed": ["transform", model, source, str(tmp_path / "t.wav")],
        "reconstructed": ["reconstruct", model, source, str(tmp_path / "r.wav")],
    }
    for kind, words in calls.items():
        made = said(capsys, *words)
        assert [soundfile.info(path).channels for path in made] == [2] * len(made)
        recipe = read_recipe(made[-1])
        assert recipe is not None
        assert (recipe.kind, recipe.channels) == (kind, 2)
        (again,) = said(capsys, "remake", str(made[-1]), str(tmp_path / f"again {kind}.wav"))
        first, second = (soundfile.read(path, dtype="float32")[0] for path in (made[-1], again))
        assert np.abs(first - second).max() < 2e-3
        one = said(capsys, *words, "--mono")
        assert [soundfile.info(path).channels for path in one] == [1] * len(one)
        as_mono = read_recipe(one[-1])
        assert as_mono is not None
        assert as_mono.channels == 1
    for words in (["sample", str(mono_file), "--count", "1", *out], ["vary", model, mono, "--count", "1", *out]):
        assert soundfile.info(said(capsys, *words)[0]).channels == 1
        assert soundfile.info(said(capsys, *words, "--stereo")[0]).channels == 2


class TestExport:
    def test_a_stereo_sound_stays_stereo_or_becomes_its_mix(self, tmp_path: Path) -> None:
        sound = np.ascontiguousarray(panned(tone(1), 0.4).T)

        def written(stereo: bool | None, **options: Any) -> Any:
            path = export_sound(tmp_path / "a.wav", sound, ExportOptions("wav32f", stereo=stereo, **options)).path
            return soundfile.read(path, dtype="float32")[0]

        np.testing.assert_array_equal(written(None), sound)
        np.testing.assert_array_equal(written(True), sound)  # it is not made wider than it is
        np.testing.assert_allclose(written(False), sound.mean(1), atol=1e-7)
        assert written(None, sample_rate=96_000).shape[1] == 2
        both = written(None, trim=True, fade_ms=5)
        assert both.shape[1] == 2
        assert np.abs(both[[0, -1]]).max() == 0.0
        blocks = np.split(sound, [10, 20_000])
        path = export_sound(tmp_path / "b.wav", iter(blocks), ExportOptions("wav32f")).path
        np.testing.assert_array_equal(soundfile.read(path, dtype="float32")[0], sound)

    def test_torch_is_not_needed_to_hear_it(self, model: Any, model_file: Path) -> None:
        made = next(make_new(model, model_file, 1, seed=1))
        assert made.audio.dtype == np.float32
        assert made.audio.flags.c_contiguous
        assert not isinstance(made.audio, torch.Tensor)
