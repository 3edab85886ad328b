"""New sounds that follow stars: from the history to the choice, and made again."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distill.audio.export import write_wav
from distill.errors import DistillError
from distill.generation.generated_sound import GeneratedSound
from distill.generation.history.sound_history import GeneratedEntry, GeneratedHistory
from distill.generation.new_sounds import make_new
from distill.generation.recipe import Recipe
from distill.generation.remake import remake
from distill.generation.starred_sounds import read_taste
from distill.library.model_library import ModelLibrary
from distill.models.persistence import open_model
from tests.support.models import tone_model, write_model_with_prior


@pytest.fixture(scope="module", params=["vae", "vqvae"])
def model_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tones.distill"
    return write_model_with_prior(tone_model(request.param), path)


def kept(sounds: list[GeneratedSound], folder: Path, history: GeneratedHistory) -> list[GeneratedEntry]:
    entries = []
    for number, sound in enumerate(sounds):
        path = folder / f"{number}.wav"
        write_wav(path, sound.audio)
        entries.append(GeneratedEntry(path, sound.recipe))
    history.add(entries)
    return entries


def test_sounds_follow_the_stars_and_can_be_made_again(model_file: Path, tmp_path: Path) -> None:
    model, history = open_model(model_file), GeneratedHistory(tmp_path / "history.jsonl")
    with pytest.raises(DistillError, match="starred or rejected"):
        read_taste(model, history)
    plain = list(make_new(model, model_file, 2, seed=5))
    entries = kept(plain, tmp_path, history)
    history.set_star(entries[0].recipe, True)
    history.set_rejected(entries[1].recipe, True)
    entries[1].path.unlink()  # a rejected sound whose file is gone is not followed
    taste = read_taste(model, history)
    assert (len(taste.starred), len(taste.rejected)) == (1, 0)

    followed = list(make_new(model, model_file, 2, seed=5, taste=taste))
    again = list(make_new(model, model_file, 2, seed=5))
    assert all(np.array_equal(a.audio, b.audio) for a, b in zip(plain, again, strict=True))  # nothing has changed
    recipe = Recipe.from_text(followed[1].recipe.to_text())
    assert (recipe.count, recipe.number, recipe.candidates, recipe.stars) == (2, 1, 64, 1)
    assert recipe.follows(followed[0].recipe)
    history.set_star(entries[0].recipe, False)  # the recipe needs no stars
    made = remake(recipe, ModelLibrary(tmp_path / "library"))
    assert np.array_equal(made.audio, followed[1].audio)


def test_the_first_point_of_a_sound_is_near_where_it_was_drawn(model_file: Path) -> None:
    """A sound is found again by its file: nearer to its own draw than the others are."""
    import torch

    model = open_model(model_file)
    points: list[torch.Tensor] = []

    def note(drawn: torch.Tensor) -> range:
        points.append(drawn)
        return range(len(drawn))

    sounds = list(model.generate_each(6, 3, choose=note))
    with torch.no_grad():
        found = torch.stack([model.synthesizer.first_point(sound) for sound in sounds])
    distance = torch.cdist(found, points[0])
    assert (distance.diagonal().mean() < distance.mean()).item()


def test_a_sound_is_starred_or_rejected_not_both(tmp_path: Path) -> None:
    history = GeneratedHistory(tmp_path / "history.jsonl")
    recipe = Recipe("new", "ab")
    history.add([GeneratedEntry(tmp_path / "a.wav", recipe)])

    def state() -> tuple[bool, bool]:
        (entry,) = history.list()
        return entry.starred, entry.rejected

    history.set_star(recipe, True)
    history.set_rejected(recipe, True)
    assert state() == (False, True)
    history.set_star(recipe, True)
    assert state() == (True, False)
    history.set_rejected(recipe, False)
    assert state() == (True, False)


@pytest.mark.parametrize(
    "change",
    [{"candidate": 5}, {"candidate": -1}, {"candidates": 10**6}, {"candidates": 4, "candidate": 4}, {"stars": -1}],
)
def test_a_strangers_choice_is_checked(change: dict[str, Any]) -> None:
    data = Recipe("new", "ab").to_dict()
    assert "candidates" not in data  # plain recipes are as they were
    with pytest.raises(ValueError, match="recipe"):
        Recipe.from_dict(data | change)
