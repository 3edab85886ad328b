"""What it costs to measure how near new sounds are, as a share of the training steps of the same run."""

from dataclasses import replace
from pathlib import Path

import pytest

from distill.config.factory import make_config
from distill.config.family_catalog import FAMILIES
from distill.training.loop import run_epochs
from tests.benchmarks.conftest import Report
from tests.benchmarks.test_training_speed import close, opened

pytestmark = pytest.mark.benchmark

#: Share of the steps that it may cost.
MOST = 0.03
#: Steps after which a run of this benchmark ends with the epoch.
STEPS = 480


@pytest.mark.parametrize("family", [row.key for row in FAMILIES])
def test_the_share_of_a_run(family: str, bench_sounds: list[Path], tmp_path: Path, report: Report) -> None:
    config = replace(make_config(family, len(bench_sounds)), patience=0)
    run = opened(config, bench_sounds, tmp_path / "run")
    epochs = -(-STEPS // run.training_data.steps_per_epoch)
    run.config = replace(run.config, max_epochs=epochs)
    assert run_epochs(run)
    close(run)
    measured, steps = run.stopwatch.seconds["new sounds"], run.stopwatch.seconds["step"]
    share = measured / steps
    report(
        f"{family}: {run.stopwatch.counts['new sounds']} figures in {epochs} epochs, "
        f"{run.stopwatch.mean('new sounds'):.2f} s each; {share:.1%} of the {steps:.0f} s of steps"
    )
    assert share < MOST
