"""What a run's model file holds: weights of the best checkpoint, prior, detail, index, stereo images, map, sliders."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from distill.audio.cache.sound_cache import CachedSound
from distill.audio.decoding.mono_decoder import SAMPLE_RATE
from distill.audio.stereo.stereo_files import LEAST_SHARE, image_of_sound, is_stereo_sound
from distill.audio.stereo.stereo_image import StereoImage, columns_of
from distill.computing.worker_threads import in_order
from distill.errors import Cancelled, CheckpointError, SoundError, reason_of
from distill.events import TrainingNotice
from distill.models.detail_by_example import MOST_BYTES, bytes_per_chunk
from distill.models.families.family import ModelFamily
from distill.models.latent_space.descriptors import decode_chunks
from distill.models.latent_space.latent_map import fit_map
from distill.models.latent_space.sliders import fit_analysis
from distill.models.metadata import ModelMetadata
from distill.models.model_parts import PRIOR, ModelParts, build_detail
from distill.models.nearest_training_sound import SoundIndex
from distill.models.persistence import contents_of_checkpoint
from distill.models.priors.window_prior import prior_entry
from distill.models.stereo.image_store import ImageStore
from distill.training.checkpoint import checkpoint_path, list_checkpoints, read_checkpoint
from distill.training.data.known_split import split_of_chain
from distill.training.dataset import FeatureDataset
from distill.training.run import Run, TrainingData
from distill.training.steps.prior_training import PriorClosing, spread_by_file

log = logging.getLogger(__name__)

T = TypeVar("T")
#: Most files of which the search for the nearest sound has a chunk where the detail does not have one of each.
_MOST_INDEXED = 4000
#: Most chunks on a map.
_MOST_CHUNKS = 5000
#: Most chunks that the sliders are fitted on.
_MOST_ANALYSED = 800
#: Hexadecimal digits of a sound's content hash that tell the sounds of a map apart.
_FINGERPRINT_DIGITS = 16
#: Chunks of a map that are read at a time.
_CHUNKS_AT_ONCE = 32


def history_of(run: Run) -> dict[str, Any]:
    """Return what the model file says of where the model comes from: its split, and what its run started from."""
    split = split_of_chain(run.record)
    entries = {} if split is None else {"split": split.to_dict()}
    if run.record.origin is not None:
        entries["origin"] = {key: run.record.origin.get(key) for key in ("kind", "name", "model_id", "epoch")}
    return entries


def by_validation_loss(folder: Path) -> list[Path]:
    """Return the checkpoints from the best to the worst, then those that were not validated, the newest first."""
    listed = list_checkpoints(folder)
    measured = sorted((c for c in listed if c["val_loss"] is not None), key=lambda c: (c["val_loss"], c["epoch"]))
    return [Path(c["path"]) for c in (*measured, *(c for c in reversed(listed) if c["val_loss"] is None))]


def contents_of_best(
    run: Run,
    newest: dict[str, Any] | None,
    is_written: bool,
    metadata: ModelMetadata,
    parts: Callable[[Mapping[str, Any]], dict[str, Any]] | None,
) -> dict[str, Any] | None:
    """Return what the model file of the best checkpoint that can be read holds; None if there is no checkpoint.

    Parameters are those of `_export`.  What this session still has in memory is not read again.

    Raises
    ------
    CheckpointError
        There are checkpoints, and none can be read.
    """
    folder, error = run.folder.checkpoints, None
    in_memory = {} if run.best.checkpoint is None else {checkpoint_path(folder, run.best.epoch): run.best.checkpoint}
    if newest is not None:
        in_memory[checkpoint_path(folder, newest["epoch"])] = newest
    for path in by_validation_loss(folder):
        try:
            data = in_memory[path] if path in in_memory else read_checkpoint(path)
            if newest is not None and not is_written and _is_better(newest["val_loss"], data["val_loss"]):
                break
            return contents_of_checkpoint(data, path.name, metadata, parts)
        except CheckpointError as exc:
            error = exc
            log.warning("The model is not made from the best checkpoint: %s", exc)
    if newest is not None and not is_written:
        return contents_of_checkpoint(newest, "The last checkpoint", metadata, parts)
    if error is not None:
        raise error
    return None


def _is_better(one: float | None, other: float | None) -> bool:
    """Whether a held-out loss is lower than another; one that was not measured is the worst, and the newer one wins."""
    return other is None or (one is not None and one <= other)


def further_parts(run: Run, checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Return further entries of the model file, for the network of a checkpoint.

    They are prior, detail, index, stereo images, map and sliders.

    What cannot be computed is reported and missing: a model without it is better than none.

    Raises
    ------
    Cancelled
        The user stopped the run.
    """
    material = _part(run, "detail and map", lambda: (_network(run, checkpoint), *_training_features(run)))
    if material is None:
        return {}
    network, features, owner, is_variant = material
    own = ~is_variant
    closed = _part(run, "the last steps of its prior", lambda: _close_prior(run, checkpoint, network))
    entries = {} if closed is None else {PRIOR: prior_entry(closed)}
    parts = ModelParts(
        detail=_part(run, "detail", lambda: build_detail(run.family, network, features, owner, run.device)),
        index=_part(run, "the search for the nearest sound", lambda: _index(run, features[own], owner[own])),
        stereo=_part(run, "its stereo image", lambda: _stereo(run)),
    )
    described = _part(run, "its map and sliders", lambda: map_entries(run.family, network, run.training_data))
    return entries | parts.to_file() | (described or {})


def _part(run: Run, name: str, compute: Callable[[], T]) -> T | None:
    """Return a part of the model file, or None where it cannot be computed, which is reported.

    Raises
    ------
    Cancelled
        The user stopped the run.
    """
    try:
        return compute()
    except Cancelled:
        raise
    except Exception as exc:  # whatever is wrong with an extra part, the model is saved
        log.error("A part of the model file could not be computed: %s", name, exc_info=exc)
        reason = reason_of(exc)
        run.emit(
            TrainingNotice(
                "checkpoint",
                f"The model is saved without {name} ({reason}). Continue the run for one more epoch to compute it "
                "again.",
            )
        )
        return None


def _stereo(run: Run) -> ImageStore | None:
    """Return the stereo images of the training sounds, or None for a mono corpus."""
    data = run.training_data

    def is_one_channel(sound: CachedSound) -> bool:
        fix = data.fixes.get(sound.content_hash)
        return fix is not None and fix.channel is not None

    sounds = data.train_set.layout.sounds
    return build_images(sounds, is_one_channel, run.emit.progress, run.request.pause_event)


def _network(run: Run, checkpoint: Mapping[str, Any]) -> nn.Module:
    """Return the network of a checkpoint, in eval mode."""
    with torch.random.fork_rng(devices=[]):  # the weights that the checkpoint replaces are drawn
        network = run.family.build()
    network.load_state_dict(checkpoint["model_state_dict"])
    return network.to(run.device).eval()


def _close_prior(run: Run, checkpoint: Mapping[str, Any], network: nn.Module) -> Mapping[str, Tensor] | None:
    """Return the prior after its last phase, or None where there is no phase."""

    def autocast() -> AbstractContextManager[Any]:
        return run.plan.autocast(run.device)

    close = PriorClosing(run.prior, run.family, run.training_data.train_set, run.device, autocast, run.emit.progress)
    return close(checkpoint, network)


def _training_features(run: Run) -> tuple[Tensor, Tensor, Tensor]:
    """Return training chunks ``[N, C, F, T]``, the number of the file of each, and whether each is of a variant."""
    dataset = run.training_data.train_set
    layout = dataset.layout
    most = max(1, MOST_BYTES // bytes_per_chunk(*dataset[0].shape))
    owner = torch.from_numpy(layout.owner[: layout.chunks * max(1, min(layout.variants, most // layout.chunks))])
    items = spread_by_file(owner, most)
    features = torch.cat(list(dataset.batches(items.tolist(), run.config.batch_size)))
    return features, owner[items], items >= layout.chunks


def _index(run: Run, features: Tensor, owner: Tensor) -> SoundIndex:
    """Return what the nearest sound is searched in: these chunks, or one of each file if they are not of all files."""
    dataset = run.training_data.train_set
    owners = torch.from_numpy(dataset.layout.owner[: dataset.layout.chunks])
    files = len(torch.unique(owners))
    if len(torch.unique(owner)) < files:
        items = spread_by_file(owners, min(files, _MOST_INDEXED))
        features = torch.cat(list(dataset.batches(items.tolist(), run.config.batch_size)))
        owner = owners[items]
    return SoundIndex.build(features, owner)


def map_entries(family: ModelFamily, network: nn.Module, data: TrainingData) -> dict[str, Any]:
    """Return the entries ``map`` and ``latent_analysis`` of the model file of a network, in eval mode.

    The latter is missing where no slider works.

    Parameters
    ----------
    family, network
        The model.
    data
        Its training and held-out sounds; both are on the map.
    """
    features, sounds, map_starts, map_seconds, prints = _map_chunks(data)
    chunks = decode_chunks(family, network, features)
    entries = {"map": fit_map(chunks, sounds, map_starts, map_seconds, prints).to_file()}
    every = max(1, len(features) // _MOST_ANALYSED)
    analysis = fit_analysis(family, network, chunks.every(every))
    if analysis is not None:
        entries["latent_analysis"] = analysis.to_file()
    return entries


def _map_chunks(data: TrainingData) -> tuple[Tensor, list[int], list[float], list[float], list[str]]:
    """Return the features of the sounds' chunks, what each chunk is, and the sounds' fingerprints."""
    features: list[Tensor] = []
    sounds: list[int] = []
    map_starts: list[float] = []
    map_seconds: list[float] = []
    prints: list[str] = []
    total = data.train_set.layout.chunks + data.val_set.layout.chunks
    for dataset in (data.train_set, data.val_set):
        layout = dataset.layout
        items = spread_by_file(torch.from_numpy(layout.owner[: layout.chunks]), _map_share(dataset, total))
        features += dataset.batches(items.tolist(), _CHUNKS_AT_ONCE)
        for item in items.tolist():
            sound, chunk, _ = layout.locate(item)
            start = chunk * layout.chunk_samples
            sounds.append(len(prints) + layout.sounds.index(sound))
            map_starts.append((sound.start + start) / SAMPLE_RATE)  # in its file: it may be a part of that
            map_seconds.append(max(1, min(layout.chunk_samples, sound.samples - start)) / SAMPLE_RATE)
        prints += [sound.content_hash[:_FINGERPRINT_DIGITS] for sound in layout.sounds]
    return torch.cat(features), sounds, map_starts, map_seconds, prints


def _map_share(dataset: FeatureDataset, total: int) -> int:
    """Return how many chunks of a set are on the map."""
    return max(1, int(dataset.layout.chunks) * min(_MOST_CHUNKS, total) // total)


#: Name for people of the work on stereo images.
STEREO_STAGE = "Measuring the stereo image"

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
        on_progress(STEREO_STAGE, done, len(sounds))
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
