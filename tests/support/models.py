"""Models that are made in a moment: not trained, only fitted to the statistics of a few sounds."""

from pathlib import Path

import torch

from distill.models import ModelMetadata, save_model
from distill.models.families.vae import MelVAEFamily
from distill.training import TrainingConfig
from tests.training.conftest import tone


def write_tone_model(folder: Path, latent_dim: int, tones: int) -> Path:
    """Write a model that knows the first of the tones of `tone`, a second of each; return its file."""
    config = TrainingConfig(latent_dim=latent_dim)
    family = MelVAEFamily(config)
    torch.manual_seed(0)
    network = family.build()
    sounds = torch.stack([torch.from_numpy(tone(n, 1.0)) for n in range(tones)])[:, None]
    family.fit_statistics(network, family.features(sounds))
    return save_model(network.eval(), family.spectrogram_config, config, ModelMetadata(name="Tones"), folder)
