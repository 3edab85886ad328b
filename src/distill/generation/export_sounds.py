"""Writes generated sounds into a folder for other programs."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import soundfile

from distill.audio.decoding.libsndfile import sndfile_name
from distill.audio.decoding.mono_decoder import SAMPLE_RATE, FloatArray, measure_mono
from distill.audio.export import export_sound
from distill.audio.export_options import ExportOptions
from distill.audio.stereo.stereo_files import stream_channels
from distill.errors import DistillError, SoundError
from distill.generation.generation_service import Progress, Tell
from distill.generation.history.sound_history import GeneratedEntry, where_they_are


@dataclass(frozen=True)
class ExportRequest:
    """Generated sounds that are to be written for other programs."""

    sounds: tuple[GeneratedEntry, ...]
    folder: Path
    options: ExportOptions


def export(request: ExportRequest, emit: Tell, cancel: threading.Event) -> list[Path]:
    """Write generated sounds into a folder and return the new files; no file is overwritten.

    Raises
    ------
    DistillError
        A sound is gone, or the folder cannot be written to; what was written by then stays.
    """
    written: list[Path] = []
    for number, sound in enumerate(where_they_are(request.sounds)):
        if cancel.is_set():
            break
        audio = _blocks_of(sound.path, cancel)
        target = request.folder / f"{sound.path.stem}{request.options.kind.suffix}"
        recipe = sound.recipe
        try:
            written.append(export_sound(target, audio, request.options, recipe.title(), recipe.to_text()).path)
        except DistillError:
            raise
        except OSError as exc:
            raise DistillError(
                f"{target.name} cannot be written to {request.folder} ({exc.strerror or exc}). Choose another folder."
            ) from exc
        emit(Progress((number + 1) / len(request.sounds)))
    return written


def _blocks_of(path: Path, cancel: threading.Event) -> Iterator[FloatArray]:
    """Yield a generated sound as it lies on the disk, at its own level and with its channels, in blocks.

    Raises
    ------
    SoundError
        It is gone, or no sound any more.
    """
    try:
        with soundfile.SoundFile(sndfile_name(path)) as sound:
            channels = int(sound.channels)
            if sound.samplerate == SAMPLE_RATE and channels in (1, 2):
                yield from sound.blocks(1 << 16, dtype="float32")
                return
        # One that the terminal wrote in another format.
        yield from stream_channels(path, cancel) if channels == 2 else measure_mono(path, cancel).blocks(cancel)
    except (OSError, RuntimeError, SoundError) as exc:
        raise SoundError(f"{path.name} is gone or cannot be read. Make it again, then export it.") from exc
