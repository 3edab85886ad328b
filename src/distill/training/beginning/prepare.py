"""Prepares a run: network, optimizer, prior, schedule, record; from the start or where its checkpoint stands."""

import time
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import AdamW

from distill.computing.interruptible import Interruptible
from distill.errors import CheckpointError, ModelFileError, pass_on_memory_error
from distill.metrics_history import AnyHistory
from distill.models.priors.window_prior import WindowPrior, anchor_count
from distill.runs.checkpoint_folder import drop_later_checkpoints, list_checkpoints
from distill.runs.estimates.estimate import closing_seconds
from distill.runs.estimates.measured_costs import Figures
from distill.runs.run_history import last_position
from distill.runs.run_record import Interruption
from distill.runs.verdict import warm_up_epochs
from distill.serialization.weight_checks import apply_state
from distill.training.beginning.compute_plan_trial import common_plan
from distill.training.beginning.open_run import save_record, unwritable
from distill.training.beginning.resumed_state import (
    RunPosition,
    continue_schedule,
    read_state,
    release_patience,
    report_resumed,
)
from distill.training.beginning.training_data import spread_items, training_data
from distill.training.checkpoint import BestCheckpoint, apply_checkpoint
from distill.training.run import OpenedRun, Run, TrainingData
from distill.training.steps.eta import STEPS, EtaEstimator
from distill.training.steps.learning_rate_schedule import CosineFactor, make_scheduler
from distill.training.steps.prior_training import LatentTable, PriorTraining

#: Maximum number of training chunks, spread evenly, that the statistics of the corpus are computed from.
_STATISTICS_CHUNKS = 1024
#: Width and blocks of the network of a new run's prior.
PRIOR_SIZE = (384, 3)
#: Items of the training set, spread evenly, that the components of a prior are computed from.
_PROJECTION_ITEMS = 768


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
    data = training_data(opened)
    model = _network(opened, data)
    plan = common_plan(opened, data, model)
    plan.prepare_model(model)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = AdamW(trained, lr=config.learning_rate, weight_decay=config.regularization.weight_decay, fused=True)
    prior = _make_prior(opened, data, model)
    schedule = CosineFactor.of_run(config.max_epochs * data.steps_per_epoch)
    scheduler = make_scheduler(optimizer, schedule)
    history, state = opened.family.history_type(), RunPosition(kl_epochs=config.max_epochs)
    eta = EtaEstimator()
    if checkpoint is not None:
        stored, history, state = read_state(opened, checkpoint, data)
        eta.earlier_steps = list(history.step_column("step_time_s")[-STEPS:])
        assert opened.request.resume_checkpoint is not None
        apply_checkpoint(opened.request.resume_checkpoint, checkpoint, model, optimizer, scheduler)
        _restore_prior(opened, checkpoint, data, model, prior)
        schedule = continue_schedule(opened, data, stored, state, optimizer, scheduler)
        report_resumed(opened, data, state, len(history.epochs))
        release_patience(opened, history, warm_up_epochs(opened.config, state.kl_epochs))
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


def _best_on_disk(opened: OpenedRun) -> BestCheckpoint:
    """Return the best epoch that the run's folder has a checkpoint of; that of a new run has none."""
    if opened.checkpoint is None:
        return BestCheckpoint()
    all_checkpoints, last_epoch = list_checkpoints(opened.folder.checkpoints), opened.checkpoint["epoch"]
    # Later ones are trained again.
    validated = [c for c in all_checkpoints if c["val_loss"] is not None and c["epoch"] <= last_epoch]
    best = min(validated, key=lambda c: (c["val_loss"], c["epoch"]), default=None)
    return BestCheckpoint() if best is None else BestCheckpoint(best["epoch"], best["val_loss"])


def _begin(opened: OpenedRun, history: AnyHistory) -> None:
    """Write the record and the history; a resume that was refused before has left everything on disk unchanged."""
    record = opened.record
    if opened.checkpoint is not None and record.status == "running":  # it was killed
        kept_position, reached_position = history.position, last_position(opened.folder.path, type(history))
        if reached_position:  # otherwise the checkpoint is another run's
            record.interruptions.append(Interruption(kept_position, max(kept_position, reached_position)))
    record.config, record.status, record.error = opened.config, "running", None
    record.dataset_name = opened.request.dataset_name or record.dataset_name
    record.model_name = opened.request.model_name or record.model_name
    record.speed = {**record.speed, "device": str(opened.device)}
    save_record(opened)
    try:
        opened.folder.write_history(history)
        if opened.checkpoint is not None:
            drop_later_checkpoints(opened.folder.checkpoints, opened.checkpoint["epoch"])
    except OSError as exc:
        raise unwritable(opened, exc) from exc


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
            for batch in data.train_set.batches(spread_items(len(data.train_set), _STATISTICS_CHUNKS), 64):
                opened.request.check_paused()
                batches.append(batch)
            opened.family.fit_statistics(model, torch.cat(batches))
    opened.request.check_paused()
    opened.ranks.broadcast([*model.parameters(), *model.buffers()])  # what was fitted once
    return model


def _make_prior(opened: OpenedRun, data: TrainingData, model: nn.Module) -> PriorTraining:
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
    items = spread_items(len(data.train_set), _PROJECTION_ITEMS)
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
