"""What of the installers can be checked in seconds: names, versions, lists, and that nothing needed is left out."""

import ast
import hashlib
import importlib
import importlib.util
import json
import os
import plistlib
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from importlib.metadata import PathDistribution
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import build
import build_environment
import linux_packages
import macos_app
from distill.config.family_catalog import FAMILIES

ROOT = Path(__file__).resolve().parents[1]
PACKAGING, LINUX = ROOT / "packaging", ROOT / "resources" / "linux"


# --- what goes into the bundle ----------------------------------------------------------------------------------


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a loader for hooks; PyInstaller, which they run in, is not installed here and collects nothing."""
    helpers = ModuleType("PyInstaller.utils.hooks")
    for name in ("collect_dynamic_libs", "collect_submodules"):
        setattr(helpers, name, lambda *arguments, **options: [])
    helpers.collect_data_files = lambda package, includes=(), **options: [(package, includes)]  # type: ignore[attr-defined]
    for name in ("PyInstaller", "PyInstaller.utils"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "PyInstaller.utils.hooks", helpers)

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location("hook_under_test", PACKAGING / "hooks" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


def test_the_recipe_is_python_and_its_files_are_there() -> None:
    text = (PACKAGING / "distill.spec").read_text(encoding="utf-8")
    compile(text, "distill.spec", "exec")
    for name in ("launch.py", "hooks/rthook_portaudio.py", "macos/entitlements.plist"):
        assert (PACKAGING / name).is_file()
        assert all(repr(part)[1:-1] in text for part in name.split("/"))
    assert (ROOT / "resources" / "style.qss").is_file()


def excluded() -> list[str]:
    """Return what the recipe leaves out, those of Qt written in full."""
    tree = ast.parse((PACKAGING / "distill.spec").read_text(encoding="utf-8"))
    values = [n.value for n in tree.body if isinstance(n, ast.Assign) and "EXCLUDES" in ast.unparse(n.targets[0])]
    names: list[str] = eval(ast.unparse(values[0]), {})
    return names


def test_nothing_that_distill_imports_is_left_out() -> None:
    names = excluded()
    assert {"tkinter", "PySide6.QtQml"} <= set(names)
    imported = set()
    for path in (ROOT / "src" / "distill").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    found = {name for name in imported for skipped in names if name == skipped or name.startswith(f"{skipped}.")}
    assert found == set()


def test_the_stubs_that_declare_public_names_are_bundled(hook: Any) -> None:
    """lazy-loader reads them when the program runs."""
    assert hook("hook-distill").datas == [("distill", ["*/__init__.pyi"])]


def test_families_and_other_modules_that_are_imported_by_name_are_bundled(hook: Any) -> None:
    hidden = hook("hook-distill").hiddenimports
    for family in FAMILIES:
        module, _, name = family.implementation.partition(":")
        assert module in hidden
        assert hasattr(importlib.import_module(module), name)
    named = set()
    for path in (ROOT / "src" / "distill").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        named |= set(re.findall(r'import_module\("([\w.]+)"\)', text))
    assert "sounddevice" in named  # or this test looks for the wrong thing
    missing = {name for name in named if not name.startswith("distill.")} - set(hidden)
    assert missing == {"av"}  # optional, and too large for a bundle


_EVERYTHING = """
import contextlib, io, pkgutil, sys
import torch
import distill
for module in pkgutil.walk_packages(distill.__path__, "distill."):
    __import__(module.name)
weight = torch.nn.Parameter(torch.ones(2))
optimizer = torch.optim.AdamW([weight])
torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 2)
weight.sum().backward()
torch.nn.utils.clip_grad_norm_([weight], 1.0)
optimizer.step()
with contextlib.redirect_stdout(io.StringIO()):
    distill.__main__.main(["train", "--help"])
print(*sys.modules)
"""

#: torch imports them where they are installed, and goes on where they are not.
OPTIONAL = {"triton", "networkx"}


def test_nothing_that_the_program_loads_is_left_out(hook: Any) -> None:
    parts, skipped = hook("hook-torch"), excluded()
    done = subprocess.run([sys.executable, "-c", _EVERYTHING], capture_output=True, text=True, timeout=900)
    loaded = done.stdout.split()
    assert {"torch.optim.adamw", "PySide6.QtWidgets", "typer"} <= set(loaded), done.stderr[-2000:]
    found = {name for name in loaded for out in skipped if name == out or name.startswith(f"{out}.")}
    assert {name for name in found if name.split(".")[0] not in OPTIONAL} == set()
    assert [name for name in loaded if name.split(".")[0] == "torch" and not parts.is_wanted(name)] == []
    assert not parts.is_wanted("torch.utils.tensorboard.writer")


def test_the_resources_are_in_a_wheel(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in ("src", "resources"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    code = "from setuptools import setup; setup()"
    command = [sys.executable, "-c", code, "--quiet", "build_py", "--build-lib", str(tmp_path / "lib")]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    search = [str(tmp_path / "lib"), *(path for path in sys.path if "site-packages" in path)]
    code = f"import sys; sys.path[:0] = {search}; from distill.paths import resources_dir; print(resources_dir())"
    command = [sys.executable, "-I", "-S", "-c", code]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    folder = Path(answer.stdout.strip())
    assert folder == tmp_path / "lib" / "distill" / "resources", answer.stderr
    assert (folder / "style.qss").read_bytes() == (ROOT / "resources" / "style.qss").read_bytes()
    names = {path.name for path in (ROOT / "resources" / "icons").glob("*.svg")}
    assert {path.name for path in (folder / "icons").iterdir()} == names
    for pattern in ("*.py", "*.pyi"):
        modules = {path.relative_to(ROOT / "src") for path in (ROOT / "src").rglob(pattern)}
        assert modules
        assert {path.relative_to(tmp_path / "lib") for path in (tmp_path / "lib").rglob(pattern)} == modules


def test_a_source_distribution_holds_what_the_repository_holds(tmp_path: Path) -> None:
    """A copy of it can be built from, and runs these tests."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True)
    if listed.returncode:
        pytest.skip("these are no sources under git")
    names = [os.fsdecode(name) for name in listed.stdout.split(b"\0") if name]
    for name in names:
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / "source" / name)
    code = f"import build_backend; print(build_backend.build_sdist({str(tmp_path)!r}))"
    command = [sys.executable, "-c", code]
    path = os.pathsep.join(["packaging", *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    env = {**os.environ, "PYTHONPATH": path}
    made = subprocess.run(command, cwd=tmp_path / "source", env=env, capture_output=True, text=True, timeout=600)
    assert made.returncode == 0, made.stderr[-2000:]
    with tarfile.open(tmp_path / made.stdout.split()[-1]) as archive:
        held = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    assert not set(names) - held
    assert held - set(names) <= {"PKG-INFO", "setup.cfg"} | {name for name in held if ".egg-info/" in name}


# --- the package index ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["2.13.0+cpu", "2.12.0", "2.11.1+cpu", "2.11.0+cpu", "2.11.0"], "2.11.1+cpu"),
        (["2.15.0", "2.13.0+cpu", "2.11.0"], "2.13.0+cpu"),
        (["2.110.0+cpu", "2.11.0+cpu"], "2.11.0+cpu"),
        (["2.15.0", "2.11.0"], None),
        ([], None),
    ],
)
def test_the_cpu_build_of_torch_is_chosen(offered: list[str], chosen: str | None) -> None:
    assert build_environment.choose_cpu_build(offered, "torch==2.11.*") == chosen


def test_another_series_of_torch_is_taken_for_a_trial_only() -> None:
    offered, wanted = ["2.15.0", "2.13.0+cpu", "2.11.0"], "torch==2.11.*"
    assert build_environment.cpu_requirement(offered, wanted, any_torch=True) == "torch==2.13.0+cpu"
    with pytest.raises(build_environment.BuildError, match=r"torch 2\.13\.0\+cpu.*torch==2\.11.*--any-torch"):
        build_environment.cpu_requirement(offered, wanted, any_torch=False)
    assert build_environment.cpu_requirement(["2.11.0+cpu"], wanted, any_torch=False) == "torch==2.11.0+cpu"
    with pytest.raises(build_environment.BuildError, match="no build of torch for CPUs"):
        build_environment.cpu_requirement(["2.11.0"], wanted, any_torch=True)


def test_the_requirements_are_those_of_the_project() -> None:
    found = build_environment.requirements()
    assert found["torch"].startswith("torch==")
    assert {"numpy", "soundfile", "pyside6-essentials"} <= set(found)


def test_an_interpreter_that_cannot_be_bundled_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(sysconfig, "get_config_var", lambda name: 0)
    with pytest.raises(build_environment.BuildError, match="shared library"):
        build_environment.make(tmp_path / "venv", "cpu")
    assert not (tmp_path / "venv").exists()


# --- the programs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "opened"),
    [("distill-gui", "main_gui"), ("distill-gui.exe", "main_gui"), ("distill", "main"), ("distill.exe", "main")],
)
def test_the_name_decides_what_starts(name: str, opened: str, tmp_path: Path) -> None:
    code = (
        "import sys, distill.__main__ as program\n"
        "program.main = lambda: print('main')\nprogram.main_gui = lambda: print('main_gui')\n"
        f"sys.argv = [{str(tmp_path / name)!r}]\nexec(open({str(PACKAGING / 'launch.py')!r}).read())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == [opened], done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="the bundled PortAudio of Linux")
@pytest.mark.parametrize("on_system", [True, False])
def test_portaudio_is_the_systems_where_there_is_one(on_system: bool, tmp_path: Path) -> None:
    """The runtime hook in a process of its own, with a stand-in for the dynamic loader."""
    code = f"""
import ctypes, json, runpy, sys
sys._MEIPASS = {str(tmp_path)!r}
asked = []
def load(name, mode=0):
    asked.append(name)
    if "/" not in name and not {on_system}:
        raise OSError(name)
ctypes.CDLL = load
runpy.run_path({str(PACKAGING / "hooks" / "rthook_portaudio.py")!r})
from ctypes.util import find_library
print(json.dumps([find_library("portaudio"), asked]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    found, asked = json.loads(done.stdout)
    if on_system:
        assert found == "libportaudio.so.2"
        assert asked == [found]
    else:
        assert found == str(tmp_path / "sound" / "libportaudio.so.2")
        assert asked.index(str(tmp_path / "sound" / "libasound.so.2")) < asked.index(found)


# --- macOS and Windows ------------------------------------------------------------------------------------------


def test_the_macos_application_has_a_dock_icon_and_opens_models(tmp_path: Path) -> None:
    plist = macos_app.info_plist("org.example.App", "14.0")
    assert plist["LSBackgroundOnly"] is False  # PyInstaller sets it for programs with a console
    assert plist["LSMinimumSystemVersion"] == "14.0"
    kinds = {kind for entry in plist["CFBundleDocumentTypes"] for kind in entry["LSItemContentTypes"]}
    assert kinds == {"org.example.App.model", "public.folder"}
    assert plist["UTExportedTypeDeclarations"][0]["UTTypeIdentifier"] in kinds
    assert plistlib.loads(plistlib.dumps(plist)) == plist
    text = (PACKAGING / "distill.spec").read_text(encoding="utf-8")
    assert "info_plist=macos_app.info_plist(kind, macos_app.oldest_system())" in text


def test_the_oldest_macos_is_that_of_the_wheels(tmp_path: Path) -> None:
    def wheel(name: str, *tags: str) -> PathDistribution:
        folder = tmp_path / f"{name}.dist-info"
        folder.mkdir()
        (folder / "WHEEL").write_text("Wheel-Version: 1.0\n" + "".join(f"Tag: {tag}\n" for tag in tags))
        return PathDistribution(folder)

    pure = wheel("pure", "py3-none-any")
    assert macos_app.oldest_system([pure]) == "11.0"
    several = wheel("several", "cp312-cp312-macosx_10_13_x86_64", "cp312-cp312-macosx_12_0_arm64")
    newest = wheel("newest", "cp312-cp312-macosx_14_0_arm64")
    assert macos_app.oldest_system([pure, several]) == "11.0"
    assert macos_app.oldest_system([newest, pure, several]) == "14.0"


def test_the_sign_tool_reaches_the_programs_and_the_installer(tmp_path: Path) -> None:
    tool = 'signtool sign /n "My Name" $f'
    program = tmp_path / "my apps" / "distill.exe"
    assert build.signing_commands(tool, [program]) == [f'signtool sign /n "My Name" "{program}"']
    with pytest.raises(build_environment.BuildError, match=r"\$f"):
        build.signing_commands("signtool sign", [program])
    command = build.inno_setup_command("iscc", tmp_path, tmp_path, tmp_path, tool)
    assert "/Sdistill=signtool sign /n $qMy Name$q $f" in command
    assert "/DSigned" in command
    script = (PACKAGING / "windows" / "distill.iss").read_text(encoding="utf-8")
    assert "#ifdef Signed\nSignTool=distill\n" in script
    defined = {word[2:].split("=")[0] for word in command if word.startswith("/D")}
    assert set(re.findall(r"\{#(\w+)\}", script)) <= defined
    unsigned = build.inno_setup_command("iscc", tmp_path, tmp_path, tmp_path, "")
    assert not any(word.startswith(("/S", "/DSigned")) for word in unsigned)


def test_without_inno_setup_there_is_no_installer_and_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(build_environment.BuildError, match="Inno Setup"):
        build._make_windows_installer(tmp_path, tmp_path, tmp_path)


# --- Debian -----------------------------------------------------------------------------------------------------


def test_the_oldest_c_library_is_read_from_the_headers() -> None:
    headers = "  required from libc.so.6:\n    0x09691a75 0x00 09 GLIBC_2.2.5\n    0x0 0x00 03 GLIBC_2.35\n GLIBC_2.4\n"
    assert linux_packages.oldest_libc(headers + "GLIBCXX_3.4.30\n") == "2.35"


def test_the_checksums_are_those_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "usr" / "bin").mkdir(parents=True)
    (tmp_path / "DEBIAN").mkdir()
    (tmp_path / "DEBIAN" / "control").write_text("control")
    (tmp_path / "usr" / "bin" / "distill").write_bytes(b"program")
    (tmp_path / "usr" / "bin" / "link").symlink_to("distill")
    assert linux_packages._checksums(tmp_path) == f"{hashlib.md5(b'program').hexdigest()}  usr/bin/distill\n"
