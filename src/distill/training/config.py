"""Public names of the configuration; the classes are in `distill.config.training`."""

from distill.config.training import (
    AnyConfig,
    ComplexSpectrogramConfig,
    OverfittingPreset,
    RegularizationConfig,
    TrainingConfig,
    VQVAEConfig,
    get_adaptive_complex_config,
    get_adaptive_config,
    get_adaptive_vqvae_config,
    get_effective_preview_interval,
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
