"""The training data of a run: its sounds, decoded, fixed and split, and their features."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from distill.audio.augmentation import AugmentationPipeline
from distill.audio.cache.sound_cache import CachedSound, SoundCache
from distill.audio.decoding.mono_decoder import PREPARATION, SAMPLE_RATE
from distill.audio.decoding.sound_fix import SoundFix
from distill.computing.unresponsive_drives import wait_for
from distill.errors import CheckpointError, NoAnswer, SoundError, TrainingError
from distill.events import TrainingNotice
from distill.training.beginning.open_run import save_record
from distill.training.checkpoint import lacking
from distill.training.data.audible_regions import silence_note
from distill.training.data.copies_in_split import copies_note
from distill.training.data.epoch_batches import make_loader
from distill.training.data.known_split import KnownSplit, is_tested_by_known, origin_split, split_with
from distill.training.data.moved_sounds import fingerprints_of, keep_identities
from distill.training.data.preview_choice import choose_previews
from distill.training.data.split import split_sounds
from distill.training.dataset import FeatureDataset, PreparedSounds, prepare_sounds
from distill.training.run import OpenedRun, TrainingData
from distill.training.steps.new_sound_distance import NEWEST_MEASURE, NewSoundMeter


def spread_items(items: int, most: int) -> list[int]:
    """Return up to ``most`` item numbers, spread evenly."""
    picked: list[int] = np.unique(np.linspace(0, items - 1, min(items, most)).round().astype(int)).tolist()
    return picked


def training_data(opened: OpenedRun) -> TrainingData:
    """Return the sounds of a run, split, with their features; writes nothing but the cache, and fixes of a new run."""
    request, config, emit, ranks = opened.request, opened.config, opened.emit, opened.ranks
    chunk_samples = round(config.chunk_duration_s * SAMPLE_RATE)
    preparation = _as_begun(opened, "preparation", PREPARATION, "how its sounds were prepared")
    measure = _as_begun(opened, "new_sound_measure", NEWEST_MEASURE, "how its new sounds were measured")
    fixes, prepared = _read_sounds(opened, preparation, chunk_samples)
    sounds = keep_identities(prepared.sounds, opened.record.fingerprints)
    earlier = [] if opened.checkpoint is None else opened.record.skipped
    opened.record.skipped = [*earlier, *prepared.skipped]
    opened.record.preparation = preparation
    opened.record.fingerprints = fingerprints_of(sounds)
    for skipped in opened.record.skipped:
        emit(TrainingNotice("skipped", f"Skipped {skipped.path.name}: {skipped.reason}"))
    _report_fixes(opened)
    train, val = _split(opened, sounds, chunk_samples)
    notes = [f"{s.source.name}: {note}." for s in sounds for note in s.notes]
    for note in [*notes, silence_note(sounds, chunk_samples), copies_note(sounds)]:
        if note and opened.checkpoint is None:
            emit(TrainingNotice("sounds", note, "info"))
    variants = config.regularization.augmentation_expansion
    pipeline = AugmentationPipeline() if variants > 1 else None
    train_set = FeatureDataset(train, opened.family, pipeline, variants, half_steps=True)
    val_set = FeatureDataset(val, opened.family)
    previewed = choose_previews(
        opened.record, origin_split(opened.record), val_set.layout.sounds, train_set.layout.sounds
    )
    opened.record.split = KnownSplit.of(train, val, previewed).to_dict()
    for stage, dataset in (("Preparing training sounds", train_set), ("Preparing held-out sounds", val_set)):
        dataset.prepare(lambda d, t, stage=stage: emit.progress(stage, d, t), request.pause_event, ranks)  # type: ignore[misc]
    ranks.barrier()  # what one has computed, the others read from the cache
    data = TrainingData(
        sounds=sounds,
        preparation=preparation,
        fixes=fixes,
        train_set=train_set,
        val_set=val_set,
        train_loader=make_loader(
            train_set, len(train_set.layout), config.batch_size, config.seed, train_set.owner, ranks, train_set.weights
        ),
        measured_train_items=spread_items(train_set.layout.chunks, len(val_set)),
        preview_waveforms=_preview_waveforms(previewed, val_set.layout.chunk_samples),
        new_sounds=NewSoundMeter(opened.family, (train_set, val_set), measure),
    )
    if ranks.on_first(lambda: data.digest) != data.digest:
        raise TrainingError(
            "This process reads other sounds than the first one. Give all computers the same folder of sounds."
        )
    return data


def _read_sounds(opened: OpenedRun, preparation: int, chunk_samples: int) -> tuple[dict[str, SoundFix], PreparedSounds]:
    """Return the fixes of a run, and its sounds, decoded; nothing after this needs the user's files.

    Raises
    ------
    NoAnswer
        The user stopped, and the sounds lie on a drive that does not answer.
    """
    request, emit = opened.request, opened.emit

    def read(on_progress: Callable[[int, int], None]) -> tuple[dict[str, SoundFix], PreparedSounds]:
        fixes, cache = _fixes(opened, preparation)
        paths = _paths_to_decode(opened, fixes, cache)
        return fixes, prepare_sounds(paths, cache, on_progress, request.pause_event, opened.ranks, chunk_samples)

    def show(done: int, total: int) -> None:
        emit.progress("Reading sounds", done, total)

    if opened.ranks.size > 1:
        return read(show)
    try:
        return wait_for(read, request.pause_event, {path.parent for path in request.file_paths}, show)
    except NoAnswer as exc:
        opened.no_answer = str(exc)
        raise


def _as_begun(opened: OpenedRun, key: str, newest: int, what: str) -> int:
    """Return the number of the way in which a run was begun, which of older runs is not on record.

    Parameters
    ----------
    key
        Of the number in a checkpoint.
    newest
        The number of a new run.
    what
        What a damaged checkpoint does not say.

    Raises
    ------
    CheckpointError
        The checkpoint does not say it, or a newer version has begun the run.
    """
    path = opened.request.resume_checkpoint
    if opened.checkpoint is None or path is None:
        return newest
    stored = (opened.checkpoint.get("training_state") or {}).get(key, 1)
    if type(stored) is not int or stored < 1:
        raise lacking(path, ValueError(what))
    if stored > newest:
        raise CheckpointError(f"{path.name} was written by a newer version of Distill. Update Distill to resume it.")
    return stored


def _fixes(opened: OpenedRun, preparation: int) -> tuple[dict[str, SoundFix], SoundCache]:
    """Return the fixes of a run by the hashes of its sounds' files, and a cache that applies them.

    A resumed run has those that it was begun with, also for sounds whose tags were changed since.

    Raises
    ------
    CheckpointError
        Those of the checkpoint cannot be read.
    """
    cache, record, checkpoint = SoundCache(preparation=preparation), opened.record, opened.checkpoint
    if checkpoint is not None:
        stored = (checkpoint.get("training_state") or {}).get("fixes") or {}
        try:
            fixes = {str(key): SoundFix.from_dict(item) for key, item in dict(stored).items()}
        except (TypeError, ValueError, AttributeError) as exc:
            raise CheckpointError("The checkpoint holds damaged fixes of sounds. Use another checkpoint.") from exc
    elif wanted := opened.request.fixes or record.wanted_fixes:  # the latter of a run that was stopped just here
        fixes = {}
        for path, fix in wanted.items():
            with suppress(SoundError):  # it is reported with the other files
                fixes[cache.content_hash(path, opened.request.pause_event)] = fix
        record.fixes, record.wanted_fixes = fixes, {}
        opened.request.check_paused()
        if opened.ranks.is_first:  # a run that is killed while its sounds are read starts again with them
            save_record(opened)
    else:
        fixes = dict(record.fixes)  # of a run that starts again
    record.fixes = fixes
    return fixes, SoundCache(preparation=preparation, fixes=record.fixes_of_sounds)


def _paths_to_decode(opened: OpenedRun, fixes: Mapping[str, SoundFix], cache: SoundCache) -> list[Path]:
    """Return the files to decode: without those that are left out, and in a resumed run those refused at its start."""
    paths = [Path(path) for path in opened.request.file_paths]
    left_out = {key for key, fix in fixes.items() if fix.leaves_out}
    if left_out:
        kept_paths = []
        for path in paths:
            with suppress(SoundError):
                if cache.content_hash(path, opened.request.pause_event) in left_out:
                    continue
            kept_paths.append(path)
        paths = kept_paths
        if opened.checkpoint is None:
            opened.record.file_paths = [path.absolute() for path in paths]
    if opened.checkpoint is None:
        return paths
    refused = {item.path for item in opened.record.skipped}
    return [path for path in paths if path.absolute() not in refused]


def _report_fixes(opened: OpenedRun) -> None:
    """Say which sounds of a new run are changed when they are read, or left out."""
    if opened.checkpoint is not None or not opened.request.fixes:
        return
    parts = [f"{path.name} ({fix.text})" for path, fix in sorted(opened.request.fixes.items()) if fix.text]
    if parts:
        opened.emit(
            TrainingNotice("sounds", f"Fixed when read; your files stay as they are: {', '.join(parts)}.", "info")
        )


def _split(
    opened: OpenedRun, sounds: Sequence[CachedSound], chunk_samples: int
) -> tuple[list[CachedSound], list[CachedSound]]:
    """Return the sounds to train on and those held out; a run from a model keeps what that has learnt from apart."""
    share, record = opened.config.val_fraction, opened.record
    known = origin_split(record)
    if known is None:
        train, val = split_sounds(sounds, share, chunk_samples)
    else:
        train, val = split_with(known, sounds, share, chunk_samples)
    if record.origin is not None and opened.checkpoint is None:
        if known is None:
            text = "It is not known which sounds it was tested with: the held-out loss may be lower than it should be."
        elif is_tested_by_known(known, val):
            text = "It was trained on all of these sounds: the held-out loss is lower than it should be."
        else:
            text = "Sounds that it was tested with stay held out."
        opened.emit(TrainingNotice("origin", f"The run starts from {record.origin_text}. {text}", "info"))
    return train, val


def _preview_waveforms(sounds: Sequence[CachedSound], samples: int) -> Tensor:
    """Return the beginnings of sounds, ``[B, 1, N]``."""
    return torch.stack([torch.from_numpy(sound.read(0, samples)) for sound in sounds])[:, None]
