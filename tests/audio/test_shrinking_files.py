"""Files that become shorter while they are looked through, as when another program writes them or a share goes away."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from distill.audio.decoding.streams.byte_view import FileWindow
from tests.audio.test_real_end import encoded

_SHRINK = """
import os, sys
from pathlib import Path
from distill.audio.decoding.streams import {module}
from distill.audio.decoding.streams.file_layout import find_layout

path = Path(sys.argv[1])
inner = {module}.{function}

def shrinking(*values):
    os.truncate(path, 5000)
    return inner(*values)

{module}.{function} = shrinking
find_layout(path, path.stat().st_size)
print("still there")
"""


@pytest.mark.parametrize(
    ("kind", "suffix", "module", "function"),
    [
        ("MP3", ".mp3", "mpeg", "_goes_on"),
        ("OGG VORBIS", ".ogg", "ogg", "_coding"),
        ("FLAC PCM_16", ".flac", "flac", "flac_start"),
    ],
)
def test_a_file_that_becomes_shorter_does_not_kill_the_process(
    tmp_path: Path, kind: str, suffix: str, module: str, function: str
) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (480_000, 2)).astype(np.float32)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(encoded(kind, noise))
    assert path.stat().st_size > 50_000
    program = _SHRINK.format(module=module, function=function)
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "still there\n"), done.stderr


def test_bytes_are_found_and_read_across_blocks(tmp_path: Path) -> None:
    path = tmp_path / "a"
    data = bytearray(np.random.default_rng(0).integers(0, 250, 1_200_000, np.uint8).tobytes())
    marks = [0, 262_140, 262_143, 270_335, 524_287, 800_000, len(data) - 4]
    for at in marks:
        data[at : at + 4] = b"\xff\xfe\xfd\xfc"
    path.write_bytes(data)
    with path.open("rb") as file:
        window, found, at = FileWindow(file), list[int](), 0
        while (at := window.find(b"\xff\xfe\xfd\xfc", at, len(data))) >= 0:
            found.append(at)
            at += 1
        assert found == [at for at in marks if data[at : at + 4] == b"\xff\xfe\xfd\xfc"]
        assert window.find(b"\xff\xfe\xfd\xfc", 800_001, len(data) - 1) == -1
        for start in (900_000, 262_000, 0, len(data) - 3, len(data) + 10):
            assert window[start : start + 9000] == data[start : start + 9000]
        assert len(window) == len(data)
