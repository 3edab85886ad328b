"""Makes the two Linux packages from the frozen application: a portable archive, and a ``.deb``.

Both carry the same folder.  The archive runs where it is unpacked.  The ``.deb`` puts it under ``/usr/lib/distill``
with the desktop entry, the icon, the file type and the manual where the system looks for them; Debian's own triggers
then update menus, icons and file types, so that no script of ours runs as root.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import dev
import notices
import release
from build_environment import BuildError

ROOT = Path(__file__).resolve().parent.parent
SHARE = ROOT / "resources" / "linux"
ICON_SIDES = (48, 64, 128, 256)

#: Pictures that a software centre shows, of resources/screenshots: file to caption.
SCREENSHOTS = {
    "light.png": "A model learns: the sounds, the previews of each epoch, and the loss",
    "dark.png": "The same in dark colours",
}

#: Libraries that are opened by name at run time, which no tool can see: sound.  See hooks/hook-sounddevice.py.
OPENED_BY_NAME = ("libasound2",)
#: Without the first, ALSA does not reach the sound server of the desktop.
RECOMMENDED = ("libasound2-plugins", "libportaudio2")
#: Of 0 to 9.  Six, the usual one, takes four times as long for one part in twenty.
XZ_LEVEL = 3


def lay_out_share(share: Path, pictures: Path) -> None:
    """Fill a ``share`` folder with what the desktop reads: menu entry, icons, file type, description."""
    name = release.DESKTOP_ID
    _copy(SHARE / f"{name}.desktop", share / "applications")
    _copy(SHARE / f"{name}.xml", share / "mime" / "packages")
    icons = share / "icons" / "hicolor"
    _copy(ROOT / "resources" / "icons" / "distill.svg", icons / "scalable" / "apps" / f"{name}.svg")
    for side in ICON_SIDES:
        _copy(pictures / f"distill-{side}.png", icons / f"{side}x{side}" / "apps" / f"{name}.png")
    target = share / "metainfo" / f"{name}.metainfo.xml"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(metainfo())


def metainfo() -> bytes:
    """Return the AppStream description with the releases of the changelog in it.

    Addresses and pictures are on the web, so they are in it where pyproject.toml names the project's repository.
    """
    tree = ElementTree.parse(SHARE / f"{release.DESKTOP_ID}.metainfo.xml")
    if address := release.repository():
        _add_addresses(tree.getroot(), address)
    releases = ElementTree.SubElement(tree.getroot(), "releases")
    for entry in release.changelog():
        made = ElementTree.SubElement(releases, "release", version=entry.version, date=entry.date)
        items = ElementTree.SubElement(ElementTree.SubElement(made, "description"), "ul")
        for text in entry.changes:
            ElementTree.SubElement(items, "li").text = text
    ElementTree.indent(tree)
    whole: bytes = ElementTree.tostring(tree.getroot(), encoding="utf-8", xml_declaration=True)
    return whole + b"\n"


def _add_addresses(root: ElementTree.Element, address: str) -> None:
    for kind, page in (("homepage", ""), ("bugtracker", "/issues"), ("vcs-browser", "")):
        ElementTree.SubElement(root, "url", type=kind).text = address + page
    pictures = ElementTree.SubElement(root, "screenshots")
    for number, (file, caption) in enumerate(SCREENSHOTS.items()):
        kinds = {"type": "default"} if number == 0 else {}
        shown = ElementTree.SubElement(pictures, "screenshot", kinds)
        ElementTree.SubElement(shown, "caption").text = caption
        picture = f"{address}/raw/v{release.version()}/resources/screenshots/{file}"
        ElementTree.SubElement(shown, "image", type="source").text = picture


def make_archive(bundle: Path, pictures: Path, dist: Path) -> Path:
    """Write the portable archive and return it."""
    name = f"distill-{release.version()}-linux-{os.uname().machine}"
    target = dist / f"{name}.tar.xz"
    dev.say(f"Packing {target.name}.")
    with tempfile.TemporaryDirectory(dir=bundle.parent) as folder:
        root = Path(folder) / name
        link_tree(bundle, root)
        lay_out_share(root / "share", pictures)
        for file in ("README.txt", "install.sh"):
            _copy(SHARE / file, root)
        (root / "install.sh").chmod(0o755)
        command = ["tar", "--create", "--xz", "--owner=0", "--group=0", "--numeric-owner", "--sort=name"]
        environment = {**os.environ, "XZ_OPT": f"-T0 -{XZ_LEVEL}"}
        subprocess.run([*command, "--file", str(target), "--directory", folder, name], check=True, env=environment)
    return target


def make_deb(bundle: Path, pictures: Path, dist: Path) -> Path:
    """Write the Debian package and return it.

    Raises
    ------
    BuildError
        A library that the bundle needs is not there.
    subprocess.CalledProcessError
        One of Debian's tools failed; its message is above.
    """
    architecture = _output("dpkg", "--print-architecture")
    target = dist / f"distill_{release.version()}_{architecture}.deb"
    dev.say(f"Packing {target.name}.")
    with tempfile.TemporaryDirectory(dir=bundle.parent) as folder:
        root = Path(folder) / "root"
        share = root / "usr" / "share"
        link_tree(bundle, root / "usr" / "lib" / "distill")
        (root / "usr" / "bin").mkdir(parents=True)
        for name in ("distill", "distill-gui"):
            (root / "usr" / "bin" / name).symlink_to(f"../lib/distill/{name}")
        lay_out_share(share, pictures)
        _lay_out_documents(share, root / "usr" / "lib" / "distill")
        _set_modes(root)
        kilobytes = sum(path.lstat().st_size for path in root.rglob("*") if path.is_file()) // 1024
        control = root / "DEBIAN" / "control"
        control.parent.mkdir()
        (control.parent / "md5sums").write_text(_checksums(root), encoding="utf-8")
        control.write_text(_control(architecture, kilobytes, _dependencies(bundle)), encoding="utf-8")
        # xz: smaller than zstd, which Debian 12 can unpack but its archive tools refuse.
        command = ["dpkg-deb", "--root-owner-group", "-Zxz", f"-z{XZ_LEVEL}", "--build", str(root), str(target)]
        subprocess.run(command, check=True)
    return target


def _checksums(root: Path) -> str:
    """Return the ``md5sums`` of a package: what ``dpkg --verify`` compares the installed files with."""
    lines = []
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.relative_to(root).parts[0] != "DEBIAN":
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
            lines.append(f"{digest}  {path.relative_to(root)}\n")
    return "".join(lines)


def _lay_out_documents(share: Path, program: Path) -> None:
    """Write what Debian's policy asks for: copyright, changelog, manual, and why some of its checks do not apply."""
    documents = share / "doc" / "distill"
    documents.mkdir(parents=True)
    (documents / "copyright").write_text(release.copyright_notice(), encoding="utf-8")
    (program / "_internal" / "NOTICES.txt").rename(documents / "NOTICES.txt")
    (program / "_internal" / "NOTICES.txt").symlink_to("../../../share/doc/distill/NOTICES.txt")
    _compress(release.debian_changelog(maintainer()), documents / "changelog.gz")
    manual = share / "man" / "man1"
    manual.mkdir(parents=True)
    _compress((SHARE / "distill.1").read_text(encoding="utf-8"), manual / "distill.1.gz")
    (manual / "distill-gui.1.gz").symlink_to("distill.1.gz")
    _copy(ROOT / "packaging" / "linux" / "lintian-overrides", share / "lintian" / "overrides" / "distill")


def maintainer() -> str:
    """Return who answers for the package: ``DISTILL_MAINTAINER``, or nobody who can be written to."""
    return os.environ.get("DISTILL_MAINTAINER", "Distill <nobody@distill-audio.invalid>")


def _control(architecture: str, kilobytes: int, dependencies: str) -> str:
    template = (ROOT / "packaging" / "linux" / "control").read_text(encoding="utf-8")
    return template.format(
        version=release.version(), architecture=architecture, kilobytes=kilobytes, maintainer=maintainer(),
        dependencies=dependencies, recommended=", ".join(RECOMMENDED),
    )  # fmt: skip


def _dependencies(bundle: Path) -> str:
    """Return the packages of the system libraries that the bundle is linked against, as Debian's ``Depends``.

    Of the C library the oldest version is stated that has all symbols that are used, and of the C++ library the one
    that the bundle was made on; the others have had the same interface for many years.
    """
    files = [path for path in bundle.rglob("*") if path.is_file() and not path.is_symlink() and _is_elf(path)]
    inside = {path.name for path in bundle.rglob("*")}
    # Those of the folder "sound" are for systems that have none of these packages.
    files = [path for path in files if path.parent.name != "sound"]
    listing = _output("objdump", "--private-headers", *map(str, files))
    needed = set(re.findall(r"^\s+NEEDED\s+(\S+)$", listing, re.MULTILINE)) - inside
    found = dict(re.findall(r"^\s+(\S+) .* => (\S+)$", _output("/sbin/ldconfig", "-p"), re.MULTILINE)[::-1])
    if unknown := sorted(needed - found.keys()):
        raise BuildError(f"The bundle needs libraries that are not on this system: {', '.join(unknown)}")
    packages = {*notices.debian_packages([Path(found[name]) for name in needed]), *OPENED_BY_NAME}
    oldest = {"libc6": oldest_libc(listing), "libstdc++6": _upstream("libstdc++6")}
    return ", ".join(f"{name} (>= {oldest[name]})" if name in oldest else name for name in sorted(packages))


def oldest_libc(headers: str) -> str:
    """Return the oldest version of the C library that has the symbols of ``objdump --private-headers``' output."""
    versions = re.findall(r"\bGLIBC_(\d+)\.(\d+)", headers)
    return "{}.{}".format(*max((int(major), int(minor)) for major, minor in versions))


def _upstream(package: str) -> str:
    """Return the version of an installed package, without Debian's part: 12.2.0 of 12.2.0-14+deb12u1."""
    return _output("dpkg-query", "--show", "--showformat", "${Version}", package).partition("-")[0]


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def link_tree(source: Path, target: Path) -> None:
    """Copy a folder by hard links where the disk allows it: the bundle has 600 megabytes."""
    shutil.copytree(source, target, symlinks=True, copy_function=_link)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def _set_modes(root: Path) -> None:
    """Give every file the mode that Debian wants: 755 for folders and programs, 644 for the rest."""
    programs = {root / "usr" / "lib" / "distill" / "distill"}
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            is_program = path in programs or path.name.startswith("torch_shm_manager")
            path.chmod(0o755 if path.is_dir() or is_program else 0o644)


def _compress(text: str, target: Path) -> None:
    date = int(datetime.fromisoformat(release.changelog()[0].date).replace(tzinfo=UTC).timestamp())
    target.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=date))


def _copy(source: Path, target: Path) -> None:
    """Copy a file into a folder, or to a path with the same ending."""
    if target.suffix != source.suffix and target.name != "distill":
        target = target / source.name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
