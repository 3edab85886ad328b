"""The virtual environment that the application is frozen from: what it runs on, PyInstaller, and nothing else.

It is not the developer's: that has linters and tests, and on Linux the PyTorch build for CUDA with four gigabytes of
libraries, which an installer for everybody must not carry.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import dev

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
PYINSTALLER = "pyinstaller>=6.20,<7"

#: Requirements that are chosen by flavour, not taken as they stand.
_TORCH = "torch"
#: Distill's own code does not import it; scripts of users may.
_NOT_BUNDLED = ("torchaudio",)


class BuildError(Exception):
    """The build cannot go on; the message says why and what to do."""


def reported(work: Callable[[], int]) -> int:
    """Return the exit code of a command that builds; 1 where it cannot go on, which is said in one sentence."""
    try:
        return work()
    except BuildError as error:
        dev.say(str(error))
    except subprocess.CalledProcessError as error:
        dev.say(f"{error.cmd[0]} failed with code {error.returncode}; its message above says why.")
    return 1


def requirements() -> dict[str, str]:
    """Return what pyproject.toml says that Distill runs on: name to requirement."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {re.split(r"[^\w.-]", text, maxsplit=1)[0].lower(): text for text in project["dependencies"]}


def choose_cpu_build(offered: list[str], wanted: str) -> str | None:
    """Return the version of torch's build for CPUs to take, or None where there is none.

    Parameters
    ----------
    offered
        Versions of torch on the package index, newest first.
    wanted
        Distill's requirement, for instance ``torch==2.11.*``.  A CPU build of that series is taken before any other.
    """
    builds = [version for version in offered if version.endswith("+cpu")]
    of_series = [version for version in builds if is_of_series(version, wanted)]
    return next(iter([*of_series, *builds]), None)


def is_of_series(version: str, wanted: str) -> bool:
    """Return whether a version is one of those that a requirement such as ``torch==2.11.*`` names."""
    series = re.search(r"==\s*([\d.]+?)\.?\*", wanted)
    return series is not None and version.startswith(f"{series[1]}.")


def make(folder: Path, flavour: str, any_torch: bool = False) -> Path:
    """Make or renew the environment and return its interpreter.

    Parameters
    ----------
    folder
        Where it is, or is made.
    flavour
        ``cpu`` or ``cuda``.
    any_torch
        Whether another series of torch will do than the one that Distill is tested with, where there is no CPU build
        of that one.

    Raises
    ------
    BuildError
        This Python cannot be frozen, or a package cannot be had.
    """
    _check_interpreter()
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    stamp = folder / "distill-build.json"
    key = hashlib.sha256(repr((requirements(), flavour, any_torch, sys.version, PYINSTALLER)).encode()).hexdigest()
    if stamp.exists() and json.loads(stamp.read_text(encoding="utf-8")).get("key") == key and python.exists():
        return python
    dev.say(f"Making the build environment {folder} ({flavour}).")
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "venv", str(folder)]
    _run(command, "The virtual environment could not be made (on Debian the package python3-venv is needed).")
    _install(python, flavour, any_torch)
    stamp.write_text(json.dumps({"key": key}), encoding="utf-8")
    return python


def _check_interpreter() -> None:
    """Refuse an interpreter that PyInstaller cannot bundle, before half an hour has gone into it."""
    if sys.platform == "linux" and not sysconfig.get_config_var("Py_ENABLE_SHARED"):
        raise BuildError(
            "This Python was built without a shared library, and PyInstaller needs one. Use the system's Python "
            "(Debian: python3 with libpython3.11), or one that was configured with --enable-shared."
        )


def _install(python: Path, flavour: str, any_torch: bool) -> None:
    wanted = {name: text for name, text in requirements().items() if name not in _NOT_BUNDLED}
    torch = wanted.pop(_TORCH)
    for_cpu_on_linux = flavour == "cpu" and sys.platform == "linux"
    if for_cpu_on_linux:  # elsewhere the index's usual build is the one for CPUs (and Apple's GPU)
        torch = cpu_requirement(_offered(python), torch, any_torch)
    failed = "The packages could not be installed; pip's message above says why."
    _run(_pip(python, "install", *wanted.values(), torch, PYINSTALLER), failed)
    if flavour == "cpu" and _answer(python, "import torch; print(torch.version.cuda)") != "None":
        raise BuildError("The torch that was installed is built for CUDA. Build with --flavour cuda.")


def _offered(python: Path) -> list[str]:
    """Return the versions of torch on this environment's package index, newest first."""
    command = [str(python), "-m", "pip", "index", "versions", _TORCH]
    listing = subprocess.run(command, capture_output=True, text=True)
    found = re.search(r"^Available versions: (.+)$", listing.stdout, re.MULTILINE)
    return found[1].split(", ") if found else []


def cpu_requirement(offered: list[str], wanted: str, any_torch: bool) -> str:
    """Return the requirement of a CPU build that the package index offers.

    Raises
    ------
    BuildError
        There is none, or only one of a series that Distill was not tested with, and ``any_torch`` is false.
    """
    version = choose_cpu_build(offered, wanted)
    other_index = "Point pip to an index that does (the variables PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS)"
    if version is None:
        raise BuildError(
            f"The package index offers no build of torch for CPUs. {other_index}, or build with --flavour cuda."
        )
    if not is_of_series(version, wanted) and not any_torch:
        raise BuildError(
            f"The package index offers torch {version}, but no CPU build of the series that Distill is tested with "
            f"({wanted}). {other_index}, or build with --any-torch for a trial; such a build is not released."
        )
    dev.say(f"torch {version} is the CPU build taken; Distill asks for {wanted}.")
    return f"{_TORCH}=={version}"


def _answer(python: Path, code: str) -> str:
    return subprocess.run([str(python), "-P", "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def _pip(python: Path, *arguments: str) -> list[str]:
    command, *rest = arguments
    return [str(python), "-m", "pip", command, "--disable-pip-version-check", "--quiet", *rest]


def _run(command: list[str], message: str) -> None:
    if subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL).returncode != 0:
        raise BuildError(message)
