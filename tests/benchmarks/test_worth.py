"""Are new sounds worth having?  Near the corpus as a set, all of it reached, and no copies.

A fifth of the files is put aside and never trained on.  The measures are those of the literature, on the levels of
patches (`distill.models.latent_space.descriptors`) in the place of a network's embedding: the kernel distance of Chung
et al. 2025 ("KAD: no more FAD") with the median bandwidth, coverage after Naeem et al. 2020, and newness, the distance
to the nearest training sound relative to that of the files put aside.  Figures of two halves of the corpus stand
beside them.
"""

import random
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from distill.audio.cache.sound_cache import SoundCache
from distill.audio.spectrogram import AudioSpectrogram
from distill.config.factory import make_config
from distill.config.family_catalog import FAMILIES
from distill.models.latent_space.descriptors import describe_patches
from distill.models.persistence import open_model
from distill.training import train
from distill.training.dataset import AudioTrainingDataset, prepare_sounds
from tests.benchmarks.conftest import Report

pytestmark = pytest.mark.benchmark

#: Epochs of about a minute and a half on a hundred sounds and two cores.
_EPOCHS = {"vae": 6, "complex_vae": 3, "vqvae": 6}
_NEIGHBOURS = 5


def described(waves: Tensor) -> Tensor:
    """Return descriptions of the sounds ``[N, 1, samples]`` that are not silent."""
    loud = waves[waves.square().mean((1, 2)).sqrt() > 1e-3]
    return describe_patches(AudioSpectrogram().waveform_to_mel(loud)).double()


def corpus_of(paths: list[Path]) -> tuple[Tensor, Tensor]:
    """Return descriptions of all chunks of files, and of the first chunk of each file."""
    dataset = AudioTrainingDataset(prepare_sounds(paths, SoundCache()).sounds)
    waves = torch.stack([dataset[item] for item in range(len(dataset))])
    return described(waves), described(waves[torch.from_numpy(np.diff(dataset.owner, prepend=-1) != 0)])


def kernel_distance(one: Tensor, other: Tensor, width: float) -> float:
    """Return the squared maximum mean discrepancy, unbiased, times 1000."""

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return torch.exp(-torch.cdist(a, b).square() / (2 * width**2))

    within = sum((kernel(x, x).sum() - len(x)) / (len(x) * (len(x) - 1)) for x in (one, other))
    return float(within - 2 * kernel(one, other).mean()) * 1000


def coverage(new: Tensor, real: Tensor) -> float:
    """Return the share of real sounds with a new one among their nearest neighbours."""
    radius = torch.cdist(real, real).topk(min(_NEIGHBOURS + 1, len(real)), largest=False).values[:, -1]
    return float((torch.cdist(real, new) < radius[:, None]).any(1).double().mean())


@pytest.mark.parametrize("family", [row.key for row in FAMILIES])
def test_worth(family: str, bench_sounds: list[Path], tmp_path: Path, report: Report) -> None:
    files = sorted(bench_sounds)
    random.Random(7).shuffle(files)
    held, trained = files[: max(2, len(files) // 5)], files[max(2, len(files) // 5) :]
    began = time.perf_counter()
    config = make_config(family, len(trained), max_epochs=_EPOCHS[family], patience=0)
    result = train(config, trained, tmp_path / "run", "cpu")
    model, seconds = open_model(result["model_path"]), time.perf_counter() - began
    (train_all, train_one), (held_all, held_one) = corpus_of(trained), corpus_of(held)
    real = torch.cat([train_one, held_one])
    width = float(torch.pdist(real).median())
    order = torch.randperm(len(real), generator=torch.Generator().manual_seed(1))
    half, other = real[order[: len(real) // 2]], real[order[len(real) // 2 :]]
    new = described(model.sample(160, seed=1))
    usual = torch.cdist(held_all, train_all).amin(1)
    newness = float(torch.cdist(new, train_all).amin(1).median() / usual.median())
    copies = float((torch.cdist(new, train_all).amin(1) < usual.quantile(0.01)).double().mean())
    size = Path(result["model_path"]).stat().st_size
    report(
        f"{family}: {seconds:.0f} s, model {size / 1e6:.1f} MB; "
        f"kernel distance {kernel_distance(new, real, width):.1f} "
        f"(halves {kernel_distance(half, other, width):.1f}), coverage {coverage(new, half):.2f} "
        f"(halves {coverage(other, half):.2f}), copies {copies:.2f}, newness {newness:.2f}"
    )
    assert newness > 0.3  # new sounds are no copies
