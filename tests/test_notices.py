"""Whose work is in a bundle: the list is complete, and says where the sources are that must be offered."""

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from importlib.metadata import PathDistribution, distributions
from pathlib import Path

import pytest

import jack_stub
import notices
from tests.support.processes import find_program

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def text() -> str:
    return notices.python_notices()


def test_the_notices_name_everything_that_is_bundled(text: str) -> None:
    for name in ("torch ", "numpy ", "PySide6", "soundfile ", "Python "):
        assert re.search(rf"^- {name}.*: .+", text, re.MULTILINE), name
    assert not re.search(r"^- (pip|setuptools|distill) ", text, re.MULTILINE)
    for licence in ("Version 3, 29 June 2007", "Version 2.1, February 1999"):  # Qt's, and libsndfile's
        assert f"GNU LESSER GENERAL PUBLIC LICENSE\n                       {licence}" in text, licence


def test_the_sources_under_the_lgpl_are_those_of_the_versions(text: str) -> None:
    part = text.partition("Sources under the LGPL\n")[2].split("=" * 100)[1]
    versions = {d.metadata["Name"].lower(): d.version for d in distributions()}
    assert f"PySide6-{versions['pyside6_essentials']}-src" in part
    assert f"- frozendict {versions['frozendict']}: https://" in part
    assert "libsndfile: https://" in part
    assert "apt-get source PACKAGE=VERSION" in part


def package(folder: Path, name: str, licence: str) -> PathDistribution:
    made = folder / f"{name}-1.2.dist-info"
    made.mkdir()
    (made / "METADATA").write_text(
        f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.2\nLicense-Expression: {licence}\n"
    )
    return PathDistribution(made)


def test_a_package_under_the_lgpl_without_an_address_stops_the_build(tmp_path: Path) -> None:
    assert "- frozendict 1.2: " in notices.sources([package(tmp_path, "frozendict", "LGPL-3.0-only")])
    notices.sources([package(tmp_path, "other", "MIT")])
    with pytest.raises(ValueError, match="newcomer is under the LGPL"):
        notices.sources([package(tmp_path, "newcomer", "LGPL-2.1-or-later")])


def test_the_licence_of_python_is_that_of_the_one_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="No licence of Python"):  # and not that of another Python
        notices.python_licence()
    own = tmp_path / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "LICENSE.txt"
    own.parent.mkdir(parents=True)
    own.write_text("of this one")
    assert notices.python_licence() == "of this one"
    assert "of this one" in notices.python_notices()


# --- the list and the bundle ------------------------------------------------------------------------------------

LIST = f"""Introduction.

- Python 3.11: PSF-2.0
- numpy 2.0: BSD
- PySide6_Essentials 6.8: LGPL
- PyYAML 6: MIT

{"=" * 100}
A licence
{"=" * 100}

- scipy 1: what a licence says is no list
- libevil.so.1: neither

{"=" * 100}
Libraries of the system and of wheels
{"=" * 100}

- libxcb-cursor.so.0: Debian package libxcb-cursor0
- libjack.so.0: made for Distill, MIT
- libscipy_openblas64_-1.so: OpenBLAS, BSD-3-Clause
"""
OWNERS = {
    "numpy": ["numpy"],
    "PySide6": ["PySide6_Essentials", "PySide6_Addons"],
    "yaml": ["PyYAML"],
    "scipy": ["scipy"],
}
MODULES = ["json.decoder", "numpy.linalg", "yaml", "distill.cli", "pyimod02_importers", "os", "PyInstaller.loader"]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Return a small frozen application, with something of each kind in it."""
    for name in ("numpy", "numpy.libs", "PySide6", "resources", "sound", "python3.11", "distill-0.1.0.dist-info"):
        (tmp_path / name).mkdir()
    for name in (
        "libpython3.11.so.1.0", "libxcb-cursor.so.0", "sound/libjack.so.0", "numpy.libs/libscipy_openblas64_-1.so",
        "base_library.zip", "NOTICES.txt",
        "yaml.cpython-311-x86_64-linux-gnu.so", "_ssl.cpython-311-x86_64-linux-gnu.so", "libcrypto-3.dll",
    ):  # fmt: skip
        (tmp_path / name).touch()
    (tmp_path / "libQt6Core.so.6").symlink_to("PySide6/Qt/lib/libQt6Core.so.6")
    return tmp_path


def test_a_bundle_that_is_listed_whole_is_accepted(bundle: Path) -> None:
    assert notices.unlisted(LIST, bundle, MODULES, OWNERS) == []


@pytest.mark.parametrize(
    ("added", "said"),
    [
        ("scipy/", "scipy is in the bundle, and scipy is not in the notices."),
        ("scipy.libs/", "scipy is in the bundle"),
        ("unknown.cpython-311-x86_64-linux-gnu.so", "unknown is in the bundle, and unknown"),
        ("libevil.so.1", "The library libevil.so.1 is in the bundle"),
        ("sound/libdb-5.3.so", "The library libdb-5.3.so"),
        ("numpy.libs/libcrypto-a324fe28.so.1.1.1k", "The library libcrypto-a324fe28.so.1.1.1k"),
        ("numpy.libs/libdb-5-1dd19d7c.3.so", "The library libdb-5-1dd19d7c.3.so"),
    ],
)
def test_what_is_not_listed_is_named(bundle: Path, added: str, said: str) -> None:
    path = bundle / added.rstrip("/")
    if added.endswith("/"):
        path.mkdir()
    else:
        path.touch()
    (problem,) = notices.unlisted(LIST, bundle, MODULES, OWNERS)
    assert said in problem


def test_libraries_of_wheels_are_listed_when_they_are_known(tmp_path: Path) -> None:
    folder = tmp_path / "rtmidi2.libs"
    found = notices.library_notices([folder / "libasound-0ceed182.so.2.0.0", folder / "libdb-5-1dd19d7c.3.so"])
    assert "- libasound-0ceed182.so.2.0.0: ALSA's library, LGPL-2.1-or-later" in found
    assert "libdb" not in found


def test_what_is_inside_the_program_is_compared_too(
    bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "packages_distributions", lambda: OWNERS)
    (bundle / "NOTICES.txt").write_text(LIST)
    listing = bundle.parent / f"{bundle.name}.toc"
    modules = "('PYZ-00.pyz',\n [('json', '/lib/json.py', 'PYMODULE'),\n  ('numpy.x', '/lib/x.py', 'PYMODULE')"
    listing.write_text(f"{modules}])\n")
    assert notices.main(["--check", str(bundle), str(listing)]) == 0
    listing.write_text(f"{modules},\n  ('unheard.of', '/lib/x.py', 'PYMODULE')])\n")
    assert notices.main(["--check", str(bundle), str(listing)]) == 1
    assert capsys.readouterr().err == "unheard is in the bundle, and unheard is not in the notices.\n"


# --- JACK -------------------------------------------------------------------------------------------------------

_WITH_STUB = """
import ctypes, sys
ctypes.CDLL(sys.argv[1], mode=ctypes.RTLD_GLOBAL)
portaudio = ctypes.CDLL(sys.argv[2])
print("initialized", portaudio.Pa_Initialize(), portaudio.Pa_GetHostApiCount() >= 1)
portaudio.Pa_Terminate()
loaded = {line.split()[-1] for line in open("/proc/self/maps") if "/" in line}
print("libjack", sorted(path for path in loaded if "libjack" in path or "libdb-" in path))
"""


@pytest.mark.skipif(sys.platform != "linux" or platform.machine() not in jack_stub._RETURN_0, reason="Linux")
def test_portaudio_starts_without_jack_and_berkeley_db(tmp_path: Path) -> None:
    for tool in ("as", "ld", "nm"):
        find_program(tool, "binutils")
    listing = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"libportaudio\.so\.2 .* => (\S+)", listing)
    if found is None:
        pytest.skip("PortAudio is not installed (Debian package libportaudio2)")
    stub = jack_stub.make(Path(found[1]), tmp_path)
    assert stub == tmp_path / "libjack.so.0"
    assert [path.name for path in tmp_path.iterdir()] == ["libjack.so.0"]
    command = [sys.executable, "-c", _WITH_STUB, str(stub), found[1]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "initialized 0 True" in done.stdout, done.stderr
    assert f"libjack {[str(stub)]}" in done.stdout


_MIDI_WITH_STUB = """
import rtmidi2
try:
    rtmidi2.get_in_ports()
except RuntimeError as error:  # without a sequencer
    print(error)
print("answered")
loaded = {line.split()[-1] for line in open("/proc/self/maps") if "/" in line}
print("loaded", sorted(path for path in loaded if any(name in path for name in ("libjack", "libdb-", "libcrypto-"))))
"""


@pytest.mark.skipif(sys.platform != "linux" or platform.machine() != "x86_64", reason="the wheel is for x86-64 only")
def test_midi_ports_are_listed_without_the_libraries_behind_jack(tmp_path: Path) -> None:
    for tool in ("as", "ld", "nm"):
        find_program(tool, "binutils")
    spec = importlib.util.find_spec("rtmidi2")
    assert spec is not None
    assert spec.origin is not None
    module = Path(shutil.copy(spec.origin, tmp_path))
    brought = Path(spec.origin).with_name("rtmidi2.libs")
    libraries = tmp_path / "rtmidi2.libs"
    libraries.mkdir()
    (jack,) = brought.glob("libjack-*")
    stub = jack_stub.make(module, libraries, jack.name)
    (alsa,) = brought.glob("libasound-*")
    shutil.copy(alsa, libraries)
    command = [sys.executable, "-c", _MIDI_WITH_STUB]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert "answered" in done.stdout, done.stderr
    assert f"loaded {[str(stub)]}" in done.stdout


def test_the_bundle_takes_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = (ROOT / "packaging" / "hooks" / "hook-sounddevice.py").read_text(encoding="utf-8")
    start = (ROOT / "packaging" / "hooks" / "rthook_portaudio.py").read_text(encoding="utf-8")
    assert "libdb" not in hook + start
    assert re.search(r'LINUX_LIBRARIES = \("libasound\.so\.2", "libportaudio\.so\.2"\)', hook)
    assert re.search(rf'_LIBRARIES = \("libasound\.so\.2", "{jack_stub.NAME}", "libportaudio\.so\.2"\)', start)


def test_frozendict_can_be_replaced() -> None:
    recipe = (ROOT / "packaging" / "distill.spec").read_text(encoding="utf-8")
    assert 'module_collection_mode={"frozendict": "py"}' in recipe
