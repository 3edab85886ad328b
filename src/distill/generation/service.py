"""Making sounds, keeping them and handing them out, off the window's thread.

Every function here may take as long as it takes: presenters call them in a `BackgroundTask`.  No Qt; torch is imported
by the first sound that is made.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import soundfile

from distill import paths
from distill.audio.decoding.access import sndfile_name
from distill.audio.decoding.sound_file import SAMPLE_RATE, FloatArray, measure_mono
from distill.audio.export import export_sound
from distill.audio.export_options import ExportOptions
from distill.audio.stereo.channels import stream_channels
from distill.errors import Cancelled, DistillError, SoundError
from distill.files import free_path
from distill.generation.recipe import MOST_COUNT, NEW, Recipe
from distill.generation.sound_history import GeneratedEntry, GeneratedHistory, generated_dir
from distill.generation.weights import keep_weights, tidy_weights, weights_id
from distill.library.model_library import ModelEntry, ModelLibrary
from distill.trash import move_to_trash, restore_from_trash

if TYPE_CHECKING:
    from distill.models.inference import OpenModel

log = logging.getLogger(__name__)

#: How generated sounds are kept: nothing of what a model can do is lost, and every other program reads it.  New sounds
#: begin and end with a fade already, and silence is cut off unless they were to have a certain length.
KEPT_AS = ExportOptions("wav24")

Tell = Callable[[Any], None]


@dataclass(frozen=True)
class GenerateRequest:
    """New sounds that are wanted: how many, from which draw, how far they may stray, and whether they follow stars.

    With ``mono`` they have one channel also where the model makes stereo sounds.  ``seconds`` is the length of each;
    None for lengths like those of the corpus.  ``freedom`` is None for the default.
    """

    count: int
    seed: int
    temperature: float
    follows_stars: bool = False
    mono: bool = False
    seconds: float | None = None
    freedom: float | None = None


@dataclass(frozen=True)
class TransformRequest:
    """Sounds that are to be sent through the model, and the model's share of what comes out (0 to 1)."""

    sources: tuple[Path, ...]
    dry_wet: float


AnyRequest = GenerateRequest | TransformRequest


@dataclass(frozen=True)
class ListedSound:
    """A generated sound as the list shows it; ``seconds`` is None where its file is gone."""

    entry: GeneratedEntry
    seconds: float | None

    @property
    def path(self) -> Path:
        """Its file."""
        return self.entry.path

    @property
    def recipe(self) -> Recipe:
        """How it was made."""
        return self.entry.recipe


@dataclass(frozen=True)
class SoundReady:
    """A sound that was made just now."""

    sound: ListedSound


@dataclass(frozen=True)
class Progress:
    """How much of the work is done, from 0 to 1."""

    done: float


@dataclass(frozen=True)
class ExportRequest:
    """Generated sounds that are to be written for other programs."""

    sounds: tuple[GeneratedEntry, ...]
    folder: Path
    options: ExportOptions


@dataclass(frozen=True)
class Removed:
    """A sound that went off the list, and where in the trash its file lies now, as far as that is known."""

    sound: GeneratedEntry
    in_trash: Path | None


class GenerationService:
    """Generates sounds with the model of the page, which it opens once and keeps.  One request at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # a task that was cancelled may still be computing while the next one starts
        self._key: tuple[Path, int, int] | None = None
        self._model: OpenModel | None = None

    def forget_model(self) -> None:
        """Close the model, unless it is in use."""
        if self._lock.acquire(blocking=False):
            self._key = self._model = None
            self._lock.release()

    def make(self, request: AnyRequest, entry: ModelEntry, emit: Tell, cancel: threading.Event) -> None:
        """Make what is wanted, and tell of each sound once it is kept; what is there when it is cancelled stays.

        Raises
        ------
        DistillError
            The model or a sound cannot be used, or nothing can be written; the message says which and why.
        """
        with self._lock, suppress(Cancelled):
            if cancel.is_set():
                return
            if isinstance(request, GenerateRequest):
                self._make_new(request, entry, emit, cancel)
            else:
                self._transform(request, entry, emit, cancel)

    def _open(self, entry: ModelEntry) -> "OpenModel":
        from distill.models.persistence import open_model

        key = (entry.path, entry.mtime_ns, entry.file_bytes)
        if self._model is None or key != self._key:
            self._key = self._model = None
            self._model, self._key = open_model(entry.path), key
            keep_weights(entry.path, weights_id(self._model))  # a resumed run replaces the file
        return self._model

    def _make_new(self, request: GenerateRequest, entry: ModelEntry, emit: Tell, cancel: threading.Event) -> None:
        from distill.generation.generated_sound import make_new
        from distill.generation.taste import read_taste

        model = self._open(entry)
        taste = read_taste(model, cancel_event=cancel) if request.follows_stars else None
        for generated in make_new(
            model, entry.path, request.count, request.seed, request.temperature, cancel, request.seconds,
            request.freedom, taste, request.mono,
        ):  # fmt: skip
            if cancel.is_set():
                return
            by_stars = " by stars" if generated.recipe.candidates else ""
            name = f"{paths.plain_name(entry.name)} {generated.recipe.seed}{by_stars} {generated.recipe.number + 1:02d}"
            _keep(name, generated.audio, replace(generated.recipe, model_name=entry.name), emit)
            keep_weights(entry.path, generated.recipe.weights)  # the last sound with them may have been removed
            emit(Progress((generated.recipe.number + 1) / request.count))

    def _transform(self, request: TransformRequest, entry: ModelEntry, emit: Tell, cancel: threading.Event) -> None:
        from distill.generation.generated_sound import stream_transform

        model = self._open(entry)
        count, kept, problems = len(request.sources), 0, []
        for number, source in enumerate(request.sources):

            def progress(share: float, before: int = number) -> None:
                emit(Progress((before + share) / count))

            try:
                generated = stream_transform(model, entry.path, source, request.dry_wet, progress, cancel)
            except SoundError as exc:
                problems.append(f"{source.name}, {exc}")
                continue
            share = round(100 * request.dry_wet)
            name = f"{paths.plain_name(source.stem)} through {paths.plain_name(entry.name)} {share}"
            among, number = (count, kept) if count <= MOST_COUNT else (1, 0)
            recipe = replace(generated.recipe, model_name=entry.name, count=among, number=number)
            _keep(name, generated.blocks, recipe, emit)
            keep_weights(entry.path, recipe.weights)
            kept += 1
        if len(problems) == 1:
            raise SoundError(f"One sound cannot be used: {problems[0]}. Choose another one.")
        if problems:
            raise SoundError(f"{len(problems)} of {count} sounds cannot be used. One of them: {problems[0]}.")


def make_again(sound: GeneratedEntry, emit: Tell, cancel: threading.Event, takes_nearest: bool = False) -> None:
    """Generate a sound again from its recipe; no file is overwritten.

    The entry of a sound whose file is gone gets the new file; otherwise there is a second entry.  For
    ``takes_nearest`` see `distill.generation.generated_sound.stream_again`.

    Raises
    ------
    DistillError
        The model or the sound that went in is gone or another one now, or nothing can be written.
    """
    from distill.generation.generated_sound import stream_again

    def progress(share: float) -> None:
        emit(Progress(share))

    with suppress(Cancelled):
        generated = stream_again(sound.recipe, ModelLibrary(paths.models_dir()), progress, cancel, takes_nearest)
        recipe = generated.recipe
        if sound.path.exists() or recipe != sound.recipe:
            fresh = Recipe(recipe.kind, recipe.model_id)
            recipe = replace(recipe, id=fresh.id, made=fresh.made, program=fresh.program)
        _keep(sound.path.stem, generated.blocks, recipe, emit)


def _keep(name: str, audio: FloatArray | Iterator[FloatArray], recipe: Recipe, emit: Tell) -> None:
    """Keep a generated sound, and tell of it."""
    emit(SoundReady(keep(name, audio, recipe)))


def keep(name: str, audio: FloatArray | Iterator[FloatArray], recipe: Recipe) -> ListedSound:
    """Write a generated sound, note it in the history, and return it.

    Raises
    ------
    DistillError
        It cannot be written.
    """
    folder = generated_dir()
    try:
        options = replace(KEPT_AS, trim=recipe.kind == NEW and not recipe.seconds)
        written = export_sound(folder / paths.file_name(name, ".wav"), audio, options, recipe.title(), recipe.to_text())
        sound = GeneratedEntry(written.path.absolute(), recipe)
        try:
            GeneratedHistory().add([sound])
        except OSError:  # the file would fill the disk further, and nobody would know of it
            sound.path.unlink(missing_ok=True)
            raise
    except OSError as exc:
        raise DistillError(
            f"What was made cannot be kept in {folder} ({exc.strerror or exc}). Make room there, or "
            "make it writable, then generate it again."
        ) from exc
    return ListedSound(sound, written.samples / SAMPLE_RATE)


# --- the history --------------------------------------------------------------------------------------------------


def list_sounds() -> tuple[ListedSound, ...]:
    """Return all that was ever made here and not removed, the newest batch first."""
    try:
        sounds = GeneratedHistory().read()
    except OSError as exc:  # may be over the next time: what its recipes need is kept
        log.warning("The list of generated sounds cannot be read: %s", exc)
        return ()
    tidy_weights({used for sound in sounds for used in (sound.recipe.weights, sound.recipe.map) if used})
    return tuple(ListedSound(generated, seconds_of(generated.path)) for generated in sounds)


def seconds_of(path: Path) -> float | None:
    """Return the length of a sound file, or None where it is gone or no sound any more."""
    try:
        return float(soundfile.info(sndfile_name(path)).duration)
    except (OSError, RuntimeError):
        return None


def set_stars(sounds: Sequence[GeneratedEntry], starred: bool) -> None:
    """Star sounds, or take their stars away.

    Raises
    ------
    DistillError
        The history cannot be written.
    """
    _keep_opinion(sounds, GeneratedHistory().set_star, starred)


def set_rejected(sounds: Sequence[GeneratedEntry], rejected: bool) -> None:
    """Reject sounds, so that new ones are not like them, or take that back.

    Raises
    ------
    DistillError
        The history cannot be written.
    """
    _keep_opinion(sounds, GeneratedHistory().set_rejected, rejected)


def rename(sound: GeneratedEntry, name: str) -> Path:
    """Give the file of a sound another name, made unique by a number, and return its new path.

    Raises
    ------
    DistillError
        The file cannot be renamed, or the history cannot be written; both are then as they were.
    """
    (sound,) = _where_they_are([sound])
    wanted = sound.path.with_name(paths.plain_name(name, sound.path.stem) + sound.path.suffix)
    if wanted == sound.path:
        return wanted
    try:
        target = sound.path.rename(free_path(wanted))
        try:
            GeneratedHistory().note_move(sound.recipe, target)
        except OSError:
            target.rename(sound.path)
            raise
    except OSError as exc:
        raise DistillError(f"{sound.path.name} cannot be renamed ({exc.strerror or exc}).") from exc
    return target


def _where_they_are(sounds: Sequence[GeneratedEntry]) -> list[GeneratedEntry]:
    """Return sounds with the paths that their files have now: they may have been renamed since they were listed."""
    listed = {entry.recipe.id: entry.path for entry in GeneratedHistory().list()}
    return [replace(sound, path=listed.get(sound.recipe.id, sound.path)) for sound in sounds]


def _keep_opinion(sounds: Sequence[GeneratedEntry], keep: Callable[[Recipe, bool], None], value: bool) -> None:
    try:
        for sound in sounds:
            keep(sound.recipe, value)
    except OSError as exc:
        raise DistillError(f"What you think of the sounds cannot be kept ({exc.strerror or exc}).") from exc


def remove(
    sounds: Sequence[GeneratedEntry], trash: Callable[[Path], Path | None] = move_to_trash
) -> tuple[tuple[Removed, ...], DistillError | None]:
    """Take sounds off the list and move their files to the trash.

    Parameters
    ----------
    sounds
        What to remove, in this order.
    trash
        Moves a file and returns its new path if known.

    Returns
    -------
    tuple
        What `bring_back` needs for the sounds that were removed, and the error that ended the removal, or None.  The
        sound that failed and those after it stay on the list.
    """
    removed: list[Removed] = []
    for sound in _where_they_are(sounds):
        in_trash = None
        try:
            if sound.path.exists():
                GeneratedHistory().announce_removal(sound.recipe)
                in_trash = trash(sound.path)
            GeneratedHistory().forget(sound.recipe)
        except OSError as exc:
            if in_trash is not None:  # moved, but still on the list: back to where the list says that it is
                with suppress(OSError):
                    restore_from_trash(in_trash, sound.path)
            reason = f"{sound.path.name} cannot be moved to the trash ({exc.strerror or exc})."
            return tuple(removed), DistillError(reason)
        removed.append(Removed(sound, in_trash))
    return tuple(removed), None


def bring_back(removed: Sequence[Removed]) -> None:
    """Put removed sounds back on the list, with their stars, and their files back where they were.

    Raises
    ------
    DistillError
        A file is not in the trash any more; its entry is back on the list, from which it can be made again.
    """
    lost = []
    for one in removed:
        path = one.sound.path
        if one.in_trash is not None:
            try:
                path = restore_from_trash(one.in_trash, path)
            except OSError:
                lost.append(path.name)
        elif not path.exists():
            lost.append(path.name)
        try:
            GeneratedHistory().add([replace(one.sound, path=path)])
        except OSError as exc:
            raise DistillError(f"{path.name} cannot be listed again ({exc.strerror or exc}).") from exc
    set_stars([one.sound for one in removed if one.sound.starred], True)
    set_rejected([one.sound for one in removed if one.sound.rejected], True)
    if lost:
        raise DistillError(f"{lost[0]} could not be taken out of the trash. It is listed, and can be made again.")


# --- files for other programs -------------------------------------------------------------------------------------


def export(request: ExportRequest, emit: Tell, cancel: threading.Event) -> list[Path]:
    """Write generated sounds into a folder and return the new files; no file is overwritten.

    Raises
    ------
    DistillError
        A sound is gone, or the folder cannot be written to; what was written by then stays.
    """
    written: list[Path] = []
    for number, sound in enumerate(_where_they_are(request.sounds)):
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
