"""The architecture's rules, as tests: who may import whom, what must be imported late, how long things may get."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "distill"

#: What each part may import beside itself, in the order of the data flow.
BASE = {"", "errors", "files", "paths", "trash", "runtime"}
KNOWS: dict[str, set[str]] = {
    "config": BASE,
    "events": set(),
    "history": {"events"},
    "serialization": BASE,
    "audio": BASE | {"config"},
    "models": BASE | {"config", "events", "history", "audio", "serialization"},
    "library": BASE | {"config", "serialization", "models.metadata", "models.model_file"},
    "runs": BASE | {"config", "events", "history", "audio", "serialization"},
    "training": BASE | {"config", "events", "history", "audio", "serialization", "models", "library", "runs"},
    "playback": BASE | {"audio"},
    "generation": BASE | {"config", "audio", "serialization", "models", "library", "runs", "training"},
    "gui": BASE
    | {"settings", "diagnostics", "config", "events", "history", "audio", "serialization", "models", "library", "runs"}
    | {"training", "generation", "playback"},
}

#: Modules that the window or a quick answer in the terminal needs; they import no torch.
TORCH_FREE = [
    "__init__", "errors", "files", "paths", "runtime", "settings", "diagnostics", "__main__", "trash",
    "events", "history",
    "cli.app", "cli.library", "cli.generate", "cli.options", "cli.terminal",
    "audio.corpus", "audio.decoding.sound_file", "audio.cache.sound_cache", "audio.demo.sounds",
    "audio.cache.waveform_overview", "audio.export",
    "config.catalog", "config.validation", "config.training", "config.factory",
    "models.metadata", "library.model_library", "serialization.reading",
    "generation.recipe", "generation.history",
    "training.config", "training.metrics", "runs.folder", "training.data.split",
]  # fmt: skip

#: What the start of the program may know of the window: how to open it, and how to tell that it did not open.
DOORS = {"distill.gui.app.run", "distill.gui.window.startup_error.show_failure"}

MOST_LINES, MOST_FUNCTION_LINES = 600, 80


@cache
def sources() -> dict[str, Path]:
    """Module name, relative to the package, to file."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)] = path
    return found


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports_of(path: Path) -> Iterator[tuple[str, int]]:
    """Full names of all that a file imports, wherever in the file, and the line."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno


def module_names(folder: str) -> list[str]:
    return [name for name in sources() if name == folder or name.startswith(f"{folder}.")]


def is_within(module: str, parts: set[str]) -> bool:
    return any(module == part or module.startswith(f"{part}.") for part in parts if part)


def test_the_guards_see_the_sources() -> None:
    assert {"cli.app", "audio", "config.training"} <= set(sources())
    seen = {name for name, _ in imports_of(SOURCE / "cli" / "app.py")}
    assert {"typer", "distill.errors.DistillError", "distill.config.factory.make_config"} <= seen


def test_only_the_window_knows_qt() -> None:
    found = [
        f"{module}:{line} imports {name}"
        for module, path in sources().items()
        if not is_within(module, {"gui"})
        for name, line in imports_of(path)
        if name.split(".")[0] in {"PySide6", "shiboken6", "pyqtgraph"} or is_within(name, {"distill.gui"})
        if module != "__main__" or name not in DOORS
    ]
    assert found == []


@pytest.mark.parametrize("part", KNOWS)
def test_each_step_knows_only_those_before_it(part: str) -> None:
    allowed = {f"distill.{name}" for name in KNOWS[part] | {part} if name}
    found = [
        f"{module}:{line} imports {name}"
        for module in module_names(part)
        for name, line in imports_of(sources()[module])
        if name.startswith("distill.") and not is_within(name, allowed) and name != "distill.__version__"
    ]
    assert found == []


def test_imports_are_absolute() -> None:
    found = [
        f"{module}:{node.lineno}"
        for module, path in sources().items()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert found == []


def run_python(code: str, *arguments: str, timeout: float = 120) -> str:
    """Run code in a process of its own and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments], capture_output=True, text=True, timeout=timeout
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


_IMPORTS = """
import importlib, sys
heavy = sys.argv[1].split(",")
for name in sys.argv[2:]:
    importlib.import_module(name)
    for other in heavy:
        if other in sys.modules:
            print(f"{name} imports {other}")
            heavy.remove(other)
"""


def test_torch_comes_late() -> None:
    modules = [f"distill.{name}" for name in TORCH_FREE if name != "__init__"]
    modules += [f"distill.{name}" for name in sources() if is_within(name, {"gui", "playback"})]
    assert run_python(_IMPORTS, "torch,torchaudio", *modules) == ""


def test_the_terminal_answers_without_audio_libraries() -> None:
    found = run_python(_IMPORTS, "torch,numpy,soundfile,PySide6,rich.progress", "distill.cli.app", "distill.__main__")
    assert found == ""


_WINDOW = """
import sys, time
from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication
from distill.gui.window.window import MainWindow

class FirstFrame(QObject):
    torch_was_there = None

    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.Paint and self.torch_was_there is None:
            self.torch_was_there = "torch" in sys.modules
        return False

app = QApplication(["distill"])
frame = FirstFrame()
app.installEventFilter(frame)
window = MainWindow()
window.show()
until = time.monotonic() + 20
while frame.torch_was_there is None and time.monotonic() < until:
    app.processEvents()
print("torch was there:", frame.torch_was_there)
app.removeEventFilter(frame)
window.close()
"""


def test_the_window_is_shown_before_torch() -> None:
    assert run_python(_WINDOW).strip() == "torch was there: False"


_TRAINING = """
import sys
for name in ("PySide6", "pyqtgraph", "shiboken6"):
    sys.modules[name] = None  # an import of it then fails
from pathlib import Path
import numpy as np
from distill.audio.decoding.sound_file import write_wav
from distill.training.loop import train
from distill.config.factory import make_config

folder = Path(sys.argv[1])
t = np.arange(24000) / 48000
files = []
for n in range(4):
    files.append(folder / f"{n}.wav")
    write_wav(files[-1], (0.5 * np.sin(2 * np.pi * 220 * (n + 1) * t) * np.exp(-6 * t)).astype(np.float32))
config = make_config("vae", len(files), max_epochs=1, precision="float32", num_threads=1)
result = train(config, files, folder / "run", "cpu")
print(result["outcome"], (folder / "run" / "model.distill").is_file())
"""


def test_the_engine_trains_without_qt(tmp_path: Path) -> None:
    assert run_python(_TRAINING, str(tmp_path)).strip() == "finished True"


@pytest.mark.parametrize("folder", ["src", "tests", "packaging"])
def test_files_and_functions_stay_readable(folder: str) -> None:
    found = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MOST_LINES:
            found.append(f"{path.relative_to(ROOT)} has {lines} lines")
        for node in ast.walk(tree_of(path)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno is not None:
                length = node.end_lineno - node.lineno + 1
                if length > MOST_FUNCTION_LINES:
                    found.append(f"{path.relative_to(ROOT)}: {node.name} has {length} lines")
    assert found == []


#: Addresses that belong to a machine or its setup, not to the project.  Written so that they do not find themselves.
_FOREIGN = re.compile(
    r"/(?:home|Users|root|opt|work)/[a-z]|[A-Z]:\\Users|(?:pypi|pythonhosted)\.org|/simple/|index[-_]url|\btmp/[a-z]"
)


def tracked_files() -> list[Path]:
    """Files that belong to the project: those that git tracks or would track, or all text where there is no git."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    answer = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True)
    names = answer.stdout.split("\0") if answer.returncode == 0 else []
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def test_no_machine_is_written_into_the_project() -> None:
    files = tracked_files()
    if not files:
        pytest.skip("not a git checkout")
    found = []
    for path in files:
        if path == Path(__file__).resolve():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture or a sound
        found += [
            f"{path.relative_to(ROOT)}:{number}: {match.group()}"
            for number, line in enumerate(text.splitlines(), 1)
            if (match := _FOREIGN.search(line))
        ]
    assert found == []


def test_packaging_shadows_no_library() -> None:
    assert not (ROOT / "packaging" / "__init__.py").exists()
    libraries = set(sys.stdlib_module_names) | {"torch", "numpy", "typer", "rich", "soundfile", "PyInstaller"}
    assert {path.stem for path in (ROOT / "packaging").glob("*.py")} & libraries == set()
