"""The training engine: settings in, events and files out."""

from typing import TYPE_CHECKING

from distill.lazy import lazy_names

if TYPE_CHECKING:
    from distill.config.training import (
        ComplexSpectrogramConfig,
        OverfittingPreset,
        RegularizationConfig,
        TrainingConfig,
        VQVAEConfig,
        get_adaptive_config,
        get_adaptive_vqvae_config,
        get_effective_preview_interval,
    )
    from distill.events import (
        EpochMetrics,
        MetricsCallback,
        PreparationProgress,
        PreviewEvent,
        StepMetrics,
        TrainingCompleteEvent,
        TrainingNotice,
        VQEpochMetrics,
        VQStepMetrics,
    )
    from distill.history import MetricsHistory, VQMetricsHistory
    from distill.serialization.archive import CHECKPOINT_VERSION
    from distill.training.checkpoint import (
        get_best_checkpoint,
        list_checkpoints,
        load_checkpoint,
        load_vqvae_checkpoint,
        manage_checkpoints,
        save_checkpoint,
        save_vqvae_checkpoint,
    )
    from distill.training.dataset import AudioTrainingDataset, create_data_loaders
    from distill.training.loop import (
        resume_run,
        train,
        train_epoch,
        train_vqvae,
        train_vqvae_epoch,
        validate_epoch,
        validate_vqvae_epoch,
    )
    from distill.training.preview import (
        generate_preview,
        generate_reconstruction_preview,
        generate_vqvae_reconstruction_preview,
        list_previews,
        list_reconstructions,
    )
    from distill.training.runner import TrainingRunner

_NAMES = {
    "checkpoint": (
        "CHECKPOINT_VERSION", "get_best_checkpoint", "list_checkpoints", "load_checkpoint", "load_vqvae_checkpoint",
        "manage_checkpoints", "save_checkpoint", "save_vqvae_checkpoint",
    ),
    "config": (
        "ComplexSpectrogramConfig", "OverfittingPreset", "RegularizationConfig", "TrainingConfig", "VQVAEConfig",
        "get_adaptive_config",
        "get_adaptive_vqvae_config", "get_effective_preview_interval",
    ),
    "dataset": (
        "AudioTrainingDataset", "create_data_loaders",
    ),
    "loop": (
        "resume_run", "train", "train_epoch", "train_vqvae", "train_vqvae_epoch", "validate_epoch",
        "validate_vqvae_epoch",
    ),
    "metrics": (
        "EpochMetrics", "MetricsCallback", "MetricsHistory", "PreparationProgress", "PreviewEvent", "StepMetrics",
        "TrainingCompleteEvent", "TrainingNotice", "VQEpochMetrics", "VQMetricsHistory", "VQStepMetrics",
    ),
    "preview": (
        "generate_preview", "generate_reconstruction_preview", "generate_vqvae_reconstruction_preview",
        "list_previews", "list_reconstructions",
    ),
    "runner": (
        "TrainingRunner",
    ),
}  # fmt: skip

__all__ = [
    "CHECKPOINT_VERSION",
    "AudioTrainingDataset",
    "ComplexSpectrogramConfig",
    "EpochMetrics",
    "MetricsCallback",
    "MetricsHistory",
    "OverfittingPreset",
    "PreparationProgress",
    "PreviewEvent",
    "RegularizationConfig",
    "StepMetrics",
    "TrainingCompleteEvent",
    "TrainingConfig",
    "TrainingNotice",
    "TrainingRunner",
    "VQEpochMetrics",
    "VQMetricsHistory",
    "VQStepMetrics",
    "VQVAEConfig",
    "create_data_loaders",
    "generate_preview",
    "generate_reconstruction_preview",
    "generate_vqvae_reconstruction_preview",
    "get_adaptive_config",
    "get_adaptive_vqvae_config",
    "get_best_checkpoint",
    "get_effective_preview_interval",
    "list_checkpoints",
    "list_previews",
    "list_reconstructions",
    "load_checkpoint",
    "load_vqvae_checkpoint",
    "manage_checkpoints",
    "resume_run",
    "save_checkpoint",
    "save_vqvae_checkpoint",
    "train",
    "train_epoch",
    "train_vqvae",
    "train_vqvae_epoch",
    "validate_epoch",
    "validate_vqvae_epoch",
]

__getattr__ = lazy_names(__name__, _NAMES)
