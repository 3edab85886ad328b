"""A library whose writers are killed at each of their file operations is whole, and tidy at the next start."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.library.test_model_library import bells, write_model

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(sys.platform != "linux", reason="fork, and files without a name")
def test_every_operation_survives_a_kill_at_each_step(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model.distill", bells(name="Kept", model_id="a" * 32))
    write_model(tmp_path / "stranger.distill", bells(name="Stranger", model_id="b" * 32))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.support.kill_worker", str(tmp_path / "work"), str(model)],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["operation"] for row in rows] == ["imports", "adds", "renames", "deletes", "restores", "exports"]
    assert all(row["exit"] == 0 for row in rows)
    assert all(row["kills"] >= 8 for row in rows), rows
    assert [row["wrong"] for row in rows] == [[]] * len(rows)
