"""Plays a model's map: opens it, and turns positions, paths and variations into generated sounds.  No Qt.

What is made is kept with its recipe in the history of generated sounds.  Every method may take a while; a window calls
them on a background thread.  torch is imported by the first `open`.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.audio.decoding.mono_decoder import FloatArray
from distill.errors import Cancelled, DistillError
from distill.generation.history.kept_weights import keep_weights
from distill.generation.history.sound_history import GeneratedEntry, GeneratedHistory, keep
from distill.generation.kits.kit_sounds import KitPlan, KitSound
from distill.generation.kits.kit_writer import Kit, check_folder, write_kit
from distill.generation.map.map_chunks import Position, ShownMap, Slider
from distill.generation.map.newness import JudgedSound, Verdict, newness_word
from distill.generation.recipe import EXTENDED, MAPPED, MORPHED, REPAINTED, VARIED, Recipe, read_recipe
from distill.generation.source_limits import measure_source, sound_named

if TYPE_CHECKING:
    from torch import Tensor

    from distill.generation.map.copy_check import CopySearch
    from distill.models.inference import OpenModel


#: Why nothing can be played, where no other reason is known.
_NO_MODEL = "No model with a map is open. Choose one on the Models page."


@dataclass(frozen=True)
class WrittenKit:
    """A kit that was written, the number of its sounds, and how many of them have more than one version."""

    kit: Kit
    sounds: int
    varied: int


class MapSession:
    """Generates sounds with one model at a time and keeps them in the history of generated sounds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # a cancelled task may still compute while the next one starts
        self._model: OpenModel | None = None
        self._reason = _NO_MODEL
        self._file = Path()
        self._map_id = ""
        self._known: dict[object, GeneratedEntry] = {}
        self._noting = threading.Lock()  # for what is known: a file is either handed out or discarded
        self._superseded: set[Path] = set()
        self._shown: ShownMap | None = None
        self._copies: tuple[ShownMap, CopySearch] | None = None
        self._copies_lock = threading.Lock()

    def open(self, model_file: Path) -> ShownMap:
        """Open a model and return its map.

        Raises
        ------
        DistillError
            The model cannot be opened, or has no map.
        """
        from distill.generation.map.json_and_svg import sound_name
        from distill.generation.map.map_sounds import map_id, map_of, sliders_of
        from distill.generation.map.training_sound_files import find_sounds, sounds_of_runs
        from distill.models.latent_space.sliders import MOST_AMOUNT
        from distill.models.persistence import open_model

        with self._lock, self._noted_reason():
            self._model, self._known = None, {}
            model = open_model(model_file)
            latent_map = map_of(model)
            sliders = sliders_of(model)
            self._map_id = map_id(model)
            self._model, self._file = model, model_file
            for identity in (self._map_id, model.weights_id()):
                keep_weights(model_file, identity)  # a resumed run replaces the file
        files = find_sounds(latent_map.fingerprints, sounds_of_runs(model_file))
        names = {fingerprint: path.stem for fingerprint, path in files.items()}
        result = ShownMap(
            tuple((x, y) for x, y in latent_map.positions.tolist()),
            tuple(latent_map.sounds.tolist()),
            tuple(latent_map.starts.tolist()),
            tuple(latent_map.seconds.tolist()),
            tuple(latent_map.brightness.tolist()),
            tuple(latent_map.loudness.tolist()),
            tuple(sound_name(latent_map, number, names) for number in range(len(latent_map.fingerprints))),
            {n: files[text] for n, text in enumerate(latent_map.fingerprints) if text in files},
            tuple(Slider(d.name, d.help, d.strength) for d in sliders.directions) if sliders else (),
            MOST_AMOUNT,
        )
        self._shown, self._copies = result, None
        return result

    def sound_at(self, position: Position, moves: Mapping[str, float]) -> Path:
        """Return the file of the sound at a position after the sliders' moves.

        Raises
        ------
        DistillError
            No model is open, or the file cannot be written.
        """
        from distill.generation.map.map_sounds import audio_of_map, recipe_at

        with self._lock:
            model, shown = self._opened(), self._shown
            recipe = recipe_at(model, self._file, self._map_id, position, moves)
            key = (recipe.positions, recipe.moves)
            name = "Sound" if shown is None else shown.name_near(position)
            return self._known_or(key, name, recipe, lambda: audio_of_map(model, recipe))

    def sound_along(self, path: Sequence[Position], seconds: float) -> Path:
        """Return the file of one sound that moves along a path.

        Raises
        ------
        DistillError
            No model is open, or the file cannot be written.
        """
        from distill.generation.map.map_sounds import audio_of_map, recipe_along

        with self._lock:
            model = self._opened()
            recipe = recipe_along(model, self._file, self._map_id, path, seconds)
            key = (recipe.positions, seconds)
            return self._known_or(key, f"Path {seconds:.1f} s", recipe, lambda: audio_of_map(model, recipe))

    def variations(
        self, source: Path, count: int, strength: float, seed: int, cancel: threading.Event | None = None
    ) -> list[Path]:
        """Return the files of variations of a sound file.

        Raises
        ------
        DistillError
            No model is open, the model or the sound cannot be used, or a file cannot be written.
        """
        names = [f"{_stem(source)} variation {number + 1}" for number in range(count)]
        return self._of_sound(names, VARIED, source, None, cancel, count=count, strength=strength, seed=seed)

    def morph(self, first: Path, second: Path, steps: int, cancel: threading.Event | None = None) -> list[Path]:
        """Return the files of the steps from one sound file to another.

        Raises
        ------
        DistillError
            No model is open, the model or a sound cannot be used, or a file cannot be written.
        """
        names = [f"{_stem(first)} to {_stem(second)} {number + 1}" for number in range(steps)]
        return self._of_sound(names, MORPHED, first, second, cancel, count=steps)

    def extend(self, source: Path, seconds: float, seed: int, cancel: threading.Event | None = None) -> Path:
        """Return the file of a sound file that goes on for ``seconds`` more.

        Raises
        ------
        DistillError
            No model is open, the model or the sound cannot be used, or the file cannot be written.
        """
        return self._of_sound(
            [f"{_stem(source)} and {seconds:.1f} s"], EXTENDED, source, None, cancel, seconds=seconds, seed=seed
        )[0]  # fmt: skip

    def repaint(self, source: Path, start: float, end: float, seed: int, cancel: threading.Event | None = None) -> Path:
        """Return the file of a sound file with one part made anew, from ``start`` to ``end`` in seconds.

        Raises
        ------
        DistillError
            No model is open, the model or the sound cannot be used, or the file cannot be written.
        """
        return self._of_sound(
            [f"{_stem(source)} repainted"], REPAINTED, source, None, cancel, start=start, end=end, seed=seed
        )[0]  # fmt: skip

    def follow_file(self, before: Path, path: Path) -> None:
        """Know a sound under the name that its file has now; returns at once, also while sounds are made."""
        for key, known in tuple(self._known.items()):
            if known.path == before:
                self._known[key] = replace(known, path=path)

    def place_of(self, path: Path) -> tuple[Position, dict[str, float]] | None:
        """Return the position of a sound on the open map and its moved sliders, or None for one from elsewhere."""
        shown = self._shown
        if shown is not None:
            for number, file in shown.files.items():
                if file == path and number in shown.sounds:
                    return shown.positions[shown.sounds.index(number)], {}
        recipe = read_recipe(path)
        if recipe is None or recipe.kind != MAPPED or recipe.map != self._map_id:
            return None
        return recipe.positions[0], dict(recipe.moves)

    def supersede(self, path: Path) -> None:
        """Note that another sound has taken the place of one; see `discard_superseded`.  Returns at once."""
        self._superseded.add(path)

    def discard_superseded(self) -> None:
        """Remove superseded sounds from the history of generated sounds, with their files.

        Those that the user has starred or rejected stay, and so do those that were asked for again meanwhile.  What
        cannot be removed, such as a file that is being read, is tried again by the next call.
        """
        if not self._superseded:
            return
        history = GeneratedHistory()
        listed = {entry.path: entry for entry in history.list() if not (entry.starred or entry.rejected)}
        with self._noting:
            for path in tuple(self._superseded):
                entry = listed.get(path)
                with suppress(OSError):
                    if entry is not None:
                        history.announce_removal(entry.recipe)
                        path.unlink(missing_ok=True)
                        history.forget(entry.recipe)
                        self._known = {key: known for key, known in self._known.items() if known.path != path}
                    self._superseded.discard(path)

    def judged(self, path: Path) -> JudgedSound:
        """Return a generated sound with how new it is.

        Raises
        ------
        DistillError
            No model is open, or the sound cannot be read.
        """
        from distill.generation.map.copy_check import COPY_CORRELATION
        from distill.generation.map.map_sounds import nearest_training_sound

        with self._lock:
            model, shown = self._opened(), self._shown
            index = model.parts.index
            if index is None or shown is None:
                return JudgedSound(path, None)
            audio = _mono(path)
            number, newness = nearest_training_sound(model, index, audio)
        # Outside of the lock: the next sound need not wait.
        match = self._copy_search(shown).find(audio[0].numpy())
        is_copy = match.correlation >= COPY_CORRELATION
        if is_copy:
            number = match.number
        name = shown.names[number] if 0 <= number < len(shown.names) else ""
        return JudgedSound(path, Verdict(newness_word(newness, is_copy), name, shown.files.get(number)))

    def _copy_search(self, shown: ShownMap) -> "CopySearch":
        """Return the search among the own sounds of a map, which are read once."""
        from distill.generation.map.copy_check import CopySearch

        with self._copies_lock:
            if self._copies is not None and self._copies[0] is shown:
                return self._copies[1]
            search = CopySearch.of_files(shown.files)
            self._copies = (shown, search) if shown is self._shown else None  # another model may be open by now
            return search

    def export_kit(
        self,
        folder: Path,
        title: str,
        sounds: Sequence[Path],
        plan: KitPlan,
        progress: Callable[[int], None] = lambda _done: None,
        pads: Sequence[int] = (),
        cancel_event: threading.Event | None = None,
    ) -> WrittenKit:
        """Write a kit of sound files.

        A sound that the open model has made gets the versions of the plan; others stay as they are, because the
        model's versions of them would be copies that sound different.

        Parameters
        ----------
        folder, title
            As in `write_kit`.
        sounds
            One file for each pad.  Those of the kit are called after it.
        plan
            Versions of each sound; its count is not used.
        progress
            Called with the number of sounds that are ready.
        pads
            Numbers of the pads, from 1; without them the sounds are on the first pads.
        cancel_event
            Ends the work after the sound in hand; nothing is left behind.

        Raises
        ------
        DistillError
            A sound cannot be used, or the folder cannot be written to or holds something.
        Cancelled
            ``cancel_event`` was set.
        """
        from distill.generation.kits.kit_sounds import sound_of_file

        check_folder(folder)
        kit: list[KitSound] = []
        varied = 0
        try:
            with self._lock:
                for path, pad in zip(sounds, pads or range(1, len(sounds) + 1), strict=True):
                    if cancel_event is not None and cancel_event.is_set():
                        raise Cancelled
                    kit.append(replace(sound_of_file(self._model, path, plan, len(kit)), name=path.stem, pad=pad))
                    varied += len(kit[-1].layers[0].takes) * len(kit[-1].layers) > 1
                    progress(len(kit))
            return WrittenKit(write_kit(folder, title, kit, cancel_event=cancel_event), len(kit), varied)
        except OSError as exc:
            raise DistillError(f"{folder} cannot be written: {exc.strerror or exc}.") from exc

    def close(self) -> None:
        """Forget the model, unless it still computes; returns at once."""
        if self._lock.acquire(blocking=False):
            self._model, self._known = None, {}
            self._lock.release()

    @contextmanager
    def _noted_reason(self) -> Iterator[None]:
        """Note why a model cannot be opened."""
        self._reason = _NO_MODEL
        try:
            yield
        except DistillError as exc:
            self._reason = str(exc)
            raise

    def _opened(self) -> "OpenModel":
        if self._model is None:
            raise DistillError(self._reason)
        return self._model

    def _of_sound(
        self,
        names: Sequence[str],
        kind: str,
        source: Path,
        second: Path | None = None,
        cancel: threading.Event | None = None,
        **settings: Any,
    ) -> list[Path]:
        """Return the files, called ``names``, of what the model makes of a sound; raises `Cancelled` if that is set."""
        from distill.generation.vary_morph_extend import make_from_sound

        with self._lock, _readable_numbers():
            for path in (source, second):
                if path is not None:
                    with sound_named(path):
                        measure_source(path, kind, cancel)
            # All of them, or none if it is stopped: the pads take them together.
            sounds = list(make_from_sound(self._opened(), self._file, kind, source, second, cancel, **settings))
            return [self._kept(name, sound.audio, sound.recipe).path for name, sound in zip(names, sounds, strict=True)]

    def _known_or(self, key: object, name: str, recipe: Recipe, make: Callable[[], FloatArray]) -> Path:
        """Return the file of a sound that is known by a key, made on first demand and where its file is gone."""
        with self._noting:
            known = self._known.get(key)
            if known is not None and known.path.exists():
                self._superseded.discard(known.path)
                return known.path
        made = self._kept(name, make(), recipe if known is None else known.recipe)
        self._known[key] = made
        return made.path

    def _kept(self, name: str, audio: FloatArray, recipe: Recipe) -> GeneratedEntry:
        """Keep a sound in the history, and the model for its recipe."""
        entry = keep(name, audio, recipe).entry
        keep_weights(self._file, recipe.map or recipe.weights)  # the last sound with them may have been removed
        return entry


def _mono(path: Path) -> "Tensor":
    import torch

    from distill.audio.decoding.mono_decoder import decode_sound

    with sound_named(path):
        return torch.from_numpy(decode_sound(path))[None]


def _stem(path: Path) -> str:
    return path.stem.split(" variation ")[0].split(" to ")[0][:60]


@contextmanager
def _readable_numbers() -> Iterator[None]:
    """Turn a number that a model refuses into a sentence for the user."""
    try:
        yield
    except DistillError:
        raise
    except ValueError as exc:
        raise DistillError(str(exc)) from exc
