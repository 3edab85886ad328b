"""Public names of the configuration; they are in modules of `distill.config`."""

from distill.config.presets_by_file_count import (
    get_adaptive_complex_config,
    get_adaptive_config,
    get_adaptive_vqvae_config,
)
from distill.config.preview_epochs import get_effective_preview_interval
from distill.config.training import (
    AnyConfig,
    ComplexSpectrogramConfig,
    OverfittingPreset,
    RegularizationConfig,
    TrainingConfig,
    VQVAEConfig,
)

__all__ = [
    "AnyConfig",
    "ComplexSpectrogramConfig",
    "OverfittingPreset",
    "RegularizationConfig",
    "TrainingConfig",
    "VQVAEConfig",
    "get_adaptive_complex_config",
    "get_adaptive_config",
    "get_adaptive_vqvae_config",
    "get_effective_preview_interval",
]
