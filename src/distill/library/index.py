"""The index of a library: what was read from each model file, so that listing opens none of them.

For each file it holds the size and times of the reading, and the facts, or why the content cannot be used.  Facts are
read without torch and without the weights.  It is a cache: all of it but the note of what was moved to the trash can be
read again from the files, and a damaged row is.  An error of access is not kept, because it may be over the next time.
The index lies in the user's cache folder and not among the models, whose folder may be read-only or shared with other
computers.
"""

import hashlib
import logging
import math
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

import filelock

from distill import __version__
from distill.errors import LibraryError, ModelFileError
from distill.files import FileStamp, is_access_error
from distill.json_files import read_json, write_json
from distill.metrics_history import thinned
from distill.models.file_format import KIND, check_format, read_settings
from distill.models.metadata import ModelMetadata
from distill.paths import cache_dir
from distill.serialization.archive import read_stored
from distill.trash import Deletion

#: Points of the loss curve that is shown small.
CURVE_POINTS = 48

# Maximum lengths of texts from a file, in the index and on the screen.
_MAX_FACT, _MAX_NOTES, _MAX_TAGS = 200, 20_000, 100


@dataclass(frozen=True)
class ModelFacts:
    """What a model file says.

    Attributes
    ----------
    model_id, name, description, tags
        As stored in the file.
    family
        Key in `distill.config.family_catalog`.
    trained, saved
        ISO 8601.
    dataset, sounds, sounds_s
        What it was trained on: name, number of files, seconds.
    epochs, train_loss, val_loss
        Of the epoch that the weights are from.
    codebook
        Means over the levels of ``utilization`` and ``perplexity``, the sum of ``dead_codes``, and ``levels``; None
        for a family without codebooks.
    curve
        Held-out loss by epoch (training loss where there is none), thinned to `CURVE_POINTS`.
    is_stereo
        Whether it makes stereo sounds.
    has_map
        Whether it can be played on its map, as far as is known; the map is made when a run finishes.
    """

    model_id: str
    name: str
    description: str = ""
    tags: tuple[str, ...] = ()
    family: str = ""
    trained: str = ""
    saved: str = ""
    dataset: str = ""
    sounds: int = 0
    sounds_s: float = 0.0
    epochs: int = 0
    train_loss: float | None = None
    val_loss: float | None = None
    codebook: dict[str, float] | None = None
    curve: tuple[float, ...] = ()
    is_stereo: bool = False
    has_map: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for the index."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild from `to_dict`'s result by way of JSON.

        Raises
        ------
        TypeError, ValueError, KeyError
            It is not such a result.
        """
        texts = ("model_id", "name", "description", "family", "trained", "saved", "dataset")
        if not all(isinstance(data[key], str) for key in texts):
            raise TypeError("a text of the index is no text")
        numbers = (data["sounds"], data["sounds_s"], data["epochs"], *data["curve"], *(data["codebook"] or {}).values())
        losses = (value for value in (data["train_loss"], data["val_loss"]) if value is not None)
        if not all(_finite(value) for value in (*numbers, *losses)):
            raise TypeError("a number of the index is no number")
        values = {item.name: data[item.name] for item in fields(cls) if item.name not in ("is_stereo", "has_map")}
        texts_and_curve = {"tags": tuple(map(str, data["tags"])), "curve": tuple(data["curve"])}
        # An index of an older version does not say them: its models are mono, and whether they have a map is not known.
        known = {name: data.get(name) is True for name in ("is_stereo", "has_map")}
        return cls(**{**values, **texts_and_curve, **known})


def read_facts(model_file: Path) -> ModelFacts:
    """Return what a model file says, every byte of it checked, its weights neither loaded nor tried.

    Raises
    ------
    ModelFileError
        The file cannot be used; the message says why in one sentence.
    """
    data = read_stored(model_file, KIND, ModelFileError)
    check_format(data, model_file)
    config, metadata = read_settings(data, model_file)
    return ModelFacts(
        model_id=metadata.model_id[:_MAX_FACT],
        name=" ".join(metadata.name.split())[:_MAX_FACT] or model_file.stem,
        description=metadata.description[:_MAX_NOTES],
        tags=tuple(tag[:_MAX_FACT] for tag in metadata.tags[:_MAX_TAGS]),
        family=config.family,
        trained=metadata.training_date[:_MAX_FACT],
        saved=metadata.save_date[:_MAX_FACT],
        dataset=metadata.dataset_name[:_MAX_FACT],
        **_numbers(metadata),
        codebook=_codebook(data.get("codebook_health_snapshot")),
        curve=_curve(data.get("loss_curve_history")),
        is_stereo=isinstance(data.get("stereo"), dict),
        has_map=isinstance(data.get("map"), dict),
    )


def _finite(value: Any) -> bool:
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer of hundreds of digits
        return False


def _numbers(metadata: ModelMetadata) -> dict[str, Any]:
    """Return the numbers of the metadata; JSON cannot express those that are not finite."""
    train, val = metadata.final_train_loss, metadata.final_val_loss
    seconds, sounds = metadata.dataset_total_duration_s, metadata.dataset_file_count
    return {
        "sounds": int(sounds) if _finite(sounds) else 0,
        "sounds_s": float(seconds) if _finite(seconds) else 0.0,
        "epochs": int(metadata.training_epochs) if _finite(metadata.training_epochs) else 0,
        "train_loss": float(train) if train is not None and _finite(train) else None,
        "val_loss": float(val) if val is not None and _finite(val) else None,
    }


def _codebook(health: Any) -> dict[str, float] | None:
    levels = [row for row in health.values() if isinstance(row, dict)] if isinstance(health, dict) else []
    if not levels:
        return None

    def of(key: str) -> list[float]:
        return [float(row[key]) for row in levels if _finite(row.get(key))]

    summary = {key: sum(of(key)) / len(of(key)) for key in ("utilization", "perplexity") if of(key)}
    return {**summary, "dead_codes": sum(of("dead_codes")), "levels": float(len(levels))}


def _curve(history: Any) -> tuple[float, ...]:
    if not isinstance(history, dict):
        return ()
    for key in ("val_losses", "train_losses"):
        values = history.get(key)
        points = [float(v) for v in values if _finite(v)] if isinstance(values, list) else []
        if points:
            return tuple(thinned(points, CURVE_POINTS))
    return ()


INDEX_NAME, LOCK_NAME = "library.json", "library.lock"
_INDEX_VERSION = 1
#: Seconds after which a library that another process holds is given up, longer than a copy of a model takes.
LOCK_SECONDS = 20.0
_MOST_DELETIONS = 50

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """What is known of a file: its facts, or a problem.

    Attributes
    ----------
    is_final
        Whether the problem is one of the content; one of access is not kept.
    """

    stamp: FileStamp
    facts: ModelFacts | None
    problem: str | None
    is_final: bool = True


@dataclass
class Index:
    """The index in memory.

    Attributes
    ----------
    rows
        What is known of each file, by its name in the folder.
    deletions
        What was moved to the trash, the newest last.
    is_unread
        Whether there is an index that cannot be read now; it is not replaced.
    """

    rows: dict[str, Row] = field(default_factory=dict)
    deletions: list[Deletion] = field(default_factory=list)
    is_unread: bool = False

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the index in a folder as far as it can be read: none, damaged or newer gives an empty one."""
        index = cls()
        try:
            data = read_json(folder / INDEX_NAME)
        except FileNotFoundError:
            return index
        except (OSError, ValueError) as exc:
            log.warning("The index of %s is read anew: %r", folder, exc)
            index.is_unread = is_access_error(exc)
            return index
        if not isinstance(data, dict) or data.get("version") != _INDEX_VERSION:
            return index
        rows, deletions = data.get("models"), data.get("deleted")
        for name, row in rows.items() if isinstance(rows, dict) else ():
            parsed = _row(row)
            # Another version may be able to read what the version that wrote the index could not.
            if parsed is not None and (parsed.problem is None or data.get("program") == __version__):
                index.rows[name] = parsed
        for row in deletions if isinstance(deletions, list) else ():
            deletion = _deletion(row)
            if deletion is not None:
                index.deletions.append(deletion)
        return index

    def save(self, folder: Path) -> None:
        """Write the index; a folder that cannot be written to is read anew each time instead."""
        if self.is_unread:
            return
        data = {
            "version": _INDEX_VERSION,
            "program": __version__,
            "models": {
                name: {
                    "stamp": list(row.stamp),
                    "facts": None if row.facts is None else row.facts.to_dict(),
                    "problem": row.problem,
                }
                for name, row in sorted(self.rows.items())
                if row.is_final
            },
            "deleted": [
                {
                    "original": str(d.original),
                    "in_trash": None if d.in_trash is None else str(d.in_trash),
                    "name": d.name,
                    "pending": d.pending,
                }
                for d in self.deletions[-_MOST_DELETIONS:]
            ],
        }
        try:
            write_json(folder / INDEX_NAME, data)
        except OSError as exc:
            log.warning("The index of %s could not be written: %s", folder, exc)


def _row(data: Any) -> Row | None:
    try:
        size, changed, touched = map(int, data["stamp"])
        problem, facts = data["problem"], data["facts"]
        if (facts is None) == (problem is None) or not isinstance(problem, (str, type(None))):
            return None
        return Row((size, changed, touched), None if facts is None else ModelFacts.from_dict(facts), problem)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None


def _deletion(data: Any) -> Deletion | None:
    try:
        original, in_trash, name = data["original"], data["in_trash"], data["name"]
        pending = data.get("pending", False) is True
        if not isinstance(name, str) or "\0" in original or "\0" in (in_trash or ""):
            return None
        return Deletion(Path(original), None if in_trash is None else Path(in_trash), name, pending)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def index_folder(models_dir: Path) -> Path:
    """Return the folder of the index and the lock of a models folder."""
    name = hashlib.blake2b(os.fsencode(os.path.realpath(models_dir)), digest_size=8).hexdigest()
    return cache_dir() / "libraries" / name


def read_row(path: Path, stamp: FileStamp) -> Row:
    """Read a model file into a row; a problem with the file is part of the row."""
    try:
        return Row(stamp, read_facts(path), None)
    except ModelFileError as exc:
        return Row(stamp, None, str(exc), is_final=not is_access_error(exc.__cause__))


class LibraryLock:
    """Keeps other processes from changing a library; the thread that holds it may take it again.

    Parameters
    ----------
    folder
        Where the lock lies; see `index_folder`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._threads = threading.RLock()
        self._file = filelock.FileLock(folder / LOCK_NAME, thread_local=False)

    @contextmanager
    def __call__(self, seconds: float = LOCK_SECONDS) -> Iterator[None]:
        """Hold the lock.

        Raises
        ------
        LibraryError
            Another process holds it for longer than ``seconds``, or the folder cannot be written to.
        """
        with self._threads:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._file.acquire(timeout=seconds)
            except filelock.Timeout as exc:
                raise LibraryError(
                    "Another Distill is changing the model library right now. Try again in a moment."
                ) from exc
            except OSError as exc:
                raise LibraryError(
                    f"The index of the models in {self._folder} cannot be written to ({exc.strerror or exc})."
                ) from exc
            try:
                yield
            finally:
                self._file.release()
