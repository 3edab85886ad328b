"""Prepares a run: network, optimizer, schedule, record; from the start or where its checkpoint stands."""

import time
from pathlib import Path

import torch
from torch import nn
from torch.optim import AdamW

from distill.computing.interruptible import Interruptible
from distill.errors import ModelFileError
from distill.metrics_history import AnyHistory
from distill.runs.checkpoint_folder import drop_later_checkpoints, list_checkpoints
from distill.runs.estimates.estimate import closing_seconds
from distill.runs.estimates.measured_costs import Figures
from distill.runs.run_history import last_position
from distill.runs.run_record import Interruption
from distill.runs.verdict import warm_up_epochs
from distill.serialization.weight_checks import apply_state
from distill.training.beginning.open_run import save_record, unwritable
from distill.training.beginning.plan_trial import common_plan
from distill.training.beginning.prepare_prior import fit_projection, make_prior, restore_prior
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
    data = training_data(opened)
    model = _network(opened, data)
    plan = common_plan(opened, data, model)
    plan.prepare_model(model)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = AdamW(trained, lr=config.learning_rate, weight_decay=config.regularization.weight_decay, fused=True)
    prior = make_prior(opened, data, model)
    schedule = CosineFactor.of_run(config.max_epochs * data.steps_per_epoch)
    scheduler = make_scheduler(optimizer, schedule)
    history, state = opened.family.history_type(), RunPosition(kl_epochs=config.max_epochs)
    eta = EtaEstimator()
    if checkpoint is not None:
        stored, history, state = read_state(opened, checkpoint, data)
        eta.earlier_steps = list(history.step_column("step_time_s")[-STEPS:])
        assert opened.request.resume_checkpoint is not None
        apply_checkpoint(opened.request.resume_checkpoint, checkpoint, model, optimizer, scheduler)
        restore_prior(opened, checkpoint, data, model, prior)
        schedule = continue_schedule(opened, data, stored, state, optimizer, scheduler)
        report_resumed(opened, data, state, len(history.epochs))
        release_patience(opened, history, warm_up_epochs(opened.config, state.kl_epochs))
    elif opened.start is None or opened.start.prior is None or not prior.start_from(opened.start.prior):
        fit_projection(opened, data, model, prior)
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
    known, last = list_checkpoints(opened.folder.checkpoints), opened.checkpoint["epoch"]
    listed = [c for c in known if c["val_loss"] is not None and c["epoch"] <= last]  # later ones are trained again
    best = min(listed, key=lambda c: (c["val_loss"], c["epoch"]), default=None)
    return BestCheckpoint() if best is None else BestCheckpoint(best["epoch"], best["val_loss"])


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
