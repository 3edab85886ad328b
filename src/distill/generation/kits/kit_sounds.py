"""The sounds of a kit: new ones, or those of files, each with the round-robins and velocity layers of a plan.

No torch until a sound is made.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from distill.audio.decoding.mono_decoder import SAMPLE_RATE, FloatArray, decode_sound
from distill.errors import ConfigurationError
from distill.generation.generated_sound import GenerationCancelled
from distill.generation.recipe import read_recipe
from distill.generation.source_limits import MOST_SOURCE_S, sound_named

if TYPE_CHECKING:
    from distill.models.inference import OpenModel

#: Most versions that are played in turn, and most ranges of velocity.
MOST_TURNS, MOST_LAYERS = 8, 4
#: Distance of a sound's versions from it: 0 is its copy, 1 an unrelated sound.
VARIATION_STRENGTH = 0.2


@dataclass(frozen=True)
class Layer:
    """Versions of a sound that answer one range of velocities in turn.

    Attributes
    ----------
    takes
        The versions, float ``[N]`` at 48 kHz, any level.
    low_velocity, high_velocity
        MIDI velocities, 1 to 127.
    """

    takes: tuple[FloatArray, ...]
    low_velocity: int = 1
    high_velocity: int = 127


@dataclass(frozen=True)
class KitSound:
    """A sound of a kit.

    Attributes
    ----------
    layers
        Its versions; the ranges of their velocities do not overlap.
    comment
        Text for the metadata of its files.
    name
        What its files are called after its pad; any text. Without it they are called after the kit.
    pad
        Number of its pad, from 1, which gives its key; 0 for its place in the kit.
    """

    layers: tuple[Layer, ...]
    comment: str = ""
    name: str = ""
    pad: int = 0


@dataclass(frozen=True)
class KitPlan:
    """What a kit is made of.

    Attributes
    ----------
    count
        Number of sounds.
    turns
        Versions of each sound that are played in turn (round-robins).
    layers
        Ranges of velocity with versions of their own.  Darker versions answer softer notes.
    strength
        Distance of the versions from the sound, 0 to 1.

    Raises
    ------
    ConfigurationError
        A number is out of range.
    """

    count: int = 16
    turns: int = 2
    layers: int = 2
    strength: float = VARIATION_STRENGTH

    def __post_init__(self) -> None:
        for name, value, most in (("turns", self.turns, MOST_TURNS), ("layers", self.layers, MOST_LAYERS)):
            if not 1 <= value <= most:
                raise ConfigurationError(f"{name} must be a number from 1 to {most}, not {value!r}.")
        if not 0.0 < self.strength <= 1.0:
            raise ConfigurationError(f"strength must be above 0 and at most 1, not {self.strength!r}.")


def kit_sounds(
    model: "OpenModel",
    model_file: Path,
    plan: KitPlan,
    seed: int | None = None,
    cancel_event: threading.Event | None = None,
) -> list[KitSound]:
    """Return new sounds for a kit, in mono; each file holds the recipe of its sound.

    Parameters
    ----------
    model, model_file
        The model, and where it was opened from.
    plan
        Number of sounds and of their versions.
    seed
        Start of the draw; by chance where None.
    cancel_event
        Ends the work after the sound in hand.

    Raises
    ------
    ValueError
        The model cannot generate new sounds.
    GenerationCancelled
        ``cancel_event`` was set.
    """
    from distill.generation.new_sounds import make_new

    sounds = []
    for new in make_new(model, model_file, plan.count, seed, cancel_event=cancel_event, mono=True):
        if cancel_event is not None and cancel_event.is_set():
            raise GenerationCancelled
        recipe = new.recipe
        sound = in_versions(model, new.audio, plan, recipe.seed + recipe.number, recipe.to_text())
        sounds.append(replace(sound, name=f"{recipe.model_name} {recipe.draw_name}"))
    return sounds


def sound_of_file(model: "OpenModel | None", path: Path, plan: KitPlan, seed: int) -> KitSound:
    """Return a sound for a kit, in versions if the open model has made it and it is not too long to be varied."""
    recipe = read_recipe(path)
    with sound_named(path):
        audio = decode_sound(path)
    comment = recipe.to_text() if recipe is not None else ""
    can_vary = model is not None and model.synthesizer.prior is not None
    is_short = len(audio) <= MOST_SOURCE_S * SAMPLE_RATE
    if model is None or not (can_vary and is_short) or recipe is None or recipe.model_id != model.metadata.model_id:
        return single(audio, comment)
    return in_versions(model, audio, plan, seed, comment)


def single(audio: npt.NDArray[Any], comment: str = "") -> KitSound:
    """Return a kit sound of one version, float ``[N]`` at 48 kHz."""
    return KitSound((Layer((np.asarray(audio, np.float32),)),), comment)


def in_versions(model: "OpenModel", audio: FloatArray, plan: KitPlan, seed: int, comment: str = "") -> KitSound:
    """Return a sound ``[N]`` for a kit with the variations that the plan asks for beside it."""
    return KitSound(tuple(_layers([audio, *_variations(model, audio, plan, seed)], plan)), comment)


def _variations(model: "OpenModel", audio: FloatArray, plan: KitPlan, seed: int) -> list[FloatArray]:
    """Return as many variations of a sound as the plan needs beside the sound itself."""
    import torch

    needed = plan.turns * plan.layers - 1
    if not needed:
        return []
    return [sound[0].numpy() for sound in model.vary(torch.from_numpy(audio)[None], needed, plan.strength, seed)]


def _layers(versions: list[FloatArray], plan: KitPlan) -> Iterator[Layer]:
    """Yield the layers from soft to loud, which get the versions from dark to bright."""
    from_dark_to_bright = sorted(versions, key=brightness)
    layer_velocities = np.linspace(0, 127, plan.layers + 1).round().astype(int).tolist()
    for number in range(plan.layers):
        takes = tuple(from_dark_to_bright[number * plan.turns : (number + 1) * plan.turns])
        yield Layer(takes, layer_velocities[number] + 1, layer_velocities[number + 1])


def brightness(audio: FloatArray) -> float:
    """Return the spectral centroid of a sound ``[N]``, as a share of half the sample rate."""
    power = np.square(np.abs(np.fft.rfft(audio)))
    return float(power @ np.linspace(0, 1, len(power)) / max(float(power.sum()), 1e-12))
