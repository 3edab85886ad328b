"""Sounds as training data: chunks, variants, features, batches.

The order of everything is a pure function of the sounds' content, the seed and the epoch.  No random stream runs
through a run, so there is none to restore when it is resumed in the middle of an epoch.

Features of all chunks and variants are computed once and read from disk batch by batch.  A training step then costs the
same with and without augmentation, and no memory grows with the corpus.  They are stored in half precision: a step of
2**-10 in the logarithm of a magnitude is 0.04 dB.
"""

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from os import cpu_count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from distill.audio.augmentation import AugmentationPipeline
from distill.audio.cache.sound_cache import CachedSound, SoundCache
from distill.audio.decoding.mono_decoder import SAMPLE_RATE
from distill.audio.scan_result import SkippedSound
from distill.computing.interruptible import Interruptible
from distill.computing.worker_threads import in_order
from distill.config.family_catalog import family_info
from distill.config.training import AnyConfig
from distill.distributed.ranks import ALONE, Ranks
from distill.errors import Cancelled, NotEnoughSoundsError, SoundError
from distill.models.families import make_family
from distill.models.families.family import ModelFamily
from distill.runs.estimates.enough_sounds import MIN_SOUNDS, too_few_text
from distill.training.data.argument_checks import check_data_set, own_config, refuse_one_path
from distill.training.data.audible_regions import audible_parts, kept_seconds
from distill.training.data.epoch_batches import make_loader
from distill.training.data.split import MIN_DIVIDED_CHUNKS, can_be_divided, split_sounds

#: Chunks of a long sound that a variant is computed for at once: bounds memory and the wait for a cancel.
BLOCK_CHUNKS = 32
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
    ranks: Ranks = ALONE,
    chunk_samples: int = SAMPLE_RATE,
) -> PreparedSounds:
    """Decode files into the cache, some at a time, in the order of their content.

    Several processes decode a part each, and then find all of them in the cache.  The length of a chunk decides
    whether one sound alone is enough.

    Raises
    ------
    NotEnoughSoundsError
        Fewer than two can be used, and the one is too short to be divided; the message names each file that cannot be
        used, and why.
    Cancelled
        ``cancel_event`` was set.
    """
    refuse_one_path(file_paths)
    paths = sorted({Path(p) for p in file_paths})
    sounds: list[CachedSound] = []
    skipped: list[SkippedSound] = []

    def decode(path: Path) -> CachedSound | SkippedSound:
        try:
            return cache.get(path, cancel_event)
        except SoundError as exc:
            return SkippedSound(path, str(exc))

    if ranks.size > 1:
        for _ in _decoded([paths[n] for n in ranks.own_part(len(paths))], decode, on_progress, cancel_event):
            pass
        ranks.barrier()
    for found in _decoded(paths, decode, on_progress, cancel_event):
        if isinstance(found, CachedSound):
            sounds.append(found)
        else:
            skipped.append(found)
    if len(sounds) < MIN_SOUNDS and not (sounds and can_be_divided(sounds[0], chunk_samples)):
        raise NotEnoughSoundsError(_too_few(sounds, skipped, chunk_samples))
    return PreparedSounds(sorted(sounds, key=lambda s: (s.content_hash, str(s.source))), skipped)


def _decoded(
    paths: Sequence[Path],
    decode: Callable[[Path], CachedSound | SkippedSound],
    on_progress: Progress | None,
    cancel_event: threading.Event | None,
) -> Iterator[CachedSound | SkippedSound]:
    """Yield what became of each file, several of which are decoded at once."""

    def check() -> None:
        if cancel_event is not None and cancel_event.is_set():
            raise Cancelled

    pool = ThreadPoolExecutor(max_workers=min(8, cpu_count() or 1))
    try:
        pending = [pool.submit(decode, path) for path in paths]
        for done, future in enumerate(pending, 1):
            check()
            yield future.result()
            if on_progress is not None:
                on_progress(done, len(paths))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    check()


def _too_few(sounds: Sequence[CachedSound], skipped: Sequence[SkippedSound], chunk_samples: int) -> str:
    needed = MIN_DIVIDED_CHUNKS * chunk_samples / SAMPLE_RATE
    usable = "none can be used"
    if sounds:
        kept, whole = kept_seconds(sounds[0], chunk_samples), sounds[0].duration_s
        silence = f", which has {kept:.1f} s of sound in its {whole:.1f} s" if whole - kept >= 1 else ""
        usable = f"only {sounds[0].source.name} can be used{silence}"
    return too_few_text(needed, usable, skipped)


def chunk_count(sound: CachedSound, chunk_samples: int) -> int:
    """Return how many chunks a sound has, the last one padded."""
    return max(1, -(-sound.samples // chunk_samples))


def variant_blocks(
    sound: CachedSound, variant: int, pipeline: AugmentationPipeline | None, chunk_samples: int, seed: int
) -> Iterator[Tensor]:
    """Yield the chunks of a variant of a sound, up to `BLOCK_CHUNKS` at a time: ``[n, 1, chunk_samples]``.

    Variant 0 is the sound itself.  Others are drawn from a generator seeded by content, variant and seed.
    """
    chunks = chunk_count(sound, chunk_samples)
    for first in range(0, chunks, BLOCK_CHUNKS):
        count = min(BLOCK_CHUNKS, chunks - first)
        want = count * chunk_samples
        if variant == 0 or pipeline is None:
            audio = torch.from_numpy(sound.read(first * chunk_samples, want))
        else:
            # What comes after the block is read too: a faster variant needs more of the sound than it fills.
            reach = want + (int(want * 2 * pipeline.speed_change) if first + count < chunks else 0)
            source = torch.from_numpy(sound.read(first * chunk_samples, reach))
            digest = hashlib.blake2b(f"{sound.content_hash} {variant} {seed}".encode(), digest_size=8).digest()
            rng = np.random.default_rng(int.from_bytes(digest, "little"))
            audio = pipeline(source[None, None], rng)[0, 0, :want]
        yield audio.reshape(count, 1, chunk_samples)


class AudioTrainingDataset(Dataset[Tensor]):
    """Chunks of sounds, each as often as it has variants; of longer sounds, silence is left out.

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
        check_data_set(file_paths, chunk_duration_s)
        decoded = [item for item in file_paths if isinstance(item, CachedSound)]
        files = [item for item in file_paths if not isinstance(item, CachedSound)]
        self.chunk_samples = round(chunk_duration_s * SAMPLE_RATE)
        fresh: list[CachedSound] = []
        if files or not decoded:
            fresh = prepare_sounds(files, cache or SoundCache(), chunk_samples=self.chunk_samples).sounds
        self.sounds = audible_parts(decoded + fresh, self.chunk_samples)
        self.pipeline = augmentation_pipeline
        self.variants = variants if augmentation_pipeline is not None else 1
        self.seed = seed
        counts = [chunk_count(sound, self.chunk_samples) for sound in self.sounds]
        self._first = np.concatenate([[0], np.cumsum(counts)])

    @property
    def chunks(self) -> int:
        """Number of chunks, variants not counted."""
        return int(self._first[-1])

    @property
    def owner(self) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        """Number of the sound that each item is of, ``[items]``."""
        counts = np.diff(self._first)
        return np.tile(np.repeat(np.arange(len(self.sounds)), counts), self.variants)

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

    def __len__(self) -> int:
        return self.chunks * self.variants

    def __getitem__(self, item: int) -> Tensor:
        sound, chunk, variant = self.locate(item)
        if variant == 0 or self.pipeline is None:
            return torch.from_numpy(sound.read(chunk * self.chunk_samples, self.chunk_samples))[None]
        key = f"variant {variant} {self.seed} {self.chunk_samples} {self.pipeline.fingerprint()}"

        def compute() -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
            blocks = variant_blocks(sound, variant, self.pipeline, self.chunk_samples, self.seed)
            return torch.cat(list(blocks)).numpy()

        return torch.from_numpy(sound.rows(key, compute, chunk, 1)[0])


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
    weights
        ``[sounds]``: how much each sound counts, or None where all count the same.
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
        sound_weights = np.array([sound.weight for sound in self.layout.sounds])
        self.weights = None if (sound_weights == 1).all() else sound_weights
        counts = np.array([chunk_count(sound, self.layout.chunk_samples) for sound in self.layout.sounds])
        self._half_step_count = int((counts - 1).sum()) if half_steps else 0
        self._first_half_step = np.concatenate([[0], np.cumsum(counts - 1)])
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
        previous_window = np.full(chunks, -1)
        if self._half_steps:
            # Before chunk c of a sound comes the window between chunks c - 1 and c.
            is_later_chunk = position > 0
            previous_window[is_later_chunk] = (
                chunks * variants + self._first_half_step[owner[is_later_chunk]] + position[is_later_chunk] - 1
            )
        parts = [(owner, position.astype(float), previous_window)]
        if self._half_steps:
            between = within(counts - 1)
            of = np.repeat(numbers, counts - 1)
            first = np.cumsum(counts) - counts
            parts.append((of, between + 0.5, first[of] + between))
        # How far the number of the neighbour moves from one variant to the next.
        steps = (self._half_step_count, chunks)
        rows = [
            (owner, offset, np.where(previous < 0, -1, previous + variant * step))
            for (owner, offset, previous), step in zip(parts, steps, strict=False)
            for variant in range(variants)
        ]
        self.owner = np.concatenate([owner for owner, _, _ in rows])
        self.offset = np.concatenate([offset for _, offset, _ in rows])
        self.previous = np.concatenate([previous for _, _, previous in rows])
        self.total = lengths[self.owner]

    def prepare(
        self,
        on_progress: Progress | None = None,
        cancel_event: threading.Event | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        """Compute what the cache does not hold yet; among several processes the part of this one.

        Raises
        ------
        Cancelled
            ``cancel_event`` was set; what was computed stays in the cache.
        """

        def check() -> None:
            if cancel_event is not None and cancel_event.is_set():
                raise Cancelled

        def compute(sound: CachedSound, variant: int) -> None:
            check()
            with Interruptible(check):
                sound.derived(*self._features(sound, variant))

        layout = self.layout
        whole = [partial(compute, sound, variant) for variant in range(layout.variants) for sound in layout.sounds]
        tasks = [whole[number] for number in ranks.own_part(len(whole))]
        for done, _ in enumerate(in_order(tasks), 1):
            if on_progress is not None:
                on_progress(done, len(tasks))

    def _features(
        self, sound: CachedSound, variant: int
    ) -> "tuple[str, Callable[[], np.ndarray[tuple[int, ...], np.dtype[np.float16]]]]":
        """Return the cache key of a variant's features, and the function that computes them.

        Their rows ``[rows, C, F, T]`` are the chunks, then with half steps those that begin half a chunk after each
        but the last: features of neighbouring chunks cannot be put together, because each ends in what a transform
        makes of an edge.
        """
        layout = self.layout
        changed = f"{variant} {layout.seed} {layout.pipeline.fingerprint()}" if variant and layout.pipeline else "0"
        kind = "features with half steps" if self._half_steps else "features"
        key = f"{kind} {self.family.feature_key()} {layout.chunk_samples} {changed}"

        def compute() -> "np.ndarray[tuple[int, ...], np.dtype[np.float16]]":
            count = chunk_count(sound, layout.chunk_samples)
            rows, row, between = np.empty(0, _STORED), 0, count
            blocks = variant_blocks(sound, variant, layout.pipeline, layout.chunk_samples, layout.seed)
            for block, shifted in with_half_steps(blocks):
                features = self.family.features(block).numpy()
                if not row:
                    rows = np.empty((2 * count - 1 if self._half_steps else count, *features.shape[1:]), _STORED)
                rows[row : row + len(block)] = features
                row += len(block)
                if self._half_steps and len(shifted):
                    rows[between : between + len(shifted)] = self.family.features(shifted).numpy()
                    between += len(shifted)
            return rows

        return key, compute

    @property
    def counted_sounds(self) -> int:
        """Number of sounds; several that count as one are one."""
        return len(self.layout.sounds) if self.weights is None else max(1, round(float(self.weights.sum())))

    def __len__(self) -> int:
        return len(self.owner)

    def __getitem__(self, item: int) -> Tensor:
        sound, row, variant = self._locate(item)
        return torch.from_numpy(sound.rows(*self._features(sound, variant), row, 1)[0].astype(np.float32))

    def _locate(self, item: int) -> tuple[CachedSound, int, int]:
        """Return the sound, the row in its file of features and the variant of an item."""
        if item < len(self.layout):
            return self.layout.locate(item)
        if item >= len(self):
            raise IndexError(f"There is no item {item}: the set has {len(self)}.")
        variant, between = divmod(item - len(self.layout), self._half_step_count)
        number = int(self.owner[item])
        sound = self.layout.sounds[number]
        row = chunk_count(sound, self.layout.chunk_samples) + between - int(self._first_half_step[number])
        return sound, row, variant

    def batches(self, items: Sequence[int], batch_size: int, ranks: Ranks = ALONE) -> Iterator[Tensor]:
        """Yield features ``[B, C, F, T]`` of items, in order; among several processes of the rows of this one."""
        for low in range(0, len(items), batch_size):
            batch = items[low : low + batch_size]
            part = ranks.slice_of(len(batch))
            yield torch.stack([self[item] for item in (batch if part is None else batch[part.computed])])


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
    cache, config = SoundCache(), own_config(config)
    chunk_s = config.chunk_duration_s
    chunk_samples = round(chunk_s * SAMPLE_RATE)
    sounds = prepare_sounds(file_paths, cache, chunk_samples=chunk_samples).sounds
    train, val = split_sounds(sounds, config.val_fraction, chunk_samples)
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
