"""AppImage and Flatpak: laid out from a small bundle, with stand-ins for the tools that make the images."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import linux_images
import linux_packages
import release
from build_environment import BuildError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="images for Linux")

NAME = release.DESKTOP_ID
#: In place of mksquashfs: the "image" is the list of what is in the folder.
SQUASH = '#!/bin/sh\n(cd "$1" && find . | sort) > "$2"\n'


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """Return a folder with a small frozen application, whose program prints what it is called with."""
    bundle = tmp_path / "dist" / "distill"
    (bundle / "_internal").mkdir(parents=True)
    (bundle / "_internal" / "NOTICES.txt").write_text("notices")
    (bundle / "distill").write_text('#!/bin/sh\necho "ran $(basename "$0")" "$@"\n')
    (bundle / "distill").chmod(0o755)
    (bundle / "distill-gui").symlink_to("distill")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for side in linux_packages.ICON_SIDES:
        (pictures / f"distill-{side}.png").write_bytes(b"picture")
    return tmp_path / "dist"


def call(dist: Path, *words: str) -> int:
    return linux_images.main([*words, "--dist", str(dist), "--pictures", str(dist.parent / "pictures")])


def tool(folder: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(script)
    (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_an_appimage_is_the_runtime_and_the_file_system(
    dist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool(tmp_path / "bin", "mksquashfs", SQUASH, monkeypatch)
    runtime = tmp_path / "runtime"
    runtime.write_bytes(b"\x7fELF and more")
    assert call(dist, "appimage", "--runtime", str(runtime)) == 0
    target = dist / f"distill-{release.version()}-{os.uname().machine}.AppImage"
    assert os.access(target, os.X_OK)
    data = target.read_bytes()
    assert data.startswith(b"\x7fELF and more")
    listed = data.removeprefix(b"\x7fELF and more").decode().split()
    assert {
        "./AppRun", f"./{NAME}.desktop", f"./{NAME}.png", "./.DirIcon", "./usr/bin/distill-gui",
        f"./usr/share/metainfo/{NAME}.metainfo.xml", f"./usr/share/applications/{NAME}.desktop",
        "./usr/lib/distill/_internal/NOTICES.txt",
    } <= set(listed)  # fmt: skip
    assert {path.name for path in dist.iterdir()} == {"distill", target.name}  # no scratch is left


def test_what_the_appimage_starts_opens_the_window_or_runs_a_command(dist: Path, tmp_path: Path) -> None:
    root = tmp_path / "a mount"
    linux_images.lay_out(dist / "distill", tmp_path / "pictures", root / "usr")
    (root / "AppRun").write_text(linux_images.APP_RUN)
    (root / "AppRun").chmod(0o755)
    for words in ([], ["train", "my sounds", "--epochs", "3"]):
        done = subprocess.run([root / "AppRun", *words], capture_output=True, text=True, timeout=60)
        assert done.stdout.split() == ["ran", "distill", *" ".join(words).split()]


@pytest.mark.parametrize(
    ("runtime", "said"), [(None, "--runtime"), (b"<html>", "no program"), (b"\x7fELF", "squashfs-tools")]
)
def test_what_is_missing_for_an_appimage_is_said(
    dist: Path,
    tmp_path: Path,
    runtime: bytes | None,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    words = ["appimage"]
    if runtime is not None:
        (tmp_path / "runtime").write_bytes(runtime)
        words += ["--runtime", str(tmp_path / "runtime")]
    assert call(dist, *words) == 1
    assert said in "".join(capsys.readouterr())


def test_without_a_bundle_nothing_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert linux_images.main(["flatpak", "--dist", str(tmp_path)]) == 1
    assert "build.py" in "".join(capsys.readouterr())


def test_a_flatpak_installs_what_was_laid_out(dist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in for flatpak-builder runs the commands of the manifest, with a folder in place of ``/app``."""
    app = tmp_path / "app"
    app.mkdir()
    manifest = json.loads(linux_images.MANIFEST.read_text())
    (module,) = manifest["modules"]
    commands = "\n".join(module["build-commands"]).replace("/app/", f"{app}/")
    script = f"#!/bin/sh\nset -e\ncd {module['sources'][0]['path']}\n{commands}\n"
    tool(tmp_path / "bin", "flatpak-builder", script, monkeypatch)
    tool(tmp_path / "bin", "flatpak", '#!/bin/sh\necho "$@" > "$3"\n', monkeypatch)
    assert call(dist, "flatpak") == 0
    target = dist / f"distill-{release.version()}-{os.uname().machine}.flatpak"
    assert target.read_text().split() == ["build-bundle", "repo", str(target), NAME]
    program = app / "bin" / manifest["command"]
    assert subprocess.run([program], capture_output=True, text=True, timeout=60).stdout == "ran distill\n"
    exported = [
        path for kind in ("applications", "metainfo", "mime", "icons") for path in (app / "share" / kind).rglob("*.*")
    ]
    assert exported
    assert all(path.name.startswith(NAME) for path in exported if path.is_file())  # others are not exported


def test_the_manifest_has_the_names_of_the_desktop(dist: Path, tmp_path: Path) -> None:
    manifest = json.loads(linux_images.MANIFEST.read_text())
    assert manifest["app-id"] == NAME
    assert linux_images.MANIFEST.stem == NAME
    assert {"--socket=pulseaudio", "--socket=wayland", "--socket=fallback-x11"} <= set(manifest["finish-args"])


def test_without_flatpak_builder_the_folder_and_the_command_are_left(
    dist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(BuildError, match=r"flatpak-builder --force-clean .*org\.distill_audio\.Distill"):
        linux_images.make_flatpak(dist / "distill", dist.parent / "pictures", dist)
    assert (dist / "flatpak" / f"{NAME}.json").is_file()
    assert (dist / "flatpak" / "files" / "bin" / "distill").is_symlink()
