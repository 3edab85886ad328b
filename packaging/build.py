"""Builds the application that needs no Python, and its installers: ``python3 packaging/build.py``.

Works from a fresh clone, with nothing but Python's standard library.  It makes an environment of its own, freezes the
program with PyInstaller (packaging/distill.spec), and packs it as this system wants it:

    Linux     distill_<version>_amd64.deb (where dpkg-deb is there) and distill-<version>-linux-x86_64.tar.xz
    Windows   distill-<version>-windows.exe (needs Inno Setup)
    macOS     distill-<version>-macos-<machine>.dmg

Both go to ``dist``.  ``packaging/smoke_test.py`` tries the result; packaging/README.md says more.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

import dev

if sys.version_info < dev.OLDEST_PYTHON:
    sys.exit("[distill] Building Distill needs Python 3.11 or newer.")

import build_environment
import linux_packages
import notices
import release
import symbols
from build_environment import BuildError

ROOT = Path(__file__).resolve().parent.parent
PACKAGING = ROOT / "packaging"

#: Debian packages that freezing and packing need beside those of the application.
BUILD_PACKAGES = ("binutils", "xz-utils", "libxcb-xkb1", "libwayland-client0", "libwayland-cursor0",
                  "libwayland-egl1")  # fmt: skip

#: So many of the largest parts are named at the end.
PARTS_NAMED = 12


def main(arguments: list[str]) -> int:
    """Build what the command line asks for and return the exit code."""
    parser = argparse.ArgumentParser(description="Build the application that needs no Python, and its installers.")
    parser.add_argument(
        "--flavour", choices=("cpu", "cuda"), default="cpu",
        help="the PyTorch to bundle: cpu (for installers), or cuda, for NVIDIA graphics cards (several GB)",
    )  # fmt: skip
    parser.add_argument(
        "--any-torch", action="store_true",
        help="for a trial: bundle another series of PyTorch where there is no CPU build of the tested one",
    )  # fmt: skip
    parser.add_argument("--dist", type=Path, default=ROOT / "dist", help="where the results go")
    parser.add_argument("--work", type=Path, default=ROOT / "build", help="where the environment and scratch files go")
    parser.add_argument("--bundle-only", action="store_true", help="freeze, and make no installer")
    options = parser.parse_args(arguments)
    return build_environment.reported(lambda: _build(options))


def _build(options: argparse.Namespace) -> int:
    started = time.monotonic()
    work, dist = options.work.resolve() / options.flavour, options.dist.resolve()
    bundle = freeze(options.flavour, work, dist, options.any_torch)
    made = [bundle]
    if not options.bundle_only:
        made += make_installers(bundle, work, dist)
    for path in made:
        dev.say(f"{path}: {_size(path) / 1e6:.0f} MB")
    for size, name in largest_parts(bundle)[:PARTS_NAMED]:
        dev.say(f"    {size / 1e6:6.1f} MB  {name}")
    dev.say(f"Built in {time.monotonic() - started:.0f} s. Try it: python3 packaging/smoke_test.py {bundle}")
    return 0


def freeze(flavour: str, work: Path, dist: Path, any_torch: bool) -> Path:
    """Make the frozen application and return its folder (on macOS the .app).

    Raises
    ------
    BuildError
        The environment cannot be made.
    subprocess.CalledProcessError
        PyInstaller, or one of the steps before it, failed.
    """
    if sys.platform == "linux":
        dev.install_system_packages(dev.APPLICATION_PACKAGES + BUILD_PACKAGES, set())
    work.mkdir(parents=True, exist_ok=True)
    python = build_environment.make(work / "venv", flavour, any_torch)
    pictures, notice_file = work / "pictures", work / "NOTICES.txt"
    _run(python, PACKAGING / "pictures.py", pictures)
    _run(python, PACKAGING / "notices.py", notice_file)
    dev.say("Freezing; this takes a few minutes.")
    variables = {
        "DISTILL_BUILD_PICTURES": str(pictures),
        "DISTILL_BUILD_NOTICES": str(notice_file),
        "DISTILL_BUILD_ID": release.DESKTOP_ID,
        "PYTHONPATH": str(ROOT / "src"),
        "PYTHONHASHSEED": "1",  # the same sources give the same archive
    }
    target = dist / "distill"
    shutil.rmtree(target, ignore_errors=True)
    _run(
        python, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN", "--distpath", dist,
        "--workpath", work / "scratch", PACKAGING / "distill.spec", **variables,
    )  # fmt: skip
    if sys.platform == "darwin":
        (dist / "Distill.app" / "Contents" / "MacOS" / "distill-gui").symlink_to("distill")
        _check_notices(python, target / "_internal", work / "scratch")
        return dist / "Distill.app"
    if sys.platform == "linux":
        (target / "distill-gui").symlink_to("distill")
        dropped = sum(symbols.drop(path) for path in sorted(target.rglob("*.so*")) if not path.is_symlink())
        dev.say(f"Symbols that nothing reads: {dropped / 1e6:.0f} MB left out.")
        _add_library_notices(target / "_internal")
    _check_notices(python, target / "_internal", work / "scratch")
    return target


def _add_library_notices(internal: Path) -> None:
    """Add to the notices the licences of the libraries of the system and of wheels that PyInstaller took along."""
    folders = [internal, internal / "sound", *sorted(internal.glob("*.libs"))]
    libraries = [path for folder in folders for path in folder.glob("lib*.so*") if not path.is_symlink()]
    libraries = [path for path in libraries if not path.name.startswith("libpython")]
    with (internal / "NOTICES.txt").open("a", encoding="utf-8") as file:
        file.write(notices.library_notices(libraries))


def _check_notices(python: Path, internal: Path, scratch: Path) -> None:
    """Refuse a bundle that holds what its notices do not name."""
    listings = sorted(scratch.rglob("PYZ-*.toc"))
    command = [python, PACKAGING / "notices.py", "--check", internal, listings[0]]
    if subprocess.run(list(map(str, command))).returncode != 0:
        raise BuildError("The bundle holds what its notices do not name; see above.")


def make_installers(bundle: Path, work: Path, dist: Path) -> list[Path]:
    """Pack the bundle as this system wants it and return the files."""
    pictures = work / "pictures"
    if sys.platform == "linux":
        made = [linux_packages.make_archive(bundle, pictures, dist)]
        if shutil.which("dpkg-deb"):
            made.append(linux_packages.make_deb(bundle, pictures, dist))
        return made
    if sys.platform == "darwin":
        target = dist / f"distill-{release.version()}-macos-{platform.machine()}.dmg"
        subprocess.run(["bash", str(PACKAGING / "macos" / "make_dmg.sh"), str(bundle), str(target)], check=True)
        return [target]
    return [_make_windows_installer(bundle, pictures, dist)]


def _make_windows_installer(bundle: Path, pictures: Path, dist: Path) -> Path:
    compiler = shutil.which("iscc") or r"C:\Program Files (x86)\Inno Setup 6\ISCC.exe"
    if not Path(compiler).exists():
        raise BuildError("Inno Setup is not here. Install it (jrsoftware.org), or build with --bundle-only.")
    sign_tool = os.environ.get("DISTILL_SIGNTOOL", "")
    if sign_tool:
        for command in signing_commands(sign_tool, [bundle / "distill.exe", bundle / "distill-gui.exe"]):
            subprocess.run(command, check=True)
    else:
        dev.say("DISTILL_SIGNTOOL is not set: programs and installer are not signed, and Windows will warn of them.")
    subprocess.run(inno_setup_command(compiler, bundle, pictures, dist, sign_tool), check=True)
    return dist / f"distill-{release.version()}-windows.exe"


def signing_commands(sign_tool: str, programs: list[Path]) -> list[str]:
    """Return a command line that signs each program; ``$f`` in the tool's stands for the file.

    Raises
    ------
    BuildError
        The tool's command line does not say where the file goes.
    """
    if "$f" not in sign_tool:
        raise BuildError("DISTILL_SIGNTOOL must have $f where the name of the file goes.")
    return [sign_tool.replace("$f", f'"{program}"') for program in programs]


def inno_setup_command(compiler: str, bundle: Path, pictures: Path, dist: Path, sign_tool: str) -> list[str]:
    """Return the command that makes the installer, and signs it where there is a tool for that."""
    defines = {"Version": release.version(), "Bundle": bundle, "Target": dist, "Icon": pictures / "distill.ico"}
    command = [compiler, *(f"/D{name}={value}" for name, value in defines.items())]
    if sign_tool:
        quoted = sign_tool.replace('"', "$q")  # Inno Setup's own sign for a quotation mark; it quotes $f by itself
        command += [f"/Sdistill={quoted}", "/DSigned"]
    return [*command, str(PACKAGING / "windows" / "distill.iss")]


def largest_parts(bundle: Path) -> list[tuple[int, str]]:
    """Return the size in bytes and name of the parts of a bundle, largest first; a package's folder is one part."""
    sizes: dict[str, int] = {}
    for path in bundle.rglob("*"):
        if path.is_file() and not path.is_symlink():
            parts = [part for part in path.relative_to(bundle).parts if part != "_internal"]
            name = "/".join(parts[:3]) if parts[0] == "torch" and parts[1:2] == ["lib"] else parts[0]
            sizes[name] = sizes.get(name, 0) + path.stat().st_size
    return sorted(((size, name) for name, size in sizes.items()), reverse=True)


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(inner.stat().st_size for inner in path.rglob("*") if inner.is_file() and not inner.is_symlink())


def _run(python: Path, *arguments: str | Path, **variables: str) -> None:
    """Run a step in the build environment."""
    command = [str(python), *map(str, arguments)]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **variables}, stdin=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
