"""Model families: the seam between the training loop and the networks, one module a family; which one is meant."""

import importlib
from typing import TYPE_CHECKING

from distill.config.family_catalog import family_info
from distill.config.training import AnyConfig, TrainingConfig, VQVAEConfig

if TYPE_CHECKING:
    from torch import nn

    from distill.audio.complex_spectrogram import ComplexSpectrogram
    from distill.audio.spectrogram import AudioSpectrogram
    from distill.models.families.family import ModelFamily


def make_family(config: AnyConfig) -> "ModelFamily":
    """Return the family object that trains what ``config`` describes.  Imports torch."""
    module, name = family_info(config.family).implementation.split(":")
    family: ModelFamily = getattr(importlib.import_module(module), name)(config)
    return family


def family_of(model: "nn.Module", spectrogram: "AudioSpectrogram | ComplexSpectrogram") -> "ModelFamily":
    """Return the family of a network and its representation, with default settings, for people who bring both."""
    from distill.audio.complex_spectrogram import ComplexSpectrogram
    from distill.models.families.complex_vae_family import ComplexVAEFamily
    from distill.models.families.vae_family import MelVAEFamily
    from distill.models.families.vqvae_family import VQVAEFamily
    from distill.models.vqvae import ConvVQVAE

    if isinstance(spectrogram, ComplexSpectrogram):
        config = TrainingConfig(family="complex_vae", complex_spectrogram=spectrogram.settings)
        return ComplexVAEFamily(config, spectrogram)
    if isinstance(model, ConvVQVAE):
        return VQVAEFamily(VQVAEConfig(), spectrogram)
    return MelVAEFamily(TrainingConfig(), spectrogram)
