"""Features of all chunks and variants, computed once and read from disk batch by batch.

A training step then costs the same with and without augmentation, and no memory grows with the corpus.  Features are
kept in half precision: a step of 2**-10 in the logarithm of a magnitude is 0.04 dB.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

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
    chunk_count,
    variant_blocks,
)

_STORED = np.dtype("<f2")


class FeatureDataset(Dataset[Tensor]):
    """Features of a set of sounds in all their variants; items are numbered as in `AudioTrainingDataset`.

    With half steps, windows that begin half a chunk after each chunk but the last of a sound follow as further items,
    by variant, sound and position: what a prior learns from how sounds go on.

    Parameters
    ----------
    sounds
        Decoded sounds.
    family
        Whose features.
    pipeline, variants
        As in `AudioTrainingDataset`.
    half_steps
        Whether there are items between the chunks.

    Attributes
    ----------
    owner, previous
        ``[items]``: number of the sound that each item is of, and of the item half a chunk before it (-1: none).
    total, offset
        ``[items]``: length of the sound and begin of the item in it, in chunks.
    """

    def __init__(
        self,
        sounds: Sequence[CachedSound],
        family: ModelFamily,
        pipeline: AugmentationPipeline | None = None,
        variants: int = 1,
        half_steps: bool = False,
    ) -> None:
        config = family.config
        self.layout = AudioTrainingDataset(sounds, config.chunk_duration_s, pipeline, variants, config.seed)
        self.family = family
        self._half_steps = half_steps
        self._files: dict[tuple[str, int], Path] = {}
        counts = np.array([chunk_count(sound, self.layout.chunk_samples) for sound in self.layout.sounds])
        self._between = int((counts - 1).sum()) if half_steps else 0
        self._first_between = np.concatenate([[0], np.cumsum(counts - 1)])
        self._locate_all(counts)

    def _locate_all(self, counts: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]") -> None:
        """Find sound, neighbour, length and begin of each item."""
        chunks, variants = self.layout.chunks, self.layout.variants
        numbers = np.arange(len(counts))
        lengths = np.array([sound.samples for sound in self.layout.sounds]) / self.layout.chunk_samples

        def within(sizes: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]") -> Any:
            """Return the number of each item within its sound."""
            return np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)

        owner, position = np.repeat(numbers, counts), within(counts)
        previous = np.full(chunks, -1)
        if self._half_steps:
            # Before chunk c of a sound comes the window between chunks c - 1 and c.
            later = position > 0
            previous[later] = chunks * variants + self._first_between[owner[later]] + position[later] - 1
        parts = [(owner, position.astype(float), previous)]
        if self._half_steps:
            between = within(counts - 1)
            of = np.repeat(numbers, counts - 1)
            first = np.cumsum(counts) - counts
            parts.append((of, between + 0.5, first[of] + between))
        steps = (self._between, chunks)  # how far the number of the neighbour moves from one variant to the next
        rows = [
            (owner, offset, np.where(previous < 0, -1, previous + variant * step))
            for (owner, offset, previous), step in zip(parts, steps, strict=False)
            for variant in range(variants)
        ]
        self.owner = np.concatenate([owner for owner, _, _ in rows])
        self.offset = np.concatenate([offset for _, offset, _ in rows])
        self.previous = np.concatenate([previous for _, _, previous in rows])
        self.total = lengths[self.owner]

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
        """Return the file of a variant's features, computed on first demand.

        Its rows ``[rows, C, F, T]`` are the chunks, then with half steps those that begin half a chunk after each
        but the last: features of neighbouring chunks cannot be put together, because each ends in what a transform
        makes of an edge.
        """
        known = self._files.get((sound.content_hash, variant))
        if known is not None:
            return known
        layout = self.layout
        changed = f"{variant} {layout.seed} {layout.pipeline.fingerprint()}" if variant and layout.pipeline else "0"
        kind = "features with half steps" if self._half_steps else "features"
        key = f"{kind} {self.family.feature_key()} {layout.chunk_samples} {changed}"

        def compute() -> "np.ndarray[tuple[int, ...], np.dtype[np.float16]]":
            rows, between = [], []
            blocks = variant_blocks(sound, variant, layout.pipeline, layout.chunk_samples, layout.seed)
            for block, shifted in with_half_steps(blocks):
                if cancel_event is not None and cancel_event.is_set():
                    raise DecodingCancelled
                rows.append(self.family.features(block).numpy().astype(_STORED))
                if self._half_steps and len(shifted):
                    between.append(self.family.features(shifted).numpy().astype(_STORED))
            return np.concatenate([*rows, *between])

        path = sound.derived(key, compute)
        self._files[sound.content_hash, variant] = path
        return path

    def __len__(self) -> int:
        return len(self.owner)

    def __getitem__(self, item: int) -> Tensor:
        sound, row, variant = self._locate(item)
        return torch.from_numpy(read_derived(self._file(sound, variant), row, 1)[0].astype(np.float32))

    def _locate(self, item: int) -> tuple[CachedSound, int, int]:
        """Return the sound, the row in its file of features and the variant of an item."""
        if item < len(self.layout):
            return self.layout.locate(item)
        if item >= len(self):
            raise IndexError(f"There is no item {item}: the set has {len(self)}.")
        variant, between = divmod(item - len(self.layout), self._between)
        number = int(self.owner[item])
        sound = self.layout.sounds[number]
        row = chunk_count(sound, self.layout.chunk_samples) + between - int(self._first_between[number])
        return sound, row, variant

    def batches(self, items: Sequence[int], batch_size: int) -> Iterator[Tensor]:
        """Yield features ``[B, C, F, T]`` of items, in order."""
        for low in range(0, len(items), batch_size):
            yield torch.stack([self[item] for item in items[low : low + batch_size]])


def with_half_steps(blocks: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield blocks of chunks ``[n, 1, N]`` of one sound, each with the chunks that begin half a chunk later.

    Of those there is one less than there are chunks in all.
    """
    tail: Tensor | None = None
    for block in blocks:
        samples = block.shape[-1]
        line = block.flatten()
        following = line[samples // 2 :] if tail is None else torch.cat([tail, line])
        count = len(following) // samples
        yield block, following[: count * samples].reshape(count, 1, samples)
        tail = following[count * samples :]
