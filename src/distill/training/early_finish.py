"""Finishing a run now: it ends as a full one does, with the epochs that it has made.

The epoch under way ends where it stands.  What is left of its steps is passed over by the learning rate's schedule,
too, so that the run can still be made longer: it then goes on with a whole epoch, as after any other.
"""

from collections.abc import Callable

from distill.events import EpochMetrics, TrainingNotice, VQEpochMetrics
from distill.training.artifacts import make_previews
from distill.training.run import Run, with_epochs

AnyEpoch = EpochMetrics | VQEpochMetrics


def end_epoch_early(run: Run, measure: Callable[[Run], AnyEpoch | None]) -> AnyEpoch | None:
    """Make the epoch under way the last one of the run, and measure it; None when the user paused meanwhile.

    A run that is paused here goes on later as if nobody had wished to finish it.
    """
    assert run.training_data and run.scheduler
    planned = run.config
    run.config = with_epochs(planned, run.epoch + 1)
    event = measure(run)
    if event is None:
        run.config = planned
        return None
    for _ in range(run.training_data.steps_per_epoch - run.step):
        run.scheduler.step()
    _emit(run, planned.max_epochs)
    return event


def end_after_last_epoch(run: Run) -> bool:
    """End the run with the epoch that was completed last; False where none is, and there is nothing to finish."""
    if not run.history.epochs:
        return False
    planned = run.config.max_epochs
    run.config = with_epochs(run.config, run.epoch)
    if not any(run.folder.previews.glob(f"*_epoch{run.epoch - 1:04d}_*.wav")):
        make_previews(run, run.epoch - 1)
    _emit(run, planned)
    return True


def _emit(run: Run, planned_epochs: int) -> None:
    made = run.config.max_epochs
    if made < planned_epochs:
        run.record.planned_epochs = planned_epochs
    run.emit(TrainingNotice("finished", f"Finished early: {made} of {planned_epochs} epochs are made.", "info"))
