"""``distill kit`` and ``distill map``, as a musician types them."""

import json
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch

from distill.audio.cache.sound_cache import SoundCache
from distill.cli.app import main
from distill.errors import ModelFileError
from distill.generation.history.sound_history import GeneratedHistory
from distill.generation.recipe import MAPPED, read_recipe
from distill.models.file_format import KIND
from distill.models.latent_space.latent_map import LatentMap
from distill.serialization.archive import read_archive, write_archive
from tests.models.test_fuzz import write_whole_files
from tests.training.conftest import tone


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    write_whole_files(folder := tmp_path_factory.mktemp("models"))
    return folder / "vae.distill"


def test_a_kit_from_the_terminal(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["kit", str(model), "--count", "2", "--seed", "5", "--out", str(tmp_path / "kit")]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "2 sounds in 8 files" in printed
    assert str(tmp_path / "kit" / "Bells.sfz") in printed
    files = sorted((tmp_path / "kit" / "Samples").iterdir())
    assert len(files) == 8
    for pad in (1, 2):  # called by the number of the pad, and after the draw; the pitch may follow
        assert len([path for path in files if path.name.startswith(f"{pad:02d} Bells seed5 ")]) == 4
    assert len({soundfile.read(path)[0].tobytes() for path in files}) == 8
    recipe = read_recipe(files[7])
    assert recipe is not None
    assert (recipe.seed, recipe.count, recipe.number) == (5, 2, 1)
    assert main(command) == 2
    assert "is not empty. Choose a new folder" in capsys.readouterr().err
    again = [*command[:-1], str(tmp_path / "again")]
    assert main(again) == 0
    for first, second in zip(files, sorted((tmp_path / "again" / "Samples").iterdir()), strict=True):
        assert (first.name, soundfile.read(first)[0].tolist()) == (second.name, soundfile.read(second)[0].tolist())


def test_a_kit_without_variations(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = ["--round-robins", "1", "--layers", "1"]
    assert main(["kit", str(model), "--count", "2", "--seed", "5", "--out", str(tmp_path / "kit"), *plain]) == 0
    assert "2 sounds in 2 files" in capsys.readouterr().out


def test_a_model_without_a_map_says_so(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["map", str(model), "--json"]) == 1
    assert "has no map" in capsys.readouterr().err


def test_only_sounds_are_compared_with_those_of_the_map(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sounds" / "bells"
    folder.mkdir(parents=True)
    soundfile.write(folder / "bell.wav", tone(3), 48_000)
    for name in ("film.mp4", "film.mov", "notes.txt", "session.als"):
        (folder / name).write_bytes(b"\0" * 10_000)
    fingerprint = SoundCache().content_hash(folder / "bell.wav")[:16]
    rows, flat = torch.zeros(2), torch.zeros(2, 2)
    shown = LatentMap(flat, flat, flat[0], torch.zeros(0, 2), rows.long(), rows, rows, rows, rows, (fingerprint,), 1.0)
    monkeypatch.setattr("distill.generation.map.map_sounds.map_of", lambda _model: shown)
    hashed: list[Path] = []
    known = SoundCache.content_hash

    def content_hash(self: SoundCache, path: Path, *more: Any) -> str:
        hashed.append(path)
        return known(self, path, *more)

    monkeypatch.setattr(SoundCache, "content_hash", content_hash)
    assert main(["map", str(model), "--json", "--sounds", str(tmp_path / "sounds")]) == 0
    assert json.loads(capsys.readouterr().out)["sounds"] == [{"fingerprint": fingerprint, "name": "bell.wav"}]
    assert hashed == [folder / "bell.wav"]


def test_the_sound_at_a_position_is_made_again_from_its_recipe(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contents = read_archive(model, KIND, ModelFileError)
    scores = torch.randn(3, contents["training_config"]["latent_dim"], generator=torch.Generator().manual_seed(0))
    places, row = torch.tensor([[0.1, 0.1], [0.9, 0.2], [0.5, 0.8]]), torch.full((3,), 0.4)
    points = scores, torch.zeros(scores.shape[1]), torch.zeros(0, scores.shape[1])
    shown = LatentMap(places, *points, torch.arange(3), row, row, row, row, ("a", "b", "c"), 1.0)
    mapped = tmp_path / "mapped.distill"
    write_archive(mapped, contents | {"map": shown.to_file()})
    made, again = tmp_path / "made.wav", tmp_path / "again.wav"
    assert main(["map", str(mapped), "--at", "0.3333333,0.25", "--out", str(made)]) == 0
    assert capsys.readouterr().out.split() == [str(made)]
    recipe = read_recipe(made)
    assert recipe is not None
    assert (recipe.kind, recipe.positions, recipe.model_file) == (MAPPED, ((0.33333, 0.25),), str(mapped))
    assert [entry.path for entry in GeneratedHistory().list()] == [made]
    assert main(["remake", str(made), str(again)]) == 0
    assert soundfile.read(again)[0].tolist() == soundfile.read(made)[0].tolist()


@pytest.mark.parametrize(
    "words",
    [["--at", "0.5"], ["--at", "0.5,0.5"], ["--at", "2,0", "--out", "x.wav"], ["--at", "1,1", "--out", "x.aac"]],
)
def test_wrong_positions_are_refused(words: list[str], model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["map", str(model), *words]) == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--json", "--svg"], "either --json or --svg"),
        (["--at", "0.5,0.5", "--out", "x.wav", "--sounds", "."], "leave them out with --at"),
        (["--at", "0.5,0.5", "--out", "x.wav", "--json"], "leave them out with --at"),
        (["--at", "0.5,0.5", "--out", "x.wav", "--svg"], "leave them out with --at"),
    ],
)
def test_options_that_would_be_ignored_are_refused(
    words: list[str], said: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["map", str(model), *words]) == 2
    assert said in " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []
