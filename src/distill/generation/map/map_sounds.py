"""Sounds of a model's map: at a position with sliders moved or along a path, and the recipes of them."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from distill.audio.decoding.mono_decoder import FloatArray
from distill.errors import ModelFileError
from distill.generation.map.map_chunks import Position
from distill.generation.mono_or_stereo import as_audio, channels_of, own_channels
from distill.generation.recipe import ALONG, MAPPED, Recipe
from distill.models.inference import LoadedModel, LoadedVQModel, OpenModel
from distill.models.latent_space.descriptors import DESCRIPTORS, describe
from distill.models.latent_space.latent_map import LatentMap
from distill.models.latent_space.sliders import LatentAnalysis
from distill.models.nearest_training_sound import SoundIndex
from distill.models.synthesis.window_blend import blend

#: Positions of a path that are decoded at most.
MOST_STEPS = 64
#: Longest sound along a path, in seconds.
LONGEST_S = 30.0
#: Decibels by which a part of a path is made louder or softer at most.
_MOST_GAIN_DB = 15.0

_LOUDNESS = list(DESCRIPTORS).index("loudness")


def map_of(model: OpenModel) -> LatentMap:
    """Return the map of a model.

    Raises
    ------
    ModelFileError
        The model has none.
    """
    if model.map is None:
        raise ModelFileError(
            f"The model {model.metadata.name!r} has no map: that is made when a run finishes. "
            "Finish its run, or resume it to the end."
        )
    return model.map


@torch.no_grad()
def sound_at(model: OpenModel, position: Position, moves: Mapping[str, float] | None = None) -> Tensor:
    """Return the sound ``[1, N]`` at a position, peak 1; the same each time.

    Parameters
    ----------
    model
        A model with a map.
    position
        x and y, within 0 and 1.
    moves
        Sliders by their names, and their amounts; see `LatentAnalysis.move`.

    Raises
    ------
    ModelFileError
        The model has no map, or no sliders where there are moves.
    ValueError
        The position is off the map, or a slider is unknown or out of range.
    """
    point, seconds = _point(model, position, moves or {})
    synthesizer = model.synthesizer
    samples = max(1, min(model.chunk_samples, round(seconds * synthesizer.rate)))
    features = synthesizer.detailed(synthesizer.decoded(point[None])[0])
    sound = synthesizer.to_sound(features, samples)
    faded = synthesizer.faded(sound)
    return faded / faded.abs().max().clamp_min(1e-9)


@torch.no_grad()
def long_sound_along(model: OpenModel, path: Sequence[Position], seconds: float) -> Tensor:
    """Return one sound ``[1, N]`` that moves along a path without seams, peak 1.

    Each part is as loud as the chunks around it: what is decoded between unlike ones is softer than they are.

    Raises
    ------
    ModelFileError
        The model has no map.
    ValueError
        The path has no positions or leaves the map, or the length is out of range.
    """
    synthesizer = model.synthesizer
    shortest = model.chunk_samples / synthesizer.rate
    if not shortest <= seconds <= LONGEST_S:
        raise ValueError(f"seconds must be a number from {shortest:g} to {LONGEST_S:g}, not {seconds!r}.")
    samples = round(seconds * synthesizer.rate)
    frames = synthesizer.frames_of(samples)
    step = max(1, synthesizer.frames // 2)
    count = max(1, -(-(frames - synthesizer.frames) // step) + 1)
    positions = _spaced(path, count)
    decoded = synthesizer.decoded(torch.stack([_point(model, position, {})[0] for position in positions]))
    features = synthesizer.detailed(blend(levelled(map_of(model), decoded, positions), frames))
    sound = synthesizer.to_sound(features, samples)
    faded = synthesizer.faded(sound)
    return faded / faded.abs().max().clamp_min(1e-9)


def levelled(latent_map: LatentMap, decoded: Tensor, positions: Sequence[Position]) -> Tensor:
    """Return the features ``[K, C, F, T]`` that are decoded at positions, as loud as the chunks around these."""
    loudness_on_map = torch.tensor([latent_map.loudness_at(*position) for position in positions])
    gain_db = (loudness_on_map - describe(decoded)[:, _LOUDNESS]).clamp(-_MOST_GAIN_DB, _MOST_GAIN_DB)
    return torch.cat([decoded[:, :1] + (gain_db / 20)[:, None, None, None], decoded[:, 1:]], 1)


def along(path: Sequence[Position], steps: int) -> list[Position]:
    """Return positions at even distances along a path, its ends included.

    Raises
    ------
    ValueError
        The path has no positions, or the number of steps is out of range.
    """
    if not 1 <= steps <= MOST_STEPS * 2:
        raise ValueError(f"A path has 1 to {MOST_STEPS * 2} steps, not {steps!r}.")
    return _spaced(path, steps)


def _spaced(path: Sequence[Position], steps: int) -> list[Position]:
    """Return any number of positions along a path; see `along`."""
    if not path:
        raise ValueError("A path needs at least one position.")
    corners = torch.tensor([tuple(map(float, position)) for position in path], dtype=torch.float64)
    lengths = torch.cat([torch.zeros(1, dtype=torch.float64), (corners[1:] - corners[:-1]).norm(dim=1).cumsum(0)])
    wanted = torch.linspace(0, float(lengths[-1]), steps, dtype=torch.float64)
    after = torch.searchsorted(lengths, wanted).clamp(1, max(1, len(lengths) - 1))
    if len(corners) == 1 or float(lengths[-1]) == 0.0:
        return [(float(corners[0, 0]), float(corners[0, 1]))] * steps
    before = after - 1
    share = ((wanted - lengths[before]) / (lengths[after] - lengths[before]).clamp_min(1e-12))[:, None]
    positions = corners[before] + share * (corners[after] - corners[before])
    return [(float(x), float(y)) for x, y in positions]


def sliders_of(model: OpenModel) -> LatentAnalysis | None:
    """Return the sliders of a model, or None where it has none."""
    stored = model.analysis if isinstance(model, (LoadedModel, LoadedVQModel)) else None
    if not isinstance(stored, Mapping) or "mean_directions" not in stored:
        return None
    try:
        return LatentAnalysis.of_file(stored, model.family.point_dim(model.model))
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        raise ModelFileError(
            f"The sliders of the model {model.metadata.name!r} are damaged and cannot be used."
        ) from exc


@torch.no_grad()
def nearest_training_sound(model: OpenModel, index: SoundIndex, sound: Tensor) -> tuple[int, float]:
    """Return the number of the training sound nearest to a sound ``[1, N]``, and its newness; see `SoundIndex`."""
    peak = sound.abs().amax().clamp_min(1e-9)
    nearest = index.nearest(model.synthesizer.windows_of(sound / peak))
    best_window = int(nearest.distance.argmin())
    return int(nearest.owner[best_window]), float(nearest.newness[best_window])


def _point(model: OpenModel, position: Position, moves: Mapping[str, float]) -> tuple[Tensor, float]:
    """Return the point ``[P]`` at a position after some moves, and the length of its sound in seconds."""
    x, y = position
    if not (0.0 <= x <= 1.0 and 0.0 <= y <= 1.0):
        raise ValueError(f"A position on the map has two numbers from 0 to 1, not {x!r} and {y!r}.")
    point, seconds = map_of(model).point_at(x, y)
    point = point.to(model.device)
    for name, amount in moves.items():
        sliders = sliders_of(model)
        if sliders is None:
            raise ModelFileError(f"The model {model.metadata.name!r} has no sliders.")
        point = sliders.move(model.family, model.model, point, name, amount)
    return point, seconds


#: Kinds of recipes whose sounds lie on a map.
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
