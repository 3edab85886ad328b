"""How a run computes: as it did so far, or chosen by a trial on a copy of its network; the same in all processes.

The trial is short, and measures on this machine: bfloat16 autocast halves the memory traffic and uses matrix units
where a processor has them; on one without, it is slower than float32.  No table of processors says which is which as
surely as a few timed steps do.  Plain float32 in the usual layout is the baseline, and is left only for something that
is measurably faster.
"""

import copy
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import AdamW

from distill import paths
from distill.config.training import AnyConfig
from distill.events import PreparationProgress, TrainingNotice
from distill.json_files import read_json, write_json
from distill.training.beginning.training_data import spread_items
from distill.training.compute_plan import ComputePlan, computing_threads, stored_plan
from distill.training.run import OpenedRun, TrainingData
from distill.training.steps.training_step import TrainingStep, step_randomness

#: An alternative must take at most this share of the baseline's time to be chosen.
_WORTH_IT = 0.95
_TIMED_STEPS = 4
#: Timed steps for which the number of chunks of the trial is chosen.
_LEAST_TIMED_STEPS = 2
#: Seconds that the trial of all plans may take after its first two steps, which are taken on one chunk: enough for
#: steps on whole batches, which show differences that steps on a few chunks do not.
TRIAL_SECONDS = 3.0
#: Seconds that its very first step may take, on one chunk: it also loads parts of torch, a second or two of them.
FIRST_STEP_SECONDS = 5.0
#: Chunks that a run has to learn from for the trial to pay: fewer take a quarter of a minute, of which the fastest plan
#: saves hardly more than the trial costs.
LEAST_CHUNKS = 2000
#: Days after which a remembered choice is measured again.
_MEMORY_DAYS = 30
#: Threads under which fewer are not tried.
_MANY_THREADS = 4


def common_plan(opened: OpenedRun, data: TrainingData, model: nn.Module) -> ComputePlan:
    """Return the compute plan of all processes, which the first one chooses."""
    chosen_plans: list[ComputePlan] = []

    def choose() -> dict[str, Any]:
        chosen_plans.append(_compute_plan(opened, data, model))
        return chosen_plans[0].to_dict()

    plan_of_first = opened.ranks.on_first(choose)
    return chosen_plans[0] if chosen_plans else ComputePlan.from_dict(plan_of_first)


def _compute_plan(opened: OpenedRun, data: TrainingData, model: nn.Module) -> ComputePlan:
    """Return the compute plan: that of the run so far, or one chosen by a trial on a copy of the network."""
    state = (opened.checkpoint or {}).get("training_state") or {}
    stored_speed = state.get("speed", opened.record.speed)
    if stored_speed != {} and (stored := stored_plan(stored_speed, opened.request.resume_checkpoint)) is not None:
        plan = stored.changed_by(opened.config)
        if opened.config.num_threads == "auto" and opened.record.speed.get("processes", 1) != opened.ranks.size:
            threads = torch.get_num_threads()  # that number was right for another number of processes
            plan = replace(plan, num_threads=threads, why=f"{plan.precision}, for {opened.ranks.size} processes")
    else:
        plan = _choose_by_trial(opened, data, model)
        opened.emit(TrainingNotice("speed", f"Computing in {plan.why}.", "info"))
    opened.record.speed = {**opened.record.speed, **plan.to_dict(), "processes": opened.ranks.size}
    return plan


def _choose_by_trial(opened: OpenedRun, data: TrainingData, model: nn.Module) -> ComputePlan:
    config, family = opened.config, opened.family
    items = spread_items(len(data.train_set), config.batch_size)
    batch = next(data.train_set.batches(items, config.batch_size)).to(opened.device)
    weights = family.weights(1.0)
    steps: dict[tuple[str, bool], TrainingStep] = {}

    def step_of(plan: ComputePlan) -> TrainingStep:
        key = (plan.precision, plan.channels_last)
        if key not in steps:
            twin = plan.prepare_model(copy.deepcopy(model)).train()
            optimizer = AdamW([p for p in twin.parameters() if p.requires_grad], lr=1e-4, fused=True)
            steps[key] = TrainingStep(family, twin, optimizer, 1.0, plan)
        return steps[key]

    def step(plan: ComputePlan, chunks: int) -> None:
        opened.request.check_paused()
        with step_randomness(config.seed, 0, 0, opened.device):
            step_of(plan)(plan.layout(batch[:chunks]), weights, 0)

    opened.emit(PreparationProgress("Measuring your computer", 0, 1))
    subject = f"{family.feature_key()} {type(model).__name__} {batch.shape}"
    return choose_plan(config, opened.device, step, len(batch), subject, config.max_epochs * len(data.train_set.layout))


def _candidates(config: AnyConfig, device: torch.device) -> list[ComputePlan]:
    """Return what may be chosen under the user's wishes, the baseline first.

    A precision that the user fixed comes in one layout, so that it also fixes the result to the last bit.
    """
    threads = config.num_threads if isinstance(config.num_threads, int) else torch.get_num_threads()
    plain = ComputePlan(num_threads=threads)
    half = replace(plain, precision="bfloat16", channels_last=True)
    if config.precision == "bfloat16":
        return [half]
    can_half = device.type == "cpu" or (device.type == "cuda" and torch.cuda.is_bf16_supported())
    if config.precision == "float32" or not can_half:
        return [plain]
    return [plain, replace(plain, channels_last=True), half]


Trial = Callable[[ComputePlan, int], None]


def _step_ms(
    plans: list[ComputePlan], step: Trial, chunks: int, device: torch.device, seconds: float, expected: float = 0.0
) -> list[tuple[ComputePlan, float]]:
    """Return the milliseconds of a step under each plan; only the first plan, if there is no time for the others.

    The plans take turns, and the quickest step of each counts: other programs can only make a step slower.  The first
    step of each plan is not counted, because it also allocates memory and prepares kernels.

    Parameters
    ----------
    plans
        What is compared, the baseline first.
    step, chunks
        Takes a step on so many chunks.
    device
        Device of the step.
    seconds
        No step is begun that is expected to end later than this.
    expected
        Seconds that a step is expected to take before one has been measured.
    """
    deadline = time.perf_counter() + seconds
    times: dict[ComputePlan, list[float]] = {plan: [] for plan in plans}
    for _ in range(1 + _TIMED_STEPS):
        for plan in plans:
            expected = max((min(taken) for taken in times.values() if taken), default=expected)
            if time.perf_counter() + expected > deadline:
                break
            with computing_threads(plan.num_threads):
                start = time.perf_counter()
                step(plan, chunks)
                if device.type == "cuda":
                    torch.cuda.synchronize(device)
                times[plan].append(time.perf_counter() - start)
    if not all(len(taken) > 1 for taken in times.values()):
        return [(plans[0], 1000 * min(times[plans[0]] or [expected]))]
    return [(plan, 1000 * min(taken[1:])) for plan, taken in times.items()]


def choose_plan(
    config: AnyConfig, device: torch.device, step: Trial, chunks: int, subject: str, total_chunks: int
) -> ComputePlan:
    """Return how a run should compute, measured on real steps of a throw-away copy of the network.

    The answer is remembered on this machine, so that the same run started twice computes in the same way and gives
    the same result.  The trial takes about `TRIAL_SECONDS`; slow steps are measured on fewer chunks.

    Parameters
    ----------
    config
        What the user fixed: precision and threads, or "auto".
    device
        Device of the run.
    step
        Takes one training step under a plan, on the first so many chunks of a batch.
    chunks
        Number of chunks in a batch.
    subject
        A text that differs for networks and batches that differ in size.
    total_chunks
        Number of chunks in all batches of the run; under `LEAST_CHUNKS` nothing is measured.
    """
    candidates = _candidates(config, device)
    fixed = len(candidates) == 1 and (config.num_threads != "auto" or device.type != "cpu")
    if fixed:
        return replace(candidates[0], why=f"{candidates[0].name}: as the settings say")
    if total_chunks < LEAST_CHUNKS:
        return replace(candidates[0], why=f"{candidates[0].name}: the run is too short to measure what is fastest")
    key = _memory_key(config, device, subject)
    remembered = _remembered(key)
    if remembered is not None:
        return remembered
    fewer_threads = config.num_threads == "auto" and device.type == "cpu" and candidates[0].num_threads >= _MANY_THREADS
    seconds = TRIAL_SECONDS / 2 if fewer_threads else TRIAL_SECONDS
    size, expected = _trial_size(candidates[0], step, chunks, device, len(candidates), seconds)
    timed = _step_ms(candidates, step, size, device, seconds, expected)
    best = _fastest(timed)
    if fewer_threads:
        fewer = replace(best, num_threads=best.num_threads // 2)
        halved = _step_ms([best, fewer], step, size, device, seconds)
        timed += halved[1:]
        best = _fastest(halved)
    best = replace(best, why=_reason(best, timed), trials=tuple((s.name, round(t, 3)) for s, t in timed))
    if len(timed) >= len(candidates):  # otherwise there was no time to compare, and there may be next time
        _remember(key, best)
    return best


def _trial_size(
    plan: ComputePlan, step: Trial, chunks: int, device: torch.device, compute_plans: int, seconds: float
) -> tuple[int, float]:
    """Return on how many chunks of a batch the plans can be compared in ``seconds``, and the seconds of such a step."""
    if device.type != "cpu":
        return chunks, 0.0
    step_seconds = 0.0
    for _ in range(2):  # the first step is slower than all others
        start = time.perf_counter()
        step(plan, 1)
        step_seconds = time.perf_counter() - start
        if step_seconds > FIRST_STEP_SECONDS:
            break
    affordable_chunks = int(seconds / ((1 + _LEAST_TIMED_STEPS) * compute_plans * max(step_seconds, 1e-6)))
    trial_chunks = max(1, min(chunks, affordable_chunks))
    return trial_chunks, step_seconds * trial_chunks


def _memory_file() -> Path:
    return paths.cache_dir() / "speed.json"


def _memory_key(config: AnyConfig, device: torch.device, subject: str) -> str:
    machine = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{device.type} {os.cpu_count()}"
    parts = (subject, config.batch_size, config.precision, config.num_threads, torch.get_num_threads(), machine)
    return " | ".join(map(str, (*parts, torch.__version__)))


def _remembered(key: str) -> ComputePlan | None:
    """Return an earlier answer, unless it is old: machines and drivers change."""
    try:
        entry = read_json(_memory_file())[key]
        fresh = time.time() - float(entry["at"]) < _MEMORY_DAYS * 86_400
        return ComputePlan.from_dict(entry["speed"]) if fresh else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError):
        return None


def _remember(key: str, plan: ComputePlan) -> None:
    try:
        memory = read_json(_memory_file())
    except (OSError, ValueError):
        memory = {}
    known_plans = memory if isinstance(memory, dict) else {}
    with suppress(OSError):
        write_json(_memory_file(), {**known_plans, key: {"at": time.time(), "speed": plan.to_dict()}})


def _fastest(timed: list[tuple[ComputePlan, float]]) -> ComputePlan:
    """Return the fastest, or the first where none is worth leaving it for."""
    baseline, baseline_ms = timed[0]
    plan, best_ms = min(timed, key=lambda item: item[1])
    return plan if best_ms <= _WORTH_IT * baseline_ms else baseline


def _reason(best: ComputePlan, timed: list[tuple[ComputePlan, float]]) -> str:
    took = dict(timed)
    others = ", ".join(f"{s.name} {t:.0f} ms" for s, t in timed if s != best)
    return f"{best.name}: {took[best]:.0f} ms a step" + (f" (measured beside it: {others})" if others else "")
