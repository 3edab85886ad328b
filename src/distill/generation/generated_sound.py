"""What a model generates: a sound or a stream of blocks, with the recipe that makes it again."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from distill.audio.decoding.mono_decoder import FloatArray
from distill.errors import Cancelled
from distill.generation.recipe import Recipe


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


def check_wanted(cancel_event: threading.Event | None) -> None:
    """Raise `GenerationCancelled` if the user has stopped the work."""
    if cancel_event is not None and cancel_event.is_set():
        raise GenerationCancelled


class GenerationCancelled(Cancelled):
    """The making of a sound was given up because its ``cancel_event`` was set."""
