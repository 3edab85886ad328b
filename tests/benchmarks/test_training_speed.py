"""Seconds of sound trained per second, what augmentation adds to a step, and how long checkpoints hold the loop up."""

import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from distill.audio.augmentation import AugmentationPipeline
from distill.audio.cache.sound_cache import SoundCache
from distill.config.factory import make_config
from distill.config.family_catalog import FAMILIES
from distill.config.training import AnyConfig
from distill.models.families import make_family
from distill.training import save_progress
from distill.training.beginning.open_run import open_run
from distill.training.beginning.prepare import prepare
from distill.training.compute_plan import ComputePlan
from distill.training.dataset import FeatureDataset, prepare_sounds
from distill.training.loop import run_epochs
from distill.training.run import EventSink, Run, RunRequest
from distill.training.steps.training_step import TrainingStep
from tests.benchmarks.conftest import Report

pytestmark = pytest.mark.benchmark

_STEPS = 12


def median_s(step: Callable[[], object], steps: int = _STEPS) -> float:
    step()
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def opened(config: AnyConfig, sounds: list[Path], folder: Path) -> Run:
    return prepare(open_run(RunRequest(config, sounds, folder, "cpu", threading.Event()), EventSink(None)))


def close(run: Run) -> None:
    run.writer.close()
    run.folder.close()


def baseline_step(run: Run, waves: Tensor) -> Callable[[], None]:
    """A plain loop's step: float32, usual layout, features computed in the step, AdamW as it comes."""
    model: nn.Module = run.family.build().train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    weights = run.family.weights(1.0)

    def step() -> None:
        objective = run.family.objective(model, run.family.features(waves), 1)
        total = torch.stack([weights[name] * term for name, term in objective.terms.items()]).sum()
        optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


@pytest.mark.parametrize("family", [row.key for row in FAMILIES])
def test_audio_seconds_per_second(family: str, bench_sounds: list[Path], tmp_path: Path, report: Report) -> None:
    config = make_config(family, len(bench_sounds))
    run = opened(config, bench_sounds, tmp_path / "run")
    try:
        step = TrainingStep(run.family, run.model.train(), run.optimizer, 1.0, run.plan)
        weights = run.family.weights(1.0)
        loader = iter(run.training_data.train_loader)
        size = min(config.batch_size, len(run.training_data.train_set))

        def ours() -> None:
            nonlocal loader
            batch = next(loader, None)
            if batch is None:
                loader = iter(run.training_data.train_loader)
                batch = next(loader)
            step(run.plan.layout(batch), weights, 1)

        baseline = baseline_step(run, torch.randn(size, 1, 48_000) * 0.1)
        plain, fast = zip(*((median_s(baseline, 4), median_s(ours, 4)) for _ in range(4)), strict=True)
        ratio = statistics.median(p / f for p, f in zip(plain, fast, strict=True))
        report(f"{family}: {run.plan.why}")
        report(f"{family}: {size / statistics.median(fast):.0f} audio s/s, plain float32 loop ")
        report(f"{family}: {size / statistics.median(plain):.0f} audio s/s; {ratio:.2f} times as fast")
        assert ratio > 0.95
    finally:
        close(run)


def test_share_of_augmentation(bench_sounds: list[Path], report: Report) -> None:
    config = make_config("vae", len(bench_sounds))
    family = make_family(config)
    sounds = prepare_sounds(bench_sounds, SoundCache()).sounds
    plain, varied = FeatureDataset(sounds, family), FeatureDataset(sounds, family, AugmentationPipeline(), 4)
    plain.prepare()
    start = time.perf_counter()
    varied.prepare()
    prepared = time.perf_counter() - start
    model = family.build().train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3, fused=True)
    step = TrainingStep(family, model, optimizer, 1.0, ComputePlan("bfloat16", True, torch.get_num_threads()))

    def epoch_step(dataset: FeatureDataset) -> None:
        items = torch.randperm(len(dataset))[: config.batch_size].tolist()
        step(next(dataset.batches(items, config.batch_size)), family.weights(1.0), 1)

    ratios = [median_s(lambda: epoch_step(varied), 5) / median_s(lambda: epoch_step(plain), 5) for _ in range(3)]
    report(f"a step with variants takes {statistics.median(ratios):.3f} of the time of one without")
    each = prepared / (3 * varied.layout.chunks)
    report(f"each variant of a second was made once in {1000 * each:.1f} ms ({prepared:.1f} s in all)")
    assert statistics.median(ratios) < 1.15


def test_checkpoints_hold_the_loop_up(
    bench_sounds: list[Path], tmp_path: Path, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(make_config("vae", len(bench_sounds), max_epochs=20, patience=0), preview_interval_short=20)
    run = opened(config, bench_sounds, tmp_path / "run")
    held: list[float] = []
    save = save_progress.save_progress

    def timed(*args: object, **options: object) -> None:
        start = time.perf_counter()
        save(*args, **options)  # type: ignore[arg-type]
        held.append(time.perf_counter() - start)

    for module in ("loop", "save_progress"):
        monkeypatch.setattr(f"distill.training.{module}.save_progress", timed)
    try:
        start = time.perf_counter()
        assert run_epochs(run)
        whole = time.perf_counter() - start
    finally:
        close(run)
    report(f"{len(held)} checkpoints held the loop up for {sum(held):.2f} s of {whole:.1f} s: {sum(held) / whole:.1%}")
    assert sum(held) < 0.05 * whole
