"""Codes as files: what is written comes back, decodes to the model's own reconstruction, and nothing else does."""

import io
import os
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distill.audio.spectrogram import SpectrogramConfig
from distill.config.training import VQVAEConfig
from distill.errors import ModelFileError
from distill.models import LoadedVQModel, ModelMetadata, load_model, load_model_v2, open_model, save_model_v2
from distill.models.codes_file import SoundCodes, load_codes, save_codes
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


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_samples_that_are_not_numbers_are_refused(model: LoadedVQModel, value: float) -> None:
    """One of them would make codes that cannot be opened, and a copy without a number in it."""
    broken = sound(1000)
    broken[0, 0, 500] = value
    for work in (model.encode, model.reconstruct):
        with pytest.raises(ValueError, match="contains samples that are not numbers"):
            work(broken)


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


def test_a_small_file_of_two_thousand_million_codes_is_refused_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<u2", "fortran_order": False, "shape": (1_000_000, 48, 3)})
    facts = {"format": "distill_codes", "model_id": "x", "samples": 48_000, "peak": 1.0}
    np.savez(path, **facts)  # type: ignore[arg-type]
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("codes.npy", "w") as member:
        member.write(header.getvalue())
        for _ in range(288):
            member.write(bytes(1_000_000))
    assert path.stat().st_size < 1_000_000
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError, match=r"bomb\.npz is not a file of codes, or is damaged"):
            load_codes(path)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "odd",
    [
        {"codes": np.zeros((2, 48, 3), np.float32)}, {"codes": np.zeros((2, 48), np.uint16)}, {"codes": "text"},
        {"samples": np.arange(3)}, {"samples": 1.5}, {"peak": "loud"}, {"peak": float("nan")}, {"model_id": 3},
        {"model_id": "x" * 5000}, {"format": np.array(["distill_codes"])}, {"peak": 1e300}, {"samples": -5},
        {"samples": 2**63 - 1, "peak": -1.0},
    ],
)  # fmt: skip
def test_arrays_of_another_kind_are_refused(tmp_path: Path, odd: dict[str, Any]) -> None:
    whole: dict[str, Any] = {
        "format": "distill_codes", "model_id": "x", "codes": np.zeros((1, 48, 3), np.uint16), "samples": 48_000,
        "peak": 1.0,
    }  # fmt: skip
    path = tmp_path / "odd.npz"
    np.savez(path, **whole)
    assert load_codes(path).samples == 48_000
    np.savez(path, **whole | odd)
    with pytest.raises(ModelFileError, match=r"^odd\.npz is "):
        load_codes(path)


@pytest.mark.skipif(os.name != "posix", reason="no such files on Windows")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(ModelFileError, match="not a regular file"):
        load_codes(tmp_path / "pipe.npz")
