"""`.distill` files: a trained model, whole, in one file that is safe to open."""

import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from distill.archive import apply_state, plain_config, read_archive, read_checkpoint, write_archive
from distill.audio.spectrogram import AudioSpectrogram, SpectrogramConfig, check_waveform
from distill.errors import ConfigurationError, ModelFileError
from distill.files import write_whole
from distill.models.catalog import make_family
from distill.models.family import ModelFamily
from distill.models.metadata import ModelMetadata, _now
from distill.paths import slug
from distill.training.config import AnyConfig, config_from_dict

MODEL_FORMAT_MARKER = "distill_model"
SAVED_MODEL_VERSION = 1
SUFFIX = ".distill"
#: Chunks that go through a model at once when a sound is reconstructed.
_BATCH = 16
_KEYS = frozenset(
    ("format", "version", "model_type", "model_state_dict", "spectrogram_config", "training_config", "metadata")
)


@dataclass(frozen=True)
class LoadedModel:
    """A model that can make sound.

    Attributes
    ----------
    model
        The network, in eval mode.
    spectrogram
        Its representation.
    metadata
        What the file says of it.
    device
        Where it computes.
    analysis
        What was stored of its latents, or None.
    family
        What it is.
    """

    model: nn.Module
    spectrogram: AudioSpectrogram
    metadata: ModelMetadata
    device: torch.device
    analysis: dict[str, Any] | None
    family: ModelFamily

    @torch.no_grad()
    def reconstruct(self, waveform: Tensor) -> Tensor:
        """Return waveforms ``[B, 1, N]`` that went through the latent and nothing else; level in is level out.

        Each sound is brought to full scale, cut into chunks of the model's length, and given its level back.

        Raises
        ------
        ValueError
            The shape is not ``[B, 1, N]``.
        """
        check_waveform(waveform)
        sounds = waveform.detach().to("cpu", torch.float32)
        peak = sounds.abs().amax(-1, keepdim=True)
        samples = round(self.family.config.chunk_duration_s * self.family.spectrogram_config.sample_rate)
        length = sounds.shape[-1]
        padded = nn.functional.pad(sounds / peak.clamp_min(1e-12), (0, -length % samples))
        chunks = padded.reshape(-1, 1, samples)
        made = torch.cat([self._through_latent(chunks[i : i + _BATCH]) for i in range(0, len(chunks), _BATCH)])
        return made.reshape(len(sounds), 1, -1)[..., :length] * peak

    def _through_latent(self, chunks: Tensor) -> Tensor:
        features = self.family.features(chunks.to(self.device))
        return self.family.to_waveform(self.family.reconstruct(self.model, features), chunks.shape[-1])

    @torch.no_grad()
    def sample(self, num_samples: int, seed: int | None = None) -> Tensor:
        """Return new sounds ``[num_samples, 1, N]``, peak 1, from latents of the standard normal.

        The same seed gives the same sounds; without one they differ from call to call.

        Raises
        ------
        ValueError
            ``num_samples`` is under 1, or the model cannot make new sounds.
        """
        if num_samples < 1:
            raise ValueError(f"num_samples must be at least 1, not {num_samples!r}.")
        features = self.family.sample(self.model, num_samples, secrets.randbits(31) if seed is None else seed)
        if features is None:
            raise ModelFileError(f"The model {self.metadata.name!r} cannot make new sounds yet; it can reconstruct.")
        waves = torch.cat([self.family.to_waveform(features[i : i + _BATCH]) for i in range(0, num_samples, _BATCH)])
        return waves / waves.abs().amax(-1, keepdim=True).clamp_min(1e-9)


def library_path(models_dir: Path, metadata: ModelMetadata) -> Path:
    """Return the file of a model in a library: its name, and enough of its id to tell namesakes apart."""
    return models_dir / f"{slug(metadata.name)}_{metadata.model_id[:8]}{SUFFIX}"


def save_model(
    model: nn.Module,
    spectrogram_config: Any,
    training_config: Any,
    metadata: ModelMetadata,
    models_dir: Path | str,
    loss_curve_history: Mapping[str, Any] | None = None,
    feature_statistics: Mapping[str, Any] | None = None,
    latent_analysis: Mapping[str, Any] | None = None,
) -> Path:
    """Write a VAE's model file into a library and return its path.

    Parameters
    ----------
    model
        The network.
    spectrogram_config, training_config
        Configurations, or dicts of them.
    metadata
        Its name and id make the file's name.
    models_dir
        Folder of the library; made if it is not there.
    loss_curve_history
        What `MetricsHistory.get_loss_curves` returned.
    feature_statistics, latent_analysis
        Tensors and plain values that describe features and latents.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    optional = {"feature_statistics": feature_statistics, "latent_analysis": latent_analysis}
    contents = _contents(
        model.state_dict(),
        plain_config(spectrogram_config),
        plain_config(training_config),
        metadata,
        loss_curve_history,
    )
    path = library_path(Path(models_dir), metadata)
    write_archive(path, contents | {key: dict(value) for key, value in optional.items() if value is not None})
    return path


def _contents(
    state: Mapping[str, Tensor],
    spectrogram_config: dict[str, Any],
    training_config: dict[str, Any],
    metadata: ModelMetadata,
    curves: Mapping[str, Any] | None,
) -> dict[str, Any]:
    return {
        "format": MODEL_FORMAT_MARKER,
        "version": SAVED_MODEL_VERSION,
        "model_type": training_config["family"],
        "model_state_dict": {key: value.detach().cpu().contiguous() for key, value in state.items()},
        "spectrogram_config": spectrogram_config,
        "training_config": training_config,
        "loss_curve_history": dict(curves or {}),
        "metadata": metadata.to_dict(),
    }


def save_model_from_checkpoint(checkpoint_path: Path | str, metadata: ModelMetadata, target: Path | str) -> Path:
    """Write the model file of a checkpoint's weights and return its path.

    Parameters
    ----------
    checkpoint_path
        The checkpoint.
    metadata
        Epochs and losses are filled in from the checkpoint.
    target
        A file that ends in ``.distill``, or the folder of a library.

    Raises
    ------
    CheckpointError
        The checkpoint cannot be read.
    OSError
        The file cannot be written.
    """
    data = read_checkpoint(checkpoint_path)
    config = config_from_dict(data["training_config"])
    history = make_family(config).history_type.from_dict(data["metrics_history"])
    facts = replace(
        metadata,
        save_date=_now(),
        training_epochs=len(history.epochs),
        final_train_loss=data["train_loss"],
        final_val_loss=data["val_loss"],
    )
    target = Path(target)
    path = target if target.suffix == SUFFIX else library_path(target, facts)
    curves = history.get_loss_curves()
    write_archive(
        path, _contents(data["model_state_dict"], data["spectrogram_config"], config.to_dict(), facts, curves)
    )
    return path


def save_to_library(model_file: Path, models_dir: Path | str) -> Path:
    """Copy a model file into a library and return the copy's path.

    Raises
    ------
    OSError
        It cannot be copied.
    ModelFileError
        It cannot be read.
    """
    data = read_model_file(model_file)
    target = library_path(Path(models_dir), ModelMetadata.from_dict(data["metadata"]))
    with model_file.open("rb") as source, write_whole(target) as copy:
        shutil.copyfileobj(source, copy)
    return target


def read_model_file(path: Path | str) -> dict[str, Any]:
    """Return what a model file holds, checked for what every version has.

    Raises
    ------
    ModelFileError
        The file is missing, truncated, damaged, foreign, or from a newer version; the message says which.
    """
    path = Path(path)
    data = read_archive(path, "model file", ModelFileError)
    if data.get("format") != MODEL_FORMAT_MARKER:
        raise ModelFileError(f"{path.name} is not a model file of Distill.")
    version = data.get("version")
    if isinstance(version, int) and version > SAVED_MODEL_VERSION:
        raise ModelFileError(
            f"{path.name} was written by a newer version of Distill (format {version}). Update Distill to open it."
        )
    if version != SAVED_MODEL_VERSION or not data.keys() >= _KEYS:
        raise ModelFileError(f"{path.name} is not a whole model file of Distill: parts of it are missing.")
    return data


def load_model(path: Path | str, device: str = "cpu") -> LoadedModel:
    """Open a VAE's model file.

    Raises
    ------
    ModelFileError
        The file cannot be used; the message says why.
    """
    path = Path(path)
    data = read_model_file(path)
    try:
        config: AnyConfig = config_from_dict(data["training_config"])
        SpectrogramConfig.from_dict(data["spectrogram_config"])
        metadata = ModelMetadata.from_dict(data["metadata"])
        family = make_family(config)
    except (ConfigurationError, ValueError, TypeError, AttributeError) as exc:
        raise ModelFileError(f"{path.name} cannot be used: {exc}") from exc
    if family.spectrogram_config.to_dict() != data["spectrogram_config"]:
        raise ModelFileError(f"{path.name} was trained on another representation than this version of Distill has.")
    model = family.build()
    apply_state(model, data["model_state_dict"], "network", path, ModelFileError)
    target = torch.device(device)
    spectrogram = getattr(family, "spectrogram")  # noqa: B009
    return LoadedModel(model.to(target).eval(), spectrogram, metadata, target, data.get("latent_analysis"), family)


def open_model(path: Path | str, device: str = "cpu") -> LoadedModel:
    """Open a model file of any family.

    Raises
    ------
    ModelFileError
        The file cannot be used; the message says why.
    """
    return load_model(path, device)


def delete_model(path: Path | str) -> None:
    """Delete a model file.

    Raises
    ------
    ModelFileError
        It is not a `.distill` file, or is not there.
    """
    path = Path(path)
    if path.suffix != SUFFIX or not path.is_file():
        raise ModelFileError(f"There is no model file at {path}.")
    path.unlink()
