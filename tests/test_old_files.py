"""Files that earlier versions have written still open; see `tests/data/make_fixtures.py` for how they were made."""

import json
import lzma
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from pytestqt.qtbot import QtBot

from distill.audio.cache.sound_cache import SoundCache
from distill.audio.decoding.mono_decoder import decode_sound
from distill.files import file_stamp
from distill.generation.history.sound_history import GeneratedHistory
from distill.generation.recipe import NEW, TRANSFORMED, read_recipe
from distill.generation.remake import remake
from distill.gui.previews.stars import read_stars
from distill.library.index import INDEX_NAME, Index, index_folder
from distill.library.model_library import ModelLibrary
from distill.models.inference import LoadedModel, LoadedVQModel
from distill.models.persistence import open_model
from distill.runs.run_history import read_history
from distill.runs.run_record import RunRecord
from distill.runs.summary import summarise
from distill.settings import WindowSettings
from distill.training import get_best_checkpoint, list_checkpoints, list_previews, list_reconstructions, resume_run
from tests.data.make_fixtures import DATA, fixed_values
from tests.gui.conftest import close, make_window
from tests.gui.fakes import FakeDevice, FakeEngine

FAMILIES = ("vae", "complex_vae", "vqvae")
VERSIONS = sorted(path.name for path in DATA.glob("v*"))
#: A path in a stored JSON file: the name of a folder, and what is in it.
_PLACE = re.compile(r'"(SOUNDS|RUNS|LIBRARY|MADE|TRASH)(/[^"]*)?"')


@dataclass(frozen=True)
class OldFiles:
    """A copy of what a version has written, in a place of its own."""

    folder: Path

    @property
    def sounds(self) -> list[Path]:
        return sorted((self.folder / "sounds").iterdir())

    def run(self, family: str) -> Path:
        return self.folder / "runs" / family

    def model(self, family: str) -> Path:
        return next((self.folder / "library").glob(f"{family}_*.distill"))


@pytest.fixture(params=VERSIONS)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> OldFiles:
    """What a version has written, unpacked, with folders of this computer in the place of their names."""
    source, target = DATA / request.param, tmp_path / "old"
    for path in source.rglob("*"):
        if not path.is_file():
            continue
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".xz":
            copy.with_suffix("").write_bytes(lzma.decompress(path.read_bytes()))
        elif path.suffix in (".json", ".jsonl"):
            text = _PLACE.sub(
                lambda found: json.dumps(str(target / f"{found[1].lower()}{found[2] or ''}")),
                path.read_text(encoding="utf-8"),
            )
            copy.write_text(text, encoding="utf-8", newline="\n")
        else:
            shutil.copyfile(path, copy)
    return OldFiles(target)


families = pytest.mark.parametrize("family", FAMILIES)


def test_there_are_files_of_a_version() -> None:
    assert "v0.1.0" in VERSIONS


@families
def test_a_model_file_opens_and_makes_sound(old: OldFiles, family: str) -> None:
    model = open_model(old.model(family))
    assert model.metadata.name == family
    assert model.metadata.dataset_name == "Bells"
    assert model.family.config == RunRecord.load(old.run(family)).config
    sound = torch.from_numpy(decode_sound(old.sounds[0]))[None, None]
    made = model.reconstruct(sound)
    assert made.shape == sound.shape and bool(torch.isfinite(made).all()) and float(made.abs().max()) > 0
    if family == "vqvae":
        assert isinstance(model, LoadedVQModel) and model.codebook_health is not None
        assert model.decode(model.encode(sound)).shape == sound.shape
    else:
        assert isinstance(model, LoadedModel)
        new = model.sample(2, seed=1)
        assert new.shape == (2, 1, 12_000) and bool(torch.isfinite(new).all())


@families
def test_a_model_gives_what_it_gave(old: OldFiles, family: str) -> None:
    file = old.model(family)
    expected = np.array(json.loads((old.folder / "expected.json").read_text(encoding="utf-8"))[file.name])
    # Sums of float32 in another order differ by some 1e-6 of the values; a weight in the wrong place by far more.
    np.testing.assert_allclose(fixed_values(file), expected, rtol=0, atol=1e-3 * float(np.abs(expected).max()))


def test_a_library_is_listed_with_the_words_of_its_user(old: OldFiles) -> None:
    library = ModelLibrary(old.folder / "library")
    entries = {entry.facts.family: entry for entry in library.list()}
    assert sorted(entries) == sorted(FAMILIES)
    assert not any(entry.problem for entry in entries.values())
    assert (entries["vae"].name, entries["vae"].tags) == ("Glocken, große", ("bell", "warm"))
    assert entries["vae"].notes == "Two lines\nof notes."
    assert [family for family, entry in entries.items() if entry.starred] == ["complex_vae"]
    assert library.find("vqvae").path == old.model("vqvae")
    assert [entry.path for entry in library.search("warm")] == [old.model("vae")]
    assert entries["vqvae"].facts.epochs == 1 and entries["vqvae"].facts.codebook is not None


def test_the_index_of_a_library_is_used_again(old: OldFiles) -> None:
    library = ModelLibrary(old.folder / "library")
    path = old.folder / "index" / "library.json"
    index = json.loads(path.read_text(encoding="utf-8"))
    for name, row in index["models"].items():  # the copies are as old as this test
        row["stamp"] = file_stamp(old.folder / "library" / name)
    index_file = index_folder(library.folder) / INDEX_NAME
    index_file.parent.mkdir(parents=True)
    index_file.write_text(json.dumps(index), encoding="utf-8")
    read: list[int] = []
    entries = library.list(lambda done, _of: read.append(done))
    assert read == []
    fresh = Index.load(index_file.parent)
    index_file.unlink()
    assert [entry.facts for entry in library.list()] == [entry.facts for entry in entries]
    assert fresh.rows.keys() == index["models"].keys()
    assert [(deletion.name, deletion.original.name) for deletion in fresh.deletions] == [("vqvae", "copy.distill")]


@families
def test_a_run_is_shown(old: OldFiles, family: str) -> None:
    folder = old.run(family)
    record, summary, history = RunRecord.load(folder), summarise(folder), read_history(folder)
    stored = json.loads((folder / "run.json").read_text(encoding="utf-8"))["config"]
    assert {name: record.config.to_dict()[name] for name in stored} == stored
    assert record.file_paths == old.sounds
    assert (record.status, record.dataset_name, record.model_name) == ("stopped", "Bells", family)
    assert record.preview_sounds and set(record.preview_sounds) < set(old.sounds)
    assert (summary.status, summary.can_resume) == ("paused", True)
    assert (summary.sounds, summary.epochs_asked, summary.progress.epochs) == (len(old.sounds), 3, 1)
    assert len(history.epochs) == 1 and history.epochs[0].val_loss == summary.progress.best_loss
    losses = history.step_column("train_loss")
    assert len(losses) > 3 and np.isfinite(losses).all()
    assert len(list_previews(folder / "previews")) == (0 if family == "vqvae" else 1)
    assert len(list_reconstructions(folder / "previews")) == 1
    assert read_stars(folder / "previews") == {"recon_epoch0000_recon_00.wav"}


@families
def test_a_run_goes_on_to_its_end(old: OldFiles, family: str) -> None:
    folder = old.run(family)
    checkpoints = list_checkpoints(folder / "checkpoints")
    assert [(found["epoch"], found["val_loss"] is None) for found in checkpoints] == [(0, False), (1, True)]
    assert get_best_checkpoint(folder / "checkpoints") == checkpoints[0]["path"]
    before = read_history(folder)
    model_file = folder / "model.distill"
    model_file.unlink()

    result = resume_run(folder)

    assert result["outcome"] == "finished"
    history = result["metrics_history"]
    assert [epoch.epoch for epoch in history.epochs] == [0, 1, 2]
    assert history.epochs[0] == before.epochs[0]
    known = list(before.step_column("train_loss"))
    assert list(history.step_column("train_loss"))[: len(known)] == known
    assert all(np.isfinite([epoch.train_loss, epoch.val_loss]).all() for epoch in history.epochs)
    assert RunRecord.load(folder).status == "finished"
    assert summarise(folder).progress.epochs == 3
    assert open_model(model_file).family.config == RunRecord.load(folder).config


def test_checkpoints_are_listed_without_their_sidecars(old: OldFiles) -> None:
    folder = old.run("complex_vae") / "checkpoints"
    listed = list_checkpoints(folder)
    for path in folder.glob("*.meta.json"):
        path.unlink()
    again = list_checkpoints(folder)
    assert [{key: facts[key] for key in facts if key != "step_in_epoch"} for facts in again] == listed
    assert ["step_in_epoch" in facts for facts in again] == [False, True], "the second one is of an unfinished epoch"


def test_made_sounds_are_listed_and_can_be_made_again(old: OldFiles) -> None:
    made = GeneratedHistory(old.folder / "made" / "history.jsonl").list()
    assert [(sound.path.name, sound.recipe.kind, sound.starred) for sound in made] == [
        ("sound 2.wav", TRANSFORMED, False),
        ("sound 0.wav", NEW, True),
    ]
    for sound in made:
        again = remake(sound.recipe, ModelLibrary(old.folder / "library")).audio
        stored, rate = soundfile.read(sound.path, dtype="float32")
        assert rate == 48_000 and stored.shape == again.shape
        # Not equal: another processor rounds differently, and phases add that up.
        assert float(np.corrcoef(stored, again)[0, 1]) > 0.99


def test_a_made_sound_holds_its_recipe(old: OldFiles) -> None:
    folder = old.folder / "made"
    recipes = [read_recipe(path) for path in sorted(folder.glob("*.wav"))]
    facts = [(r.kind, r.seed, r.number, r.count, r.temperature, r.dry_wet) for r in recipes if r is not None]
    assert facts == [(NEW, 5, 0, 2, 0.8, 1.0), (NEW, 5, 1, 2, 0.8, 1.0), (TRANSFORMED, 0, 0, 1, 1.0, 0.75)]
    listed = {sound.recipe.id for sound in GeneratedHistory(folder / "history.jsonl").list()}
    assert listed == {recipes[0].id, recipes[2].id}  # type: ignore[union-attr]


def test_a_decoded_sound_is_used_by_the_runs_of_its_time(old: OldFiles) -> None:
    sound, folder = old.sounds[0], old.folder / "decoded"
    index = folder / "index.jsonl"
    name, _size, changed, content_hash = json.loads(index.read_text(encoding="utf-8"))
    assert Path(name) == sound
    os.utime(sound, ns=(changed, changed))
    file = next(folder.glob("*.f32"))
    number, lines = file.stat().st_ino, index.read_bytes()
    found = SoundCache(folder, preparation=1).get(sound)
    assert (found.content_hash, found.file) == (content_hash, file)
    assert file.stat().st_ino == number, "it was written anew"
    assert index.read_bytes().startswith(lines), "what is known of files that are gone was lost"
    decoded = decode_sound(sound, normalize=False)
    audio = found.read(0, found.samples)
    np.testing.assert_allclose(audio, decoded / np.abs(decoded).max(), atol=1e-5)
    new = SoundCache(folder).get(sound)  # a new run prepares it in another way, beside the old entry
    assert new.file != file
    assert file.stat().st_ino == number


def test_preferences_are_read(old: OldFiles) -> None:
    path = old.folder / "settings.json"
    settings = WindowSettings.load(path)
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    assert {name: getattr(settings, name) for name in kept} == kept
    assert (settings.family, settings.epochs, settings.appearance) == ("vqvae", 77, "dark")


def test_the_window_comes_back_as_it_was_left(old: OldFiles, qapp: object, qtbot: QtBot) -> None:
    settings = WindowSettings.load(old.folder / "settings.json")
    settings.save()
    window = make_window(qtbot, FakeEngine(), FakeDevice())
    qtbot.waitUntil(lambda: window.runs.runs.folder == old.run("vae"), timeout=10_000)
    qtbot.waitUntil(lambda: len(window.browser.usable_paths()) == len(old.sounds) - 1, timeout=10_000)
    window.save_settings()
    close(qtbot, window)
    back = WindowSettings.load()
    same = (
        "sounds", "recent", "excluded", "sound_columns", "hears_walking", "run", "family", "preset", "epochs",
        "advanced", "side_tab", "page", "appearance",
    )  # fmt: skip
    assert settings.making.items() <= back.making.items()  # newer versions add their own
    assert {name: getattr(back, name) for name in same} == {name: getattr(settings, name) for name in same}
    shown = ("shown", "log", "smoothing", "hidden")
    assert {name: back.plots[name] for name in shown} == {name: settings.plots[name] for name in shown}
