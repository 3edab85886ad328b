"""The stereo image of a sound: how loud left and right are, and how alike, in coarse bands and moments.

A pair of channels is a base, which is the mono sound, and a second signal: of the mix the half difference of the
channels, of one channel the other one.  For each band and moment two numbers say what the second signal is like beside
the base: the balance of left and right in decibels, and their likeness (the real part of their coherence).  They are
the parameters of parametric stereo (Breebaart et al. 2005, "Parametric coding of stereo audio"), without differences in
time.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from distill.audio.decoding.level_checks import LOST_SHARE

FloatArray = npt.NDArray[np.float32]
ComplexArray = npt.NDArray[np.complex64]
HalfArray = npt.NDArray[np.float16]

#: Frames of the transform: samples at 48 kHz.
FRAME, HOP = 2048, 512
#: Frames from one column of an image to the next, and samples.
COLUMN_FRAMES = 4
COLUMN = COLUMN_FRAMES * HOP
#: Frames that are transformed at once: 20 s.
_PART_FRAMES = 1875
#: Bands of an image, evenly spaced in mel.
BANDS = 20
_LOW_HZ, _HIGH_HZ, _RATE = 40.0, 24_000.0, 48_000
#: Largest balance in decibels, and least likeness: beyond it the mix of the channels has lost the sound.
MOST_BALANCE, LEAST_LIKENESS = 40.0, -0.9
#: Level under the loudest tile down to which the image of a tile is heard, in decibels; and level of silence.
_HEARD_DB, SILENT_DB = 55.0, -120.0
#: Mean square of a tile that counts as nothing.
_NOTHING = 1e-14
#: Bases: the mix, the left or the right channel.
MIX, LEFT, RIGHT = -1, 0, 1
#: Weights of the frames around a column.
_WEIGHTS = np.bartlett(2 * COLUMN_FRAMES + 1)[1:-1].astype(np.float32)

WINDOW: FloatArray = np.hanning(FRAME + 1)[:-1].astype(np.float32)


def _band_edges() -> npt.NDArray[np.int64]:
    """Return the first bin of each band, and the one behind the last; what an offset leaks into belongs to none."""
    low, high = (2595 * np.log10(1 + hz / 700) for hz in (_LOW_HZ, _HIGH_HZ))
    hertz = 700 * (10 ** (np.linspace(low, high, BANDS + 1) / 2595) - 1)
    edges = np.round(hertz / (_RATE / FRAME)).astype(np.int64)
    edges[-1] = FRAME // 2 + 1
    return edges


EDGES = _band_edges()
#: Number of the band of each bin; the lowest bins belong to the first one.
BAND_OF_BIN = np.searchsorted(EDGES[1:-1], np.arange(FRAME // 2 + 1), side="right")


@dataclass(frozen=True)
class StereoImage:
    """The image of a sound, ``[columns, BANDS]`` each; column c is that around sample ``c * COLUMN``.

    Attributes
    ----------
    balance
        Level of left over right, decibels.
    likeness
        Real part of their coherence: 1 for the same signal, 0 for signals that have nothing in common.
    level
        Level of the base, decibels.
    base
        What the mono sound is: `MIX`, `LEFT` or `RIGHT`.
    """

    balance: FloatArray
    likeness: FloatArray
    level: FloatArray
    base: int = MIX

    def __len__(self) -> int:
        return len(self.balance)

    @property
    def _values(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        return self.balance, self.likeness, self.level

    @classmethod
    def mono(cls, columns: int = 1) -> "StereoImage":
        """Return the image of two equal channels."""
        empty = np.zeros((columns, BANDS), np.float32)
        return cls(empty, empty + 1, empty)

    def held(self) -> "StereoImage":
        """Return an image in which tiles that are not heard have the balance and likeness of the last one heard."""
        heard = self.level > self.level.max() - _HEARD_DB
        weight = np.where(heard, 10 ** (self.level / 10), 0.0)
        total = max(float(weight.sum()), 1e-30)
        column = np.arange(len(self))[:, None]
        last = np.maximum.accumulate(np.where(heard, column, -1), axis=0)
        first = np.where(heard.any(0), heard.argmax(0), -1)
        source = np.where(last >= 0, last, first)

        def filled(values: FloatArray) -> FloatArray:
            usual = np.float32((weight * values).sum() / total)
            found: FloatArray = np.where(source >= 0, np.take_along_axis(values, np.maximum(source, 0), 0), usual)
            return found.astype(np.float32)

        return replace(self, balance=filled(self.balance), likeness=filled(self.likeness))

    def part(self, start: int, samples: int) -> "StereoImage":
        """Return the image of a part that begins at a sample; behind its end the last column goes on."""
        places = (start + np.arange(columns_of(samples)) * COLUMN) / COLUMN
        return self._at(places)

    def _at(self, places: npt.NDArray[np.float64]) -> "StereoImage":
        position = places.clip(0, len(self) - 1)
        low = np.floor(position).astype(int)
        high, share = np.minimum(low + 1, len(self) - 1), (position - low).astype(np.float32)[:, None]
        balance, likeness, level = (v[low] + share * (v[high] - v[low]) for v in self._values)
        return StereoImage(balance, likeness, level, self.base)

    def towards(self, other: "StereoImage", share: float) -> "StereoImage":
        """Return the image at a share of the way to another one, as an image of the mix."""
        count = max(len(self), len(other))
        ends = [image.part(0, count * COLUMN - 1) for image in (self, other)]
        pairs = zip(ends[0]._values, ends[1]._values, strict=True)
        balance, likeness, level = (a + np.float32(share) * (b - a) for a, b in pairs)
        return StereoImage(balance, likeness, level)

    def shares(self) -> tuple[FloatArray, FloatArray]:
        """Return what the second signal is made of, ``[columns, BANDS]`` each.

        It is the base times the first, and a signal of the base's level that has nothing in common with it times the
        second.  Of the mix, left is the base and the second signal, and right is the base without it, so that their sum
        does not depend on the image.
        """
        ratio = 10 ** (np.clip(self.balance, -MOST_BALANCE, MOST_BALANCE) / 20)  # of amplitudes
        like = np.clip(self.likeness, -1.0, 1.0)
        if self.base == MIX:
            like = np.maximum(like, LEAST_LIKENESS)
            right = 4 / (ratio**2 + 1 + 2 * like * ratio)  # energies where that of the mix is 1
            left = ratio**2 * right
            same = (left - right) / 4
            other = (left + right) / 2 - 1 - same**2
        else:
            gain = 1 / ratio if self.base == LEFT else ratio
            same, other = like * gain, (1 - like**2) * gain**2
        return same.astype(np.float32), np.sqrt(other.clip(0)).astype(np.float32)


def base_of(channels: FloatArray) -> int:
    """Return the base of left and right ``[2, N]``: what is used as the mono sound when files are decoded."""
    energies = [float(np.var(channel, dtype=np.float64)) for channel in channels]
    mix = float(np.var(channels.mean(0), dtype=np.float64))
    if mix >= LOST_SHARE * sum(energies) / 4:
        return MIX
    return LEFT if energies[0] >= energies[1] else RIGHT


def channel_difference(blocks: Iterable[FloatArray]) -> float:
    """Return the energy of the difference of two channels relative to that of their mix, without offsets.

    Parameters
    ----------
    blocks
        The sound, each block ``[n, 2]``.
    """
    count, sums, squares = 0, np.zeros(2), np.zeros(2)
    for block in blocks:
        pair = np.stack([block[:, 0] + block[:, 1], block[:, 0] - block[:, 1]])
        count += len(block)
        sums += pair.sum(axis=1, dtype=np.float64)
        squares += np.einsum("cn,cn->c", pair, pair, dtype=np.float64)
    mix, difference = squares - sums**2 / max(count, 1)
    return float(difference / max(mix, 1e-20)) if difference > 0 else 0.0


def columns_of(samples: int) -> int:
    """Return how many columns the image of a sound has."""
    return 1 + -(-samples // COLUMN)


def frames_of(signal: FloatArray) -> ComplexArray:
    """Return the spectra ``[frames, bins]`` of all whole frames of a signal ``[N]``."""
    windows = np.lib.stride_tricks.sliding_window_view(signal, FRAME)[::HOP]
    spectra: ComplexArray = np.fft.rfft(windows * WINDOW, axis=1).astype(np.complex64)
    return spectra


def band_sums(values: FloatArray) -> FloatArray:
    """Return the sums of values ``[..., bins]`` over each band, ``[..., BANDS]``."""
    sums: FloatArray = np.add.reduceat(values[..., : EDGES[-1]], EDGES[:-1], axis=-1)
    return sums


class ImageMeter:
    """Measures the image of a sound that comes in blocks.

    Parameters
    ----------
    base
        What the mono sound is: `MIX`, `LEFT` or `RIGHT`.
    """

    def __init__(self, base: int = MIX) -> None:
        self.base, self.samples = base, 0
        self._waiting: FloatArray = np.zeros((2, FRAME // 2), np.float32)
        self._sums: FloatArray = np.zeros(
            (3, COLUMN_FRAMES - 1, BANDS), np.float32
        )  # of frames before the first column
        self._columns: list[HalfArray] = []  # [3, n, BANDS]

    def add(self, block: FloatArray) -> None:
        """Take a block ``[n, 2]``."""
        self.samples += len(block)
        self._add(block.T)

    def _add(self, block: FloatArray) -> None:
        line = np.concatenate([self._waiting, block], axis=1)
        count = (line.shape[1] - FRAME) // HOP + 1
        if count <= 0:
            self._waiting = line
            return
        left, right = (frames_of(line[n, : FRAME + (count - 1) * HOP]) for n in (0, 1))
        self._waiting = line[:, count * HOP :]
        products = (left * right.conj()).real
        sums = np.stack([band_sums(p) for p in (_square(left), _square(right), products)]) / (FRAME * FRAME)
        self._sums = np.concatenate([self._sums, sums.astype(np.float32)], axis=1)
        self._take_columns()

    def _take_columns(self) -> None:
        """Turn frames into columns, each from the frames around it."""
        width = len(_WEIGHTS)
        count = (self._sums.shape[1] - width) // COLUMN_FRAMES + 1
        if count <= 0:
            return
        views = np.lib.stride_tricks.sliding_window_view(self._sums, width, axis=1)[:, ::COLUMN_FRAMES][:, :count]
        left, right, product = views @ _WEIGHTS / _WEIGHTS.sum()
        self._columns.append(_image_of(left, right, product, self.base))
        self._sums = self._sums[:, count * COLUMN_FRAMES :]

    def image(self) -> StereoImage:
        """Return the image, when all blocks were taken."""
        wanted = columns_of(self.samples)
        while sum(part.shape[1] for part in self._columns) < wanted:
            self._add(np.zeros((2, FRAME), np.float32))
        balance, likeness, level = np.concatenate(self._columns, axis=1)[:, :wanted].astype(np.float32)
        return StereoImage(balance, likeness, level, self.base)


def _square(spectra: ComplexArray) -> FloatArray:
    power: FloatArray = spectra.real**2 + spectra.imag**2
    return power


def _image_of(left: FloatArray, right: FloatArray, product: FloatArray, base: int) -> HalfArray:
    """Return balance, likeness and level ``[3, n, BANDS]`` of tiles from both channels' energies and their product.

    In half precision: a long sound has many tiles.
    """
    power = (left + right + 2 * product) / 4 if base == MIX else left if base == LEFT else right
    balance = 10 * np.log10((left + _NOTHING) / (right + _NOTHING))
    likeness = (product + _NOTHING) / np.sqrt((left + _NOTHING) * (right + _NOTHING))
    level = 10 * np.log10(power.clip(10 ** (SILENT_DB / 10)))
    return np.stack([balance, likeness.clip(-1, 1), level]).astype(np.float16)


def image_of(channels: FloatArray, base: int = MIX) -> StereoImage:
    """Return the image of two channels ``[2, N]``."""
    meter, samples = ImageMeter(base), _PART_FRAMES * HOP
    for start in range(0, channels.shape[1], samples):
        meter.add(channels[:, start : start + samples].T)
    return meter.image()


def levels_of(mono: FloatArray) -> FloatArray:
    """Return the levels ``[columns, BANDS]`` of a mono sound ``[N]`` in decibels."""
    count = columns_of(len(mono))
    frames = count * COLUMN_FRAMES
    line = np.pad(mono, (FRAME // 2, max(0, FRAME // 2 + (frames - 1) * HOP - len(mono))))
    parts = [
        band_sums(_square(frames_of(line[first * HOP : (min(first + _PART_FRAMES, frames) - 1) * HOP + FRAME])))
        for first in range(0, frames, _PART_FRAMES)
    ]
    sums = np.concatenate(parts) / np.float32(FRAME * FRAME)
    padded = np.pad(sums, ((COLUMN_FRAMES - 1, 0), (0, 0)))
    views = np.lib.stride_tricks.sliding_window_view(padded, len(_WEIGHTS), axis=0)[::COLUMN_FRAMES]
    power = views @ _WEIGHTS / _WEIGHTS.sum()
    levels: FloatArray = (10 * np.log10(power.clip(10 ** (SILENT_DB / 10)))).astype(np.float32)
    return levels
