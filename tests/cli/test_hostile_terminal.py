"""Names of strangers in the terminal: a walk over every command with all of its arguments and options.

A command that is added later is walked as well; one with an argument of a new name makes the walk fail until `World`
knows what to give it.
"""

import io
import json
import os
import re
import sys
import tempfile
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import typer
from rich.console import Console

from distill import paths
from distill.cli.app import app, main
from distill.cli.output import run_display
from distill.errors import TrainingError
from distill.events import Event, PreparationProgress, PreviewEvent, TrainingNotice
from distill.generation.map import map_sounds as map_sounds
from distill.models.codes_file import save_codes
from distill.models.latent_space.latent_map import LatentMap
from distill.names import MOST_NAME
from distill.runs.queue import QueueEntry, RunQueue
from distill.runs.run_record import RunRecord
from tests.cli.test_train import END, EPOCH, STEP
from tests.runs.test_comparison import write_run
from tests.support.models import tone_model, write_model_with_prior
from tests.training.conftest import tone

pytestmark = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="such files cannot be made there")

#: All that could act at once; then what is only long, reserved, or looks like an option.
ACTING = (
    "esc\x1b[31m\x1b]0;title\x07\nFORGED\r[red]rich[/red] <b>x</b> & "
    "bidi\u202egpj\u2066 \x85\u2028 \u200b \udce9 %s {0}"
)
RESERVED = "CON"
NAMES = {"acting": ACTING, "long": "x" * 300, "reserved": RESERVED}
#: What a name may be followed by in a file name of 255 bytes.
LONGEST = 200
#: Flags that change what is printed.  Others take no name, and some bring minutes of work.
FLAGS = {"--json", "--svg", "--done", "--follow-stars"}


@cache
def small_model(family: str) -> Any:
    return tone_model(family)


@cache
def model_file(name: str, family: str) -> bytes:
    """The file of a small model whose facts are all called ``name``."""
    model, stored = small_model(family), name.encode(errors="replace").decode()  # a file of a model holds text
    facts = {"name": stored, "dataset_name": stored, "description": stored, "tags": (stored,)}
    named = replace(model, metadata=replace(model.metadata, **facts, dataset_file_count=3))
    with tempfile.TemporaryDirectory() as folder:
        return write_model_with_prior(named, Path(folder) / "a.distill").read_bytes()


@cache
def codes_file() -> bytes:
    """A file of codes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.npz"
        save_codes(path, small_model("vqvae").encode(torch.from_numpy(tone(0, 0.5))[None, None]))
        return path.read_bytes()


class HostileEngine:
    """Replays events that hold a name, in place of `distill.training.loop`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.fails = False

    def train(self, config: Any, file_paths: list[Path], output_dir: Path, device: str, **rest: Any) -> Any:
        return self._replay(output_dir, rest["callback"])

    def resume_run(self, run_dir: Path, **rest: Any) -> Any:
        return self._replay(run_dir, rest["callback"])

    def _replay(self, folder: Path, callback: Callable[[Event], None]) -> Any:
        for event in events_of(self._name):
            callback(event)
        if self.fails:
            raise TrainingError(f"{self._name} cannot be used.")
        return {"outcome": "finished", "output_dir": folder}


def events_of(name: str) -> list[Event]:
    notice = TrainingNotice("skipped", f"Skipped {name}: {name}")
    return [
        PreparationProgress("Reading sounds", 1, 2), notice, STEP, EPOCH, PreviewEvent(0, f"{name}.wav", 48_000), END,
    ]  # fmt: skip


class World:
    """Sounds, runs, models, codes and queue entries of one name, and what each argument of a command is given."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.file_name = (
            name.replace("/", "_").encode(errors="surrogateescape")[:LONGEST].decode(errors="surrogateescape")
        )
        self.sounds = folder / f"{self.file_name} sounds"
        self.sounds.mkdir()
        for number, suffix in enumerate((" 1.wav", " 2.wav")):
            with (self.sounds / f"{self.file_name}{suffix}").open("wb") as file:
                soundfile.write(file, tone(number, 0.5), 48_000, format="WAV")
        for suffix in (".m4a", ".txt", f".{self.file_name[:30]}"):
            (self.sounds / f"{self.file_name}{suffix}").write_bytes(b"x")
        (self.sounds / f"{self.file_name} link.wav").symlink_to(f"{self.file_name} gone.wav")
        self.sound = self.sounds / f"{self.file_name} 1.wav"
        paths.models_dir().mkdir(parents=True)
        self.models = {family: paths.models_dir() / f"{self.file_name} {family}.distill" for family in ("vae", "vqvae")}
        self.codes = folder / f"{self.file_name}.npz"
        self.runs = []
        for number in range(2):
            run = write_run(paths.runs_dir() / f"{self.file_name} {number}", "vae", [0.5, 0.4], ["a.wav"])
            record = RunRecord.load(run)
            changes: dict[str, Any] = {"model_name": f"{name} {number}", "dataset_name": name, "error": name}
            replace(record, **changes, notes=[name], status="stopped").save(run)
            self.runs.append(run)
        self.start_again()

    def start_again(self) -> None:
        """Put everything that commands change back, and leave nothing where they write."""
        entries = [QueueEntry(self.name[:200], (self.sounds,), start_from=None, problem=self.name)] * 1
        queue = RunQueue()
        queue.remove(entry.id for entry in queue.read().entries)
        queue.add([*entries, replace(entries[0], id="f" * 32, status="failed")])
        for family, file in self.models.items():
            if not file.exists():
                file.write_bytes(model_file(self.name, family))
        if not self.codes.exists():
            self.codes.write_bytes(codes_file())

    def argument(self, command: str, name: str, metavar: str) -> list[str]:
        """Return what a command works with."""
        family = "vqvae" if command in ("encode", "decode") else "vae"
        out = self.folder / f"{self.file_name} {len(list(self.folder.iterdir()))}"
        known: dict[str, list[Any]] = {
            "sounds": [self.sounds], "model": [self.models[family]], "source": [self.sound], "first": [self.sound],
            "second": [self.sound], "target": [out.with_name(f"{out.name}.wav")], "text": [""],
            "which": [self.models["vae"]], "files": [self.models["vae"]],
            "name": [self.name.strip()[: MOST_NAME] or "x"],
            "run": [self.runs[0]], "runs": self.runs, "position": [1],
        }  # fmt: skip
        special: dict[tuple[str, str], list[Any]] = {
            ("encode", "target"): [out.with_name(f"{out.name}.npz")], ("decode", "source"): [self.codes],
            ("models export", "target"): [out], ("queue move", "which"): ["1"], ("queue remove", "which"): ["1"],
        }  # fmt: skip
        return [str(item) for item in special.get((command, name), known[name])]

    def options(self, command: str) -> list[str]:
        """Return the options without which a command would write where it stands, or do nothing."""
        out = str(self.folder / f"{self.file_name} out {len(list(self.folder.iterdir()))}")
        needed = {
            "sample": ["--out", out, "--count", "1", "--seed", "1"], "vary": ["--out", out, "--count", "1"],
            "morph": ["--out", out, "--steps", "2"], "train": ["--out", out],
            "repaint": ["--from", "0.1", "--to", "0.2"],
            "kit": ["--out", out, "--count", "1", "--round-robins", "1", "--layers", "1"], "play": ["--midi", "none"],
        }  # fmt: skip
        return needed.get(command, [])


def commands() -> dict[str, Any]:
    """All commands of the program by the words that call them."""

    def below(group: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from below(command, (*words, name))
            else:
                yield " ".join((*words, name)), command

    return dict(below(typer.main.get_command(app), ()))


COMMANDS = commands()


@pytest.fixture(autouse=True)
def _own_trash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))


def a_map(world: World) -> LatentMap:
    from distill.audio.cache.sound_cache import SoundCache

    prints = tuple(SoundCache().content_hash(path) for path in sorted(world.sounds.glob("* [12].wav")))
    count = len(prints)
    row = torch.linspace(0.1, 0.9, count)
    return LatentMap(
        positions=torch.stack([row, row], 1), scores=torch.zeros(count, 8), origin=torch.zeros(8),
        axes=torch.zeros(8, 0), sounds=torch.arange(count), starts=torch.zeros(count), seconds=torch.ones(count),
        brightness=row, loudness=row, fingerprints=prints, trustworthiness=0.9,
    )  # fmt: skip


@pytest.fixture(params=NAMES)
def world(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path, NAMES[request.param])
    engine = HostileEngine(made.name)
    module = types.ModuleType("distill.training.loop")
    module.train, module.resume_run = engine.train, engine.resume_run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "distill.training.loop", module)
    monkeypatch.setattr(map_sounds, "map_of", lambda model: a_map(made))
    monkeypatch.chdir(tmp_path)
    return made


def wrong(text: str) -> str:
    """Return what a terminal would not show as text, or "" for nothing."""
    raw = sorted({c for c in text if not c.isprintable() and c != "\n"})
    found = [f"raw {raw}"] if raw else []
    found += [f"a line of its own: {line[:60]!r}" for line in text.split("\n") if line.startswith("FORGED")]
    found += [words for words in ("Traceback", "that should not") if words in text]
    if re.search(r"(?<!\[red\])(?<!-)rich", text):  # a hyphen is what a file name has in the place of the bracket
        found.append("markup was taken for markup")
    return "; ".join(found)


def of_command(world: World, name: str, command: Any) -> tuple[list[str], dict[str, list[str]], list[Any]]:
    """Return the words of a command, its arguments by name, and its options."""
    arguments = {
        item.name: world.argument(name, item.name, item.metavar)
        for item in command.params
        if item.param_type_name == "argument"
    }
    options = [
        item
        for item in command.params
        if item.param_type_name == "option" and (not item.is_flag or set(item.opts) & FLAGS)
    ]
    return name.split(), arguments, options


def lines_of(world: World, name: str) -> Iterator[tuple[list[str], tuple[int, ...]]]:
    """Yield command lines, and the exit codes that they may have."""

    def line(changed: dict[str, list[str]], *more: str) -> list[str]:
        words, arguments, _ = of_command(world, name, COMMANDS[name])
        given = arguments | changed
        return [*words, *world.options(name), *more, "--", *[text for texts in given.values() for text in texts]]

    _, arguments, options = of_command(world, name, COMMANDS[name])
    # What there is on a test's computer decides over the exit code of these: a device, a map, a run that has ended.
    usual = (0, 1, 2) if name in ("play", "finish", "models restore", "remake") else (0,)
    yield line({}), usual
    if world.name == RESERVED:
        return
    for item in options:
        yield line({}, item.opts[0], *([] if item.is_flag else [world.name])), (0, 1, 2)
    for argument in arguments:
        expected = (0, 1, 2) if argument in ("text", "name", "target") else (1, 2)
        yield line({argument: [world.name]}), expected
        if argument not in ("text", "name", "position", "target"):
            yield line({argument: [str(world.folder / world.name[:LONGEST] / world.file_name)]}), (0, 1, 2)
    yield line({}, f"--{world.name}"), (2,)
    yield [*line({}), world.name, world.name, world.name, world.name], (0, 1, 2)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_names_as_they_are(name: str, world: World, capfd: pytest.CaptureFixture[str]) -> None:
    found = []
    for words, codes in lines_of(world, name):
        if any("\0" in word for word in words):
            continue
        code = main(words)
        printed = capfd.readouterr()
        if bad := wrong(printed.out) or wrong(printed.err):
            found.append(f"{words}: {bad}\n{printed.out[-300:]!r}\n{printed.err[-600:]!r}")
        if code not in codes:
            found.append(
                f"{words}: exit code {code}, not one of {codes}\n{printed.out[-300:]!r}\n{printed.err[-600:]!r}"
            )
        if "--json" in words and code == 0 and not isinstance(_loaded(printed.out), list):
            found.append(f"{words}: no JSON on standard output: {printed.out[:300]!r}")
        world.start_again()
    assert not found, "\n\n".join(found)


def _loaded(text: str) -> list[Any] | None:
    """Return the objects of JSON lines, None for anything else."""
    try:
        return [json.loads(line) for line in text.splitlines()]
    except ValueError:
        return None


@pytest.mark.parametrize("word", ["{}", "{}/a", "train{}", "-{}", "--{}"])
@pytest.mark.parametrize("name", list(NAMES))
def test_what_is_no_command_is_shown_as_it_is(word: str, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    from distill import __main__

    assert __main__.main([word.replace("{}", NAMES[name]), "x"]) == 2
    printed = capfd.readouterr()
    assert not wrong(printed.out + printed.err)


@pytest.mark.parametrize("name", NAMES)
def test_the_progress_bar_shows_names_as_they_are(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """rich draws with escape sequences of its own; none of a name, and no markup of one, is among them."""
    screen = io.StringIO()
    monkeypatch.setattr("rich.progress.get_console", lambda: Console(file=screen, force_terminal=True, width=2000))
    with run_display.ProgressBar(3) as bar:
        for event in events_of(NAMES[name]):
            bar(event)
    text = screen.getvalue()
    assert "Skipped" in text
    for acting in ("\x1b[31m", "\x1b]0;", "\x07", "\u202e", "\u2066", "\x85", "\u2028", "\nFORGED"):
        assert acting not in text
    if name == "acting":
        assert "[red]rich[/red]" in text


def test_a_failed_run_shows_its_reason_as_it_is(
    world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    engine = HostileEngine(world.name)
    engine.fails = True
    monkeypatch.setattr(sys.modules["distill.training.loop"], "resume_run", engine.resume_run)
    for more in ([], ["--json"]):
        assert main(["resume", str(world.runs[0]), *more]) == 1
        printed = capfd.readouterr()
        assert not wrong(printed.out)
        assert not wrong(printed.err)
        assert len(printed.err.strip().split("\n")) == 1


@pytest.mark.parametrize("group", ["models", "queue", "runs"])
def test_a_group_without_a_command_shows_its_help(group: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([group]) == 2
    lines = capfd.readouterr().err.splitlines()
    assert lines[0].startswith(f"Usage: distill {group}")
    assert len(lines) > 8
    assert any(line.split()[:1] == ["list"] for line in lines)


def test_the_walk_covers_the_whole_program() -> None:
    from distill import __main__

    assert {name.split()[0] for name in COMMANDS} == __main__.COMMANDS
    assert len(COMMANDS) >= 30
    assert np.all([os.sep not in name for name in COMMANDS])
