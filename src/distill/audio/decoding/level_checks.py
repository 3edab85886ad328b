"""Whether a sound can be used: absurd samples, silence, noise alone, channels that cancel each other out."""

import numpy as np
import numpy.typing as npt

from distill.errors import SoundError

FloatArray = npt.NDArray[np.float32]

#: Level under which a file is silent: -80 dBFS, a few steps of 16 bits.
SILENCE_PEAK = 1e-4
#: Level beyond which samples are damage, not sound: whole numbers of 32 bits that were written as floats stay under it,
#: and sums of squares of what is under it are finite.
_ABSURD = 1e12
#: Level (-60 dBFS) under which a file is examined for being nothing but noise.
_QUIET_PEAK = 1e-3
#: Share of the energy that a mix of unrelated channels would have, under which the mix has lost the sound (-10 dB).
LOST_SHARE = 0.1
_FRAME = 1024
_FRAMES_NEEDED = 8
#: A spectral line stands out of noise by more than this, averaged over at least `_FRAMES_NEEDED` frames.
_LINE_RATIO = 8.0
#: Noise that does not change has no frame that is louder than the median by more (6 dB).
_STEADY_RATIO = 4.0


def is_absurd(samples: FloatArray) -> bool:
    """Whether some of the samples are no numbers, or far beyond full scale."""
    return bool(samples.size) and not (float(samples.max()) <= _ABSURD and float(samples.min()) >= -_ABSURD)


def without_absurd(samples: FloatArray) -> FloatArray:
    """Return samples, with zero for those that are no numbers or far beyond full scale."""
    if not is_absurd(samples):
        return samples
    return np.where(np.abs(samples) <= _ABSURD, samples, np.float32(0))


def refuse_absurd(block: FloatArray, done: int, rate: int, coding: str) -> None:
    """Refuse a file for samples that are no numbers, or far beyond full scale.

    Parameters
    ----------
    block
        Samples of the file, ``[frames, channels]``.
    done
        Frames before the block.
    rate
        Samples a second.
    coding
        Name of their coding in the file.

    Raises
    ------
    SoundError
        There is such a sample; the message is the reason alone.
    """
    if not is_absurd(block):
        return
    first_absurd = int((~(np.abs(block) <= _ABSURD)).any(axis=1).argmax())
    level = float(np.abs(block[first_absurd]).max())
    if np.isfinite(level):
        what = f"samples far beyond full scale ({level:.0e} times as high)"
    elif coding == "DOUBLE" and not np.isnan(level):  # read as floats, which end at 3e38
        what = "samples that are infinite or far beyond full scale"
    else:
        what = "samples that are not numbers (NaN or infinite)"
    raise SoundError(f"contains {what}, the first at {(done + first_absurd) / rate:.3f} s")


class MixLostError(SoundError):
    """The mono mix of a file has lost its sound, because its channels cancel each other out.

    Attributes
    ----------
    channel
        Number of the loudest channel, from 0.
    """

    def __init__(self, channel: int) -> None:
        super().__init__("is silent in mono: its channels cancel each other out")
        self.channel = channel


class LevelMeter:
    """Measures a file and its mono mix block by block.

    Parameters
    ----------
    channels
        Number of channels.
    """

    def __init__(self, channels: int) -> None:
        self._energies = np.zeros(channels)
        self._mono_energy = 0.0
        self._low = self._high = self._file_peak = 0.0
        self._is_empty = True
        self._noise = _NoiseMeter()

    def add(self, block: FloatArray, mono: FloatArray) -> None:
        """Take a block ``[frames, channels]`` and its mix ``[frames]`` into account."""
        low, high = float(mono.min()), float(mono.max())
        if not self._is_empty:
            low, high = min(low, self._low), max(high, self._high)
        self._is_empty, self._low, self._high = False, low, high
        if block.shape[1] > 1:
            self._file_peak = max(self._file_peak, float(block.max()), -float(block.min()))
            # Around the mean, so that an offset counts neither as sound nor as a sound that was lost.
            centred = block - block.mean(axis=0, dtype=np.float64).astype(np.float32)
            self._energies += np.einsum("nc,nc->c", centred, centred, dtype=np.float64)
            middle = mono - np.float32(mono.mean(dtype=np.float64))
            self._mono_energy += float(np.einsum("n,n->", middle, middle, dtype=np.float64))
        if self._noise.is_open and high - low >= 2 * _QUIET_PEAK:
            self._noise.close()
        self._noise.add(mono)

    def check(self, is_mix: bool, only_silence: bool = False) -> None:
        """Refuse a file in which nothing can be heard.

        Parameters
        ----------
        is_mix
            Whether the mono signal is the mean of all channels, not one of them.
        only_silence
            Whether quiet noise and the rest of a mix count as sound, as they did in older versions.

        Raises
        ------
        MixLostError
            Nothing of the sound is left in the mix.
        SoundError
            The file is silent, or holds nothing but quiet noise.
        """
        # The distance between the extremes, not the peak: a constant is as silent as zero.
        is_silent = self._high - self._low < 2 * SILENCE_PEAK
        if is_mix and (is_silent or not only_silence) and self._is_lost():
            raise MixLostError(int(self._energies.argmax()))
        if is_silent:
            raise SoundError("is silent")
        if not only_silence and self._noise.is_noise():
            peak = 20 * np.log10((self._high - self._low) / 2)
            raise SoundError(f"holds nothing but quiet noise ({peak:.0f} dBFS)")

    def _is_lost(self) -> bool:
        """Whether the mix has far less energy than channels that have nothing in common would give."""
        unrelated = self._energies.sum() / len(self._energies) ** 2
        return self._mono_energy < LOST_SHARE * unrelated and self._file_peak >= 10 * SILENCE_PEAK


class _NoiseMeter:
    """Tells steady noise from sound while a file is quiet.

    Noise of any colour has a spectrum that is smooth from bin to bin, and it is steady.  A tone is a line in the
    spectrum, a hit is not steady; both are sounds, however quiet they are.
    """

    def __init__(self) -> None:
        self.is_open = True
        self._rest: FloatArray = np.empty(0, np.float32)
        self._power = np.zeros(_FRAME // 2 + 1)
        self._levels: list[float] = []
        self._window = np.hanning(_FRAME)

    def close(self) -> None:
        self.is_open = False
        self._levels.clear()

    def add(self, mono: FloatArray) -> None:
        if not self.is_open:
            return
        audio = np.concatenate([self._rest, mono])
        whole = len(audio) // _FRAME * _FRAME
        self._rest = audio[whole:].copy()
        if whole:
            frames = audio[:whole].reshape(-1, _FRAME).astype(np.float64)
            frames -= frames.mean(axis=1, keepdims=True)
            self._levels += np.einsum("nc,nc->n", frames, frames).tolist()
            self._power += (np.abs(np.fft.rfft(frames * self._window, axis=1)) ** 2).sum(axis=0)

    def is_noise(self) -> bool:
        levels = np.asarray(self._levels)
        if not self.is_open or len(levels) < _FRAMES_NEEDED:
            return False
        if levels.max() > _STEADY_RATIO * np.median(levels):
            return False
        padded = np.pad(self._power[2:], 10, mode="reflect")  # the first two bins hold an offset
        around = np.lib.stride_tricks.sliding_window_view(padded, 21)
        return bool((around[:, 10] <= _LINE_RATIO * np.median(around, axis=1)).all())
