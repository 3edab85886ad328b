"""What killed processes leave in Distill's own folders is tidied at the next start, and nothing else."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from distill import paths
from distill.files import temporary_folder, write_whole
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


@pytest.mark.skipif(os.name != "posix", reason="a process that is gone is told apart there only")
def test_left_temporary_folders_are_tidied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    (tmp_path / "temporary").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "a.wav").write_bytes(b"of the user")
    code = (
        "import os, sys; from pathlib import Path; from distill.files import temporary_folder\n"
        "made = temporary_folder('map'); folder = Path(made.name); (folder / 'a.wav').write_bytes(b'RIFF')\n"
        "(folder / 'link').symlink_to(sys.argv[1]); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path / "outside")]).returncode == 9
    (left,) = (tmp_path / "temporary").iterdir()
    foreign = [tmp_path / "temporary" / name for name in ("distill-map-1", f"x{left.name}", "download")]
    for folder in foreign:
        folder.mkdir()
    with temporary_folder("map") as own:
        tidy_own_folders()
        assert sorted((tmp_path / "temporary").iterdir()) == sorted([*foreign, Path(own)])
    assert (tmp_path / "outside" / "a.wav").exists()
