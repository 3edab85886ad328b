"""Which family a network and a representation belong to, for people who bring both themselves."""

from torch import nn

from distill.audio.complex_spectrogram import ComplexSpectrogram
from distill.audio.spectrogram import AudioSpectrogram
from distill.config.training import TrainingConfig, VQVAEConfig
from distill.models.families.complex_vae_family import ComplexVAEFamily
from distill.models.families.family import ModelFamily
from distill.models.families.vae_family import MelVAEFamily
from distill.models.families.vqvae_family import VQVAEFamily
from distill.models.vqvae import ConvVQVAE


def family_of(model: nn.Module, spectrogram: AudioSpectrogram | ComplexSpectrogram) -> ModelFamily:
    """Return the family of a network and its representation, with default settings."""
    if isinstance(spectrogram, ComplexSpectrogram):
        config = TrainingConfig(family="complex_vae", complex_spectrogram=spectrogram.settings)
        return ComplexVAEFamily(config, spectrogram)
    if isinstance(model, ConvVQVAE):
        return VQVAEFamily(VQVAEConfig(), spectrogram)
    return MelVAEFamily(TrainingConfig(), spectrogram)
