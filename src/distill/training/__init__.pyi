from .checkpoint import (
    CHECKPOINT_VERSION as CHECKPOINT_VERSION,
    get_best_checkpoint as get_best_checkpoint,
    list_checkpoints as list_checkpoints,
    load_checkpoint as load_checkpoint,
    load_vqvae_checkpoint as load_vqvae_checkpoint,
    manage_checkpoints as manage_checkpoints,
    save_checkpoint as save_checkpoint,
    save_vqvae_checkpoint as save_vqvae_checkpoint,
)
from .config import (
    ComplexSpectrogramConfig as ComplexSpectrogramConfig,
    OverfittingPreset as OverfittingPreset,
    RegularizationConfig as RegularizationConfig,
    TrainingConfig as TrainingConfig,
    VQVAEConfig as VQVAEConfig,
    get_adaptive_config as get_adaptive_config,
    get_adaptive_vqvae_config as get_adaptive_vqvae_config,
    get_effective_preview_interval as get_effective_preview_interval,
)
from .dataset import (
    AudioTrainingDataset as AudioTrainingDataset,
    create_data_loaders as create_data_loaders,
)
from .loop import (
    resume_run as resume_run,
    train as train,
    train_epoch as train_epoch,
    train_vqvae as train_vqvae,
    train_vqvae_epoch as train_vqvae_epoch,
    validate_epoch as validate_epoch,
    validate_vqvae_epoch as validate_vqvae_epoch,
)
from .metrics import (
    EpochMetrics as EpochMetrics,
    MetricsCallback as MetricsCallback,
    MetricsHistory as MetricsHistory,
    PreparationProgress as PreparationProgress,
    PreviewEvent as PreviewEvent,
    StartPreviewEvent as StartPreviewEvent,
    StepMetrics as StepMetrics,
    TrainingCompleteEvent as TrainingCompleteEvent,
    TrainingNotice as TrainingNotice,
    VQEpochMetrics as VQEpochMetrics,
    VQMetricsHistory as VQMetricsHistory,
    VQStepMetrics as VQStepMetrics,
)
from .preview import (
    generate_preview as generate_preview,
    generate_reconstruction_preview as generate_reconstruction_preview,
    generate_vqvae_reconstruction_preview as generate_vqvae_reconstruction_preview,
    list_previews as list_previews,
    list_reconstructions as list_reconstructions,
)
from .runner import (
    TrainingRunner as TrainingRunner,
)
