"""Writes sounds to files: for other programs in any format, where no file is overwritten; and plain WAV files.

Inside Distill a sound is mono or stereo, 48 kHz, float32.  On its way out it may be resampled, made wide (`widen`) or
mono, made softer where it would clip, dithered where 16 bits are too few for its fades, and written with facts about
itself.  All of that goes block by block, so that an hour of sound takes no more memory than a second.
"""

import io
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from distill.audio.decoding.level_checks import LevelMeter, MixLostError, is_absurd
from distill.audio.decoding.mono_decoder import SAMPLE_RATE, FloatArray, peak_of
from distill.audio.export_options import ExportFormat, ExportOptions
from distill.audio.stereo.mono_to_stereo import widen, widen_stream
from distill.errors import SoundError
from distill.files import write_new, write_whole

__all__ = ["MOST_TEXT", "Exported", "export_sound", "widen", "write_wav"]

#: Level under which beginning and end are silent (-60 dBFS), and samples that are kept beside what is heard.
_SILENCE, _KEPT_BEFORE, _KEPT_AFTER = 1e-3, SAMPLE_RATE // 1000, SAMPLE_RATE // 100
#: Highest level that is written: the highest number of 16 bits.
_CEILING = 1.0 - 2.0**-15
#: Level that is aimed for where a lossy codec gave more than full scale, and how often that is tried.
_LOSSY_HEADROOM, _LOSSY_TRIES = 0.98, 4
_BLOCK_FRAMES = 1 << 15  # libsndfile's Vorbis encoder takes a stack frame for each sample that it is given at once
#: Bytes of samples up to which a WAV file is one; more is written as RF64, whose sizes have 64 bits.
MOST_WAV_BYTES = (1 << 32) - (1 << 20)
#: Longest text in a WAV file.  With one of 50 kB libsndfile writes a file that cannot be opened.
MOST_TEXT = 32_000
#: What of a sound is kept in memory between its making and its encoding; the rest waits in a file beside its target.
_MEMORY_BYTES = 32 << 20


@dataclass(frozen=True)
class Exported:
    """A file that was written, the gain that kept it from clipping (1 where none was needed), and its samples."""

    path: Path
    gain: float
    samples: int


def export_sound(
    path: Path,
    audio: npt.NDArray[Any] | Iterable[FloatArray],
    options: ExportOptions | None = None,
    title: str = "",
    comment: str = "",
) -> Exported:
    """Write a sound; a file that is there is not overwritten: the new one gets a number.

    Parameters
    ----------
    path
        The file; its suffix is made that of the format.  Missing folders are made.
    audio
        ``[samples]`` or ``[samples, 2]`` at 48 kHz, or such blocks one after the other.
    options
        How to write it.
    title, comment
        For the file's metadata.

    Raises
    ------
    ValueError
        The audio has another shape, no samples, or samples that are not numbers.
    OSError
        The file cannot be written, or the disk is full.
    """
    options = options or ExportOptions()
    channels, blocks = _with_channels(_checked(_blocks_of(audio) if isinstance(audio, np.ndarray) else audio))
    if channels == 2 and options.stereo is False:
        channels, blocks = 1, _mono(blocks, path.parent)
    widens = channels == 1 and options.stereo is True
    if options.trim:
        blocks = without_silence(blocks)
    if options.fade_ms:
        blocks = with_fades(blocks, options.fade_ms / 1000)
    if path.suffix.lower() != options.kind.suffix:
        path = path.with_name(path.name + options.kind.suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _temporary_file(path.parent) as file:
        waiting = _Waiting(file, 2 if widens else channels)
        samples = waiting.fill(widen_stream(blocks) if widens else blocks, options.sample_rate)
        encoder = _Encoder(waiting, options, {"title": title, "comment": comment})
        target = write_new(path, encoder.write)
    return Exported(target, encoder.gain, samples)


def write_wav(path: Path, audio: npt.NDArray[Any], sample_rate: int = SAMPLE_RATE) -> None:
    """Write a WAV file (PCM, 16 bits), whole or not at all.

    Parameters
    ----------
    path
        The file; missing folders are made.
    audio
        ``[samples]``, or ``[samples, channels]``; what is over 1.0 is clipped.
    sample_rate
        Hz.

    Raises
    ------
    ValueError
        The audio has another shape, no samples, or samples that are not numbers.
    OSError
        The file cannot be written, or the disk is full.
    """
    samples = np.asarray(audio, np.float32)
    if samples.ndim not in (1, 2) or samples.size == 0:
        raise ValueError(f"Audio to be written must be [samples] or [samples, channels], not {list(samples.shape)}.")
    if not np.isfinite(samples).all():
        raise ValueError("Audio to be written contains samples that are not numbers.")
    # By way of memory: in a callback from libsndfile a full disk would be lost.
    whole = io.BytesIO()
    soundfile.write(whole, np.clip(samples, -1.0, 1.0), sample_rate, format="WAV", subtype="PCM_16")
    with write_whole(path) as file:
        file.write(whole.getbuffer())


def _temporary_file(folder: Path) -> "tempfile.SpooledTemporaryFile[bytes]":
    return tempfile.SpooledTemporaryFile(_MEMORY_BYTES, dir=str(folder))


def _mono(blocks: Iterable[FloatArray], folder: Path) -> Iterator[FloatArray]:
    """Yield blocks ``[n]`` of blocks ``[n, 2]``: their mean, or the louder channel where the mean has lost the sound.

    It is judged as where sounds are read.  Until it is known, the sound waits in a temporary file in ``folder``.
    """
    meter, channel = LevelMeter(2), None

    def measured() -> Iterator[FloatArray]:
        for block in blocks:
            meter.add(block, block.mean(axis=1))
            yield block

    with _temporary_file(folder) as file:
        waiting = _Waiting(file, 2)
        waiting.fill(measured(), SAMPLE_RATE)
        try:
            meter.check(is_mix=True)
        except MixLostError as lost:
            channel = lost.channel
        except SoundError:  # silent: it is written all the same
            pass
        for block in waiting.blocks():
            yield block.mean(axis=1) if channel is None else np.ascontiguousarray(block[:, channel])


def without_silence(blocks: Iterable[FloatArray]) -> Iterator[FloatArray]:
    """Yield a sound, in blocks ``[n]`` or ``[n, 2]``, without what is under -60 dBFS at its beginning and end.

    Some milliseconds beside what is heard are kept, for attacks and reverberation.  A silent sound stays as it is.
    """
    silent: list[FloatArray] = []
    has_begun = False
    for block in blocks:
        loud = np.abs(block) > _SILENCE
        heard = np.flatnonzero(loud if block.ndim == 1 else loud.any(axis=1))
        if not len(heard):
            silent.append(block)
            continue
        first, last = int(heard[0]), int(heard[-1])
        pause = np.concatenate([*silent, block[:first]])
        yield np.concatenate([pause if has_begun else pause[-_KEPT_BEFORE:], block[first : last + 1]])
        silent, has_begun = [block[last + 1 :]], True
    tail = np.concatenate(silent)[: _KEPT_AFTER if has_begun else None] if silent else np.zeros(0, np.float32)
    if len(tail):
        yield tail


def with_fades(blocks: Iterable[FloatArray], seconds: float) -> Iterator[FloatArray]:
    """Yield a sound, in blocks ``[n]`` or ``[n, 2]``, that begins and ends at zero; a fade takes at most a quarter."""
    length = round(seconds * SAMPLE_RATE)
    unwritten: FloatArray = np.zeros(0, np.float32)
    has_begun = False
    for block in blocks:
        unwritten = np.concatenate([unwritten, block]) if len(unwritten) else block.copy()
        if not has_begun and len(unwritten) >= 4 * length:
            _fade(unwritten[:length], 0.0, 1.0)
            has_begun = True
        if has_begun and len(unwritten) > length:
            yield unwritten[: len(unwritten) - length]
            unwritten = unwritten[len(unwritten) - length :]
    if not has_begun:
        length = min(length, len(unwritten) // 4)
        _fade(unwritten[:length], 0.0, 1.0)
    if length:
        _fade(unwritten[-length:], 1.0, 0.0)
    if len(unwritten):
        yield unwritten


def _fade(part: FloatArray, begin: float, end: float) -> None:
    """Fade a part of a sound in place."""
    part *= np.linspace(begin, end, len(part), dtype=np.float32).reshape(-1, *(1,) * (part.ndim - 1))


def _with_channels(blocks: Iterator[FloatArray]) -> tuple[int, Iterator[FloatArray]]:
    """Return how many channels a sound has, and its blocks.

    Raises
    ------
    ValueError
        It is neither mono nor stereo.
    """
    first = next(blocks)
    if first.ndim == 1:
        return 1, chain([first], blocks)
    if first.ndim != 2 or first.shape[1] != 2:
        raise ValueError(f"Audio to be exported must be [samples] or [samples, 2], not {list(first.shape)}.")
    return 2, chain([first], blocks)


def _blocks_of(audio: npt.NDArray[Any]) -> Iterator[FloatArray]:
    for start in range(0, len(audio), _BLOCK_FRAMES):
        yield np.asarray(audio[start : start + _BLOCK_FRAMES], np.float32)


def _checked(blocks: Iterable[FloatArray]) -> Iterator[FloatArray]:
    """Yield blocks that are of numbers; refuse a sound without samples."""
    samples = 0
    for block in blocks:
        if is_absurd(block):
            raise ValueError("Audio to be exported contains samples that are not numbers, or far beyond full scale.")
        samples += len(block)
        if len(block):
            yield block
    if not samples:
        raise ValueError("Audio to be exported must be [samples], not [0].")


class _Waiting:
    """A sound in its final rate and channels, that waits in a temporary file for its level to be known."""

    def __init__(self, file: IO[bytes], channels: int) -> None:
        self._file, self.channels = file, channels
        self.top = self.bottom = 0.0
        self._values = 0  # samples of all channels

    def fill(self, blocks: Iterable[FloatArray], rate: int) -> int:
        """Resample a sound; return its samples before that."""
        samples = 0

        def counted() -> Iterator[FloatArray]:
            nonlocal samples
            for block in blocks:
                samples += len(block)
                yield block

        for block in _resampled(counted(), rate, self.channels):
            self.top, self.bottom = max(self.top, float(block.max())), min(self.bottom, float(block.min()))
            self._file.write(np.ascontiguousarray(block, np.float32).tobytes())
            self._values += block.size
        return samples

    def container(self, kind: ExportFormat) -> str:
        """Return the container that the sound fits into."""
        is_large = self._values * (kind.bits or 32) // 8 > MOST_WAV_BYTES
        return "RF64" if kind.container == "WAV" and is_large else kind.container

    def blocks(self) -> Iterator[FloatArray]:
        """Yield the sound in blocks ``[n]`` or ``[n, channels]``."""
        self._file.seek(0)
        while data := self._file.read(4 * self.channels * _BLOCK_FRAMES):
            block: FloatArray = np.frombuffer(data, np.float32)
            yield block if self.channels == 1 else block.reshape(-1, self.channels)


def _resampled(blocks: Iterable[FloatArray], rate: int, channels: int) -> Iterator[FloatArray]:
    if rate == SAMPLE_RATE:
        yield from blocks
        return
    stream = soxr.ResampleStream(SAMPLE_RATE, rate, channels, dtype="float32", quality="VHQ")
    for block in blocks:
        if len(resampled := stream.resample_chunk(block)):
            yield resampled
    rest = stream.resample_chunk(np.empty((0, channels) if channels > 1 else 0, np.float32), last=True)
    if len(rest):
        yield rest


class _Encoder:
    """Writes a waiting sound into an open file, softer where it would clip."""

    def __init__(self, waiting: _Waiting, options: ExportOptions, facts: dict[str, str]) -> None:
        self._waiting, self._options, self._facts = waiting, options, facts
        # The lowest number of a format is -1, the highest one step under 1.
        over = max(waiting.top / _CEILING, -waiting.bottom)
        self.gain = min(1.0, 1.0 / over) if over > 0 else 1.0

    def write(self, file: IO[bytes]) -> None:
        """Encode the sound; again, and softer, where a lossy codec adds so much to the peaks that they would clip."""
        self._encode(file)
        for _ in range(_LOSSY_TRIES if self._options.kind.lossy else 0):
            file.seek(0)
            with soundfile.SoundFile(file) as written:
                heard = max(float(peak_of(block.ravel())) for block in written.blocks(_BLOCK_FRAMES, dtype="float32"))
            if heard <= 1.0:
                break
            self.gain *= _LOSSY_HEADROOM / heard
            self._encode(file)

    def _encode(self, file: IO[bytes]) -> None:
        kind, options = self._options.kind, self._options
        file.seek(0)
        file.truncate()
        checked = _CheckedFile(file)
        quality = {"compression_level": 0.0, "bitrate_mode": "CONSTANT"} if kind.key == "mp3" else {}
        if kind.key == "ogg":
            quality = {"compression_level": 0.1}
        with soundfile.SoundFile(
            checked,
            "w",
            options.sample_rate,
            self._waiting.channels,
            kind.coding,
            format=self._waiting.container(kind),
            **quality,
        ) as sound:
            for name, text in self._facts.items():
                is_short = len(text) <= MOST_TEXT or kind.container != "WAV"
                if text and is_short:  # a file's name may hold bytes that are no text
                    setattr(sound, name, text.encode(errors="replace").decode())
            for block in self._final_blocks():
                sound.write(block)
                checked.raise_error()
        checked.raise_error()

    def _final_blocks(self) -> Iterator[npt.NDArray[Any]]:
        """Yield what is given to the encoder: at the final level, and rounded where the format has whole numbers."""
        kind, gain = self._options.kind, np.float32(self.gain)
        scaled = (block * gain for block in self._waiting.blocks())
        if not kind.bits:
            yield from scaled
            return
        is_exact = not (self._options.dither and kind.bits == 16) or all(
            _is_whole(block * gain, kind.bits) for block in self._waiting.blocks()
        )
        dither = None if is_exact else _Dither(sum(block.size for block in self._waiting.blocks()))
        for block in scaled:
            yield _rounded(block, kind.bits, dither)


class _CheckedFile:
    """A file for libsndfile, which forgets the errors of its callbacks: the first one is kept."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write, or drop what comes after an error."""
        return int(self._checked(lambda: self._file.write(data), len(data)))

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move in the file."""
        return int(self._checked(lambda: self._file.seek(offset, whence), 0))

    def tell(self) -> int:
        """Return the position."""
        return int(self._checked(self._file.tell, 0))

    def read(self, size: int = -1) -> bytes:
        """Read what was written."""
        data: bytes = self._checked(lambda: self._file.read(size), b"")
        return data

    def _checked(self, call: Callable[[], Any], otherwise: Any) -> Any:
        """Do a call; after the first error, do nothing."""
        if self._error is None:
            try:
                return call()
            except OSError as exc:  # a seek writes what is still in the buffer
                self._error = exc
        return otherwise

    def raise_error(self) -> None:
        """Raise the first error of a write.

        Raises
        ------
        OSError
            There was one.
        """
        if self._error is not None:
            raise self._error


def _is_whole(samples: FloatArray, bits: int) -> bool:
    scaled = samples.astype(np.float64) * 2.0 ** (bits - 1)
    return bool((scaled == np.rint(scaled)).all())


class _Dither:
    """Triangular noise of two steps' width, from the same seed each time: the same sound gives the same file."""

    def __init__(self, size: int) -> None:
        self._first, self._second = (np.random.Generator(np.random.PCG64(0)) for _ in range(2))
        self._second.bit_generator.advance(size)  # type: ignore[attr-defined]  # the second half of one stream

    def noise(self, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
        """Return the noise of the next samples."""
        return self._first.random(shape) - self._second.random(shape)


def _rounded(samples: FloatArray, bits: int, dither: _Dither | None) -> npt.NDArray[np.int32]:
    """Return samples as whole numbers of so many bits, at the upper end of 32.  Digital silence stays silent."""
    steps = 2.0 ** (bits - 1)
    scaled = samples.astype(np.float64) * steps
    if dither is not None:
        scaled += np.where(samples == 0, 0.0, dither.noise(samples.shape))
    whole = np.clip(np.rint(scaled), -steps, steps - 1).astype(np.int64)
    rounded: npt.NDArray[np.int32] = (whole << (32 - bits)).astype(np.int32)
    return rounded
