"""Whether a run can be resumed, and where it stands: its settings, and position, history and schedule."""

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from distill.config.factory import config_from_dict
from distill.config.training import AnyConfig
from distill.errors import CheckpointError
from distill.events import TrainingNotice
from distill.metrics_history import AnyHistory
from distill.paths import RUN_MARKER
from distill.runs.folder import MODEL
from distill.runs.run_history import read_history
from distill.runs.run_record import RunRecord
from distill.runs.verdict import is_at_its_end
from distill.training.checkpoint import lacking
from distill.training.run import OpenedRun, RunRequest, TrainingData, is_own
from distill.training.steps.learning_rate_schedule import CosineFactor

#: Settings that a resumed run may change; all others must be those of the checkpoint.
_FREE_ON_RESUME = frozenset(
    ("max_epochs", "patience", "checkpoint_interval", "preview_interval", "preview_interval_short", "max_checkpoints",
     "device", "precision", "num_threads")
)  # fmt: skip


def check_resumable(request: RunRequest, path: Path, checkpoint: dict[str, Any]) -> None:
    """Refuse a checkpoint of other settings, and one that has all epochs of a run that has ended.

    Raises
    ------
    CheckpointError
        It is one.
    """
    stored = config_from_dict(checkpoint["training_config"])
    if type(stored) is not type(request.config):
        raise CheckpointError(f"{path.name} is of the family {stored.family}, not {request.config.family}.")
    differ = _changed_settings(stored, request.config)
    if differ:
        names = ", ".join(differ)
        raise CheckpointError(f"{path.name} was trained with other settings ({names}); a run keeps its own.")
    done = checkpoint["epoch"] + ((checkpoint.get("training_state") or {}).get("epoch_completed") is True)
    left = request.config.max_epochs - done
    if left < 0 or (left == 0 and _has_ended(request.output_dir, path)):
        raise CheckpointError(f"{path.name} has done {done} epochs already. Ask for more than that to go on.")


def _has_ended(folder: Path, checkpoint: Path) -> bool:
    """Whether nothing is left to do for the run in the folder but to train more epochs.

    A run that was killed between its last checkpoint and its end has all epochs, but no model file or no final record.
    """
    if not is_own(checkpoint, folder) or not (folder / RUN_MARKER).exists():
        return True
    return RunRecord.load(folder).status == "finished" and (folder / MODEL).is_file()


def began_without_checkpoint(folder: Path, config: AnyConfig) -> bool:
    """Whether the folder holds the same run, ended before its first checkpoint: it may start again.

    One that has a model has had checkpoints, which were deleted since: the model is not to be replaced.
    """
    has_begun = any((folder / "checkpoints").glob("*.pt")) or os.path.lexists(folder / MODEL)
    if has_begun or not (folder / RUN_MARKER).exists():
        return False
    return not _changed_settings(RunRecord.load(folder).config, config)


def _changed_settings(stored: AnyConfig, wanted: AnyConfig) -> list[str]:
    """Return the settings in which a run differs from the one that is asked for, of those that it must keep."""
    if type(stored) is not type(wanted):
        return ["family"]
    old, new = stored.to_dict(), wanted.to_dict()
    return sorted(key for key in old if old[key] != new[key] and key not in _FREE_ON_RESUME)


@dataclass(frozen=True)
class RunPosition:
    """Where a run stands; see `Run` for the fields."""

    kl_epochs: int
    epoch: int = 0
    step: int = 0
    unfinished_checkpoint: int | None = None
    saved_at: tuple[int, int] | None = None
    elapsed_before: float = 0.0


def read_state(
    opened: OpenedRun, checkpoint: dict[str, Any], data: TrainingData
) -> tuple[CosineFactor, AnyHistory, RunPosition]:
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
    state = RunPosition(kl_epochs, epoch, step, None if completed else epoch, saved_at, elapsed)
    return schedule, history, state


def report_resumed(opened: OpenedRun, data: TrainingData, state: RunPosition, known_epochs: int) -> None:
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


def release_patience(opened: OpenedRun, history: AnyHistory, warm_up: int) -> None:
    """Let a run that has ended because it no longer improved train all the epochs that the user now asks for."""
    if opened.record.status == "finished" and is_at_its_end(history.epochs, opened.config.patience, warm_up):
        opened.config = replace(opened.config, patience=0)
        text = f"The run now trains all of its {opened.config.max_epochs} epochs, also if it does not improve."
        opened.emit(TrainingNotice("schedule", text, "info"))


def continue_schedule(
    opened: OpenedRun,
    data: TrainingData,
    stored: CosineFactor,
    state: RunPosition,
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
