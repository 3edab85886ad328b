"""A report holds what a developer needs, and nothing of what is planted here in log, runs, models and settings."""

import faulthandler
import getpass
import json
import platform
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from distill import diagnostics, paths
from distill.config.training import TrainingConfig
from distill.errors import SoundError
from distill.generation.history.sound_history import GeneratedEntry, GeneratedHistory
from distill.generation.recipe import Recipe
from distill.json_files import write_json
from distill.reporting import problem_report
from distill.runs.run_record import RunRecord
from distill.settings import WindowSettings

#: None of these may be in a report, in any spelling.
PLANTED = (
    "clarissa", "bruno", "grandma", "küche", "sessions", "kick 07", "wedding", "gong", "snare", "pavilion", "choir",
    "airpods", "laptop-of", "zither", "marimba",
)  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the home of somebody who trains on sounds with names of their own."""
    folder = tmp_path / "clarissa"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("DISTILL_HOME", str(folder / "distill"))
    monkeypatch.setattr(getpass, "getuser", lambda: "clarissa")
    monkeypatch.setattr(platform, "node", lambda: "laptop-of-clarissa.lan")
    return folder


@pytest.fixture
def planted(home: Path) -> Iterator[list[diagnostics.Report]]:
    """Fill Distill's folders, and return the errors of a session."""
    sounds = [home / "Grandma's Küche" / name for name in ("kick 07.wav", "Gong: low (2), x.aiff")]
    elsewhere = "/media/bruno/Sessions/snare.flac"
    run = paths.runs_dir() / "2026-05-01 14.03.22 Wedding choir"
    record = {
        "version": 1, "status": "failed", "created": "2026-05-01T14:03:22+00:00", "config": TrainingConfig().to_dict(),
        "error": f"{sounds[0]}: no access", "speed": {"threads": 2},
        "notes": [f"kick 07.wav is a copy of {elsewhere}."],
        "sounds": [*map(str, sounds), elsewhere], "dataset_name": "Wedding choir", "model_name": "Choir of Bruno",
        "skipped": [{"path": elsewhere, "reason": "snare.flac is silent."}],
        "fingerprints": {str(sounds[0]): {"content": "1", "audio": "2"}},
        "origin": {"kind": "model", "name": "Pavilion", "path": str(paths.models_dir() / "Pavilion.distill")},
    }  # fmt: skip
    write_json(run / "run.json", record)
    paths.models_dir().mkdir(parents=True)
    (paths.models_dir() / "Pavilion.distill").write_bytes(b"weights of Pavilion")
    made = GeneratedEntry(paths.data_dir() / "made" / "Marimba 7 01.wav", Recipe(
        "transformed", "1", model_name="Marimba", source="/media/bruno/Zither/zither soft"))  # fmt: skip
    GeneratedHistory().add([made])
    GeneratedHistory().note_move(made.recipe, made.path.with_name("Zither two.wav"))
    WindowSettings(
        sounds=[str(home / "Grandma's Küche")], recent=["/media/bruno/Sessions"], run=str(run),
        output_device="Clarissa's AirPods", family="vae", epochs=40,
        making={"source": "/media/bruno/Sessions/gong.wav"},
    ).save()  # fmt: skip
    diagnostics.start()
    diagnostics.log.info("The window has been opened")
    diagnostics.log.warning("No waveform of %s: %s", sounds[1], "bad header")
    diagnostics.log.info("The run in %s failed: %s", run, "no room on /media/bruno")
    diagnostics.log.warning("Pavilion.distill is read anew: %r", FileNotFoundError(2, "No such file", str(sounds[0])))
    diagnostics.log.info("Zither two was made of zither soft by Marimba")
    with (paths.log_dir() / "crash.log").open("a") as file:
        faulthandler.dump_traceback(file)
        file.write(f"could not load {home}/lib/libsnare.so\n")
    found: list[diagnostics.Report] = []
    diagnostics.subscribe(found.append)
    try:
        raise SoundError(f"{sounds[0]} cannot be read by Clarissa.")
    except SoundError as error:
        diagnostics.report(error, f"loading {elsewhere}", is_expected=False)
    yield found
    diagnostics.stop()


def test_nothing_planted_is_in_the_archive(planted: list[diagnostics.Report], home: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.zip"
    parts = problem_report.collect(planted, f"Distill 1.2.3\nLinux on laptop-of-clarissa {home}")
    problem_report.write(target, parts)
    with zipfile.ZipFile(target) as archive:
        assert archive.namelist() == list(parts)
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert texts == parts
    for name, text in texts.items():
        plain = json.dumps(json.loads(text), ensure_ascii=False) if name.endswith(".json") else text
        assert [word for word in PLANTED if word in plain.casefold()] == [], f"{name}: {text}"
    assert not any(word.encode() in target.read_bytes().lower() for word in ("clarissa", "pavilion"))


def test_what_helps_to_find_the_cause_is_there(planted: list[diagnostics.Report]) -> None:
    parts = problem_report.collect(planted, "Distill 1.2.3")
    assert set(parts) == {
        "README.txt", "errors.txt", "versions.txt", "log.txt", "crash.txt", "run.json", "settings.json",
    }  # fmt: skip
    assert "in planted" in parts["errors.txt"]
    assert "SoundError: <file" in parts["errors.txt"]
    assert "The window has been opened" in parts["log.txt"]
    assert "<data>/runs/<name" in parts["log.txt"]
    assert "most recent call first" in parts["crash.txt"]
    run = json.loads(parts["run.json"])
    assert run["status"] == "failed"
    assert run["config"]["max_epochs"] == TrainingConfig().max_epochs
    assert run["sounds"] == 3
    assert run["sound_names"][2].endswith(">.flac")
    assert run["skipped"][0]["sound"] == run["sound_names"][2]  # one name, one token
    assert json.loads(parts["settings.json"])["epochs"] == 40
    assert all(name in parts["README.txt"] for name in set(parts) - {"README.txt"})


def test_a_report_of_nothing_but_errors(home: Path) -> None:
    """There is no log, no run and no settings yet."""
    parts = problem_report.collect([diagnostics.Report("a", "Traceback\nKeyError: 'a'", "MainThread")], "Distill 1.2.3")
    assert set(parts) == {"README.txt", "errors.txt", "versions.txt", "settings.json"}


def test_what_is_no_text_is_written_out(tmp_path: Path) -> None:
    """Names of old disks are not UTF-8, and what is said of them may hold their bytes."""
    problem_report.write(tmp_path / "report.zip", {"errors.txt": "no kl\udce4nge"})
    with zipfile.ZipFile(tmp_path / "report.zip") as archive:
        assert archive.read("errors.txt") == b"no kl\\udce4nge"


def test_damaged_records_cost_nothing_but_themselves(planted: list[diagnostics.Report]) -> None:
    for name in ("run.json", "training.json"):
        (paths.runs_dir() / "2026-05-01 14.03.22 Wedding choir" / name).write_text('{"sounds": 3, "skipped": [1')
    (paths.runs_dir() / "2026-06-01 14.03.22 x").mkdir()
    (paths.runs_dir() / "2026-06-01 14.03.22 x" / "run.json").write_text('{"sounds": 3, "skipped": [1], "fixes": []}')
    parts = problem_report.collect(planted, "")
    assert json.loads(parts["run.json"])["skipped"] == []
    assert "clarissa" not in parts["log.txt"].casefold()


def test_the_end_of_a_long_log_is_taken_in_whole_lines(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(problem_report, "LOG_BYTES", 1000)
    paths.log_dir().mkdir(parents=True)
    lines = [f"line {number}" for number in range(1000)]
    (paths.log_dir() / "distill.log").write_text("\n".join(lines))
    text = problem_report.collect([], "")["log.txt"].splitlines()
    assert text[-1] == "line 999"
    assert 50 < len(text) < 130
    assert set(text[1:]) <= set(lines)


def test_the_record_of_a_run_is_as_it_is_read_here(home: Path) -> None:
    """The names of its fields are those that `RunRecord` has."""
    fields = {*RunRecord.__dataclass_fields__, "version"}
    assert set(problem_report._RECORD) <= fields


def test_the_short_text_has_versions_errors_and_the_end_of_the_log(planted: list[diagnostics.Report]) -> None:
    parts = problem_report.collect(planted, "Distill 1")
    parts["log.txt"] = "\n".join(f"line {number}" for number in range(200))
    text = problem_report.short_text(parts)
    assert text.startswith("Distill 1\n\n")
    assert parts["errors.txt"].strip() in text
    assert text.endswith("line 199\n")
    assert text.count("\nline ") == problem_report.SHORT_LOG_LINES
    assert problem_report.short_text({"versions.txt": "Distill 1"}) == "Distill 1\n"
