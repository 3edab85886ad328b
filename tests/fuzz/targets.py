"""Each reader of Distill with a whole file for it.

Model files and checkpoints have a harness of their own (`tests/models/test_fuzz.py`).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from distill import paths
from distill.audio.cache.hash_index import HashIndex
from distill.audio.decoding.mono_decoder import decode_sound
from distill.audio.decoding.open_sound import read_header
from distill.audio.decoding.sound_fix import SoundFix
from distill.audio.scan_result import SkippedSound
from distill.config.training import TrainingConfig
from distill.errors import DistillError
from distill.events import EpochMetrics, StepMetrics
from distill.generation.history.sound_history import GeneratedEntry, GeneratedHistory
from distill.generation.recipe import NEW, Recipe, read_recipe
from distill.json_files import write_json
from distill.library.index import Index, ModelFacts, Row
from distill.library.model_library import ModelLibrary
from distill.library.user_metadata import UserMetadata, read_user_metadata, write_user_metadata
from distill.models.codes_file import SoundCodes, load_codes, save_codes
from distill.runs.checkpoint_folder import list_checkpoints
from distill.runs.folder import RunFolder
from distill.runs.queue import QueueEntry, RunQueue
from distill.runs.run_history import read_history, read_losses
from distill.runs.run_record import RunRecord
from distill.runs.summary import list_runs
from distill.settings import WindowSettings
from distill.trash import Deletion
from tests.fuzz.mutations import BINARY, TEXT
from tests.support.mutations import Edit


@dataclass(frozen=True)
class Target:
    """A reader and a whole file for it.

    Attributes
    ----------
    file
        The file that is broken, below the folder of the target.
    make
        Writes the whole file into the folder.
    read
        Reads it.
    edits
        Ways to break it.
    refuses
        Errors with which the reader refuses a file.
    rebuilds
        Whether the reader may repair the file.
    """

    file: str
    make: Callable[[Path], object]
    read: Callable[[Path], object]
    edits: tuple[Edit, ...] = TEXT
    refuses: tuple[type[Exception], ...] = (DistillError,)
    rebuilds: bool = False


def _tone(seconds: float = 0.2) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    t = np.arange(int(48_000 * seconds)) / 48_000
    return (0.5 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)


def _sound(name: str, container: str, coding: str) -> Target:
    def make(folder: Path) -> None:
        soundfile.write(folder / name, _tone(), 48_000, format=container, subtype=coding)

    def read(folder: Path) -> None:
        read_header(folder / name)
        decode_sound(folder / name)

    return Target(name, make, read, BINARY)


def _in_parts(folder: Path) -> None:
    """Write a WAV file whose samples lie in two chunks before their description."""
    soundfile.write(folder / "parts.wav", _tone(), 48_000, subtype="PCM_16")
    data = (folder / "parts.wav").read_bytes()
    at = data.index(b"data") + 8
    halves = [data[at : at + 4000], data[at + 4000 :]]
    chunks = b"".join(b"data" + len(half).to_bytes(4, "little") + half for half in halves)
    (folder / "parts.wav").write_bytes(data[:12] + chunks + data[12:36])


def _codes(folder: Path) -> None:
    codes = np.random.default_rng(0).integers(0, 16, (3, 48, 3)).astype(np.uint16)
    save_codes(folder / "codes.npz", SoundCodes(codes, 140_000, 0.5, "a" * 32))


def _plain_codes(folder: Path) -> None:
    np.savez(
        folder / "codes.npz", format="distill_codes", model_id="a" * 32, codes=np.zeros((3, 48, 3), np.uint16),
        samples=140_000, peak=0.5,
    )  # fmt: skip


def _run(folder: Path) -> None:
    record = RunRecord(
        TrainingConfig(), [folder / "a.wav"], [SkippedSound(folder / "b.wav", "it is silent")], "bells", "Bells",
        notes=["Computing in float32."],
    )  # fmt: skip
    record.save(folder / "run")
    opened = RunFolder(folder / "run", resuming=True)
    steps = [StepMetrics(0, n, 9, 1.0, 0.5, 0.5, 0.1, 1e-3, 0.01) for n in range(9)]
    opened.append_history([*steps, EpochMetrics(0, 9, 1.0, 1.0, 0.5, 0.5, 0.5, 0.1, 1e-3, 9.0, 1.0)])
    opened.close()


def _read_run(folder: Path) -> None:
    for run in list_runs(folder):
        assert run.problem or run.family
    read_history(folder / "run").get_best_epoch()


def _read_history(folder: Path) -> None:
    history = read_history(folder / "run")
    list(history.events())
    history.get_loss_curves()
    history.get_best_epoch()
    list(read_losses(folder / "run" / "history.jsonl"))
    assert list_runs(folder)[0].family


def _sidecar(folder: Path) -> None:
    (folder / "checkpoint_epoch0003.pt").write_bytes(b"no checkpoint")
    write_json(folder / "checkpoint_epoch0003.meta.json", {"epoch": 3, "train_loss": 0.5, "val_loss": None})


def _index(folder: Path) -> None:
    facts = ModelFacts("a" * 32, "Bells", tags=("metal",), curve=(1.0, 0.5), codebook={"levels": 3.0}, val_loss=0.5)
    index = Index({"a.distill": Row((1, 2, 3), facts, None), "b.distill": Row((1, 2, 3), None, "It is damaged.")})
    index.deletions = [Deletion(folder / "c.distill", folder / "trash" / "c.distill", "C")]
    index.save(folder)


def _read_index(folder: Path) -> None:
    Index.load(folder)
    library = ModelLibrary(folder / "models")
    home = library._home
    home.mkdir(parents=True, exist_ok=True)
    (home / "library.json").write_bytes((folder / "library.json").read_bytes())
    library.list()
    library.deletions()


def _generated(folder: Path) -> None:
    history = GeneratedHistory(folder / "history.jsonl")
    sounds = [GeneratedEntry(folder / f"{n}.wav", Recipe(NEW, "a" * 32, count=3, number=n)) for n in range(3)]
    history.add(sounds)
    history.set_star(sounds[1].recipe, True)


def _recipe_sound(folder: Path) -> None:
    with soundfile.SoundFile(folder / "made.wav", "w", 48_000, 1, "PCM_16") as sound:
        sound.comment = Recipe(NEW, "a" * 32, "Bells").to_text()
        sound.write(_tone())


def _settings(folder: Path) -> None:
    WindowSettings(
        sounds=["/a"], columns=[1, 2], advanced={"vae": {"latent_dim": 8}}, making={"count": 3}, epochs=7
    ).save(folder / "settings.json")


def _read_settings(folder: Path) -> None:
    settings = WindowSettings.load(folder / "settings.json")
    settings.save(folder / "again.json")
    (folder / "again.json").unlink()


def _queue(folder: Path) -> None:
    given: dict[str, Any] = {"fixes": {folder / "a.wav": SoundFix(trims=True)}, "start_from": folder / "a.distill"}
    entries = [QueueEntry(name, (folder / "a.wav",), changes={"seed": 1}, id=name * 8, **given) for name in "abc"]
    RunQueue(folder).add(entries)


def _read_queue(folder: Path) -> None:
    for entry in RunQueue(folder).read().entries:
        assert entry.run_dir.parent in (paths.runs_dir(), paths.data_dir())
        assert entry.family
        assert all(fix.to_dict() is not None for fix in entry.fixes.values())
        assert entry.start_from is None or entry.origin_text


def _pads(folder: Path) -> None:
    from distill.generation.map.newness import COPY, Verdict
    from distill.gui.play.pads.pad_undo import PadState
    from distill.gui.play.pads.stored_pads import EMPTY, write_pads
    from distill.gui.play.sound_verdicts import KeptVerdict

    sound = folder / "a.wav"
    verdict = KeptVerdict(Verdict(COPY, "bell", folder / "bell.wav"), 5, 7, 9)
    for model in ("a" * 32, "b" * 32):
        write_pads(model, [PadState(sound, 2), PadState(None, 1), EMPTY], {sound: verdict})
    (folder / "pads.json").write_bytes((paths.data_dir() / "pads.json").read_bytes())


def _read_pads(folder: Path) -> None:
    from distill.gui.play.pads.pad_grid import COUNT
    from distill.gui.play.pads.stored_pads import read_pads

    (paths.data_dir() / "pads.json").write_bytes((folder / "pads.json").read_bytes())
    for model in ("a" * 32, "b" * 32):
        kept = read_pads(model)
        assert len(kept.states) == COUNT
        assert all(type(state.group) is int for state in kept.states)
        assert kept.verdicts.keys() <= {state.sound for state in kept.states}


def _hashes(folder: Path) -> None:
    rows = [["/a.wav", 5, 7, 8, "0" * 40], ["/b.wav", 5, 7, "1" * 40]]  # the second one of an older version
    (folder / "hashes").write_text("".join(f"\n{json.dumps(row)}\n" for row in rows))
    (folder / "a").write_bytes(b"x")


def _summaries(folder: Path) -> None:
    _run(folder)
    list_runs(folder)
    (folder / "runs.json").write_bytes((paths.cache_dir() / "runs.json").read_bytes())


def _read_summaries(folder: Path) -> None:
    (paths.cache_dir() / "runs.json").write_bytes((folder / "runs.json").read_bytes())
    assert list_runs(folder)[0].family


TARGETS = {
    "settings": Target("settings.json", _settings, _read_settings, refuses=()),
    "run record": Target("run/run.json", _run, _read_run),
    "run history": Target("run/history.jsonl", _run, _read_history, refuses=()),
    "run summaries": Target("runs.json", _summaries, _read_summaries, refuses=()),
    "sidecar": Target("checkpoint_epoch0003.meta.json", _sidecar, list_checkpoints, refuses=()),
    "library index": Target("library.json", _index, _read_index, refuses=()),
    "user metadata": Target(
        "a.words.json", lambda folder: write_user_metadata(folder / "a.distill", UserMetadata("a" * 32, "A", ("b",))),
        lambda folder: read_user_metadata(folder / "a.distill"), refuses=(),
    ),
    "generated history": Target(
        "history.jsonl", _generated, lambda folder: GeneratedHistory(folder / "history.jsonl").list(), refuses=()
    ),
    "recipe": Target(
        "recipe.txt", lambda folder: (folder / "recipe.txt").write_text(json.dumps(Recipe(NEW, "a" * 32).to_dict())),
        lambda folder: Recipe.from_text("distill recipe " + (folder / "recipe.txt").read_text(errors="replace")),
        refuses=(ValueError,),
    ),
    "recipe in a sound": Target("made.wav", _recipe_sound, lambda folder: read_recipe(folder / "made.wav"), BINARY, ()),
    "queue": Target("queue.json", _queue, _read_queue),
    "pads": Target("pads.json", _pads, _read_pads, refuses=()),
    "content hashes": Target(
        "hashes", _hashes, lambda folder: HashIndex(folder / "hashes").content_hash(folder / "a"), rebuilds=True
    ),
    "codes": Target("codes.npz", _codes, lambda folder: load_codes(folder / "codes.npz"), BINARY),
    "plain codes": Target("codes.npz", _plain_codes, lambda folder: load_codes(folder / "codes.npz"), BINARY),
    "WAV": _sound("a.wav", "WAV", "PCM_16"),
    "WAV in parts": replace(_sound("parts.wav", "WAV", "PCM_16"), make=_in_parts),
    "WAV float": _sound("b.wav", "WAVEX", "FLOAT"),
    "AIFF": _sound("a.aiff", "AIFF", "PCM_24"),
    "FLAC": _sound("a.flac", "FLAC", "PCM_16"),
    "Ogg": _sound("a.ogg", "OGG", "VORBIS"),
    "MP3": _sound("a.mp3", "MP3", "MPEG_LAYER_III"),
    "CAF": _sound("a.caf", "CAF", "PCM_16"),
    "W64": _sound("a.w64", "W64", "PCM_16"),
    "AU": _sound("a.au", "AU", "PCM_16"),
}  # fmt: skip
