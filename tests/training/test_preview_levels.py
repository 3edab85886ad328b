"""A copy of silence stays silent; everything else is written at full scale."""

from pathlib import Path

import pytest
import soundfile
import torch

from distill.training.preview import _write


@pytest.mark.parametrize(
    ("level", "expected"), [(0.0, 0.0), (1e-4, 1e-4), (9e-4, 9e-4), (5e-3, 0.98), (0.5, 0.98), (3.0, 0.98)]
)
def test_what_is_silent_is_not_raised(tmp_path: Path, level: float, expected: float) -> None:
    path = _write(tmp_path / "a.wav", level * torch.sin(torch.arange(48_000) * 0.1)[None], 48_000)
    assert abs(soundfile.read(path)[0]).max() == pytest.approx(expected, abs=2.0**-15 + 1e-3 * expected)
