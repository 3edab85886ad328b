"""Writes checkpoints, history and previews of a run.  A full or missing disk is reported and never ends a training."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from distill.audio.decoding.sound_file import SAMPLE_RATE
from distill.config.catalog import family_info
from distill.config.training import has_previews
from distill.events import EpochMetrics, PreviewEvent, StartPreviewEvent, TrainingNotice, VQEpochMetrics
from distill.runs.preview_sound import BEFORE_FOLDER
from distill.training.checkpoint import checkpoint_path, make_checkpoint, manage_checkpoints, write_checkpoint
from distill.training.preview import SAMPLES, write_reconstructions, write_samples
from distill.training.run import Run


def save_progress(run: Run, completed: EpochMetrics | VQEpochMetrics | None = None, wait: bool = False) -> None:
    """Take a snapshot of the run and write it in the background.

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
    epoch = run.epoch if completed is None else completed.epoch
    data = snapshot(run, completed)
    folder, keep = run.folder.checkpoints, run.config.max_checkpoints

    def write() -> None:
        write_checkpoint(checkpoint_path(folder, epoch), data)
        manage_checkpoints(folder, keep)

    run.writer.submit(f"the checkpoint of epoch {epoch + 1}", write)  # counted from 1 for people
    run.unfinished_checkpoint = None if completed is not None else epoch
    run.saved_at = (run.epoch, run.step)
    if wait:
        run.writer.flush()
        report_write_errors(run)


def snapshot(run: Run, completed: EpochMetrics | VQEpochMetrics | None) -> dict[str, Any]:
    """Return what a checkpoint holds; see `save_progress`."""
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
        run.history.to_dict(),
        {
            "epoch_completed": completed is not None,
            "step_in_epoch": run.step,
            "schedule": run.schedule.to_dict(),
            "sounds": run.training_data.digest,
            "preparation": run.training_data.preparation,
            "kl_epochs": run.kl_epochs,
            "elapsed_seconds": run.elapsed,
            "speed": run.speed.to_dict(),
            **({} if run.prior is None else {"prior": run.prior.state_dict()}),
        },
        **run.family.checkpoint_fields(epoch / run.kl_epochs, completed),
    )


def report_write_errors(run: Run) -> None:
    """Emit a notice for each file that the background writer could not write."""
    for what, error in run.writer.take_errors():
        _report_unwritten(run, what, error)


def take_write_errors(run: Run) -> str:
    """Wait for the background writer and return why a checkpoint was not written, or nothing; emits no notice."""
    run.writer.flush()
    reason = ""
    for _, error in run.writer.take_errors():
        reason, run.saved_at = reason_of(error), None
    return reason


def reason_of(error: BaseException) -> str:
    """Return the system's words for an error, or its own."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _report_unwritten(run: Run, what: str, error: Exception) -> None:
    reason = reason_of(error)
    run.saved_at = None if what.startswith("the checkpoint") else run.saved_at
    run.emit(
        TrainingNotice(
            "checkpoint" if what.startswith("the checkpoint") else "preview",
            f"Could not write {what} ({reason}). Training goes on; make room on the disk of {run.folder.path}.",
            "error",
        )
    )


def append_history(run: Run) -> None:
    """Write the new steps and epochs to the history on disk; what fails is tried again after the next epoch."""
    try:
        run.folder.append_history(run.emit.unwritten)
        run.emit.unwritten.clear()
    except OSError as exc:
        if "history" not in run.warned_files:
            run.warned_files.add("history")
            _report_unwritten(run, "the history", exc)


def make_previews(run: Run, epoch: int, cancel_event: threading.Event | None = None) -> None:
    """Write the previews of an epoch until ``cancel_event`` is set; report one that fails and go on."""
    for path in _write_previews(run, run.folder.previews, epoch, f"a preview of epoch {epoch + 1}", cancel_event):
        run.emit(PreviewEvent(epoch, str(path), SAMPLE_RATE))


def make_start_previews(run: Run) -> None:
    """Write previews of a model that has not been trained yet; does nothing in a run that has them or has begun."""
    folder = run.folder.previews / BEFORE_FOLDER
    if run.epoch or run.step or folder.exists():
        return
    try:
        folder.mkdir()
    except OSError as exc:
        _report_unwritten(run, "a preview before training", exc)
        return
    for path in _write_previews(run, folder, 0, "a preview before training", run.request.pause_event):
        run.emit(StartPreviewEvent(str(path), SAMPLE_RATE))


def _write_previews(
    run: Run, folder: Path, epoch: int, what: str, cancel_event: threading.Event | None
) -> Iterator[Path]:
    """Write previews into a folder and yield the new files, until ``cancel_event`` is set."""
    model, family, waveforms = run.model, run.family, run.training_data.preview_waveforms
    prior = None if run.prior is None else run.prior.averaged
    for previews in (
        write_samples(family, model, folder, epoch, SAMPLES, prior=prior),
        write_reconstructions(family, model, waveforms, folder, epoch, run.device),
    ):
        while cancel_event is None or not cancel_event.is_set():
            path = _next_preview(run, what, previews)
            if path is None:
                break
            yield path


def _next_preview(run: Run, what: str, previews: Iterator[Path]) -> Path | None:
    try:
        return next(previews, None)
    except Exception as exc:  # whatever is wrong with a preview, training goes on
        _report_unwritten(run, what, exc)
        return None


def complete_previews(run: Run) -> None:
    """Write the previews of the last complete epoch if the run was stopped or killed before all of them were there."""
    epoch = run.epoch - 1
    if run.step or epoch < 0 or not has_previews(run.config, epoch):
        return
    expected = 2 * len(run.training_data.preview_waveforms)
    expected += SAMPLES if family_info(run.config.family).makes_new_sounds else 0
    if len(list(run.folder.previews.glob(f"*_epoch{epoch:04d}_*.wav"))) < expected:
        make_previews(run, epoch, run.request.pause_event)
