"""Previews: what the model sounds like after an epoch.

New sounds come from the same latents every epoch, and reconstructions from the same held-out sounds, so that one hears
the model improve and nothing else.  No torch at module level: the window lists previews before torch is imported.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soxr

from distill.audio.decoding.sound_file import SAMPLE_RATE, write_wav

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from distill.audio.complex_spectrogram import ComplexSpectrogram
    from distill.audio.spectrogram import AudioSpectrogram
    from distill.models.families.family import ModelFamily
    from distill.models.priors.window_prior import WindowPrior

#: Seed of the latents of all previews.
PREVIEW_SEED = 0
#: New sounds and reconstructed pairs that a run makes at a time.
SAMPLES, PAIRS = 3, 2
#: Peak of a written preview: full scale, with room for what a converter makes between samples.
_PEAK = 0.98
_SAMPLE_NAME = re.compile(r"preview_epoch(\d+)_(\d+)\.wav")
_PAIR_NAME = re.compile(r"recon_epoch(\d+)_recon_(\d+)\.wav")


def _write(path: Path, waveform: "Tensor", sample_rate: int) -> Path:
    """Write ``[1, N]`` peak-normalised; silence stays silence."""
    audio = np.nan_to_num(waveform[0].numpy(), posinf=0.0, neginf=0.0)
    if sample_rate != SAMPLE_RATE:
        audio = soxr.resample(audio, SAMPLE_RATE, sample_rate)
    peak = float(np.abs(audio).max(initial=0.0))
    write_wav(path, audio * (_PEAK / peak) if peak > 0 else audio, sample_rate)
    return path


def write_samples(
    family: "ModelFamily",
    model: "nn.Module",
    folder: Path,
    epoch: int,
    count: int,
    sample_rate: int = SAMPLE_RATE,
    prior: "WindowPrior | None" = None,
) -> list[Path]:
    """Write new sounds, ``preview_epoch0020_00.wav`` and on; none where the family cannot make any.

    The network is left in the mode in which it was.  Without a prior the points are drawn from the standard normal.

    Raises
    ------
    OSError
        A file cannot be written.
    """
    from distill.models.sound_parts import draw_points

    with _eval_mode(model):
        points = draw_points(family, model, prior, count, PREVIEW_SEED)
        if points is None:
            return []
        features = family.from_points(model, points)
    chunk = round(family.config.chunk_duration_s * family.spectrogram_config.sample_rate)
    fits = family.spectrogram_config.frames(chunk) == features.shape[-1]
    waves = family.to_waveform(features, chunk if fits else None)
    return [_write(folder / f"preview_epoch{epoch:04d}_{n:02d}.wav", wave, sample_rate) for n, wave in enumerate(waves)]


def write_reconstructions(
    family: "ModelFamily",
    model: "nn.Module",
    waveforms: "Tensor",
    folder: Path,
    epoch: int,
    device: "torch.device | str",
    sample_rate: int = SAMPLE_RATE,
) -> list[Path]:
    """Write originals ``[B, 1, N]`` and what the model makes of them; return the reconstructions' paths.

    The network is left in the mode in which it was.

    Raises
    ------
    OSError
        A file cannot be written.
    """
    with _eval_mode(model):
        features = family.reconstruct(model, family.features(waveforms.to(device)))
    written = []
    for n, (original, made) in enumerate(
        zip(waveforms, family.to_waveform(features, waveforms.shape[-1]), strict=True)
    ):
        _write(folder / f"recon_epoch{epoch:04d}_orig_{n:02d}.wav", original.cpu(), sample_rate)
        written.append(_write(folder / f"recon_epoch{epoch:04d}_recon_{n:02d}.wav", made, sample_rate))
    return written


class _eval_mode:  # noqa: N801 - reads as a statement
    """No gradients and eval mode inside the block; the mode before it afterwards."""

    def __init__(self, model: "nn.Module") -> None:
        self._model = model

    def __enter__(self) -> None:
        import torch

        self._was_training = self._model.training
        self._model.eval()
        self._no_grad = torch.no_grad()
        self._no_grad.__enter__()

    def __exit__(self, *exc: Any) -> None:
        self._no_grad.__exit__(*exc)
        self._model.train(self._was_training)


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

    Raises
    ------
    OSError
        A file cannot be written.
    """
    from distill.models.families.infer_family import family_of

    family = family_of(model, spectrogram)
    return write_samples(family, model.to(device), Path(output_dir), epoch, num_samples, sample_rate)


def generate_reconstruction_preview(
    model: "nn.Module",
    spectrogram: "AudioSpectrogram | ComplexSpectrogram",
    waveforms: "Tensor",
    output_dir: Path | str,
    epoch: int,
    device: "torch.device | str",
    num_samples: int = PAIRS,
    sample_rate: int = SAMPLE_RATE,
) -> list[Path]:
    """Write up to ``num_samples`` pairs of original and reconstruction of waveforms ``[B, 1, N]``; return all paths.

    Raises
    ------
    OSError
        A file cannot be written.
    """
    from distill.models.families.infer_family import family_of

    family = family_of(model, spectrogram)
    chosen = waveforms[:num_samples]
    made = write_reconstructions(family, model.to(device), chosen, Path(output_dir), epoch, device, sample_rate)
    return [path for recon in made for path in (original_of(recon), recon)]


#: The same for a VQ-VAE: the family follows from the model.
generate_vqvae_reconstruction_preview = generate_reconstruction_preview


def original_of(reconstruction: Path) -> Path:
    """Return the path of the original that lies beside a reconstruction."""
    return reconstruction.with_name(reconstruction.name.replace("_recon_", "_orig_"))


def _listed(folder: Path | str, pattern: re.Pattern[str]) -> Sequence[tuple[int, int, Path]]:
    matches = ((pattern.fullmatch(p.name), p) for p in Path(folder).glob("*.wav"))
    return sorted((int(m[1]), int(m[2]), p) for m, p in matches if m)


def list_previews(folder: Path | str) -> list[dict[str, Any]]:
    """Return ``epoch``, ``path`` and ``filename`` of the new sounds in a folder, by epoch."""
    return [{"epoch": e, "path": p, "filename": p.name} for e, _, p in _listed(folder, _SAMPLE_NAME)]


def list_reconstructions(folder: Path | str) -> list[dict[str, Any]]:
    """Return ``epoch``, ``index``, ``path``, ``filename`` and ``original_path`` of reconstructions, by epoch."""
    return [
        {"epoch": e, "index": n, "path": p, "filename": p.name, "original_path": original_of(p)}
        for e, n, p in _listed(folder, _PAIR_NAME)
    ]
