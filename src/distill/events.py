"""Events of a run.

Plain dataclasses of numbers, strings and paths.  Imports no torch: the window imports this module before torch.
"""

import math
from array import array
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

#: Relative gap between validation and training loss above which a run is said to overfit.
OVERFITTING_GAP = 0.2
#: Raw KL (nat, summed over latents) of the validation set under which the posterior is said to have collapsed.
COLLAPSE_KL = 0.5
#: KL (nat) above which a latent counts as active.
ACTIVE_LATENT_KL = 0.01


#: Share of a codebook's entries in use under which a level is warned of.
LOW_UTILIZATION = 0.3

Health = Mapping[str, Mapping[str, float]]


def utilization_warnings(codebook_health: Health) -> list[str]:
    """Return a sentence for each level of a codebook that is hardly used, for `VQEpochMetrics`."""
    return [
        f"Level {level.removeprefix('level_')}: utilization {health['utilization']:.0%} (below 30% threshold)"
        for level, health in codebook_health.items()
        if health["utilization"] < LOW_UTILIZATION
    ]


@dataclass(frozen=True)
class StepMetrics:
    """One training step of a VAE; losses are those of the running objective."""

    epoch: int
    step: int
    total_steps: int
    train_loss: float
    recon_loss: float
    kl_loss: float
    kl_weight: float
    learning_rate: float
    step_time_s: float
    prior_loss: float | None = None


@dataclass(frozen=True)
class EpochMetrics:
    """One epoch of a VAE; ``train_loss`` and ``val_loss`` are measured alike, in eval mode with the final KL weight.

    ``new_sound_distance`` says how far new sounds lie from the corpus as a set, see
    `distill.training.steps.new_sound_distance.kernel_distance`; None where it was not measured.  ``eta_seconds`` are
    those of the epochs that are left; ``closing_seconds`` those expected between the last epoch and the end, None in
    older runs.
    """

    epoch: int
    total_epochs: int
    train_loss: float
    val_loss: float
    val_recon_loss: float
    val_kl_loss: float
    kl_divergence: float
    overfitting_gap: float
    learning_rate: float
    eta_seconds: float
    elapsed_seconds: float
    active_latents: int | None = None
    new_sound_distance: float | None = None
    closing_seconds: float | None = None


@dataclass(frozen=True)
class VQStepMetrics:
    """One training step of a VQ-VAE."""

    epoch: int
    step: int
    total_steps: int
    train_loss: float
    recon_loss: float
    commit_loss: float
    commitment_weight: float
    learning_rate: float
    step_time_s: float
    codebook_health: dict[str, dict[str, float]] | None = None
    prior_loss: float | None = None


@dataclass(frozen=True)
class VQEpochMetrics:
    """One epoch of a VQ-VAE; what is not of its codebooks is as in `EpochMetrics`."""

    epoch: int
    total_epochs: int
    train_loss: float
    val_loss: float
    val_recon_loss: float
    val_commit_loss: float
    overfitting_gap: float
    learning_rate: float
    eta_seconds: float
    elapsed_seconds: float
    codebook_health: dict[str, dict[str, float]] | None = None
    utilization_warnings: list[str] | None = None
    new_sound_distance: float | None = None
    closing_seconds: float | None = None


@dataclass(frozen=True)
class PreviewEvent:
    """A new sound: a sample, or a reconstruction (its original lies beside it)."""

    epoch: int
    audio_path: str
    sample_rate: int


@dataclass(frozen=True)
class StartPreviewEvent:
    """A preview of the model before its first training step, for comparison with those of the epochs."""

    audio_path: str
    sample_rate: int


@dataclass(frozen=True)
class PreparationProgress:
    """How far the work before the first step is: ``stage`` is a phrase for people."""

    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class TrainingNotice:
    """Something that the user should know while training goes on.

    ``topic`` is a short fixed word: skipped, sounds, origin, resumed, speed, overfitting, collapse, codebook,
    non-finite, checkpoint, preview, schedule, stopped, finished.
    """

    topic: str
    message: str
    level: Literal["info", "warning", "error"] = "warning"


#: How a run ends that has made its epochs, or was stopped, and whose model could not be written.
UNSAVED = "could not be saved"


@dataclass(frozen=True)
class TrainingCompleteEvent:
    """The end of a run; exactly one, on every path, last.  A loss that was never measured is None.

    ``error`` says why it failed, or why its model could not be saved.
    """

    total_epochs: int
    total_time_s: float
    final_train_loss: float | None
    final_val_loss: float | None
    best_val_loss: float | None
    best_epoch: int | None
    outcome: Literal["finished", "stopped", "failed", "could not be saved"] = "finished"
    error: str | None = None


Event = (
    StepMetrics
    | EpochMetrics
    | VQStepMetrics
    | VQEpochMetrics
    | PreviewEvent
    | StartPreviewEvent
    | PreparationProgress
    | TrainingNotice
    | TrainingCompleteEvent
)
MetricsCallback = Callable[[Event], None]


def to_json_value(value: Any) -> Any:
    """Return a copy of ``value`` for standard JSON; NaN and infinities become strings."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(k): to_json_value(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, array)):
        return [to_json_value(v) for v in value]
    return value


def event_to_dict(event: Event) -> dict[str, Any]:
    """Return ``{"event": class name, field: value, ...}``, ready for JSON."""
    plain: dict[str, Any] = to_json_value(asdict(event))
    return {"event": type(event).__name__, **plain}
