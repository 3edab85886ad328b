"""The check of a GPU ends well where there is none."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU: run tests/gpu/check.py by hand")
def test_without_a_gpu_it_says_so() -> None:
    script = Path(__file__).with_name("check.py")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (0, "No GPU here: nothing was checked.\n"), done.stderr
