"""A sound or a file of any length through a model, piece by piece: memory does not grow with the length.

A transform takes overlapping windows in and gives one sound without seams out: the windows are faded into each other
as features; see `distill.models.synthesis.window_blend`.  A reconstruction goes chunk by chunk.
"""

import math
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from distill.audio.decoding.mono_decoder import FloatArray, MeasuredSound, measure_mono
from distill.audio.stereo.stereo_files import stream_channels
from distill.audio.stft_and_mel import check_waveform
from distill.errors import SoundError
from distill.generation.generated_sound import GeneratedSound, GeneratedStream, GenerationCancelled
from distill.generation.mono_or_stereo import channels_of, image_of_source, in_stereo
from distill.generation.recipe import RECONSTRUCTED, TRANSFORMED, recipe_of_source
from distill.models.inference import CHUNKS_AT_ONCE, OpenModel
from distill.models.synthesis.features_to_sound import stream_of_features
from distill.models.synthesis.window_blend import blend_stream, window_starts

_WINDOWS_AT_ONCE = 8
#: Samples of a sound that are looked at together.
_PIECE_SAMPLES = 1 << 17

Progress = Callable[[float], None]


def transform(
    model: OpenModel,
    waveform: Tensor,
    dry_wet: float = 1.0,
    progress: Progress | None = None,
    cancel_event: threading.Event | None = None,
) -> Tensor:
    """Return a sound that went through a model, blended with itself.

    The blend keeps the energy, not the sum: what comes out of a model has other phases than what went in, so that half
    and half would be 3 dB softer than either.

    Parameters
    ----------
    model
        The model.
    waveform
        ``[1, 1, N]`` at the model's rate, any level; level in is level out.
    dry_wet
        Share of the model's sound: 0 gives the sound itself, 1 the model's alone.
    progress
        Called with the share that is done, 0 to 1.
    cancel_event
        Ends the work when the windows or the segment in hand are done: a few seconds at most.

    Raises
    ------
    ValueError
        The shape is another, the sound is not finite, or ``dry_wet`` is out of range.
    GenerationCancelled
        ``cancel_event`` was set.
    """
    check_waveform(waveform)
    if waveform.shape[0] != 1:
        raise ValueError(f"transform takes one sound [1, 1, N] at a time, not {list(waveform.shape)}.")
    dry = waveform.detach().to("cpu", torch.float32)
    peak = float(dry.abs().max())
    if not math.isfinite(peak):
        raise ValueError("The sound contains samples that are not numbers.")
    blocks = [dry[0, 0].numpy()]
    pieces = list(transform_stream(model, blocks, dry.shape[-1], peak, dry_wet, progress, cancel_event))
    return torch.from_numpy(np.concatenate(pieces))[None, None]


def transform_stream(
    model: OpenModel,
    blocks: Iterable[FloatArray],
    samples: int,
    peak: float,
    dry_wet: float = 1.0,
    progress: Progress | None = None,
    cancel_event: threading.Event | None = None,
) -> Iterator[FloatArray]:
    """Yield what `transform` makes of a sound, in pieces ``[n]``.

    Parameters
    ----------
    blocks
        The sound in order, float32 ``[n]``.
    samples, peak
        Its length and its highest level.
    model, dry_wet, progress, cancel_event
        As in `transform`.

    Raises
    ------
    ValueError
        ``dry_wet`` is out of range.
    GenerationCancelled
        ``cancel_event`` was set.
    """
    if not 0.0 <= dry_wet <= 1.0:
        raise ValueError(f"dry_wet must be a number from 0 to 1, not {dry_wet!r}.")
    work = _TransformProgress(progress, cancel_event)
    if dry_wet == 0.0 or peak == 0.0:
        for block in blocks:
            work.check()
            yield block.copy()
        work.done(1.0)
        return
    source = _SourceBlocks(blocks, keeps=dry_wet < 1.0)
    angle = dry_wet * math.pi / 2
    pieces = _made(model, source, samples, peak, work)
    while (piece := _next(pieces)) is not None:
        wet = piece.numpy() * np.float32(peak)
        yield wet if dry_wet == 1.0 else math.cos(angle) * source.take(len(wet)) + math.sin(angle) * wet


def reconstruct_stream(
    model: OpenModel, blocks: Iterable[FloatArray], samples: int, peak: float, cancel_event: threading.Event | None
) -> Iterator[FloatArray]:
    """Yield what `OpenModel.reconstruct` makes of a sound, in pieces ``[n]``; parameters are those of a transform.

    Raises
    ------
    GenerationCancelled
        ``cancel_event`` was set.
    """
    work = _TransformProgress(None, cancel_event)
    samples_left, most_samples = samples, model.chunk_samples * CHUNKS_AT_ONCE
    source = _SourceBlocks(blocks)
    while samples_left > 0:
        work.check()
        part = torch.from_numpy(source.take(min(most_samples, samples_left))) / max(peak, 1e-12)
        chunks = torch.nn.functional.pad(part, (0, -len(part) % model.chunk_samples))
        generated = model.through_latent(chunks.reshape(-1, 1, model.chunk_samples)).reshape(-1)[: len(part)]
        samples_left -= len(part)
        yield (generated * peak).numpy()


@torch.no_grad()
def _next(pieces: Iterator[Tensor]) -> Tensor | None:
    """Compute the next piece; the mode of who takes the pieces is as it was."""
    return next(pieces, None)


class _TransformProgress:
    """Progress and cancelling."""

    def __init__(self, progress: Progress | None, cancel_event: threading.Event | None) -> None:
        self._progress, self._cancel = progress, cancel_event

    def check(self) -> None:
        if self._cancel is not None and self._cancel.is_set():
            raise GenerationCancelled

    def done(self, share: float) -> None:
        self.check()
        if self._progress is not None:
            self._progress(share)


class _SourceBlocks:
    """Blocks of a sound, as windows of it and once more as they are.

    Parameters
    ----------
    blocks
        float32 ``[n]``.
    keeps
        Whether `take` gives what `windows` has read; otherwise it reads by itself.
    """

    def __init__(self, blocks: Iterable[FloatArray], keeps: bool = True) -> None:
        self._blocks, self._keeps = _in_pieces(blocks), keeps
        self._read: list[FloatArray] = []

    def take(self, samples: int) -> FloatArray:
        """Return the next samples, fewer only at the end of the sound."""
        count = sum(len(block) for block in self._read)
        while count < samples and (block := next(self._blocks, None)) is not None:
            self._read.append(block)
            count += len(block)
        whole = np.concatenate(self._read) if self._read else np.zeros(0, np.float32)
        self._read = [whole[samples:]]
        return whole[:samples]

    def windows(self, starts: list[int], length: int) -> Iterator[Tensor]:
        """Yield windows ``[length]`` that begin at the given samples; what lies behind the sound is silence."""
        samples, first = np.zeros(0, np.float32), 0
        for start in starts:
            parts, end = [samples], first + len(samples)
            while end < start + length and (block := next(self._blocks, None)) is not None:
                if self._keeps:
                    self._read.append(block)
                parts.append(block)
                end += len(block)
            samples, first = np.concatenate(parts)[start - first :], start
            window = samples[:length]
            yield torch.from_numpy(np.pad(window, (0, length - len(window))))


def _in_pieces(blocks: Iterable[FloatArray]) -> Iterator[FloatArray]:
    """Yield blocks in views of some seconds: what is left of a block is copied once for each window in it."""
    for block in blocks:
        for start in range(0, len(block), _PIECE_SAMPLES):
            yield block[start : start + _PIECE_SAMPLES]


def _made(
    model: OpenModel, source: _SourceBlocks, samples: int, peak: float, work: _TransformProgress
) -> Iterator[Tensor]:
    """Yield what a model makes of a sound that is brought to full scale, in pieces ``[n]``."""
    geometry = model.family.spectrogram_config
    total = geometry.frames(samples)
    frames = geometry.frames(model.chunk_samples)
    starts = window_starts(1 + samples // geometry.hop_length, frames)
    windows = source.windows([start * geometry.hop_length for start in starts], model.chunk_samples)

    def decoded() -> Iterator[Tensor]:
        for first in range(0, len(starts), _WINDOWS_AT_ONCE):
            work.check()
            batch = [next(windows) for _ in starts[first : first + _WINDOWS_AT_ONCE]]
            features = model.family.features((torch.stack(batch)[:, None] / peak).to(model.device))
            yield from model.family.reconstruct(model.model, features).float().cpu()

    parts = (part[None] for part in blend_stream(decoded(), len(starts), total))
    yield from stream_of_features(model.family, parts, total, samples, work.done)


def stream_transform(
    model: OpenModel,
    model_file: Path,
    source: Path,
    dry_wet: float = 1.0,
    progress: Progress | None = None,
    cancel_event: threading.Event | None = None,
    mono: bool = False,
) -> GeneratedStream:
    """Return a sound file's sound, of any length, sent through a model; see `transform`.

    The file is decoded twice: once to know that all of it can be used, and how loud it is.  A stereo file keeps its
    image if the model knows stereo sounds, unless ``mono`` is set.

    Raises
    ------
    SoundError
        The file cannot be used; the message is the reason alone.
    GenerationCancelled
        ``cancel_event`` was set.
    """
    sound = measure_mono(source, cancel_event)
    channels = channels_of(model, [source], mono, cancel_event)
    recipe = recipe_of_source(TRANSFORMED, model, model_file, source, dry_wet=dry_wet, channels=channels)
    share = 1.0 if channels == 2 and dry_wet > 0 else dry_wet  # stereo sounds are blended with both channels
    blocks = sound.blocks(cancel_event)
    stream = transform_stream(model, blocks, sound.samples, sound.peak, share, progress, cancel_event)
    if channels == 2:
        stream = in_stereo(stream, image_of_source(sound, cancel_event))
        stream = stream if dry_wet == 1.0 else with_dry(stream, sound, dry_wet, cancel_event)
    return GeneratedStream(stream, recipe)


def with_dry(
    wet: Iterable[FloatArray], sound: MeasuredSound, dry_wet: float, cancel_event: threading.Event | None = None
) -> Iterator[FloatArray]:
    """Yield a blend of a stereo copy with the file itself, in blocks ``[n, 2]``; see `transform`.

    Raises
    ------
    SoundError
        The file has changed since it was measured.
    """
    angle = dry_wet * math.pi / 2
    dry: FloatArray = np.zeros((0, 2), np.float32)
    with closing(stream_channels(sound.path, cancel_event)) as dry_blocks:
        for wet_block in wet:
            parts, count = [dry], len(dry)
            while count < len(wet_block):
                dry_block = next(dry_blocks, None)
                if dry_block is None:
                    raise SoundError("the file has changed since it was measured")
                parts.append(dry_block)
                count += len(dry_block)
            dry = np.concatenate(parts)
            yield np.float32(math.cos(angle)) * dry[: len(wet_block)] + np.float32(math.sin(angle)) * wet_block
            dry = dry[len(wet_block) :]


def transform_file(
    model: OpenModel,
    model_file: Path,
    source: Path,
    dry_wet: float = 1.0,
    progress: Progress | None = None,
    cancel_event: threading.Event | None = None,
    mono: bool = False,
) -> GeneratedSound:
    """Return what `stream_transform` makes, in memory."""
    return stream_transform(model, model_file, source, dry_wet, progress, cancel_event, mono).whole()


def stream_reconstruction(
    model: OpenModel,
    model_file: Path,
    source: Path,
    cancel_event: threading.Event | None = None,
    mono: bool = False,
) -> GeneratedStream:
    """Return a sound file's sound through the model's latent or codes, chunk by chunk; see `OpenModel.reconstruct`.

    Channels are those of `stream_transform`.

    Raises
    ------
    SoundError
        The file cannot be used; the message is the reason alone.
    """
    sound = measure_mono(source, cancel_event)
    channels = channels_of(model, [source], mono, cancel_event)
    recipe = recipe_of_source(RECONSTRUCTED, model, model_file, source, channels=channels)
    stream = reconstruct_stream(model, sound.blocks(cancel_event), sound.samples, sound.peak, cancel_event)
    if channels == 2:
        stream = in_stereo(stream, image_of_source(sound, cancel_event))
    return GeneratedStream(stream, recipe)


def reconstruct_file(
    model: OpenModel,
    model_file: Path,
    source: Path,
    cancel_event: threading.Event | None = None,
    mono: bool = False,
) -> GeneratedSound:
    """Return what `stream_reconstruction` makes, in memory."""
    return stream_reconstruction(model, model_file, source, cancel_event, mono).whole()
