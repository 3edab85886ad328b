"""Folders without enough sounds: told at once, and nothing is left behind."""

import threading
from pathlib import Path

import numpy as np
import pytest

from distill import paths
from distill.audio.export import write_wav
from distill.cli.app import main
from distill.config.training import TrainingConfig
from distill.runs.queue import RunQueue
from distill.runs.run_record import RunRecord
from distill.training.data.moved_sounds import fingerprints_of
from tests.training.conftest import tone


def kinds_of_folders(folder: Path) -> dict[str, tuple[Path, str]]:
    """Folders that cannot be trained on, by kind, with what is said of each."""
    found = {
        "empty": (folder / "empty", "no sounds"),
        "no sounds by name": (folder / "letters", "no sounds"),
        "damaged": (folder / "damaged", "none can be used (bad.wav: "),
        "one short sound": (folder / "single", "only one.wav can be used"),
        "silent": (folder / "silent", "none can be used (a.wav: is silent; b.wav: is silent)"),
        "silent but for one": (folder / "rest", "only one.wav can be used (a.wav: is silent)"),
    }
    for path, _ in found.values():
        path.mkdir()
    (folder / "letters" / "letter.txt").write_text("Dear")
    (folder / "damaged" / "bad.wav").write_bytes(b"RIFF, but no more")
    write_wav(folder / "single" / "one.wav", tone(0, 0.5))
    write_wav(folder / "rest" / "one.wav", tone(0, 0.5))
    for name in ("silent/a.wav", "silent/b.wav", "rest/a.wav"):
        write_wav(folder / name, np.zeros(48_000, np.float32))
    return found


@pytest.mark.parametrize(
    "kind", ["empty", "no sounds by name", "damaged", "one short sound", "silent", "silent but for one"]
)
@pytest.mark.parametrize(
    "command", [["train"], ["train", "--json"], ["queue", "add"], ["queue", "add", "--fix", "all"]]
)
def test_nothing_is_left_of_a_run_that_cannot_begin(
    command: list[str], kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, text = kinds_of_folders(tmp_path)[kind]
    assert main([*command, str(folder), "--epochs", "1"]) == 1
    printed = capsys.readouterr()
    assert printed.err.splitlines()[-1].startswith("distill: ")
    assert text in printed.err
    assert not paths.runs_dir().exists()
    assert RunQueue().read().entries == ()


def test_one_long_sound_is_enough(tmp_path: Path) -> None:
    (tmp_path / "long").mkdir()
    write_wav(tmp_path / "long" / "one.wav", tone(0, 7.2))
    assert main(["queue", "add", str(tmp_path / "long")]) == 0
    assert [entry.name for entry in RunQueue().read().entries] == ["long"]


def test_resuming_with_a_folder_without_sounds_is_refused(
    sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from distill.audio.cache.sound_cache import SoundCache

    run, empty = paths.runs_dir() / "bells", tmp_path / "empty"
    empty.mkdir()
    files = sorted(sounds.iterdir())
    known = fingerprints_of(SoundCache().get(path, threading.Event()) for path in files)
    RunRecord(TrainingConfig(), files, model_name="bells", status="stopped", fingerprints=known).save(run)
    before = (run / "run.json").read_bytes()
    assert main(["resume", str(run), "--sounds", str(empty)]) == 1
    printed = capsys.readouterr().err
    assert f"{empty} holds no sounds" in printed
    assert len(printed.splitlines()) == 1
    assert {path.name: path.read_bytes() for path in run.iterdir()} == {"run.json": before}
