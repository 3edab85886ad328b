"""The one script that a fresh checkout needs; it uses nothing but Python's standard library.

``python3 packaging/dev.py``
    sets everything up and opens Distill.  Where there is no screen it trains on the built-in demo sounds in the
    terminal instead.  Arguments are passed on: ``python3 packaging/dev.py ~/sounds``.
``python3 packaging/dev.py test``
    sets everything up and runs every check: ruff, mypy, pytest.  Arguments are passed on to pytest.
``python3 packaging/dev.py lint``
    the checks that take seconds: ruff, mypy and import-linter.  The hooks of ``.pre-commit-config.yaml`` call it.
``python3 packaging/dev.py setup``
    only sets everything up.

Setting up means: system libraries (where apt-get is there and may be used), a virtual environment in ``.venv``, and
in it Distill with its dependencies.  What is already done is not done again.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

OLDEST_PYTHON = (3, 11)

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"

#: A first run without a screen is to show within a few minutes that all works, not to make a good model.
DEMO_EPOCHS = "30"

#: Each process of the tests loads torch, which takes about a gigabyte of memory.
MOST_TEST_PROCESSES = 4

#: Written last, when everything is installed: what it was installed from.
STAMP = VENV / "distill-setup.json"
#: There while packages are being installed: if it is found at the start, the last setup was cut off half-way.
UNFINISHED = VENV / "distill-setup-unfinished"

#: Debian packages that the application needs: sound output, and what Qt's wheel expects to find on the system.
APPLICATION_PACKAGES = (
    "libportaudio2", "libasound2-plugins", "libegl1", "libgl1", "libfontconfig1", "libdbus-1-3",
    "libxkbcommon-x11-0", "libxcb-cursor0", "libxcb-icccm4", "libxcb-keysyms1", "libxcb-image0",
    "libxcb-render-util0", "libxcb-shape0", "libxcb-xinerama0", "fonts-dejavu-core",
)  # fmt: skip
#: Debian packages that only the tests need: a screen and a sound card of their own, checks of desktop files, tools.
TEST_PACKAGES = ("pulseaudio", "pulseaudio-utils", "xvfb", "xdotool", "imagemagick", "desktop-file-utils", "appstream",
                 "binutils")  # fmt: skip
#: What each command needs of the system.
PACKAGES_FOR = {
    "run": APPLICATION_PACKAGES, "lint": (), "setup": APPLICATION_PACKAGES + TEST_PACKAGES,
    "test": APPLICATION_PACKAGES + TEST_PACKAGES,
}  # fmt: skip


def main(arguments: list[str]) -> int:
    """Do what the command line asks for and return the exit code."""
    if sys.version_info < OLDEST_PYTHON:
        wanted = ".".join(map(str, OLDEST_PYTHON))
        say(f"Distill needs Python {wanted} or newer; this is {platform.python_version()}. Run it with a newer one.")
        return 1
    if arguments[:1] in (["-h"], ["--help"]):
        print(__doc__)
        return 0
    command = arguments[0] if arguments[:1] in (["test"], ["lint"], ["setup"]) else "run"
    rest = arguments if command == "run" else arguments[1:]
    if command in ("setup", "lint") and rest:
        say(f"{command} takes no arguments, but was given {' '.join(rest)}.")
        return 2
    try:
        set_up(PACKAGES_FOR[command])
    except SetupError as error:
        say(str(error))
        return error.code
    if command == "test":
        return check({"pytest": ["pytest", *(rest or in_parallel())]})
    if command == "lint":
        return check({"import-linter": ["pytest", "tests/test_guards.py", "-k", "contracts", "-p", "no:xdist"]})
    return open_application(rest) if command == "run" else 0


class SetupError(Exception):
    """Setting up cannot go on; the message says why and what to do."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code or 1


def say(message: str) -> None:
    """Tell the user what is going on, apart from what the programs themselves print."""
    print(f"[distill] {message}", file=sys.stderr, flush=True)


# --- setting up -------------------------------------------------------------------------------------------------


def set_up(packages: tuple[str, ...]) -> None:
    """Bring system packages and virtual environment to what this checkout needs.

    Raises
    ------
    SetupError
        The environment cannot be made, or a dependency cannot be installed.
    """
    stamp = read_stamp()
    given_up = set(stamp.get("unavailable", ()))
    given_up |= install_system_packages(packages, given_up)
    key = setup_key()
    if stamp.get("key") != key or UNFINISHED.exists() or not venv_works():
        started = time.monotonic()
        install(fresh=UNFINISHED.exists() or not venv_works())
        say(f"Set up in {time.monotonic() - started:.0f} s.")
    write_stamp({"key": key, "unavailable": sorted(given_up)})


def setup_key() -> str:
    """Return a digest of all that decides what belongs into the environment."""
    parts = [(ROOT / "pyproject.toml").read_bytes(), sys.version.encode(), platform.machine().encode(), bytes(VENV)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def read_stamp() -> dict[str, Any]:
    """Return what the last complete setup left, or an empty dict."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(stamp: dict[str, Any]) -> None:
    """Record a complete setup."""
    partial = STAMP.with_suffix(".part")
    partial.write_text(json.dumps(stamp, indent=1), encoding="utf-8")
    partial.replace(STAMP)


def venv_python() -> Path:
    """Return the path of the environment's interpreter."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def venv_works() -> bool:
    """Whether the environment has an interpreter of this version that starts and has pip."""
    if not venv_python().exists():
        return False
    question = "import sys, pip; print(sys.version)"
    answer = subprocess.run([str(venv_python()), "-P", "-c", question], capture_output=True, text=True)
    return answer.returncode == 0 and answer.stdout.strip() == sys.version


def install(fresh: bool) -> None:
    """Make the environment where it is missing or broken (``fresh``), and install Distill with all it needs.

    If pip is killed, what it leaves may look installed and not work.  The file `UNFINISHED` then tells the next
    setup to start from nothing.  A pip that fails by itself cleans up behind it.
    """
    STAMP.unlink(missing_ok=True)
    if fresh:
        say(f"Making the virtual environment {VENV}.")
        if subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], cwd=ROOT).returncode != 0:
            raise SetupError(
                "The virtual environment could not be made. On Debian and Ubuntu the package python3-venv is needed: "
                "sudo apt-get install python3-venv"
            )
    UNFINISHED.touch()
    say("Installing Distill and what it needs (a few minutes the first time; PyTorch is large).")
    command = [str(venv_python()), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    code = subprocess.run([*command, "--editable", ".[dev]"], cwd=ROOT, stdin=subprocess.DEVNULL).returncode
    if code != 0:
        if code > 0:
            UNFINISHED.unlink()
        raise SetupError("The dependencies could not be installed; pip's message above says why.", code)
    UNFINISHED.unlink()


# --- system packages --------------------------------------------------------------------------------------------


def install_system_packages(packages: tuple[str, ...], given_up: set[str]) -> set[str]:
    """Install the Debian packages that are missing, and return those that could not be had.

    Other systems have these libraries already or name them differently.  A package that is missing does not end
    the setup: a musician's computer plays sound without PulseAudio's tools.

    Parameters
    ----------
    packages
        Names of the packages.
    given_up
        Packages that an earlier setup could not get; they are not tried again.
    """
    if not (shutil.which("apt-get") and shutil.which("dpkg-query")):
        return set()
    missing = missing_packages(packages)
    wanted = [name for name in missing if name not in given_up]
    if not wanted:
        return set(missing)
    rights = administrator_prefix()
    if rights is None:
        say("System packages are missing, and only an administrator can install them. Without them the window may not")
        say(f"open or be silent. Please run: sudo apt-get install {' '.join(wanted)}")
        return set()
    say(f"Installing system packages: {' '.join(wanted)}")
    apt = [*rights, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    subprocess.run([*apt, "update"], stdin=subprocess.DEVNULL)
    install_them = [*apt, "install", "--yes", "--no-install-recommends"]
    if subprocess.run([*install_them, *wanted], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode != 0:
        for name in wanted:  # one name that this release does not know must not hold up the others
            subprocess.run([*install_them, name], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    still_missing = set(missing_packages(packages))
    if still_missing:
        say(f"Going on without these system packages, which could not be installed: {' '.join(sorted(still_missing))}")
    return still_missing


def missing_packages(packages: tuple[str, ...]) -> list[str]:
    """Return those of the Debian packages that are not installed."""
    query = ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n", *packages]
    answer = subprocess.run(query, capture_output=True, text=True)
    installed = {line.split()[0] for line in answer.stdout.splitlines() if line.endswith(" installed")}
    return [name for name in packages if name not in installed]


def administrator_prefix() -> list[str] | None:
    """Return what to put before a command that needs administrator rights, or None where there are none to be had."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True).returncode == 0:
        return [sudo, "-n"]
    return None


# --- running ----------------------------------------------------------------------------------------------------


def open_application(arguments: list[str]) -> int:
    """Open the window, or train on the demo sounds where there is no screen."""
    if not arguments and not has_screen():
        say("There is no screen here, so Distill trains on its demo sounds in the terminal. Ctrl-C stops it.")
        arguments = ["train", "--demo", "--epochs", DEMO_EPOCHS]
    command = [str(venv_python()), "-P", "-m", "distill", *arguments]
    if os.name == "posix":
        os.execv(command[0], command)  # signals and the exit code then need no passing on
    return subprocess.run(command).returncode


def has_screen() -> bool:
    """Whether a window can be shown."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def check(tests: dict[str, list[str]]) -> int:
    """Run ruff, mypy and the tests, all of them also after one has failed; return the first exit code that is not 0.

    Parameters
    ----------
    tests
        Name to command, as for ``python -m``.
    """
    checks = {
        "ruff check": ["ruff", "check"],
        "ruff format": ["ruff", "format", "--check"],
        "mypy": ["mypy"],
        **tests,
    }
    codes = {}
    for name, command in checks.items():
        say(name)
        done = subprocess.run([str(venv_python()), "-m", *command], cwd=ROOT, stdin=subprocess.DEVNULL)
        codes[name] = done.returncode
    failed = {name: code for name, code in codes.items() if code != 0}
    say(f"Failed: {', '.join(failed)}" if failed else "All checks passed.")
    return next(iter(failed.values()), 0)


def in_parallel() -> list[str]:
    """Return what has pytest run several files of tests at once; each process has its own screen and sound card."""
    return ["-n", str(min(MOST_TEST_PROCESSES, os.cpu_count() or 1)), "--dist", "loadfile"]


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
