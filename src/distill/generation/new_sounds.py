"""New sounds of a model, drawn from its prior, each with its recipe."""

import secrets
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from distill.generation.generated_sound import GeneratedSound, check_wanted
from distill.generation.mono_or_stereo import as_audio, channels_of, check_channels
from distill.generation.recipe import NEW, TRAINED, Recipe
from distill.models.inference import OpenModel
from distill.models.priors.taste_steering import Taste, candidate_count, choose
from distill.models.synthesis.synthesizer import Choose


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
        weights=model.weights_id(), channels=channels_of(model, mono=mono), drawing=model.synthesizer.drawing,
    )  # fmt: skip
    numbers: list[int] = []

    def follow(points: Tensor) -> list[int]:
        assert taste is not None
        numbers.extend(choose(points, taste, count, torch.Generator().manual_seed(recipe.seed)))
        return numbers

    if taste:
        recipe = replace(recipe, candidates=candidate_count(count), stars=len(taste.starred))
    for number, sound in enumerate(new_sounds(model, recipe, follow if taste else None)):
        recipe_of_sound = replace(recipe, candidate=numbers[number]) if taste else recipe
        yield GeneratedSound(as_audio(sound), recipe_of_sound.numbered(number))
        check_wanted(cancel_event)


def new_sounds(model: OpenModel, recipe: Recipe, chooser: Choose | None = None) -> Iterator[Tensor]:
    """Yield the new sounds ``[channels, N]`` of a recipe, each when it is done; ``chooser`` picks among candidates."""
    check_channels(model, recipe.channels)
    if is_of_no_prior(model, recipe):
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


def is_of_no_prior(model: OpenModel, recipe: Recipe) -> bool:
    """Whether new sounds are drawn as the versions without priors drew them."""
    plain = not recipe.seconds and recipe.freedom == TRAINED and not recipe.candidates
    return model.prior is None and plain
