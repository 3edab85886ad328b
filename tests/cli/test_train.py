import json
import os
import signal
import sys
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from distill import __main__, __version__, diagnostics, paths
from distill.audio.decoding.sound_fix import SoundFix
from distill.cli.app import app, main
from distill.config.training import AnyConfig, RunConfig, TrainingConfig
from distill.errors import NotEnoughSoundsError
from distill.events import (
    EpochMetrics,
    Event,
    PreparationProgress,
    PreviewEvent,
    StepMetrics,
    TrainingCompleteEvent,
    TrainingNotice,
)
from distill.names import free_name
from distill.process.stop_signals import EXIT_STOPPED
from distill.runs.estimates.measured_costs import RunFigures
from distill.runs.run_record import RunRecord

STEP = StepMetrics(
    epoch=0, step=1, total_steps=2, train_loss=0.5, recon_loss=0.4, kl_loss=12.5, kl_weight=0.001, learning_rate=1e-3,
    step_time_s=0.01,
)  # fmt: skip
EPOCH = EpochMetrics(
    epoch=0, total_epochs=3, train_loss=0.5, val_loss=0.625, val_recon_loss=0.6, val_kl_loss=0.1, kl_divergence=14.25,
    overfitting_gap=0.25, learning_rate=1e-3, eta_seconds=200.0, elapsed_seconds=1.0, active_latents=41,
    new_sound_distance=34.4,
)  # fmt: skip
END = TrainingCompleteEvent(
    total_epochs=3, total_time_s=61.0, final_train_loss=0.5, final_val_loss=0.625, best_val_loss=0.6, best_epoch=1
)
EVENTS: list[Event] = [
    PreparationProgress("Decoding sounds", 1, 2),
    PreparationProgress("Decoding sounds", 2, 2),
    STEP,
    TrainingNotice("overfitting", "The model begins to learn its sounds by heart."),
    EPOCH,
    PreviewEvent(epoch=0, audio_path="previews/preview_epoch0000_00.wav", sample_rate=48_000),
    END,
]


class FakeEngine:
    """Replays events in place of `distill.training.loop`, and remembers what it was asked for."""

    def __init__(self, outcome: str = "finished", error: Exception | None = None) -> None:
        self.outcome, self.error = outcome, error
        self.asked: dict[str, Any] = {}
        self.during: Callable[[threading.Event], None] = lambda cancel_event: None

    def train(self, config: RunConfig, file_paths: list[Path], output_dir: Path, device: str, **rest: Any) -> Any:
        self.asked = {"config": config, "files": file_paths, "device": device, **rest}
        return self._replay(output_dir, rest["callback"], rest["cancel_event"])

    def resume_run(self, run_dir: Path, **rest: Any) -> Any:
        self.asked = {"run": run_dir, **rest}
        return self._replay(run_dir, rest["callback"], rest["cancel_event"])

    def _replay(self, output_dir: Path, callback: Callable[[Event], None], cancel_event: threading.Event) -> Any:
        assert threading.current_thread() is threading.main_thread()  # signals arrive only there
        for event in EVENTS:
            callback(event)
        self.during(cancel_event)
        if self.error is not None:
            raise self.error
        outcome = "stopped" if cancel_event.is_set() else self.outcome
        return {"outcome": outcome, "output_dir": output_dir}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    fake = FakeEngine()
    module = types.ModuleType("distill.training.loop")
    module.train, module.resume_run = fake.train, fake.resume_run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "distill.training.loop", module)
    return fake


# --- the command line itself -------------------------------------------------------------------------------------


def test_commands_are_those_that_the_entry_knows() -> None:
    import typer

    command: Any = typer.main.get_command(app)
    assert set(command.commands) == __main__.COMMANDS


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["--version"]) == 0
    assert capsys.readouterr().out == f"distill {__version__}\n"


@pytest.mark.parametrize("command", sorted(__main__.COMMANDS))
def test_each_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main([command, "--help"]) == 0
    assert f"Example: distill {command} " in capsys.readouterr().out


def test_help_of_settings_is_that_of_the_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    main(["train", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for name in ("max_epochs", "device", "precision", "num_threads", "seed"):
        assert RunConfig.__dataclass_fields__[name].metadata["help"] in shown


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["train"], "--demo"),
        (["train", "no-such-folder"], "no-such-folder"),
        (["train", ".", "--epochs", "0"], "--epochs"),
        (["train", ".", "--epochs", "many"], "--epochs"),
        (["train", ".", "--family", "gan"], "one of vae"),
        (["train", ".", "--preset", "wild"], "auto, conservative, balanced, aggressive"),
        (["train", ".", "--precision", "float8"], "auto, float32, bfloat16"),
        (["train", ".", "--threads", "0"], "from 1 to"),
        (["train", ".", "--seed", "-1"], "--seed"),
        (["resume", "no-such-run"], "no-such-run"),
        (["sample", "no-such-model"], "no-such-model"),
        (["strain", "."], "strain"),
    ],
)
def test_wrong_usage_is_one_sentence_and_code_2(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert __main__.main(arguments) == 2
    printed = capsys.readouterr()
    assert complaint in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""


def test_without_a_screen_the_window_is_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert __main__.main([]) == 1
    assert "distill train" in capsys.readouterr().err


@pytest.mark.parametrize("new_window", [True, False])
@pytest.mark.parametrize("with_folder", [True, False])
def test_no_command_opens_the_window(
    with_folder: bool, new_window: bool, sounds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[Path | None, bool]] = []
    module = types.ModuleType("distill.gui.app")

    def run(folder: Path | None, new_window: bool) -> int:
        opened.append((folder, new_window))
        return 7

    module.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "distill.gui.app", module)
    words = ([__main__.NEW_WINDOW] if new_window else []) + ([str(sounds)] if with_folder else [])
    assert __main__.main(words) == 7
    assert opened == [(sounds if with_folder else None, new_window)]


# --- train and resume, with an engine that replays events --------------------------------------------------------


def test_train_gives_the_engine_what_was_asked_for(engine: FakeEngine, sounds: Path, tmp_path: Path) -> None:
    options = ["--epochs", "3", "--preset", "aggressive", "--threads", "2", "--precision", "float32", "--seed", "5"]
    options += ["--patience", "0"]
    out = tmp_path / "out"
    assert main(["train", str(sounds), *options, "--name", "Glocken", "--device", "cpu", "--out", str(out)]) == 0
    config = engine.asked["config"]
    assert (config.family, config.max_epochs, config.preset, config.num_threads) == ("vae", 3, "aggressive", 2)
    assert (config.precision, config.seed, config.device, config.patience) == ("float32", 5, "cpu", 0)
    assert engine.asked["files"] == sorted(sounds.iterdir())
    assert engine.asked["models_dir"] == paths.models_dir()
    assert (engine.asked["dataset_name"], engine.asked["model_name"]) == ("bells", "Glocken")


def test_bad_files_go_to_the_engine_too_and_do_not_count(engine: FakeEngine, sounds: Path) -> None:
    (sounds / "broken.wav").write_bytes(b"RIFF, but no more")
    assert main(["train", str(sounds)]) == 0
    assert sounds / "broken.wav" in engine.asked["files"]
    assert engine.asked["config"].preset == "conservative"
    assert engine.asked["config"].patience > 0


def test_run_folder_is_made_in_the_data_folder_and_printed(
    engine: FakeEngine, sounds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(sounds)]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if str(paths.runs_dir()) in line]
    assert line.startswith("4 sounds.")
    assert line.endswith("bells")


def test_a_name_that_a_run_has_gets_a_number(
    engine: FakeEngine, sounds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, name in (("first", "Bells"), ("second", "bells 2")):
        RunRecord(TrainingConfig(), [], model_name=name).save(paths.runs_dir() / folder)
    assert main(["train", str(sounds)]) == 0
    assert (engine.asked["dataset_name"], engine.asked["model_name"]) == ("bells", "bells 3")
    assert "There is a run or a model called “bells” already; this run is called “bells 3”." in capsys.readouterr().out
    assert main(["train", str(sounds), "--name", "chimes"]) == 0
    assert engine.asked["model_name"] == "chimes"
    assert "already" not in capsys.readouterr().out


def test_a_run_that_starts_again_keeps_its_name(engine: FakeEngine, sounds: Path) -> None:
    out = paths.runs_dir() / "bells"
    RunRecord(TrainingConfig(), [], model_name="bells", status="failed").save(out)
    assert main(["train", str(sounds), "--out", str(out)]) == 0
    assert engine.asked["model_name"] == "bells"


def test_equal_names_get_a_number() -> None:
    assert free_name("bells", ()) == "bells"
    assert free_name("bells", ("Bells", "bells 2")) == "bells 3"


def test_demo_sounds(engine: FakeEngine) -> None:
    assert main(["train", "--demo"]) == 0
    assert len(engine.asked["files"]) >= 12
    assert all(path.is_relative_to(paths.demo_dir()) for path in engine.asked["files"])
    assert engine.asked["dataset_name"] == "Demo sounds"


@pytest.mark.parametrize("where", ["", "runs/first"])
def test_run_inside_the_folder_of_sounds_is_refused(
    where: str, engine: FakeEngine, sounds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(sounds), "--out", str(sounds / where)]) == 2
    assert "--out" in capsys.readouterr().err
    assert engine.asked == {}


def test_a_folder_that_is_not_empty_is_refused_and_nothing_in_it_changes(
    sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "Downloads"
    out.mkdir()
    files = [out / name for name in (".film.mkv.part", ".checkpoint_epoch0001.pt.abc.part", "notes.txt")]
    for path in files:
        path.write_bytes(b"mine")
    assert main(["train", str(sounds), "--out", str(out)]) == 2
    assert "is not empty" in " ".join(capsys.readouterr().err.split())
    assert sorted(out.iterdir()) == sorted(files)


def test_a_folder_that_a_run_could_not_begin_in_is_taken_again(
    engine: FakeEngine, sounds: Path, tmp_path: Path
) -> None:
    for name in ("checkpoints", "previews", ".DS_Store"):
        (tmp_path / "out" / name).mkdir(parents=True)
    assert main(["train", str(sounds), "--out", str(tmp_path / "out")]) == 0


def test_plain_lines(engine: FakeEngine, sounds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(sounds), "--epochs", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert lines == [
        "Decoding sounds (2)",
        "Warning: The model begins to learn its sounds by heart.",
        "epoch 1/3  loss 0.5000, held out 0.6250  new sounds 34  KL 14.2 (41 latents active)  3 min 20 s left",
        "New sound: previews/preview_epoch0000_00.wav",
        "Finished after 1 min 01 s; best held-out loss 0.6000 in epoch 2.",
    ]


def test_json_is_events_and_nothing_else(engine: FakeEngine, sounds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(sounds), "--json"]) == 0
    printed = capsys.readouterr()
    events = [json.loads(line) for line in printed.out.splitlines()]
    assert [event["event"] for event in events] == [type(event).__name__ for event in EVENTS]
    assert events[2] == {"event": "StepMetrics", **vars(STEP)}
    assert str(paths.runs_dir()) in printed.err


def test_stopped_run_says_how_to_go_on(
    engine: FakeEngine, sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.outcome = "stopped"
    assert main(["train", str(sounds), "--out", str(tmp_path / "out")]) == 130
    assert f'distill resume "{tmp_path / "out"}"' in capsys.readouterr().out


def test_error_of_the_user_is_told_without_traceback(
    engine: FakeEngine, sounds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.error = NotEnoughSoundsError("Two sounds are needed (a.wav: empty).")
    assert main(["train", str(sounds)]) == 1
    assert capsys.readouterr().err == "distill: Two sounds are needed (a.wav: empty).\n"


def test_bug_goes_to_the_log(engine: FakeEngine, sounds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine.error = ZeroDivisionError("oops")
    assert main(["train", str(sounds)]) == 1
    error = capsys.readouterr().err
    assert "ZeroDivisionError: oops" in error
    assert str(diagnostics.log_file()) in error
    assert "Traceback" not in error
    assert "Traceback" in diagnostics.log_file().read_text(encoding="utf-8")


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signal_cancels(name: str, engine: FakeEngine, sounds: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(getattr(signal, name))

    def interrupt(cancel_event: threading.Event) -> None:
        os.kill(os.getpid(), getattr(signal, name))
        assert cancel_event.wait(5)

    engine.during = interrupt
    assert main(["train", str(sounds)]) == 130
    assert "Stopping" in capfd.readouterr().err
    assert signal.getsignal(getattr(signal, name)) is before


def test_resume_passes_the_new_length_on(engine: FakeEngine, tmp_path: Path) -> None:
    assert main(["resume", str(tmp_path), "--epochs", "7"]) == 0
    assert (engine.asked["run"], engine.asked["max_epochs"]) == (tmp_path, 7)
    assert engine.asked["models_dir"] == paths.models_dir()


# --- inspect, on real files --------------------------------------------------------------------------------------


def test_inspect_lists_every_file_with_its_reason(sounds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(sounds / "silent.wav", np.zeros(48_000), 48_000)
    (sounds / "empty.wav").touch()
    assert main(["inspect", str(sounds)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[7].startswith("found    Too few sounds")
    assert lines[0].startswith("usable")
    assert lines[0].endswith("bell 1.wav")
    assert lines[4].startswith(f"left out {sounds / 'empty.wav'}: ")
    assert lines[5].startswith(f"left out {sounds / 'silent.wav'}: ")
    assert "silent" in lines[5].partition(": ")[2]
    assert lines[6] == "4 usable sounds, 2 s together; 2 left out."


def test_inspect_counts_stereo_sounds(sounds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sound = np.sin(np.arange(24_000) * 0.03)
    soundfile.write(sounds / "panned.wav", np.stack([sound, 0.4 * sound], axis=1), 48_000)
    assert main(["inspect", str(sounds)]) == 0
    assert "1 of 5 sounds is stereo." in capsys.readouterr().out.splitlines()
    assert main(["inspect", "--json", str(sounds)]) == 0
    assert json.loads(capsys.readouterr().out)["stereo"] == 1


def test_inspect_prints_one_line_a_file_whatever_its_name(sounds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (sounds / "bell 1.wav").rename(sounds / "bell\nand \x1b[31mwhistle.wav")
    assert main(["inspect", str(sounds)]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[4].startswith("4 usable sounds")
    assert r"bell\nand \x1b[31mwhistle.wav" in printed


def test_inspect_says_when_there_is_too_little(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert "0 usable sounds" in printed.out
    assert "at least two" in printed.err


@pytest.mark.parametrize(
    "words", [["--family", "vqvae"], ["--family", "vae"], ["--epochs", "40"], ["--preset", "balanced", "--json"]]
)
def test_settings_of_a_run_are_refused_where_none_is_estimated(
    words: list[str], sounds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(sounds), *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "are for --estimate: add it, or leave them out" in " ".join(captured.err.replace("│", " ").split())


def test_inspect_estimates_a_run(
    sounds: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = RunFigures(is_trial=True, step_s=0.5, peak_bytes=1.2e9, checkpoint_bytes=57e6)
    tried: list[AnyConfig] = []

    def measure(config: AnyConfig, _stop: threading.Event) -> RunFigures:
        tried.append(config)
        return found

    monkeypatch.setattr("distill.training.estimate_inputs.measure", measure)
    for _ in range(2):  # what was measured is kept
        assert main(["inspect", str(sounds), "--estimate", "--family", "vqvae", "--epochs", "40"]) == 0
    assert [(config.family, config.max_epochs) for config in tried] == [("vqvae", 40)]
    lines = capsys.readouterr().out.splitlines()[-7:]
    assert lines[0].startswith("A run of the Residual-VQ VAE on 4 sounds, ")
    assert lines[1].startswith("end         about ")
    assert lines[1].endswith("of at most 40)")
    assert lines[2].startswith("before it   nearly as good in about "), "how good that is goes by the number of epochs"
    assert lines[3] == "memory      1.2 GB"
    assert lines[5].startswith("sounds      Too few sounds (4)")
    assert "a short trial" in lines[6]
    assert main(["inspect", str(sounds), "--estimate", "--family", "vqvae", "--epochs", "40", "--json"]) == 0
    estimated = json.loads(capsys.readouterr().out)["estimate"]
    assert (estimated["family"], estimated["max_epochs"], estimated["memory_bytes"]) == ("vqvae", 40, 1.2e9)
    assert 0 < estimated["good_seconds"] <= estimated["seconds"]


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_an_estimate_that_is_stopped_is_not_printed(
    sounds: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    def stopped(_config: AnyConfig, stop: threading.Event) -> None:
        stop.set()  # as Ctrl-C does

    monkeypatch.setattr("distill.training.estimate_inputs.measure", stopped)
    assert main(["inspect", str(sounds), "--estimate", *words]) == EXIT_STOPPED
    printed = capsys.readouterr().out
    assert "A run of the" not in printed
    assert '"estimate"' not in printed


def test_an_estimate_without_a_measurement_says_so(
    sounds: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distill.training.estimate_inputs.measure", lambda _config, _stop: None)
    assert main(["inspect", str(sounds), "--estimate"]) == 0
    printed = capsys.readouterr().out
    assert "could not be measured" in printed
    assert "Measured by" not in printed


@pytest.fixture
def late(sounds: Path) -> Path:
    """A sound that begins after half a second, among others."""
    t = np.arange(9600) / 48_000
    file = sounds / "late.wav"
    soundfile.write(file, np.pad(0.5 * np.sin(2 * np.pi * 500 * t) * np.exp(-20 * t), (24_000, 0)), 48_000)
    return file


def test_inspect_prints_findings_for_people_and_programs(
    sounds: Path, late: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(sounds)]) == 0
    printed = capsys.readouterr().out
    assert f"found    Long silence before or behind\n           {late}\n" in printed
    assert "(distill train --fix silence)" in printed
    assert main(["inspect", str(sounds), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["usable"]) == 5
    [silence] = [item for item in told["findings"] if item["kind"] == "silence"]
    assert silence["fixes"] == {str(late): {"trims": True}}


def test_train_fixes_what_is_asked_for(engine: FakeEngine, sounds: Path, late: Path, tmp_path: Path) -> None:
    assert main(["train", str(sounds), "--out", str(tmp_path / "a"), "--fix", "hum"]) == 0
    assert engine.asked["fixes"] == {}
    assert main(["train", str(sounds), "--out", str(tmp_path / "b"), "--fix", "all"]) == 0
    assert engine.asked["fixes"][late] == SoundFix(trims=True)
    assert main(["train", str(sounds), "--fix", "everything"]) == 2


def test_train_goes_on_from_a_model_of_its_family(
    engine: FakeEngine, sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.support.models import write_tone_model

    model = write_tone_model(tmp_path, 5, 3)
    assert main(["train", str(sounds), "--from", str(model), "--out", str(tmp_path / "a")]) == 0
    assert engine.asked["start_from"] == model
    assert engine.asked["config"].latent_dim == 5
    assert main(["train", str(sounds), "--from", str(model), "--family", "vqvae", "--out", str(tmp_path / "b")]) == 2
    assert "of the family Mel VAE" in capsys.readouterr().err
    assert main(["train", str(sounds), "--from", str(model), "--from-epoch", "2", "--out", str(tmp_path / "c")]) == 2
    assert main(["train", str(sounds), "--from-epoch", "2", "--out", str(tmp_path / "c")]) == 2
