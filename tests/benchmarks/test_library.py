"""How long fifty models take to be listed: from the index, and read anew."""

import statistics
import time
from pathlib import Path

import pytest

from distill.library.index import INDEX_NAME, index_folder
from distill.library.model_library import ModelLibrary
from tests.benchmarks.conftest import Report
from tests.library.test_model_library import bells, write_model

pytestmark = pytest.mark.benchmark


def test_fifty_models(tmp_path: Path, report: Report) -> None:
    for n in range(50):
        path = write_model(tmp_path / f"m{n:02d}.distill", bells(name=f"Model {n}", model_id=f"{n:032x}"))
        ModelLibrary(tmp_path).set_star(path, True)
    (index_folder(tmp_path) / INDEX_NAME).unlink()
    start = time.perf_counter()
    ModelLibrary(tmp_path).list()
    anew = time.perf_counter() - start
    times = []
    for _ in range(11):
        start = time.perf_counter()
        assert len(ModelLibrary(tmp_path).list()) == 50
        times.append(time.perf_counter() - start)
    report(f"50 models from the index: {statistics.median(times) * 1e3:.1f} ms (longest {max(times) * 1e3:.1f} ms)")
    report(f"50 models without an index: {anew * 1e3:.0f} ms")
    assert statistics.median(times) < 0.1
