"""What a launcher says of a process."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from distill import __main__
from distill.distributed.torchrun import Launch, read_launch

TORCHRUN = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "MASTER_ADDR": "host", "MASTER_PORT": "29500"}


def test_torchrun_is_recognised() -> None:
    assert read_launch(TORCHRUN) == Launch(rank=5, size=8, local_rank=1)


@pytest.mark.parametrize(
    "changed",
    [{"WORLD_SIZE": "1", "RANK": "0"}, {"MASTER_ADDR": ""}, {"RANK": "x"}, {"RANK": "8"}, {"WORLD_SIZE": ""}],
)
def test_one_process_and_half_an_environment_are_no_launch(changed: dict[str, str]) -> None:
    assert read_launch(TORCHRUN | changed) is None


#: Command lines that cannot work, and words of the one sentence.
WRONG = [
    (["train"], "Name the sounds"),
    (["train", "nosuch", "--seed", "-4"], "--seed"),
    (["train", ".", "--batch", "0"], "--batch"),
    (["train", ".", "--from-epoch", "3"], "--from-epoch needs --from"),
    (["resume", "nosuch"], "nosuch"),
    (["queue", "run"], "distill queue is for one process"),
    (["sample", "nosuch.distill"], "distill sample is for one process"),
    (["inspect", "."], "distill inspect is for one process"),
    ([], "The window is for one process"),
]


@pytest.mark.parametrize(("words", "reason"), WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_what_is_wrong_is_said_once(tmp_path: Path, words: list[str], reason: str) -> None:
    shared = os.environ | TORCHRUN | {"WORLD_SIZE": "2", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "distill", *words]
    first, second = (
        subprocess.Popen(
            command, env=shared | {"RANK": rank, "LOCAL_RANK": rank}, cwd=tmp_path, text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        for rank in ("0", "1")
    )  # fmt: skip
    try:
        _, said = first.communicate(timeout=300)
        second.terminate()  # as torchrun does
        assert (first.returncode, reason in said) == (2, True), said
        assert second.communicate(timeout=300)[1] == ""
    finally:
        for process in (first, second):
            process.kill()
            process.communicate()


@pytest.mark.parametrize(("rank", "waits"), [("0", False), ("1", True)])
def test_a_process_that_is_left_says_it_in_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], rank: str, waits: bool
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    for name, value in (TORCHRUN | {"WORLD_SIZE": "2", "RANK": rank, "LOCAL_RANK": rank}).items():
        monkeypatch.setenv(name, value)
    assert __main__.main(["train"]) == 2
    assert bool(waited) is waits
    assert "Name the sounds" in capsys.readouterr().err
