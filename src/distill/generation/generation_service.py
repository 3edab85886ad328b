"""Generates sounds for a window, off its thread: new ones, transformed ones, and one again; each is kept.

Every function here may take as long as it takes: presenters call them in a `BackgroundTask`.  No Qt; torch is imported
by the first sound that is made.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill import paths
from distill.audio.decoding.mono_decoder import FloatArray
from distill.errors import Cancelled, SoundError
from distill.generation.history.kept_weights import keep_weights
from distill.generation.history.sound_history import GeneratedEntry, ListedSound, keep
from distill.generation.recipe import MOST_COUNT, Recipe
from distill.library.model_library import ModelEntry, ModelLibrary

if TYPE_CHECKING:
    from distill.models.inference import OpenModel

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
class SoundReady:
    """A sound that was made just now."""

    sound: ListedSound


@dataclass(frozen=True)
class Progress:
    """How much of the work is done, from 0 to 1."""

    done: float


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
            keep_weights(entry.path, self._model.weights_id())  # a resumed run replaces the file
        return self._model

    def _make_new(self, request: GenerateRequest, entry: ModelEntry, emit: Tell, cancel: threading.Event) -> None:
        from distill.generation.new_sounds import make_new
        from distill.generation.starred_sounds import read_taste

        model = self._open(entry)
        taste = read_taste(model, cancel_event=cancel) if request.follows_stars else None
        for generated in make_new(
            model, entry.path, request.count, request.seed, request.temperature, cancel, request.seconds,
            request.freedom, taste, request.mono,
        ):  # fmt: skip
            if cancel.is_set():
                return
            recipe = replace(generated.recipe, model_name=entry.name)
            _keep(recipe.kept_name, generated.audio, recipe, emit)
            keep_weights(entry.path, generated.recipe.weights)  # the last sound with them may have been removed
            emit(Progress((generated.recipe.number + 1) / request.count))

    def _transform(self, request: TransformRequest, entry: ModelEntry, emit: Tell, cancel: threading.Event) -> None:
        from distill.generation.transform import stream_transform

        model = self._open(entry)
        count, kept_count, problems = len(request.sources), 0, []
        for number, source in enumerate(request.sources):

            def progress(share: float, before: int = number) -> None:
                emit(Progress((before + share) / count))

            try:
                generated = stream_transform(model, entry.path, source, request.dry_wet, progress, cancel)
            except SoundError as exc:
                problems.append(f"{source.name}, {exc}")
                continue
            among, number = (count, kept_count) if count <= MOST_COUNT else (1, 0)
            recipe = replace(generated.recipe, model_name=entry.name, count=among, number=number)
            _keep(recipe.kept_name, generated.blocks, recipe, emit)
            keep_weights(entry.path, recipe.weights)
            kept_count += 1
        if len(problems) == 1:
            raise SoundError(f"One sound cannot be used: {problems[0]}. Choose another one.")
        if problems:
            raise SoundError(f"{len(problems)} of {count} sounds cannot be used. One of them: {problems[0]}.")


def make_again(sound: GeneratedEntry, emit: Tell, cancel: threading.Event, takes_nearest: bool = False) -> None:
    """Generate a sound again from its recipe; no file is overwritten.

    The entry of a sound whose file is gone gets the new file; otherwise there is a second entry.  For
    ``takes_nearest`` see `distill.generation.remake.stream_again`.

    Raises
    ------
    DistillError
        The model or the sound that went in is gone or another one now, or nothing can be written.
    """
    from distill.generation.remake import stream_again

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
