"""Exports sounds as a kit: a folder of trimmed, named WAV files with presets for samplers.

A kit has two kinds of presets.  The pads play each sound on a key of its own, from C2 upwards, as drum machines do.
Each sound that has a pitch also gets a preset that plays it over the keyboard.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from distill.audio.decoding.mono_decoder import SAMPLE_RATE, FloatArray, peak_of
from distill.audio.pitch import estimate_pitch, note_name
from distill.errors import Cancelled, ConfigurationError
from distill.files import write_folder, write_whole
from distill.generation.kits.kit_sounds import KitSound
from distill.generation.kits.sample_loop import find_loop
from distill.generation.kits.sampler_presets import KitFile, Region, decent_sampler, over_the_keyboard, sampler_wav, sfz
from distill.names import file_name, free_name, plain_name, slug

#: Key of the first pad (C2, the bass drum of General MIDI) and the most pads: the rest of the keyboard.
FIRST_KEY, MOST_SOUNDS = 36, 92
#: Peak of a sound file: -1 dBFS.
PEAK = 10 ** (-1 / 20)
#: Level under which the beginning and the end of a sound are cut off, relative to its peak: -60 dB.
_SILENCE = 1e-3
#: Samples kept before the first loud one and after the last one; they are faded.
_BEFORE, _AFTER = SAMPLE_RATE // 1000, SAMPLE_RATE // 100
_SAMPLES_FOLDER = "Samples"


@dataclass(frozen=True)
class Kit:
    """A kit that was written.

    Attributes
    ----------
    folder
        Where it is.
    presets, samples
        Its files.
    """

    folder: Path
    presets: tuple[Path, ...] = field(default=())
    samples: tuple[Path, ...] = field(default=())


def trim(audio: npt.NDArray[Any]) -> FloatArray:
    """Return a sound ``[N]`` without silence before and after it, at a peak of -1 dBFS, with short fades.

    Raises
    ------
    ValueError
        The sound is empty, silent, or holds samples that are not numbers.
    """
    samples: FloatArray = np.asarray(audio, np.float32)
    if samples.ndim != 1 or not samples.size or not np.isfinite(samples).all() or not (peak := float(peak_of(samples))):
        raise ValueError("A sound of a kit must be [samples], with numbers that are not all zero.")
    loud = np.flatnonzero(np.abs(samples) > _SILENCE * peak)
    first, last = int(loud[0]), int(loud[-1])
    start, end = max(0, first - _BEFORE), min(len(samples), last + 1 + _AFTER)
    cut = samples[start:end] * np.float32(PEAK / peak)
    if first > start:
        cut[: first - start] *= np.linspace(0.0, 1.0, first - start, dtype=np.float32)
    fade = min(_AFTER, len(cut) // 4)
    if fade:
        cut[len(cut) - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    return cut


def write_kit(
    folder: Path,
    title: str,
    sounds: Sequence[KitSound],
    progress: Callable[[float], None] | None = None,
    cancel_event: threading.Event | None = None,
) -> Kit:
    """Write a kit; the folder appears when all of it is written.

    Parameters
    ----------
    folder
        New folder, or an empty one.
    title
        Name of the kit; presets are called after it.
    sounds
        1 to `MOST_SOUNDS` sounds, each on a pad of its own.
    progress
        Called with the share that is done, 0 to 1.
    cancel_event
        Ends the work after the sound in hand; nothing is left behind.

    Raises
    ------
    ConfigurationError
        There are no sounds, too many, two on one pad, or the folder holds something.
    ValueError
        A sound is silent, or holds samples that are not numbers.
    OSError
        The folder cannot be written to, or the disk is full.
    Cancelled
        ``cancel_event`` was set.
    """
    if not 1 <= len(sounds) <= MOST_SOUNDS:
        raise ConfigurationError(f"A kit has 1 to {MOST_SOUNDS} sounds, not {len(sounds)}.")
    on_pads = [replace(sound, pad=sound.pad or number) for number, sound in enumerate(sounds, 1)]
    if len({sound.pad for sound in on_pads if 1 <= sound.pad <= MOST_SOUNDS}) < len(sounds):
        raise ConfigurationError(f"Each sound of a kit has a pad of its own, from 1 to {MOST_SOUNDS}.")
    check_folder(folder)
    with write_folder(folder) as partial:
        presets, samples = _write_files(partial, title, on_pads, progress, cancel_event)
    return Kit(folder, tuple(folder / name for name in presets), tuple(folder / name for name in samples))


def free_folder(folder: Path) -> Path:
    """Return a folder, or the first of ``name 2``, ``name 3``, ... where it holds something or is a file.

    Raises
    ------
    OSError
        The folder above cannot be read.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return folder
    return folder.with_name(free_name(folder.name, [path.name for path in folder.parent.iterdir()]))


def check_folder(folder: Path) -> None:
    """Refuse a folder that holds something, or a file of that name.

    Raises
    ------
    ConfigurationError
        The folder cannot take a kit.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError(f"{folder} is not empty. Choose a new folder for the kit.")


def _write_files(
    folder: Path,
    title: str,
    sounds: Sequence[KitSound],
    progress: Callable[[float], None] | None,
    cancel_event: threading.Event | None,
) -> tuple[list[str], list[str]]:
    """Write the files of a kit, by pad number and name, and return the names of its presets and samples."""
    stem = slug(title, "kit")
    kit_regions: list[Region] = []
    presets: list[str] = []
    samples: list[str] = []
    for number, sound in enumerate(sounds):
        if cancel_event is not None and cancel_event.is_set():
            raise Cancelled
        name = f"{sound.pad:02d} {plain_name(sound.name, stem)}"
        pad_regions = list(_write_samples(folder, name, FIRST_KEY + sound.pad - 1, sound))
        kit_regions += pad_regions
        samples += [region.file.path for region in pad_regions]
        if chromatic := list(over_the_keyboard(pad_regions)):
            note = note_name(chromatic[0].root_key)
            presets += _write_presets(folder, f"{stem} {name} {note}", title, chromatic)
        if progress is not None:
            progress((number + 1) / len(sounds))
    return _write_presets(folder, stem, title, kit_regions) + presets, samples


def _write_samples(folder: Path, stem: str, key: int, sound: KitSound) -> Iterator[Region]:
    """Write the sample files of a sound of a kit, and yield its regions on one key."""
    versions = sum(len(layer.takes) for layer in sound.layers)
    number = 0
    for layer in sound.layers:
        for turn, take in enumerate(layer.takes, 1):
            number += 1
            audio = trim(take)
            pitch = estimate_pitch(audio)
            loop = None if pitch is None else find_loop(audio, pitch.hertz)
            note = "" if pitch is None else f" {pitch.name}"
            version = f" v{number}" if versions > 1 else ""
            path = f"{_SAMPLES_FOLDER}/{file_name(f'{stem}{note}{version}', '.wav')}"
            with write_whole(folder / path) as file:
                file.write(sampler_wav(audio, pitch, loop, sound.comment))
            yield Region(
                KitFile(path, pitch, loop), key, key, key,
                low_velocity=layer.low_velocity, high_velocity=layer.high_velocity, turn=turn, turns=len(layer.takes),
            )  # fmt: skip


def _write_presets(folder: Path, name: str, title: str, regions: Sequence[Region]) -> list[str]:
    """Write both presets and return their names."""
    texts = {".sfz": sfz(regions, title), ".dspreset": decent_sampler(regions, title)}
    names = [file_name(name, suffix) for suffix in texts]
    for preset, text in zip(names, texts.values(), strict=True):
        with write_whole(folder / preset) as file:
            file.write(text.encode(errors="replace"))
    return names
