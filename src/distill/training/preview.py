"""Previews: the sounds of the model after an epoch.

New sounds come from the same latents every epoch, and reconstructions from the same held-out sounds, so that one hears
only the model improve.  No torch at module level: previews are listed before torch is imported.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soxr

from distill.audio.decoding.mono_decoder import SAMPLE_RATE
from distill.audio.export import write_wav
from distill.config.keyword_aliases import accept_keywords
from distill.runs.preview_files import (
    PAIRS,
    list_previews,
    list_reconstructions,
    original_of,
    pair_names,
    sample_name,
)

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from distill.audio.complex_spectrogram import ComplexSpectrogram
    from distill.audio.spectrogram import AudioSpectrogram
    from distill.models.families.family import ModelFamily
    from distill.models.priors.window_prior import WindowPrior

__all__ = [
    "generate_preview",
    "generate_reconstruction_preview",
    "generate_vqvae_reconstruction_preview",
    "list_previews",
    "list_reconstructions",
    "write_reconstructions",
    "write_samples",
]

#: Seed of the latents of all previews.
PREVIEW_SEED = 0
#: Peak under which a preview is silent and is not raised.
SILENT = 1e-3
#: Peak of a written preview: full scale, with room for what a converter makes between samples.
_PEAK = 0.98


def _write(path: Path, waveform: "Tensor", sample_rate: int) -> Path:
    """Write ``[1, N]`` peak-normalised; what is silent (peak under -60 dB) keeps its level, also a copy of silence."""
    audio = np.nan_to_num(waveform[0].numpy(), posinf=0.0, neginf=0.0)
    if sample_rate != SAMPLE_RATE:
        audio = soxr.resample(audio, SAMPLE_RATE, sample_rate)
    peak = float(np.abs(audio).max(initial=0.0))
    write_wav(path, audio * (_PEAK / peak) if peak >= SILENT else audio, sample_rate)
    return path


def write_samples(
    family: "ModelFamily",
    model: "nn.Module",
    folder: Path,
    epoch: int,
    count: int,
    sample_rate: int = SAMPLE_RATE,
    prior: "WindowPrior | None" = None,
) -> Iterator[Path]:
    """Write new sounds, ``preview_epoch0020_00.wav`` and on, and yield each path; none if the family cannot sample.

    The network is left in the mode in which it was.  Without a prior the points are drawn from the standard normal.

    Raises
    ------
    OSError
        A file cannot be written.
    """
    from distill.models.model_parts import draw_points

    with _evaluating(model):
        points = draw_points(family, model, prior, count, PREVIEW_SEED)
        if points is None:
            return
        features = family.from_points(model, points)
    chunk = round(family.config.chunk_duration_s * family.spectrogram_config.sample_rate)
    is_one_chunk = family.spectrogram_config.frames(chunk) == features.shape[-1]
    for n in range(count):
        (wave,) = family.to_waveform(features[n : n + 1], chunk if is_one_chunk else None)
        yield _write(folder / sample_name(epoch, n), wave, sample_rate)


def write_reconstructions(
    family: "ModelFamily",
    model: "nn.Module",
    waveforms: "Tensor",
    folder: Path,
    epoch: int,
    device: "torch.device | str",
    sample_rate: int = SAMPLE_RATE,
) -> Iterator[Path]:
    """Write originals and their reconstructions, and yield the path of each reconstruction.

    The network is left in the mode in which it was.

    Parameters
    ----------
    waveforms
        Originals: waveforms ``[B, 1, N]``, or features ``[B, C, F, T]``, which are made audible first.

    Raises
    ------
    OSError
        A file cannot be written.
    """
    is_waveform = waveforms.ndim == 3
    with _evaluating(model):
        originals = waveforms.to(device)
        features = family.reconstruct(model, family.features(originals) if is_waveform else originals)
    samples = waveforms.shape[-1] if is_waveform else None
    for n in range(len(waveforms)):
        one = waveforms[n : n + 1]
        (original,) = one.cpu() if is_waveform else family.to_waveform(one)
        original_name, reconstruction_name = pair_names(epoch, n)
        _write(folder / original_name, original, sample_rate)
        (reconstruction,) = family.to_waveform(features[n : n + 1], samples)
        yield _write(folder / reconstruction_name, reconstruction, sample_rate)


@contextmanager
def _evaluating(model: "nn.Module") -> Iterator[None]:
    """Compute without gradients and in eval mode inside the block, in the mode before it afterwards."""
    import torch

    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)


def generate_preview(
    model: "nn.Module",
    spectrogram: "AudioSpectrogram | ComplexSpectrogram",
    output_dir: Path | str,
    epoch: int,
    device: "torch.device | str",
    num_samples: int = 1,
    sample_rate: int = SAMPLE_RATE,
) -> list[Path]:
    """Write new sounds of a VAE into a folder; the same latents whatever the epoch.

    Parameters
    ----------
    model
        The VAE.
    spectrogram
        Representation of the family that the model belongs to.
    output_dir
        Folder of the files.
    epoch
        Epoch in the names of the files, from 0.
    device
        Where the model computes.
    num_samples
        How many sounds, of one chunk each.
    sample_rate
        Sample rate of the files (Hz).

    Returns
    -------
    list
        The files.

    Raises
    ------
    OSError
        A file cannot be written.
    """
    from distill.models.families import family_of

    family = family_of(model, spectrogram)
    return list(write_samples(family, model.to(device), Path(output_dir), epoch, num_samples, sample_rate))


@accept_keywords(waveforms="sample_batch")
def generate_reconstruction_preview(
    model: "nn.Module",
    spectrogram: "AudioSpectrogram | ComplexSpectrogram",
    output_dir: Path | str,
    epoch: int,
    device: "torch.device | str",
    sample_batch: "Tensor",
    sample_rate: int = SAMPLE_RATE,
    num_samples: int = PAIRS,
) -> list[Path]:
    """Write pairs of original and reconstruction into a folder; return all paths.

    Parameters
    ----------
    model, spectrogram
        Network and representation, of any family.
    output_dir, epoch
        Folder and epoch of the files.
    device
        Device of the network.
    sample_batch
        Waveforms ``[B, 1, N]`` or features ``[B, C, F, T]``; the first ``num_samples`` are used.
    sample_rate
        Sample rate of the files in Hz.
    num_samples
        Maximum number of pairs.

    Raises
    ------
    OSError
        A file cannot be written.
    """
    from distill.models.families import family_of

    family, chosen = family_of(model, spectrogram), sample_batch[:num_samples]
    written = write_reconstructions(family, model.to(device), chosen, Path(output_dir), epoch, device, sample_rate)
    return [path for recon in written for path in (original_of(recon), recon)]


#: The same for a VQ-VAE: the family follows from the model.
generate_vqvae_reconstruction_preview = generate_reconstruction_preview
