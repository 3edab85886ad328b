"""Names, versions, licences and what the desktop reads: said once, and the same in each installer."""

import ast
import os
import re
import shutil
import struct
import subprocess
import sys
from importlib import metadata
from importlib.metadata import PathDistribution
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PySide6.QtGui import QGuiApplication

import distill
import linux_packages
import pictures
import release
import smoke_test
from distill import updates
from tests.support.processes import find_program

ROOT = Path(__file__).resolve().parents[1]
LINUX = ROOT / "resources" / "linux"


def constant_of(path: Path, name: str) -> Any:
    """Return the value of a name that a file sets to a literal."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            assert isinstance(node, ast.Assign)
            return ast.literal_eval(node.value)
    raise AssertionError(f"{path} does not set {name}")


# --- names and versions -----------------------------------------------------------------------------------------


def test_there_is_one_version() -> None:
    assert release.version() == distill.__version__ == release.changelog()[0].version


def test_one_name_leads_from_the_menu_to_the_window() -> None:
    name = release.DESKTOP_ID
    assert constant_of(ROOT / "src" / "distill" / "gui" / "app.py", "DESKTOP_ID") == name
    entry = dict(re.findall(r"^(\w+)=(.*)$", (LINUX / f"{name}.desktop").read_text(), re.MULTILINE))
    description = ElementTree.parse(LINUX / f"{name}.metainfo.xml").getroot()
    kind = ElementTree.parse(LINUX / f"{name}.xml").getroot()[0]
    assert description.findtext("id") == entry["Icon"] == name
    assert description.findtext("launchable") == f"{name}.desktop"
    assert description.findtext("project_license") == release.licence()
    assert entry["MimeType"] == f"{kind.get('type')};"
    assert description.findtext("provides/mediatype") == kind.get("type")
    assert [glob.get("pattern") for glob in kind if glob.tag.endswith("glob")] == ["*.distill"]


def test_the_smoke_test_waits_for_what_the_window_says() -> None:
    assert smoke_test.REACHED in (ROOT / "src" / "distill" / "gui" / "app.py").read_text(encoding="utf-8")


def test_the_changelog_is_read_with_its_folded_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".github").mkdir()
    file = tmp_path / ".github" / "CHANGELOG.md"
    monkeypatch.setattr(release, "ROOT", tmp_path)
    file.write_text(
        "# Changes\n\n## 1.2.0 (2026-02-03)\n\n- One\n  and a half.\n- Two.\n\n## 1.1.0 (2026-01-02)\n\n- A.\n"
    )
    newest, older = release.changelog()
    assert newest == release.Release("1.2.0", "2026-02-03", ("One and a half.", "Two."))
    assert older.changes == ("A.",)
    debian = release.debian_changelog("Somebody <somebody@example.org>")
    assert "distill (1.2.0) stable; urgency=medium\n\n  * One and a half.\n  * Two.\n" in debian
    assert " -- Somebody <somebody@example.org>  Tue, 03 Feb 2026 12:00:00 +0000\n" in debian
    file.write_text("## next\n\n- One\n")
    with pytest.raises(ValueError, match="no heading"):
        release.changelog()


def test_the_bundle_says_what_an_installed_package_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / f"distill-{distill.__version__}.dist-info"
    folder.mkdir()
    own = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    own = re.sub(r"^\[project\.urls\]\n(?:(?!\[).*\n)*", "", own, flags=re.MULTILINE)
    (tmp_path / "pyproject.toml").write_text(f'{own}\n[project.urls]\nRepository = "https://github.com/some/body"\n')
    monkeypatch.setattr(release, "version", lambda: "1.2.3")
    monkeypatch.setattr(release, "ROOT", tmp_path)
    (folder / "METADATA").write_text(release.metadata(), encoding="utf-8")
    found = PathDistribution(folder)
    assert found.version == "1.2.3"
    assert found.metadata["License-Expression"] == "MIT"
    assert found.metadata["Author"]
    monkeypatch.setattr(metadata, "metadata", lambda name: found.metadata)
    assert updates.repository() == "some/body"
    recipe = (ROOT / "packaging" / "distill.spec").read_text(encoding="utf-8")
    assert '(str(METADATA), f"distill-{VERSION}.dist-info")' in recipe


# --- what the desktop reads -------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="Linux")
def test_the_desktop_finds_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "repository", lambda: "")
    drawn = tmp_path / "pictures"
    drawn.mkdir()
    for side in linux_packages.ICON_SIDES:
        (drawn / f"distill-{side}.png").write_bytes(b"picture")
    share = tmp_path / "share"
    linux_packages.lay_out_share(share, drawn)
    name = release.DESKTOP_ID
    assert (share / "icons" / "hicolor" / "48x48" / "apps" / f"{name}.png").read_bytes() == b"picture"
    assert (share / "mime" / "packages" / f"{name}.xml").is_file()
    entry = share / "applications" / f"{name}.desktop"
    metainfo = share / "metainfo" / f"{name}.metainfo.xml"
    assert not any(node.tag in ("url", "screenshot") for node in ElementTree.parse(metainfo).getroot().iter())
    _validate(entry, metainfo)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux")
def test_the_description_has_releases_addresses_and_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "repository", lambda: "https://github.com/some/body")
    metainfo = tmp_path / f"{release.DESKTOP_ID}.metainfo.xml"
    metainfo.write_bytes(linux_packages.metainfo())
    root = ElementTree.parse(metainfo).getroot()
    assert [node.get("version") for node in root.iter("release")] == [entry.version for entry in release.changelog()]
    assert {node.get("type"): node.text for node in root.iter("url")}[
        "bugtracker"
    ] == "https://github.com/some/body/issues"
    pictures = [str(node.text) for node in root.iter("image")]
    start = f"https://github.com/some/body/raw/v{distill.__version__}/"
    assert len(pictures) == 2
    assert all(text.startswith(start) and (ROOT / text.removeprefix(start)).is_file() for text in pictures)
    assert len(root.findall("screenshots/screenshot[@type='default']")) == 1
    _validate(LINUX / f"{release.DESKTOP_ID}.desktop", metainfo)


def _validate(entry: Path, metainfo: Path) -> None:
    checks = [
        [find_program("desktop-file-validate", "desktop-file-utils"), str(entry)],
        [find_program("appstreamcli", "appstream"), "validate", "--no-net", "--explain", str(metainfo)],
    ]
    for command in checks:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="Linux")
def test_the_debian_package_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTILL_MAINTAINER", "Somebody <somebody@example.org>")
    text = linux_packages._control("amd64", 1234, "libasound2, libc6 (>= 2.36)")
    fields = dict(re.findall(r"^([\w-]+): (.*)$", text, re.MULTILINE))
    assert fields["Version"] == distill.__version__
    assert fields["Installed-Size"] == "1234"
    assert fields["Depends"] == "libasound2, libc6 (>= 2.36)"
    assert fields["Maintainer"] == "Somebody <somebody@example.org>"
    assert "{" not in text
    assert all(line.startswith(" ") or ": " in line for line in text.splitlines())


def test_icons_for_windows_and_mac_hold_every_size(qapp: QGuiApplication) -> None:
    drawn = {side: pictures.render(side) for side in (16, 32, 256)}
    icon = pictures.windows_icon(drawn)
    assert struct.unpack_from("<HHH", icon) == (0, 1, 3)
    for number, (side, data) in enumerate(drawn.items()):
        width, height, _, _, _, depth, length, offset = struct.unpack_from("<BBBBHHII", icon, 6 + 16 * number)
        assert (width or 256, height or 256, depth) == (side, side, 32)
        assert icon[offset : offset + length] == data
        assert struct.unpack_from(">II", data, 16) == (side, side)  # what the PNG says of itself
    mac = pictures.mac_icon(drawn)
    assert mac[:4] == b"icns"
    assert struct.unpack_from(">I", mac, 4) == (len(mac),)
    assert mac[8:12] == b"icp4"
    assert mac[16 : 16 + len(drawn[16])] == drawn[16]


# --- the workflow -----------------------------------------------------------------------------------------------


def test_the_notes_name_what_is_missing_and_what_is_not_signed() -> None:
    files = ["distill_0.1.0_amd64.deb", "distill-0.1.0-linux-x86_64.tar.xz", "distill-0.1.0-windows.exe"]
    text = release.notes(files, [])
    assert text.startswith(f"- {release.changelog()[0].changes[0]}")
    assert "Not signed: Windows." in text
    assert "Could not be built: Linux (ARM), Linux (ARM), portable, macOS (Apple silicon)." in text
    assert "Not signed" not in release.notes(files, ["Windows"])


def test_a_tag_that_is_not_the_version_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert release.main(["--check-tag", f"v{distill.__version__}"]) == 0
    assert release.main(["--check-tag", "v99.0.0"]) == 1
    assert "99.0.0" in capsys.readouterr().err


def test_the_commands_of_the_workflow_are_there() -> None:
    """Each file that the workflow runs, and each installer that its patterns name."""
    text = (ROOT / ".github" / "workflows" / "installers.yml").read_text(encoding="utf-8")
    scripts = set(re.findall(r"packaging/\w+\.py", text))
    assert {"packaging/build.py", "packaging/smoke_test.py", "packaging/release.py"} <= scripts
    assert all((ROOT / script).is_file() for script in scripts)
    assert set(re.findall(r"dist/\*(\.[\w.]+)", text)) == {
        ending[ending.index(".") :] for ending in release.INSTALLERS.values()
    }
    assert len(set(re.findall(r"uses: (actions/[\w-]+)@v\d+$", text, re.MULTILINE))) == 4


@pytest.mark.skipif(sys.platform != "linux", reason="a script for Linux")
def test_the_portable_archive_is_made_known_to_the_desktop_and_forgotten(tmp_path: Path) -> None:
    bundle, home = tmp_path / "my apps" / "distill", tmp_path / "home"
    for name in ("distill", "distill-gui"):
        program = bundle / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("#!/bin/sh\necho ran\n", encoding="utf-8")
        program.chmod(0o755)
    shutil.copy(LINUX / "install.sh", bundle)
    shutil.copytree(
        LINUX, bundle / "share" / "applications", ignore=shutil.ignore_patterns("*.xml", "*.1", "*.sh", "*.txt")
    )
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    script = bundle / "install.sh"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", str(script), *arguments], env=environment, capture_output=True, text=True, timeout=60
        )

    before = set(tmp_path.rglob("*"))
    assert run().returncode == 0
    entry = home / ".local" / "share" / "applications" / f"{release.DESKTOP_ID}.desktop"
    assert f'Exec="{bundle}/distill-gui" %f\n' in entry.read_text(encoding="utf-8")
    program = home / ".local" / "bin" / "distill"
    assert subprocess.run([program], capture_output=True, text=True, timeout=60).stdout == "ran\n"
    assert run().returncode == 0  # once more changes nothing
    assert run("--remove").returncode == 0
    left = {path for path in set(tmp_path.rglob("*")) - before if not path.is_dir()}
    assert {path for path in left if "cache" not in path.name} == set()
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text("another program", encoding="utf-8")
    refused = run()
    assert refused.returncode == 1
    assert "another program" in refused.stderr
    assert program.read_text(encoding="utf-8") == "another program"
    assert run("--remove").returncode == 0
    assert program.exists()
    assert run("--nonsense").returncode == 2
