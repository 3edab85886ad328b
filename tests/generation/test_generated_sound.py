"""Generated sounds: without seams, and made again from what is written in their files."""

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from distill.audio.decoding.mono_decoder import decode_sound
from distill.audio.export import export_sound, write_wav
from distill.audio.export_options import FORMATS, ExportOptions
from distill.errors import LibraryError, SoundError
from distill.generation.export_sounds import ExportRequest, export
from distill.generation.generated_sound import GenerationCancelled
from distill.generation.history.sound_history import GeneratedEntry, GeneratedHistory, keep, list_sounds
from distill.generation.kits.sampler_presets import sampler_wav
from distill.generation.new_sounds import make_new
from distill.generation.recipe import ALONG, MORPHED, NEW, VARIED, Recipe, read_recipe
from distill.generation.remake import remake
from distill.generation.transform import transform, transform_file
from distill.generation.vary_morph_extend import make_from_sound
from distill.library.model_library import ModelLibrary
from distill.models import open_model
from distill.models.synthesis import features_to_sound
from distill.models.synthesis.synthesizer import Synthesizer
from distill.models.synthesis.window_blend import crossfade
from tests.support.models import tone_model, write_model_with_prior, write_tone_model
from tests.training.conftest import tone


def melody(seconds: int) -> Any:
    return np.concatenate([tone(n, 1.0) for n in range(seconds)])


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that knows the tones of the melody."""
    return write_tone_model(tmp_path_factory.mktemp("models"), latent_dim=16, tones=20)


@pytest.fixture(scope="module")
def model(model_file: Path) -> Any:
    return open_model(model_file)


@pytest.fixture(scope="module")
def sound() -> torch.Tensor:
    return torch.from_numpy(melody(10))[None, None]


@pytest.fixture(scope="module")
def wet(model: Any, sound: torch.Tensor) -> torch.Tensor:
    """In segments of four seconds, so that ten seconds have joints of both kinds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features_to_sound, "SEGMENT_S", 4.0)
        return transform(model, sound)


def test_ten_seconds_have_no_seams_in_any_format(wet: torch.Tensor, sound: torch.Tensor, tmp_path: Path) -> None:
    made = wet[0, 0].numpy()
    assert made.shape == sound[0, 0].shape
    largest = np.abs(np.diff(sound[0, 0].numpy())).max()
    assert np.abs(np.diff(made)).max() <= largest
    for row in FORMATS:
        audio, rate = soundfile.read(export_sound(tmp_path / "ten", made, ExportOptions(row.key)).path)
        assert abs(len(audio) / rate - 10) < 0.06
        assert np.abs(np.diff(audio)).max() <= largest


def test_it_is_the_sound_as_the_model_knows_it(model: Any, wet: torch.Tensor, sound: torch.Tensor) -> None:
    def distance(a: torch.Tensor, b: torch.Tensor) -> float:
        mel = model.spectrogram.waveform_to_mel
        return float((mel(a) - mel(b)).abs().mean())

    assert distance(wet, sound) < 0.6 * distance(wet, sound.roll(48_000, -1))


@pytest.mark.parametrize("samples", [1, 500, 47_999, 48_001, 70_000])
def test_any_length(model: Any, sound: torch.Tensor, samples: int) -> None:
    made = transform(model, sound[..., :samples])
    assert made.shape == (1, 1, samples)
    assert bool(torch.isfinite(made).all())


def test_one_chunk_is_what_reconstruct_gives(model: Any, sound: torch.Tensor) -> None:
    one = sound[..., :48_000] * 0.25
    torch.testing.assert_close(transform(model, one), model.reconstruct(one), rtol=0, atol=1e-4)


def test_dry_and_wet(model: Any, sound: torch.Tensor) -> None:
    short = sound[..., :60_000]
    wet = transform(model, short)
    assert torch.equal(transform(model, short, dry_wet=0.0), short)
    half = transform(model, short, dry_wet=0.5)
    torch.testing.assert_close(half, (short + wet) * 0.5**0.5, rtol=0, atol=1e-5)
    assert not transform(model, torch.zeros(1, 1, 5000)).any()
    for bad in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="dry_wet"):
            transform(model, short, dry_wet=bad)
    with pytest.raises(ValueError, match="not numbers"):
        transform(model, torch.full((1, 1, 10), float("nan")))


def test_progress_and_cancel(model: Any, sound: torch.Tensor) -> None:
    shares: list[float] = []
    stop = threading.Event()

    def note(share: float) -> None:
        shares.append(share)
        if share >= 0.3:
            stop.set()

    with pytest.raises(GenerationCancelled):
        transform(model, sound, progress=note, cancel_event=stop)
    assert shares[-1] < 0.9
    shares.clear()
    transform(model, sound[..., :60_000], progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.parametrize("alike", [1.0, 0.0, -1.0])
def test_a_fade_has_no_dip(alike: float) -> None:
    generator = torch.Generator().manual_seed(1)
    one = torch.randn(24_000, generator=generator)
    other = alike * one if alike else torch.randn(24_000, generator=generator)
    mixed, sign = crossfade(one, other)
    levels = mixed.reshape(24, 1000).square().mean(1)
    assert 0.8 < float(levels.min()) < float(levels.max()) < 1.25
    assert sign == (-1.0 if alike < 0 else sign)


def test_new_sounds_are_made_again_from_their_files(model: Any, model_file: Path, tmp_path: Path) -> None:
    made = list(make_new(model, model_file, 3, seed=7, temperature=0.5))
    assert [m.recipe.number for m in made] == [0, 1, 2]
    plain = model.sample(3, seed=7)
    assert not np.allclose(plain[1, 0], made[1].audio)
    assert np.allclose(model.sample(3, seed=7, temperature=0.5)[1, 0], made[1].audio, atol=1e-3)
    for row in FORMATS:
        recipe = made[1].recipe
        path = export_sound(tmp_path / "a", made[1].audio, ExportOptions(row.key), "t", recipe.to_text()).path
        assert read_recipe(path) == recipe
    again = remake(recipe, ModelLibrary(tmp_path / "none"))
    assert np.array_equal(again.audio, made[1].audio)
    assert again.recipe == recipe
    with pytest.raises(ValueError, match="temperature"):
        list(make_new(model, model_file, 1, temperature=9))
    stop = threading.Event()
    stop.set()
    with pytest.raises(GenerationCancelled):
        list(make_new(model, model_file, 1, cancel_event=stop))


def test_a_sound_that_is_not_wanted_any_more_is_not_made_again(
    model: Any, model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`distill remake` said "Stopping.", went on, and ended as if nothing had been said."""
    new, stop, library = list(make_new(model, model_file, 2, 3)), threading.Event(), ModelLibrary(tmp_path / "none")
    write_wav(tmp_path / "in.wav", melody(1))
    varied = list(make_from_sound(model, model_file, VARIED, tmp_path / "in.wav", strength=0.5, count=1, seed=1))
    vary = type(model).vary_each

    def interrupted(*arguments: Any) -> Any:
        stop.set()
        return vary(*arguments)

    monkeypatch.setattr(type(model), "vary_each", interrupted)
    with pytest.raises(GenerationCancelled):
        remake(varied[0].recipe, library, cancel_event=stop)
    with pytest.raises(GenerationCancelled):
        remake(new[1].recipe, library, cancel_event=stop)


def test_a_transformed_sound_is_made_again_or_says_why_not(model: Any, model_file: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.wav"
    write_wav(source, melody(1))
    moved = tmp_path / "moved.distill"
    moved.write_bytes(model_file.read_bytes())
    made = transform_file(model, moved, source, dry_wet=0.7)
    assert made.audio.shape == decode_sound(source).shape
    moved.unlink()
    library = ModelLibrary(tmp_path / "library")
    with pytest.raises(LibraryError, match="'Tones' that made this sound is not in the library"):
        remake(made.recipe, library)
    library.import_file(model_file)
    assert np.array_equal(remake(made.recipe, library).audio, made.audio)
    write_wav(source, melody(1) * 0.5)
    with pytest.raises(SoundError, match="has changed"):
        remake(made.recipe, library)
    source.unlink()
    with pytest.raises(SoundError, match="no longer there"):
        remake(made.recipe, library)


class TestHistory:
    def sound(self, number: int) -> GeneratedEntry:
        return GeneratedEntry(Path(f"new {number}.wav"), Recipe("new", "ab", "Glöckchen", seed=number))

    def test_it_survives_a_cut_line(self, tmp_path: Path) -> None:
        history = GeneratedHistory(tmp_path / "made" / "history.jsonl")
        assert history.list() == ()
        one, two, three = (self.sound(n) for n in range(3))
        history.add([one, two])
        with history.file.open("ab") as file:
            file.write(b'{"made": {"kind": "ne')
        history.add([three])
        history.set_star(one.recipe, True)
        history.forget(two.recipe)
        listed = GeneratedHistory(history.file).list()
        assert [(s.recipe, s.starred) for s in listed] == [(three.recipe, False), (one.recipe, True)]

    @pytest.mark.parametrize(
        "change",
        [{"kind": "stolen"}, {"count": 10**9}, {"number": 3}, {"seed": -1}, {"seed": True}, {"temperature": "x"},
         {"model_id": ""}, {"model_file": 3}, {"temperature": float("inf")}],
    )  # fmt: skip
    def test_a_strangers_recipe_is_checked(self, change: dict[str, Any]) -> None:
        data = self.sound(0).recipe.to_dict()
        assert Recipe.from_dict(data | {"more": 1}).to_dict() == data
        with pytest.raises(ValueError, match="recipe"):
            Recipe.from_dict(data | change)


def test_one_of_many_new_sounds_is_made_again_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last of a thousand took as long as all of them."""
    file = write_model_with_prior(tone_model("vae"), tmp_path / "tones.distill")
    last = list(make_new(open_model(file), file, 12, seed=4))[-1]
    made: list[int] = []
    make = Synthesizer.to_sound

    def counted(synthesizer: Synthesizer, features: torch.Tensor, samples: int) -> torch.Tensor:
        made.append(samples)
        return make(synthesizer, features, samples)

    monkeypatch.setattr(Synthesizer, "to_sound", counted)
    again = remake(last.recipe, ModelLibrary(tmp_path / "none"))
    assert np.array_equal(again.audio, last.audio)
    assert made == [len(last.audio)]


@pytest.mark.parametrize(("corners", "is_kept"), [(64, True), (100, True), (1500, True), (4096, False)])
def test_a_long_recipe_is_read_or_left_out_and_costs_no_sound(tmp_path: Path, corners: int, is_kept: bool) -> None:
    """libsndfile reads no texts of 2 kB in WAV files, and with one of 50 kB writes a file that cannot be opened."""
    path = tuple((round(n / corners, 5), 0.12345) for n in range(corners))
    recipe = Recipe(ALONG, "0" * 32, "Bells", "/models/bells.distill", positions=path, seconds=2.0)
    sound = tone(1, 0.2)
    exported = export_sound(tmp_path / "a.wav", sound, ExportOptions("wav24"), recipe.title(), recipe.to_text()).path
    sampler = tmp_path / "b.wav"
    sampler.write_bytes(sampler_wav(sound, None, None, recipe.to_text()))
    for written in (exported, sampler):
        assert len(soundfile.read(written)[0]) == len(sound)
        assert read_recipe(written) == (recipe if is_kept else None)
    flac = export_sound(tmp_path / "a.flac", sound, ExportOptions("flac24"), recipe.title(), recipe.to_text()).path
    assert read_recipe(flac) == recipe


@pytest.mark.skipif(os.name == "nt", reason="Names of files are text there.")
def test_a_folder_whose_name_is_no_utf_8_does_not_hide_the_other_sounds(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/kl\xe4nge"))
    recipe = Recipe(NEW, "0" * 32)
    written = export_sound(folder / "a.wav", tone(1, 0.2), comment=recipe.to_text()).path
    entry = GeneratedEntry(written, recipe)
    GeneratedHistory().add([entry])
    kept = keep("other", tone(2, 0.2), Recipe(NEW, "0" * 32))
    assert {sound.path: sound.seconds for sound in list_sounds()} == {written: 0.2, kept.path: kept.seconds}
    assert read_recipe(written) == recipe
    (exported,) = export(
        ExportRequest((entry,), tmp_path, ExportOptions("flac24")), lambda _news: None, threading.Event()
    )
    assert len(soundfile.read(exported)[0]) == 9600


def test_a_sound_of_two_long_names_is_kept() -> None:
    """Each name has room on a disk, both together had not: the sound was made and then lost."""
    name = f"{'音' * 60} to {'色' * 60} 3"
    kept = keep(name, tone(1, 0.2), Recipe(MORPHED, "0" * 32, count=8, number=2))
    assert kept.path.is_file()
    assert kept.path.name.startswith("音" * 40)
    assert kept.path.name.endswith(" 3.wav")
