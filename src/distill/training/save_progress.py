"""Writes checkpoints and history of a run.  A full or missing disk is reported and never ends a training."""

import time
from typing import Any

from distill.errors import is_memory_error, reason_of
from distill.events import EpochMetrics, TrainingNotice, VQEpochMetrics
from distill.runs.checkpoint_folder import list_checkpoints
from distill.training.checkpoint import (
    BestCheckpoint,
    checkpoint_path,
    make_checkpoint,
    manage_checkpoints,
    write_checkpoint,
)
from distill.training.run import Run

#: Seconds after which new steps are written to the history, also within an epoch: so far the curves of a killed run go.
HISTORY_SECONDS = 5.0

#: Seconds after which a checkpoint is written, also within an epoch: a crash loses no more than that.
SAVE_SECONDS = 120.0


def is_save_due(run: Run) -> bool:
    """Whether the newest checkpoint was taken so long ago that a crash would lose more than it may."""
    return time.perf_counter() - run.saved_time >= SAVE_SECONDS


def save_progress(
    run: Run, completed: EpochMetrics | VQEpochMetrics | None = None, wait: bool = False
) -> dict[str, Any]:
    """Take a snapshot of the run, write it in the background after that of the best epoch, and return it.

    Parameters
    ----------
    run
        The run.
    completed
        The epoch that was just completed; None for the epoch in progress, whose checkpoint counts as newest, never
        as best, and is replaced when the epoch completes.
    wait
        Whether to return only when it is on disk.
    """
    if not run.ranks.is_first:
        run.saved_time = time.perf_counter()  # otherwise a checkpoint would be due before each batch
        return {}
    epoch = run.epoch if completed is None else completed.epoch
    data = {**snapshot(run, completed), "metrics_history": run.history.to_dict()}
    if completed is not None and completed.val_loss < run.best.val_loss:
        run.best = BestCheckpoint(epoch, completed.val_loss, data)
    write_best(run)  # a run that continues from the newer checkpoint does not train the best epoch again
    if run.best.epoch != epoch:
        _submit(run, epoch, data)
    run.unfinished_checkpoint = None if completed is not None else epoch
    run.saved_at, run.saved_time = (run.epoch, run.step), time.perf_counter()
    if wait:
        run.writer.flush()
        report_write_errors(run)
    return data


def save_epoch(run: Run, completed: EpochMetrics | VQEpochMetrics) -> None:
    """Save an epoch that was just completed if a checkpoint is due after it; otherwise keep it if it is the best."""
    is_last = run.epoch == run.config.max_epochs
    is_due = is_last or run.epoch % run.config.checkpoint_interval == 0 or is_save_due(run)
    if is_due or run.unfinished_checkpoint == completed.epoch:
        save_progress(run, completed)
    else:
        _keep_best(run, completed)


def _keep_best(run: Run, completed: EpochMetrics | VQEpochMetrics) -> None:
    """Keep a snapshot of an epoch in memory if it is the best so far; it is written with the next checkpoint."""
    if run.ranks.is_first and completed.val_loss < run.best.val_loss:
        before = run.best.checkpoint if run.best.state == "in memory" else None
        run.best = BestCheckpoint(completed.epoch, completed.val_loss, snapshot(run, completed, before))


def write_best(run: Run) -> None:
    """Write the snapshot of the best epoch in the background, if it is not on disk yet."""
    best = run.best
    if best.checkpoint is None or best.state != "in memory":
        return
    if not best.checkpoint["metrics_history"]:
        best.checkpoint["metrics_history"] = run.history.to_dict(best.epoch + 1)
    best.state = "being written"
    _submit(run, best.epoch, best.checkpoint, best)


def _submit(run: Run, epoch: int, data: dict[str, Any], best: BestCheckpoint | None = None) -> None:
    folder, keep = run.folder.checkpoints, run.config.max_checkpoints

    def write() -> None:
        try:
            write_checkpoint(checkpoint_path(folder, epoch), data)
        except BaseException:
            if best is not None:
                best.state = "in memory"  # tried again with the next checkpoint
            raise
        if best is not None:
            best.checkpoint, best.state = _for_a_model(data), "on disk"
        manage_checkpoints(folder, keep)

    run.writer.submit(f"the checkpoint of epoch {epoch + 1}", write)  # counted from 1 for people


def _for_a_model(data: dict[str, Any]) -> dict[str, Any]:
    """Return what a model file needs of a checkpoint: a run that is stopped then need not read it again."""
    prior = data["training_state"].get("prior")
    without_optimizer = {key: value for key, value in data.items() if key != "optimizer_state_dict"}
    return {**without_optimizer, "training_state": {} if prior is None else {"prior": prior}}


def snapshot(
    run: Run, completed: EpochMetrics | VQEpochMetrics | None, before: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return what a checkpoint holds, without the history; ``before`` is a snapshot whose memory is used again."""
    epoch = run.epoch if completed is None else completed.epoch
    return make_checkpoint(
        run.model,
        run.optimizer,
        run.scheduler,
        epoch,
        run.history.step_count,
        None if completed is None else completed.train_loss,
        None if completed is None else completed.val_loss,
        run.config,
        run.family.spectrogram_config,
        {},
        {
            "epoch_completed": completed is not None,
            "step_in_epoch": run.step,
            "schedule": run.schedule.to_dict(),
            "sounds": run.training_data.digest,
            "preparation": run.training_data.preparation,
            "new_sound_measure": run.training_data.new_sounds.measure_number,
            **_optional_state(run),
            "kl_epochs": run.kl_epochs,
            "elapsed_seconds": run.elapsed,
            "speed": run.plan.to_dict(),
            "prior": run.prior.state_dict(),
        },
        before,
        **run.family.checkpoint_fields(epoch / run.kl_epochs, completed),
    )


def _optional_state(run: Run) -> dict[str, Any]:
    """Return what only some runs have: fixes of their sounds."""
    fixes = {key: fix.to_dict() for key, fix in run.training_data.fixes.items()}
    return {"fixes": fixes} if fixes else {}


def report_write_errors(run: Run) -> None:
    """Emit a notice for each file that the background writer could not write."""
    for what, error in run.writer.take_errors():
        run.saved_at = None
        report_unwritten(run, what, error, "checkpoint")


def take_write_errors(run: Run) -> str:
    """Wait for the background writer and return why a checkpoint was not written, or nothing; emits no notice."""
    run.writer.flush()
    reason = ""
    for _, error in run.writer.take_errors():
        reason, run.saved_at = reason_of(error), None
    return reason


def report_unwritten(run: Run, what: str, error: Exception, topic: str = "preview") -> None:
    """Emit a notice for a file of the run that could not be written."""
    reason = reason_of(error)
    room = f"make room on the disk of {run.folder.path}, or make it writable"
    advice = "close other programs" if is_memory_error(error) else room
    run.emit(
        TrainingNotice(
            topic,
            f"Could not write {what} ({reason}). Training goes on; {advice}.",
            "error",
        )
    )


def report_unwritten_checkpoint(run: Run, reason: str) -> None:
    """Emit a notice that the last checkpoint of a run that has ended could not be written."""
    text = f"The last checkpoint could not be written ({reason}). {last_checkpoint_text(run)}"
    run.emit(TrainingNotice("checkpoint", text, "error"))


def last_checkpoint_text(run: Run) -> str:
    """Return from which checkpoint a run is resumed whose newest one could not be written."""
    listed = list_checkpoints(run.folder.checkpoints)
    if not listed:
        return "There is no checkpoint, so the run can only begin again."
    return f"The run can only be resumed from epoch {listed[-1]['epoch'] + 1}."  # counted from 1 for people


def is_history_due(run: Run) -> bool:
    """Whether steps have waited so long that they should be written to the history."""
    return time.perf_counter() - run.history_time >= HISTORY_SECONDS


def append_history(run: Run) -> None:
    """Write the new steps and epochs to the history on disk; what fails is tried again the next time."""
    run.history_time = time.perf_counter()
    try:
        run.folder.append_history(run.emit.unwritten)
        run.emit.unwritten.clear()
    except OSError as exc:
        if "history" not in run.warned_files:
            run.warned_files.add("history")
            report_unwritten(run, "the history", exc, "history")
