"""Makes an AppImage, and what a Flatpak is made from, out of the frozen application.  Neither needs the network.

    python3 packaging/linux_images.py appimage --runtime FILE   makes dist/distill-<version>-<machine>.AppImage
    python3 packaging/linux_images.py flatpak                   fills dist/flatpak and makes a .flatpak from it

Both take the folder that ``packaging/build.py`` has left in ``dist``.

An AppImage is a small program, the runtime of the AppImage project, with a file system in squashfs behind it.  The
runtime is one file that is fetched once, by hand, from that project's releases; ``mksquashfs`` is in Debian's
squashfs-tools.  A Flatpak needs flatpak-builder and the runtime that the manifest names; without them the folder and
the command are left.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import dev
import linux_packages
import release
from build_environment import BuildError, reported

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = ROOT / "packaging" / "linux" / f"{release.DESKTOP_ID}.json"

#: What the runtime starts.  ``distill`` opens the window unless a command is given.
APP_RUN = """\
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
exec "$here/usr/bin/distill" "$@"
"""


def main(arguments: list[str]) -> int:
    """Make what the command line asks for and return the exit code."""
    parser = argparse.ArgumentParser(description="Make an AppImage or a Flatpak of the frozen application.")
    parser.add_argument("kind", choices=("appimage", "flatpak"))
    parser.add_argument("--dist", type=Path, default=ROOT / "dist", help="where the frozen application is")
    parser.add_argument("--pictures", type=Path, default=ROOT / "build" / "cpu" / "pictures", help="icons of the build")
    parser.add_argument("--runtime", type=Path, help="the runtime of the AppImage project for this machine")
    options = parser.parse_args(arguments)
    return reported(lambda: _make(options))


def _make(options: argparse.Namespace) -> int:
    dist, pictures = options.dist.resolve(), options.pictures.resolve()
    if not (dist / "distill" / "distill").is_file():
        raise BuildError(f"There is no frozen application in {dist}. Run packaging/build.py first.")
    if options.kind == "appimage":
        made = make_appimage(dist / "distill", pictures, dist, options.runtime)
    else:
        made = make_flatpak(dist / "distill", pictures, dist)
    dev.say(f"{made}: {made.stat().st_size / 1e6:.0f} MB")
    return 0


def lay_out(bundle: Path, pictures: Path, prefix: Path) -> None:
    """Fill a prefix, as ``/usr`` is one: the program, its two names, and what the desktop reads."""
    linux_packages.link_tree(bundle, prefix / "lib" / "distill")
    (prefix / "bin").mkdir(parents=True)
    for name in ("distill", "distill-gui"):
        (prefix / "bin" / name).symlink_to(f"../lib/distill/{name}")
    linux_packages.lay_out_share(prefix / "share", pictures)
    licences = prefix / "share" / "doc" / "distill"
    licences.mkdir(parents=True)
    shutil.copyfile(bundle / "_internal" / "NOTICES.txt", licences / "NOTICES.txt")


def make_appimage(bundle: Path, pictures: Path, dist: Path, runtime: Path | None) -> Path:
    """Write the AppImage and return it.

    Raises
    ------
    BuildError
        The runtime or mksquashfs is missing.
    subprocess.CalledProcessError
        mksquashfs failed.
    """
    if runtime is None or not runtime.is_file():
        raise BuildError("An AppImage begins with the runtime of the AppImage project: name its file with --runtime.")
    if runtime.read_bytes()[:4] != b"\x7fELF":
        raise BuildError(f"{runtime} is no program.")
    if not (squash := shutil.which("mksquashfs")):
        raise BuildError("mksquashfs is missing (Debian: squashfs-tools).")
    target = dist / f"distill-{release.version()}-{os.uname().machine}.AppImage"
    name = release.DESKTOP_ID
    with tempfile.TemporaryDirectory(dir=dist) as scratch:
        root, image = Path(scratch) / "AppDir", Path(scratch) / "image"
        lay_out(bundle, pictures, root / "usr")
        (root / "AppRun").write_text(APP_RUN, encoding="utf-8")
        (root / "AppRun").chmod(0o755)
        (root / f"{name}.desktop").symlink_to(f"usr/share/applications/{name}.desktop")
        shutil.copyfile(pictures / "distill-256.png", root / f"{name}.png")
        (root / ".DirIcon").symlink_to(f"{name}.png")
        command = [squash, str(root), str(image), "-root-owned", "-noappend", "-quiet", "-comp", "zstd"]
        subprocess.run(command, check=True)
        with target.open("wb") as file:
            for part in (runtime, image):
                with part.open("rb") as source:
                    shutil.copyfileobj(source, file)
    target.chmod(0o755)
    return target


def make_flatpak(bundle: Path, pictures: Path, dist: Path) -> Path:
    """Lay out what the manifest installs, and build the Flatpak where flatpak-builder is there; return the result.

    Raises
    ------
    BuildError
        flatpak-builder is missing; the message says what is ready and how to go on.
    subprocess.CalledProcessError
        flatpak-builder failed.
    """
    folder, target = dist / "flatpak", dist / f"distill-{release.version()}-{os.uname().machine}.flatpak"
    shutil.rmtree(folder, ignore_errors=True)
    lay_out(bundle, pictures, folder / "files")
    shutil.copyfile(MANIFEST, folder / MANIFEST.name)
    build = ["flatpak-builder", "--force-clean", "--disable-download", "--repo=repo", "build", MANIFEST.name]
    pack = ["flatpak", "build-bundle", "repo", str(target), release.DESKTOP_ID]
    if not shutil.which("flatpak-builder"):
        raise BuildError(
            f"{folder} is ready. Where flatpak-builder is installed, run in it: {' '.join(build)} && {' '.join(pack)}"
        )
    for command in (build, pack):
        subprocess.run(command, cwd=folder, check=True)
    return target


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
