"""Sounds of a model's map by a recipe: at a position with sliders moved, or along a path."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from distill.audio.decoding.mono_decoder import FloatArray
from distill.errors import ModelFileError
from distill.generation.map.map_chunks import Position
from distill.generation.map.map_sounds import long_sound_along, map_of, sliders_of, sound_at
from distill.generation.mono_or_stereo import as_audio, channels_of, own_channels
from distill.generation.recipe import ALONG, MAPPED, Recipe
from distill.models.inference import OpenModel

#: Kinds of recipes that this module follows.
MAP_KINDS = (MAPPED, ALONG)
#: Corners of a path that are kept: more than a sound has windows, and few enough for the comment of a WAV file, of
#: which many programs read 2 kB.
_KEPT_CORNERS = 64
#: Decimals of a position: finer than a pixel of any screen, and short in a file.
_DECIMALS = 5


def map_id(model: OpenModel) -> str:
    """Return the content id of a model's map and sliders, which its weights do not determine.

    Raises
    ------
    ModelFileError
        The model has no map, or its sliders are damaged.
    """
    digest = hashlib.blake2b(digest_size=16)
    analysis = getattr(model, "analysis", None) if sliders_of(model) is not None else None
    for part in (model.weights_id(), map_of(model).to_file(), analysis):
        _add(digest, part)
    return digest.hexdigest()


def _add(digest: "hashlib.blake2b", value: Any) -> None:
    """Add a value of a model file to a digest."""
    if isinstance(value, Mapping):
        for key in sorted(value):
            digest.update(f"{key!r}:".encode())
            _add(digest, value[key])
    elif isinstance(value, Tensor):
        digest.update(f"{value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    elif isinstance(value, (list, tuple)):
        for item in value:
            _add(digest, item)
    else:
        digest.update(repr(value).encode())


def recipe_at(
    model: OpenModel, model_file: Path, identity: str, position: Position, moves: Mapping[str, float]
) -> Recipe:
    """Return the recipe of the sound at a position; ``identity`` is the model's `map_id`."""
    used = tuple(sorted((name, amount) for name, amount in moves.items() if amount))
    return _recipe(MAPPED, model, model_file, identity, [position], moves=used)


def recipe_along(model: OpenModel, model_file: Path, identity: str, path: Sequence[Position], seconds: float) -> Recipe:
    """Return the recipe of the sound along a path; ``identity`` is the model's `map_id`."""
    step = -(-len(path) // (_KEPT_CORNERS - 1))
    corners = [*path[:-1:step], path[-1]] if step > 1 else path
    return _recipe(ALONG, model, model_file, identity, corners, seconds=seconds)


def _recipe(
    kind: str, model: OpenModel, model_file: Path, identity: str, positions: Sequence[Position], **settings: Any
) -> Recipe:
    corners = tuple((round(float(x), _DECIMALS), round(float(y), _DECIMALS)) for x, y in positions)
    return Recipe(
        kind, model.metadata.model_id, model.metadata.name, str(model_file.absolute()), positions=corners, map=identity,
        weights=model.weights_id(), channels=channels_of(model), **settings,
    )  # fmt: skip


def audio_of_map(model: OpenModel, recipe: Recipe) -> FloatArray:
    """Return the sound ``[N]`` or ``[N, 2]`` of a recipe.

    Raises
    ------
    ModelFileError
        The model has no map, or a slider or a number of the recipe does not fit it.
    """
    try:
        if recipe.kind == MAPPED:
            sound = sound_at(model, recipe.positions[0], dict(recipe.moves))
        else:
            sound = long_sound_along(model, recipe.positions, recipe.seconds)
    except ValueError as exc:  # a stranger's recipe
        raise ModelFileError(f"The model {model.metadata.name!r} cannot make this sound: {exc}") from exc
    return as_audio(own_channels(model, sound) if recipe.channels == 2 else sound)
