"""What killed processes leave in Distill's own folders is tidied at the next start, and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from distill import paths
from distill.files import write_whole
from distill.housekeeping import tidy_own_folders

FOLDERS = [
    paths.data_dir, paths.cache_dir, lambda: paths.settings_file().parent, lambda: paths.data_dir() / "made",
    lambda: paths.data_dir() / "made" / "models", paths.demo_dir, lambda: paths.cache_dir() / "decoded",
]  # fmt: skip


def killed_writer(path: Path) -> None:
    """Leave what a process leaves that is killed while it writes a file."""
    code = (
        "import os, sys; from pathlib import Path; from distill.files import write_whole\n"
        "with write_whole(Path(sys.argv[1])) as file: file.write(b'half'); file.flush(); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)]).returncode == 9


@pytest.mark.skipif(os.name != "posix", reason="a process that is gone is told apart there only")
@pytest.mark.parametrize("number", range(len(FOLDERS)))
def test_left_files_are_tidied(tmp_path: Path, number: int) -> None:
    folder: Path = FOLDERS[number]()  # type: ignore[no-untyped-call]
    killed_writer(folder / "a.bin")
    assert len(list(folder.glob(".*.part"))) == 1
    foreign, outside = folder / ".download.part", tmp_path / "outside"
    foreign.write_bytes(b"of a browser")
    killed_writer(outside / "b.bin")
    (folder / "link").symlink_to(outside, target_is_directory=True)
    with write_whole(folder / "c.bin") as file:
        file.write(b"being written")
        tidy_own_folders()
    assert (folder / "c.bin").read_bytes() == b"being written"
    assert sorted(folder.glob(".*")) == [foreign]
    assert len(list(outside.glob(".*.part"))) == 1
