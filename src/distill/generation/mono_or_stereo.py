"""Whether generated sounds are mono or stereo, and copies of a stereo file with the file's own image."""

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from torch import Tensor

from distill.audio.decoding.mono_decoder import FloatArray, MeasuredSound
from distill.audio.stereo.mono_to_stereo import render_stream
from distill.audio.stereo.stereo_files import image_of_file, is_stereo_file
from distill.audio.stereo.stereo_image import LEFT, MIX, RIGHT, StereoImage
from distill.errors import ModelFileError
from distill.models.inference import OpenModel

#: Bases by the channel that a measured sound is of.
_BASES = {None: MIX, 0: LEFT, 1: RIGHT}


def channels_of(
    model: OpenModel, sources: Iterable[Path] = (), mono: bool = False, cancel_event: threading.Event | None = None
) -> int:
    """Return how many channels what a model makes has: 2 where it knows stereo, and one of the sources is, if any.

    Raises
    ------
    SoundError
        A source cannot be used; the message is the reason alone.
    Cancelled
        ``cancel_event`` was set.
    """
    if mono or not model.is_stereo:
        return 1
    given = tuple(sources)
    return 2 if not given or any(is_stereo_file(path, cancel_event) for path in given) else 1


def check_channels(model: OpenModel, channels: int) -> None:
    """Refuse a recipe of a stereo sound for a model of mono sounds.

    Raises
    ------
    ModelFileError
        It is one.
    """
    if channels == 2 and not model.is_stereo:
        raise ModelFileError(
            f"The model {model.metadata.name!r} makes mono sounds now, and this sound is stereo. Train it to its end "
            "on stereo sounds."
        )


def image_of_source(sound: MeasuredSound, cancel_event: threading.Event | None = None) -> StereoImage:
    """Return the image of a file of two channels, whose base is the mono sound that models are given of it."""
    return image_of_file(sound.path, cancel_event, _BASES.get(sound.channel, MIX)).held()


def in_stereo(mono: Iterable[FloatArray], image: StereoImage) -> Iterator[FloatArray]:
    """Yield a copy of a sound in blocks ``[n, 2]``, from mono blocks ``[n]``."""
    return render_stream(mono, image)


def own_channels(model: OpenModel, sound: Tensor) -> Tensor:
    """Return a new sound ``[1, N]`` with the channels that the model makes, ``[1, N]`` or ``[2, N]``."""
    return model.in_stereo(sound) if model.is_stereo else sound


def as_audio(sound: Tensor) -> FloatArray:
    """Return a sound ``[1, N]`` or ``[2, N]`` as files hold it: ``[N]`` or ``[N, 2]``."""
    array: FloatArray = sound.detach().cpu().numpy()
    return array[0] if len(array) == 1 else np.ascontiguousarray(array.T)
