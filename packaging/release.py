"""What a release is called and what has changed in it, read from the one place of each.

The version is ``__version__`` of the package, the changes are in ``.github/CHANGELOG.md``; everything else (the Debian
changelog, the AppStream releases, the version resources) is made from those two.
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: Name of the application among all others of a desktop, also that of its window (``distill.gui.app``) and, on macOS,
#: of its bundle.  It must belong to a domain of the publisher before the first release to a store.
DESKTOP_ID = "org.distill_audio.Distill"

_HEADING = re.compile(r"^## (?P<version>\d+\.\d+\.\d+) \((?P<date>\d{4}-\d\d-\d\d)\)$")


@dataclass(frozen=True)
class Release:
    """One entry of the changelog: its version, its date (ISO 8601), and what has changed."""

    version: str
    date: str
    changes: tuple[str, ...]


def version() -> str:
    """Return the version of this source tree.

    Raises
    ------
    ValueError
        The package does not say it.
    """
    text = (ROOT / "src" / "distill" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise ValueError("src/distill/__init__.py has no __version__")
    return found[1]


def changelog() -> list[Release]:
    """Return the releases, newest first.

    Raises
    ------
    ValueError
        A heading is not of the form ``## 1.2.3 (2026-01-31)``, or a release has no changes.
    """
    releases: list[Release] = []
    for line in (ROOT / ".github" / "CHANGELOG.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            heading = _HEADING.match(line)
            if heading is None:
                raise ValueError(f"{line!r} is no heading of a release")
            releases.append(Release(heading["version"], heading["date"], ()))
        elif releases and line.startswith(("- ", "  ")):
            *before, last = releases
            changes = list(last.changes)
            if line.startswith("- "):
                changes.append(line[2:].strip())
            else:
                changes[-1] = f"{changes[-1]} {line.strip()}"
            releases = [*before, Release(last.version, last.date, tuple(changes))]
    if not releases or not all(entry.changes for entry in releases):
        raise ValueError(".github/CHANGELOG.md has a release without changes")
    return releases


def debian_changelog(maintainer: str) -> str:
    """Return the changelog in Debian's form."""
    entries = []
    for entry in changelog():
        date = datetime.fromisoformat(entry.date).replace(tzinfo=UTC, hour=12)
        changes = "\n".join(
            textwrap.fill(text, 78, initial_indent="  * ", subsequent_indent="    ") for text in entry.changes
        )
        head = f"distill ({entry.version}) stable; urgency=medium"
        entries.append(f"{head}\n\n{changes}\n\n -- {maintainer}  {date:%a, %d %b %Y %H:%M:%S +0000}\n")
    return "\n".join(entries)


def licence() -> str:
    """Return the licence that the project states (SPDX), or that it states none."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    stated = project.get("license")
    return stated if isinstance(stated, str) else "LicenseRef-proprietary"


def repository() -> str:
    """Return the address of the project's repository, without a slash at its end, or nothing where none is stated."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    address = {label.casefold(): text for label, text in project.get("urls", {}).items()}.get("repository", "")
    return str(address).removesuffix("/").removesuffix(".git")


def metadata() -> str:
    """Return the metadata of the package as an installed one has it: version, licence, authors and addresses.

    The frozen program is not installed, so the recipe puts this beside it; `distill.updates` reads it.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = ["Metadata-Version: 2.4", f"Name: {project['name']}", f"Version: {version()}"]
    lines += [f"Summary: {project['description']}", f"License-Expression: {licence()}"]
    lines += [f"Author: {author['name']}" for author in project.get("authors", ()) if "name" in author]
    lines += [f"Project-URL: {label}, {address}" for label, address in project.get("urls", {}).items()]
    return "\n".join([*lines, ""])


def copyright_notice() -> str:
    """Return the text of the ``copyright`` file that every Debian package has."""
    stated = licence()
    own = "All rights reserved; no licence has been stated." if stated == "LicenseRef-proprietary" else stated
    return (
        f"Distill {version()}\n\nCopyright {changelog()[0].date[:4]} the authors of Distill.\n{own}\n\n"
        "The program contains Python, PyTorch, Qt and the work of many others. Who they are, and the texts of their\n"
        "licences, is in /usr/share/doc/distill/NOTICES.txt. Those that Debian has, too:\n\n"
        "  GNU Lesser General Public License 2.1: /usr/share/common-licenses/LGPL-2.1\n"
        "  GNU Lesser General Public License 3: /usr/share/common-licenses/LGPL-3\n"
        "  GNU General Public License 3: /usr/share/common-licenses/GPL-3\n"
        "  Apache License 2.0: /usr/share/common-licenses/Apache-2.0\n"
    )


#: What a release has for each system: its name for people, and the ending of its file.
INSTALLERS = {
    "Linux (x86-64)": "_amd64.deb", "Linux (x86-64), portable": "-linux-x86_64.tar.xz",
    "Linux (ARM)": "_arm64.deb", "Linux (ARM), portable": "-linux-aarch64.tar.xz",
    "Windows": "-windows.exe", "macOS (Apple silicon)": "-macos-arm64.dmg",
}  # fmt: skip
#: Those that a system warns of when they are not signed.
SIGNABLE = ("Windows", "macOS (Apple silicon)")


def notes(files: list[str], signed: list[str]) -> str:
    """Return the notes of the newest release, in Markdown: what has changed, what is not signed, what is missing.

    Parameters
    ----------
    files
        Names of the installers that were built.
    signed
        Names of the systems, of `SIGNABLE`, whose installers are signed.
    """
    lines = [f"- {text}" for text in changelog()[0].changes]
    built = [name for name, ending in INSTALLERS.items() if any(file.endswith(ending) for file in files)]
    unsigned = [name for name in SIGNABLE if name in built and name not in signed]
    if unsigned:
        lines += ["", f"Not signed: {', '.join(unsigned)}. The system warns when it is opened for the first time."]
    if missing := [name for name in INSTALLERS if name not in built]:
        lines += ["", f"Could not be built: {', '.join(missing)}."]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Print the notes of the newest release, or check a tag; return the exit code."""
    parser = argparse.ArgumentParser(description="Notes of the newest release, for the workflow.")
    parser.add_argument("--check-tag", metavar="TAG", help="fail unless this is the tag of the version")
    parser.add_argument("--notes", type=Path, metavar="FOLDER", help="print the notes, with these installers")
    parser.add_argument("--signed", default="", help="systems whose installers are signed, separated by commas")
    options = parser.parse_args(arguments)
    if options.check_tag is not None and options.check_tag != f"v{version()}":
        print(f"The tag is {options.check_tag}, but this is version {version()}: tag v{version()}.", file=sys.stderr)
        return 1
    if options.notes is not None:
        files = [path.name for path in options.notes.iterdir()] if options.notes.is_dir() else []
        print(notes(files, [name.strip() for name in options.signed.split(",")]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
