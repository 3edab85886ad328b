"""New sounds and transformed sounds, each with the recipe that makes it again."""

import secrets
import stat
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from distill.audio.decoding.sound_file import (
    FloatArray,
    UnreachableSoundError,
    measure_mono,
    os_reason,
    read_header,
)
from distill.errors import LibraryError, ModelFileError, ModelReplacedError, SoundError
from distill.files import content_hash
from distill.generation.derived_sounds import VARIATIONS, varied_again, varied_sounds
from distill.generation.map.recipes import MAP_KINDS, audio_of_map, map_id
from distill.generation.recipe import MORPHED, NEW, RECONSTRUCTED, TRAINED, TRANSFORMED, Recipe
from distill.generation.stereo_copies import as_audio, channels_of, check_channels, image_of_source, in_stereo, with_dry
from distill.generation.streamed_transform import GenerationCancelled, Progress, reconstruct_stream, transform_stream
from distill.generation.weights import keep_weights, kept_weights, weights_id
from distill.library.model_entry import read_facts
from distill.library.model_library import ModelLibrary
from distill.models.file_format import SUFFIX
from distill.models.inference import OpenModel
from distill.models.persistence import open_model
from distill.models.priors.steering import Taste, candidate_count, choose
from distill.models.synthesis.synthesizer import Choose

__all__ = [
    "GeneratedSound",
    "GeneratedStream",
    "GenerationCancelled",
    "find_model",
    "make_from_sound",
    "make_new",
    "reconstruct_file",
    "remake",
    "stream_again",
    "stream_reconstruction",
    "stream_transform",
    "transform_file",
]


#: Largest files that a recipe may have read, and characters of a path in a message.
_MOST_SOUND_BYTES, _MOST_MODEL_BYTES = 8 << 30, 4 << 30
_MOST_SHOWN = 200


@dataclass(frozen=True)
class GeneratedSound:
    """A generated sound: float32 ``[N]``, or of two channels ``[N, 2]``, at 48 kHz, and its recipe."""

    audio: FloatArray
    recipe: Recipe

    @property
    def blocks(self) -> Iterator[FloatArray]:
        """The sound, as one block."""
        return iter((self.audio,))

    def whole(self) -> "GeneratedSound":
        """Return the sound itself."""
        return self


@dataclass(frozen=True)
class GeneratedStream:
    """A sound that is made while it is read: blocks float32 ``[n]`` or ``[n, 2]`` at 48 kHz, once, and its recipe."""

    blocks: Iterator[FloatArray]
    recipe: Recipe

    def whole(self) -> GeneratedSound:
        """Make the sound in memory."""
        return GeneratedSound(np.concatenate(list(self.blocks)), self.recipe)


def make_new(
    model: OpenModel,
    model_file: Path,
    count: int,
    seed: int | None = None,
    temperature: float = 1.0,
    cancel_event: threading.Event | None = None,
    seconds: float | None = None,
    freedom: float | None = None,
    taste: Taste | None = None,
    mono: bool = False,
) -> Iterator[GeneratedSound]:
    """Yield new sounds, peak 1; those of a model of stereo sounds have two channels.

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
        Ends the work after the sound in hand.
    seconds, freedom
        As in `OpenModel.generate`.
    taste
        What the user has starred and rejected, which the sounds follow; None for none.
    mono
        Whether the sounds have one channel whatever the model is.

    Raises
    ------
    ValueError
        A number is out of range, or the model cannot make new sounds.
    GenerationCancelled
        ``cancel_event`` was set.
    """
    chosen = secrets.randbelow(2**31) if seed is None else seed
    recipe = Recipe(
        NEW, model.metadata.model_id, model.metadata.name, str(model_file.absolute()), seed=chosen, count=count,
        temperature=temperature, seconds=seconds or 0.0, freedom=TRAINED if freedom is None else freedom,
        weights=weights_id(model), channels=channels_of(model, mono=mono), drawing=model.synthesizer.drawing,
    )  # fmt: skip
    numbers: list[int] = []

    def follow(points: Tensor) -> list[int]:
        assert taste is not None
        numbers.extend(choose(points, taste, count, torch.Generator().manual_seed(recipe.seed)))
        return numbers

    if taste:
        recipe = replace(recipe, candidates=candidate_count(count), stars=len(taste.starred))
    for number, sound in enumerate(_new_sounds(model, recipe, follow if taste else None)):
        own = replace(recipe, candidate=numbers[number]) if taste else recipe
        yield GeneratedSound(as_audio(sound), numbered(own, number))
        check_wanted(cancel_event)


def _new_sounds(model: OpenModel, recipe: Recipe, chooser: Choose | None = None) -> Iterator[Tensor]:
    """Yield the new sounds ``[channels, N]`` of a recipe, each when it is done; ``chooser`` picks among candidates."""
    check_channels(model, recipe.channels)
    if _is_of_no_prior(model, recipe):
        # As the versions without priors drew them: a recipe that they wrote gives the same sound again.
        for features in model.draw(recipe.count, recipe.seed, recipe.temperature):
            for part in torch.split(features, 1):
                sound = model.to_sounds(part)[0]
                yield model.in_stereo(sound) if recipe.channels == 2 else sound
        return
    yield from model.generate_each(
        recipe.candidates or recipe.count,
        recipe.seed,
        seconds=recipe.seconds or None,
        temperature=recipe.temperature,
        freedom=None if recipe.freedom == TRAINED else recipe.freedom,
        choose=chooser,
        channels=recipe.channels,
    )


def _is_of_no_prior(model: OpenModel, recipe: Recipe) -> bool:
    """Whether new sounds are drawn as the versions without priors drew them."""
    plain = not recipe.seconds and recipe.freedom == TRAINED and not recipe.candidates
    return model.prior is None and plain


def numbered(recipe: Recipe, number: int) -> Recipe:
    """Return the recipe of another sound of the same batch."""
    return replace(recipe, number=number, id=uuid.uuid4().hex)


def stream_transform(
    model: OpenModel,
    model_file: Path,
    source: Path,
    dry_wet: float = 1.0,
    progress: Progress | None = None,
    cancel_event: threading.Event | None = None,
    mono: bool = False,
) -> GeneratedStream:
    """Return a sound file's sound, of any length, sent through a model; see `transform`.

    The file is decoded twice: once to know that all of it can be used, and how loud it is.  A stereo file keeps its
    image if the model knows stereo sounds, unless ``mono`` is set.

    Raises
    ------
    SoundError
        The file cannot be used; the message is the reason alone.
    GenerationCancelled
        ``cancel_event`` was set.
    """
    sound = measure_mono(source, cancel_event)
    channels = channels_of(model, [source], mono, cancel_event)
    recipe = _recipe_of_source(TRANSFORMED, model, model_file, source, dry_wet=dry_wet, channels=channels)
    share = 1.0 if channels == 2 and dry_wet > 0 else dry_wet  # stereo sounds are blended with both channels
    blocks = sound.blocks(cancel_event)
    stream = transform_stream(model, blocks, sound.samples, sound.peak, share, progress, cancel_event)
    if channels == 2:
        stream = in_stereo(stream, image_of_source(sound, cancel_event))
        stream = stream if dry_wet == 1.0 else with_dry(stream, sound, dry_wet, cancel_event)
    return GeneratedStream(stream, recipe)


def transform_file(
    model: OpenModel,
    model_file: Path,
    source: Path,
    dry_wet: float = 1.0,
    progress: Progress | None = None,
    cancel_event: threading.Event | None = None,
    mono: bool = False,
) -> GeneratedSound:
    """Return what `stream_transform` makes, in memory."""
    return stream_transform(model, model_file, source, dry_wet, progress, cancel_event, mono).whole()


def stream_reconstruction(
    model: OpenModel,
    model_file: Path,
    source: Path,
    cancel_event: threading.Event | None = None,
    mono: bool = False,
) -> GeneratedStream:
    """Return a sound file's sound through the model's latent or codes, chunk by chunk; see `OpenModel.reconstruct`.

    Channels are those of `stream_transform`.

    Raises
    ------
    SoundError
        The file cannot be used; the message is the reason alone.
    """
    sound = measure_mono(source, cancel_event)
    channels = channels_of(model, [source], mono, cancel_event)
    recipe = _recipe_of_source(RECONSTRUCTED, model, model_file, source, channels=channels)
    stream = reconstruct_stream(model, sound.blocks(cancel_event), sound.samples, sound.peak, cancel_event)
    if channels == 2:
        stream = in_stereo(stream, image_of_source(sound, cancel_event))
    return GeneratedStream(stream, recipe)


def reconstruct_file(
    model: OpenModel,
    model_file: Path,
    source: Path,
    cancel_event: threading.Event | None = None,
    mono: bool = False,
) -> GeneratedSound:
    """Return what `stream_reconstruction` makes, in memory."""
    return stream_reconstruction(model, model_file, source, cancel_event, mono).whole()


def make_from_sound(
    model: OpenModel,
    model_file: Path,
    kind: str,
    source: Path,
    second: Path | None = None,
    cancel_event: threading.Event | None = None,
    mono: bool = False,
    **settings: Any,
) -> Iterator[GeneratedSound]:
    """Yield the sounds that a model makes from a sound file: variations, a morph, an extension, a repainted part.

    Each comes when it is done.

    Parameters
    ----------
    model, model_file
        The model, and where it was opened from.
    kind
        `VARIED`, `MORPHED`, `EXTENDED` or `REPAINTED`.
    source, second
        The sound, and for a morph the one at its other end.
    cancel_event
        Ends the work while a source is read, between any two operations of torch, and before a sound is given out.
    mono
        Whether the sounds have one channel also where a source is stereo.
    **settings
        Fields of the `Recipe` that the kind uses.

    Raises
    ------
    SoundError
        A file cannot be used; the message is the reason alone.
    ValueError
        A number is out of range.
    ModelFileError
        The model cannot do it.
    GenerationCancelled
        ``cancel_event`` was set.
    """
    if second is not None:
        settings |= {"second_source": str(second.absolute()), "second_hash": _content_hash(second)}
    channels = channels_of(model, [source] if second is None else [source, second], mono, cancel_event)
    check_wanted(cancel_event)
    recipe = _recipe_of_source(kind, model, model_file, source, channels=channels, **settings)
    for number, sound in enumerate(varied_sounds(model, recipe, cancel_event)):
        yield GeneratedSound(as_audio(sound), numbered(recipe, number))


def _recipe_of_source(kind: str, model: OpenModel, model_file: Path, source: Path, **settings: Any) -> Recipe:
    return Recipe(
        kind, model.metadata.model_id, model.metadata.name, str(model_file.absolute()),
        source=str(source.absolute()), source_hash=_content_hash(source), weights=weights_id(model), **settings,
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
    if there is not None and there.suffix == SUFFIX and _is_regular(there, _MOST_MODEL_BYTES):
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
    takes_nearest: bool = False,
) -> GeneratedSound:
    """Return what `stream_again` makes, in memory."""
    return stream_again(recipe, library, progress, cancel_event, takes_nearest).whole()


def stream_again(
    recipe: Recipe,
    library: ModelLibrary,
    progress: Progress | None = None,
    cancel_event: threading.Event | None = None,
    takes_nearest: bool = False,
) -> GeneratedSound | GeneratedStream:
    """Generate a sound again from its recipe, with the exact weights that it names.

    The samples are the same on the same kind of machine; another one may round differently.  The weights are kept.

    Parameters
    ----------
    recipe, library, progress, cancel_event
        The recipe, where its model is looked for, and as elsewhere.
    takes_nearest
        Whether to make another sound where this one cannot be made again: with other weights of the same model, or
        drawn in another way.  The recipe of the result says how it was made.

    Raises
    ------
    ModelReplacedError
        The weights are gone, or an older version of Distill drew the sound in another way, and ``takes_nearest`` is
        False.
    LibraryError
        The model is gone.
    SoundError
        The sound that went in is gone, or is another one now.
    ModelFileError
        The model cannot be used.
    GenerationCancelled
        ``cancel_event`` was set.
    """
    path, model, weights = _open_exact(recipe, library, takes_nearest)
    keep_weights(path, recipe.map or weights)
    if recipe.kind == NEW and recipe.drawing != model.synthesizer.drawing and model.prior is not None:
        if not takes_nearest:
            raise ModelReplacedError(
                "Another version of Distill generated this sound, and drew sounds in another way. "
                "From the same seed this version would generate another sound."
            )
        recipe = replace(recipe, drawing=model.synthesizer.drawing)
    stream = _made_again(path, model, replace(recipe, weights=weights), progress, cancel_event)
    check_wanted(cancel_event)
    return stream


def _made_again(
    path: Path, model: OpenModel, recipe: Recipe, progress: Progress | None, cancel_event: threading.Event | None
) -> GeneratedSound | GeneratedStream:
    """Generate the sound of a recipe with a model that was opened from ``path``."""
    check_wanted(cancel_event)
    if recipe.kind == NEW and not _is_of_no_prior(model, recipe):
        # All are drawn, and the one is made: a batch has up to a thousand.
        chosen = recipe.candidate if recipe.candidates else recipe.number
        (sound,) = _new_sounds(model, recipe, lambda _points: [chosen])
        return GeneratedSound(as_audio(sound), recipe)
    if recipe.kind == NEW:
        for number, sound in enumerate(_new_sounds(model, recipe)):
            check_wanted(cancel_event)
            if number == recipe.number:
                return GeneratedSound(as_audio(sound), recipe)
    check_channels(model, recipe.channels)
    if recipe.kind in MAP_KINDS:
        return GeneratedSound(audio_of_map(model, recipe), recipe)
    mono = recipe.channels == 1
    source = unchanged_source(recipe.source, recipe.source_hash)
    if recipe.kind == MORPHED:
        unchanged_source(recipe.second_source, recipe.second_hash)
    if recipe.kind in VARIATIONS:
        return GeneratedSound(varied_again(model, recipe, cancel_event), recipe)
    if recipe.kind == RECONSTRUCTED:
        return replace(stream_reconstruction(model, path, source, cancel_event, mono), recipe=recipe)
    stream = stream_transform(model, path, source, recipe.dry_wet, progress, cancel_event, mono)
    return replace(stream, recipe=recipe)


def check_wanted(cancel_event: threading.Event | None) -> None:
    """Raise `GenerationCancelled` if the user has stopped the work."""
    if cancel_event is not None and cancel_event.is_set():
        raise GenerationCancelled


def _open_exact(recipe: Recipe, library: ModelLibrary, takes_nearest: bool) -> tuple[Path, OpenModel, str]:
    """Open the model of a recipe; return its file and the id of its weights, too."""
    kept = kept_weights(recipe.map or recipe.weights)
    if kept is not None:
        model = open_model(kept)
        if weights_id(model) == recipe.weights and _has_map_of(model, recipe):
            return kept, model, recipe.weights
    path = find_model(recipe, library)
    model = open_model(path)
    weights = weights_id(model)
    if not _has_map_of(model, recipe):
        name = recipe.model_name or recipe.model_id[:8]
        raise LibraryError(
            f"The map of {name!r} that this sound was found on is gone: the model was trained further. "
            "The same position on its present map is another sound."
        )
    if recipe.weights and weights != recipe.weights and not takes_nearest:
        name = recipe.model_name or recipe.model_id[:8]
        raise ModelReplacedError(
            f"The weights of {name!r} that generated this sound are gone: the model was trained further. "
            "Its present weights would generate a similar sound."
        )
    return path, model, weights


def _has_map_of(model: OpenModel, recipe: Recipe) -> bool:
    """Whether a model has the map and the sliders that a recipe names, if it names any."""
    return recipe.kind not in MAP_KINDS or (model.map is not None and map_id(model) == recipe.map)


def _is_regular(path: Path, most_bytes: int) -> bool:
    """Whether there is a regular file of a limited size: a stranger's recipe may name a device or a pipe."""
    try:
        status = path.stat()
    except (OSError, ValueError):  # too long a name
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size <= most_bytes


def _is_there(path: Path) -> bool:
    """Whether there is anything at a path, also a device or a pipe."""
    try:
        path.stat()
    except (OSError, ValueError):
        return False
    return True


def _short_path(path: Path) -> str:
    """Return a path for a message, with its middle left out where it is long."""
    text = str(path)
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN // 2]}…{text[-_MOST_SHOWN // 2 :]}"


def unchanged_source(name: str, known_hash: str) -> Path:
    """Return the file of a recipe's source.

    Raises
    ------
    SoundError
        It is gone, or is another sound now.
    """
    source = Path(name)
    if not _is_there(source):
        raise SoundError(f"{_short_path(source)} is no longer there. Put it back to make the sound again.")
    if not _is_regular(source, _MOST_SOUND_BYTES):
        raise SoundError(
            f"{_short_path(source)} is not used: a source must be an ordinary file of at most "
            f"{_MOST_SOUND_BYTES >> 30} GB."
        )
    try:
        read_header(source)  # what is no sound is not read
        same = _content_hash(source) == known_hash
    except SoundError as exc:
        raise SoundError(f"{_short_path(source)} cannot be used again: {exc}.") from exc
    if not same:
        raise SoundError(f"{source} has changed since this sound was made from it.")
    return source
