"""Codes as files: what is written comes back, decodes to the model's own reconstruction, and nothing else does."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from distill.audio.spectrogram import SpectrogramConfig
from distill.config.training import VQVAEConfig
from distill.errors import ModelFileError
from distill.models import LoadedVQModel, ModelMetadata, load_model, load_model_v2, open_model, save_model_v2
from distill.models.codes import SoundCodes, load_codes, save_codes
from distill.models.families import make_family
from distill.models.vqvae import ConvVQVAE


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    config = VQVAEConfig(codebook_size=16)
    model = make_family(config).build()
    assert isinstance(model, ConvVQVAE)
    model.fit_statistics(torch.randn(30, 1, 128, 94).cumsum(-1) * 0.1)
    health = {"level_0": {"utilization": 0.5, "perplexity": 7.0, "dead_codes": 8}}
    folder = tmp_path_factory.mktemp("models")
    return save_model_v2(
        model.eval(),
        SpectrogramConfig(),
        config,
        None,
        ModelMetadata(name="Codes"),
        folder,
        health,
        {"val_losses": [1.0]},
    )


@pytest.fixture(scope="module")
def model(model_file: Path) -> LoadedVQModel:
    return load_model_v2(model_file)


def sound(samples: int = 70_000) -> torch.Tensor:
    t = torch.arange(samples) / 48_000
    return (torch.sin(2 * torch.pi * 220 * t) * torch.exp(-3 * t) * 0.3)[None, None]


def test_version_2_round_trip(model_file: Path, model: LoadedVQModel) -> None:
    raw = torch.load(model_file, weights_only=True)
    assert (raw["format"], raw["version"], raw["model_type"]) == ("distill_model", 2, "vqvae")
    assert model.vqvae_config.codebook_size == 16
    assert model.codebook_health == {"level_0": {"utilization": 0.5, "perplexity": 7.0, "dead_codes": 8}}
    assert isinstance(open_model(model_file), LoadedVQModel)
    with pytest.raises(ValueError, match="load_model_v2"):
        load_model(model_file)
    with pytest.raises(ValueError, match="cannot make new sounds"):
        model.sample(1)


def test_decoded_codes_equal_the_reconstruction(model: LoadedVQModel, tmp_path: Path) -> None:
    wave = sound(20 * 48_000 + 123)  # more chunks than go through the model at once
    path = save_codes(tmp_path / "sound.npz", model.encode(wave))
    assert torch.equal(model.decode(load_codes(path)), model.reconstruct(wave))


def test_file_is_plain_numpy(model: LoadedVQModel, tmp_path: Path) -> None:
    codes = model.encode(sound())
    with np.load(save_codes(tmp_path / "sound.npz", codes), allow_pickle=False) as data:
        assert data["codes"].shape == (2, 48, 3)
        assert data["codes"].dtype == np.uint16
        assert int(data["samples"]) == 70_000
        assert str(data["model_id"]) == model.metadata.model_id


def test_what_does_not_fit_is_refused(model: LoadedVQModel, tmp_path: Path) -> None:
    codes = model.encode(sound())
    too_high = codes.codes.copy()
    too_high[0, 0, 0] = 16
    bad: dict[str, SoundCodes] = {
        "another model": replace(codes, model_id="f" * 32),
        "entry 16": replace(codes, codes=too_high),
        "shape": replace(codes, codes=codes.codes[:, :, :2]),
        "length": replace(codes, samples=10 * 48_000),
    }
    for words, changed in bad.items():
        with pytest.raises(ModelFileError, match=words):
            model.decode(changed)


def test_damaged_files_are_refused(model: LoadedVQModel, tmp_path: Path) -> None:
    whole = save_codes(tmp_path / "whole.npz", model.encode(sound())).read_bytes()
    for name, data in {"cut": whole[: len(whole) // 2], "text": b"no codes", "empty": b""}.items():
        path = tmp_path / f"{name}.npz"
        path.write_bytes(data)
        with pytest.raises(ModelFileError, match="codes"):
            load_codes(path)
    np.savez(tmp_path / "pickled.npz", format=np.array([{}], dtype=object))
    with pytest.raises(ModelFileError, match="codes"):
        load_codes(tmp_path / "pickled.npz")
    np.savez(tmp_path / "negative.npz", format="distill_codes", model_id="x", codes=[[[-1]]], samples=1, peak=1.0)
    with pytest.raises(ModelFileError, match="out of range"):
        load_codes(tmp_path / "negative.npz")
    with pytest.raises(ModelFileError, match="no file of codes"):
        load_codes(tmp_path / "missing.npz")
