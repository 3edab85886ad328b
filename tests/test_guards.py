"""The rules of the architecture: who imports whom, what is imported late, how long files and folders may get."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "distill"

#: Modules that the window or a quick answer in the terminal needs; they import no torch.
TORCH_FREE = [
    "__init__", "errors", "files", "paths", "process.environment", "settings", "diagnostics", "__main__", "trash",
    "events", "metrics_history",
    "cli.app", "cli.library", "cli.generate", "cli.options", "cli.map_and_kit", "cli.output.run_display",
    "audio.sound_scan", "audio.decoding.mono_decoder", "audio.cache.sound_cache", "audio.demo.demo_sounds",
    "audio.cache.waveform_overview", "audio.export",
    "config.family_catalog", "config.setting_fields", "config.training", "config.factory",
    "models.metadata", "library.model_library", "serialization.archive",
    "generation.recipe", "generation.history.sound_history", "generation.kits.kit_writer", "generation.map.map_session",
    "audio.pitch",
    "models.library", "training.config", "training.metrics", "runs.folder", "training.data.split",
    "updates", "reporting.problem_report",
]  # fmt: skip

MAX_LINES, MAX_FUNCTION_LINES, MAX_MODULES = 600, 80, 15


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


def test_the_guards_see_the_sources() -> None:
    assert {"cli.app", "audio", "config.training"} <= set(sources())
    seen = {name for name, _ in imports_of(SOURCE / "cli" / "app.py")}
    assert {"typer", "distill.cli.output.error_messages.print_error", "distill.housekeeping.tidy_own_folders"} <= seen


# --- layers, cycles, Qt: the contracts in pyproject.toml --------------------------------------------------------

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]

_LINT = """
import sys
from importlinter.cli import lint_imports
sys.exit(lint_imports(config_filename="pyproject.toml", limit_to_contracts=tuple(sys.argv[1:]), no_cache=True))
"""


def lint_imports(root: Path, *contracts: str) -> tuple[int, str]:
    """Check the contracts on the sources under ``root`` and return the exit code and what was printed."""
    done = subprocess.run(
        [sys.executable, "-c", _LINT, *contracts], cwd=root, capture_output=True, text=True, timeout=120,
        env=os.environ | {"PYTHONPATH": str(root / "src"), "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_imports_keep_the_contracts() -> None:
    code, text = lint_imports(ROOT)
    assert code == 0, text


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("copied")
    shutil.copytree(SOURCE, root / "src" / "distill", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


#: For each contract: a module, and an import in it that breaks the contract.
BREAKING = [
    ("layers", "models/losses.py", "from distill.training.loop import train"),
    ("layers", "audio/sound_scan.py", "from distill.gui.window import main_window"),
    ("cycles", "audio/decoding/access_errors.py", "from distill.audio import sound_scan"),
    ("cycles", "models/families/family.py", "from distill.models.persistence import open_model"),
    ("qt", "training/loop.py", "from PySide6.QtCore import QObject"),
    ("qt", "generation/generation_service.py", "import pyqtgraph"),
    ("torch", "config/family_catalog.py", "def late() -> None:\n    import torch"),
    ("torch", "playback/player.py", "from distill.audio.spectrogram import AudioSpectrogram"),
]


@pytest.mark.parametrize(("contract", "module", "line"), BREAKING)
def test_each_contract_can_be_broken(copied: Path, contract: str, module: str, line: str) -> None:
    path = copied / "src" / "distill" / module
    before = path.read_text(encoding="utf-8")
    path.write_text(f"{before}\n\n{line}\n", encoding="utf-8")
    try:
        code, text = lint_imports(copied, contract)
    finally:
        path.write_text(before, encoding="utf-8")
    assert code == 1
    assert "BROKEN" in text


def test_each_contract_is_tried_and_covers_all_modules() -> None:
    assert {row["id"] for row in CONTRACTS} == {contract for contract, _, _ in BREAKING}
    modules = {name.split(".")[0] for name in sources()} - {"__init__", "__main__", "gui"}
    (qt,) = (row for row in CONTRACTS if row["id"] == "qt")
    assert set(qt["source_modules"]) == {f"distill.{name}" for name in modules}


def test_no_private_names_are_imported() -> None:
    found = [
        f"{module}:{line} imports {name}"
        for module, path in sources().items()
        for name, line in imports_of(path)
        if re.search(r"^distill\..*\b_(?!_)\w", name)
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
    modules += [f"distill.{name}" for name in sources() if name.startswith(("gui.", "playback."))]
    assert run_python(_IMPORTS, "torch,torchaudio", *modules) == ""


def test_the_terminal_answers_without_audio_libraries() -> None:
    found = run_python(_IMPORTS, "torch,numpy,soundfile,PySide6,rich.progress", "distill.cli.app", "distill.__main__")
    assert found == ""


_WINDOW = """
import sys, time
from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication
from distill.gui.window.main_window import MainWindow

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
from distill.audio.export import write_wav
from distill.training.beginning import prepare
from distill.training.ending import model_contents
from distill.training.loop import train
from distill.runs.estimates import estimate
from distill.config.factory import make_config

prepare.PRIOR_SIZE, estimate._CLOSING_STEPS_PER_SOUND = (32, 1), 4
model_contents.map_entries = lambda family, network, data: {}

folder = Path(sys.argv[1])
t = np.arange(24000) / 48000
files = []
(folder / "sounds").mkdir()
for n in range(4):
    files.append(folder / "sounds" / f"{n}.wav")
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
        if lines > MAX_LINES:
            found.append(f"{path.relative_to(ROOT)} has {lines} lines")
        for node in ast.walk(tree_of(path)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno is not None:
                length = node.end_lineno - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    found.append(f"{path.relative_to(ROOT)}: {node.name} has {length} lines")
    assert found == []


def test_folders_stay_readable() -> None:
    folders = {path.parent for path in sources().values()}
    counts = {folder: len([p for p in folder.glob("*.py") if p.name != "__init__.py"]) for folder in folders}
    assert {str(folder): count for folder, count in counts.items() if count > MAX_MODULES} == {}


#: Most files on each way that ARCHITECTURE describes.
MAX_FILES = {
    "From a waveform to its loss": 10, "From a click to the loudspeaker": 7, "From a metric to its curve": 8
}  # fmt: skip


@pytest.mark.parametrize("way", MAX_FILES)
def test_the_ways_through_the_code_are_as_described(way: str) -> None:
    text = (ROOT / ".github" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    section = text.partition(f"### {way}\n")[2].partition("\n#")[0]
    steps = re.findall(r"^\d+\. `([\w/]+\.py)` (.*)$", section, re.MULTILINE)
    assert 0 < len(steps) <= MAX_FILES[way]
    for file, rest in steps:
        defined = {
            node.name for node in ast.walk(tree_of(SOURCE / file)) if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        }
        names = re.findall(r"`([\w.]+)`", rest.partition(":")[0])
        assert {part for name in names for part in name.split(".")} <= defined, f"{file} of {way}"


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


def test_every_package_is_installed() -> None:
    """Those that pyproject.toml does not name are missing from a wheel and from the installers."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = set(project["tool"]["setuptools"]["packages"]) - {"distill.resources"}
    present = {".".join(file.parent.relative_to(SOURCE.parent).parts) for file in SOURCE.rglob("__init__.py")}
    assert listed == present
