"""What the dataset doctor measures of each sound, once: the result is kept with the decoded sound in the cache.

Clipping, offset and the phase of the channels are measured on the file as it is, up to its first two minutes.  Hum,
silence and timbre are measured on the prepared sound, which is mono.
"""

import threading
from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt

from distill.audio.cache.sound_cache import ENVELOPE_HOP, CachedSound, read_derived
from distill.audio.decoding.hum import find_hum
from distill.audio.decoding.level_checks import without_absurd
from distill.audio.decoding.mono_decoder import SAMPLE_RATE
from distill.audio.decoding.open_sound import open_sound, read_blocks
from distill.errors import Cancelled

FloatArray = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]

#: Raised when a fact would be measured differently.
_VERSION = 3
#: Seconds of a sound that are measured.
MEASURED_S = 120.0
#: Numbers of the description of a sound's timbre, and those of them that are its spectrum.
BANDS = 32
TIMBRE = 2 * BANDS + 6
#: Level relative to the peak under which a sound is silent.
_SILENT = 1e-3
#: How much the samples of a crest that is cut off may differ, relative to the highest level: a few steps of 16 bits.
_FLAT = 0.0012
#: Steps of the file's numbers under which a peak is too low to tell a crest that is cut off: up to 53 steps, a third of
#: the crest of a whole sine can lie within one step.  With 16 bits, 64 steps are -54 dB.
_FEWEST_STEPS = 64
#: Bits of the numbers of a file that have steps as large as that.
_COARSE_BITS = (8, 16)
#: Parts of a sound of which this share must have means that differ from their median by less than that.
_PARTS, _SHARE_ALIKE = 16, 0.75
#: Names of the files of lossy codings.
_LOSSY = frozenset((".mp3", ".mp2", ".ogg", ".oga", ".opus", ".m4a", ".aac"))
#: Seconds of a sound that its timbre is measured in, and samples of a frame.
_TIMBRE_S, _FRAME = 20.0, 2048


@dataclass(frozen=True)
class SoundFacts:
    """What is measured of one sound.

    Attributes
    ----------
    seconds
        Length.
    clipped
        Number of wave crests that are cut off at the same level, in the channel that has most of them.
    offset
        Mean of a channel relative to its peak, where it is steady; the largest of all channels.
    correlation
        Of the first two channels; 1 for mono.
    louder_channel
        Number of the channel with most energy.
    lead_s, tail_s
        Silence before and behind the sound.
    hum_hz, hum_db, hum_certainty
        Mains frequency and level of a hum relative to the peak, and how many of its harmonics are steady, and one more
        if one of them is beyond doubt.
    """

    seconds: float
    clipped: float
    offset: float
    correlation: float
    louder_channel: float
    lead_s: float
    tail_s: float
    hum_hz: float
    hum_db: float
    hum_certainty: float


@dataclass(frozen=True)
class MeasuredSound:
    """A sound with its facts and the description of its timbre ``[TIMBRE]``."""

    sound: CachedSound
    facts: SoundFacts
    timbre: Numbers


def measure(sound: CachedSound, cancel_event: threading.Event | None = None) -> MeasuredSound:
    """Return what is known of a sound, measured now if it never was.

    Raises
    ------
    SoundError
        The file cannot be read any more.
    DistillError
        The disk is full, or the cache cannot be written to.
    Cancelled
        ``cancel_event`` was set.
    """

    def compute() -> FloatArray:
        return np.concatenate([astuple(_facts(sound, cancel_event)), timbre_of(sound)]).astype(np.float32)

    values = read_derived(sound.derived(f"doctor {_VERSION}", compute), 0, 1 << 16).astype(np.float64)
    count = len(values) - TIMBRE
    return MeasuredSound(sound, SoundFacts(*values[:count].tolist()), values[count:])


def _facts(sound: CachedSound, cancel_event: threading.Event | None) -> SoundFacts:
    raw = _read_raw(sound, cancel_event)
    clipped = max(_clipping(channel, is_lossy(sound)) for channel in raw)
    energies = [float(np.var(channel)) for channel in raw]
    lead, tail = _silence(sound)
    audio = sound.read(0, min(sound.samples, round(MEASURED_S * SAMPLE_RATE)))
    hum_hz, hum_db, certainty = find_hum(audio, SAMPLE_RATE)
    return SoundFacts(
        seconds=sound.duration_s,
        clipped=clipped,
        offset=max(_offset(channel) for channel in raw),
        correlation=_channel_correlation(raw),
        louder_channel=float(np.argmax(energies)),
        lead_s=lead,
        tail_s=tail,
        hum_hz=hum_hz,
        hum_db=hum_db,
        hum_certainty=certainty,
    )


def check(cancel_event: threading.Event | None) -> None:
    """End the examination if the user has stopped it.

    Raises
    ------
    Cancelled
        ``cancel_event`` is set.
    """
    if cancel_event is not None and cancel_event.is_set():
        raise Cancelled


def is_lossy(sound: CachedSound) -> bool:
    """Whether a sound comes from a file of a lossy coding, by its name."""
    return sound.source.suffix.lower() in _LOSSY


def _read_raw(sound: CachedSound, cancel_event: threading.Event | None) -> FloatArray:
    """Return the samples of the file ``[channels, frames]``, as they are."""
    blocks: list[FloatArray] = []
    with open_sound(sound.source) as file:
        frames_left = round(MEASURED_S * file.samplerate)
        for block in read_blocks(file):
            check(cancel_event)
            blocks.append(without_absurd(block[:frames_left]).copy())  # the block is read into again
            frames_left -= len(block)
            if frames_left <= 0:
                break
    return np.ascontiguousarray(np.concatenate(blocks).T)


def _offset(channel: FloatArray) -> float:
    """Return the mean of a channel relative to its peak; 0 where it is not steady.

    A period of a wave, or one and a half, also has a mean, which changes from part to part.
    """
    peak = float(np.abs(channel).max(initial=0.0))
    parts = np.array([part.mean() for part in np.array_split(channel.astype(np.float64), _PARTS) if len(part)])
    middle = float(np.median(parts)) if len(parts) else 0.0
    is_steady = len(parts) == _PARTS and abs(middle) > float(np.quantile(np.abs(parts - middle), _SHARE_ALIKE))
    return abs(float(channel.mean())) / peak if peak > 0 and is_steady else 0.0


def _clipping(channel: FloatArray, is_lossy: bool) -> float:
    """Return how many crests of a channel are cut off at the same level; 0 where that cannot be judged."""
    centred = channel - np.median(channel)
    highest = float(np.abs(centred).max())
    if not is_lossy and highest < _FEWEST_STEPS * _step(channel):
        return 0.0
    waves = [wave for wave in (centred, -centred) if wave.max() > 0.3 * highest]
    return float(max((_blurred_crests(wave) if is_lossy else _flat_crests(wave) for wave in waves), default=0))


def _step(channel: FloatArray) -> float:
    """Return the step between the numbers of a file, relative to full scale; 0 if it is finer than that of 16 bits."""
    for bits in _COARSE_BITS:
        numbers = channel * np.float32(2 ** (bits - 1))
        if np.array_equal(numbers, np.rint(numbers)):
            return float(2 ** (1 - bits))
    return 0.0


def _flat_crests(wave: FloatArray) -> int:
    """Return how many crests are flat at the highest level: at least three samples, and a third of the crest."""
    top = wave.max()
    starts, _ = _crests(wave, 0.8 * top)
    flat = np.add.reduceat((wave >= (1 - _FLAT) * top).astype(np.int64), starts)
    width = np.add.reduceat((wave >= 0.8 * top).astype(np.int64), starts)
    return int(((flat >= 3) & (flat > 0.3 * width)).sum())


def _blurred_crests(wave: FloatArray) -> int:
    """Return how many crests are about flat at about the same level, where few others are as high: for lossy codings.

    They blur what is flat, so that clipping of a few moments cannot be told from a loud sound any more.
    """
    top, clipped_crests = float(wave.max()), 0
    starts, _ = _crests(wave, 0.5 * top)
    heights = 20 * np.log10(np.maximum.reduceat(wave, starts) / top)
    for limit in np.arange(0.0, -4.01, -0.25):
        at_limit = (heights <= limit) & (heights > limit - 0.75)
        others = ((heights <= limit - 0.75) & (heights > limit - 2.75)).sum() * 0.375 + (heights > limit).sum()
        level = top * 10 ** ((limit - 0.4) / 20)
        flat = np.add.reduceat((wave >= 0.9 * level).astype(np.int64), starts)[at_limit]
        width = np.add.reduceat((wave >= 0.6 * level).astype(np.int64), starts)[at_limit]
        flat_crests = int(((flat > 0.72 * width) & (width >= 3)).sum())
        if flat_crests > 1.5 * (1 + others):
            clipped_crests = max(clipped_crests, flat_crests)
    return clipped_crests


def _crests(wave: FloatArray, level: float) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the first samples of the crests of a wave over a level, and those behind them."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (wave >= level).view(np.int8), [0]])))
    return edges[::2], edges[1::2]


def _channel_correlation(raw: FloatArray) -> float:
    if len(raw) < 2:
        return 1.0
    left, right = (channel - channel.mean() for channel in raw[:2])
    channel_norm = float(np.sqrt(np.dot(left, left) * np.dot(right, right)))
    return float(np.dot(left, right)) / channel_norm if channel_norm > 0 else 1.0


def _silence(sound: CachedSound) -> tuple[float, float]:
    """Return the seconds of silence before and behind a sound."""
    audible = np.flatnonzero(sound.envelope() >= _SILENT)
    if not len(audible):
        return 0.0, 0.0
    end = min(sound.samples, (int(audible[-1]) + 1) * ENVELOPE_HOP)
    return int(audible[0]) * ENVELOPE_HOP / SAMPLE_RATE, (sound.samples - end) / SAMPLE_RATE


def timbre_of(sound: CachedSound) -> Numbers:
    """Return the description of a sound's timbre ``[TIMBRE]``.

    Mean and spread over time of the levels in `BANDS` bands, in dB, then duration, attack, decay, brightness, noisiness
    and how much of the sound is loud.
    """
    audio = sound.read(0, min(sound.samples, round(_TIMBRE_S * SAMPLE_RATE)))
    audio = np.pad(audio, (0, max(0, _FRAME - len(audio))))
    frames = np.lib.stride_tricks.sliding_window_view(audio, _FRAME)[:: _FRAME // 2]
    power = np.abs(np.fft.rfft(frames * np.hanning(_FRAME).astype(np.float32), axis=1)) ** 2
    bands = power @ _BAND_MATRIX + 1e-10
    total = bands.sum(axis=1)
    heard = total >= 1e-4 * total.max()
    bands, power, total = bands[heard], power[heard], total[heard]
    level = 10 * np.log10(bands)
    mean = 10 * np.log10(bands.mean(axis=0))
    spread = np.minimum(level.std(axis=0), 20)
    envelope = sound.envelope()
    loud = np.flatnonzero(envelope >= 0.03)
    seconds = max(1, int(loud[-1] - loud[0]) if len(loud) else 1) / 100
    attack = (int(envelope.argmax()) - (int(loud[0]) if len(loud) else 0)) / 100
    middle = np.log2(BAND_CENTRES)
    bright = (bands * middle).sum(axis=1) / total
    flat = np.exp(np.log(power[:, 4:400] + 1e-12).mean(axis=1)) / (power[:, 4:400].mean(axis=1) + 1e-12)
    course = [
        np.log2(seconds), np.log2(attack + 0.02), float(np.average(bright, weights=total)), float(bright.std()),
        float(np.log10(np.average(flat, weights=total) + 1e-4)), float((envelope > 0.1).mean()),
    ]  # fmt: skip
    return np.concatenate([np.maximum(mean - mean.max(), -60), spread, course])


def _band_matrix() -> tuple[Numbers, Numbers]:
    """Return triangular bands, evenly spaced on the mel scale, ``[bins, BANDS]``, and their centres in Hz."""
    lowest, highest = (2595 * np.log10(1 + hz / 700) for hz in (50.0, 14_000.0))
    mels = np.linspace(lowest, highest, BANDS + 2)
    edges = 700 * (10 ** (mels / 2595) - 1)
    bins = np.fft.rfftfreq(_FRAME, 1 / SAMPLE_RATE)[:, None]
    rise, fall = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2]), (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0, np.minimum(rise, fall))
    weights[np.abs(bins[:, 0, None] - edges[1:-1]).argmin(axis=0), np.arange(BANDS)] += 1e-3
    return weights, edges[1:-1]


_BAND_MATRIX, BAND_CENTRES = _band_matrix()
