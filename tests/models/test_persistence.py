"""`.distill` files: what comes out of them is what went in, and nothing bad gets in."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import AdamW

from distill.audio import SpectrogramConfig
from distill.errors import CheckpointError, DistillError, ModelFileError
from distill.library.model_library import ModelLibrary
from distill.models import (
    MODEL_FORMAT_MARKER,
    SAVED_MODEL_VERSION,
    LoadedModel,
    ModelMetadata,
    delete_model,
    load_model,
    open_model,
    save_model,
    save_model_from_checkpoint,
)
from distill.models.families.vae_family import MelVAEFamily
from distill.training import MetricsHistory, TrainingConfig, save_checkpoint
from distill.training.steps.learning_rate_schedule import CosineFactor, make_scheduler
from tests.training.conftest import tone

CONFIG = TrainingConfig(latent_dim=8, chunk_duration_s=0.5)
METADATA = ModelMetadata(
    name="Glöckchen & co",
    description="Bells, all of them",
    dataset_name="bells",
    dataset_file_count=12,
    dataset_total_duration_s=34.5,
    training_epochs=7,
    final_train_loss=0.25,
    final_val_loss=None,
    tags=("bell", "metal"),
)


@pytest.fixture(scope="module")
def trained() -> Any:
    """A network that knows a few sounds."""
    family = MelVAEFamily(CONFIG)
    torch.manual_seed(0)
    model = family.build()
    sounds = torch.stack([torch.from_numpy(tone(n, 0.5)) for n in range(12)])[:, None]
    family.fit_statistics(model, family.features(sounds))
    return model.eval()


@pytest.fixture(scope="module")
def saved(trained: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(
        trained,
        SpectrogramConfig(),
        CONFIG,
        METADATA,
        tmp_path_factory.mktemp("library") / "made",
        loss_curve_history={"train_losses": [2.0, 1.0]},
        latent_analysis={"active": [0, 3]},
    )


@pytest.fixture(scope="module")
def opened(saved: Path) -> LoadedModel:
    model = open_model(saved)
    assert isinstance(model, LoadedModel)
    return model


def changed(path: Path, target: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """Write a copy of a model file with changed contents."""
    data = torch.load(path, weights_only=True)
    torch.save(change(data) or data, target)
    return target


def test_what_is_written(saved: Path, trained: Any) -> None:
    data = torch.load(saved, weights_only=True)
    assert data["format"] == MODEL_FORMAT_MARKER == "distill_model"
    assert data["version"] == SAVED_MODEL_VERSION == 1
    assert data["model_type"] == "vae"
    assert data["training_config"] == CONFIG.to_dict()
    assert data["spectrogram_config"] == SpectrogramConfig().to_dict()
    assert data["loss_curve_history"] == {"train_losses": [2.0, 1.0]}
    assert data["latent_analysis"] == {"active": [0, 3]}
    assert "prior" not in data
    assert set(data["metadata"]) == {
        "model_id", "name", "description", "dataset_name", "dataset_file_count", "dataset_total_duration_s",
        "training_date", "save_date", "training_epochs", "final_train_loss", "final_val_loss", "tags",
    }  # fmt: skip
    assert data["model_state_dict"].keys() == trained.state_dict().keys()
    assert saved.suffix == ".distill"


def test_the_name_of_the_file(saved: Path, trained: Any, tmp_path: Path) -> None:
    assert "Glöckchen" in saved.name
    other = save_model(trained, SpectrogramConfig(), CONFIG, ModelMetadata(name=METADATA.name), tmp_path)
    assert other.name != saved.name  # namesakes do not overwrite each other
    odd = save_model(trained, SpectrogramConfig(), CONFIG, ModelMetadata(name="../../etc/passwd\n"), tmp_path)
    assert odd.parent == tmp_path


def test_the_way_there_and_back(opened: LoadedModel, trained: Any, saved: Path) -> None:
    assert opened.metadata == METADATA
    assert opened.analysis == {"active": [0, 3]}
    assert opened.device == torch.device("cpu")
    assert opened.spectrogram.config == SpectrogramConfig()
    assert not opened.model.training
    assert all(torch.equal(v, trained.state_dict()[k]) for k, v in opened.model.state_dict().items())
    assert load_model(saved).metadata == METADATA


def test_unknown_keys_are_ignored(saved: Path, tmp_path: Path) -> None:
    def add(data: dict[str, Any]) -> None:
        data["from the future"] = 1
        for part in ("metadata", "training_config", "spectrogram_config"):
            data[part]["from the future"] = 1

    assert open_model(changed(saved, tmp_path / "a.distill", add)).metadata == METADATA


class TestReconstruct:
    @pytest.fixture
    def sound(self) -> Tensor:
        return torch.from_numpy(tone(3, 1.3))[None, None] * 0.8

    @pytest.mark.parametrize("samples", [1, 100, 23_999, 24_000, 24_001, 62_400])
    def test_any_length(self, opened: LoadedModel, sound: Tensor, samples: int) -> None:
        made = opened.reconstruct(sound[..., :samples])
        assert made.shape == (1, 1, samples)
        assert torch.isfinite(made).all()

    def test_it_resembles_the_sound(self, opened: LoadedModel) -> None:
        sound = torch.from_numpy(tone(3, 0.5))[None, None]  # one of those that it knows
        features = opened.spectrogram.waveform_to_mel
        error = 20 * (features(opened.reconstruct(sound)) - features(sound)).abs().mean()
        other = 20 * (features(opened.reconstruct(sound)) - features(torch.from_numpy(tone(5, 0.5))[None, None])).abs()
        assert error < 8
        assert error < 0.5 * other.mean()

    @pytest.mark.parametrize("level", [1e-4, 0.03, 4.0])
    def test_level_in_is_level_out(self, opened: LoadedModel, sound: Tensor, level: float) -> None:
        made, scaled = opened.reconstruct(sound), opened.reconstruct(sound * level)
        torch.testing.assert_close(scaled / level, made, rtol=0, atol=0.02 * float(made.abs().max()))

    def test_each_row_by_itself(self, opened: LoadedModel, sound: Tensor) -> None:
        other = torch.from_numpy(tone(9, 1.3))[None, None]
        together = opened.reconstruct(torch.cat([sound, 0.01 * other]))
        assert together.shape == (2, 1, sound.shape[-1])
        for row, alone in zip(together, (sound, 0.01 * other), strict=True):
            expected = opened.reconstruct(alone)[0]
            torch.testing.assert_close(row, expected, rtol=0, atol=0.02 * float(expected.abs().max()))

    def test_silence(self, opened: LoadedModel) -> None:
        assert not opened.reconstruct(torch.zeros(2, 1, 30_000)).any()

    def test_it_is_deterministic_and_changes_nothing(self, opened: LoadedModel, sound: Tensor) -> None:
        before = sound.clone()
        torch.manual_seed(1)
        stream = torch.get_rng_state()
        one = opened.reconstruct(sound)
        assert torch.equal(torch.get_rng_state(), stream)
        torch.manual_seed(2)
        assert torch.equal(opened.reconstruct(sound), one)
        assert torch.equal(sound, before)

    def test_nothing_but_the_latent_goes_through(self, opened: LoadedModel, sound: Tensor) -> None:
        """With a decoder that gets zeros, all sounds come out alike but for their level."""
        family = opened.family
        features = family.features(torch.cat([sound[..., :24_000], torch.from_numpy(tone(7, 0.5))[None, None]]))
        mu, _ = opened.model.encode(features)  # type: ignore[operator]
        with torch.no_grad():
            assert torch.equal(family.reconstruct(opened.model, features), opened.model.decode(mu))  # type: ignore[operator]

    @pytest.mark.parametrize("shape", [(100,), (1, 100), (1, 2, 100), (1, 1, 0)])
    def test_another_shape_is_refused(self, opened: LoadedModel, shape: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match=r"\[B, 1, N\]"):
            opened.reconstruct(torch.zeros(shape))


class TestSample:
    def test_deterministic_by_seed_and_different_otherwise(self, opened: LoadedModel) -> None:
        one = opened.sample(2, seed=5)
        assert one.shape == (2, 1, 24_000)
        assert torch.equal(opened.sample(2, seed=5), one)
        assert not torch.allclose(opened.sample(2, seed=6), one)
        assert not torch.allclose(opened.sample(2), opened.sample(2))
        assert not torch.allclose(one[0], one[1])
        torch.testing.assert_close(one.abs().amax((1, 2)), torch.ones(2))

    def test_the_random_stream_is_left_alone(self, opened: LoadedModel) -> None:
        stream = torch.get_rng_state()
        opened.sample(1)
        assert torch.equal(torch.get_rng_state(), stream)

    @pytest.mark.parametrize("count", [0, -1])
    def test_none_is_refused(self, opened: LoadedModel, count: int) -> None:
        with pytest.raises(ValueError, match="num_samples"):
            opened.sample(count)


def drop(key: str) -> Callable[[dict[str, Any]], Any]:
    return lambda data: {k: v for k, v in data.items() if k != key}


def put(*keys: str, value: Any) -> Callable[[dict[str, Any]], Any]:
    def change(data: dict[str, Any]) -> None:
        for key in keys[:-1]:
            data = data[key]
        data[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (put("format", value="song"), "not a model file of Distill"),
        (put("version", value=99), "newer version"),
        (put("version", value=0), "not a whole model file"),
        (put("version", value="1"), "not a whole model file"),
        (drop("metadata"), "parts of it are missing"),
        (drop("model_state_dict"), "parts of it are missing"),
        (put("training_config", value=None), "cannot be used"),
        (put("training_config", "family", value="gan"), "family must be one of"),
        (put("training_config", "latent_dim", value=-4), "latent_dim"),
        (put("training_config", "latent_dim", value=9), "of another size"),
        (put("training_config", "regularization", value=3), "cannot be used"),
        (put("spectrogram_config", "n_mels", value=64), "another representation"),
        (put("spectrogram_config", "n_mels", value="many"), "n_mels"),
        (put("metadata", value=[]), "cannot be used"),
        (put("metadata", "name", value=5), "cannot be used"),
        (put("metadata", "training_epochs", value="x"), "cannot be used"),
        (put("model_state_dict", value={}), "another kind of network"),
        (put("model_state_dict", "feature_mean", value=torch.zeros(3)), "of another size"),
        (put("model_state_dict", "feature_mean", value="x"), "of another size"),
        (lambda data: [1, 2], "not a model file of Distill"),
    ],
)
def test_a_file_that_is_no_model_is_refused_in_one_sentence(
    saved: Path, tmp_path: Path, change: Callable[[dict[str, Any]], Any], words: str
) -> None:
    path = changed(saved, tmp_path / "odd.distill", change)
    with pytest.raises(ModelFileError, match=words) as caught:
        open_model(path)
    assert isinstance(caught.value, ValueError)
    assert "odd.distill" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_damage_on_the_disk_is_refused(saved: Path, tmp_path: Path) -> None:
    data, path = saved.read_bytes(), tmp_path / "broken.distill"
    for content, words in (
        (b"", "empty"),
        (data[:-100], "truncated"),
        (b"RIFF" + data, "not a model file"),
        (data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :], "damaged"),
    ):
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match=words):
            open_model(path)
    with pytest.raises(ModelFileError, match="There is no model file"):
        open_model(tmp_path / "none.distill")


class _Payload:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


@pytest.mark.parametrize("key", ["model_state_dict", "metadata", "latent_analysis", "an unknown one"])
def test_code_in_a_file_is_not_run(saved: Path, tmp_path: Path, key: str) -> None:
    proof = tmp_path / "proof"
    path = changed(saved, tmp_path / "evil.distill", put(key, value=_Payload(f"touch '{proof}'")))
    with pytest.raises(ModelFileError, match="program code"):
        open_model(path)
    assert not proof.exists()


def test_a_tensor_that_pretends_to_be_huge_is_not_allocated(saved: Path, tmp_path: Path) -> None:
    huge = torch.zeros(1).expand(10**12)  # one number on disk
    path = changed(saved, tmp_path / "bomb.distill", put("model_state_dict", "feature_mean", value=huge))
    with pytest.raises(ModelFileError, match="of another size"):
        open_model(path)


class TestFromACheckpoint:
    @pytest.fixture
    def checkpoint(self, tmp_path: Path, trained: Any) -> Path:
        optimizer = AdamW(trained.parameters())
        scheduler = make_scheduler(optimizer, CosineFactor.of_run(10))
        return save_checkpoint(
            tmp_path / "checkpoint_epoch0004.pt", trained, optimizer, scheduler, 4, 40, 0.5, 0.75, 1e-3, CONFIG,
            SpectrogramConfig(), MetricsHistory().to_dict(),
        )  # fmt: skip

    def test_to_a_file(self, checkpoint: Path, tmp_path: Path, trained: Any) -> None:
        target = tmp_path / "model.distill"
        assert save_model_from_checkpoint(checkpoint, METADATA, target) == target
        model = open_model(target)
        assert (model.metadata.final_train_loss, model.metadata.final_val_loss) == (0.5, 0.75)
        assert model.metadata.name == METADATA.name
        assert all(torch.equal(v, trained.state_dict()[k]) for k, v in model.model.state_dict().items())

    def test_to_a_library(self, checkpoint: Path, tmp_path: Path) -> None:
        path = save_model_from_checkpoint(checkpoint, METADATA, tmp_path / "library")
        assert path.parent == tmp_path / "library"
        copy = ModelLibrary(tmp_path / "another").add(path).path
        assert copy.read_bytes() == path.read_bytes()

    @pytest.mark.parametrize("change", [put("metrics_history", value={"steps": 1}), put("metrics_history", value=[3])])
    def test_a_damaged_history(self, checkpoint: Path, tmp_path: Path, change: Callable[..., Any]) -> None:
        path = changed(checkpoint, tmp_path / "odd.pt", change)
        with pytest.raises(CheckpointError, match=r"odd\.pt is damaged"):
            save_model_from_checkpoint(path, METADATA, tmp_path / "model.distill")
        assert not (tmp_path / "model.distill").exists()

    def test_no_history_at_all(self, checkpoint: Path, tmp_path: Path) -> None:
        path = changed(checkpoint, tmp_path / "plain.pt", put("metrics_history", value={}))
        made = save_model_from_checkpoint(path, METADATA, tmp_path / "model.distill")
        assert open_model(made).metadata.training_epochs == 5

    def test_no_checkpoint(self, saved: Path, tmp_path: Path) -> None:
        with pytest.raises(CheckpointError, match="not a checkpoint"):
            save_model_from_checkpoint(saved, METADATA, tmp_path / "model.distill")


def test_deleting(saved: Path, tmp_path: Path) -> None:
    copy = ModelLibrary(tmp_path).add(saved).path
    delete_model(copy)
    assert not copy.exists()
    with pytest.raises(DistillError, match="no model file"):
        delete_model(copy)
    song = tmp_path / "song.wav"
    song.write_bytes(b"RIFF")
    with pytest.raises(DistillError, match="no model file"):
        delete_model(song)
    assert song.exists()


class TestMetadata:
    def test_the_round_trip(self) -> None:
        assert ModelMetadata.from_dict(METADATA.to_dict()) == METADATA

    def test_ids_tell_namesakes_apart(self) -> None:
        assert ModelMetadata().model_id != ModelMetadata().model_id

    @pytest.mark.parametrize("data", [{"name": 3}, {"tags": [1]}, {"training_epochs": "x"}, {"final_val_loss": "low"}])
    def test_wrong_types_are_refused(self, data: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="metadata"):
            ModelMetadata.from_dict(data)
