"""Names of runs and models: one limit for those that a user gives, and none for those of older versions."""

from pathlib import Path

import pytest

from distill import paths
from distill.cli.app import main
from distill.cli.new_run import dataset_name
from distill.config.training import TrainingConfig
from distill.library.model_library import ModelLibrary
from distill.names import MOST_NAME
from distill.runs.queue import RunQueue
from distill.runs.run_record import RunRecord
from distill.runs.summary import list_runs
from tests.support.models import write_tone_model

LONG = "x" * (MOST_NAME + 1)


@pytest.mark.parametrize("command", [["train"], ["queue", "add"]])
def test_a_long_name_of_a_run_is_refused_in_one_sentence(
    command: list[str], sounds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, str(sounds), "--name", LONG]) == 2
    text = f"A name has at most {MOST_NAME} characters, and this one has {len(LONG)}. Choose a shorter one."
    assert capsys.readouterr().err == f"distill: {text}\n"
    assert not paths.runs_dir().exists()
    assert RunQueue().read().entries == ()


def test_a_name_of_spaces_is_none_and_others_are_on_one_line(sounds: Path) -> None:
    for name in ("  ", " two\nlines "):
        assert main(["queue", "add", str(sounds), "--name", name]) == 0
    assert [entry.name for entry in RunQueue().read().entries] == ["bells", "two lines"]


def test_a_long_name_of_a_model_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    library = ModelLibrary(paths.models_dir())
    entry = library.import_file(write_tone_model(tmp_path, 5, 3))
    assert main(["models", "rename", entry.path.name, LONG]) == 2
    assert "at most" in capsys.readouterr().err
    assert main(["models", "rename", entry.path.name, LONG[1:]]) == 0
    assert [model.name for model in library.list()] == [LONG[1:]]


def test_a_folder_with_a_long_name_gives_a_short_one(sounds: Path, tmp_path: Path) -> None:
    folder = sounds.rename(tmp_path / ("y" * 200))
    assert main(["queue", "add", str(folder)]) == 0
    assert [entry.name for entry in RunQueue().read().entries] == ["y" * MOST_NAME]
    name = dataset_name([folder, tmp_path], demo=False)
    assert len(name) == MOST_NAME
    assert name.endswith("y and 1 more")


def test_long_names_of_older_versions_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = "z" * 150
    RunRecord(TrainingConfig(), [], model_name=old).save(paths.runs_dir() / "old")
    library = ModelLibrary(paths.models_dir())
    entry = library.import_file(write_tone_model(tmp_path, 5, 3))
    library.rename(entry, old)
    assert [run.name for run in list_runs()] == [old]
    assert main(["models", "info", old]) == 0
    assert f"Name:     {old}\n" in capsys.readouterr().out
