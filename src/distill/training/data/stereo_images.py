"""The stereo images that a run's model file keeps of its training sounds."""

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial

from distill.audio.cache.sound_cache import CachedSound
from distill.audio.stereo.stereo_files import LEAST_SHARE, image_of_sound, is_stereo_sound
from distill.audio.stereo.stereo_image import StereoImage, columns_of
from distill.computing.worker_threads import in_order
from distill.errors import Cancelled, SoundError
from distill.models.stereo.image_store import ImageStore

log = logging.getLogger(__name__)

#: Name of the work for people.
STAGE = "Measuring the stereo image"

Progress = Callable[[str, int, int], None]


def build_images(
    sounds: Sequence[CachedSound],
    is_one_channel: Callable[[CachedSound], bool] = lambda _sound: False,
    on_progress: Progress = lambda _stage, _done, _total: None,
    cancel_event: threading.Event | None = None,
) -> ImageStore | None:
    """Return the images of training sounds, or None where too few of their files are stereo.

    Parameters
    ----------
    sounds
        Sounds, or parts of them, in the order of their numbers.
    is_one_channel
        Whether one channel of a sound is used, as the user has decided.
    on_progress
        Is told the stage, how many sounds are done, and of how many.
    cancel_event
        Stops the work.

    Raises
    ------
    Cancelled
        ``cancel_event`` was set.
    DistillError
        The disk is full, or the cache cannot be written to.
    """
    has_stereo = in_order(partial(is_stereo_sound, sound, cancel_event) for sound in sounds)
    stereo = {s.source for s, different in zip(sounds, has_stereo, strict=True) if different and not is_one_channel(s)}
    if len(stereo) < LEAST_SHARE * len({s.source for s in sounds}) or not stereo:
        return None
    images = []
    for done, image in enumerate(in_order(partial(_image, s, s.source in stereo, cancel_event) for s in sounds), 1):
        images.append(image)
        on_progress(STAGE, done, len(sounds))
    return ImageStore.build(images)


def _image(sound: CachedSound, stereo: bool, cancel_event: threading.Event | None) -> StereoImage:
    """Return the image of a sound; that of one which cannot be read any more is mono."""
    if cancel_event is not None and cancel_event.is_set():
        raise Cancelled
    try:
        return image_of_sound(sound, stereo, cancel_event)
    except SoundError as exc:
        log.info("%s counts as mono: %s", sound.source, exc)
        return StereoImage.mono(columns_of(sound.samples))
