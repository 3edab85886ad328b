"""Sounds: finding and decoding them, and turning them into what a model learns from."""

from typing import TYPE_CHECKING

from distill.lazy import lazy_names

if TYPE_CHECKING:
    from distill.audio.augmentation import AugmentationPipeline
    from distill.audio.spectrogram import AudioSpectrogram, SpectrogramConfig

__all__ = ["AudioSpectrogram", "AugmentationPipeline", "SpectrogramConfig"]

__getattr__ = lazy_names(
    __name__,
    {"augmentation": ("AugmentationPipeline",), "spectrogram": ("AudioSpectrogram", "SpectrogramConfig")},
)
