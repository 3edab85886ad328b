"""Public names of events and histories; the classes are in `distill.events` and `distill.metrics_history`."""

from distill.events import (
    COLLAPSE_KL,
    LOW_UTILIZATION,
    OVERFITTING_GAP,
    EpochMetrics,
    Event,
    MetricsCallback,
    PreparationProgress,
    PreviewEvent,
    StartPreviewEvent,
    StepMetrics,
    TrainingCompleteEvent,
    TrainingNotice,
    VQEpochMetrics,
    VQStepMetrics,
    event_to_dict,
    utilization_warnings,
)
from distill.metrics_history import AnyHistory, MetricsHistory, VQMetricsHistory

__all__ = [
    "COLLAPSE_KL",
    "LOW_UTILIZATION",
    "OVERFITTING_GAP",
    "AnyHistory",
    "EpochMetrics",
    "Event",
    "MetricsCallback",
    "MetricsHistory",
    "PreparationProgress",
    "PreviewEvent",
    "StartPreviewEvent",
    "StepMetrics",
    "TrainingCompleteEvent",
    "TrainingNotice",
    "VQEpochMetrics",
    "VQMetricsHistory",
    "VQStepMetrics",
    "event_to_dict",
    "utilization_warnings",
]
