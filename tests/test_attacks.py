"""Kills at random system calls, files that may not grow, and full disks, for every operation that writes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.attack_worker import OPERATIONS

ROOT = Path(__file__).resolve().parents[1]

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(sys.platform != "linux", reason="the debugger's interface is Linux's"),
]


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_thousand_kills_and_a_hundred_full_disks(tmp_path: Path, small_disk: Path) -> None:
    """All is as before or as after, and nothing is left behind at the next start."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.support.attack_worker", str(tmp_path / "work"), "54", "6",
         str(small_disk)],
        cwd=ROOT, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    print(done.stdout)
    assert len(rows) == 2 * len(OPERATIONS)
    assert [row["wrong"] for row in rows] == [[]] * len(rows)
    assert sum(row.get("kills", 0) for row in rows) >= 1000
    assert sum(sum(row["on a full disk"].values()) for row in rows if "on a full disk" in row) >= 100
    codes = {code for row in rows for code in (row.get("limited") or row["on a full disk"]) if row.get("limited")}
    assert codes <= {"0", "3", "4"}  # 4: refused in one sentence, by an error that is no OSError
