"""Generates the sounds of a kit."""

import threading
from pathlib import Path

from distill.generation.generated_sound import make_new
from distill.generation.kit import KitSound, single
from distill.models.inference import OpenModel


def kit_sounds(
    model: OpenModel,
    model_file: Path,
    count: int,
    seed: int | None = None,
    cancel_event: threading.Event | None = None,
) -> list[KitSound]:
    """Return new sounds for a kit; each file holds the recipe of its sound.

    Parameters
    ----------
    model, model_file
        The model, and where it was opened from.
    count
        Number of sounds.
    seed
        Start of the draw; by chance where None.
    cancel_event
        Ends the work after the sounds in hand.

    Raises
    ------
    ValueError
        The model cannot generate new sounds.
    GenerationCancelled
        ``cancel_event`` was set.
    """
    new = make_new(model, model_file, count, seed, cancel_event=cancel_event)
    return [single(sound.audio, sound.recipe.to_text()) for sound in new]
