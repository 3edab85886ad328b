"""Sounds with planted faults: what the dataset doctor has to find, at any level and in any format."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

Audio = npt.NDArray[np.float64]

#: Formats that keep each sample, and lossy ones: name, coding, suffix.
LOSSLESS = (
    ("WAV", "PCM_16", ".wav"), ("WAV", "PCM_24", ".wav"), ("WAV", "FLOAT", ".wav"), ("FLAC", "PCM_16", ".flac"),
    ("AIFF", "PCM_16", ".aiff"),
)  # fmt: skip
LOSSY = (("OGG", "VORBIS", ".ogg"), ("MP3", "MPEG_LAYER_III", ".mp3"))
RATES = (22_050, 32_000, 44_100, 48_000, 96_000)


def full_scale(audio: Audio) -> Audio:
    """Return audio at full scale."""
    return np.asarray(audio / np.abs(audio).max())


def write(path: Path, audio: Audio, rate: int, rng: np.random.Generator, kind: tuple[str, str, str]) -> Path:
    """Write audio ``[frames, channels]`` at a random level, in a format."""
    audio = full_scale(audio) * 10 ** (-rng.uniform(0.5, 24) / 20)
    quality = {"compression_level": float(rng.uniform(0.2, 0.8))} if kind in LOSSY else {}
    file = path.with_name(path.name + kind[2])
    soundfile.write(file, audio, rate, format=kind[0], subtype=kind[1], **quality)
    return file


def resampled(audio: Audio, rate: int, rng: np.random.Generator, kind: tuple[str, str, str]) -> tuple[Audio, int]:
    """Return audio at a random sample rate that a format has, and the rate."""
    new = int(rng.choice([other for other in RATES if kind[0] != "MP3" or 32_000 <= other <= 48_000]))
    return (audio if new == rate else np.asarray(soxr.resample(audio, rate, new))), new


def clipped(audio: Audio, rng: np.random.Generator) -> Audio | None:
    """Return audio that is driven over its limit by 4 to 14 dB; None where fewer than 15 crests are cut off."""
    driven = full_scale(audio) * 10 ** (rng.uniform(4, 14) / 20)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (np.abs(driven[:, 0]) >= 1).view(np.int8), [0]])))
    return np.clip(driven, -1, 1) if ((edges[1::2] - edges[::2]) >= 4).sum() >= 15 else None


def off_centre(audio: Audio, rng: np.random.Generator) -> Audio:
    """Return audio with an offset of 6 to 30 % of its peak."""
    return np.asarray(full_scale(audio) + rng.choice([-1, 1]) * rng.uniform(0.06, 0.3))


def humming(audio: Audio, rate: int, rng: np.random.Generator) -> Audio:
    """Return audio with a hum of six harmonics, 18 to 36 dB under its peak."""
    hz, at = rng.choice([50.0, 60.0]) + rng.uniform(-0.05, 0.05), np.arange(len(audio)) / rate
    levels = np.array([1, 0.6, 0.5, 0.25, 0.3, 0.15]) * 10 ** (rng.uniform(-6, 6, 6) / 20)
    turns = rng.uniform(0, 2 * np.pi, 6)
    hum = sum(a * np.sin(2 * np.pi * hz * (n + 1) * at + turns[n]) for n, a in enumerate(levels))
    return full_scale(audio) + (full_scale(np.asarray(hum)) * 10 ** (rng.uniform(-36, -18) / 20))[:, None]


def silent_ends(audio: Audio, rate: int, rng: np.random.Generator) -> Audio:
    """Return audio with silence before (0.3 to 2 s), behind (1.5 to 4 s), or both, over a soft noise."""
    lead, tail = round(rng.uniform(0.3, 2) * rate), round(rng.uniform(1.5, 4) * rate)
    where = rng.integers(3)
    made = np.pad(full_scale(audio), ((lead if where != 1 else 0, tail if where != 0 else 0), (0, 0)))
    return made + rng.standard_normal(made.shape) * 10 ** (-rng.uniform(75, 100) / 20)


def inverted(audio: Audio, rng: np.random.Generator) -> Audio:
    """Return stereo whose right channel is the left one upside down, at a level within 3 dB and with a soft noise."""
    left = full_scale(audio[:, :1])[:, 0]
    right = -left * 10 ** (rng.uniform(-3, 3) / 20) + rng.standard_normal(len(left)) * 1e-3
    return np.stack([left, right], axis=1)


def copied(audio: Audio, rate: int, rng: np.random.Generator) -> Audio:
    """Return audio that begins later or earlier or at the same time, in either polarity.

    Less than half of its energy is cut off.
    """
    audio, where = full_scale(audio), rng.integers(3)
    if where == 0:
        audio = np.pad(audio, ((round(rng.uniform(0.005, 0.4) * rate), 0), (0, 0)))
    elif where == 1:
        energy = np.cumsum(np.square(audio).sum(axis=1))
        half = int(np.searchsorted(energy, energy[-1] / 2))
        audio = audio[min(half, round(rng.uniform(0.005, 0.05) * rate)) :]
    return np.asarray(audio * rng.choice([-1, 1]))


def plant(kind: str, audio: Audio, rate: int, path: Path, rng: np.random.Generator) -> Path | None:
    """Write a sound with a fault; None where the sound cannot have it.

    Clipping is planted in formats that keep each sample, since lossy ones blur it.  A hum needs a second to be one.
    """
    formats = LOSSLESS if kind == "clipping" else (*LOSSLESS, *LOSSY)
    chosen = formats[rng.integers(len(formats))]
    if kind in ("clipping", "offset"):  # resampling afterwards would change them
        audio, rate = resampled(audio, rate, rng, chosen)
    if kind == "hum" and len(audio) < rate:
        return None
    faults: dict[str, Callable[[], Audio | None]] = {
        "clipping": lambda: clipped(audio, rng),
        "offset": lambda: off_centre(audio, rng),
        "hum": lambda: humming(audio, rate, rng),
        "silence": lambda: silent_ends(audio, rate, rng),
        "phase": lambda: inverted(audio, rng),
        "copies": lambda: copied(audio, rate, rng),
    }
    made = faults[kind]()
    if made is None:
        return None
    if kind not in ("clipping", "offset"):
        made, rate = resampled(made, rate, rng, chosen)
    return write(path, made, rate, rng, chosen)
