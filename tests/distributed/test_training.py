"""Training on several processes gives what one process gives, and ends with the last checkpoint when one is killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from torch.distributed import HashStore, TCPStore  # type: ignore[attr-defined]  # torch exports them without saying so

from distill.config.family_catalog import FAMILIES
from distill.distributed import ranks
from distill.errors import TrainingError
from distill.runs.run_owner import HOLDER, is_locked
from distill.runs.run_record import RunRecord
from tests.support.joined_worker import SUSPENDED_SECONDS
from tests.training.conftest import write_sounds

#: Largest difference of what a shared step measures, and of its gradient, from a step of one process, as a share.  Sums
#: come in another order; a gradient of absolute errors changes its sign where they are nearly zero.
ROUNDING, GRADIENT_ROUNDING = 1e-4, 1e-2


#: For a busy computer: nothing here takes longer than a minute on an idle one.
PATIENCE_SECONDS = 1200


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def run_joined(folder: Path, size: int, family: str, *checks: str, epochs: int = 2) -> tuple[dict[str, Any], list[int]]:
    """Run checks on several processes; return what the first one found, and their exit codes."""
    processes = start_joined(folder, size, family, *checks, epochs=epochs)
    try:
        output, _ = processes[0].communicate(timeout=PATIENCE_SECONDS)
        codes = [process.wait(timeout=60) for process in processes]
    finally:
        end(processes)
    found: dict[str, Any] = {}
    for line in output.splitlines():
        found |= json.loads(line)
    return found, codes


def end(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.kill()
        process.communicate()


def start_joined(
    folder: Path,
    size: int,
    family: str,
    *checks: str,
    epochs: int = 2,
    changed: dict[str, str] | None = None,
    command: list[str] | None = None,
    **streams: Any,
) -> list[subprocess.Popen[bytes]]:
    shared = os.environ | {
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(size), "OMP_NUM_THREADS": "1",
        "DISTILL_HOME": str(folder / "home"), "EPOCHS": str(epochs), "PYTHONPATH": os.pathsep.join(sys.path),
    }  # fmt: skip
    shared |= changed or {}
    command = command or [sys.executable, "-m", "tests.support.joined_worker", str(folder), family, *checks]
    return [
        subprocess.Popen(
            command, env=shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)}, stdout=subprocess.PIPE, **streams
        )
        for rank in range(size)
    ]


def test_a_process_that_never_joins_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """All waited for half an hour, and torch then said nothing of it."""
    monkeypatch.setattr(ranks, "_JOIN_SECONDS", 0.2)
    store = HashStore()
    for stopped, sentence in ((False, "Process 2 of 3 has not joined"), (True, "Stopped before all processes")):
        store.set("0", "")
        with pytest.raises(TrainingError, match=sentence):
            ranks.await_all(store, 1, 3, lambda stopped=stopped: stopped)  # type: ignore[misc]
    store.set("2", "")
    ranks.await_all(store, 1, 3, lambda: False)


def test_two_processes_train_as_one_and_go_on_exactly(tmp_path: Path) -> None:
    write_sounds(tmp_path / "sounds", 7)
    found, codes = run_joined(tmp_path, 2, "vqvae", "steps", "alone", "stopped", "resumed")
    assert codes == [0, 0]
    assert found["steps"].keys() == {row.key for row in FAMILIES}
    for measured, gradient in (pair for pairs in found["steps"].values() for pair in pairs):
        assert measured < ROUNDING
        assert gradient < GRADIENT_ROUNDING
    assert found["stopped"]["outcome"] == "stopped"
    assert 0 < len(found["stopped"]["steps"]) < len(found["alone"]["steps"])
    assert found["resumed"] == found["alone"]


def test_a_process_that_is_killed_ends_the_run_with_the_reason(tmp_path: Path) -> None:
    write_sounds(tmp_path / "sounds", 7)
    found, codes = run_joined(tmp_path, 2, "vae", "killed")
    assert "Process 1 of 2" in found["killed"]["error"]
    assert codes[1] == -9
    record = RunRecord.load(tmp_path / "run")
    assert record.status == "failed"
    assert record.error == found["killed"]["error"]
    assert list((tmp_path / "run" / "checkpoints").glob("*.pt"))
    assert not (tmp_path / "run" / HOLDER).exists()


@contextmanager
def joined_by_a_store(folder: Path, check: str, **streams: Any) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start two processes with a store that is in neither of them, as torchrun's."""
    write_sounds(folder / "sounds", 7)
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    shared = {"TORCHELASTIC_USE_AGENT_STORE": "True", "MASTER_PORT": str(store.port)}
    processes = start_joined(folder, 2, "vae", check, changed=shared, **streams)
    try:
        yield processes
    finally:
        end(processes)


def test_the_second_says_and_records_that_the_first_is_gone(tmp_path: Path) -> None:
    """The real command, whose first process is killed while it trains."""
    write_sounds(tmp_path / "sounds", 5)
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    words = ["train", str(tmp_path / "sounds"), "--epochs", "9999", "--batch", "4", "--threads", "1", "--json"]
    processes = start_joined(
        tmp_path, 2, "vae", changed={"TORCHELASTIC_USE_AGENT_STORE": "True", "MASTER_PORT": str(store.port)},
        command=[sys.executable, "-m", "distill", *words, "--out", str(tmp_path / "run")], stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert processes[0].stdout is not None
        assert any(b"StepMetrics" in line for line in processes[0].stdout)
        processes[0].kill()
        _, said = processes[1].communicate(timeout=PATIENCE_SECONDS)
    finally:
        end(processes)
    record = RunRecord.load(tmp_path / "run")
    assert (record.status, processes[1].returncode) == ("failed", 1)
    assert record.error is not None
    assert record.error.startswith("Process 0 of 2")
    assert said.decode().splitlines()[-1] == f"distill: {record.error}"


@pytest.mark.parametrize("frozen", [0, 1])
def test_a_process_that_no_longer_answers_is_killed_and_ends_the_run(tmp_path: Path, frozen: int) -> None:
    with joined_by_a_store(tmp_path, f"frozen {frozen}") as processes:
        output, _ = processes[1 - frozen].communicate(timeout=PATIENCE_SECONDS)
        assert processes[frozen].wait(timeout=60) == -signal.SIGKILL
    error = json.loads(output.splitlines()[-1])[f"frozen {frozen}"]["error"]
    assert error.startswith(f"Process {frozen} of 2")
    assert "has not answered for 3 s" in error
    record = RunRecord.load(tmp_path / "run")
    assert (record.status, record.error) == ("failed", error)
    assert list((tmp_path / "run" / "checkpoints").glob("*.pt"))
    assert not is_locked(tmp_path / "run")


@pytest.mark.soak  # it goes by the clock
def test_processes_that_were_suspended_together_go_on(tmp_path: Path) -> None:
    """The one that wakes first does not take the others for dead."""
    with joined_by_a_store(tmp_path, "suspended") as processes:
        for process in processes:
            while state_of(process.pid) != "T":
                assert process.poll() is None
                time.sleep(0.05)
        time.sleep(SUSPENDED_SECONDS)
        processes[0].send_signal(signal.SIGCONT)
        time.sleep(1.5)  # for one look at the other
        processes[1].send_signal(signal.SIGCONT)
        assert [process.wait(timeout=PATIENCE_SECONDS) for process in processes] == [0, 0]
    assert RunRecord.load(tmp_path / "run").status == "finished"


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize(("frozen", "status"), [(1, "failed"), (0, "running")])
def test_one_of_another_computer_that_no_longer_answers_is_named(tmp_path: Path, frozen: int, status: str) -> None:
    """The first one still holds the folder while it is frozen: then the run counts as interrupted once it is gone."""
    with joined_by_a_store(tmp_path, f"far {frozen}", stderr=subprocess.PIPE) as processes:
        _, said = processes[1 - frozen].communicate(timeout=PATIENCE_SECONDS)
        assert processes[1 - frozen].returncode == 1
        assert processes[frozen].poll() is None
    sentence = said.decode().strip().splitlines()[-1]
    assert sentence.startswith(f"distill: Process {frozen} of 2")
    assert "has not answered for 3 s" in sentence
    record = RunRecord.load(tmp_path / "run")
    assert record.status == status
    assert (record.error or "") in sentence
    assert (tmp_path / "run" / HOLDER).exists() is (status == "running")


@pytest.mark.soak
@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("family", [row.key for row in FAMILIES])
def test_a_killed_process_and_a_resumed_run_end_as_the_run_left_alone(tmp_path: Path, family: str, size: int) -> None:
    write_sounds(tmp_path / "sounds", 12)
    alone, _ = run_joined(tmp_path, size, family, "alone", epochs=4)
    run_joined(tmp_path, size, family, "killed", epochs=4)
    resumed, codes = run_joined(tmp_path, size, family, "resumed", epochs=4)
    assert codes == [0] * size
    assert resumed["resumed"] == alone["alone"]


@pytest.mark.soak
@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("family", [row.key for row in FAMILIES])
def test_each_of_a_hundred_steps_is_that_of_one_process(tmp_path: Path, family: str, size: int) -> None:
    """From the same weights: left alone, rounding grows in every training, also from one thread to two."""
    write_sounds(tmp_path / "sounds", 7)
    found, codes = run_joined(tmp_path, size, family, "hundred")
    assert codes == [0] * size
    print(f"{family}, {size} processes: losses {found['hundred'][0]:.1e}, gradients {found['hundred'][1]:.1e}")
    assert found["hundred"][0] < ROUNDING
    assert found["hundred"][1] < GRADIENT_ROUNDING
