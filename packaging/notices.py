"""Writes the notice file of the bundle: whose work is in it, and under which licence.

Run by packaging/build.py in the build environment: ``python packaging/notices.py TARGET``.  The list is generated from
what is installed there, so that it cannot be forgotten when a dependency comes or goes.  Libraries of Debian's that the
bundle took along are added by `debian_notices` once they are known.
"""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: They build the bundle and do not go into it.  PyInstaller's loader does; its licence allows any use of that.
NOT_BUNDLED = {"pip", "setuptools", "wheel", "pyinstaller", "pyinstaller-hooks-contrib", "altgraph", "pefile"}

_LICENCE_NAME = re.compile(r"(licen[cs]e|copying|notice|authors)", re.IGNORECASE)
_RULE = "=" * 100

_INTRODUCTION = """\
Distill contains the work of many others.  This file was made together with the program and lists it: first the names,
then the texts of the licences.

Qt and PySide6 are used under the GNU Lesser General Public License, version 3.  Their libraries lie beside the program
as files of their own (folder PySide6) and may be replaced by other builds of the same version; their sources are to be
had from the Qt project.  The same holds for libsndfile (folder _soundfile_data) and the SoX resampler (folder soxr),
which are under the GNU Lesser General Public License, version 2.1.
"""


def licence_of(distribution: Distribution) -> str:
    """Return the short name of a distribution's licence, as it states it."""
    about = distribution.metadata
    stated = next((text for field in ("License-Expression", "License") for text in about.get_all(field) or []), "")
    if not stated or "\n" in stated:
        classes = [text for text in about.get_all("Classifier") or [] if text.startswith("License ::")]
        stated = "; ".join(text.rpartition(" :: ")[2] for text in classes)
    return stated.strip() or "see below"


def licence_files(distribution: Distribution) -> list[Path]:
    """Return the files of a distribution that hold licences and notices."""
    found = []
    for name in distribution.files or ():
        in_licence_folder = any(part.lower() in {"licenses", "licences"} for part in name.parts[:-1])
        if _LICENCE_NAME.match(name.name) or in_licence_folder:
            path = Path(str(distribution.locate_file(name)))
            if path.suffix.lower() not in {".py", ".pyc", ".pyi"} and path.is_file():
                found.append(path)
    return sorted(found)


def section(title: str, text: str) -> str:
    """Return a text under a heading."""
    return f"\n{_RULE}\n{title}\n{_RULE}\n\n{text.strip()}\n"


def python_notices() -> str:
    """Return the notices of Python and of all its packages in this environment."""
    bundled = [d for d in distributions() if d.metadata["Name"].lower() not in NOT_BUNDLED | {"distill"}]
    bundled.sort(key=lambda d: d.metadata["Name"].lower())
    names = [f"Python {sys.version.split()[0]}: PSF-2.0"]
    names += [f"{d.metadata['Name']} {d.version}: {licence_of(d)}" for d in bundled]
    owners: dict[str, list[str]] = {}  # many carry the same text
    for distribution in bundled:
        for path in licence_files(distribution):
            text = path.read_text(encoding="utf-8", errors="replace")
            owners.setdefault(text, []).append(f"{distribution.metadata['Name']}: {path.name}")
    texts = [section("; ".join(dict.fromkeys(titles)), text) for text, titles in owners.items()]
    for name in ("LGPL-3", "GPL-3"):
        text = (ROOT / "resources" / "licences" / f"{name}.txt").read_text(encoding="utf-8")
        texts.append(section(f"Qt, PySide6, shiboken6: {name}", text))
    own = [path for path in _python_licences() if path.is_file()]
    texts += [section("Python", path.read_text(encoding="utf-8", errors="replace")) for path in own[:1]]
    return "\n".join([_INTRODUCTION, *(f"- {name}" for name in names), *texts])


def _python_licences() -> list[Path]:
    base = Path(sys.base_prefix)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return [
        base / "lib" / version / "LICENSE.txt",
        base / "LICENSE.txt",
        Path("/usr/share/doc") / version / "copyright",
    ]


def debian_notices(packages: list[str]) -> str:
    """Return the copyright files of the Debian packages that libraries of the bundle came from."""
    texts = []
    for package in packages:
        path = Path("/usr/share/doc") / package / "copyright"
        if path.is_file():
            texts.append(section(f"Debian package {package}", path.read_text(encoding="utf-8", errors="replace")))
    return "".join(texts)


def debian_packages(libraries: list[Path]) -> list[str]:
    """Return the Debian packages that own these files of the system, sorted; files of no package are passed over."""
    patterns = sorted({f"*/{path.resolve().name}" for path in libraries})
    if not patterns:
        return []
    answer = subprocess.run(["dpkg-query", "--search", *patterns], capture_output=True, text=True)
    return sorted({line.split(":")[0] for line in answer.stdout.splitlines() if not line.startswith("diversion ")})


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(python_notices(), encoding="utf-8")
