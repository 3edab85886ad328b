"""`.distill` files: a trained model, whole, in one file that is safe to open."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from distill.audio.spectrogram import SpectrogramConfig
from distill.computing.devices import pick_device
from distill.computing.own_randomness import OwnRandomness
from distill.config.factory import config_from_dict
from distill.config.family_catalog import family_info
from distill.config.keyword_aliases import accept_keywords
from distill.config.training import TrainingConfig, VQVAEConfig
from distill.errors import CheckpointError, ConfigurationError, ModelFileError, pass_on_memory_error
from distill.models.eight_bit_weights import stored_weights, with_weights
from distill.models.families import make_family
from distill.models.families.family import ModelFamily
from distill.models.file_format import (
    KIND,
    MODEL_FORMAT_MARKER,
    SAVED_MODEL_VERSION,
    SAVED_MODEL_VERSION_V2,
    SUFFIX,
    check_format,
    library_path,
    read_settings,
    unusable,
)
from distill.models.inference import LoadedModel, LoadedVQModel, OpenModel
from distill.models.latent_space.latent_map import LatentMap
from distill.models.metadata import ModelMetadata, now_iso
from distill.models.model_parts import PRIOR, ModelParts
from distill.models.priors.window_prior import prior_entry
from distill.serialization.archive import read_archive, read_stored, write_archive
from distill.serialization.checkpoint_reader import read_checkpoint
from distill.serialization.plain_values import plain_config, plain_values
from distill.serialization.weight_checks import apply_state, check_network, check_weights

__all__ = [
    "MODEL_FORMAT_MARKER", "SAVED_MODEL_VERSION", "SAVED_MODEL_VERSION_V2", "delete_model", "library_path",
    "load_model", "load_model_v2", "open_model", "read_model_file", "save_model", "save_model_from_checkpoint",
    "save_model_v2",
]  # fmt: skip


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
        Its name and id make the file's name; an empty ``model_id`` or ``save_date`` is filled in.
    models_dir
        Folder of the library; made if it is not there.
    loss_curve_history
        What `MetricsHistory.get_loss_curves` returned.
    feature_statistics, latent_analysis
        Tensors and plain values that describe features and latents.

    Raises
    ------
    ModelFileError
        Network and settings do not fit each other; nothing was written.
    TypeError
        A value is of a type that a file may not hold; nothing was written.
    OSError
        The file cannot be written.
    """
    metadata = metadata.completed()
    optional = {"feature_statistics": feature_statistics, "latent_analysis": latent_analysis}
    contents = _contents(
        model.state_dict(),
        plain_config(spectrogram_config),
        {"family": TrainingConfig.family} | plain_config(training_config),
        metadata,
        loss_curve_history,
    )
    path = _free_or_own(library_path(Path(models_dir), metadata), metadata)
    return _write(path, contents | {key: dict(value) for key, value in optional.items() if value is not None})


def save_model_v2(
    model: nn.Module,
    spectrogram_config: Any,
    vqvae_config: Any,
    training_config: Any,
    metadata: ModelMetadata,
    models_dir: Path | str,
    codebook_health: Mapping[str, Any] | None = None,
    loss_curve_history: Mapping[str, Any] | None = None,
) -> Path:
    """Write a VQ-VAE's model file into a library and return its path.

    Parameters
    ----------
    model
        The network.
    spectrogram_config, vqvae_config
        Configurations, or dicts of them.
    training_config
        Likewise; None where the settings of the network are all there is.
    metadata
        Its name and id make the file's name; an empty ``model_id`` or ``save_date`` is filled in.
    models_dir
        Folder of the library; made if it is not there.
    codebook_health
        What `CodebookQuantizer.get_codebook_utilization` returned.
    loss_curve_history
        What `VQMetricsHistory.get_loss_curves` returned.

    Raises
    ------
    ModelFileError
        Network and settings do not fit each other; nothing was written.
    TypeError
        A value is of a type that a file may not hold; nothing was written.
    OSError
        The file cannot be written.
    """
    metadata = metadata.completed()
    network = plain_config(vqvae_config)
    settings = network if training_config is None else {**network, **plain_config(training_config)}
    settings["family"] = "vqvae"
    contents = _contents(model.state_dict(), plain_config(spectrogram_config), settings, metadata, loss_curve_history)
    health = None if codebook_health is None else {k: dict(v) for k, v in codebook_health.items()}
    path = _free_or_own(library_path(Path(models_dir), metadata), metadata)
    return _write(path, contents | {"vqvae_config": network, "codebook_health_snapshot": health})


def _free_or_own(path: Path, metadata: ModelMetadata) -> Path:
    """Return ``path``, or the first name like it that is free or holds an earlier version of the same model."""
    slot, number = path, 2
    while slot.exists() and not _holds(slot, metadata.model_id):
        slot, number = path.with_name(f"{path.stem} ({number}){path.suffix}"), number + 1
    return slot


def _holds(path: Path, model_id: str) -> bool:
    try:
        return bool(read_stored(path, KIND, ModelFileError)["metadata"]["model_id"] == model_id)
    except (ModelFileError, KeyError, TypeError):
        return False  # a file that cannot be read is not overwritten


def _contents(
    state: Mapping[str, Tensor],
    spectrogram_config: dict[str, Any],
    training_config: dict[str, Any],
    metadata: ModelMetadata,
    curves: Mapping[str, Any] | None,
) -> dict[str, Any]:
    return {
        "format": MODEL_FORMAT_MARKER,
        "version": family_info(training_config["family"]).file_version,
        "model_type": training_config["family"],
        **stored_weights(state),
        "spectrogram_config": spectrogram_config,
        "training_config": training_config,
        "loss_curve_history": dict(curves or {}),
        "metadata": metadata.to_dict(),
    }


AddParts = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def save_model_from_checkpoint(
    checkpoint_path: Path | str,
    metadata: ModelMetadata,
    target: Path | str,
    add_parts: AddParts | None = None,
) -> Path:
    """Write the model file of a checkpoint's weights and return its path.

    Parameters
    ----------
    checkpoint_path
        The checkpoint.
    metadata
        Epochs and losses are filled in from the checkpoint.
    target
        A file that ends in ``.distill``, or the folder of a library.
    add_parts
        Returns further entries of the model file, from the checkpoint.

    Raises
    ------
    CheckpointError
        The checkpoint cannot be read.
    OSError
        The file cannot be written.
    """
    data = read_checkpoint(checkpoint_path)
    return write_model_file(target, contents_of_checkpoint(data, Path(checkpoint_path).name, metadata, add_parts))


def contents_of_checkpoint(
    data: Mapping[str, Any], name: str, metadata: ModelMetadata, add_parts: AddParts | None = None
) -> dict[str, Any]:
    """Return what the model file of a checkpoint holds; see `save_model_from_checkpoint`.

    Parameters
    ----------
    data
        What `read_checkpoint` returned.
    name
        Name of the checkpoint, for messages.

    Raises
    ------
    CheckpointError
        Its history is damaged.
    """
    config = config_from_dict(data["training_config"])
    family = make_family(config)
    history = family.history_type()
    if data["metrics_history"]:
        try:
            history = type(history).from_dict(data["metrics_history"])
        except ValueError as exc:
            raise CheckpointError(f"{name} is damaged: {exc}") from exc
    facts = replace(
        metadata,
        save_date=now_iso(),
        training_epochs=len(history.epochs) or data["epoch"] + 1,
        final_train_loss=data["train_loss"],
        final_val_loss=data["val_loss"],
    )
    facts = facts.completed()
    configs = data["spectrogram_config"], config.to_dict()
    contents = _contents(data["model_state_dict"], *configs, facts, history.get_loss_curves())
    prior = ((data.get("training_state") or {}).get("prior") or {}).get("averaged")
    if prior is not None:
        contents[PRIOR] = prior_entry(prior)
    if add_parts is not None:
        contents |= add_parts(data)
    return contents | family.model_file_fields(data)


def write_model_file(target: Path | str, contents: dict[str, Any]) -> Path:
    """Write what `contents_of_checkpoint` returned and return the file's path.

    Parameters
    ----------
    target
        A file that ends in ``.distill``, or the folder of a library.
    contents
        What the file holds.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    target = Path(target)
    facts = ModelMetadata.from_dict(contents["metadata"])
    return _write(target if target.suffix == SUFFIX else _free_or_own(library_path(target, facts), facts), contents)


def read_model_file(path: Path | str) -> dict[str, Any]:
    """Return what a model file holds, checked for what every version has.

    Raises
    ------
    ModelFileError
        The file is missing, truncated, damaged, foreign, or from a newer version; the message says which.
    """
    path = Path(path)
    data = read_archive(path, KIND, ModelFileError)
    check_format(data, path)
    return with_weights(data, path)


def _check_contents(data: Mapping[str, Any], path: Path) -> tuple[ModelFamily, ModelMetadata]:
    """Return family and metadata of a model file's contents, which must fit each other.

    Raises
    ------
    ModelFileError
        The settings are out of range, or are not those of the weights.
    """
    config, metadata = read_settings(data, path)
    try:
        geometry = SpectrogramConfig.from_dict(data["spectrogram_config"])
        family = make_family(config)
    except (ConfigurationError, ValueError, TypeError, AttributeError) as exc:
        raise unusable(path, exc) from exc
    if family.spectrogram_config != geometry:
        raise ModelFileError(f"{path.name} was trained on another representation than this version of Distill has.")
    check_network(family.build, data["model_state_dict"], path, ModelFileError)
    return family, metadata


def _write(path: Path, contents: dict[str, Any]) -> Path:
    """Write a model file, if what it holds can be read again.

    Raises
    ------
    ModelFileError
        Network and settings do not fit each other; nothing was written.
    TypeError
        It holds something that a file may not hold; nothing was written.
    OSError
        It cannot be written.
    """
    plain = plain_values(contents, path.name)
    _check_contents(with_weights(plain, path), path)
    write_archive(path, plain)
    return path


@accept_keywords(path="model_path")
def open_model(model_path: Path | str, device: str = "cpu") -> LoadedModel | LoadedVQModel:
    """Open a model file of any family.

    Raises
    ------
    ModelFileError
        The file cannot be used; the message says why.
    ConfigurationError
        The device is unknown or not there.
    """
    path = Path(model_path)
    data = read_model_file(path)
    family, metadata = _check_contents(data, path)
    state = data["model_state_dict"]
    check_weights(state, path, KIND, ModelFileError)
    target = pick_device(device)
    with OwnRandomness():  # a training in another thread goes on undisturbed
        model = family.build()
        parts = ModelParts.of_file(data, path, ModelFileError).to(target)
    apply_state(model, state, "network", path, ModelFileError)
    parts.check_fit(family.point_dim(model), path, ModelFileError)
    sound_map = _read_map(data.get("map"), family, model, path)
    opened = OpenModel(
        model.to(target).eval(), family.spectrogram, metadata, target, family, parts=parts, map=sound_map
    )
    opened.check_gives_sound(path)
    analysis = data.get("latent_analysis")
    if isinstance(family.config, VQVAEConfig):
        health = data.get("codebook_health_snapshot")
        return LoadedVQModel(**vars(opened), vqvae_config=family.config, codebook_health=health, analysis=analysis)
    return LoadedModel(**vars(opened), analysis=analysis)


def _read_map(entry: Any, family: ModelFamily, model: nn.Module, path: Path) -> LatentMap | None:
    """Return the map of a model file, or None where it has none.

    Raises
    ------
    ModelFileError
        It is damaged, or belongs to another network.
    """
    if entry is None:
        return None
    try:
        return LatentMap.of_file(entry, family.point_dim(model))
    except (AttributeError, KeyError, IndexError, RuntimeError, TypeError, ValueError) as exc:
        pass_on_memory_error(exc)
        raise ModelFileError(f"{path.name} is damaged: its map is not readable. Use another model file.") from exc


@accept_keywords(path="model_path")
def load_model(model_path: Path | str, device: str = "cpu") -> LoadedModel:
    """Open a VAE's model file.

    Raises
    ------
    ModelFileError
        The file cannot be used, or is a VQ-VAE's; the message says why.
    """
    opened = open_model(model_path, device)
    if not isinstance(opened, LoadedModel):
        raise ModelFileError(f"{Path(model_path).name} is the model file of a VQ-VAE: use load_model_v2 or open_model.")
    return opened


@accept_keywords(path="model_path")
def load_model_v2(model_path: Path | str, device: str = "cpu") -> LoadedVQModel:
    """Open a VQ-VAE's model file.

    Raises
    ------
    ModelFileError
        The file cannot be used, or is a VAE's; the message says why.
    """
    opened = open_model(model_path, device)
    if not isinstance(opened, LoadedVQModel):
        raise ModelFileError(
            f"{Path(model_path).name} is the model of another family: only a residual-VQ model (vqvae) has codes. "
            "In a script, load_model opens it."
        )
    return opened


@accept_keywords(path="model_path")
def delete_model(model_path: Path | str) -> None:
    """Delete a model file.

    Raises
    ------
    ModelFileError
        It is not a `.distill` file, or is not there.
    """
    path = Path(model_path)
    if path.suffix != SUFFIX or not path.is_file():
        raise ModelFileError(f"There is no model file at {path}.")
    path.unlink()
