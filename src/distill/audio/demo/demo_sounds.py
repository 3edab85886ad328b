"""Two dozen sounds of our own, for a first run with no sounds at hand: plucks, bells, pads, drums, noises, loops."""

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from distill import paths
from distill.audio.decoding.open_sound import read_header
from distill.audio.demo import synth
from distill.audio.demo.synth import (
    Signal,
    band,
    envelope,
    finished,
    in_room,
    note,
    partials,
    plucked,
    position,
    time_axis,
)
from distill.audio.export import write_wav
from distill.errors import SoundError

Random = np.random.Generator
Sound = npt.NDArray[np.float32]


def write_demo_sounds(folder: Path | None = None) -> list[Path]:
    """Write the demo sounds (WAV, 48 kHz, some mono, some stereo, 0.3 to 4 s), and return their files.

    They come out the same every time; a whole file that is there already is left as it is.

    Parameters
    ----------
    folder
        Where they go; by default the user's folder of demo sounds.

    Raises
    ------
    OSError
        The folder cannot be written to, or the disk is full.
    """
    folder = folder or paths.demo_dir()
    files = []
    for name, make in _SOUNDS.items():
        path = folder / f"{name}.wav"
        if not _is_whole(path):
            write_wav(path, make(np.random.default_rng(zlib.crc32(name.encode()))))
        files.append(path)
    return files


def _is_whole(path: Path) -> bool:
    try:
        read_header(path)
    except SoundError:
        return False
    return True


def _pluck(semitones: float, seconds: float, brightness: float, body: float) -> Callable[[Random], Sound]:
    def make(rng: Random) -> Sound:
        string = plucked(note(semitones), seconds, brightness, rng)
        wood = synth.shaped(string, synth.formants([(110, 1.0, 40), (220, 0.8, 60), (420, 0.5, 120)]))
        return finished(string + body * wood, fade_out=0.08)

    return make


def _harp_chord(rng: Random) -> Sound:
    out = np.zeros(len(time_axis(3.6)))
    for index, semitones in enumerate((-21, -14, -9, -5, -2, 3, 7)):
        position(out, plucked(note(semitones), 3.4, 0.75, rng), 0.07 * index, 0.9**index)
    return finished(in_room(out, 1.6, 0.35, rng), fade_out=0.4)


def _glass_bell(rng: Random) -> Sound:
    base = note(10)
    ratios = ((1, 1, 0.9), (1.003, 0.6, 0.8), (2.76, 0.5, 0.4), (5.4, 0.25, 0.2), (8.93, 0.12, 0.1))
    return finished(partials(2.6, [(base * r, a, h) for r, a, h in ratios], rng), fade_out=0.3)


def _bronze_bell(rng: Random) -> Sound:
    base = note(-14)
    # Hum, prime, tierce, quint, nominal and above: the partials that a founder tunes.
    ratios = ((0.5, 0.7, 1.6), (1, 1, 1.1), (1.19, 0.8, 0.9), (1.5, 0.4, 0.6), (2, 0.9, 0.7), (2.51, 0.4, 0.4),
              (2.66, 0.35, 0.35), (3.01, 0.3, 0.3), (4.17, 0.25, 0.2), (5.43, 0.15, 0.12))  # fmt: skip
    parts = [(base * r * d, a, h) for r, a, h in ratios for d in (1, 1.0012)]
    strike = rng.standard_normal(len(time_axis(4.0))) * envelope(4.0, 0.0005, 0.004)
    tone = partials(4.0, parts, rng) + 0.8 * synth.shaped(strike, band(800, 6000))
    return finished(in_room(tone, 1.2, 0.2, rng), fade_out=0.6)


def _music_box(rng: Random) -> Sound:
    out = np.zeros(len(time_axis(2.4)))
    for index, semitones in enumerate((15, 19, 22, 27, 22, 19)):
        base = note(semitones)
        tine = partials(1.2, [(base, 1, 0.25), (base * 2.0, 0.2, 0.15), (base * 6.27, 0.3, 0.03)], rng)
        position(out, tine * envelope(1.2, 0.001, 1.0), 0.2 * index)
    return finished(in_room(out, 0.7, 0.2, rng), fade_out=0.3)


def _electric_piano(rng: Random) -> Sound:
    out = np.zeros(len(time_axis(2.2)))
    for semitones in (-17, -10, -5, -1):
        base, detune = note(semitones), float(rng.uniform(0.999, 1.001))
        body = synth.modulated(base * detune, 1.0, 1.4 * envelope(2.2, 0.002, 0.25), 2.2)
        tine = synth.modulated(base, 14.0, 0.6 * envelope(2.2, 0.001, 0.03), 2.2)
        out += (body + 0.3 * tine * envelope(2.2, 0.001, 0.08)) * envelope(2.2, 0.003, 0.55)
    pan = 0.25 * np.sin(2 * np.pi * 4.2 * time_axis(2.2))
    return finished(np.stack([out * (1 + pan), out * (1 - pan)], axis=1), fade_out=0.25)


def _marimba(rng: Random) -> Sound:
    base = note(-9)
    tone = partials(1.1, [(base, 1, 0.16), (base * 3.93, 0.45, 0.05), (base * 9.5, 0.2, 0.015)], rng)
    mallet = synth.shaped(rng.standard_normal(len(tone)) * envelope(1.1, 0.001, 0.004), band(200, 1500))
    return finished(tone * envelope(1.1, 0.002, 1.0) + 0.5 * mallet, fade_out=0.1)


def _pad(chord: tuple[float, ...], seconds: float, dark: float, bright: float) -> Callable[[Random], Sound]:
    """Detuned sawtooth voices through a low-pass that opens and closes, the voices spread from left to right."""

    def make(rng: Random) -> Sound:
        t = time_axis(seconds)
        sides = np.zeros((len(t), 2))
        for semitones in chord:
            for detune in (-0.09, 0.0, 0.08):
                drift = 1 + 0.0015 * np.sin(2 * np.pi * rng.uniform(0.2, 0.6) * t + rng.uniform(0, 6))
                base = note(semitones + detune)
                count = int(min(40, 9000 / base))
                saw = synth.vibrating(seconds, base * drift, [1 / k for k in range(1, count + 1)], rng.uniform(0, 6))
                right = rng.uniform(0.15, 0.85)
                sides += saw[:, None] * np.sqrt([1 - right, right])
        cutoff = dark * (bright / dark) ** (np.sin(np.pi * t / seconds) ** 2)
        swell = envelope(seconds, 0.25 * seconds, 0.35 * seconds, 0.3 * seconds)[:, None]
        filtered = np.stack([synth.swept(sides[:, side], cutoff) for side in (0, 1)], axis=1)
        return finished(filtered * swell, fade_out=0.2 * seconds)

    return make


def _choir(rng: Random) -> Sound:
    t = time_axis(3.2)
    sides = np.zeros((len(t), 2))
    for semitones in (-12, -5, 0, 4):
        for _ in range(2):
            wobble = 0.12 * np.sin(2 * np.pi * rng.uniform(4.6, 5.6) * t + rng.uniform(0, 6)) + rng.normal(0, 0.06)
            pitch = note(semitones) * 2 ** (wobble / 12)
            voice = synth.vibrating(3.2, pitch, [1 / k for k in range(1, 24)], rng.uniform(0, 6))
            right = rng.uniform(0.2, 0.8)
            sides += voice[:, None] * np.sqrt([1 - right, right])
    breath = 0.4 * rng.standard_normal(sides.shape)
    vowel = synth.formants([(700, 1.0, 90), (1150, 0.6, 110), (2800, 0.12, 200), (3600, 0.05, 300)])
    sung = synth.shaped(sides + breath, vowel) * envelope(3.2, 0.5, 0.7, 1.2)[:, None]
    return finished(sung, fade_out=0.5)


def _bass_round(rng: Random) -> Sound:
    t = time_axis(1.3)
    saw = synth.vibrating(1.3, note(-36), [1 / k for k in range(1, 60)], rng.uniform(0, 6))
    filtered = synth.swept(saw, 120 + 1800 * 0.5 ** (t / 0.09), 3.0)
    return finished(np.tanh(1.6 * filtered * envelope(1.3, 0.004, 0.35)), fade_out=0.15)


def _bass_fm(rng: Random) -> Sound:
    t = time_axis(1.5)
    growl = 3.0 * envelope(1.5, 0.02, 0.5) * (1 + 0.5 * np.sin(2 * np.pi * 6 * t + rng.uniform(0, 6)))
    return finished(synth.modulated(note(-31), 1.0, growl, 1.5) * envelope(1.5, 0.006, 0.4, 0.2), fade_out=0.2)


def _drum(seconds: float, low: float, high: float, fall: float, half_life: float, click: float) -> Signal:
    pitch = low + (high - low) * 0.5 ** (time_axis(seconds) / fall)
    skin = synth.vibrating(seconds, pitch, [1.0, 0.08]) * envelope(seconds, 0.001, half_life)
    return np.tanh(1.5 * skin) + click * np.sin(2 * np.pi * 1800 * time_axis(seconds)) * envelope(seconds, 5e-4, 0.002)


def _kick_deep(rng: Random) -> Sound:
    return finished(_drum(0.9, 42, 190, 0.022, 0.16, rng.uniform(0.2, 0.3)), 0.0005, 0.15)


def _kick_tight(rng: Random) -> Sound:
    return finished(_drum(0.35, 55, 320, 0.010, 0.05, rng.uniform(0.3, 0.4)), 0.0005, 0.08)


def _hiss(rng: Random, seconds: float, low: float, high: float, half_life: float) -> Signal:
    return synth.shaped(rng.standard_normal(len(time_axis(seconds))), band(low, high)) * envelope(
        seconds, 0.001, half_life
    )


def _snare(rng: Random) -> Sound:
    wires = _hiss(rng, 0.5, 1500, 9000, 0.05)
    return finished(_drum(0.5, 180, 330, 0.012, 0.045, 0.2) + 1.4 * wires / np.abs(wires).max(), 0.0005, 0.1)


def _clap(rng: Random) -> Sound:
    out = np.zeros(len(time_axis(0.6)))
    for at, half_life in ((0.0, 0.004), (0.011, 0.004), (0.023, 0.005), (0.034, 0.05)):
        position(out, _hiss(rng, 0.5, 900, 3500, half_life), at)
    return finished(in_room(out, 0.4, 0.4, rng), 0.0005, 0.15)


def _metal(rng: Random, seconds: float, half_life: float) -> Sound:
    clang = partials(seconds, [(f, 1, 9.0) for f in (2050, 3042, 3693, 5225, 5400, 8000, 9731, 12017)], rng)
    mixed = synth.shaped(np.tanh(2 * clang) + 1.5 * rng.standard_normal(len(clang)), band(7000, 16000, 3.0))
    return finished(mixed * envelope(seconds, 0.0008, half_life), 0.0005, 0.25 * seconds)


def _wind(rng: Random) -> Sound:
    t = time_axis(4.0)
    gust = 0.5 + 0.5 * np.sin(2 * np.pi * 0.5 * t - 1.2) * np.sin(2 * np.pi * 0.23 * t + 1)
    sides = [synth.swept(rng.standard_normal(len(t)), 180 + 1400 * gust**2, 3.0) for _ in range(2)]
    air = synth.shaped(np.stack(sides, axis=1), band(160, 6000, 1.5))
    return finished(air * (0.25 + gust)[:, None], 0.4, 0.8)


def _sea(rng: Random) -> Sound:
    t = time_axis(4.0)
    wave = np.exp(-0.5 * ((t - 1.5) / 0.55) ** 2) + 0.35 * np.exp(-0.5 * ((t - 2.5) / 0.7) ** 2)
    sides = [synth.swept(rng.standard_normal(len(t)), 300 + 5200 * wave, 1.2) for _ in range(2)]
    return finished(np.stack(sides, axis=1) * (0.04 + wave)[:, None], 0.3, 0.6)


def _riser(rng: Random) -> Sound:
    t = time_axis(2.8)
    rise = (t / 2.8) ** 2
    tones = sum(synth.vibrating(2.8, note(-12 + s) * 2 ** (2 * rise), [1, 0.5, 0.3, 0.2]) for s in (-0.1, 0, 7.05))
    mixed = 0.4 * np.asarray(tones) + rng.standard_normal(len(t))
    swept = synth.swept(mixed, 200 * 40**rise, 2.5) * (0.05 + rise)
    return finished(in_room(swept, 0.8, 0.3, rng), 0.2, 0.12)


def _melody(rng: Random) -> Sound:
    out = np.zeros(len(time_axis(4.0)))
    tune = ((0, -9), (1, -5), (2, -2), (3, 3), (5, 2), (6, -2), (8, -7), (9, -4), (10, 0), (11, 5), (13, 3), (14, 0))
    for step, semitones in tune:
        position(out, plucked(note(semitones), 1.4, 0.6, rng), 0.25 * step, 0.8)
    for step, semitones in ((0, -33), (8, -31)):
        bass = synth.vibrating(2.0, note(semitones), [1, 0.4, 0.15, 0.05]) * envelope(2.0, 0.01, 0.6)
        position(out, bass, 0.25 * step, 0.35)
    return finished(in_room(out, 0.9, 0.25, rng), fade_out=0.25)


def _drum_loop(rng: Random) -> Sound:
    out = np.zeros(len(time_axis(4.0)))
    kick, snare, hat = _kick_tight(rng), _snare(rng), _metal(rng, 0.15, 0.02)
    for step in range(16):
        swing = 0.25 * step + (0.03 if step % 2 else 0.0)
        position(out, hat.astype(np.float64), swing, 0.3 if step % 4 == 2 else 0.16)
    for step in (0, 3, 6, 8, 11):
        position(out, kick.astype(np.float64), 0.25 * step)
    for step in (4, 12, 15):
        position(out, snare.astype(np.float64), 0.25 * step, 0.4 if step == 15 else 0.7)
    return finished(out, 0.0005, 0.1)


_SOUNDS: dict[str, Callable[[Random], Sound]] = {
    "pluck-nylon": _pluck(-12, 2.0, 0.45, 0.8),
    "pluck-steel": _pluck(-5, 2.6, 0.95, 0.3),
    "pluck-bass": _pluck(-29, 1.8, 0.5, 1.2),
    "harp-chord": _harp_chord,
    "bell-glass": _glass_bell,
    "bell-bronze": _bronze_bell,
    "music-box": _music_box,
    "electric-piano": _electric_piano,
    "marimba": _marimba,
    "pad-warm": _pad((-21, -14, -9, -5), 4.0, 250, 2200),
    "choir": _choir,
    "bass-round": _bass_round,
    "bass-growl": _bass_fm,
    "kick-deep": _kick_deep,
    "kick-tight": _kick_tight,
    "snare": _snare,
    "clap": _clap,
    "hat-closed": lambda rng: _metal(rng, 0.3, 0.025),
    "hat-open": lambda rng: _metal(rng, 0.9, 0.18),
    "noise-wind": _wind,
    "noise-sea": _sea,
    "riser": _riser,
    "loop-melody": _melody,
    "loop-drums": _drum_loop,
}
