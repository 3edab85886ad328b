"""What a model generates: a sound or a stream of blocks, with the recipe that makes it again."""

import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from distill.audio.cache.hash_index import content_hash
from distill.audio.decoding.access_errors import os_reason
from distill.audio.decoding.mono_decoder import FloatArray
from distill.audio.decoding.open_sound import UnreachableSoundError
from distill.errors import Cancelled
from distill.generation.history.kept_weights import weights_id
from distill.generation.recipe import Recipe
from distill.models.inference import OpenModel


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


def numbered(recipe: Recipe, number: int) -> Recipe:
    """Return the recipe of another sound of the same batch."""
    return replace(recipe, number=number, id=uuid.uuid4().hex)


def recipe_of_source(kind: str, model: OpenModel, model_file: Path, source: Path, **settings: Any) -> Recipe:
    """Return the recipe of a sound that a model makes from a sound file."""
    return Recipe(
        kind, model.metadata.model_id, model.metadata.name, str(model_file.absolute()),
        source=str(source.absolute()), source_hash=hash_of_source(source), weights=weights_id(model), **settings,
    )  # fmt: skip


def hash_of_source(path: Path) -> str:
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


def check_wanted(cancel_event: threading.Event | None) -> None:
    """Raise `GenerationCancelled` if the user has stopped the work."""
    if cancel_event is not None and cancel_event.is_set():
        raise GenerationCancelled


class GenerationCancelled(Cancelled):
    """The making of a sound was given up because its ``cancel_event`` was set."""
