"""What a script that calls the public names in a wrong way is told: one sentence that says what to do instead."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from distill.audio import AugmentationPipeline
from distill.errors import ConfigurationError, DistillError
from distill.models import open_model
from distill.training import (
    AudioTrainingDataset,
    TrainingConfig,
    TrainingRunner,
    create_data_loaders,
    train,
)
from tests.support.models import write_untrained_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of two short sounds."""
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    rng = np.random.default_rng(0)
    for number in range(2):
        soundfile.write(sounds / f"{number}.wav", 0.1 * rng.standard_normal(9_600), 48_000)
    return sounds


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_untrained_model(tmp_path_factory.mktemp("models"))


class TestSounds:
    @pytest.mark.parametrize("kind", [str, Path])
    def test_a_folder_is_not_taken_for_a_list_of_files(self, folder: Path, tmp_path: Path, kind: Any) -> None:
        given, out = kind(folder), tmp_path / "run"
        for call in (
            lambda: create_data_loaders(given, TrainingConfig()),
            lambda: AudioTrainingDataset(given),
            lambda: train(TrainingConfig(max_epochs=1), given, out, "cpu"),
        ):
            with pytest.raises(ConfigurationError, match=r"file_paths must be a list of sound files.*find_sound_files"):
                call()
        assert not out.exists()

    def test_a_run_in_the_background_says_the_same(self, folder: Path, tmp_path: Path) -> None:
        runner = TrainingRunner()
        runner.start(TrainingConfig(max_epochs=1), str(folder), tmp_path / "run", "cpu")
        assert runner.wait(60)
        assert "file_paths must be a list" in str(runner.last_error())

    @pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), 1e-6, "1"])
    def test_a_chunk_without_a_length(self, folder: Path, seconds: Any) -> None:
        files = sorted(folder.iterdir())
        with pytest.raises(ConfigurationError, match="chunk_duration_s must be a length in seconds above 0"):
            AudioTrainingDataset(files, chunk_duration_s=seconds)

    @pytest.mark.parametrize("seconds", [0.1, 10.0])  # shorter and longer than those of a run
    def test_a_chunk_of_any_length(self, folder: Path, seconds: float) -> None:
        assert len(AudioTrainingDataset(sorted(folder.iterdir()), chunk_duration_s=seconds)) > 0

    @pytest.mark.parametrize("config", [None, {}, {"max_epochs": 1}])
    def test_settings_that_are_none(self, folder: Path, tmp_path: Path, config: Any) -> None:
        files = sorted(folder.iterdir())
        for call in (
            lambda: create_data_loaders(files, config),
            lambda: train(config, files, tmp_path / "run", "cpu"),
        ):
            with pytest.raises(ConfigurationError, match=r"config must be a TrainingConfig or a VQVAEConfig"):
                call()

    def test_a_family_of_another_type(self) -> None:
        with pytest.raises(ConfigurationError, match="family must be one of"):
            TrainingConfig(family=[])  # type: ignore[arg-type]


class TestModels:
    @pytest.mark.parametrize("name", ["reconstruct", "vary", "extend"])
    def test_a_numpy_array_is_named_as_what_it_is(self, model_file: Path, name: str) -> None:
        sound, model = np.zeros((1, 1, 9_600), np.float32), open_model(model_file)
        further = {"reconstruct": (), "vary": (1, 0.5), "extend": (1.0,)}[name]
        with pytest.raises(TypeError, match=r"waveform must be a torch\.Tensor, not ndarray.*torch\.from_numpy"):
            getattr(model, name)(sound, *further)

    def test_a_batch_of_no_sounds(self, model_file: Path) -> None:
        with pytest.raises(ValueError, match="waveform must have the shape"):
            open_model(model_file).reconstruct(torch.zeros(0, 1, 9_600))

    def test_a_folder_without_a_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(DistillError, match=r"^\. cannot be opened: it is a folder"):
            open_model(".")

    def test_metadata_that_are_none(self, model_file: Path, tmp_path: Path) -> None:
        contents = torch.load(model_file, weights_only=True)
        torch.save(contents | {"metadata": None}, tmp_path / "changed.distill")
        with pytest.raises(DistillError, match=r"^changed\.distill cannot be used: the metadata are not named values"):
            open_model(tmp_path / "changed.distill")

    def test_numbers_of_numpy_are_numbers(self, model_file: Path) -> None:
        model: Any = open_model(model_file)
        sound = torch.rand(1, 4_800) - 0.5
        for given, plain in ((np.int64(3), 3), (np.uint8(7), 7)):
            drawn = model.generate(np.int64(1), seed=given, seconds=np.float32(0.5))
            assert torch.equal(drawn[0], model.generate(1, seed=plain, seconds=0.5)[0])
        assert len(model.vary(sound, np.int64(2), np.float32(0.5), seed=np.int64(1))) == 2

    @pytest.mark.parametrize("seed", [1.5, "1"])
    def test_a_seed_is_a_whole_number(self, model_file: Path, seed: Any) -> None:
        for call in (
            lambda: open_model(model_file).generate(1, seed=seed),
            lambda: open_model(model_file).sample(1, seed=seed),
            lambda: open_model(model_file).vary(torch.rand(1, 4_800), 1, 0.5, seed=seed),
        ):
            with pytest.raises(TypeError, match=f"seed must be a whole number or None, not {seed!r}"):
                call()

    @pytest.mark.parametrize("count", [1.5, "2"])
    def test_a_count_is_a_whole_number(self, model_file: Path, count: Any) -> None:
        model = open_model(model_file)
        with pytest.raises(TypeError, match=f"count must be a whole number, not {count!r}"):
            model.generate(count)
        with pytest.raises(TypeError, match=f"num_samples must be a whole number, not {count!r}"):
            model.sample(count)
        with pytest.raises(TypeError, match=f"count must be a whole number, not {count!r}"):
            model.vary(torch.rand(1, 4_800), count, 0.5)
        with pytest.raises(TypeError, match=f"steps must be a whole number, not {count!r}"):
            model.morph(torch.rand(1, 4_800), torch.rand(1, 4_800), count)


@pytest.mark.parametrize("name", ["snr_db", "gain_db"])
@pytest.mark.parametrize("value", [3, None, (1,), "ab"])
def test_an_augmentation_takes_a_range(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a lowest and a highest value"):
        AugmentationPipeline(**{name: value})


def test_settings_take_the_numbers_of_numpy_as_plain_ones() -> None:
    given: list[Any] = [np.int64(3), np.float64(0.001), np.float32(0.5), np.uint8(7)]
    config = TrainingConfig(max_epochs=given[0], learning_rate=given[1], val_fraction=given[2])
    config.seed = given[3]
    assert (config.max_epochs, config.learning_rate, config.val_fraction, config.seed) == (3, 0.001, 0.5, 7)
    for name in ("max_epochs", "learning_rate", "val_fraction", "seed"):
        assert type(getattr(config, name)) in (int, float)
    with pytest.raises(ConfigurationError, match="max_epochs must be a whole number from 1 to 100000, not 0"):
        config.max_epochs = given[0] * 0
