"""The facts of a model, read from its file without torch and without its weights; the index keeps them."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from distill.errors import ModelFileError
from distill.metrics_history import thinned
from distill.models.file_format import KIND, check_format, read_settings
from distill.models.metadata import ModelMetadata
from distill.serialization.archive import read_stored

#: Points of the loss curve that is shown small.
CURVE_POINTS = 48

# Maximum lengths of texts from a file, in the index and on the screen.
_MAX_FACT, _MAX_NOTES, _MAX_TAGS = 200, 20_000, 100


@dataclass(frozen=True)
class ModelFacts:
    """What a model file says.

    Attributes
    ----------
    model_id, name, description, tags
        As stored in the file.
    family
        Key in `distill.config.family_catalog`.
    trained, saved
        ISO 8601.
    dataset, sounds, sounds_s
        What it was trained on: name, number of files, seconds.
    epochs, train_loss, val_loss
        Of the epoch that the weights are from.
    codebook
        Means over the levels of ``utilization`` and ``perplexity``, the sum of ``dead_codes``, and ``levels``; None
        for a family without codebooks.
    curve
        Held-out loss by epoch (training loss where there is none), thinned to `CURVE_POINTS`.
    is_stereo
        Whether it makes stereo sounds.
    has_map
        Whether it can be played on its map, as far as is known; the map is made when a run finishes.
    """

    model_id: str
    name: str
    description: str = ""
    tags: tuple[str, ...] = ()
    family: str = ""
    trained: str = ""
    saved: str = ""
    dataset: str = ""
    sounds: int = 0
    sounds_s: float = 0.0
    epochs: int = 0
    train_loss: float | None = None
    val_loss: float | None = None
    codebook: dict[str, float] | None = None
    curve: tuple[float, ...] = ()
    is_stereo: bool = False
    has_map: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for the index."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild from `to_dict`'s result by way of JSON.

        Raises
        ------
        TypeError, ValueError, KeyError
            It is not such a result.
        """
        texts = ("model_id", "name", "description", "family", "trained", "saved", "dataset")
        if not all(isinstance(data[key], str) for key in texts):
            raise TypeError("a text of the index is no text")
        numbers = (data["sounds"], data["sounds_s"], data["epochs"], *data["curve"], *(data["codebook"] or {}).values())
        losses = (value for value in (data["train_loss"], data["val_loss"]) if value is not None)
        if not all(_finite(value) for value in (*numbers, *losses)):
            raise TypeError("a number of the index is no number")
        values = {item.name: data[item.name] for item in fields(cls) if item.name not in ("is_stereo", "has_map")}
        texts_and_curve = {"tags": tuple(map(str, data["tags"])), "curve": tuple(data["curve"])}
        # An index of an older version does not say them: its models are mono, and whether they have a map is not known.
        known = {name: data.get(name) is True for name in ("is_stereo", "has_map")}
        return cls(**{**values, **texts_and_curve, **known})


def read_facts(model_file: Path) -> ModelFacts:
    """Return what a model file says, every byte of it checked, its weights neither loaded nor tried.

    Raises
    ------
    ModelFileError
        The file cannot be used; the message says why in one sentence.
    """
    data = read_stored(model_file, KIND, ModelFileError)
    check_format(data, model_file)
    config, metadata = read_settings(data, model_file)
    return ModelFacts(
        model_id=metadata.model_id[:_MAX_FACT],
        name=" ".join(metadata.name.split())[:_MAX_FACT] or model_file.stem,
        description=metadata.description[:_MAX_NOTES],
        tags=tuple(tag[:_MAX_FACT] for tag in metadata.tags[:_MAX_TAGS]),
        family=config.family,
        trained=metadata.training_date[:_MAX_FACT],
        saved=metadata.save_date[:_MAX_FACT],
        dataset=metadata.dataset_name[:_MAX_FACT],
        **_numbers(metadata),
        codebook=_codebook(data.get("codebook_health_snapshot")),
        curve=_curve(data.get("loss_curve_history")),
        is_stereo=isinstance(data.get("stereo"), dict),
        has_map=isinstance(data.get("map"), dict),
    )


def _finite(value: Any) -> bool:
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer of hundreds of digits
        return False


def _numbers(metadata: ModelMetadata) -> dict[str, Any]:
    """Return the numbers of the metadata; JSON cannot express those that are not finite."""
    train, val = metadata.final_train_loss, metadata.final_val_loss
    seconds, sounds = metadata.dataset_total_duration_s, metadata.dataset_file_count
    return {
        "sounds": int(sounds) if _finite(sounds) else 0,
        "sounds_s": float(seconds) if _finite(seconds) else 0.0,
        "epochs": int(metadata.training_epochs) if _finite(metadata.training_epochs) else 0,
        "train_loss": float(train) if train is not None and _finite(train) else None,
        "val_loss": float(val) if val is not None and _finite(val) else None,
    }


def _codebook(health: Any) -> dict[str, float] | None:
    levels = [row for row in health.values() if isinstance(row, dict)] if isinstance(health, dict) else []
    if not levels:
        return None

    def of(key: str) -> list[float]:
        return [float(row[key]) for row in levels if _finite(row.get(key))]

    summary = {key: sum(of(key)) / len(of(key)) for key in ("utilization", "perplexity") if of(key)}
    return {**summary, "dead_codes": sum(of("dead_codes")), "levels": float(len(levels))}


def _curve(history: Any) -> tuple[float, ...]:
    if not isinstance(history, dict):
        return ()
    for key in ("val_losses", "train_losses"):
        values = history.get(key)
        points = [float(v) for v in values if _finite(v)] if isinstance(values, list) else []
        if points:
            return tuple(thinned(points, CURVE_POINTS))
    return ()
