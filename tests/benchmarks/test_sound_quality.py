"""Are new sounds like the corpus?  And how near is a reconstruction, after a minute of training?

The distance of two sets of sounds is the Fréchet distance between Gaussians fitted to their mel statistics (mean and
standard deviation of each band over time), after Heusel et al. 2017, "GANs trained by a two time-scale update rule",
equation 6, with mel statistics in the place of a network's activations.
"""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from distill.audio.cache.sound_cache import SoundCache
from distill.audio.spectrogram import AudioSpectrogram
from distill.config.factory import make_config
from distill.config.family_catalog import FAMILIES
from distill.events import EpochMetrics, Event
from distill.models.persistence import open_model
from distill.models.vae import ConvVAE
from distill.training import train
from distill.training.data.split import split_by_file
from distill.training.dataset import AudioTrainingDataset, prepare_sounds
from tests.benchmarks.conftest import Report

pytestmark = pytest.mark.benchmark

#: Epochs of about a minute of training on a hundred sounds.
_EPOCHS = {"vae": 12, "complex_vae": 2}


def mel_statistics(mel: Tensor) -> Tensor:
    """Return ``[N, 2 * bands]`` of features ``[N, 1, bands, T]``."""
    return torch.cat([mel.mean(-1), mel.std(-1)], dim=2)[:, 0].double()


def frechet(one: Tensor, other: Tensor) -> float:
    """Distance between Gaussians fitted to two sets of rows."""
    means = (one.mean(0) - other.mean(0)).square().sum()
    a, b = torch.cov(one.T), torch.cov(other.T)
    cross = torch.linalg.eigvals(a @ b).real.clamp_min(0).sqrt().sum()
    return float(means + a.trace() + b.trace() - 2 * cross)


@pytest.mark.parametrize("family", [row.key for row in FAMILIES if row.monitor == "kl"])
def test_new_sounds_are_like_the_corpus(family: str, bench_sounds: list[Path], tmp_path: Path, report: Report) -> None:
    events: list[Event] = []
    config = make_config(family, len(bench_sounds), max_epochs=_EPOCHS[family], patience=0)
    result = train(config, bench_sounds, tmp_path / "run", "cpu", events.append)
    model = open_model(result["model_path"])
    spectrogram = AudioSpectrogram()
    sounds = prepare_sounds(bench_sounds, SoundCache()).sounds
    dataset = AudioTrainingDataset(sounds)
    corpus = mel_statistics(spectrogram.waveform_to_mel(torch.stack([dataset[i] for i in range(len(dataset))])))
    new = mel_statistics(spectrogram.waveform_to_mel(model.sample(64, seed=1)))
    network = model.model
    assert isinstance(network, ConvVAE)
    with torch.no_grad():
        mean = model.family.to_waveform(network.decode(torch.zeros(1, network.latent_dim)))
    middle = mel_statistics(spectrogram.waveform_to_mel(mean / mean.abs().max())).expand(64, -1)
    last = [e for e in events if isinstance(e, EpochMetrics)][-1]
    near, far = frechet(new, corpus), frechet(middle, corpus)
    report(f"{family}: 64 new sounds: Fréchet distance {near:.0f}; the decoded mean latent: {far:.0f}")
    report(f"validation KL {last.kl_divergence:.1f} nat, {last.active_latents} active latents")
    _, held_out = split_by_file(sounds, config.val_fraction)
    heard = AudioTrainingDataset(held_out)
    waves = torch.stack([heard[i] for i in range(min(len(heard), 32))])
    apart = (spectrogram.waveform_to_mel(model.reconstruct(waves)) - spectrogram.waveform_to_mel(waves)).abs().mean()
    report(f"held-out sounds are {20 * float(apart):.1f} dB from their reconstructions, a band")
    assert near < far
    assert last.kl_divergence > 0.5
