"""How a sound was made: all that is needed to make it again.  No torch here."""

import json
import math
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import soundfile

from distill import __version__
from distill.audio.cache.hash_index import content_hash
from distill.audio.decoding.access_errors import os_reason
from distill.audio.decoding.libsndfile import sndfile_name
from distill.audio.decoding.open_sound import UnreachableSoundError
from distill.audio.decoding.streams.byte_view import read_at
from distill.audio.decoding.streams.container_headers import RIFF_CHUNKS, walk_chunks
from distill.json_files import parse_json
from distill.models.metadata import now_iso
from distill.names import plain_name

if TYPE_CHECKING:
    from distill.models.inference import OpenModel

#: How the kinds of making are called in recipes.
NEW, TRANSFORMED, RECONSTRUCTED = "new", "transformed", "reconstructed"
VARIED, MORPHED, EXTENDED, REPAINTED = "varied", "morphed", "extended", "repainted"
#: Sounds of a model's map: at a position, and along a path.
MAPPED, ALONG = "mapped", "along"
#: Most sounds of one draw, and the highest seed: a stranger's recipe must not ask for more than the terminal may.
MOST_COUNT, MOST_SEED = 1000, 2**31
#: Most sounds that one is chosen among.
MOST_CANDIDATES = 1024
#: Most corners of a path, most sliders, and the furthest that a recipe may move one.
_MOST_CORNERS, _MOST_SLIDERS, _FURTHEST = 4096, 64, 10.0
_MARK = "distill recipe "
_SOURCE = ("source", "source_hash")
_DRAW = ("seed", "count", "number")
#: What the recipe of a new sound that was chosen among more holds beside that.
_CHOICE = ("candidates", "candidate", "stars")
#: What the recipes of each kind hold beside model, time, program and id.
_USED = {
    NEW: (*_DRAW, "temperature", "seconds", "freedom", "drawing", *_CHOICE),
    TRANSFORMED: ("count", "number", "dry_wet", *_SOURCE),
    RECONSTRUCTED: _SOURCE,
    VARIED: (*_DRAW, "strength", *_SOURCE),
    MORPHED: ("count", "number", *_SOURCE, "second_source", "second_hash"),
    EXTENDED: ("seed", "seconds", *_SOURCE),
    REPAINTED: ("seed", "start", "end", *_SOURCE),
    MAPPED: ("map", "positions", "moves"),
    ALONG: ("map", "positions", "seconds"),
}
#: What the recipes of one batch have in common.
_OF_A_BATCH = (
    "kind", "model_id", "count", "seed", "temperature", "dry_wet", "seconds", "freedom", "strength", "start", "end",
    "candidates", "channels",
)  # fmt: skip
_COMMON = ("kind", "model_id", "model_name", "model_file", "weights", "made", "program", "id")
#: Ranges of the numbers that a recipe from elsewhere may hold; a text is at most as long as a path.
_RANGES = {
    "temperature": (0.0, 100.0), "dry_wet": (0.0, 1.0), "seconds": (0.0, 3600.0), "freedom": (-1.0, 1.0),
    "strength": (0.0, 1.0), "start": (0.0, 86_400.0), "end": (0.0, 86_400.0),
}  # fmt: skip
_MAX_TEXT = 4096
#: Longest comment that is read: a recipe with all its corners is a tenth of it.
_MOST_COMMENT = 1 << 20
#: Value of ``freedom`` that stands for the default.
TRAINED = -1.0


@dataclass(frozen=True)
class Recipe:
    """How a sound was made.

    Attributes
    ----------
    kind
        `NEW`, `TRANSFORMED`, `RECONSTRUCTED`, `VARIED`, `MORPHED`, `EXTENDED` or `REPAINTED`.
    model_id, model_name, model_file
        The model; its id is what counts, its file is where it was.
    weights
        Content id of the weights (`OpenModel.weights_id`); empty in recipes of older versions.
    channels
        1 for a mono, 2 for a stereo sound; recipes of older versions are of mono ones.
    seed, temperature
        Of a new sound: the draw, and its spread.
    count, number
        How many sounds were asked for at once, and which of them this is, from 0.
    seconds
        Of a new sound: its requested length, 0 for one like those of the corpus. Of an extended one: what was added.
        Of one along a path: its length.
    candidates, candidate, stars
        Of a new sound that was chosen by what the user had starred: how many were drawn, which of them this is, from 0,
        and how many starred sounds were followed. 0 candidates: it was not chosen.
    freedom
        Of a new sound: how far from the corpus, 0 to 1; `TRAINED` for the default.
    drawing
        Of a new sound: the way in which it was drawn (`Synthesizer.drawing`); 0 in recipes of versions that did not
        note it.
    dry_wet
        Of a transformed sound: the model's share, 0 to 1.
    strength
        Of a variation: 0 for the copy, 1 for an unrelated sound.
    start, end
        Of a repainted sound: the new part, in seconds.
    source, source_hash
        The sound that went in: its file, and the hash of that file's content.
    second_source, second_hash
        Of a morph: the sound at its other end.
    map
        Of a sound of the map: content id of map and sliders (`distill.generation.map.map_sounds`).
    positions
        Of a sound of the map: its position, or the corners of its path; x and y, within 0 and 1.
    moves
        Of a sound at a position: the sliders that were moved, and by how much.
    made
        ISO 8601.
    program
        Version of Distill that made it.
    id
        Tells generated sounds apart.
    """

    kind: str
    model_id: str
    model_name: str = ""
    model_file: str = ""
    seed: int = 0
    count: int = 1
    number: int = 0
    temperature: float = 1.0
    dry_wet: float = 1.0
    seconds: float = 0.0
    freedom: float = TRAINED
    drawing: int = 0
    strength: float = 0.0
    start: float = 0.0
    end: float = 0.0
    source: str = ""
    source_hash: str = ""
    second_source: str = ""
    second_hash: str = ""
    map: str = ""
    positions: tuple[tuple[float, float], ...] = ()
    moves: tuple[tuple[str, float], ...] = ()
    candidates: int = 0
    candidate: int = 0
    stars: int = 0
    weights: str = ""
    channels: int = 1
    made: str = field(default_factory=now_iso)
    program: str = __version__
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, without those that mean nothing for this kind."""
        used = {*_COMMON, *_USED[self.kind]}.difference(() if self.candidates else _CHOICE)
        used |= {"channels"} if self.channels != 1 else set()
        return {key: value for key, value in asdict(self).items() if key in used}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild from `to_dict`'s result; unknown keys are ignored.

        Raises
        ------
        ValueError
            It is not such a result.
        """
        if not isinstance(data, Mapping):
            raise ValueError("a recipe must have named parts")
        values: dict[str, Any] = {}
        for item in fields(cls):
            if item.name not in data:
                continue
            value, kind = data[item.name], item.type
            if item.name in ("positions", "moves"):
                values[item.name] = _pairs(item.name, value)
                continue
            fits = isinstance(value, (int, float) if kind is float else kind)  # type: ignore[arg-type]
            if isinstance(value, bool) or not fits or not _within(item.name, value):
                raise ValueError(f"{item.name} of a recipe cannot be {str(value)[:100]!r}")
            values[item.name] = value
        result = cls(**{"kind": "", "model_id": "", **values})
        whole = 0 <= result.number < result.count <= MOST_COUNT and 0 <= result.seed <= MOST_SEED
        chosen = 0 <= result.candidate < max(1, result.candidates) <= MOST_CANDIDATES and result.stars >= 0
        whole = whole and result.channels in (1, 2)
        whole = whole and len(result.positions) >= (result.kind in (MAPPED, ALONG))
        if result.kind not in _USED or not result.model_id or not whole or not chosen:
            raise ValueError("a recipe lacks its kind, its model or its number")
        return result

    def numbered(self, number: int) -> Self:
        """Return the recipe of another sound of the same batch."""
        return replace(self, number=number, id=uuid.uuid4().hex)

    def follows(self, other: "Recipe") -> bool:
        """Return whether it may be the next sound of the batch that another one belongs to."""
        if self.number != other.number + 1:
            return False
        draw, others = ([getattr(recipe, name) for name in _OF_A_BATCH] for recipe in (self, other))
        return draw == others

    def to_text(self) -> str:
        """Return the recipe on one line of ASCII, for a sound file's comment."""
        return _MARK + json.dumps(self.to_dict(), ensure_ascii=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Rebuild from `to_text`'s result.

        Raises
        ------
        ValueError
            It is not such a result.
        """
        if not text.startswith(_MARK):
            raise ValueError("not a recipe")
        return cls.from_dict(parse_json(text.removeprefix(_MARK)))

    def reads(self) -> str:
        """Return what is read when the sound is made again, in a sentence: a recipe may come from a stranger."""
        model = f"the model “{self.model_name or self.model_id[:8]}”"
        sounds = [f"the sound {name}" for name in (self.source, self.second_source) if name]
        return f"Reads {' and '.join([model, *sounds])}."

    @property
    def draw_name(self) -> str:
        """The draw, for a file's name: sounds that follow stars are others than the plain ones of the same seed."""
        return f"seed{self.seed}_by-stars" if self.candidates else f"seed{self.seed}"

    @property
    def kept_name(self) -> str:
        """The name under which a new or a transformed sound is kept."""
        model = plain_name(self.model_name)
        if self.kind == NEW:
            by_stars = " by stars" if self.candidates else ""
            return f"{model} {self.seed}{by_stars} {self.number + 1:02d}"
        return f"{plain_name(Path(self.source).stem)} through {model} {round(100 * self.dry_wet)}"

    def title(self) -> str:
        """Return a title for a sound file."""
        if self.kind == NEW:
            return f"{self.model_name}, seed {self.seed}, number {self.number + 1} of {self.count}"
        name = Path(self.source).stem
        return {
            MAPPED: f"{self.model_name}, a position on its map",
            ALONG: f"{self.model_name}, a path on its map",
            VARIED: f"{name} varied by {self.model_name}, number {self.number + 1} of {self.count}",
            MORPHED: f"{name} to {Path(self.second_source).stem}, step {self.number + 1} of {self.count}",
            EXTENDED: f"{name} extended by {self.model_name}",
            REPAINTED: f"{name} repainted by {self.model_name}",
        }.get(self.kind, f"{name} through {self.model_name}")


def recipe_of_source(kind: str, model: "OpenModel", model_file: Path, source: Path, **settings: Any) -> Recipe:
    """Return the recipe of a sound that a model makes from a sound file."""
    return Recipe(
        kind, model.metadata.model_id, model.metadata.name, str(model_file.absolute()),
        source=str(source.absolute()), source_hash=hash_of_source(source), weights=model.weights_id(), **settings,
    )  # fmt: skip


def hash_of_source(path: Path) -> str:
    """Return the hash of a file's content.

    Raises
    ------
    UnreachableSoundError
        It cannot be read; the message is the reason alone.
    """
    try:
        return content_hash(path)
    except OSError as exc:
        raise UnreachableSoundError(os_reason(exc)) from exc


def _pairs(name: str, value: Any) -> tuple[tuple[Any, float], ...]:
    """Return the positions or the moved sliders of a recipe.

    Raises
    ------
    ValueError
        They are something else, too many, or out of range.
    """
    are_positions = name == "positions"
    low, high, most = (0.0, 1.0, _MOST_CORNERS) if are_positions else (-_FURTHEST, _FURTHEST, _MOST_SLIDERS)

    def is_number(given: Any) -> bool:
        return isinstance(given, (int, float)) and not isinstance(given, bool) and low <= given <= high

    def is_pair(pair: Any) -> bool:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not is_number(pair[1]):
            return False
        return is_number(pair[0]) if are_positions else isinstance(pair[0], str) and _within(name, pair[0])

    if not isinstance(value, (list, tuple)) or len(value) > most or not all(map(is_pair, value)):
        raise ValueError(f"{name} of a recipe cannot be {str(value)[:100]!r}")
    return tuple((float(first) if are_positions else first, float(number)) for first, number in value)


def _within(name: str, value: Any) -> bool:
    """Whether a value of the right type is in range."""
    if isinstance(value, str):
        return len(value) <= _MAX_TEXT and "\0" not in value
    low, high = _RANGES.get(name, (-math.inf, math.inf))
    return bool(low <= value <= high)


def read_recipe(path: Path) -> Recipe | None:
    """Return the recipe in a sound file that Distill made, or None where there is none."""
    try:
        with soundfile.SoundFile(sndfile_name(path)) as sound:
            comment = str(sound.comment)
        return Recipe.from_text(comment or _long_comment(path))
    except (OSError, ValueError, RuntimeError):
        return None


def _long_comment(path: Path) -> str:
    """Return the comment of a WAV file; libsndfile passes over texts of 2 kB."""
    with path.open("rb") as file:
        if read_at(file, 0, 4) not in (b"RIFF", b"RF64"):
            return ""
        for chunk in walk_chunks(file, 12, RIFF_CHUNKS):
            if chunk.name == b"LIST" and read_at(file, chunk.body, 4) == b"INFO":
                for text in walk_chunks(file, chunk.body + 4, RIFF_CHUNKS):
                    if text.at >= chunk.body + chunk.size:
                        break
                    if text.name == b"ICMT":
                        return read_at(file, text.body, min(text.size, _MOST_COMMENT)).rstrip(b"\0").decode("ascii")
    return ""
