"""Which parts of a sound are trained on: silence before, within and behind it is skipped.

No torch here: the window shows the split before torch is imported.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from distill.audio.cache.sound_cache import ENVELOPE_HOP, CachedSound
from distill.audio.decoding.mono_decoder import SAMPLE_RATE

#: Level relative to the peak of the file under which it is silent: -60 dB, under the noise of most recordings.
SILENT = 1e-3
#: Level down to which a decay still belongs to the sound before it: -80 dB.
_DECAY = 1e-4
#: Silence in front of a sound that is not worth skipping, in steps of the envelope: 50 ms.
_NO_LEAD = 5
#: A last chunk with less of a decay in it than this, in seconds, is skipped.
_LEAST_S = 0.02


@dataclass(frozen=True)
class Region:
    """A part of a sound that is divided into chunks: its first sample, the sample behind it, its number of chunks."""

    start: int
    stop: int
    chunks: int


def sound_regions(sound: CachedSound, chunk_samples: int) -> list[Region]:
    """Return the parts of a sound that are trained on, in order; there is at least one.

    A sound that fits into a chunk is one region.  Of longer sounds, silence of a chunk and more (of a second, where
    chunks are shorter) is skipped, and a region begins where the sound does.  A decay is kept for as long after the
    last audible moment.  Runs that were begun before silence was skipped have one region of the whole sound.

    Parameters
    ----------
    sound
        The sound.
    chunk_samples
        Samples of a chunk.
    """
    whole = [Region(0, sound.samples, max(1, -(-sound.samples // chunk_samples)))]
    least = max(chunk_samples, SAMPLE_RATE)
    if sound.preparation == 1 or sound.samples <= least:
        return whole
    envelope = sound.envelope()
    audible = np.flatnonzero(envelope >= SILENT)
    if not len(audible):
        return whole
    gap = least // ENVELOPE_HOP
    breaks = np.flatnonzero(np.diff(audible) > gap)
    firsts = audible[np.concatenate([[0], breaks + 1])]
    lasts = audible[np.concatenate([breaks, [len(audible) - 1]])] + 1
    limits = [*map(int, firsts[1:]), len(envelope)]
    regions = []
    for first, last, limit in zip(firsts, lasts, limits, strict=True):
        begin = 0 if first <= _NO_LEAD else int(first)
        decay = np.flatnonzero(envelope[last : min(int(last) + gap, limit)] < _DECAY)
        end = min(int(last) + int(decay[0]), limit) if len(decay) else min(int(last) + gap, limit)
        if len(envelope) - end < gap:  # so little silence at the end is not worth skipping
            end = len(envelope)
        start, stop = begin * ENVELOPE_HOP, min(end * ENVELOPE_HOP, sound.samples)
        over = (stop - start) % chunk_samples
        if end < len(envelope) and stop - start > chunk_samples and over <= _LEAST_S * SAMPLE_RATE:
            stop -= over
        regions.append(Region(start, stop, max(1, -(-(stop - start) // chunk_samples))))
    return regions


def chunk_starts(regions: Sequence[Region], chunk_samples: int) -> list[int]:
    """Return the first sample of each chunk of some regions."""
    return [region.start + number * chunk_samples for region in regions for number in range(region.chunks)]


def audible_parts(sounds: Sequence[CachedSound], chunk_samples: int) -> list[CachedSound]:
    """Return the parts of sounds that are trained on, in order; a sound without silence is returned as it is."""
    return [sound.part(region.start, region.stop) for sound in sounds for region in sound_regions(sound, chunk_samples)]


def kept_seconds(sound: CachedSound, chunk_samples: int) -> float:
    """Return the seconds of a sound that are trained on."""
    return sum(region.stop - region.start for region in sound_regions(sound, chunk_samples)) / SAMPLE_RATE


def silence_note(sounds: Sequence[CachedSound], chunk_samples: int) -> str:
    """Return a sentence on how much silence of some sounds is skipped; empty where it is under a second."""
    total = sum(sound.samples for sound in sounds) / SAMPLE_RATE
    kept = sum(kept_seconds(sound, chunk_samples) for sound in sounds)
    if total - kept < 1:
        return ""
    return f"Silence is not trained on: {total - kept:.1f} s of {total:.1f} s are skipped."
