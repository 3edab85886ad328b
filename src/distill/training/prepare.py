"""Setting up a run: sounds, features, network, speed; anew or from a checkpoint."""

import copy
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import AdamW

from distill.audio.augmentation import AugmentationPipeline
from distill.audio.cache.sound_cache import SoundCache
from distill.errors import CheckpointError, RunFolderError
from distill.events import PreparationProgress, TrainingNotice
from distill.models.priors.window_prior import WindowPrior, anchor_count
from distill.runs.checkpoints import drop_later_checkpoints
from distill.training.checkpoint import apply_checkpoint
from distill.training.compute_plan import ComputePlan, choose_plan
from distill.training.data.features import FeatureDataset
from distill.training.dataset import make_loader, prepare_sounds, split_by_file
from distill.training.preview import PAIRS
from distill.training.prior_training import LatentTable, PriorTraining
from distill.training.run import Run, TrainingData
from distill.training.steps.eta import STEPS
from distill.training.steps.schedule import CosineFactor, make_scheduler
from distill.training.steps.step import TrainingStep, step_randomness

#: Items of the training set, spread evenly, that the components of a prior are taken from.
_PROJECTION_ITEMS = 768
#: Training chunks, spread evenly, that the statistics of the corpus are taken from.
_STATISTICS_CHUNKS = 1024


def set_up(run: Run) -> None:
    """Prepare sounds, features and network, and take up the checkpoint where there is one.

    Raises
    ------
    DistillError
        Too few sounds can be used, or the checkpoint does not fit.
    DecodingCancelled
        The user stopped.
    """
    run.training_data = _training_data(run)
    run.kl_epochs = run.config.max_epochs
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(run.config.seed)
        model = run.family.build().to(run.device)
        if run.checkpoint is None:
            items = _spread(len(run.training_data.train_set), _STATISTICS_CHUNKS)
            run.family.fit_statistics(model, torch.cat(list(run.training_data.train_set.batches(items, 64))))
    run.model = model
    run.speed = _speed(run, model)
    run.speed.prepare_model(model)
    trained = [p for p in model.parameters() if p.requires_grad]
    run.optimizer = AdamW(
        trained, lr=run.config.learning_rate, weight_decay=run.config.regularization.weight_decay, fused=True
    )
    run.prior = _prior(run, model)
    total = run.config.max_epochs * run.training_data.steps_per_epoch
    run.schedule = CosineFactor.of_run(total)
    run.scheduler = make_scheduler(run.optimizer, run.schedule)
    if run.checkpoint is not None:
        _restore_checkpoint(run, run.checkpoint)
    else:
        _fit_projection(run)
    _begin(run)
    run.started = time.perf_counter()


def _prior(run: Run, model: nn.Module) -> PriorTraining:
    """Return the training of a prior that begins with the network."""
    assert run.training_data is not None
    dataset, family = run.training_data.train_set, run.family
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(run.config.seed)
        anchors = anchor_count(len(dataset.layout.sounds))
        prior = WindowPrior(family.point_dim(model), family.prior_components, anchors=anchors)
    return PriorTraining(prior, LatentTable(dataset, prior.dim, run.device), run.config.prior_steps, run.device)


@torch.no_grad()
def _fit_projection(run: Run) -> None:
    """Find the components that the prior describes the points by, once: the encoder starts near its linear part.

    On one corpus the components of the new network hold 98.8 % of the variance of the trained one's points, where its
    own hold 98.9 %.
    """
    assert run.training_data is not None and run.model is not None and run.prior is not None
    if not run.prior.prior.is_projecting:
        return
    dataset = run.training_data.train_set
    items = _spread(len(dataset), _PROJECTION_ITEMS)
    was_training = run.model.training
    run.model.eval()
    points = [run.family.points(run.model, batch.to(run.device)).float() for batch in dataset.batches(items, 64)]
    run.model.train(was_training)
    owner = torch.from_numpy(dataset.owner)[items]
    run.prior.fit_projection(torch.cat(points), 1.0 / torch.bincount(owner)[owner].double())


def _begin(run: Run) -> None:
    """Put the run on record; a resume that was refused until here has left everything on disk as it was."""
    run.record.config, run.record.status, run.record.error = run.config, "running", None
    run.record.dataset_name = run.request.dataset_name or run.record.dataset_name
    run.record.model_name = run.request.model_name or run.record.model_name
    run.record.speed = {**run.record.speed, "device": str(run.device)}
    try:
        run.record.save(run.folder.path)
        run.folder.write_history(run.history)
        if run.checkpoint is not None:
            drop_later_checkpoints(run.folder.checkpoints, run.checkpoint["epoch"])
    except OSError as exc:
        raise RunFolderError(f"The folder {run.folder.path} cannot be written to ({exc.strerror or exc}).") from exc
    run.began = True


def _spread(items: int, most: int) -> list[int]:
    """Return up to ``most`` item numbers, spread evenly."""
    picked: list[int] = np.unique(np.linspace(0, items - 1, min(items, most)).round().astype(int)).tolist()
    return picked


def _training_data(run: Run) -> TrainingData:
    request, config, emit = run.request, run.config, run.emit
    prepared = prepare_sounds(
        request.file_paths, SoundCache(), lambda d, t: emit.progress("Reading sounds", d, t), request.pause_event
    )
    run.record.skipped = prepared.skipped
    for skipped in prepared.skipped:
        emit(TrainingNotice("skipped", f"{skipped.path.name} is left out: {skipped.reason}"))
    train, val = split_by_file(prepared.sounds, config.val_fraction)
    variants = config.regularization.augmentation_expansion
    pipeline = AugmentationPipeline() if variants > 1 else None
    train_set = FeatureDataset(train, run.family, pipeline, variants, half_steps=True)
    val_set = FeatureDataset(val, run.family)
    run.record.preview_sounds = [sound.source for sound in val_set.layout.sounds[:PAIRS]]
    for stage, dataset in (("Preparing variants", train_set), ("Preparing held-out sounds", val_set)):
        dataset.prepare(lambda d, t, stage=stage: emit.progress(stage, d, t), request.pause_event)  # type: ignore[misc]
    return TrainingData(
        sounds=prepared.sounds,
        train_set=train_set,
        val_set=val_set,
        train_loader=make_loader(train_set, len(train_set.layout), config.batch_size, config.seed, train_set.owner),
        probe_items=_spread(train_set.layout.chunks, len(val_set)),
        preview_waveforms=_preview_waveforms(val_set),
    )


def _preview_waveforms(val_set: FeatureDataset) -> Tensor:
    """Return the beginning of the first held-out sounds, ``[B, 1, N]``."""
    layout = val_set.layout
    starts = [torch.from_numpy(sound.read(0, layout.chunk_samples)) for sound in layout.sounds[:PAIRS]]
    return torch.stack(starts)[:, None]


def _speed(run: Run, model: nn.Module) -> ComputePlan:
    """Return how to compute: as the run did before, or by a trial on a copy of the network."""
    state = (run.checkpoint or {}).get("training_state", {})
    known = state.get("speed") or run.record.speed
    if known:
        run.record.speed = dict(known)
        return ComputePlan.from_dict(known)
    assert run.training_data is not None
    items = _spread(len(run.training_data.train_set), run.config.batch_size)
    batch = next(run.training_data.train_set.batches(items, run.config.batch_size)).to(run.device)
    weights = run.family.weights(1.0)

    def step(speed: ComputePlan) -> None:
        with step_randomness(run.config.seed, 0, 0, run.device):
            trial(speed)(speed.layout(batch), weights, 0)

    trials: dict[tuple[str, bool], TrainingStep] = {}

    def trial(speed: ComputePlan) -> TrainingStep:
        key = (speed.precision, speed.channels_last)
        if key not in trials:
            twin = speed.prepare_model(copy.deepcopy(model)).train()
            optimizer = AdamW([p for p in twin.parameters() if p.requires_grad], lr=1e-4, fused=True)
            trials[key] = TrainingStep(run.family, twin, optimizer, 1.0, speed)
        return trials[key]

    run.emit(PreparationProgress("Finding the fastest way to compute", 0, 1))
    chosen = choose_plan(
        run.config, run.device, step, f"{run.family.feature_key()} {type(model).__name__} {batch.shape}"
    )
    run.record.speed = chosen.to_dict()
    run.emit(TrainingNotice("speed", f"Computing in {chosen.why}.", "info"))
    return chosen


def _restore_checkpoint(run: Run, checkpoint: dict[str, Any]) -> None:
    """Continue where a checkpoint stood."""
    path = run.request.resume_checkpoint
    assert path is not None and run.model is not None and run.training_data is not None
    state = checkpoint.get("training_state") or {}
    try:
        run.history = type(run.history).from_dict(checkpoint["metrics_history"])
        stored = CosineFactor(**state["schedule"])
        completed, position, digest = bool(state["epoch_completed"]), int(state["step_in_epoch"]), str(state["sounds"])
        run.kl_epochs, run.elapsed_before = int(state["kl_epochs"]), float(state["elapsed_seconds"])
    except (KeyError, TypeError, ValueError) as exc:
        raise CheckpointError(f"{path.name} lacks what resuming needs ({exc}). Use another checkpoint.") from exc
    if digest != run.training_data.digest:
        raise CheckpointError(
            f"The sounds are not those that {path.name} was trained on: some were added, removed or changed. "
            "Put them back, or start a new run."
        )
    run.pace.earlier_steps = list(run.history.step_column("step_time_s")[-STEPS:])
    apply_checkpoint(path, checkpoint, run.model, run.optimizer, run.scheduler)
    run.epoch = checkpoint["epoch"] + 1 if completed else checkpoint["epoch"]
    run.step = 0 if completed else position
    run.unfinished_checkpoint = None if completed else run.epoch
    run.saved_at = (run.epoch, run.step)
    _restore_prior(run, state, path)
    _set_schedule(run, stored)
    reached = f"epoch {run.epoch + 1}" + (f", step {run.step + 1}" if run.step else "")  # from 1, for people
    run.emit(TrainingNotice("resumed", f"Resumed from {path.name} at {reached} of {run.config.max_epochs}.", "info"))


def _restore_prior(run: Run, state: dict[str, Any], path: Path) -> None:
    """Continue the prior where a checkpoint stood; one of an older version has none, and it then begins here."""
    stored = state.get("prior")
    if run.prior is None:
        return
    if stored is None:
        _fit_projection(run)
        return
    try:
        run.prior.load_state_dict(stored)
    except (KeyError, RuntimeError, TypeError, ValueError, AttributeError) as exc:
        raise CheckpointError(f"{path.name} holds a prior that does not fit this run. Use another checkpoint.") from exc


def _set_schedule(run: Run, stored: CosineFactor) -> None:
    """Keep the stored schedule, or go over to that of a longer or shorter run and say so."""
    assert run.training_data is not None and run.scheduler is not None and run.optimizer is not None
    total = run.config.max_epochs * run.training_data.steps_per_epoch
    taken = run.epoch * run.training_data.steps_per_epoch + run.step
    schedule = stored if total == stored.total_steps else stored.extended(taken, total)
    run.schedule = schedule
    run.scheduler.lr_lambdas = [schedule]
    rate = run.config.learning_rate * schedule(taken)
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    if schedule is not stored:
        peak = run.config.learning_rate * schedule(taken + schedule.warmup_steps)
        run.emit(
            TrainingNotice(
                "schedule",
                f"The run now goes to {run.config.max_epochs} epochs: the learning rate moves from {rate:.1e} to "
                f"{peak:.1e} within {schedule.warmup_steps} steps, then follows the cosine of the longer run; the KL "
                f"weight keeps its warm-up of {run.kl_epochs} epochs.",
                "info",
            )
        )
