"""A recipe names the exact weights; they are kept, and a sound is generated again with them or not at all."""

import shutil
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from distill import paths
from distill.cli.app import main
from distill.errors import ModelReplacedError
from distill.generation import generation_service
from distill.generation.generation_service import GenerateRequest, GenerationService, TransformRequest
from distill.generation.history import sound_history
from distill.generation.history.kept_weights import kept_weights
from distill.generation.history.sound_history import GeneratedHistory
from distill.generation.new_sounds import make_new
from distill.generation.remake import remake
from distill.library.model_library import ModelEntry, ModelLibrary
from distill.models import open_model
from tests.support.models import tone_model, write_model_with_prior, write_tone_model
from tests.training.conftest import tone


@pytest.fixture
def library() -> ModelLibrary:
    return ModelLibrary(paths.models_dir())


@pytest.fixture
def entry(library: ModelLibrary, tmp_path: Path) -> ModelEntry:
    return library.import_file(write_tone_model(tmp_path, latent_dim=4, tones=3))


def train_on(entry: ModelEntry) -> None:
    """Replace the weights of a model file, as the end of a resumed run does; the model keeps its id."""
    data = torch.load(entry.path, weights_only=True)
    for value in data["model_state_dict"].values():
        if value.is_floating_point():
            value.mul_(1.01)
    replacement = entry.path.with_suffix(".new")
    torch.save(data, replacement)
    replacement.replace(entry.path)


def generate(entry: ModelEntry) -> Any:
    sounds: list[Any] = []
    emit = lambda news: sounds.append(news.sound) if hasattr(news, "sound") else None  # noqa: E731
    GenerationService().make(GenerateRequest(1, 7, 1.0), entry, emit, Event())
    return sounds[0]


def test_the_id_is_that_of_the_content(entry: ModelEntry, tmp_path: Path) -> None:
    before = open_model(entry.path).weights_id()
    copy = shutil.copy(entry.path, tmp_path / "renamed.distill")
    assert open_model(copy).weights_id() == before
    train_on(entry)
    assert open_model(entry.path).weights_id() != before


def test_weights_that_generated_something_are_kept(entry: ModelEntry) -> None:
    sound = generate(entry)
    before = soundfile.read(sound.path)[0]
    train_on(entry)
    again: list[Any] = []
    generation_service.make_again(sound.entry, again.append, Event())
    made = next(news.sound for news in again if hasattr(news, "sound"))
    np.testing.assert_array_equal(soundfile.read(made.path)[0], before)
    assert made.recipe.weights == sound.recipe.weights


@pytest.mark.parametrize("way", ["new sounds", "transform", "terminal"])
def test_weights_are_kept_although_the_list_is_read_just_before_the_sound_is_in_it(
    way: str, entry: ModelEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = GeneratedHistory.add

    def read_first(history: GeneratedHistory, sounds: Any) -> None:
        sound_history.list_sounds()  # as another page does, which deletes the weights of no recipe
        add(history, sounds)

    monkeypatch.setattr(GeneratedHistory, "add", read_first)
    if way == "new sounds":
        generate(entry)
    elif way == "transform":
        soundfile.write(tmp_path / "tone.wav", tone(1, 0.3), 48_000)
        GenerationService().make(TransformRequest((tmp_path / "tone.wav",), 1.0), entry, lambda _news: None, Event())
    else:
        assert main(["sample", str(entry.path), "--count", "1", "--out", str(tmp_path)]) == 0
    assert len(GeneratedHistory().list()) == 1
    assert kept_weights(open_model(entry.path).weights_id()) is not None


def test_weights_that_are_gone_are_an_error_and_the_nearest_are_offered(
    entry: ModelEntry, library: ModelLibrary
) -> None:
    sound = generate(entry)
    train_on(entry)
    kept = kept_weights(sound.recipe.weights)
    assert kept is not None
    kept.unlink()
    with pytest.raises(ModelReplacedError, match="trained further"):
        remake(sound.recipe, library)
    again: list[Any] = []
    generation_service.make_again(sound.entry, again.append, Event(), takes_nearest=True)
    made = next(news.sound for news in again if hasattr(news, "sound"))
    assert made.recipe.weights == open_model(entry.path).weights_id()
    assert made.recipe.id != sound.recipe.id, "another sound, beside the first one"
    assert made.path != sound.path


def test_a_recipe_of_an_older_version_takes_the_model_of_its_id(entry: ModelEntry, library: ModelLibrary) -> None:
    (sound,) = make_new(open_model(entry.path), entry.path, 1, 7)
    old = replace(sound.recipe, weights="")
    np.testing.assert_array_equal(remake(old, library).audio, sound.audio)


def test_kept_weights_go_with_their_last_sound(entry: ModelEntry) -> None:
    sound = generate(entry)
    sound_history.list_sounds()
    assert kept_weights(sound.recipe.weights) is not None
    GeneratedHistory().forget(sound.recipe)
    sound_history.list_sounds()
    assert kept_weights(sound.recipe.weights) is None


def test_a_history_that_cannot_be_read_costs_no_weights(entry: ModelEntry) -> None:
    sound = generate(entry)
    history = GeneratedHistory().file
    history.rename(history.with_name("aside"))
    history.mkdir()  # any error of access
    assert sound_history.list_sounds() == ()
    assert kept_weights(sound.recipe.weights) is not None
    history.rmdir()
    history.with_name("aside").rename(history)
    assert [listed.recipe for listed in sound_history.list_sounds()] == [sound.recipe]


def test_weights_are_kept_for_each_sound_also_after_they_were_tidied(entry: ModelEntry) -> None:
    kept = GenerationService()
    for seed in (7, 8):
        sounds: list[Any] = []
        kept.make(GenerateRequest(1, seed, 1.0), entry, sounds.append, Event())
        sound = next(news.sound for news in sounds if hasattr(news, "sound"))
        assert kept_weights(sound.recipe.weights) is not None
        GeneratedHistory().forget(sound.recipe)
        sound_history.list_sounds()
        assert kept_weights(sound.recipe.weights) is None


def test_a_kept_file_is_a_whole_model(entry: ModelEntry) -> None:
    sound = generate(entry)
    kept = kept_weights(sound.recipe.weights)
    assert kept is not None
    assert kept.read_bytes() == entry.path.read_bytes()


def test_a_sound_that_another_version_drew_is_not_called_the_same(library: ModelLibrary, tmp_path: Path) -> None:
    entry = library.import_file(write_model_with_prior(tone_model("vae"), tmp_path / "tones.distill"))
    sound = generate(entry)
    old = replace(sound.entry, recipe=replace(sound.recipe, drawing=0))
    with pytest.raises(ModelReplacedError, match="in another way"):
        remake(old.recipe, library)
    again: list[Any] = []
    generation_service.make_again(old, again.append, Event(), takes_nearest=True)
    made = next(news.sound for news in again if hasattr(news, "sound"))
    assert made.recipe.drawing == sound.recipe.drawing
    assert made.recipe.id != sound.recipe.id, "another sound, beside the first one"
