"""Sounds made from sounds by a recipe: variations, morphs, extensions and repainted parts."""

import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from distill.audio.decoding.mono_decoder import FloatArray, decode_sound
from distill.audio.stereo.stereo_files import decode_channels, is_stereo_file
from distill.computing.interruptible import Interruptible
from distill.generation.generated_sound import GeneratedSound, GenerationCancelled, check_wanted
from distill.generation.mono_or_stereo import as_audio, channels_of
from distill.generation.recipe import EXTENDED, MORPHED, REPAINTED, VARIED, Recipe, hash_of_source, recipe_of_source
from distill.models.inference import OpenModel

#: Kinds of recipes that this module follows.
VARIATIONS = (VARIED, MORPHED, EXTENDED, REPAINTED)


def varied_sounds(model: OpenModel, recipe: Recipe, cancel_event: threading.Event | None = None) -> Iterator[Tensor]:
    """Yield all sounds ``[channels, N]`` of a recipe, each when it is done.

    Raises
    ------
    SoundError
        A source cannot be used; the message is the reason alone.
    ValueError
        A number is out of range.
    ModelFileError
        The model cannot do it.
    GenerationCancelled
        ``cancel_event`` was set; looked at before each operation of torch.
    """

    def check() -> None:
        if cancel_event is not None and cancel_event.is_set():
            raise GenerationCancelled

    sounds = _varied_sounds(model, recipe, cancel_event)
    while True:
        with Interruptible(check):  # not around the yield: what is done with a sound is not stopped
            sound = next(sounds, None)
        if sound is None:
            return
        check()
        yield sound


def _varied_sounds(model: OpenModel, recipe: Recipe, cancel_event: threading.Event | None) -> Iterator[Tensor]:
    sound = _decoded(recipe.source, recipe.channels, cancel_event)
    if recipe.kind == VARIED:
        yield from model.vary_each(sound, recipe.count, recipe.strength, recipe.seed)
    elif recipe.kind == MORPHED:
        second = _decoded(recipe.second_source, recipe.channels, cancel_event)
        yield from model.morph_each(sound, second, recipe.count)
    elif recipe.kind == EXTENDED:
        yield model.extend(sound, recipe.seconds, recipe.seed)
    else:
        yield model.repaint(sound, recipe.start, recipe.end, recipe.seed)


def varied_again(model: OpenModel, recipe: Recipe, cancel_event: threading.Event | None = None) -> FloatArray:
    """Return the one sound ``[N]`` or ``[N, 2]`` that a recipe is of.

    Those of its batch before it are made, too, and measured together with all: fewer at a time are rounded
    differently.
    """
    return as_audio(next(islice(varied_sounds(model, recipe, cancel_event), recipe.number, None)))


def _decoded(path: str, channels: int, cancel_event: threading.Event | None) -> Tensor:
    """Return a sound as it is in its file: level in is level out, and what is not new stays as it is.

    It is ``[2, N]`` where two channels are wanted and the file is stereo, else ``[1, N]``.
    """
    if channels == 2 and is_stereo_file(Path(path), cancel_event):
        return torch.from_numpy(decode_channels(Path(path), cancel_event))
    return torch.from_numpy(decode_sound(Path(path), cancel_event, normalize=False))[None]


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
        settings |= {"second_source": str(second.absolute()), "second_hash": hash_of_source(second)}
    channels = channels_of(model, [source] if second is None else [source, second], mono, cancel_event)
    check_wanted(cancel_event)
    recipe = recipe_of_source(kind, model, model_file, source, channels=channels, **settings)
    for number, sound in enumerate(varied_sounds(model, recipe, cancel_event)):
        yield GeneratedSound(as_audio(sound), recipe.numbered(number))
