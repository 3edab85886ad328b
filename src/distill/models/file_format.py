"""What a `.distill` file must say to be one: the marks of the format, checked without torch."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any

from distill.config.factory import config_from_dict
from distill.config.training import AnyConfig
from distill.errors import CheckpointError, ConfigurationError, ModelFileError
from distill.models.metadata import ModelMetadata
from distill.names import slug
from distill.serialization.archive import read_stored

MODEL_FORMAT_MARKER = "distill_model"
SAVED_MODEL_VERSION = 1
SAVED_MODEL_VERSION_V2 = 2
SUFFIX = ".distill"
KIND = "model file"
_KEYS = frozenset(
    ("format", "version", "model_type", "model_state_dict", "spectrogram_config", "training_config", "metadata")
)


def library_path(models_dir: Path, metadata: ModelMetadata) -> Path:
    """Return the file of a model in a library: its name, and enough of its id to tell namesakes apart."""
    return models_dir / f"{slug(metadata.name)}_{slug(metadata.model_id[:8], 'model')}{SUFFIX}"


def check_format(data: Mapping[str, Any], path: Path) -> None:
    """Refuse what does not have the marks of a model file that this version can read.

    Raises
    ------
    ModelFileError
        The contents are foreign, incomplete, or of a newer version; the message says which.
    """
    mark, version = data.get("format"), data.get("version")
    if type(mark) is not str or mark != MODEL_FORMAT_MARKER:
        raise ModelFileError(f"{path.name} is not a model file of Distill.")
    if type(version) is int and version > SAVED_MODEL_VERSION_V2:
        raise ModelFileError(
            f"{path.name} was written by a newer version of Distill (format {version}). Update Distill to open it."
        )
    known = type(version) is int and version in (SAVED_MODEL_VERSION, SAVED_MODEL_VERSION_V2)
    if not known or not data.keys() >= _KEYS:
        raise ModelFileError(f"{path.name} is not a whole model file of Distill: parts of it are missing.")


def read_settings(data: Mapping[str, Any], path: Path) -> tuple[AnyConfig, ModelMetadata]:
    """Return the configuration and the metadata of a model file's contents.

    Raises
    ------
    ModelFileError
        They are not readable, or out of range.
    """
    try:
        return config_from_dict(data["training_config"]), ModelMetadata.from_dict(data["metadata"])
    except (ConfigurationError, ValueError, TypeError, AttributeError) as exc:
        raise unusable(path, exc) from exc


def read_config(path: Path) -> AnyConfig:
    """Return the settings that the weights in a model file or a checkpoint were trained with; its tensors stay there.

    Raises
    ------
    DistillError
        The file cannot be used.
    """
    if path.suffix == SUFFIX:
        data = read_stored(path, KIND, ModelFileError)
        check_format(data, path)
        return read_settings(data, path)[0]
    data = read_stored(path, "checkpoint", CheckpointError)
    try:
        return config_from_dict(data["training_config"])
    except (ConfigurationError, LookupError, ValueError, TypeError, AttributeError) as exc:
        raise CheckpointError(f"{path.name} is not a checkpoint of Distill.") from exc


def unusable(path: Path, reason: Exception) -> ModelFileError:
    """Return the error for a file whose contents are refused: one line, however much a stranger wrote into it."""
    return ModelFileError(f"{path.name} cannot be used: {shorten(' '.join(str(reason)[:2000].split()), 300)}")
