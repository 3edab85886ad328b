"""Sounds as training data: chunks, variants, features, batches.

The order of everything is a pure function of the sounds' content, the seed and the epoch.  No random stream runs
through a run, so there is none to restore when it is resumed in the middle of an epoch.

Features of all chunks and variants are computed once and read from disk batch by batch.  A training step then costs the
same with and without augmentation, and no memory grows with the corpus.  They are stored in half precision: a step of
2**-10 in the logarithm of a magnitude is 0.04 dB.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from os import cpu_count
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from distill.audio.augmentation import AugmentationPipeline
from distill.audio.cache.sound_cache import CachedSound, SoundCache
from distill.audio.corpus import SkippedSound
from distill.audio.decoding.sound_file import SAMPLE_RATE, DecodingCancelled
from distill.config.catalog import family_info
from distill.config.training import AnyConfig
from distill.errors import NotEnoughSoundsError, SoundError
from distill.models.families import make_family
from distill.models.families.family import ModelFamily
from distill.training.data.regions import chunk_starts, sound_regions
from distill.training.data.split import MIN_DIVIDED_CHUNKS, can_be_divided, split_sounds

#: Chunks of a long sound that a variant is computed for at once: bounds memory and the wait for a cancel.
BLOCK_CHUNKS = 32
_MIN_SOUNDS = 2
#: Number format of stored features.
_STORED = np.dtype("<f2")

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class PreparedSounds:
    """Decoded sounds, and the files that were skipped."""

    sounds: list[CachedSound]
    skipped: list[SkippedSound]


def prepare_sounds(
    file_paths: Sequence[Path | str],
    cache: SoundCache,
    on_progress: Progress | None = None,
    cancel_event: threading.Event | None = None,
) -> PreparedSounds:
    """Decode files into the cache, some at a time, in the order of their content.

    Raises
    ------
    NotEnoughSoundsError
        Fewer than two can be used, and the one is too short to be divided; the message names each file that cannot be
        used, and why.
    DecodingCancelled
        ``cancel_event`` was set.
    """
    paths = sorted({Path(p) for p in file_paths})
    sounds: list[CachedSound] = []
    skipped: list[SkippedSound] = []

    def decode(path: Path) -> CachedSound | SkippedSound:
        try:
            return cache.get(path, cancel_event)
        except SoundError as exc:
            return SkippedSound(path, str(exc))

    with ThreadPoolExecutor(max_workers=min(8, cpu_count() or 1)) as pool:
        pending = [pool.submit(decode, path) for path in paths]
        for done, future in enumerate(pending, 1):
            if cancel_event is not None and cancel_event.is_set():
                pool.shutdown(wait=True, cancel_futures=True)
                raise DecodingCancelled
            found = future.result()
            if isinstance(found, CachedSound):
                sounds.append(found)
            else:
                skipped.append(found)
            if on_progress is not None:
                on_progress(done, len(paths))
    if cancel_event is not None and cancel_event.is_set():
        raise DecodingCancelled
    if len(sounds) < _MIN_SOUNDS and not (sounds and can_be_divided(sounds[0], SAMPLE_RATE)):
        raise NotEnoughSoundsError(_too_few(sounds, skipped))
    return PreparedSounds(sorted(sounds, key=lambda s: (s.content_hash, str(s.source))), skipped)


def _too_few(sounds: Sequence[CachedSound], skipped: Sequence[SkippedSound]) -> str:
    usable = f"only {sounds[0].source.name} can be used" if sounds else "none can be used"
    reasons = "; ".join(f"{s.path.name}: {s.reason}" for s in skipped) or "no other file was given"
    return (
        f"Training needs at least {_MIN_SOUNDS} sounds, or one of at least {MIN_DIVIDED_CHUNKS} s, but {usable} "
        f"({reasons}). Add more sounds and start again."
    )


def variant_blocks(
    sound: CachedSound, variant: int, pipeline: AugmentationPipeline | None, chunk_samples: int, seed: int
) -> Iterator[Tensor]:
    """Yield the chunks of a variant of a sound, up to `BLOCK_CHUNKS` at a time: ``[n, 1, chunk_samples]``.

    Variant 0 is the sound itself.  Others are drawn from a generator seeded by content, variant and seed.
    """
    for region in sound_regions(sound, chunk_samples):
        for first in range(0, region.chunks, BLOCK_CHUNKS):
            count = min(BLOCK_CHUNKS, region.chunks - first)
            begin, want = region.start + first * chunk_samples, count * chunk_samples
            if variant == 0 or pipeline is None:
                audio = torch.from_numpy(sound.read(begin, want))
            else:
                # What comes after the block is read too: a faster variant needs more of the sound than it fills.
                reach = want + (int(want * 2 * pipeline.speed_change) if first + count < region.chunks else 0)
                source = torch.from_numpy(sound.read(begin, reach))
                digest = hashlib.blake2b(f"{sound.content_hash} {variant} {seed}".encode(), digest_size=8).digest()
                rng = np.random.default_rng(int.from_bytes(digest, "little"))
                audio = pipeline(source[None, None], rng)[0, 0, :want]
            yield audio.reshape(count, 1, chunk_samples)


class AudioTrainingDataset(Dataset[Tensor]):
    """Chunks of sounds, each as often as it has variants.

    Item ``i`` is chunk ``i % chunks`` in variant ``i // chunks``: a waveform ``[1, chunk_samples]``, mono float32 at
    48 kHz, peak-normalised by file.

    Parameters
    ----------
    file_paths
        Files, or sounds that are decoded already.
    chunk_duration_s
        Length of a chunk.
    augmentation_pipeline
        Makes the variants; None: only the sounds themselves.
    variants
        How many variants of each chunk there are, the sound itself included.
    seed
        Start of the random choices of the variants.
    cache
        Where decoded sounds are kept; by default the user's.

    Raises
    ------
    NotEnoughSoundsError
        Fewer than two of the files can be used.
    """

    def __init__(
        self,
        file_paths: Sequence[Path | str | CachedSound],
        chunk_duration_s: float = 1.0,
        augmentation_pipeline: AugmentationPipeline | None = None,
        variants: int = 1,
        seed: int = 0,
        cache: SoundCache | None = None,
    ) -> None:
        decoded = [item for item in file_paths if isinstance(item, CachedSound)]
        files = [item for item in file_paths if not isinstance(item, CachedSound)]
        fresh = prepare_sounds(files, cache or SoundCache()).sounds if files or not decoded else []
        self.sounds = decoded + fresh
        self.chunk_samples = round(chunk_duration_s * SAMPLE_RATE)
        self.pipeline = augmentation_pipeline
        self.variants = variants if augmentation_pipeline is not None else 1
        self.seed = seed
        self._starts = [
            chunk_starts(sound_regions(sound, self.chunk_samples), self.chunk_samples) for sound in self.sounds
        ]
        self._first = np.concatenate([[0], np.cumsum([len(starts) for starts in self._starts])])

    @property
    def chunks(self) -> int:
        """Number of chunks, variants not counted."""
        return int(self._first[-1])

    def locate(self, item: int) -> tuple[CachedSound, int, int]:
        """Return the sound, the chunk within it and the variant of an item.

        Raises
        ------
        IndexError
            There is no such item.
        """
        if not 0 <= item < len(self):
            raise IndexError(f"There is no chunk {item}: the set has {len(self)}.")
        variant, chunk = divmod(item, self.chunks)
        sound = int(np.searchsorted(self._first, chunk, side="right")) - 1
        return self.sounds[sound], chunk - int(self._first[sound]), variant

    def chunk(self, item: int) -> Tensor:
        """Return the chunk of an item as it is in the sound, without variant: ``[1, chunk_samples]``."""
        number = item % self.chunks
        sound = int(np.searchsorted(self._first, number, side="right")) - 1
        start = self._starts[sound][number - int(self._first[sound])]
        return torch.from_numpy(self.sounds[sound].read(start, self.chunk_samples))[None]

    def first_chunk(self, sound: int) -> Tensor:
        """Return the first chunk of a sound by its number: ``[1, chunk_samples]``."""
        return self.chunk(int(self._first[sound]))

    def __len__(self) -> int:
        return self.chunks * self.variants

    def __getitem__(self, item: int) -> Tensor:
        sound, chunk, variant = self.locate(item)
        if variant == 0 or self.pipeline is None:
            return self.chunk(item)
        key = f"variant {variant} {self.seed} {self.chunk_samples} {self.pipeline.fingerprint()}"

        def compute() -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
            blocks = variant_blocks(sound, variant, self.pipeline, self.chunk_samples, self.seed)
            return torch.cat(list(blocks)).numpy()

        return torch.from_numpy(sound.rows(key, compute, chunk, 1)[0])


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
            key, compute = self._features(sound, variant, cancel_event)
            sound.derived(key, compute)
            if on_progress is not None:
                on_progress(done + 1, total)

    def _features(
        self, sound: CachedSound, variant: int, cancel_event: threading.Event | None = None
    ) -> "tuple[str, Callable[[], np.ndarray[tuple[int, ...], np.dtype[np.float16]]]]":
        """Return the cache key of a variant's features ``[chunks, C, F, T]``, and what computes them."""
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

        return key, compute

    def __len__(self) -> int:
        return len(self.layout)

    def __getitem__(self, item: int) -> Tensor:
        sound, chunk, variant = self.layout.locate(item)
        return torch.from_numpy(sound.rows(*self._features(sound, variant), chunk, 1)[0].astype(np.float32))

    def batches(self, items: Sequence[int], batch_size: int) -> Iterator[Tensor]:
        """Yield features ``[B, C, F, T]`` of items, in order."""
        for low in range(0, len(items), batch_size):
            yield torch.stack([self[item] for item in items[low : low + batch_size]])


class EpochBatches(Sampler[list[int]]):
    """Batches of item numbers; the order is a pure function of seed and epoch.

    Batches differ by at most one item in size, so that no last step is taken on a handful of chunks.

    Parameters
    ----------
    items
        Number of items.
    batch_size
        Largest batch.
    seed
        Start of the order, or None for the items' own order in each epoch.
    """

    def __init__(self, items: int, batch_size: int, seed: int | None) -> None:
        self.items = items
        self.seed = seed
        self.batches = max(1, -(-items // batch_size))
        self._epoch = 0
        self._first_batch = 0

    def start_at(self, epoch: int, first_batch: int = 0) -> None:
        """Set the epoch of the next iteration, and how many of its batches are skipped."""
        self._epoch, self._first_batch = epoch, first_batch

    def __len__(self) -> int:
        return self.batches - self._first_batch

    def __iter__(self) -> Iterator[list[int]]:
        epoch, first_batch = self._epoch, self._first_batch
        self.start_at(epoch + 1)  # by default, one epoch after the other
        order = np.arange(self.items)
        if self.seed is not None:
            order = np.random.default_rng([self.seed, epoch]).permutation(self.items)
        edges = np.linspace(0, self.items, self.batches + 1).round().astype(int)
        for low, high in list(pairwise(edges))[first_batch:]:
            yield order[low:high].tolist()


def make_loader(dataset: Dataset[Tensor], items: int, batch_size: int, seed: int | None) -> DataLoader[Tensor]:
    """Return a loader over `EpochBatches` that draws nothing from torch's global random stream."""
    batches = EpochBatches(items, batch_size, seed)
    return DataLoader(dataset, batch_sampler=batches, generator=torch.Generator())


def create_data_loaders(
    file_paths: Sequence[Path | str], config: AnyConfig, augmentation_pipeline: AugmentationPipeline | None = None
) -> tuple[DataLoader[Tensor], DataLoader[Tensor]]:
    """Return ``(train_loader, val_loader)`` of waveform batches ``[B, 1, chunk_samples]``.

    For a family whose features cost more than a step should, batches are its cached features ``[B, C, F, T]``; a
    training step takes either.  The split is by file.  With a pipeline each training chunk comes in
    ``augmentation_expansion`` variants an epoch, in one if that is 0; held-out chunks are never changed.

    Raises
    ------
    NotEnoughSoundsError
        Fewer than two of the files can be used.
    """
    cache = SoundCache()
    chunk_s = config.chunk_duration_s
    train, val = split_sounds(
        prepare_sounds(file_paths, cache).sounds, config.val_fraction, round(chunk_s * SAMPLE_RATE)
    )
    variants = max(1, config.regularization.augmentation_expansion)  # 0: no augmentation
    if family_info(config.family).loads_features:
        family = make_family(config)
        train_features = FeatureDataset(train, family, augmentation_pipeline, variants)
        val_features = FeatureDataset(val, family)
        return (
            make_loader(train_features, len(train_features), config.batch_size, config.seed),
            make_loader(val_features, len(val_features), config.batch_size, None),
        )
    train_set = AudioTrainingDataset(train, chunk_s, augmentation_pipeline, variants, config.seed)
    val_set = AudioTrainingDataset(val, chunk_s)
    return (
        make_loader(train_set, len(train_set), config.batch_size, config.seed),
        make_loader(val_set, len(val_set), config.batch_size, None),
    )
