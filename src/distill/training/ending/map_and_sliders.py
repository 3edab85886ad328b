"""Describes the sounds of a run for its model file: the map, and the sliders."""

from typing import Any

import torch
from torch import Tensor, nn

from distill.audio.decoding.mono_decoder import SAMPLE_RATE
from distill.models.families.family import ModelFamily
from distill.models.latent_space.descriptors import decode_chunks
from distill.models.latent_space.latent_map import fit_map
from distill.models.latent_space.sliders import fit_analysis
from distill.training.dataset import FeatureDataset
from distill.training.run import TrainingData
from distill.training.steps.prior_training import spread_by_file

#: Most chunks on a map.
_MOST_CHUNKS = 5000
#: Most chunks that the sliders are fitted on.
_MOST_ANALYSED = 800
#: Hexadecimal digits of a sound's content hash that tell the sounds of a map apart.
FINGERPRINT_DIGITS = 16

_BATCH = 32


def map_entries(family: ModelFamily, network: nn.Module, data: TrainingData) -> dict[str, Any]:
    """Return the entries ``map`` and ``latent_analysis`` of the model file of a network, in eval mode.

    The latter is missing where no slider works.

    Parameters
    ----------
    family, network
        The model.
    data
        Its training and held-out sounds; both are on the map.
    """
    features, sounds, starts, seconds, prints = _chunks(data)
    chunks = decode_chunks(family, network, features)
    entries = {"map": fit_map(chunks, sounds, starts, seconds, prints).to_file()}
    every = max(1, len(features) // _MOST_ANALYSED)
    analysis = fit_analysis(family, network, chunks.every(every))
    if analysis is not None:
        entries["latent_analysis"] = analysis.to_file()
    return entries


def _chunks(data: TrainingData) -> tuple[Tensor, list[int], list[float], list[float], list[str]]:
    """Return the features of the sounds' chunks, what each chunk is, and the sounds' fingerprints."""
    features: list[Tensor] = []
    sounds: list[int] = []
    starts: list[float] = []
    seconds: list[float] = []
    prints: list[str] = []
    total = data.train_set.layout.chunks + data.val_set.layout.chunks
    for dataset in (data.train_set, data.val_set):
        layout = dataset.layout
        items = spread_by_file(torch.from_numpy(layout.owner[: layout.chunks]), _share(dataset, total))
        features += dataset.batches(items.tolist(), _BATCH)
        for item in items.tolist():
            sound, chunk, _ = layout.locate(item)
            start = chunk * layout.chunk_samples
            sounds.append(len(prints) + layout.sounds.index(sound))
            starts.append((sound.start + start) / SAMPLE_RATE)  # in its file: it may be a part of that
            seconds.append(max(1, min(layout.chunk_samples, sound.samples - start)) / SAMPLE_RATE)
        prints += [sound.content_hash[:FINGERPRINT_DIGITS] for sound in layout.sounds]
    return torch.cat(features), sounds, starts, seconds, prints


def _share(dataset: FeatureDataset, total: int) -> int:
    """Return how many chunks of a set are on the map."""
    return max(1, int(dataset.layout.chunks) * min(_MOST_CHUNKS, total) // total)
