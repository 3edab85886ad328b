"""What killed processes leave in Distill's own folders is tidied at the next start, and nothing else."""

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from distill import housekeeping, paths
from distill.files import temporary_folder, write_whole
from distill.housekeeping import clear_partial_files, tidy_own_folders

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


def partial_of(path: Path, pid: int, process: str = "0" * 8, host: str = housekeeping.HOST) -> Path:
    return path.with_name(f".{path.name}.distill-{host}-{pid}-{process}-01234567.part")


def gone_process() -> int:
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    return int(done.stdout)


class TestTidying:
    def test_only_files_of_processes_that_are_gone_are_removed(self, tmp_path: Path) -> None:
        gone = gone_process()
        dead = [partial_of(tmp_path / "model.pt", gone), partial_of(tmp_path / "ä (2).wav", os.getpid())]
        others = [
            partial_of(tmp_path / "a", os.getppid()), partial_of(tmp_path / "b", gone, host="f" * 8),
            partial_of(tmp_path / "c", os.getpid(), housekeeping.PROCESS), tmp_path / ".download.abc.part",
            tmp_path / "film.part", tmp_path / ".model.pt.x7y8z9.part", tmp_path / "distill-1.part",
        ]  # fmt: skip
        for path in dead + others:
            path.write_bytes(b"half")
        folder = partial_of(tmp_path / "folder", gone)
        folder.mkdir()
        clear_partial_files(tmp_path)
        assert sorted(tmp_path.iterdir()) == sorted([*others, folder])

    @pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
    def test_links_are_not_followed(self, tmp_path: Path) -> None:
        elsewhere, own = tmp_path / "elsewhere", tmp_path / "own"
        elsewhere.mkdir()
        own.mkdir()
        target = partial_of(elsewhere / "x", gone_process())
        target.write_bytes(b"somebody's")
        (own / target.name).symlink_to(target)
        (own / "checkpoints").symlink_to(elsewhere)
        clear_partial_files(own)
        clear_partial_files(own / "checkpoints")
        assert target.read_bytes() == b"somebody's"
        assert (own / target.name).is_symlink()

    def test_a_folder_that_is_not_there_is_tidy(self, tmp_path: Path) -> None:
        clear_partial_files(tmp_path / "gone")
        assert not (tmp_path / "gone").exists()

    def test_the_files_of_a_killed_writer_are_known_as_ours(self, tmp_path: Path) -> None:
        code = f"""
            import os, signal
            from pathlib import Path
            from distill.files import write_whole
            with write_whole(Path({str(tmp_path)!r}) / {"x" * 200!r}) as file:
                file.write(b"half")
                file.flush()
                os.kill(os.getpid(), signal.SIGKILL)
        """
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)])
        assert done.returncode == -signal.SIGKILL
        assert len(list(tmp_path.iterdir())) == 1
        clear_partial_files(tmp_path)
        assert list(tmp_path.iterdir()) == []
