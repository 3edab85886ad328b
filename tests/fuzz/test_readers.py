"""Broken files for every reader, in a process with little memory and time: refused in one sentence, or opened."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limits on memory and time are Linux's")


def fuzz(folder: Path, first: int, count: int) -> dict[str, Counter[str]]:
    """Open ``count`` broken files and return how often each outcome came for each reader."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.fuzz.worker", str(folder / "files"), str(first), str(count)],
        cwd=ROOT, capture_output=True, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "DISTILL_HOME": str(folder / "home")},
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"died on {lines[-1:]} with {done.returncode}: {done.stderr[-1000:]}"
    found = [json.loads(line) for line in lines if line.startswith("{")]
    assert len(found) == count
    assert [row for row in found if row["outcome"] not in ("refused", "opened")] == []
    counts: dict[str, Counter[str]] = {name: Counter() for name in TARGETS}
    for row in found:
        counts[row["target"]][row["outcome"]] += 1
    return counts


def test_every_reader_refuses_or_opens_broken_files(tmp_path: Path) -> None:
    counts = fuzz(tmp_path, 0, 300)
    assert all(counter.total() >= 10 for counter in counts.values())
    assert sum(counter["refused"] for counter in counts.values()) > 60  # or what was hit is of no importance


@pytest.mark.soak
def test_ten_thousand_broken_files(tmp_path: Path) -> None:
    counts = fuzz(tmp_path, 1000, 10_000)
    assert sum(counter.total() for counter in counts.values()) == 10_000
    for name, counter in counts.items():
        print(f"{name}: {counter['opened']} opened, {counter['refused']} refused")
