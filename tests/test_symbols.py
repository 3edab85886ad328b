"""What is taken out of libraries changes nothing of what is loaded from them."""

import ctypes
import importlib.util
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import symbols
from tests.support.processes import find_program

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="libraries of Linux")

#: A function that returns 7 by way of one that is not exported, on two kinds of machine.
_CALL = {
    "x86_64": ("call inner\n ret", "movl $7, %eax\n ret"),
    "aarch64": ("b inner", "mov x0, #7\n ret"),
}


@pytest.fixture
def library(tmp_path: Path) -> Path:
    for tool in ("as", "ld", "nm"):
        find_program(tool, "binutils")
    if platform.machine() not in _CALL:
        pytest.skip("another kind of machine")
    outer, inner = _CALL[platform.machine()]
    source, compiled, made = tmp_path / "s.s", tmp_path / "s.o", tmp_path / "libseven.so"
    locals_ = "".join(f"local_{number}:\n" for number in range(500))
    source.write_text(f".text\n.globl seven\n.type seven, STT_FUNC\nseven:\n {outer}\ninner:\n {inner}\n{locals_}")
    subprocess.run(["as", "-o", compiled, source], check=True)
    subprocess.run(["ld", "-shared", "-z", "noexecstack", "-o", made, compiled], check=True)
    return made


def names(library: Path, *options: str) -> str:
    return subprocess.run(["nm", *options, library], capture_output=True, text=True, check=True).stdout


def test_local_symbols_go_and_the_library_works_as_before(library: Path) -> None:
    assert "local_7" in names(library)
    size = library.stat().st_size
    dropped = symbols.drop(library)
    assert dropped == size - library.stat().st_size > 500 * 20
    assert ctypes.CDLL(str(library)).seven() == 7
    assert "local_7" not in names(library)
    assert "T seven" in names(library, "--dynamic")
    assert symbols.drop(library) == 0


def test_what_is_no_library_stays_as_it_is(tmp_path: Path) -> None:
    text = tmp_path / "libtorch.so"
    text.write_bytes(b"INPUT(libtorch_cpu.so)\n" * 100)
    assert symbols.drop(text) == 0
    assert text.read_bytes() == b"INPUT(libtorch_cpu.so)\n" * 100


_LOAD = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location(sys.argv[1], sys.argv[2])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print(len(vars(module)))
"""


@pytest.mark.parametrize("name", ["numpy.random.mtrand", "numpy._core._simd"])
def test_a_module_of_a_wheel_is_imported_with_the_same_content(name: str, tmp_path: Path) -> None:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    copy = Path(shutil.copy(spec.origin, tmp_path))

    def content(path: str | Path) -> str:
        # numpy first: what the module is linked against is then loaded
        command = [sys.executable, "-c", f"import numpy\n{_LOAD}", name, str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout

    symbols.drop(copy)
    assert content(copy) == content(spec.origin)
