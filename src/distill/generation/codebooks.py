"""The codebooks of a finished VQ model: which codes held-out sounds use, and how each code sounds.

Everything here blocks and imports torch: background tasks call it, never the window's thread.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from distill.errors import ModelFileError, SoundError
from distill.runs.folder import MODEL
from distill.runs.preview_files import PreviewKind, find_previews
from distill.runs.run_record import RunRecord

if TYPE_CHECKING:
    from torch import Tensor

    from distill.models.inference import LoadedVQModel

#: Chunks that go through the model at once; between two batches the work can be cancelled.
_BATCH = 16

#: Peak of the sound of a code: full scale, with room for what a converter makes between samples.
_PEAK = 0.98

#: In a grid of codes: this level adds nothing.
_NOTHING = -1


@dataclass(frozen=True)
class Code:
    """An entry of a level's codebook."""

    level: int
    entry: int


@dataclass(frozen=True)
class CodebookUse:
    """How held-out sounds use the codebooks of a model.

    Attributes
    ----------
    model
        The model.
    counts
        How often each entry of each level is used, int64 ``[levels, entries]``.
    is_whole
        Whether all held-out sounds were counted; otherwise the originals of the previews were.
    """

    model: "LoadedVQModel"
    counts: NDArray[np.int64]
    is_whole: bool

    @property
    def tokens(self) -> int:
        """Codes that were counted in each level."""
        return int(self.counts[0].sum())


def read_use(run_dir: Path, cancel_event: threading.Event) -> CodebookUse:
    """Open the model of a run and count which codes the run's held-out sounds use.

    Raises
    ------
    DistillError
        The run's record or its model cannot be used, or none of the sounds is there any more.
    Cancelled
        ``cancel_event`` was set.
    """
    from distill.models.persistence import load_model_v2

    model = load_model_v2(run_dir / MODEL)
    record = RunRecord.load(run_dir)
    chunks = _held_out(record, model, cancel_event)
    is_whole = chunks is not None
    counts = _count(model, _previewed(run_dir, model) if chunks is None else chunks, cancel_event)
    if not counts.any():
        raise ModelFileError(f"The sounds that the run in {run_dir} held out are not there any more.")
    return CodebookUse(model, counts, is_whole)


def _held_out(record: RunRecord, model: "LoadedVQModel", cancel_event: threading.Event) -> "Iterator[Tensor] | None":
    """Return features ``[B, 1, F, T]`` of the sounds that were held out, or None where they are not all there."""
    from distill.audio.cache.sound_cache import SoundCache
    from distill.audio.decoding.mono_decoder import SAMPLE_RATE
    from distill.training.data.known_split import KnownSplit, split_with
    from distill.training.data.moved_sounds import keep_identities
    from distill.training.data.split import split_sounds
    from distill.training.dataset import FeatureDataset, prepare_sounds

    chunk_samples = round(record.config.chunk_duration_s * SAMPLE_RATE)
    try:
        cache = SoundCache(preparation=record.preparation, fixes=record.fixes_of_sounds)
        sounds = prepare_sounds(record.file_paths, cache, cancel_event=cancel_event, chunk_samples=chunk_samples).sounds
    except SoundError:
        return None
    if len(sounds) != model.metadata.dataset_file_count:  # another set splits in another way
        return None
    sounds = keep_identities(sounds, record.fingerprints)
    share, known_split = record.config.val_fraction, KnownSplit.from_dict(record.split)
    if known_split is None:  # of an older version
        _, val = split_sounds(sounds, share, chunk_samples)
    else:
        _, val = split_with(known_split, sounds, share, chunk_samples)
    held_out = FeatureDataset(val, model.family)
    held_out.prepare(cancel_event=cancel_event)
    return held_out.batches(range(len(held_out)), _BATCH)


def _previewed(run_dir: Path, model: "LoadedVQModel") -> "Iterator[Tensor]":
    """Yield features ``[1, 1, F, T]`` of the originals among the previews, which are the same in each epoch."""
    import soundfile
    import torch

    from distill.audio.decoding.libsndfile import sndfile_name

    originals = [p for p in find_previews(run_dir / "previews") if p.kind is PreviewKind.ORIGINAL]
    for number in sorted({p.number for p in originals}):
        path = max((p for p in originals if p.number == number), key=lambda p: p.epoch).path
        try:
            audio = soundfile.read(sndfile_name(path), dtype="float32", always_2d=True)[0][:, 0]
        except (OSError, RuntimeError):  # soundfile's own error is a RuntimeError
            continue
        peak = float(np.abs(audio).max(initial=0.0))
        if len(audio) == model.chunk_samples and peak > 0:
            yield model.family.features(torch.from_numpy(audio / peak)[None, None])  # at the level of the training


def _count(model: "LoadedVQModel", batches: "Iterator[Tensor]", cancel_event: threading.Event) -> NDArray[np.int64]:
    import torch

    from distill.errors import Cancelled

    config, network = model.vqvae_config, _network(model)
    counts = np.zeros((config.num_quantizers, config.codebook_size), dtype=np.int64)
    with torch.no_grad():
        for features in batches:
            if cancel_event.is_set():
                raise Cancelled
            codes = network.encode(features).numpy().reshape(-1, config.num_quantizers)
            for level, used in enumerate(codes.T):
                counts[level] += np.bincount(used, minlength=config.codebook_size)
    return counts


def write_code(use: CodebookUse, code: Code, folder: Path) -> Path:
    """Write how a code sounds, as a WAV file, and return its path; one that is there already is not made again.

    The sound is what the model decodes from a grid in which the code stands everywhere and the other levels add
    nothing, brought to full scale.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    import torch

    from distill.audio.decoding.mono_decoder import SAMPLE_RATE
    from distill.audio.export import write_wav

    path = folder / f"level {code.level} code {code.entry}.wav"
    if path.exists():
        return path
    network = _network(use.model)
    positions = network.grid[0] * network.grid[1]
    grid = torch.full((1, positions, len(use.counts)), _NOTHING)
    grid[..., code.level] = code.entry
    with torch.no_grad():
        wave = use.model.family.to_waveform(network.decode(grid), use.model.chunk_samples)[0, 0].numpy()
    peak = float(np.abs(wave).max(initial=0.0))
    write_wav(path, wave * (_PEAK / peak) if peak > 0 else wave, SAMPLE_RATE)
    return path


def _network(model: "LoadedVQModel") -> Any:
    return model.model
