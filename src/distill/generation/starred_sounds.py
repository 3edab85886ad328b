"""What the user likes: the starred and rejected sounds of a model, as points that steer new ones."""

import logging
import threading
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from distill.audio.decoding.mono_decoder import stream_sound
from distill.errors import DistillError, SoundError
from distill.generation.history.sound_history import GeneratedHistory
from distill.models.inference import OpenModel
from distill.models.priors.taste_steering import Taste

log = logging.getLogger(__name__)

#: Most starred sounds, and most rejected ones, that are followed: the newest.
MOST_FOLLOWED = 64


def read_taste(
    model: OpenModel, history: GeneratedHistory | None = None, cancel_event: threading.Event | None = None
) -> Taste:
    """Return what the user has starred and rejected of what this model has generated.

    Sounds whose files are gone or cannot be read are left out.

    Raises
    ------
    DistillError
        No starred or rejected sound is left, or the model cannot make new sounds.
    Cancelled
        ``cancel_event`` was set.
    """
    listed = (GeneratedHistory() if history is None else history).list()
    of_model = [sound for sound in listed if sound.recipe.model_id == model.metadata.model_id]
    taste = Taste(
        _points(model, (sound.path for sound in of_model if sound.starred), cancel_event),
        _points(model, (sound.path for sound in of_model if sound.rejected), cancel_event),
    )
    if not taste:
        raise DistillError(
            f"No sound that {model.metadata.name!r} has generated is starred or rejected. Star some that you like."
        )
    return taste


@torch.no_grad()
def _points(model: OpenModel, files: Iterable[Path], cancel_event: threading.Event | None) -> Tensor:
    """Return the points of the first windows of sounds ``[n, K]``."""
    synthesizer = model.synthesizer
    points: list[Tensor] = []
    for rated_sound in files:
        if len(points) == MOST_FOLLOWED:
            break
        try:
            points.append(synthesizer.first_point(_beginning(rated_sound, synthesizer.chunk, cancel_event)).cpu())
        except SoundError as exc:
            log.info("%s is not followed: %s", rated_sound, exc)
    return torch.stack(points) if points else torch.zeros(0, synthesizer.need_prior("follow starred sounds").dim)


def _beginning(path: Path, samples: int, cancel_event: threading.Event | None) -> Tensor:
    """Return the first samples of a sound ``[1, N]``."""
    blocks, length = [], 0
    with closing(stream_sound(path, cancel_event)) as stream:  # type: ignore[type-var]
        for block in stream:
            blocks.append(block)
            length += len(block)
            if length >= samples:
                break
    if not length:
        raise SoundError("there is no sound in it")
    return torch.from_numpy(np.concatenate(blocks)[None, :samples])
