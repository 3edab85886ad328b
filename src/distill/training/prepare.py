"""Prepares a run: sounds, features, network, compute plan, optimizer; from the start or from a checkpoint."""

import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from distill.audio.augmentation import AugmentationPipeline
from distill.audio.cache.sound_cache import CachedSound, SoundCache
from distill.audio.decoding.fixes import SoundFix
from distill.audio.decoding.sound_file import PREPARATION, SAMPLE_RATE
from distill.computing.interruptible import Interruptible
from distill.computing.waiting import wait_for
from distill.errors import (
    CheckpointError,
    ModelFileError,
    NoAnswer,
    RunFolderError,
    SoundError,
    TrainingError,
    pass_on_memory_error,
)
from distill.events import PreparationProgress, TrainingNotice
from distill.metrics_history import AnyHistory
from distill.models.priors.window_prior import WindowPrior, anchor_count
from distill.paths import RUN_MARKER
from distill.runs.checkpoints import drop_later_checkpoints, list_checkpoints
from distill.runs.estimate import closing_seconds
from distill.runs.folder import Interruption, last_position, read_history
from distill.runs.measured_costs import Figures
from distill.runs.verdict import is_at_its_end, warm_up_epochs
from distill.serialization.archive import apply_state
from distill.training.checkpoint import apply_checkpoint, lacking
from distill.training.compute_plan import ComputePlan, choose_plan, stored_plan
from distill.training.data.known_split import KnownSplit, is_tested_by_known, origin_split, split_with
from distill.training.data.locate import fingerprints_of, keep_identities
from distill.training.data.preview_choice import preview_sounds
from distill.training.data.regions import silence_note
from distill.training.data.same_audio import copies_note
from distill.training.data.split import split_sounds
from distill.training.dataset import FeatureDataset, PreparedSounds, make_loader, prepare_sounds
from distill.training.run import BestEpoch, OpenedRun, Run, TrainingData
from distill.training.steps.eta import STEPS, EtaEstimator
from distill.training.steps.new_sounds import NewSoundMeter
from distill.training.steps.prior_training import LatentTable, PriorTraining
from distill.training.steps.schedule import CosineFactor, make_scheduler
from distill.training.steps.step import TrainingStep, step_randomness

#: Width and blocks of the network of a new run's prior.
PRIOR_SIZE = (384, 3)
#: Items of the training set, spread evenly, that the components of a prior are computed from.
_PROJECTION_ITEMS = 768
#: Maximum number of training chunks, spread evenly, that the statistics of the corpus are computed from.
_STATISTICS_CHUNKS = 1024


def prepare(opened: OpenedRun) -> Run:
    """Return the run, ready for its next step: at its start, or where its checkpoint stands.

    Raises
    ------
    DistillError
        Too few sounds can be used, or the checkpoint does not fit.
    Cancelled
        The user stopped.
    """
    with Interruptible(opened.request.check_paused):
        run = _prepare(opened)
    try:
        run.ranks.barrier()  # all have read what is written now
        run.ranks.on_first(lambda: _begin(opened, run.history))
    except BaseException:
        run.writer.close()
        raise
    return run


def _prepare(opened: OpenedRun) -> Run:
    """Compute what a run consists of; writes nothing but the cache, and the fixes of a new run."""
    config, checkpoint = opened.config, opened.checkpoint
    data = _training_data(opened)
    model = _network(opened, data)
    plan = _common_plan(opened, data, model)
    plan.prepare_model(model)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = AdamW(trained, lr=config.learning_rate, weight_decay=config.regularization.weight_decay, fused=True)
    prior = _prior(opened, data, model)
    schedule = CosineFactor.of_run(config.max_epochs * data.steps_per_epoch)
    scheduler = make_scheduler(optimizer, schedule)
    history, state = opened.family.history_type(), _State(kl_epochs=config.max_epochs)
    eta = EtaEstimator()
    if checkpoint is not None:
        stored, history, state = _read_state(opened, checkpoint, data)
        eta.earlier_steps = list(history.step_column("step_time_s")[-STEPS:])
        assert opened.request.resume_checkpoint is not None
        apply_checkpoint(opened.request.resume_checkpoint, checkpoint, model, optimizer, scheduler)
        _restore_prior(opened, checkpoint, data, model, prior)
        schedule = _continue_schedule(opened, data, stored, state, optimizer, scheduler)
        _report_resumed(opened, data, state, len(history.epochs))
        _release_patience(opened, history, warm_up_epochs(opened.config, state.kl_epochs))
    elif opened.start is None or opened.start.prior is None or not prior.start_from(opened.start.prior):
        _fit_projection(opened, data, model, prior)
    opened.ranks.broadcast([*prior.prior.buffers(), *prior.averaged.buffers()])
    opened.record.kl_epochs = state.kl_epochs
    return Run(
        **vars(opened), **vars(state), training_data=data, model=model, plan=plan, optimizer=optimizer, prior=prior,
        scheduler=scheduler, schedule=schedule, history=history, eta=eta, best=_best_on_disk(opened),
        known_epochs=len(history.epochs), closing_seconds=_closing_seconds(opened, data),
        started=time.perf_counter(),
    )  # fmt: skip


def _closing_seconds(opened: OpenedRun, data: TrainingData) -> float:
    """Return how long the run will take from its last epoch to its end, by earlier runs on this computer."""
    layout, steps = data.train_set.layout, opened.config.max_epochs * data.steps_per_epoch
    return closing_seconds(opened.config, len(layout.sounds), layout.chunks, steps, Figures.load())


def _best_on_disk(opened: OpenedRun) -> BestEpoch:
    """Return the best epoch that the run's folder has a checkpoint of; that of a new run has none."""
    if opened.checkpoint is None:
        return BestEpoch()
    known, last = list_checkpoints(opened.folder.checkpoints), opened.checkpoint["epoch"]
    listed = [c for c in known if c["val_loss"] is not None and c["epoch"] <= last]  # later ones are trained again
    best = min(listed, key=lambda c: (c["val_loss"], c["epoch"]), default=None)
    return BestEpoch() if best is None else BestEpoch(best["epoch"], best["val_loss"])


def _prior(opened: OpenedRun, data: TrainingData, model: nn.Module) -> PriorTraining:
    """Return the training of a prior that starts with the network, of the size that the checkpoint has."""
    dataset, family, config = data.train_set, opened.family, opened.config
    stored = ((opened.checkpoint or {}).get("training_state") or {}).get("prior")
    try:
        begun = opened.start.prior if opened.start is not None else None if stored is None else stored["prior"]
        width, blocks = PRIOR_SIZE if begun is None else WindowPrior.size_of(begun)
        anchors = anchor_count(dataset.counted_sounds) if stored is None else len(stored["prior"]["anchors"])
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as exc:
        raise _unfitting_prior(opened) from exc
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        prior = WindowPrior(family.point_dim(model), family.prior_components, width, blocks, anchors)
    return PriorTraining(prior, LatentTable(dataset, prior.dim, opened.device), config.prior_steps, opened.device)


@torch.no_grad()
def _fit_projection(opened: OpenedRun, data: TrainingData, model: nn.Module, prior: PriorTraining) -> None:
    """Compute the components that the prior describes the points by, once: the encoder starts near its linear part.

    On one corpus the components of the new network hold 98.8 % of the variance of the trained one's points, where its
    own hold 98.9 %.
    """
    if not prior.prior.is_projecting or not opened.ranks.is_first:  # the others are sent what this one computes
        return
    items = _spread(len(data.train_set), _PROJECTION_ITEMS)
    was_training = model.training
    model.eval()
    batches = data.train_set.batches(items, 64)
    points = [opened.family.points(model, batch.to(opened.device)).float() for batch in batches]
    model.train(was_training)
    owner = torch.from_numpy(data.train_set.owner)[items]
    weights = 1.0 / torch.bincount(owner)[owner].double()
    if data.train_set.weights is not None:
        weights = weights * torch.from_numpy(data.train_set.weights)[owner]
    prior.fit_projection(torch.cat(points), weights)


def _restore_prior(
    opened: OpenedRun, checkpoint: dict[str, Any], data: TrainingData, model: nn.Module, prior: PriorTraining
) -> None:
    """Continue the prior where a checkpoint stands; that of an older version has none, and the prior then starts here.

    Raises
    ------
    CheckpointError
        The stored prior does not fit.
    """
    stored = (checkpoint.get("training_state") or {}).get("prior")
    if stored is None:
        _fit_projection(opened, data, model, prior)
        return
    try:
        prior.load_state_dict(stored)
    except (KeyError, RuntimeError, TypeError, ValueError, AttributeError) as exc:
        pass_on_memory_error(exc)
        raise _unfitting_prior(opened) from exc


def _unfitting_prior(opened: OpenedRun) -> CheckpointError:
    assert opened.request.resume_checkpoint is not None
    name = opened.request.resume_checkpoint.name
    return CheckpointError(f"{name} holds a prior that does not fit this run. Use another checkpoint.")


@dataclass(frozen=True)
class _State:
    """Where a run stands; see `Run` for the fields."""

    kl_epochs: int
    epoch: int = 0
    step: int = 0
    unfinished_checkpoint: int | None = None
    saved_at: tuple[int, int] | None = None
    elapsed_before: float = 0.0


def _begin(opened: OpenedRun, history: AnyHistory) -> None:
    """Write the record and the history; a resume that was refused before has left everything on disk unchanged."""
    record = opened.record
    if opened.checkpoint is not None and record.status == "running":  # it was killed
        kept, reached = history.position, last_position(opened.folder.path, type(history))
        if reached:  # otherwise the checkpoint is another run's
            record.interruptions.append(Interruption(kept, max(kept, reached)))
    record.config, record.status, record.error = opened.config, "running", None
    record.dataset_name = opened.request.dataset_name or record.dataset_name
    record.model_name = opened.request.model_name or record.model_name
    record.speed = {**record.speed, "device": str(opened.device)}
    _save_record(opened)
    try:
        opened.folder.write_history(history)
        if opened.checkpoint is not None:
            drop_later_checkpoints(opened.folder.checkpoints, opened.checkpoint["epoch"])
    except OSError as exc:
        raise _unwritable(opened, exc) from exc


def _save_record(opened: OpenedRun) -> None:
    try:
        opened.record.save(opened.folder.path)
    except OSError as exc:
        raise _unwritable(opened, exc) from exc


def _unwritable(opened: OpenedRun, error: OSError) -> RunFolderError:
    return RunFolderError(f"The folder {opened.folder.path} cannot be written to ({error.strerror or error}).")


def _spread(items: int, most: int) -> list[int]:
    """Return up to ``most`` item numbers, spread evenly."""
    picked: list[int] = np.unique(np.linspace(0, items - 1, min(items, most)).round().astype(int)).tolist()
    return picked


def _training_data(opened: OpenedRun) -> TrainingData:
    request, config, emit, ranks = opened.request, opened.config, opened.emit, opened.ranks
    chunk_samples = round(config.chunk_duration_s * SAMPLE_RATE)
    preparation = _preparation(opened)
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
    previewed = preview_sounds(
        opened.record, origin_split(opened.record), val_set.layout.sounds, train_set.layout.sounds
    )
    opened.record.preview_sounds = [sound.source for sound in previewed]
    opened.record.split = KnownSplit.of(train, val, previewed).to_dict()
    held_out = {(sound.source, sound.start) for sound in val_set.layout.sounds}
    opened.record.preview_training = [n for n, s in enumerate(previewed) if (s.source, s.start) not in held_out]
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
        measured_train_items=_spread(train_set.layout.chunks, len(val_set)),
        preview_waveforms=_preview_waveforms(previewed, val_set.layout.chunk_samples),
        new_sounds=NewSoundMeter(opened.family, (train_set, val_set)),
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


def _preparation(opened: OpenedRun) -> int:
    """Return how the sounds are prepared: as the run was begun, which of older runs is not on record.

    Raises
    ------
    CheckpointError
        The checkpoint does not say it, or a newer version has prepared them.
    """
    path = opened.request.resume_checkpoint
    if opened.checkpoint is None or path is None:
        return PREPARATION
    stored = (opened.checkpoint.get("training_state") or {}).get("preparation", 1)
    if type(stored) is not int or stored < 1:
        raise lacking(path, ValueError("how its sounds were prepared"))
    if stored > PREPARATION:
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
            _save_record(opened)
    else:
        fixes = dict(record.fixes)  # of a run that starts again
    record.fixes = fixes
    return fixes, SoundCache(preparation=preparation, fixes=record.fixes_of_sounds)


def _paths_to_decode(opened: OpenedRun, fixes: Mapping[str, SoundFix], cache: SoundCache) -> list[Path]:
    """Return the files to decode: without those that are left out, and in a resumed run those refused at its start."""
    paths = [Path(path) for path in opened.request.file_paths]
    left_out = {key for key, fix in fixes.items() if fix.leaves_out}
    if left_out:
        kept = []
        for path in paths:
            with suppress(SoundError):
                if cache.content_hash(path, opened.request.pause_event) in left_out:
                    continue
            kept.append(path)
        paths = kept
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


def _network(opened: OpenedRun, data: TrainingData) -> nn.Module:
    """Return the network; for a new run its statistics are fitted to the training features."""
    opened.request.check_paused()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(opened.config.seed)
        model = opened.family.build().to(opened.device)
        if opened.start is not None:
            apply_state(model, opened.start.weights, "network", Path(str(opened.start.origin["path"])), ModelFileError)
        elif opened.checkpoint is None and opened.ranks.is_first:
            batches = []
            for batch in data.train_set.batches(_spread(len(data.train_set), _STATISTICS_CHUNKS), 64):
                opened.request.check_paused()
                batches.append(batch)
            opened.family.fit_statistics(model, torch.cat(batches))
    opened.request.check_paused()
    opened.ranks.broadcast([*model.parameters(), *model.buffers()])  # what was fitted once
    return model


def _common_plan(opened: OpenedRun, data: TrainingData, model: nn.Module) -> ComputePlan:
    """Return the compute plan of all processes, which the first one chooses."""
    chosen: list[ComputePlan] = []

    def choose() -> dict[str, Any]:
        chosen.append(_compute_plan(opened, data, model))
        return chosen[0].to_dict()

    told = opened.ranks.on_first(choose)
    return chosen[0] if chosen else ComputePlan.from_dict(told)


def _compute_plan(opened: OpenedRun, data: TrainingData, model: nn.Module) -> ComputePlan:
    """Return the compute plan: that of the run so far, or one chosen by a trial on a copy of the network."""
    state = (opened.checkpoint or {}).get("training_state") or {}
    known = state.get("speed", opened.record.speed)
    if known != {} and (stored := stored_plan(known, opened.request.resume_checkpoint)) is not None:
        plan = stored.changed_by(opened.config)
        if opened.config.num_threads == "auto" and opened.record.speed.get("processes", 1) != opened.ranks.size:
            threads = torch.get_num_threads()  # that number was right for another number of processes
            plan = replace(plan, num_threads=threads, why=f"{plan.precision}, for {opened.ranks.size} processes")
    else:
        plan = _choose_by_trial(opened, data, model)
        opened.emit(TrainingNotice("speed", f"Computing in {plan.why}.", "info"))
    opened.record.speed = {**opened.record.speed, **plan.to_dict(), "processes": opened.ranks.size}
    return plan


def _choose_by_trial(opened: OpenedRun, data: TrainingData, model: nn.Module) -> ComputePlan:
    config, family = opened.config, opened.family
    items = _spread(len(data.train_set), config.batch_size)
    batch = next(data.train_set.batches(items, config.batch_size)).to(opened.device)
    weights = family.weights(1.0)
    steps: dict[tuple[str, bool], TrainingStep] = {}

    def step_of(plan: ComputePlan) -> TrainingStep:
        key = (plan.precision, plan.channels_last)
        if key not in steps:
            twin = plan.prepare_model(copy.deepcopy(model)).train()
            optimizer = AdamW([p for p in twin.parameters() if p.requires_grad], lr=1e-4, fused=True)
            steps[key] = TrainingStep(family, twin, optimizer, 1.0, plan)
        return steps[key]

    def step(plan: ComputePlan, chunks: int) -> None:
        opened.request.check_paused()
        with step_randomness(config.seed, 0, 0, opened.device):
            step_of(plan)(plan.layout(batch[:chunks]), weights, 0)

    opened.emit(PreparationProgress("Measuring your computer", 0, 1))
    subject = f"{family.feature_key()} {type(model).__name__} {batch.shape}"
    return choose_plan(config, opened.device, step, len(batch), subject, config.max_epochs * len(data.train_set.layout))


def _read_state(
    opened: OpenedRun, checkpoint: dict[str, Any], data: TrainingData
) -> tuple[CosineFactor, AnyHistory, _State]:
    """Return the schedule, the history and the position that a checkpoint holds.

    Raises
    ------
    CheckpointError
        Something is missing, or the checkpoint was trained on other sounds.
    """
    path = opened.request.resume_checkpoint
    assert path is not None
    stored = checkpoint.get("training_state") or {}
    try:
        history = opened.family.history_type().from_dict(checkpoint["metrics_history"])
        schedule = CosineFactor.from_dict(stored["schedule"])
        completed, position, digest = stored["epoch_completed"], int(stored["step_in_epoch"]), str(stored["sounds"])
        kl_epochs, elapsed = int(stored["kl_epochs"]), float(stored["elapsed_seconds"])
        if type(completed) is not bool or kl_epochs < 1 or not 0 <= elapsed < math.inf:
            raise ValueError("a run without epochs or time")
    except (KeyError, TypeError, ValueError, OverflowError) as exc:
        raise lacking(path, exc) from exc
    if digest != data.digest:
        raise CheckpointError(
            f"The sounds are not those that {path.name} was trained on: some were added, removed or changed. "
            "Put them back, show the folder where they are now (--sounds FOLDER), or start a new run."
        )
    if not completed and not 0 <= position <= data.steps_per_epoch:
        raise lacking(path, ValueError(f"step {position} of {data.steps_per_epoch}"))
    epoch, step = (checkpoint["epoch"] + 1, 0) if completed else (checkpoint["epoch"], position)
    saved_at = (epoch, step) if opened.request.resumes_own else None  # one of another run is written here as well
    state = _State(kl_epochs, epoch, step, None if completed else epoch, saved_at, elapsed)
    return schedule, history, state


def _report_resumed(opened: OpenedRun, data: TrainingData, state: _State, known_epochs: int) -> None:
    """Say where the run continues, and how many epochs a crash has lost."""
    path, epochs = opened.request.resume_checkpoint, opened.config.max_epochs
    assert path is not None
    if state.epoch >= epochs:
        done = "all epochs are done, and what is missing of the run is written now"
    else:
        done = f"{state.epoch} of {epochs} epochs are done"
        if state.step:
            done += f", and {state.step} of {data.steps_per_epoch} steps of epoch {state.epoch + 1}"
    has_begun = (opened.folder.path / RUN_MARKER).exists()  # a run that goes on from another one has no history yet
    lost = len(read_history(opened.folder.path).epochs) - known_epochs if has_begun else 0
    if lost > 0:
        done += f"; {lost} later {'epoch is' if lost == 1 else 'epochs are'} lost and trained again"
    opened.emit(TrainingNotice("resumed", f"Resumed from {path.name}: {done}.", "info"))


def _release_patience(opened: OpenedRun, history: AnyHistory, warm_up: int) -> None:
    """Let a run that has ended because it no longer improved train all the epochs that the user now asks for."""
    if opened.record.status == "finished" and is_at_its_end(history.epochs, opened.config.patience, warm_up):
        opened.config = replace(opened.config, patience=0)
        text = f"The run now trains all of its {opened.config.max_epochs} epochs, also if it does not improve."
        opened.emit(TrainingNotice("schedule", text, "info"))


def _continue_schedule(
    opened: OpenedRun,
    data: TrainingData,
    stored: CosineFactor,
    state: _State,
    optimizer: AdamW,
    scheduler: LambdaLR,
) -> CosineFactor:
    """Return the stored schedule, or, for another number of epochs, one that leads to their end; and apply it."""
    config, total = opened.config, opened.config.max_epochs * data.steps_per_epoch
    taken = state.epoch * data.steps_per_epoch + state.step
    completed = taken >= total
    schedule = stored if completed or total == stored.total_steps else stored.extended(taken, total)
    scheduler.lr_lambdas = [schedule]
    rate = config.learning_rate * schedule(taken)
    for group in optimizer.param_groups:
        group["lr"] = rate
    if schedule is not stored:
        peak = config.learning_rate * schedule(taken + schedule.warmup_steps)
        opened.emit(
            TrainingNotice(
                "schedule",
                f"The run now goes to {config.max_epochs} epochs: the learning rate moves from {rate:.1e} to "
                f"{peak:.1e} within {schedule.warmup_steps} steps, then follows the cosine of the longer run; the KL "
                f"weight keeps its warm-up of {state.kl_epochs} epochs.",
                "info",
            )
        )
    return schedule
