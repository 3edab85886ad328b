"""Writes the notice file of the bundle: whose work is in it, and under which licence.

Run by packaging/build.py in the build environment: ``python packaging/notices.py TARGET``.  The list is generated from
what is installed there, so that it cannot be forgotten when a dependency comes or goes.  Libraries of Debian's that the
bundle took along are added by `library_notices` once they are known.  ``--check BUNDLE LISTING`` then compares the list
with what is in the bundle.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, distributions, packages_distributions
from itertools import pairwise
from pathlib import Path

import jack_stub

ROOT = Path(__file__).resolve().parent.parent

#: They build the bundle and do not go into it.  PyInstaller's loader does; its licence allows any use of that.
NOT_BUNDLED = {"pip", "setuptools", "wheel", "pyinstaller", "pyinstaller-hooks-contrib", "altgraph", "pefile"}

_LICENCE_NAME = re.compile(r"(licen[cs]e|copying|notice|authors)", re.IGNORECASE)
_RULE = "=" * 100
#: Heading of the list of libraries that are no part of a package's own folder.
_LIBRARIES = "Libraries of the system and of wheels"

_INTRODUCTION = """\
Distill contains the work of many others.  This file was made together with the program and lists it: first the names,
then where to get the sources of what is under the GNU Lesser General Public License (LGPL), then the texts of the
licences.

What is under the LGPL lies beside the program as files of its own, which may be replaced by other builds of the same
version: Qt and PySide6 (folder PySide6), libsndfile (folder _soundfile_data), the SoX resampler (folder soxr),
frozendict (folder frozendict, as source), and on Linux ALSA's library (folders sound and rtmidi2.libs) and libquadmath
(folder numpy.libs).  Nothing in Distill's own licence forbids to change them, or to take the program apart in order to
find out why a changed one does not work.
"""

_STAND_IN = "made for Distill (packaging/jack_stub.py), MIT"

#: Packages with work under the LGPL in them, and where its source is; ``{0}`` is the version, ``{1}`` its first two
#: numbers.
_SOURCES = {
    "pyside6-essentials": (
        "PySide6: https://download.qt.io/official_releases/QtForPython/pyside6/PySide6-{0}-src/",
        "Qt: https://download.qt.io/official_releases/qt/{1}/{0}/",
    ),
    "soundfile": (
        "libsndfile: https://github.com/libsndfile/libsndfile/releases",
        "mpg123, in libsndfile: https://sourceforge.net/projects/mpg123/files/mpg123/",
        "LAME, in libsndfile: https://sourceforge.net/projects/lame/files/lame/",
    ),
    "soxr": ("the SoX resampler, in soxr {0}: https://sourceforge.net/projects/soxr/files/",),
    "numpy": ("libquadmath, in numpy: https://gcc.gnu.org/git/?p=gcc.git;a=tree;f=libquadmath",),
    "rtmidi2": ("ALSA's library, in rtmidi2: https://www.alsa-project.org/files/pub/lib/",),
    "frozendict": ("frozendict {0}: https://github.com/Marco-Sulla/python-frozendict/releases",),
}
#: Its source is in that of another package.
_WITH_ANOTHER = {"shiboken6"}
#: Libraries that wheels for Linux bring in a folder of their own, such as ``numpy.libs``: whose each is.  A bundle with
#: another one is refused until somebody has looked at its licence.
_OF_WHEELS = {
    "libscipy_openblas64_": "OpenBLAS, BSD-3-Clause",
    "libgfortran": "GCC, GPL-3.0-or-later WITH GCC-exception-3.1",
    "libquadmath": "GCC, LGPL-2.1-or-later",
    "libasound": "ALSA's library, LGPL-2.1-or-later",
    "libjack": _STAND_IN,
}
#: What a licence of this kind has in its name.
_LESSER = re.compile(r"\bLGPL|lesser general public", re.IGNORECASE)


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
    texts.append(section("Python", python_licence()))
    list_of_names = [f"- {name}" for name in names]
    return "\n".join([_INTRODUCTION, *list_of_names, section("Sources under the LGPL", sources(bundled)), *texts])


def sources(bundled: list[Distribution]) -> str:
    """Return where the sources of the work under the LGPL are, for the versions that are bundled.

    Raises
    ------
    ValueError
        A package is under the LGPL, and it is not known where its source is.
    """
    lines: list[str] = []
    for distribution in bundled:
        name, version = distribution.metadata["Name"], distribution.version
        known = _SOURCES.get(_plain(name), ())
        if not known and _LESSER.search(licence_of(distribution)) and _plain(name) not in _WITH_ANOTHER:
            raise ValueError(f"{name} is under the LGPL, and packaging/notices.py does not say where its source is.")
        lines += [text.format(version, ".".join(version.split(".")[:2])) for text in known]
    return "\n".join([*(f"- {line}" for line in lines), "", _DEBIAN_SOURCES])


#: Where the sources of Debian's libraries are; their versions are in the list that `library_notices` adds.
_DEBIAN_SOURCES = (
    "Libraries that come from Debian are listed at the end with their packages and versions. Debian keeps the source\n"
    "of each version in its snapshot archive; with that among the sources of apt, `apt-get source PACKAGE=VERSION`\n"
    "fetches it."
)


def python_licence() -> str:
    """Return the licence of the Python that runs this, which is the one that is bundled.

    Raises
    ------
    FileNotFoundError
        It came without one.  That of another Python would not do: each names what is in it.
    """
    base = Path(sys.base_prefix)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    places = [base / "lib" / version / "LICENSE.txt", base / "LICENSE.txt"]
    if base == Path("/usr"):  # Debian's
        places.insert(0, Path("/usr/share/doc") / version / "copyright")
    for path in places:
        if path.is_file():
            return path.read_text(encoding="utf-8", errors="replace")
    raise FileNotFoundError(f"No licence of Python is in {base}. A bundle must not be made without it.")


def library_notices(libraries: list[Path]) -> str:
    """Return the list of the bundle's libraries: whose they are, and of Debian's the packages and copyright files."""
    lines: list[str] = []
    packages: list[str] = []
    for library in sorted(libraries, key=lambda path: path.name):
        if library.parent.suffix == ".libs":
            if owner := _OF_WHEELS.get(re.split(r"[-.]", library.name)[0]):
                lines.append(f"- {library.name}: {owner}")
            continue
        if library.name == jack_stub.NAME:
            lines.append(f"- {library.name}: {_STAND_IN}")
            continue
        owners = debian_packages([library])
        packages += owners
        lines.append(f"- {library.name}: {', '.join(map(_with_version, owners)) or 'of no package of this system'}")
    texts = [section(_LIBRARIES, "\n".join(lines))] if lines else []
    for package in dict.fromkeys(packages):
        path = Path("/usr/share/doc") / package / "copyright"
        if path.is_file():
            texts.append(section(f"Debian package {package}", path.read_text(encoding="utf-8", errors="replace")))
    return "".join(texts)


def _with_version(package: str) -> str:
    """Return a package with its source and the version of that, by which Debian keeps sources."""
    form = "${source:Package} ${source:Version}\n"
    answer = subprocess.run(["dpkg-query", "--show", "--showformat", form, package], capture_output=True, text=True)
    return f"Debian package {package} (source {answer.stdout.splitlines()[0]})" if answer.stdout else package


def debian_packages(libraries: list[Path]) -> list[str]:
    """Return the Debian packages that own these files of the system, sorted; files of no package are passed over."""
    patterns = sorted({f"*/{path.resolve().name}" for path in libraries})
    if not patterns or shutil.which("dpkg-query") is None:
        return []
    answer = subprocess.run(["dpkg-query", "--search", *patterns], capture_output=True, text=True)
    return sorted({line.split(":")[0] for line in answer.stdout.splitlines() if not line.startswith("diversion ")})


#: What is Distill's own, and what Python and the loader of the bundle are made of.
_OWN_PARTS = {"distill", "resources", "share", "sound", "launch", "NOTICES", "base_library"}
_OF_PYTHON = re.compile(r"python3|sitecustomize$|pyimod\d|pyi_|_pyi_|rthook|PyInstaller$|_pyinstaller")
#: Libraries of the system.  On Windows and macOS those beside the program are Python's own, whose licence names them.
_LIBRARY = re.compile(r"lib[^/]+\.so(?:\.[\w.]+)?|[^/]+\.(?:dll|dylib)", re.IGNORECASE)


def unlisted(text: str, bundle: Path, modules: Iterable[str], owners: Mapping[str, Iterable[str]]) -> list[str]:
    """Return what is in a bundle and has no line in its notices, in sentences.

    Parameters
    ----------
    text
        The notices.
    bundle
        Folder of the frozen application's parts.
    modules
        Modules inside the program itself, which no folder shows.
    owners
        Name of an importable module to the packages that it comes from.
    """
    listed = {_plain(line[2:].partition(":")[0].partition(" ")[0]) for line in _list_of(text)}
    entries = [*bundle.iterdir(), *(bundle / "sound").glob("lib*"), *bundle.glob("*.libs/lib*")]
    entries = [path for path in entries if not path.is_symlink()]  # what they lead to has a place of its own
    libraries = {path.name for path in entries if path.is_file() and _LIBRARY.fullmatch(path.name)}
    parts = {path.name.removesuffix(".libs").partition(".")[0] for path in entries if path.name not in libraries}
    parts = {name for name in parts if not name.endswith("-info")} | {name.partition(".")[0] for name in modules}
    problems = []
    for name in sorted(parts - {"", *_OWN_PARTS, *sys.stdlib_module_names, *_dist_infos(entries)}):
        packages = {_plain(owner) for owner in owners.get(name, (name,))}
        if not _OF_PYTHON.match(name) and not packages & (listed | NOT_BUNDLED):
            problems.append(f"{name} is in the bundle, and {' or '.join(sorted(packages))} is not in the notices.")
    for name in sorted(library for library in libraries if ".so" in library):
        if _plain(name) not in listed and not name.startswith("libpython"):
            problems.append(f"The library {name} is in the bundle and not in the notices.")
    return problems


def _plain(name: str) -> str:
    """Return the name of a package as registries compare it."""
    return name.lower().replace("_", "-")


def _dist_infos(entries: list[Path]) -> set[str]:
    """Return the beginnings of the names of metadata folders: ``distill-0`` of ``distill-0.1.0.dist-info``."""
    return {path.name.partition(".")[0] for path in entries if path.name.endswith((".dist-info", ".egg-info"))}


def _list_of(text: str) -> list[str]:
    """Return the lines of notices that name something: of the list at the beginning, and of the libraries."""
    parts = text.split(f"\n{_RULE}\n")  # before the first heading, then headings and texts in turn
    lists = [parts[0], *(after for before, after in pairwise(parts) if before.strip() == _LIBRARIES)]
    return [line for part in lists for line in part.splitlines() if re.match(r"- \S.*: ", line)]


def _modules_of(listing: Path) -> list[str]:
    """Return the modules that PyInstaller has put into the program, from the list that it leaves."""
    return re.findall(r"^\s+\[?\('([\w.]+)', ", listing.read_text(encoding="utf-8"), re.MULTILINE)


def main(arguments: list[str]) -> int:
    """Write the notices to a file, or compare those of a bundle with what is in it; return the exit code."""
    if arguments[0] != "--check":
        Path(arguments[0]).write_text(python_notices(), encoding="utf-8")
        return 0
    bundle, listing = Path(arguments[1]), Path(arguments[2])
    text = (bundle / "NOTICES.txt").read_text(encoding="utf-8")
    problems = unlisted(text, bundle, _modules_of(listing), packages_distributions())
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
