"""What a set of sounds gives to train on.  No torch here: the window shows it before anything is trained."""

import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from distill.audio.cache.sound_cache import CachedSound, SoundCache
from distill.audio.decoding.mono_decoder import SAMPLE_RATE
from distill.config.training import AnyConfig
from distill.errors import SoundError
from distill.runs.estimates.estimate import Material
from distill.training.data.audible_regions import sound_regions
from distill.training.data.split import split_sounds


def material_of(files: Sequence[Path], config: AnyConfig, cancel: threading.Event | None = None) -> Material | None:
    """Return what a run would train on; None where there is too little for a run.

    Raises
    ------
    Cancelled
        ``cancel`` was set while a sound was decoded.
    """
    cache = SoundCache()
    sounds: list[CachedSound] = []
    for path in files:
        with suppress(SoundError):  # the run leaves it out as well
            sounds.append(cache.get(path, cancel))
    if not sounds:
        return None
    chunk = round(config.chunk_duration_s * SAMPLE_RATE)
    try:
        train, held_out = split_sounds(sounds, config.val_fraction, chunk)
    except ValueError:
        return None
    regions = [region for sound in train for region in sound_regions(sound, chunk)]
    return Material(
        sounds=len(sounds),
        train_sounds=len(regions),
        seconds=sum(region.stop - region.start for region in regions) / SAMPLE_RATE,
        train_chunks=sum(region.chunks for region in regions),
        held_out_chunks=sum(region.chunks for sound in held_out for region in sound_regions(sound, chunk)),
    )
