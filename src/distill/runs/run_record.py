"""The record of a run, ``run.json``: what was trained on what, how, and how it ended.  No torch here."""

import math
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from distill.audio.decoding.sound_fix import SoundFix
from distill.audio.scan_result import SkippedSound
from distill.config.factory import config_from_dict
from distill.config.training import AnyConfig
from distill.errors import RunFolderError
from distill.events import UNSAVED
from distill.json_files import read_json, write_json
from distill.paths import MOST_RECORD_BYTES, RUN_MARKER

RECORD_VERSION = 1


@dataclass(frozen=True)
class Interruption:
    """The place at which a run was killed, in epochs: 1 is the end of the first one.

    Attributes
    ----------
    kept
        Where the newest checkpoint stood, from which the run continues; 0 without one.
    reached
        Where the history ended.
    is_resumed
        Whether the run has gone on since.
    """

    kept: float
    reached: float
    is_resumed: bool = True

    @classmethod
    def from_list(cls, items: object) -> "list[Interruption]":
        """Return what a record holds; what is damaged is left out."""
        interruptions = []
        for item in items if isinstance(items, list) else ():
            with suppress(TypeError, ValueError, LookupError, OverflowError):
                kept, reached = float(item["kept"]), float(item["reached"])
                if 0 <= kept <= reached < math.inf:
                    interruptions.append(cls(kept, reached))
        return interruptions


@dataclass
class RunRecord:
    """What ``run.json`` says.

    Attributes
    ----------
    config
        Settings of the run.
    file_paths
        Sounds that were given.
    skipped
        Sounds that were left out, with the reason.
    dataset_name, model_name
        For people.
    status
        ``"running"`` (or killed while it was), ``"finished"``, ``"stopped"``, ``"failed"``, or
        ``"could not be saved"``: there was no room for its model.
    error
        Why it failed or could not be saved.
    speed
        Precision, memory layout and threads, and why they were chosen.
    created
        When the run began, ISO 8601.
    notes
        What the user was told: messages in order.
    planned_epochs
        Number of epochs that a run was made for which was finished with fewer; None where its settings say it.
    preview_sounds
        Sounds whose reconstructions are among the previews, by their number; empty where they are not known yet.
    preparation
        How the sounds were prepared; see `distill.audio.decoding.mono_decoder.PREPARATION`.
    fingerprints
        By path, the hash of each sound's file (``content``) and of its decoded samples (``audio``): by these a run
        finds its sounds again.  Empty for runs of older versions.
    preview_training
        Numbers of those of them that the model is trained on; the others are held out.
    fixes
        What is changed in sounds when they are decoded, by the hash of their file; empty for nothing.
    wanted_fixes
        The same by file, until the files have been read for their hashes.
    split
        What is trained on and what is held out, by content; see `distill.training.data.known_split`.  None in runs of
        older versions.
    origin
        The model or the checkpoint that the run started from, with the split of that; None for none.
    interruptions
        Where the run was killed and went on later, in order.
    kl_epochs
        Number of epochs that the run was begun with, of which the KL warm-up takes its share also after the run was
        extended; None in runs of older versions.
    token
        Tells the run from others that began in the same second; empty in runs of older versions.
    """

    config: AnyConfig
    file_paths: list[Path]
    skipped: list[SkippedSound] = field(default_factory=list)
    dataset_name: str = ""
    model_name: str = ""
    status: str = "running"
    error: str | None = None
    speed: dict[str, Any] = field(default_factory=dict)
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    notes: list[str] = field(default_factory=list)
    planned_epochs: int | None = None
    preview_sounds: list[Path] = field(default_factory=list)
    preparation: int = 1
    fingerprints: dict[str, dict[str, str]] = field(default_factory=dict)
    preview_training: list[int] = field(default_factory=list)
    fixes: dict[str, SoundFix] = field(default_factory=dict)
    wanted_fixes: dict[Path, SoundFix] = field(default_factory=dict)
    split: dict[str, Any] | None = None
    origin: dict[str, Any] | None = None
    interruptions: list[Interruption] = field(default_factory=list)
    kl_epochs: int | None = None
    token: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def epochs_asked(self) -> int:
        """Number of epochs that the user asked for, also where the run was finished with fewer."""
        return self.planned_epochs or self.config.max_epochs

    @property
    def fixes_of_sounds(self) -> dict[str, SoundFix]:
        """What is changed in sounds, by the hash of their file and by that of their audio: tags may have changed."""
        by_audio = {
            item["audio"]: self.fixes[item["content"]]
            for item in self.fingerprints.values()
            if item["content"] in self.fixes
        }
        return {**by_audio, **self.fixes}

    @property
    def origin_text(self) -> str:
        """What the run started from, for people; empty for nothing."""
        origin = self.origin or {}
        name, epoch = str(origin.get("name", "")), origin.get("epoch", 0)
        if not name:
            return ""
        return f"epoch {epoch} of the run {name}" if origin.get("kind") == "checkpoint" else f"the model {name}"

    @classmethod
    def load(cls, run_dir: Path | str) -> Self:
        """Read the record of a run.

        Raises
        ------
        RunFolderError
            The folder is missing, is no run, or its record is damaged or from a newer version.
        """
        folder = Path(run_dir)
        path = folder / RUN_MARKER
        try:
            if not path.is_file():
                raise RunFolderError(
                    f"{folder} is not the folder of a run: it has no {RUN_MARKER}. Choose another folder."
                )
            data = read_json(path, MOST_RECORD_BYTES)
            if data["version"] > RECORD_VERSION:
                raise RunFolderError(f"{folder} was made by a newer version of Distill. Update Distill to open it.")
            _check_types(data)
            return cls(
                config=config_from_dict(data["config"]),
                file_paths=[Path(p) for p in data["sounds"]],
                skipped=[SkippedSound(Path(s["path"]), s["reason"]) for s in data["skipped"]],
                **{key: data[key] for key in ("dataset_name", "model_name", "status", "error", "speed", "created")},
                notes=list(data["notes"]),
                planned_epochs=data.get("planned_epochs"),
                preview_sounds=[Path(p) for p in data.get("preview_sounds", ())],
                preparation=int(data.get("preparation", 1)),
                fingerprints={
                    str(path): {"content": str(item["content"]), "audio": str(item["audio"])}
                    for path, item in dict(data.get("fingerprints", {})).items()
                },
                preview_training=[int(number) for number in data.get("preview_training", ())],
                fixes={str(key): fix for key, fix in _fixes(data, "fixes")},
                wanted_fixes={Path(key): fix for key, fix in _fixes(data, "wanted_fixes")},
                split=None if data.get("split") is None else dict(data["split"]),
                origin=None if data.get("origin") is None else dict(data["origin"]),
                interruptions=Interruption.from_list(data.get("interruptions")),
                kl_epochs=data.get("kl_epochs"),
                token=str(data.get("token", ""))[:_MOST_TOKEN],
            )
        except RunFolderError:
            raise
        except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError) as exc:
            reason = getattr(exc, "strerror", None) or str(exc)[:200]
            raise RunFolderError(f"The record of the run, {path}, cannot be read ({reason}).") from exc

    def save(self, run_dir: Path) -> None:
        """Write the record, whole or not at all.

        Raises
        ------
        OSError
            It cannot be written.
        """
        optional: dict[str, Any] = {"split": self.split, "origin": self.origin, "kl_epochs": self.kl_epochs}
        optional["token"] = self.token or None
        optional["fixes"] = {key: fix.to_dict() for key, fix in self.fixes.items()} or None
        optional["wanted_fixes"] = {str(path): fix.to_dict() for path, fix in self.wanted_fixes.items()} or None
        interruptions = [{"kept": stop.kept, "reached": stop.reached} for stop in self.interruptions]
        write_json(
            run_dir / RUN_MARKER,
            {
                "version": RECORD_VERSION,
                "dataset_name": self.dataset_name,
                "model_name": self.model_name,
                "created": self.created,
                "status": self.status,
                "error": self.error,
                "config": self.config.to_dict(),
                "speed": self.speed,
                "sounds": [str(p) for p in self.file_paths],
                "skipped": [{"path": str(s.path), "reason": s.reason} for s in self.skipped],
                "notes": self.notes,
                "planned_epochs": self.planned_epochs,
                "preview_sounds": [str(p) for p in self.preview_sounds],
                "preparation": self.preparation,
                "fingerprints": self.fingerprints,
                "preview_training": self.preview_training,
                **{key: value for key, value in optional.items() if value is not None},
                **({"interruptions": interruptions} if interruptions else {}),
            },
        )


#: Types of the entries of ``run.json`` that are taken as they are, and the values that a status may have.
_TYPES: dict[str, type | tuple[type, ...]] = {
    "dataset_name": str, "model_name": str, "status": str, "created": str, "error": (str, type(None)), "speed": dict,
    "sounds": list, "skipped": list, "notes": list,
}  # fmt: skip
_STATUSES = ("running", "finished", "stopped", "failed", UNSAVED)
#: Most characters of a token that is taken over.
_MOST_TOKEN = 64
#: Most epochs of a run; a number without bounds overflows where it is computed with.
_MOST_EPOCHS = 100_000


def _fixes(data: dict[str, Any], name: str) -> Iterator[tuple[str, SoundFix]]:
    """Yield the fixes of an entry of ``run.json``, each with what it is kept under."""
    for key, item in dict(data.get(name) or {}).items():
        yield key, SoundFix.from_dict(item)


def _check_types(data: dict[str, Any]) -> None:
    """Raise a TypeError or ValueError that names the first entry of a wrong type or value."""
    for name, expected in _TYPES.items():
        if not isinstance(data[name], expected):
            raise TypeError(f"{name!r} has an unusable value")
    if data["status"] not in _STATUSES:
        raise ValueError(f"unknown status {data['status']!r}")
    for name in ("planned_epochs", "kl_epochs"):
        value = data.get(name)
        if value is not None and not (type(value) is int and 0 < value <= _MOST_EPOCHS):
            raise ValueError(f"{name!r} has an unusable value")
    for name in ("sounds", "notes"):
        if not all(isinstance(item, str) for item in data[name]):
            raise TypeError(f"{name!r} has an unusable value")
