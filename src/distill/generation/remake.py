"""Makes a sound again from its recipe, with the exact weights that it names."""

import stat
import threading
from dataclasses import replace
from pathlib import Path

from distill.audio.decoding.open_sound import read_header
from distill.errors import LibraryError, ModelFileError, ModelReplacedError, SoundError
from distill.generation.generated_sound import GeneratedSound, GeneratedStream, check_wanted
from distill.generation.history.kept_weights import keep_weights, kept_weights
from distill.generation.map.map_sounds import MAP_KINDS, audio_of_map, map_id
from distill.generation.mono_or_stereo import as_audio, check_channels
from distill.generation.new_sounds import is_of_no_prior, new_sounds
from distill.generation.recipe import MORPHED, NEW, RECONSTRUCTED, Recipe, hash_of_source
from distill.generation.transform import Progress, stream_reconstruction, stream_transform
from distill.generation.vary_morph_extend import VARIATIONS, varied_again
from distill.library.index import read_facts
from distill.library.model_library import ModelLibrary
from distill.models.file_format import SUFFIX
from distill.models.inference import OpenModel
from distill.models.persistence import open_model

#: Largest files that a recipe may have read, and characters of a path in a message.
_MOST_SOUND_BYTES, _MOST_MODEL_BYTES = 8 << 30, 4 << 30
_MOST_SHOWN = 200


def find_model(recipe: Recipe, library: ModelLibrary) -> Path:
    """Return the file of the model that a recipe names: where it was, or in the library.

    Raises
    ------
    LibraryError
        It is in neither place.
    """
    model_file = Path(recipe.model_file) if recipe.model_file else None
    if model_file is not None and model_file.suffix == SUFFIX and _is_regular(model_file, _MOST_MODEL_BYTES):
        try:
            if read_facts(model_file).model_id == recipe.model_id:
                return model_file
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
    if recipe.kind == NEW and not is_of_no_prior(model, recipe):
        # All are drawn, and the one is made: a batch has up to a thousand.
        chosen = recipe.candidate if recipe.candidates else recipe.number
        (sound,) = new_sounds(model, recipe, lambda _points: [chosen])
        return GeneratedSound(as_audio(sound), recipe)
    if recipe.kind == NEW:
        for number, sound in enumerate(new_sounds(model, recipe)):
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


def _open_exact(recipe: Recipe, library: ModelLibrary, takes_nearest: bool) -> tuple[Path, OpenModel, str]:
    """Open the model of a recipe; return its file and the id of its weights, too."""
    kept = kept_weights(recipe.map or recipe.weights)
    if kept is not None:
        model = open_model(kept)
        if model.weights_id() == recipe.weights and _has_map_of(model, recipe):
            return kept, model, recipe.weights
    path = find_model(recipe, library)
    model = open_model(path)
    weights = model.weights_id()
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
        same = hash_of_source(source) == known_hash
    except SoundError as exc:
        raise SoundError(f"{_short_path(source)} cannot be used again: {exc}.") from exc
    if not same:
        raise SoundError(f"{source} has changed since this sound was made from it.")
    return source
