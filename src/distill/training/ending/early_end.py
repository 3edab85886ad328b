"""Ends a run before all of its epochs: the user finishes it, or it no longer improves."""

from collections.abc import Callable

from distill.events import TrainingNotice
from distill.runs.verdict import judge
from distill.training.ending.finalize import AnyEpoch
from distill.training.run import Run, with_epochs
from distill.training.run_previews import preview_last_epoch


def end_epoch_early(run: Run, measure: Callable[[Run], AnyEpoch | None]) -> AnyEpoch | None:
    """Make the epoch in progress the last one of the run, and measure it; None if the user paused meanwhile.

    A run that is paused here continues later as if it had never been asked to finish.  The learning rate's schedule
    skips the steps that are left of the epoch: if the run is extended, it continues with a whole epoch.
    """
    planned = run.config
    run.config = with_epochs(planned, run.epoch + 1)
    event = measure(run)
    if event is None:
        run.config = planned
        return None
    for _ in range(run.training_data.steps_per_epoch - run.step):
        run.scheduler.step()
    _emit_finished_early(run, planned.max_epochs)
    return event


def end_after_last_epoch(run: Run) -> bool:
    """End the run with the epoch that was completed last; False if there is none."""
    if not run.history.epochs:
        return False
    planned = run.config.max_epochs
    run.config = with_epochs(run.config, run.epoch)
    preview_last_epoch(run)
    _emit_finished_early(run, planned)
    return True


def end_without_improvement(run: Run) -> bool:
    """End a run that has not improved for a while as finished, with the epoch that was completed last."""
    planned = run.config.max_epochs
    run.config = with_epochs(run.config, run.epoch)
    run.record.planned_epochs = planned
    preview_last_epoch(run)
    verdict = judge(run.history.epochs, run.warm_up)
    assert verdict.since is not None
    assert verdict.best is not None
    run.emit(
        TrainingNotice(
            "finished",
            f"Finished after {run.epoch} of {planned} epochs: the loss on held-out sounds has not improved since epoch "
            f"{verdict.since + 1}. The model is that of epoch {verdict.best + 1}, the best one.",
            "info",
        )
    )
    return True


def _emit_finished_early(run: Run, planned_epochs: int) -> None:
    done = run.config.max_epochs
    if done < planned_epochs:
        run.record.planned_epochs = planned_epochs
    run.emit(TrainingNotice("finished", f"Finishing early, after epoch {done} of {planned_epochs}.", "info"))
