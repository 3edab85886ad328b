"""Models that are made in a moment: not trained, only fitted to the statistics of a few sounds."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from distill.audio import AudioSpectrogram
from distill.config.training import AnyConfig
from distill.models import ConvVAE, ModelMetadata, save_model
from distill.models.families import make_family
from distill.models.families.vae_family import MelVAEFamily
from distill.models.file_format import MODEL_FORMAT_MARKER
from distill.models.inference import LoadedModel, LoadedVQModel
from distill.models.model_parts import ModelParts
from distill.models.priors.window_prior import WindowPrior, WindowTable
from distill.models.synthesis.window_blend import cut_windows
from distill.serialization.archive import write_archive
from distill.training import TrainingConfig, VQVAEConfig
from tests.training.conftest import tone

#: Lengths of the sounds that `tone_model` knows, seconds.
LENGTHS = (0.15, 0.2, 0.3, 0.35, 0.5, 0.5, 0.7, 0.9, 1.2, 1.6, 2.4, 3.0)


def write_tone_model(folder: Path, latent_dim: int, tones: int) -> Path:
    """Write a model that knows the first of the tones of `tone`, a second of each; return its file."""
    config = TrainingConfig(latent_dim=latent_dim)
    family = MelVAEFamily(config)
    torch.manual_seed(0)
    network = family.build()
    sounds = torch.stack([torch.from_numpy(tone(n, 1.0)) for n in range(tones)])[:, None]
    family.fit_statistics(network, family.features(sounds))
    return save_model(network.eval(), family.spectrogram_config, config, ModelMetadata(name="Tones"), folder)


def write_untrained_model(folder: Path) -> Path:
    """Write a small model that is not even fitted, without a prior; return its file."""
    config, spectrogram = TrainingConfig(latent_dim=8), AudioSpectrogram()
    return save_model(ConvVAE(8), spectrogram.config, config, ModelMetadata(name="untrained"), folder)


def tone_model(family_key: str, **settings: Any) -> Any:
    """Return an opened model with a prior, of the tones of `tone` with the lengths of `LENGTHS`."""
    torch.manual_seed(0)
    config: AnyConfig = (
        VQVAEConfig(codebook_size=16, **settings)
        if family_key == "vqvae"
        else TrainingConfig(family=family_key, latent_dim=8, **settings)
    )
    family = make_family(config)
    network = family.build().eval()
    sounds = [torch.from_numpy(tone(number, length))[None] for number, length in enumerate(LENGTHS)]
    chunk = round(config.chunk_duration_s * 48_000)
    windows = [_windows(family, sound, chunk) for sound in sounds]
    family.fit_statistics(network, torch.cat(windows))
    network.eval()
    prior = _prior(family, network, windows, config.chunk_duration_s)
    known = (network, family.spectrogram, ModelMetadata(name="Tones"), torch.device("cpu"), family)
    parts = ModelParts(prior=prior.eval())
    if isinstance(config, VQVAEConfig):
        return LoadedVQModel(*known, parts=parts, vqvae_config=config)
    return LoadedModel(*known, parts=parts)


def write_model_with_prior(model: Any, path: Path) -> Path:
    """Write the model file of `tone_model`'s result."""
    config = model.family.config
    contents = {
        "format": MODEL_FORMAT_MARKER, "version": 2 if isinstance(config, VQVAEConfig) else 1,
        "model_type": config.family, "model_state_dict": model.model.state_dict(),
        "spectrogram_config": model.family.spectrogram_config.to_dict(), "training_config": config.to_dict(),
        "vqvae_config": config.to_dict(), "loss_curve_history": {}, "metadata": model.metadata.to_dict(),
    }  # fmt: skip
    write_archive(path, contents | model.parts.to_file())
    return path


def _windows(family: Any, sound: Tensor, chunk: int) -> Tensor:
    hop, frames = family.spectrogram_config.hop_length, family.spectrogram_config.frames(chunk)
    features: Tensor = family.features(cut_windows(sound, hop, chunk, frames))
    return features


@torch.no_grad()
def _prior(family: Any, network: Any, windows: list[Tensor], chunk_s: float) -> WindowPrior:
    prior = WindowPrior(family.point_dim(network), family.prior_components and 6, anchors=len(windows))
    points = torch.cat([family.points(network, part) for part in windows])
    if prior.is_projecting:
        prior.fit_projection(points, torch.ones(len(points)))
        points = prior.project(points)
    counts = [len(part) for part in windows]
    position = torch.cat([torch.arange(count) for count in counts])
    prior.fit(
        WindowTable(
            points=points,
            variance=None,
            sounds=torch.arange(len(counts)).repeat_interleave(torch.tensor(counts)),
            previous=torch.where(position > 0, torch.arange(len(points)) - 1, -1),
            total=(torch.tensor(LENGTHS) / chunk_s).repeat_interleave(torch.tensor(counts)),
            offset=position / 2,
        )
    )
    return prior
