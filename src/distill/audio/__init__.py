"""Sounds: finding and decoding them, and turning them into what a model learns from."""

from typing import TYPE_CHECKING

from distill.lazy import lazy_names

if TYPE_CHECKING:
    from distill.audio.augmentation import AugmentationPipeline
    from distill.audio.complex_spectrogram import ComplexSpectrogram
    from distill.audio.spectrogram import AudioSpectrogram
    from distill.config.spectrogram import SpectrogramConfig

__all__ = ["AudioSpectrogram", "AugmentationPipeline", "ComplexSpectrogram", "SpectrogramConfig"]

__getattr__ = lazy_names(
    __name__,
    {
        "augmentation": ("AugmentationPipeline",),
        "complex_spectrogram": ("ComplexSpectrogram",),
        "distill.config.spectrogram": ("SpectrogramConfig",),
        "spectrogram": ("AudioSpectrogram",),
    },
)
