"""Runs that are opened: links among the sounds, and a run that has no checkpoint yet and is made longer."""

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from distill import paths
from distill.audio.export import write_wav
from distill.audio.sound_scan import find_sound_files
from distill.errors import RunFolderError
from distill.training.beginning.open_run import open_run
from distill.training.run import EventSink, RunRequest
from tests.training.conftest import QUICK, tone

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links need a right on Windows")


def loop(folder: Path) -> Path:
    (folder / "loop.wav").symlink_to("loop.wav")
    return folder / "loop.wav"


def cycle(folder: Path) -> Path:
    (folder / "one.wav").symlink_to("two.wav")
    (folder / "two.wav").symlink_to("one.wav")
    return folder / "one.wav"


def loop_beside(folder: Path) -> Path:
    (folder / "up").symlink_to("up", target_is_directory=True)
    return folder / "a.wav"


def gone(folder: Path) -> Path:
    (folder / "gone.wav").symlink_to("nothing.wav")
    return folder / "gone.wav"


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.wav")
    return folder / "pipe.wav"


def request(tmp_path: Path, sounds: list[Path], epochs: int = 3) -> RunRequest:
    return RunRequest(replace(QUICK, max_epochs=epochs), sounds, tmp_path / "run", "cpu", threading.Event())


@pytest.mark.parametrize("make", [loop, cycle, loop_beside, gone, pipe])
def test_links_that_lead_nowhere_do_not_end_a_run(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    (tmp_path / "sounds").mkdir()
    path = make(tmp_path / "sounds")
    open_run(request(tmp_path, [path]), EventSink(None)).folder.close()
    inside = replace(request(tmp_path, [tmp_path / "sounds" / "b.wav"]), output_dir=tmp_path / "sounds" / "run")
    with pytest.raises(RunFolderError, match="inside the folder of sounds"):
        open_run(inside, EventSink(None))


def test_sounds_may_lie_above_the_folder_of_all_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the home folder.  The folder of all runs is never searched for sounds."""
    monkeypatch.setenv("DISTILL_HOME", str(tmp_path / "share" / "distill"))
    write_wav(tmp_path / "a.wav", tone(1))
    own = paths.runs_dir() / "bells"
    asked = request(tmp_path, [tmp_path / "a.wav"])
    open_run(replace(asked, output_dir=own), EventSink(None)).folder.close()
    write_wav(own / "previews" / "b.wav", tone(2))
    assert find_sound_files([tmp_path]) == [tmp_path / "a.wav"]
    with pytest.raises(RunFolderError, match="inside the folder of sounds"):
        open_run(asked, EventSink(None))


@pytest.mark.parametrize("epochs", [1, 2, 3, 9, 500])
def test_a_run_without_a_checkpoint_begins_again_with_any_number_of_epochs(tmp_path: Path, epochs: int) -> None:
    open_run(request(tmp_path, [tmp_path / "sounds" / "a.wav"]), EventSink(None)).folder.close()
    opened = open_run(request(tmp_path, [tmp_path / "sounds" / "a.wav"], epochs), EventSink(None))
    opened.folder.close()
    assert opened.config.max_epochs == epochs
    other = replace(request(tmp_path, []), config=replace(QUICK, batch_size=2))
    with pytest.raises(RunFolderError, match="holds another run"):
        open_run(other, EventSink(None))


def test_a_run_that_has_a_model_does_not_begin_again(tmp_path: Path) -> None:
    """Its checkpoints were deleted to save room; its model would be replaced, perhaps by one of other sounds."""
    open_run(request(tmp_path, [tmp_path / "sounds" / "a.wav"]), EventSink(None)).folder.close()
    (tmp_path / "run" / "model.distill").write_bytes(b"a model")
    with pytest.raises(RunFolderError, match="holds another run"):
        open_run(request(tmp_path, [tmp_path / "others" / "b.wav"]), EventSink(None))
    assert (tmp_path / "run" / "model.distill").read_bytes() == b"a model"
