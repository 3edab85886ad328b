"""A small synthesiser in numpy: what the demo sounds are made of.

Audio is float64 at 48 kHz, ``[samples]`` or, in stereo, ``[samples, 2]``; frequencies are in Hz, times in seconds.
Filters work on whole spectra, which is exact, quick, and needs no loop over samples.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from distill.audio.decoding.mono_decoder import SAMPLE_RATE

Signal = npt.NDArray[np.float64]

_LOWEST_HZ = 25.0
_PEAK = 0.89  # -1 dBFS


def time_axis(seconds: float) -> Signal:
    """Return the time of each sample."""
    return np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE


def note(semitones: float) -> float:
    """Return the frequency of a pitch, counted in semitones from A at 440 Hz, in equal temperament."""
    return float(440.0 * 2.0 ** (semitones / 12))


def envelope(seconds: float, attack: float, half_life: float, hold: float = 0.0) -> Signal:
    """Return an amplitude: a smooth rise, a plateau, and a decay that halves every ``half_life``."""
    t = time_axis(seconds)
    rise: Signal = np.sin(0.5 * np.pi * np.clip(t / max(attack, 1e-4), 0, 1)) ** 2
    fall: Signal = 0.5 ** (np.maximum(t - attack - hold, 0) / half_life)
    return rise * fall


def partials(seconds: float, parts: Sequence[tuple[float, float, float]], rng: np.random.Generator) -> Signal:
    """Return a sum of decaying sines, given as ``(frequency, amplitude, half_life)``; their phases are random."""
    t = time_axis(seconds)
    out: Signal = np.zeros_like(t)
    for frequency, amplitude, half_life in parts:
        if frequency < 0.45 * SAMPLE_RATE:
            phase = rng.uniform(0, 2 * np.pi)
            out += amplitude * np.sin(2 * np.pi * frequency * t + phase) * 0.5 ** (t / half_life)
    return out


def vibrating(seconds: float, frequency: Signal | float, harmonics: Sequence[float], phase: float = 0.0) -> Signal:
    """Return a harmonic tone whose frequency may move; ``harmonics`` are the amplitudes of 1, 2, 3... times it.

    Powers of one complex oscillation give all harmonics for the price of one.
    """
    length = len(time_axis(seconds))
    cycles = np.cumsum(np.broadcast_to(np.asarray(frequency, np.float64), length)) / SAMPLE_RATE
    turn = np.exp(2j * np.pi * cycles + 1j * phase)
    power = np.ones_like(turn)
    out: Signal = np.zeros(length)
    for amplitude in harmonics:
        power = power * turn
        out += amplitude * power.imag
    return out


def shaped(audio: Signal, gain: Callable[[Signal], Signal], tail_seconds: float = 0.05) -> Signal:
    """Return a sound filtered by ``gain(frequencies)``; silence behind it keeps the end from wrapping to the start."""
    length = len(audio) + round(tail_seconds * SAMPLE_RATE)
    spectrum = np.fft.rfft(audio, length, axis=0)
    curve = gain(np.asarray(np.fft.rfftfreq(length, 1 / SAMPLE_RATE), np.float64))
    spectrum *= curve if audio.ndim == 1 else curve[:, None]
    return np.fft.irfft(spectrum, length, axis=0)[: len(audio)]


def band(low: float, high: float, slope: float = 2.0) -> Callable[[Signal], Signal]:
    """Return the gain curve of a band-pass of ``6 * slope`` dB an octave on both sides."""

    def gain(f: Signal) -> Signal:
        safe = np.maximum(f, 1e-3)
        curve: Signal = 1 / np.sqrt((1 + (low / safe) ** (2 * slope)) * (1 + (safe / high) ** (2 * slope)))
        return curve

    return gain


def formants(peaks: Sequence[tuple[float, float, float]]) -> Callable[[Signal], Signal]:
    """Return a gain curve with bell-shaped peaks, given as ``(frequency, gain, width)``: a vowel, a resonant body."""

    def gain(f: Signal) -> Signal:
        curve: Signal = np.full_like(f, 0.02)
        for centre, height, width in peaks:
            curve += height * np.exp(-0.5 * ((f - centre) / width) ** 2)
        return curve

    return gain


def swept(audio: Signal, cutoff: Signal, slope: float = 2.0) -> Signal:
    """Return a sound through a low-pass whose cutoff (Hz, one a sample) moves; frame by frame, overlapped and added."""
    size, hop = 2048, 512
    padded = np.concatenate([np.zeros(size), audio, np.zeros(size)])
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    window = np.sin(np.pi * (np.arange(size) + 0.5) / size)  # squared and at this hop it adds up to a constant
    middle = np.clip(np.arange(len(frames)) * hop - size // 2, 0, len(audio) - 1)
    f = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    gains = 1 / np.sqrt(1 + (f[None] / cutoff[middle][:, None]) ** (2 * slope))
    pieces = np.fft.irfft(np.fft.rfft(frames * window, axis=1) * gains, size, axis=1) * window
    out = np.zeros(len(padded))
    for index, piece in enumerate(pieces):
        out[index * hop : index * hop + size] += piece
    swept_audio: Signal = out[size : size + len(audio)] * (2 * hop / size)
    return swept_audio


def plucked(frequency: float, seconds: float, brightness: float, rng: np.random.Generator) -> Signal:
    """Return a plucked string, after Karplus and Strong (Computer Music Journal 7(2), 1983), a period at a time.

    The delay line holds whole samples only, and its averaging adds half a sample: the string is made a little
    high or low and read out at the pace that puts it in tune.
    """
    period = max(8, round(SAMPLE_RATE / frequency - 0.5))
    pace = frequency * (period + 0.5) / SAMPLE_RATE
    length = round(seconds * SAMPLE_RATE)
    periods = int(length * pace) // period + 3
    line = rng.uniform(-1, 1, period)
    for _ in range(round(6 * (1 - brightness))):  # a soft finger: the pluck itself is low-passed
        line = 0.5 * (line + np.roll(line, 1))
    line -= line.mean()
    out = np.empty((periods, period))
    before = 0.0
    loss = 0.5 ** (1 / (frequency * (0.25 + brightness)))
    for index in range(periods):
        out[index] = line
        shifted = np.concatenate([[before], line[:-1]])
        before = line[-1]
        line = loss * 0.5 * (line + shifted)
    flat = out.ravel()
    line_read: Signal = np.interp(np.arange(length) * pace, np.arange(flat.size), flat)
    return line_read


def modulated(frequency: float, ratio: float, index: Signal, seconds: float) -> Signal:
    """Return a tone by frequency modulation, after Chowning (JAES 21(7), 1973), with a moving index."""
    turn = 2 * np.pi * frequency * time_axis(seconds)
    return np.sin(turn + index * np.sin(ratio * turn))


def in_room(audio: Signal, seconds: float, wet: float, rng: np.random.Generator) -> Signal:
    """Return a sound ``[samples]`` in stereo ``[samples, 2]``, in a room of decaying noise."""
    length = round(seconds * SAMPLE_RATE)
    decay = 0.001 ** (np.arange(length) / length)
    echoes = shaped(rng.standard_normal((length, 2)) * decay[:, None], band(150, 5000, 1.0))
    echoes /= np.sqrt((echoes**2).sum(axis=0))
    size = 1 << (len(audio) + length - 1).bit_length()
    spectrum = np.fft.rfft(audio, size)[:, None] * np.fft.rfft(echoes, size, axis=0)
    return audio[:, None] + wet * np.fft.irfft(spectrum, size, axis=0)[: len(audio)]


def position(onto: Signal, audio: Signal, at: float, level: float = 1.0) -> None:
    """Add a sound to a longer one of the same shape from a time on; what does not fit is cut."""
    start = round(at * SAMPLE_RATE)
    part = audio[: len(onto) - start]
    onto[start : start + len(part)] += level * part


def finished(audio: Signal, fade_in: float = 0.001, fade_out: float = 0.03) -> npt.NDArray[np.float32]:
    """Return a sound ready to be written: nothing below hearing, no click at either end, peak at -1 dBFS."""
    out = shaped(audio, band(_LOWEST_HZ, 1e9, 3.0), tail_seconds=0.5)
    ramp_in, ramp_out = (
        np.sin(0.5 * np.pi * np.linspace(0, 1, max(2, round(s * SAMPLE_RATE)))) ** 2 for s in (fade_in, fade_out)
    )
    shape = (-1,) if audio.ndim == 1 else (-1, 1)
    out[: len(ramp_in)] *= ramp_in.reshape(shape)
    out[-len(ramp_out) :] *= ramp_out[::-1].reshape(shape)
    return np.asarray(out * (_PEAK / np.abs(out).max()), np.float32)
