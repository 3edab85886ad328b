"""Features of all chunks and variants, computed once and read from disk batch by batch.

A training step then costs the same with and without augmentation, and no memory grows with the corpus.  Features are
kept in half precision: a step of 2**-10 in the logarithm of a magnitude is 0.04 dB.
"""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from distill.audio.augmentation import AugmentationPipeline
from distill.audio.cache.sound_cache import CachedSound, read_derived
from distill.audio.decoding.sound_file import DecodingCancelled
from distill.models.families.family import ModelFamily
from distill.training.dataset import (
    AudioTrainingDataset,
    Progress,
    variant_blocks,
)

_STORED = np.dtype("<f2")


class FeatureDataset(Dataset[Tensor]):
    """Features of a set of sounds in all their variants; items are numbered as in `AudioTrainingDataset`.

    Parameters
    ----------
    sounds
        Decoded sounds.
    family
        Whose features.
    pipeline, variants
        As in `AudioTrainingDataset`.
    """

    def __init__(
        self,
        sounds: Sequence[CachedSound],
        family: ModelFamily,
        pipeline: AugmentationPipeline | None = None,
        variants: int = 1,
    ) -> None:
        config = family.config
        self.layout = AudioTrainingDataset(sounds, config.chunk_duration_s, pipeline, variants, config.seed)
        self.family = family
        self._files: dict[tuple[str, int], Path] = {}

    def prepare(self, on_progress: Progress | None = None, cancel_event: threading.Event | None = None) -> None:
        """Compute what the cache does not hold yet.

        Raises
        ------
        DecodingCancelled
            ``cancel_event`` was set; what was computed stays in the cache.
        """
        layout = self.layout
        total = len(layout.sounds) * layout.variants
        for done in range(total):
            if cancel_event is not None and cancel_event.is_set():
                raise DecodingCancelled
            sound, variant = layout.sounds[done % len(layout.sounds)], done // len(layout.sounds)
            self._file(sound, variant, cancel_event)
            if on_progress is not None:
                on_progress(done + 1, total)

    def _file(self, sound: CachedSound, variant: int, cancel_event: threading.Event | None = None) -> Path:
        """Return the file of a variant's features ``[chunks, C, F, T]``, computed on first demand."""
        known = self._files.get((sound.content_hash, variant))
        if known is not None:
            return known
        layout = self.layout
        changed = f"{variant} {layout.seed} {layout.pipeline.fingerprint()}" if variant and layout.pipeline else "0"
        key = f"features {self.family.feature_key()} {layout.chunk_samples} {changed}"

        def compute() -> "np.ndarray[tuple[int, ...], np.dtype[np.float16]]":
            rows = []
            for block in variant_blocks(sound, variant, layout.pipeline, layout.chunk_samples, layout.seed):
                if cancel_event is not None and cancel_event.is_set():
                    raise DecodingCancelled
                rows.append(self.family.features(block).numpy().astype(_STORED))
            return np.concatenate(rows)

        path = sound.derived(key, compute)
        self._files[sound.content_hash, variant] = path
        return path

    def __len__(self) -> int:
        return len(self.layout)

    def __getitem__(self, item: int) -> Tensor:
        sound, chunk, variant = self.layout.locate(item)
        return torch.from_numpy(read_derived(self._file(sound, variant), chunk, 1)[0].astype(np.float32))

    def batches(self, items: Sequence[int], batch_size: int) -> Iterator[Tensor]:
        """Yield features ``[B, C, F, T]`` of items, in order."""
        for low in range(0, len(items), batch_size):
            yield torch.stack([self[item] for item in items[low : low + batch_size]])
