"""Warnings after an epoch: of the family, and of overfitting.  Each is emitted once while its reason lasts."""

from collections.abc import Sequence

from distill.events import EpochMetrics, TrainingNotice, VQEpochMetrics
from distill.runs.verdict import Kind, judge
from distill.training.run import Run


def warn(run: Run, event: EpochMetrics | VQEpochMetrics) -> None:
    """Emit warnings: each once when its reason begins and not again while it lasts; overfitting once in a run."""
    warnings = {notice.topic: notice for notice in run.family.warnings(event)}
    if "overfitting" in run.warned:
        warnings["overfitting"] = TrainingNotice("overfitting", "")  # already emitted
    elif _is_by_heart(run.history.epochs, run.warm_up):
        warnings["overfitting"] = TrainingNotice(
            "overfitting",
            f"Overfitting: the loss is {event.overfitting_gap:.0%} higher on held-out sounds than on trained ones, and "
            "no longer falls: the model is starting to memorise. More sounds or the preset Conservative would help.",
        )
        if any(_is_by_heart(run.history.epochs[:count], run.warm_up) for count in range(run.known_epochs + 1)):
            run.warned.add("overfitting")  # emitted before this run was resumed
    for topic, notice in warnings.items():
        if topic not in run.warned:
            run.emit(notice)
    run.warned = set(warnings)


def _is_by_heart(epochs: Sequence[EpochMetrics] | Sequence[VQEpochMetrics], warm_up: int) -> bool:
    return judge(epochs, warm_up).kind is Kind.BY_HEART
