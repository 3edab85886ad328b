"""Recipes from strangers: nothing is read but regular sound files and models, and what is read is said first."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from distill.audio.cache.hash_index import content_hash
from distill.errors import LibraryError, SoundError
from distill.generation.recipe import MAPPED, NEW, TRANSFORMED, Recipe
from distill.generation.remake import find_model, unchanged_source
from distill.library.model_library import ModelLibrary

#: Sources that a recipe may name, and how each comes to be; those with a slash are there already.
SOURCES = ["/dev/zero", "/dev/stdin", "/etc/passwd", "/", "pipe", "folder", "large", "text.wav", "x" * 4000, "gone.wav"]


def make(folder: Path, name: str) -> Path:
    path = folder / name if not name.startswith("/") else Path(name)
    if name == "pipe":
        os.mkfifo(path)
    elif name == "folder":
        path.mkdir()
    elif name == "large":
        with path.open("wb") as file:
            file.truncate(9 << 30)
    elif name == "text.wav":
        path.write_text("no sound at all")
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="devices and pipes have other names there")
@pytest.mark.parametrize("name", SOURCES)
def test_a_source_that_is_no_sound_file_is_refused(tmp_path: Path, name: str) -> None:
    path = make(tmp_path, name)
    with pytest.raises(SoundError) as refused:
        unchanged_source(str(path), "0" * 40)
    reasons = ("no longer there", "must be an ordinary file", "cannot be used again")
    assert any(reason in str(refused.value) for reason in reasons)
    assert len(str(refused.value)) < 500
    path.unlink() if name == "large" else None


@pytest.mark.skipif(sys.platform == "win32", reason="devices and pipes have other names there")
@pytest.mark.parametrize("name", [*SOURCES, "folder.distill", "text.distill"])
def test_a_model_that_is_no_model_file_is_passed_over(tmp_path: Path, name: str) -> None:
    path = make(tmp_path, name)
    if name == "folder.distill":
        path.mkdir()
    if name == "text.distill":
        path.write_text("no model")
    with pytest.raises(LibraryError, match="not in the library"):
        find_model(Recipe(NEW, "a" * 32, model_file=str(path)), ModelLibrary(tmp_path / "models"))
    path.unlink() if name == "large" else None


def test_a_sound_that_is_as_it_was_is_used(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, 0.5 * np.sin(np.arange(9000) * 0.05), 48_000)
    assert unchanged_source(str(path), content_hash(path)) == path


def test_what_is_read_is_said() -> None:
    assert Recipe(NEW, "a" * 32, "Bells").reads() == "Reads the model “Bells”."
    recipe = Recipe(TRANSFORMED, "a" * 32, source="/sounds/in.wav")
    assert recipe.reads() == "Reads the model “aaaaaaaa” and the sound /sounds/in.wav."


@pytest.mark.parametrize(
    "damage",
    [
        {"positions": []}, {"positions": [[0.1, 1.1]]}, {"positions": [[0.1]]},
        {"positions": "0.1, 0.2"}, {"positions": [[0.1, True]]},
        {"positions": [[0.1, float("nan")]]}, {"positions": [[0.1, 0.2]] * 5000}, {"moves": [["brightness", 1e9]]},
        {"moves": [[1.0, 1.0]]}, {"moves": {"brightness": 1.0}}, {"moves": [["x" * 5000, 1.0]]},
    ],
)  # fmt: skip
def test_a_place_on_a_map_is_read_only_where_it_is_one(damage: dict[str, object]) -> None:
    good = Recipe(MAPPED, "a" * 32, map="b" * 32, positions=((0.25, 1.0),), moves=(("brightness", -0.5),))
    assert Recipe.from_text(good.to_text()) == good
    with pytest.raises(ValueError, match="recipe"):
        Recipe.from_dict({**good.to_dict(), **damage})
