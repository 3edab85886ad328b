"""New sounds and transformed sounds, each with the recipe that makes it again."""

import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from distill.audio.decoding.sound_file import FloatArray, UnreachableSoundError, decode_sound, os_reason
from distill.errors import LibraryError, ModelFileError, SoundError
from distill.files import content_hash
from distill.generation.recipe import NEW, RECONSTRUCTED, TRANSFORMED, Recipe
from distill.generation.transform import GenerationCancelled, Progress, transform
from distill.library.model_entry import read_facts
from distill.library.model_library import ModelLibrary
from distill.models.inference import OpenModel
from distill.models.persistence import open_model

__all__ = [
    "GeneratedSound",
    "GenerationCancelled",
    "find_model",
    "make_new",
    "reconstruct_file",
    "remake",
    "transform_file",
]


@dataclass(frozen=True)
class GeneratedSound:
    """A made sound: float32 ``[N]`` at 48 kHz, and its recipe."""

    audio: FloatArray
    recipe: Recipe


def make_new(
    model: OpenModel,
    model_file: Path,
    count: int,
    seed: int | None = None,
    temperature: float = 1.0,
    cancel_event: threading.Event | None = None,
) -> Iterator[GeneratedSound]:
    """Yield new sounds, peak 1.

    Parameters
    ----------
    model, model_file
        The model, and where it was opened from.
    count
        How many.
    seed
        Start of the draw; by chance where None.
    temperature
        Spread of the draw: 1 as trained, less for more typical sounds, more for odder ones.
    cancel_event
        Ends the work after the sounds in hand.

    Raises
    ------
    ValueError
        A number is out of range, or the model cannot make new sounds.
    MakingCancelled
        ``cancel_event`` was set.
    """
    chosen = secrets.randbelow(2**31) if seed is None else seed
    number = 0
    for batch in model.draw(count, chosen, temperature):
        if cancel_event is not None and cancel_event.is_set():
            raise GenerationCancelled
        for sound in model.to_sounds(batch):
            recipe = Recipe(
                NEW, model.metadata.model_id, model.metadata.name, str(model_file.absolute()), seed=chosen, count=count,
                number=number, temperature=temperature,
            )  # fmt: skip
            yield GeneratedSound(sound[0].numpy(), recipe)
            number += 1


def transform_file(
    model: OpenModel,
    model_file: Path,
    source: Path,
    dry_wet: float = 1.0,
    progress: Progress | None = None,
    cancel_event: threading.Event | None = None,
) -> GeneratedSound:
    """Return a sound file's sound, of any length, sent through a model; see `transform`.

    Raises
    ------
    SoundError
        The file cannot be used; the message is the reason alone.
    MakingCancelled
        ``cancel_event`` was set.
    """
    recipe = _recipe_of_source(TRANSFORMED, model, model_file, source, dry_wet)
    audio = torch.from_numpy(decode_sound(source, cancel_event))[None, None]
    return GeneratedSound(transform(model, audio, dry_wet, progress, cancel_event)[0, 0].numpy(), recipe)


def reconstruct_file(
    model: OpenModel, model_file: Path, source: Path, cancel_event: threading.Event | None = None
) -> GeneratedSound:
    """Return a sound file's sound through the model's latent or codes, chunk by chunk; see `OpenModel.reconstruct`.

    Raises
    ------
    SoundError
        The file cannot be used; the message is the reason alone.
    """
    recipe = _recipe_of_source(RECONSTRUCTED, model, model_file, source)
    audio = torch.from_numpy(decode_sound(source, cancel_event))[None, None]
    return GeneratedSound(model.reconstruct(audio)[0, 0].cpu().numpy(), recipe)


def _recipe_of_source(kind: str, model: OpenModel, model_file: Path, source: Path, dry_wet: float = 1.0) -> Recipe:
    return Recipe(
        kind, model.metadata.model_id, model.metadata.name, str(model_file.absolute()), dry_wet=dry_wet,
        source=str(source.absolute()), source_hash=_content_hash(source),
    )  # fmt: skip


def _content_hash(path: Path) -> str:
    """Return the hash of a file's content.

    Raises
    ------
    UnreachableSoundError
        It cannot be read; the message is the reason alone.
    """
    try:
        return content_hash(path)
    except OSError as exc:
        raise UnreachableSoundError(os_reason(exc)) from exc


def find_model(recipe: Recipe, library: ModelLibrary) -> Path:
    """Return the file of the model that a recipe names: where it was, or in the library.

    Raises
    ------
    LibraryError
        It is in neither place.
    """
    there = Path(recipe.model_file) if recipe.model_file else None
    if there is not None and there.is_file():
        try:
            if read_facts(there).model_id == recipe.model_id:
                return there
        except ModelFileError:
            pass  # what lies there now is not what it was; the library may have it
    for entry in library.list():
        if entry.problem is None and entry.model_id == recipe.model_id:
            return entry.path
    name = recipe.model_name or recipe.model_id[:8]
    raise LibraryError(f"The model {name!r} that made this sound is not in the library. Import its file first.")


def remake(
    recipe: Recipe,
    library: ModelLibrary,
    progress: Progress | None = None,
    cancel_event: threading.Event | None = None,
) -> GeneratedSound:
    """Make a sound again from its recipe.

    The same samples come out on the same kind of machine; another one may round differently.

    Raises
    ------
    LibraryError
        The model is gone.
    SoundError
        The sound that went in is gone, or is another one now.
    ModelFileError
        The model cannot be used.
    MakingCancelled
        ``cancel_event`` was set.
    """
    path = find_model(recipe, library)
    model = open_model(path)
    if recipe.kind == NEW:
        left = recipe.number
        for batch in model.draw(recipe.count, recipe.seed, recipe.temperature):
            if left < len(batch):
                return GeneratedSound(model.to_sounds(batch)[left, 0].numpy(), recipe)
            left -= len(batch)
    source = Path(recipe.source)
    try:
        same = _content_hash(source) == recipe.source_hash
    except UnreachableSoundError as exc:
        raise SoundError(f"{source} cannot be used again: {exc}.") from exc
    if not same:
        raise SoundError(f"{source} has changed since this sound was made from it.")
    if recipe.kind == RECONSTRUCTED:
        return GeneratedSound(reconstruct_file(model, path, source, cancel_event).audio, recipe)
    return GeneratedSound(transform_file(model, path, source, recipe.dry_wet, progress, cancel_event).audio, recipe)
