"""Sounds at positions of a map and along paths, from a model file."""

import shutil
import threading
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from distill.audio.decoding.mono_decoder import decode_sound
from distill.audio.export import write_wav
from distill.config.factory import make_config
from distill.config.training import TrainingConfig
from distill.errors import DistillError, LibraryError, ModelFileError, SoundError
from distill.generation.generation_service import Progress, SoundReady, make_again
from distill.generation.history.sound_history import GeneratedHistory
from distill.generation.kits.kit_sounds import KitPlan
from distill.generation.map.copy_check import CopySearch
from distill.generation.map.json_and_svg import map_svg, map_table
from distill.generation.map.map_session import MapSession
from distill.generation.map.map_sounds import (
    along,
    levelled,
    long_sound_along,
    map_id,
    map_of,
    recipe_at,
    sliders_of,
    sound_at,
)
from distill.generation.map.newness import COPY
from distill.generation.map.training_sound_files import find_sounds, sounds_of_runs
from distill.generation.recipe import ALONG, EXTENDED, MAPPED, MORPHED, REPAINTED, VARIED, read_recipe
from distill.generation.remake import remake
from distill.library.model_library import ModelLibrary
from distill.models.file_format import KIND
from distill.models.inference import LoadedModel
from distill.models.latent_space.descriptors import DESCRIPTORS, describe
from distill.models.latent_space.sliders import Direction, LatentAnalysis
from distill.models.persistence import open_model
from distill.models.stereo.image_store import ImageStore
from distill.runs.run_record import RunRecord
from distill.serialization.archive import read_archive, write_archive
from distill.training.loop import train
from tests.audio.test_stereo import panned
from tests.models.test_image_store import images
from tests.training.conftest import tone


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[LoadedModel, Path]:
    """A model of twelve tones, trained for one epoch, and the folder of its run."""
    folder = tmp_path_factory.mktemp("tones")
    t = torch.arange(36_000) / 48_000
    files = []
    generator = torch.Generator().manual_seed(0)
    for n in range(12):
        tone = torch.sin(2 * torch.pi * 150 * 1.3**n * t) * torch.exp(-(2 + n % 4) * t) + 0.01 * torch.randn(
            36_000, generator=generator
        )
        files.append(folder / f"tone {n}.wav")
        write_wav(files[-1], (0.5 * tone).numpy())
    run = folder.parent / "run"
    config = make_config("vae", 12, max_epochs=1, precision="float32", num_threads=1)
    train(config, files, run, "cpu")
    model = open_model(run / "model.distill")
    assert isinstance(model, LoadedModel)
    return model, run


def test_a_run_stores_the_map_of_all_its_sounds(trained: tuple[LoadedModel, Path]) -> None:
    shown = map_of(trained[0])
    assert sorted(set(shown.sounds.tolist())) == list(range(12))
    assert len(shown.fingerprints) == 12
    assert b"tone" not in (trained[1] / "model.distill").read_bytes()
    files = find_sounds(shown.fingerprints, sounds_of_runs(trained[1] / "model.distill"))
    assert sorted(path.name for path in files.values()) == sorted(f"tone {n}.wav" for n in range(12))
    table = map_table(shown, {print_: path.name for print_, path in files.items()})
    assert {row["name"] for row in table["sounds"]} == {f"tone {n}.wav" for n in range(12)}
    picture = map_svg(shown, {}, "A & B")
    assert picture.count("<circle") == len(shown)
    assert "A &amp; B" in picture
    assert "Sound 1, 0.0 s" in picture


def test_a_dot_sounds_like_its_own_sound(trained: tuple[LoadedModel, Path]) -> None:
    model, run = trained
    shown = map_of(model)
    files = find_sounds(shown.fingerprints, sounds_of_runs(run / "model.distill"))
    own = {print_: torch.from_numpy(decode_sound(path)) for print_, path in files.items()}
    spectra = {n: model.family.features(own[shown.fingerprints[n]][None, None, :36_000]) for n in range(12)}
    right = 0
    for row in range(len(shown)):
        x, y = shown.positions[row].tolist()
        sound = sound_at(model, (x, y))
        assert sound.shape[1] == pytest.approx(36_000, abs=480)
        assert float(sound.abs().max()) == pytest.approx(1.0, abs=1e-5)
        heard = model.family.features(torch.nn.functional.pad(sound, (0, 36_000))[None, :, :36_000])
        distance = {n: float((heard - spectra[n]).abs().mean()) for n in spectra}
        right += min(distance, key=lambda n: distance[n]) == int(shown.sounds[row])
    assert right >= 9, "most of twelve positions are nearest to their own sound"


def test_positions_are_repeatable_and_between_dots_something_else_sounds(trained: tuple[LoadedModel, Path]) -> None:
    model, _ = trained
    shown = map_of(model)
    middle = tuple(((shown.positions[0] + shown.positions[1]) / 2).tolist())
    first = sound_at(model, (middle[0], middle[1]))
    assert torch.equal(first, sound_at(model, (middle[0], middle[1])))
    assert not torch.equal(first, sound_at(model, tuple(shown.positions[0].tolist())))
    for bad in ((1.2, 0.5), (0.5, -0.1), (float("nan"), 0.5)):
        with pytest.raises(ValueError, match="two numbers from 0 to 1"):
            sound_at(model, bad)


def test_sliders_change_the_sound(trained: tuple[LoadedModel, Path]) -> None:
    size = trained[0].family.point_dim(trained[0].model)
    loudness = Direction("loudness", "Louder.", 1.0, 0.0)
    stored = LatentAnalysis((loudness,), torch.ones(5), torch.eye(size), torch.zeros(1, size)).to_file()
    model = LoadedModel(**{**vars(trained[0]), "analysis": stored})
    sliders = sliders_of(model)
    assert sliders is not None
    assert sliders.directions == (loudness,)
    plain, moved = sound_at(model, (0.5, 0.5)), sound_at(model, (0.5, 0.5), {"loudness": 1.0})
    assert not torch.equal(plain, moved)
    with pytest.raises(ValueError, match="no direction"):
        sound_at(model, (0.5, 0.5), {"colour": 1.0})
    damaged = LoadedModel(**{**vars(trained[0]), "analysis": {**stored, "spread": torch.ones(2)}})
    with pytest.raises(ModelFileError, match="are damaged"):
        sliders_of(damaged)


def test_a_path_is_positions_at_even_distances_or_one_long_sound(trained: tuple[LoadedModel, Path]) -> None:
    model, _ = trained
    path = [(0.1, 0.1), (0.9, 0.1), (0.9, 0.9)]
    even = [(0.1, 0.1), (0.5, 0.1), (0.9, 0.1), (0.9, 0.5), (0.9, 0.9)]
    assert [tuple(round(value, 9) for value in position) for position in along(path, 5)] == even
    assert along([(0.3, 0.4)], 2) == [(0.3, 0.4)] * 2
    long = long_sound_along(model, path, 2.5)
    with pytest.raises(ValueError, match="1 to 128 steps, not 129"):
        along(path, 129)
    assert long.shape == (1, 120_000)
    assert float(long.abs().max()) == pytest.approx(1.0, abs=1e-5)
    with pytest.raises(ValueError, match="at least one position"):
        along([], 3)
    with pytest.raises(ValueError, match="seconds must be a number"):
        long_sound_along(model, path, 31.0)


def test_between_its_dots_a_path_is_as_loud_as_they_are(trained: tuple[LoadedModel, Path]) -> None:
    model, _ = trained
    shown = map_of(model)
    positions = along([(0.1, 0.2), (0.9, 0.3), (0.4, 0.9)], 9)
    points = torch.stack([shown.point_at(*position)[0] for position in positions])
    decoded = model.synthesizer.decoded(points).detach()
    wanted = torch.tensor([shown.loudness_at(*position) for position in positions])

    def over(features: torch.Tensor) -> torch.Tensor:
        return describe(features)[:, list(DESCRIPTORS).index("loudness")] - wanted

    decoded[:, 0] -= (over(decoded) / 20)[:, None, None]
    decoded[4, 0] -= 0.5  # 10 dB softer
    decoded[6, 0] -= 1.5  # so much softer that there is nothing
    assert float(over(decoded)[4]) == pytest.approx(-10.0, abs=0.1)
    found = over(levelled(shown, decoded, positions))
    assert float(found[:6].abs().max()) < 0.1
    assert float(found[6]) == pytest.approx(-15.0, abs=0.1)
    row = 3
    own = shown.positions[row].tolist()
    assert shown.loudness_at(*own) == pytest.approx(float(shown.loudness[row]), abs=0.1)


def test_an_older_model_has_no_map_and_says_so(trained: tuple[LoadedModel, Path]) -> None:
    old = LoadedModel(**{**vars(trained[0]), "map": None, "analysis": None})
    with pytest.raises(ModelFileError, match="has no map"):
        sound_at(old, (0.5, 0.5))
    assert sliders_of(old) is None


def test_a_session_goes_on_saying_why_a_model_cannot_be_played(
    trained: tuple[LoadedModel, Path], tmp_path: Path
) -> None:
    file, session = tmp_path / "paused.distill", MapSession()
    contents = read_archive(trained[1] / "model.distill", KIND, ModelFileError)
    write_archive(file, {key: value for key, value in contents.items() if key != "map"})
    with pytest.raises(DistillError, match="has no map: that is made when a run finishes"):
        session.open(file)
    with pytest.raises(DistillError, match="has no map: that is made when a run finishes"):
        session.sound_at((0.5, 0.5), {})
    session.open(trained[1] / "model.distill")
    session.close()
    with pytest.raises(DistillError, match="No model with a map is open"):
        session.sound_at((0.5, 0.5), {})


def test_a_session_makes_more_of_a_sound_and_says_how_new_it_is(trained: tuple[LoadedModel, Path]) -> None:
    session = MapSession()
    try:
        with pytest.raises(DistillError, match="No model"):
            session.judged(Path("x.wav"))
        shown = session.open(trained[1] / "model.distill")
        assert len(shown.files) == 12
        own = shown.files[shown.sounds[0]]
        made = session.judged(own)
        assert made.verdict is not None
        assert (made.verdict.word, made.verdict.file) == (COPY, own)
        steps = session.morph(own, shown.files[shown.sounds[-1]], 3)
        assert [path.stem[-2:] for path in steps] == [" 1", " 2", " 3"]
        longer = session.extend(own, 2.0, 1)
        assert len(decode_sound(longer)) == 36_000 + 96_000
        again = session.repaint(own, 0.3, 0.5, 1)
        before, after = decode_sound(own), decode_sound(again)
        assert np.corrcoef(before[:10_000], after[:10_000])[0, 1] > 0.999, "the rest stays"
        assert np.corrcoef(before[16_000:22_000], after[16_000:22_000])[0, 1] < 0.99
        with pytest.raises(DistillError):
            session.repaint(own, 0.5, 0.3, 1)
        middle = shown.between_chunks(0)
        assert middle != shown.positions[0]
        new = session.sound_at(middle, {})
        assert session.judged(new).verdict is not None
        assert new.stem.startswith("Near "), "a name says where a sound was made"
        assert all(name in new.stem for name in (own.stem, " + "))
        assert session.sound_at(shown.positions[0], {}).stem == f"Near {own.stem}"
    finally:
        session.close()


def test_a_session_knows_where_its_sounds_are_from_and_discards_those_that_were_superseded(
    trained: tuple[LoadedModel, Path],
) -> None:
    session, history = MapSession(), GeneratedHistory()
    try:
        shown = session.open(trained[1] / "model.distill")
        places = [(0.31, 0.4), (0.32, 0.4), (0.33, 0.4)]
        made = [session.sound_at(place, {}) for place in places]
        assert [session.place_of(path) for path in made] == [(place, {}) for place in places]
        own = shown.files[shown.sounds[0]]
        assert session.place_of(own) == (shown.positions[0], {})
        assert session.place_of(session.sound_along(places, 2.0)) is None
        for path in made:
            session.supersede(path)
        history.set_star(next(entry.recipe for entry in history.list() if entry.path == made[0]), True)
        assert session.sound_at(places[2], {}) == made[2], "it was asked for again"
        session.discard_superseded()
        assert [path.exists() for path in made] == [True, False, True]
        assert {entry.path for entry in history.list()} >= {made[0], made[2]}
        assert made[1] not in {entry.path for entry in history.list()}
        other = session.sound_at(shown.positions[0], {})
        assert session.sound_at(places[1], {}) != other, "it is generated again, not mistaken for another"
    finally:
        session.close()


def test_a_session_can_be_used_while_own_sounds_are_read(
    trained: tuple[LoadedModel, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are read once, and those of a model that was closed meanwhile are not kept."""
    session, reads = MapSession(), list[int]()
    model = trained[1] / "model.distill"

    def read(files: Mapping[int, Path]) -> CopySearch:
        reads.append(len(files))
        worker = threading.Thread(target=session.open, args=(model,))  # waits for the lock, if it is held
        if len(reads) == 1:
            worker.start()
            worker.join(30)
            assert not worker.is_alive()
        return CopySearch([])

    monkeypatch.setattr(CopySearch, "of_files", read)
    try:
        own = session.open(model).files[0]
        for expected in (1, 2, 2):
            assert session.judged(own).verdict is not None
            assert len(reads) == expected
    finally:
        session.close()


def test_a_session_names_the_sound_that_cannot_be_used(trained: tuple[LoadedModel, Path], tmp_path: Path) -> None:
    session, bad = MapSession(), tmp_path / "silent bell.wav"
    write_wav(bad, np.zeros(48_000, np.float32))
    try:
        own = next(iter(session.open(trained[1] / "model.distill").files.values()))
        for use in (
            lambda: session.judged(bad),
            lambda: session.variations(bad, 1, 0.3, 1),
            lambda: session.morph(own, bad, 2),
            lambda: session.extend(tmp_path / "gone bell.wav", 0.3, 1),
            lambda: session.export_kit(tmp_path / "kit", "Kit", [own, bad], KitPlan()),
        ):
            with pytest.raises(
                SoundError, match=r"^(silent|gone) bell\.wav cannot be used: .+\. Choose another sound\.$"
            ):
                use()
    finally:
        session.close()


def _note(made: list[Path], news: SoundReady | Progress) -> None:
    if isinstance(news, SoundReady):
        made.append(news.sound.path)


def test_what_is_made_is_in_the_history_and_is_made_again_the_same(
    trained: tuple[LoadedModel, Path], tmp_path: Path
) -> None:
    file = trained[1] / "model.distill"
    session = MapSession()
    try:
        shown = session.open(file)
        own = shown.files[shown.sounds[0]]
        moves = {slider.name: 0.7 for slider in shown.sliders[:1]}
        made = [
            session.sound_at((0.412345678, 0.6), moves),
            session.sound_along([(0.1, 0.1), (0.9, 0.2), (0.5, 0.9)], 2.0),
            *session.variations(own, 2, 0.3, 1),
            *session.morph(own, shown.files[shown.sounds[-1]], 2),
            session.extend(own, 0.3, 1),
            session.repaint(own, 0.1, 0.3, 1),
        ]
        assert session.sound_at((0.412345678, 0.6), moves) == made[0], "it is known"
        made[0].unlink()
        assert session.sound_at((0.412345678, 0.6), moves).exists(), "and made again where its file is gone"
    finally:
        session.close()
    kinds = [MAPPED, ALONG, VARIED, VARIED, MORPHED, MORPHED, EXTENDED, REPAINTED]
    entries = {sound.path: sound for sound in GeneratedHistory().list()}
    kept = {path: entry.recipe for path, entry in entries.items()}
    assert [kept[path].kind for path in made] == kinds
    assert len(GeneratedHistory().list()) == len(made), "what was made anew is no second entry"
    assert kept[made[0]].moves == tuple(moves.items())
    aside = file.rename(tmp_path / "aside")  # the model that made them is kept
    try:
        for path in made:
            again: list[Path] = []
            make_again(entries[path], partial(_note, again), threading.Event())
            assert again[0] != path
            assert np.array_equal(soundfile.read(path)[0], soundfile.read(again[0])[0]), path.name
    finally:
        aside.rename(file)
    for path in made:
        recipe = read_recipe(path)
        assert recipe is not None
        assert recipe.to_dict() == kept[path].to_dict(), "the file holds it, too"


def test_a_sound_of_a_model_that_was_replaced_while_it_was_played_is_made_again(
    trained: tuple[LoadedModel, Path], tmp_path: Path
) -> None:
    file, other, session = tmp_path / "tones.distill", tmp_path / "other", MapSession()
    shutil.copyfile(trained[1] / "model.distill", file)
    try:
        session.open(file)
        other.write_bytes(b"a run was resumed, and wrote its model again")
        other.replace(file)
        made = [session.sound_at((0.4, 0.6), {})]
        made += session.variations(made[0], 1, 0.3, 1)
    finally:
        session.close()
    entries = {sound.path: sound for sound in GeneratedHistory().list()}
    for path in made:
        again: list[Path] = []
        make_again(entries[path], partial(_note, again), threading.Event())
        assert np.array_equal(soundfile.read(path)[0], soundfile.read(again[0])[0]), path.name


def test_any_program_reads_the_recipe_of_a_path_that_was_drawn(trained: tuple[LoadedModel, Path]) -> None:
    session = MapSession()
    drawn = [(0.5 + 0.4 * np.cos(n / 20), 0.5 + 0.4 * np.sin(n / 17)) for n in range(900)]
    try:
        session.open(trained[1] / "model.distill")
        path = session.sound_along(drawn, 1.5)
    finally:
        session.close()
    recipe = read_recipe(path)
    assert recipe is not None
    assert soundfile.SoundFile(path).comment == recipe.to_text()
    assert np.abs(np.subtract(recipe.positions[-1], drawn[-1])).max() < 1e-4
    assert len(recipe.positions) > 50


def test_a_place_of_another_map_is_not_taken_for_the_same(trained: tuple[LoadedModel, Path], tmp_path: Path) -> None:
    """The same weights may get another map, and then a position is another sound."""
    data = torch.load(trained[1] / "model.distill", weights_only=True)
    model, file = trained[0], tmp_path / "moved.distill"
    recipe = recipe_at(model, file, map_id(model), (0.4, 0.6), {})
    torch.save({**data, "map": {**data["map"], "positions": data["map"]["positions"].flip(0)}}, file)
    with pytest.raises(LibraryError, match="on is gone: the model was trained further"):
        remake(recipe, ModelLibrary(tmp_path))
    torch.save(data, file)
    assert len(remake(recipe, ModelLibrary(tmp_path)).audio)
    with pytest.raises(ModelFileError, match="cannot make this sound"):
        remake(replace(recipe, moves=(("wobble", 1.0),)), ModelLibrary(tmp_path))


def test_a_kit_has_versions_of_what_the_model_has_made(trained: tuple[LoadedModel, Path], tmp_path: Path) -> None:
    session = MapSession()
    ready: list[int] = []
    try:
        shown = session.open(trained[1] / "model.distill")
        own = shown.files[shown.sounds[0]]
        made = session.sound_at(shown.between_chunks(0), {})
        plan = KitPlan(turns=2, layers=2)
        written = session.export_kit(tmp_path / "kit", "Kit", [made, own], plan, ready.append)
        again = session.export_kit(tmp_path / "again", "Kit", [made, own], plan)
    finally:
        session.close()
    assert (written.sounds, written.varied, ready) == (2, 1, [1, 2])
    names = [path.name for path in written.kit.samples]
    assert len(names) == 5
    assert sum(name.startswith(f"01 {made.stem.replace(' +', '')} ") for name in names) == 4
    assert names[4].startswith(f"02 {own.stem}")
    text = (tmp_path / "kit" / "Kit.sfz").read_text()
    assert text.count("seq_length=2") == 4
    assert "lovel=65" in text or "hivel=64" in text
    sounds = [soundfile.read(path)[0] for path in written.kit.samples[:4]]
    assert all(len(one) != len(two) or np.abs(one - two).max() > 1e-3 for one, two in combinations(sounds, 2))
    for first, second in zip(written.kit.samples, again.kit.samples, strict=True):
        assert first.read_bytes() == second.read_bytes(), "the same pads give the same kit"


def test_a_kit_has_no_versions_of_a_sound_that_is_too_long_to_vary(
    trained: tuple[LoadedModel, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = MapSession()
    try:
        session.open(trained[1] / "model.distill")
        made = session.sound_at((0.4, 0.6), {})
        monkeypatch.setattr("distill.generation.kits.kit_sounds.MOST_SOURCE_S", soundfile.info(made).duration / 2)
        written = session.export_kit(tmp_path / "kit", "Kit", [made], KitPlan(turns=2, layers=2))
    finally:
        session.close()
    assert (written.varied, len(written.kit.samples)) == (0, 1)


def test_a_session_is_closed_although_it_still_computes() -> None:
    session, is_held, go_on = MapSession(), threading.Event(), threading.Event()

    def compute() -> None:
        with session._lock:
            is_held.set()
            go_on.wait(30)

    computing, closing = threading.Thread(target=compute), threading.Thread(target=session.close)
    computing.start()
    assert is_held.wait(10)
    closing.start()
    closing.join(10)
    is_closed = not closing.is_alive()
    go_on.set()
    computing.join()
    closing.join()
    assert is_closed, "the window is not held up at its end"


def test_a_stereo_model_is_played_in_stereo(trained: tuple[LoadedModel, Path], tmp_path: Path) -> None:
    data = torch.load(trained[1] / "model.distill", weights_only=True)
    file = tmp_path / "wide.distill"
    torch.save({**data, "stereo": ImageStore.build(images()).state_dict()}, file)
    source = tmp_path / "panned.wav"
    soundfile.write(source, panned(tone(1), -0.5).T, 48_000)
    session = MapSession()
    try:
        session.open(file)
        made = [
            session.sound_at((0.4, 0.6), {}),
            session.sound_along([(0.1, 0.1), (0.9, 0.9)], 1.5),
            *session.variations(source, 2, 0.3, 1),
            *session.morph(source, source, 2),
            session.extend(source, 0.3, 1),
            session.repaint(source, 0.1, 0.3, 1),
        ]
        assert [soundfile.info(path).channels for path in made] == [2] * len(made)
        assert session.judged(made[0]).verdict is not None
        kit = session.export_kit(tmp_path / "kit", "Kit", made[:1], KitPlan(turns=1, layers=1)).kit
        assert soundfile.info(kit.samples[0]).channels == 1
    finally:
        session.close()


def test_a_path_that_cannot_exist_here_costs_no_other_sound(tmp_path: Path) -> None:
    (tmp_path / "here.wav").touch()
    RunRecord(TrainingConfig(), [tmp_path / ("\u97ff" * 100) / "a.wav", tmp_path / "here.wav"]).save(tmp_path)
    assert sounds_of_runs(tmp_path / "model.distill") == [tmp_path / "here.wav"]
