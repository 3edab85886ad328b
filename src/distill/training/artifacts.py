"""Writes checkpoints, history and previews of a run.  A full or missing disk is reported and never ends a training."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from distill.audio.decoding.sound_file import SAMPLE_RATE, DecodingCancelled
from distill.config.catalog import family_info
from distill.config.training import has_previews
from distill.events import EpochMetrics, PreviewEvent, StartPreviewEvent, TrainingNotice, VQEpochMetrics
from distill.runs.preview_sound import BEFORE_FOLDER
from distill.training.checkpoint import checkpoint_path, make_checkpoint, manage_checkpoints, write_checkpoint
from distill.training.interruptible import Interruptible
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
    data = make_checkpoint(
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
    folder, keep = run.folder.checkpoints, run.config.max_checkpoints
    path = checkpoint_path(folder, epoch)
    _remember_best(run, path, data)

    def write() -> None:
        write_checkpoint(path, data)
        manage_checkpoints(folder, keep)

    run.writer.submit(f"the checkpoint of epoch {epoch + 1}", write)  # counted from 1 for people
    run.unfinished_checkpoint = None if completed is not None else epoch
    run.saved_at = (run.epoch, run.step)
    if wait:
        run.writer.flush()
        report_write_errors(run)


def _remember_best(run: Run, path: Path, data: dict[str, Any]) -> None:
    """Keep what a model file needs of a checkpoint that is better than the last one kept, or the first measured one.

    A run that is stopped then does not wait for its checkpoint to be read again.
    """
    best = None if run.best_saved is None else run.best_saved[1]["val_loss"]
    if best is not None and (data["val_loss"] is None or data["val_loss"] >= best):
        return
    prior = data["training_state"].get("prior")
    slim = {key: value for key, value in data.items() if key != "optimizer_state_dict"}
    slim["training_state"] = {} if prior is None else {"prior": {"averaged": prior["averaged"]}}
    run.best_saved = path, slim


def report_write_errors(run: Run) -> None:
    """Emit a notice for each file that the background writer could not write."""
    for what, error in run.writer.take_errors():
        _report_unwritten(run, what, error)


def _report_unwritten(run: Run, what: str, error: Exception) -> None:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
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


def make_previews(run: Run, epoch: int) -> None:
    """Write the previews of an epoch until the user stops the run; report one that fails and go on."""
    for path in _write_previews(run, run.folder.previews, epoch, f"a preview of epoch {epoch + 1}"):
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
    for path in _write_previews(run, folder, 0, "a preview before training"):
        run.emit(StartPreviewEvent(str(path), SAMPLE_RATE))


def _write_previews(run: Run, folder: Path, epoch: int, what: str) -> Iterator[Path]:
    """Write previews into a folder and yield the new files, until the user stops the run."""
    model, family, waveforms = run.model, run.family, run.training_data.preview_waveforms
    prior = None if run.prior is None else run.prior.averaged
    for previews in (
        write_samples(family, model, folder, epoch, SAMPLES, prior=prior),
        write_reconstructions(family, model, waveforms, folder, epoch, run.device),
    ):
        while not run.request.pause_event.is_set():
            path = _next_preview(run, what, previews)
            if path is None:
                break
            yield path


def _next_preview(run: Run, what: str, previews: Iterator[Path]) -> Path | None:
    try:
        with Interruptible(run.request.check_paused):
            return next(previews, None)
    except DecodingCancelled:
        return None
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
        make_previews(run, epoch)
