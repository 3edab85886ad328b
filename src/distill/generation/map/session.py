"""Plays a model's map: opens it, and turns positions, paths and variations into sound files.  No Qt.

Every method may take a while; a window calls them on a background thread.  torch is imported by the first `open`.
"""

import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from distill.audio.decoding.sound_file import SAMPLE_RATE, FloatArray, write_wav
from distill.errors import DistillError
from distill.files import temporary_folder
from distill.generation.kits.export import Kit, single, write_kit
from distill.paths import plain_name

if TYPE_CHECKING:
    from torch import Tensor

    from distill.generation.map.own_sounds import OwnSounds
    from distill.models.inference import OpenModel

Position = tuple[float, float]

#: How new a sound is.
NEW, CLOSE, COPY = "new", "close", "copy"

#: Share of the training sounds that lie nearer to another one than a sound that is called close.
CLOSE_NEWNESS = 0.25

#: Characters of a sound's name in the name of one that is made from it.
_NAME_PART = 24
#: Distance from a sound of the map within which a new one counts as its copy; the map is 1 wide.
_SAME_PLACE = 1e-3


@dataclass(frozen=True)
class Verdict:
    """How near a sound is to the sounds that its model was trained on.

    Attributes
    ----------
    word
        `NEW`, `CLOSE` or `COPY`.
    name
        Of the nearest of those sounds.
    file
        Its file, where it was found on this computer.
    """

    word: str
    name: str
    file: Path | None


@dataclass(frozen=True)
class Made:
    """A sound that was made, and how new it is; None where the model file holds nothing to compare with."""

    path: Path
    verdict: Verdict | None


@dataclass(frozen=True)
class Slider:
    """A slider of a model: its name, what a higher value does, and its measured rank correlation."""

    name: str
    help: str
    strength: float


@dataclass(frozen=True)
class ShownMap:
    """A map as plain values, one for each chunk unless said otherwise.

    Attributes
    ----------
    positions
        x and y, within 0 and 1.
    sounds
        Numbers of the sounds.
    starts, seconds
        Where a chunk begins in its sound, and its length.
    brightness, loudness
        What dots can be coloured by.
    names
        One for each sound.
    files
        Files of the sounds that were found on this computer, by number.
    sliders
        The model's sliders.
    most
        Range of a slider: from minus this to this.
    """

    positions: tuple[Position, ...]
    sounds: tuple[int, ...]
    starts: tuple[float, ...]
    seconds: tuple[float, ...]
    brightness: tuple[float, ...]
    loudness: tuple[float, ...]
    names: tuple[str, ...]
    files: Mapping[int, Path]
    sliders: tuple[Slider, ...]
    most: float

    def nearest(self, position: Position, count: int = 8) -> list[int]:
        """Return the numbers of the chunks nearest to a position, at most one for each sound."""
        x, y = position
        order = sorted(
            range(len(self.positions)),
            key=lambda row: (self.positions[row][0] - x) ** 2 + (self.positions[row][1] - y) ** 2,
        )
        first: dict[int, int] = {}
        for row in order:
            first.setdefault(self.sounds[row], row)
            if len(first) == count:
                break
        return list(first.values())

    def between(self, row: int) -> Position:
        """Return a position between a chunk and the nearest one of another sound; its own without one.

        It is a little nearer to the chunk, so that two that are nearest to each other give two positions.
        """
        others = [near for near in self.nearest(self.positions[row], 3) if self.sounds[near] != self.sounds[row]]
        (x, y), (u, v) = self.positions[row], self.positions[(others or [row])[0]]
        return 0.6 * x + 0.4 * u, 0.6 * y + 0.4 * v

    def spread(self, count: int) -> list[int]:
        """Return the numbers of ``count`` chunks that lie far from each other: each is the furthest from those before.

        Fewer are returned where the map has fewer chunks.
        """
        chosen = self.nearest((0.5, 0.5), 1)
        distance = [float("inf")] * len(self.positions)
        while len(chosen) < min(count, len(self.positions)):
            x, y = self.positions[chosen[-1]]
            for row, (u, v) in enumerate(self.positions):
                distance[row] = min(distance[row], (u - x) ** 2 + (v - y) ** 2)
            chosen.append(max(range(len(distance)), key=distance.__getitem__))
        return chosen


class MapSession:
    """Generates sounds with one model at a time and keeps them as files until `close`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # a cancelled task may still compute while the next one starts
        self._model: OpenModel | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._known: dict[object, Path] = {}
        self._shown: ShownMap | None = None
        self._own: OwnSounds | None = None

    def open(self, model_file: Path) -> ShownMap:
        """Open a model and return its map.

        Raises
        ------
        DistillError
            The model cannot be opened, or has no map.
        """
        from distill.generation.map.export import sound_name
        from distill.generation.map.names import find_sounds, sounds_of_runs
        from distill.generation.map.sounds import map_of, sliders_of
        from distill.models.latent_space.sliders import MOST_AMOUNT
        from distill.models.persistence import open_model

        with self._lock:
            self._model, self._known = None, {}
            model = open_model(model_file)
            shown = map_of(model)
            sliders = sliders_of(model)
            self._model = model
        files = find_sounds(shown.fingerprints, sounds_of_runs(model_file))
        names = {fingerprint: path.stem for fingerprint, path in files.items()}
        result = ShownMap(
            tuple((x, y) for x, y in shown.positions.tolist()),
            tuple(shown.sounds.tolist()),
            tuple(shown.starts.tolist()),
            tuple(shown.seconds.tolist()),
            tuple(shown.brightness.tolist()),
            tuple(shown.loudness.tolist()),
            tuple(sound_name(shown, number, names) for number in range(len(shown.fingerprints))),
            {n: files[text] for n, text in enumerate(shown.fingerprints) if text in files},
            tuple(Slider(d.name, d.help, d.strength) for d in sliders.directions) if sliders else (),
            MOST_AMOUNT,
        )
        self._shown, self._own = result, None
        return result

    def sound_at(self, position: Position, moves: Mapping[str, float]) -> Path:
        """Return the file of the sound at a position after the sliders' moves.

        Raises
        ------
        DistillError
            No model is open, or the file cannot be written.
        """
        from distill.generation.map.sounds import sound_at

        used = {name: amount for name, amount in moves.items() if amount}
        return self._made(
            (position, *sorted(used.items())),
            self._name_at(position),
            lambda model: _heard(model, sound_at(model, position, used)),
        )

    def sound_along(self, path: Sequence[Position], seconds: float) -> Path:
        """Return the file of one sound that moves along a path.

        Raises
        ------
        DistillError
            No model is open, or the file cannot be written.
        """
        from distill.generation.map.sounds import long_sound_along

        corners = tuple(path)
        return self._made(
            (corners, seconds),
            f"Path {seconds:.1f} s",
            lambda model: _heard(model, long_sound_along(model, corners, seconds)),
        )

    def variations(self, source: Path, count: int, strength: float, seed: int) -> list[Path]:
        """Return the files of variations of a sound file.

        Raises
        ------
        DistillError
            No model is open, the model or the sound cannot be used, or a file cannot be written.
        """
        with self._lock:
            model, stem = self._opened(), _stem(source)
            sounds = model.vary(_decoded(model, source), count, strength, seed)
            return [
                self._written(f"{stem} variation {number + 1}", _audio(sound)) for number, sound in enumerate(sounds)
            ]

    def morph(self, first: Path, second: Path, steps: int) -> list[Path]:
        """Return the files of the steps from one sound file to another.

        Raises
        ------
        DistillError
            No model is open, the model or a sound cannot be used, or a file cannot be written.
        """
        with self._lock:
            model = self._opened()
            sounds = model.morph(_decoded(model, first), _decoded(model, second), steps)
            stem = f"{_stem(first)} to {_stem(second)}"
            return [self._written(f"{stem} {number + 1}", _audio(sound)) for number, sound in enumerate(sounds)]

    def extend(self, source: Path, seconds: float, seed: int) -> Path:
        """Return the file of a sound file that goes on for ``seconds`` more.

        Raises
        ------
        DistillError
            No model is open, the model or the sound cannot be used, or the file cannot be written.
        """
        with self._lock, _readable_numbers():
            model = self._opened()
            sound = model.extend(_decoded(model, source), seconds, seed)
            return self._written(f"{_stem(source)} and {seconds:.1f} s", _audio(sound))

    def repaint(self, source: Path, start: float, end: float, seed: int) -> Path:
        """Return the file of a sound file with one part made anew, from ``start`` to ``end`` in seconds.

        Raises
        ------
        DistillError
            No model is open, the model or the sound cannot be used, or the file cannot be written.
        """
        with self._lock, _readable_numbers():
            model = self._opened()
            sound = model.repaint(_decoded(model, source), start, end, seed)
            return self._written(f"{_stem(source)} repainted", _audio(sound))

    def judged(self, path: Path) -> Made:
        """Return a made sound with how new it is.

        Raises
        ------
        DistillError
            No model is open, or the sound cannot be read.
        """
        from distill.generation.map.own_sounds import COPY_CORRELATION, OwnSounds
        from distill.generation.map.sounds import nearest_training_sound

        with self._lock:
            model, shown = self._opened(), self._shown
            index = model.parts.index
            if index is None or shown is None:
                return Made(path, None)
            audio = _mono(path)
            number, newness = nearest_training_sound(model, index, audio)
            own = self._own = self._own or OwnSounds.of_files(shown.files)
        match = own.find(audio[0].numpy())  # outside of the lock: the next sound need not wait
        word = NEW if newness > CLOSE_NEWNESS else CLOSE
        if match.correlation >= COPY_CORRELATION:
            number, word = match.number, COPY
        elif newness == 0.0:
            word = COPY
        name = shown.names[number] if 0 <= number < len(shown.names) else ""
        return Made(path, Verdict(word, name, shown.files.get(number)))

    def export_kit(
        self, folder: Path, title: str, sounds: Sequence[Path], progress: Callable[[float], None] | None = None
    ) -> Kit:
        """Write a kit of sound files.

        Raises
        ------
        DistillError
            A sound cannot be used, or the folder cannot be written to or holds something.
        """
        from distill.audio.decoding.sound_file import decode_sound

        try:
            return write_kit(folder, title, [single(decode_sound(path)) for path in sounds], progress)
        except OSError as exc:
            raise DistillError(f"{folder} cannot be written: {exc.strerror or exc}.") from exc

    def close(self) -> None:
        """Forget the model and remove the files."""
        with self._lock:
            self._model, self._known = None, {}
            if self._folder is not None:
                with suppress(OSError):
                    self._folder.cleanup()
                self._folder = None

    def _opened(self) -> "OpenModel":
        if self._model is None:
            raise DistillError("No model with a map is open. Choose one on the Models page.")
        return self._model

    def _name_at(self, position: Position) -> str:
        """Return the name of a sound at a position: those of the two nearest sounds, or of the one that it copies."""
        shown = self._shown
        if shown is None or not shown.positions:
            return "Sound"
        near = shown.nearest(position, 2)
        names = [plain_name(shown.names[shown.sounds[row]], most=_NAME_PART) for row in near]
        x, y = shown.positions[near[0]]
        is_copy = (x - position[0]) ** 2 + (y - position[1]) ** 2 < _SAME_PLACE**2
        return f"{names[0]} copy" if is_copy else " + ".join(names)

    def _made(self, key: object, name: str, make: "Callable[[OpenModel], FloatArray]") -> Path:
        """Return the file of a sound that is known by a key, made on first demand."""
        with self._lock:
            model = self._opened()
            if key not in self._known:
                self._known[key] = self._written(name, make(model))
            return self._known[key]

    def _written(self, name: str, audio: FloatArray) -> Path:
        if self._folder is None:
            self._folder = temporary_folder("map")
        folder, path, number = Path(self._folder.name), Path(self._folder.name) / f"{name}.wav", 2
        while path.exists():
            path, number = folder / f"{name} ({number}).wav", number + 1
        try:
            write_wav(path, audio, SAMPLE_RATE)
        except OSError as exc:
            raise DistillError(f"The sound cannot be stored: {exc.strerror or exc}. Free some disk space.") from exc
        return path


def _heard(model: "OpenModel", sound: "Tensor") -> FloatArray:
    """Return a new sound with the channels that the model makes, as files hold it."""
    from distill.generation.stereo import own_channels

    return _audio(own_channels(model, sound))


def _audio(sound: "Tensor") -> FloatArray:
    from distill.generation.stereo import as_audio

    return as_audio(sound)


def _decoded(model: "OpenModel", path: Path) -> "Tensor":
    from distill.generation.stereo import decoded_source

    return decoded_source(model, path)


def _mono(path: Path) -> "Tensor":
    import torch

    from distill.audio.decoding.sound_file import decode_sound

    return torch.from_numpy(decode_sound(path))[None]


def _stem(path: Path) -> str:
    return path.stem.split(" variation ")[0].split(" to ")[0][:60]


@contextmanager
def _readable_numbers() -> Iterator[None]:
    """Turn a number that a model refuses into a sentence for the user."""
    try:
        yield
    except ValueError as exc:
        raise DistillError(str(exc)) from exc
