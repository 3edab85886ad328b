"""Sounds for other programs: file formats, sample rates, one or two channels, and no file ever overwritten.

Inside Distill a sound is mono, 48 kHz, float32.  On its way out it may be resampled, made wide (`widen`), made softer
where it would clip, dithered where 16 bits are too few for its fades, and written with facts about itself.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from distill.audio.decoding.sound_file import SAMPLE_RATE, FloatArray, peak_of
from distill.audio.export_options import ExportOptions
from distill.files import write_new

#: Level relative to the peak under which beginning and end are silent, and samples that are kept beside what is heard.
_SILENCE, _KEPT_BEFORE, _KEPT_AFTER = 1e-3, SAMPLE_RATE // 1000, SAMPLE_RATE // 100
#: Highest level that is written: the highest number of 16 bits.
_CEILING = 1.0 - 2.0**-15
#: Level that is aimed for where a lossy codec gave more than full scale, and how often that is tried.
_LOSSY_HEADROOM, _LOSSY_TRIES = 0.98, 4
_BLOCK_FRAMES = 1 << 15  # libsndfile's Vorbis encoder takes a stack frame for each sample that it is given at once

# Allpass filters of `widen` at 48 kHz (delay in samples, coefficient): mutually prime delays of 2 to 9 ms, so that no
# echo of one falls on that of another.
_ALLPASS = ((109, 0.6), (191, 0.6), (283, 0.55), (421, 0.5))
_WIDE_FROM_HZ = 150.0
# Samples by which the copy comes later: what passes all filters at once would make one channel louder than the other.
_APART = 97


@dataclass(frozen=True)
class Exported:
    """A file that was written, and the gain that kept it from clipping (1 where none was needed)."""

    path: Path
    gain: float


def export_sound(
    path: Path,
    audio: npt.NDArray[Any],
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
        ``[samples]``, mono at 48 kHz.
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
    samples: FloatArray = np.asarray(audio, np.float32)
    if samples.ndim != 1 or samples.size == 0:
        raise ValueError(f"Audio to be exported must be [samples], not {list(samples.shape)}.")
    if not np.isfinite(samples).all():
        raise ValueError("Audio to be exported contains samples that are not numbers.")
    if options.trim:
        samples = without_silence(samples)
    if options.fade_ms:
        samples = with_fades(samples, options.fade_ms / 1000)
    if options.stereo:
        samples = widen(samples)
    if options.sample_rate != SAMPLE_RATE:
        samples = soxr.resample(samples, SAMPLE_RATE, options.sample_rate, quality="VHQ")
    encoded, gain = _encoded_without_clipping(samples, options, {"title": title, "comment": comment})
    if path.suffix.lower() != options.kind.suffix:
        path = path.with_name(path.name + options.kind.suffix)
    return Exported(write_new(path, lambda file: file.write(encoded.getbuffer())), gain)


def without_silence(samples: FloatArray) -> FloatArray:
    """Return a sound ``[samples]`` without what is under -60 dB of its peak at its beginning and end.

    Some milliseconds beside what is heard are kept, for attacks and reverberation.  A silent sound stays as it is.
    """
    peak = float(peak_of(samples))
    heard = np.flatnonzero(np.abs(samples) > _SILENCE * peak)
    if not peak or not len(heard):
        return samples
    return samples[max(0, int(heard[0]) - _KEPT_BEFORE) : int(heard[-1]) + 1 + _KEPT_AFTER]


def with_fades(samples: FloatArray, seconds: float) -> FloatArray:
    """Return a sound ``[samples]`` that begins and ends at zero; a fade takes at most a quarter of it."""
    length = min(round(seconds * SAMPLE_RATE), len(samples) // 4)
    if not length:
        return samples
    faded, ramp = samples.copy(), np.linspace(0.0, 1.0, length, dtype=np.float32)
    faded[:length] *= ramp
    faded[-length:] *= ramp[::-1]
    return faded


def _encoded_without_clipping(
    samples: FloatArray, options: ExportOptions, facts: dict[str, str]
) -> tuple[io.BytesIO, float]:
    """Return a file's bytes and the gain that they needed: also for what a lossy codec adds to the peaks."""
    # The lowest number of a format is -1, the highest one step under 1.
    over = max(float(samples.max()) / _CEILING, -float(samples.min()))
    gain = min(1.0, 1.0 / over) if over > 0 else 1.0
    encoded = _encoded(samples * np.float32(gain), options, facts)
    for _ in range(_LOSSY_TRIES if options.kind.lossy else 0):
        encoded.seek(0)
        heard = float(peak_of(soundfile.read(encoded, dtype="float32")[0]))
        if heard <= 1.0:
            break
        gain *= _LOSSY_HEADROOM / heard
        encoded = _encoded(samples * np.float32(gain), options, facts)
    return encoded, gain


def _encoded(samples: FloatArray, options: ExportOptions, facts: dict[str, str]) -> io.BytesIO:
    kind = options.kind
    data = _rounded(samples, kind.bits, options.dither and kind.bits == 16) if kind.bits else samples
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    quality = {"compression_level": 0.0, "bitrate_mode": "CONSTANT"} if kind.key == "mp3" else {}
    if kind.key == "ogg":
        quality = {"compression_level": 0.1}
    # By way of memory: in a callback from libsndfile a full disk would be lost.
    whole = io.BytesIO()
    with soundfile.SoundFile(
        whole, "w", options.sample_rate, channels, kind.coding, format=kind.container, **quality
    ) as sound:
        for name, text in facts.items():
            if text:
                setattr(sound, name, text)
        for start in range(0, len(data), _BLOCK_FRAMES):
            sound.write(data[start : start + _BLOCK_FRAMES])
    return whole


def _rounded(samples: FloatArray, bits: int, dither: bool) -> npt.NDArray[np.int32]:
    """Return samples as whole numbers of so many bits, at the upper end of 32.

    Dither is triangular, of two steps' width, and starts from the same seed each time: the same sound gives the same
    file.  Digital silence stays silent.
    """
    steps = 2.0 ** (bits - 1)
    scaled = samples.astype(np.float64) * steps
    if dither and (scaled != np.rint(scaled)).any():  # what needs no rounding comes back exactly
        generator = np.random.default_rng(0)
        noise = generator.random(samples.shape) - generator.random(samples.shape)
        scaled += np.where(samples == 0, 0.0, noise)
    whole = np.clip(np.rint(scaled), -steps, steps - 1).astype(np.int64)
    rounded: npt.NDArray[np.int32] = (whole << (32 - bits)).astype(np.int32)
    return rounded


def widen(samples: FloatArray) -> FloatArray:
    """Return two decorrelated channels ``[samples, 2]`` of a mono sound whose sum is the sound itself.

    What one channel has more of the other has less of: a copy of the sound with scattered phases (Schroeder 1961,
    "Colorless artificial reverberation": allpass filters in a row), without its lowest octaves, whose place nobody
    hears and which a club adds up to mono.  Played in mono nothing is lost.
    """
    side = np.concatenate([np.zeros(_APART), samples.astype(np.float64)])[: len(samples)]
    for delay, coefficient in _ALLPASS:
        side = _allpass(side, delay, coefficient)
    side -= _one_pole(side, _WIDE_FROM_HZ)
    fade = min(len(side), SAMPLE_RATE // 100)
    side[len(side) - fade :] *= np.linspace(1.0, 0.0, fade)  # the filters ring on; the sound is over
    wide: FloatArray = (np.stack([samples + side, samples - side], axis=1) / np.sqrt(2.0)).astype(np.float32)
    return wide


def _allpass(signal: npt.NDArray[np.float64], delay: int, g: float) -> npt.NDArray[np.float64]:
    """Return ``y[n] = -g x[n] + x[n - delay] + g y[n - delay]``, a block of ``delay`` samples at a time."""
    padded = np.concatenate([signal, np.zeros(-len(signal) % delay)]).reshape(-1, delay)
    out = np.empty_like(padded)
    before_in, before_out = np.zeros(delay), np.zeros(delay)
    for number, block in enumerate(padded):
        out[number] = before_in + g * before_out - g * block
        before_in, before_out = block, out[number]
    return out.reshape(-1)[: len(signal)]


def _one_pole(signal: npt.NDArray[np.float64], cutoff_hz: float) -> npt.NDArray[np.float64]:
    """Return the part of a signal under a frequency: an exponential average, by convolution with its response."""
    pole = np.exp(-2 * np.pi * cutoff_hz / SAMPLE_RATE)
    length = int(np.log(1e-5) / np.log(pole))
    response = (1 - pole) * pole ** np.arange(length)
    low = np.empty_like(signal)
    block = 1 << 16
    carried = np.zeros(length)
    size = 1 << (block + length).bit_length()
    spectrum = np.fft.rfft(response, size)
    for start in range(0, len(signal), block):
        piece = signal[start : start + block]
        convolved = np.fft.irfft(np.fft.rfft(piece, size) * spectrum, size)[: len(piece) + length]
        convolved[:length] += carried
        low[start : start + len(piece)] = convolved[: len(piece)]
        carried = convolved[len(piece) :][:length].copy()
        carried.resize(length, refcheck=False)
    return low
