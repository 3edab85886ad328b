"""What a run writes while it goes on.  A disk that is full or gone is told, and never ends a training."""

from pathlib import Path

from distill.audio.decoding.sound_file import SAMPLE_RATE
from distill.events import EpochMetrics, PreviewEvent, TrainingNotice, VQEpochMetrics
from distill.training.checkpoint import checkpoint_path, make_checkpoint, manage_checkpoints, write_checkpoint
from distill.training.preview import PAIRS, SAMPLES, write_reconstructions, write_samples
from distill.training.run import Run


def save_progress(run: Run, completed: EpochMetrics | VQEpochMetrics | None = None, wait: bool = False) -> None:
    """Snapshot the run and write it in the background.

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
    assert run.model and run.optimizer and run.scheduler and run.training_data and run.schedule
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
            "kl_epochs": run.kl_epochs,
            "elapsed_seconds": run.elapsed,
            "speed": run.speed.to_dict(),
            **({} if run.prior is None else {"prior": run.prior.state_dict()}),
        },
        **run.family.checkpoint_fields(epoch / run.kl_epochs, completed),
    )
    folder, keep = run.folder.checkpoints, run.config.max_checkpoints

    def write() -> None:
        write_checkpoint(checkpoint_path(folder, epoch), data)
        manage_checkpoints(folder, keep)

    run.writer.submit(f"the checkpoint of epoch {epoch + 1}", write)  # from 1, for people
    run.unfinished_checkpoint = None if completed is not None else epoch
    run.saved_at = (run.epoch, run.step)
    if wait:
        run.writer.flush()
        report_write_errors(run)


def report_write_errors(run: Run) -> None:
    """Tell what the background writer could not write."""
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
    """Bring the history on disk up to date; what cannot be written now is tried again after the next epoch."""
    try:
        run.folder.append_history(run.emit.unwritten)
        run.emit.unwritten.clear()
    except OSError as exc:
        if "history" not in run.warned_files:
            run.warned_files.add("history")
            _report_unwritten(run, "the history", exc)


def make_previews(run: Run, epoch: int) -> None:
    """Write the previews of an epoch; what fails is told, and the rest is made all the same."""
    assert run.model and run.training_data
    folder, model, family = run.folder.previews, run.model, run.family
    waveforms = run.training_data.preview_waveforms[:PAIRS]

    def samples() -> list[Path]:
        prior = None if run.prior is None else run.prior.averaged
        return write_samples(family, model, folder, epoch, SAMPLES, prior=prior)

    def pairs() -> list[Path]:
        return write_reconstructions(family, model, waveforms, folder, epoch, run.device)

    for make in (samples, pairs):
        try:
            made = make()
        except Exception as exc:  # the border of a preview: whatever it was, training goes on
            _report_unwritten(run, f"a preview of epoch {epoch + 1}", exc)
            continue
        for path in made:
            run.emit(PreviewEvent(epoch, str(path), SAMPLE_RATE))
