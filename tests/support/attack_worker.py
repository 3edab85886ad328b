"""Attacks every writing operation: ``python -m tests.support.attack_worker FOLDER KILLS LIMITS DISK [SEED]``.

Each operation is killed at KILLS random system calls, run LIMITS times with a random limit on the size of files, and
LIMITS times on the small disk DISK (a mounted folder) with a random number of bytes free.  After each, what there is
to read is read as at the next start: it must be all as before or all as after, and nothing may be left behind.  One
JSON object an operation is printed.
"""

import hashlib
import json
import os
import random
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from distill import paths
from distill.audio.export import export_sound
from distill.audio.export_options import ExportOptions
from distill.config.training import TrainingConfig
from distill.errors import CheckpointError, LibraryError
from distill.events import EpochMetrics
from distill.files import PARTIAL_SUFFIX
from distill.generation.history import sound_history
from distill.generation.history.kept_weights import keep_weights
from distill.generation.history.sound_history import GeneratedEntry, GeneratedHistory
from distill.generation.recipe import NEW, Recipe
from distill.housekeeping import tidy_own_folders
from distill.library.model_library import ModelLibrary
from distill.library.user_metadata import UserMetadata, write_user_metadata
from distill.models.codes_file import SoundCodes, load_codes, save_codes
from distill.runs.folder import RunFolder
from distill.runs.record_changes import mark_finished, rename_run
from distill.runs.run_history import read_history
from distill.runs.run_record import RunRecord
from distill.serialization.archive import read_archive, write_archive
from distill.settings import WindowSettings
from tests.library.test_model_library import bells, write_model
from tests.support.system_calls import run_killed, run_limited

TONE = (0.5 * np.sin(np.arange(30_000) * 0.05)).astype(np.float32)


@dataclass(frozen=True)
class Operation:
    """What is attacked, and what is read afterwards: a description that must be that of before or of after."""

    name: str
    run: Callable[[Path], object]
    read: Callable[[Path], object]
    prepare: Callable[[Path], object] = lambda home: None


def _library(home: Path) -> ModelLibrary:
    return ModelLibrary(home / "models")


def _kept(home: Path) -> object:
    """Return the library as it is seen: each model with its name and content, and what can be restored."""
    lib = _library(home)
    models = [(e.path.name, e.name, e.problem, _content(e.path)) for e in lib.list()]
    gone = [d.original.name for d in lib.deletions() if not d.original.exists()]
    return sorted(models), gone


def _content(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path.exists() else "none"


def _out(home: Path) -> object:
    return sorted((path.name, _content(path)) for path in (home / "out").iterdir())


def _find(home: Path) -> Path:
    return home / "models" / "kept.distill"


RECIPE = Recipe(NEW, "a" * 32, id="1" * 32, made="2020-01-01T00:00:00+00:00", count=2)


def _made(home: Path) -> None:
    path = export_sound(paths.generated_dir() / "kept.wav", TONE).path
    GeneratedHistory().add([GeneratedEntry(path, RECIPE)])


def _list_made(home: Path) -> object:
    rows = [(one.path.name, one.entry.starred, one.seconds) for one in sound_history.list_sounds()]
    return sorted(rows), sorted(p.name for p in paths.generated_dir().glob("*.wav"))


def _remove(home: Path) -> None:
    _, error = sound_history.remove([one.entry for one in sound_history.list_sounds()])
    if error is not None:
        raise OSError(str(error))


def _run(home: Path) -> None:
    folder = home / "runs" / "bells"
    RunRecord(TrainingConfig(max_epochs=9), [home / "a.wav"], model_name="Bells", status="stopped").save(folder)
    opened = RunFolder(folder, resuming=True)
    opened.append_history([EpochMetrics(0, 9, 1.0, 1.0, 0.5, 0.5, 0.5, 0.1, 1e-3, 9.0, 1.0)])
    opened.close()
    shutil.copy(_find(home), folder / "model.distill")


def _read_run(home: Path) -> object:
    folder = home / "runs" / "bells"
    RunFolder(folder, resuming=True).close()  # as the next start of the run does
    record = RunRecord.load(folder)
    return record.status, record.model_name, record.config.max_epochs, len(read_history(folder).epochs)


def _more_history(home: Path) -> None:
    opened = RunFolder(home / "runs" / "bells", resuming=True)
    opened.append_history([EpochMetrics(n, 9, 1.0, 1.0, 0.5, 0.5, 0.5, 0.1, 1e-3, 9.0, 1.0) for n in range(1, 2)])
    opened.close()


def _write_checkpoint(home: Path, value: float) -> None:
    write_archive(home / "out" / "state.pt", {"weights": torch.full((50_000,), value)})


def _read_checkpoint(home: Path) -> object:
    return float(read_archive(home / "out" / "state.pt", "checkpoint", CheckpointError)["weights"].sum())


def _codes(home: Path, level: float) -> None:
    codes = np.zeros((3, 48, 3), np.uint16)
    save_codes(home / "out" / "codes.npz", SoundCodes(codes, 140_000, level, "a" * 32))


def _metadata(home: Path) -> None:
    write_user_metadata(_find(home), UserMetadata("a" * 32, name="Named", notes="x" * 5000))


OPERATIONS = (
    Operation("import", lambda home: _library(home).import_file(home / "stranger.distill"), _kept),
    Operation("add", lambda home: _library(home).add(home / "stranger.distill"), _kept),
    Operation("rename", lambda home: _library(home).rename(_find(home), "Renamed"), _kept),
    Operation("delete", lambda home: _library(home).delete(_find(home)), _kept),
    Operation(
        "restore", lambda home: _library(home).restore(_library(home).deletions()[-1]), _kept,
        lambda home: _library(home).delete(_find(home)),
    ),
    Operation("export", lambda home: _library(home).export(_find(home), home / "out" / "mine.distill"), _out),
    Operation(
        "export with another name", lambda home: _library(home).export(_find(home), home / "out" / "mine.distill"),
        lambda home: sorted(path.name for path in (home / "out").iterdir()), _metadata,
    ),
    Operation("notes", lambda home: _library(home).set_notes(_find(home), "y" * 9000), _kept, _metadata),
    Operation(
        "sound", lambda home: export_sound(home / "out" / "a.wav", TONE, ExportOptions("wav24"), "t", "c"), _out
    ),
    Operation(
        "sound as flac", lambda home: export_sound(home / "out" / "a.flac", TONE, ExportOptions("flac16")), _out
    ),
    Operation("star", lambda home: GeneratedHistory().set_star(RECIPE, True), _list_made, _made),
    Operation("remove a sound", _remove, _list_made, _made),
    Operation(
        "settings", lambda home: WindowSettings(epochs=7, sounds=["x" * 9000]).save(),
        lambda home: WindowSettings.load().epochs, lambda home: WindowSettings(epochs=5).save(),
    ),
    Operation("rename a run", lambda home: rename_run(home / "runs" / "bells", "New"), _read_run, _run),
    Operation("finish a run", lambda home: mark_finished(home / "runs" / "bells"), _read_run, _run),
    Operation("history of a run", _more_history, _read_run, _run),
    Operation(
        "checkpoint", lambda home: _write_checkpoint(home, 2.0), _read_checkpoint,
        lambda home: _write_checkpoint(home, 1.0),
    ),
    Operation(
        "codes", lambda home: _codes(home, 0.5), lambda home: load_codes(home / "out" / "codes.npz").peak,
        lambda home: _codes(home, 0.25),
    ),
    Operation(
        "weights", lambda home: keep_weights(_find(home), "f" * 32),
        lambda home: sorted(path.name for path in (paths.generated_dir() / "models").glob("*.distill")), _made,
    ),
)  # fmt: skip


def prepare(home: Path, operation: Operation, models: Path) -> None:
    shutil.rmtree(home, ignore_errors=True)
    for name in ("models", "out", "distill/data/made"):
        (home / name).mkdir(parents=True)
    os.environ["DISTILL_HOME"], os.environ["XDG_DATA_HOME"] = str(home / "distill"), str(home / "xdg")
    shutil.copy(models / "kept.distill", home / "models")
    shutil.copy(models / "stranger.distill", home)
    _library(home).list()
    operation.prepare(home)


def wrong(home: Path, operation: Operation, allowed: list[object]) -> str:
    """Return what is wrong at the next start, or nothing."""
    try:
        tidy_own_folders()
        found = operation.read(home)
    except Exception as exc:
        return f"{type(exc).__name__}: {exc}"
    if found not in allowed:
        return f"{found} is neither of {allowed}"
    try:  # once more: what was left is tidied, and nothing was doubled
        operation.run(home)
    except LibraryError:
        pass  # it is done already
    except IndexError:
        pass
    left = [str(path) for path in home.rglob(f"*{PARTIAL_SUFFIX}")]
    return f"left: {left}" if left else ""


def attack(
    home: Path, operation: Operation, models: Path, kills: int, limits: int, rng: random.Random
) -> dict[str, object]:
    """Attack one operation and return what came of it."""
    prepare(home, operation, models)
    allowed = [operation.read(home)]
    stops, _ = run_killed(lambda: operation.run(home))
    tidy_own_folders()
    allowed.append(operation.read(home))
    bad: list[str] = []
    done = 0
    for _ in range(kills):
        prepare(home, operation, models)
        at = rng.randint(1, stops)
        done += run_killed(lambda: operation.run(home), at)[1]
        bad += [f"killed at {at}: {text}" for text in [wrong(home, operation, allowed)] if text]
    largest = max((path.stat().st_size for path in home.rglob("*") if path.is_file()), default=1) + 2000
    codes = {0: 0, 3: 0, 4: 0}
    for _ in range(limits):
        prepare(home, operation, models)
        limit = rng.randint(0, largest) if rng.random() < 0.5 else rng.randint(0, 12_000)
        code = run_limited(lambda: operation.run(home), limit)
        codes[code] = codes.get(code, 0) + 1
        bad += [f"limited to {limit}: {text}" for text in [wrong(home, operation, allowed)] if text]
    return {"operation": operation.name, "system_calls": stops // 2, "kills": done, "limited": codes, "wrong": bad}


def fill(disk: Path, free: int) -> None:
    """Fill a disk but for a number of bytes, rounded up to pages."""
    stats = os.statvfs(disk)
    left = stats.f_bavail * stats.f_frsize - free
    if left > 0:
        with (disk / "filler").open("wb") as file:
            file.write(bytes(left))


def attack_on_disk(disk: Path, operation: Operation, models: Path, times: int, rng: random.Random) -> dict[str, object]:
    """Run an operation on a disk with little room and return what came of it."""
    home, bad = disk / "home", list[str]()
    codes: dict[int, int] = {}
    prepare(home, operation, models)
    allowed = [operation.read(home)]
    operation.run(home)
    allowed.append(operation.read(home))
    for _ in range(times):
        (disk / "filler").unlink(missing_ok=True)
        prepare(home, operation, models)
        free = rng.randint(0, 60) * 4096
        fill(disk, free)
        code = run_limited(lambda: operation.run(home), 1 << 40)
        codes[code] = codes.get(code, 0) + 1
        (disk / "filler").unlink()
        bad += [f"{free} bytes free: {text}" for text in [wrong(home, operation, allowed)] if text]
    return {"operation": operation.name, "on a full disk": codes, "wrong": bad}


def main(folder: Path, kills: int, limits: int, disk: str, seed: int) -> None:
    models, rng = folder / "given", random.Random(seed)
    torch.set_num_threads(1)
    write_model(models / "kept.distill", bells(name="Kept", model_id="a" * 32))
    write_model(models / "stranger.distill", bells(name="Stranger", model_id="b" * 32))
    for operation in OPERATIONS:
        print(json.dumps(attack(folder / "home", operation, models, kills, limits, rng)), flush=True)
    for operation in OPERATIONS if disk else ():
        print(json.dumps(attack_on_disk(Path(disk), operation, models, limits, rng)), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], int(sys.argv[5]) if sys.argv[5:] else 0)
