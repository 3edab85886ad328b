"""Number format, memory layout and threads: chosen by a short measured trial on this machine.

bfloat16 autocast halves the memory traffic and uses matrix units where a processor has them; on one without, it is
slower than float32.  No table of processors says which is which as surely as a few timed steps do.  Plain float32 in
the usual layout is the baseline, and is left only for something that is measurably faster.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from distill import paths
from distill.config.training import AnyConfig
from distill.json_files import read_json, write_json
from distill.training.checkpoint import lacking

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
#: Most threads that are read from a file, as in the settings.
_MOST_THREADS = 1024
#: Threads under which fewer are not tried.
_MANY_THREADS = 4


@dataclass(frozen=True)
class ComputePlan:
    """How a run computes.

    Attributes
    ----------
    precision
        ``"float32"`` or ``"bfloat16"`` (autocast; weights stay float32).
    channels_last
        Memory layout of convolutions.
    num_threads
        Processor threads.
    why
        One sentence for the run's record.
    trials
        Milliseconds a step of what was measured.
    """

    precision: str = "float32"
    channels_last: bool = False
    num_threads: int = 1
    why: str = "plain float32"
    trials: tuple[tuple[str, float], ...] = ()

    @property
    def name(self) -> str:
        """A short name for people."""
        layout = ", channels last" if self.channels_last else ""
        return f"{self.precision}{layout}, {self.num_threads} thread{'s' if self.num_threads != 1 else ''}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        data = asdict(self)
        data["trials"] = [list(t) for t in self.trials]
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "ComputePlan":
        """Rebuild from `to_dict`'s result; trials are not needed to compute and left out.

        Raises
        ------
        LookupError, TypeError, ValueError
            It is not such a result.
        """
        if not isinstance(data, dict):  # torch warns of a tensor that is asked for a name
            raise TypeError("its way of computing is damaged")
        precision, threads = data["precision"], data["num_threads"]
        if precision not in ("float32", "bfloat16") or type(threads) is not int or not 1 <= threads <= _MOST_THREADS:
            raise ValueError("its way of computing is damaged")
        return cls(precision, bool(data["channels_last"]), threads, str(data["why"]))

    def autocast(self, device: torch.device) -> torch.autocast:
        """Return the context of a forward pass."""
        return torch.autocast(device.type, torch.bfloat16, enabled=self.precision == "bfloat16")

    def layout(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return a batch ``[B, C, F, T]`` in the chosen layout."""
        return tensor.contiguous(memory_format=torch.channels_last) if self.channels_last else tensor

    def prepare_model(self, model: nn.Module) -> nn.Module:
        """Return the network with its convolutions in the chosen layout."""
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        prepared: nn.Module = model.to(memory_format=layout)  # type: ignore[call-overload]
        return prepared

    def changed_by(self, config: AnyConfig) -> "ComputePlan":
        """Return the plan with the precision and the threads that the settings of a resumed run fix."""
        plan = self
        if config.precision not in ("auto", plan.precision):
            plan = replace(plan, precision=config.precision, channels_last=config.precision == "bfloat16")
        if isinstance(config.num_threads, int):
            plan = replace(plan, num_threads=config.num_threads)
        return plan if plan == self else replace(plan, why=f"{plan.name}: as the settings of the resumed run say")


def stored_plan(stored: Any, checkpoint: Path | None) -> ComputePlan | None:
    """Return the compute plan of a run so far; None where its record is damaged, and it has no checkpoint yet.

    Raises
    ------
    CheckpointError
        That of its checkpoint is damaged.
    """
    try:
        return ComputePlan.from_dict(stored)
    except (LookupError, TypeError, ValueError) as exc:
        if checkpoint is None:
            return None
        raise lacking(checkpoint, exc) from exc


@contextmanager
def computing_threads(count: int | str) -> Iterator[None]:
    """Compute with a number of threads inside the block, as before after it; ``"auto"`` is torch's own number.

    That number is set explicitly as well: until somebody sets it, the matrix library chooses its own from call to
    call, and sums come out in another order.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(before if isinstance(count, str) else count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def computing(device: torch.device, threads: int | str) -> Iterator[None]:
    """Compute inside the block with a number of threads, and on a CUDA device with TF32 matrix products.

    Both are settings of the whole process; after the block they are as before.
    """
    precision = torch.get_float32_matmul_precision()
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    try:
        with computing_threads(threads):
            yield
    finally:
        torch.set_float32_matmul_precision(precision)


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
    plan: ComputePlan, step: Trial, chunks: int, device: torch.device, plans: int, seconds: float
) -> tuple[int, float]:
    """Return on how many chunks of a batch the plans can be compared in ``seconds``, and the seconds of such a step."""
    if device.type != "cpu":
        return chunks, 0.0
    took = 0.0
    for _ in range(2):  # the first step is slower than all others
        start = time.perf_counter()
        step(plan, 1)
        took = time.perf_counter() - start
        if took > FIRST_STEP_SECONDS:
            break
    affordable = int(seconds / ((1 + _LEAST_TIMED_STEPS) * plans * max(took, 1e-6)))
    size = max(1, min(chunks, affordable))
    return size, took * size


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
    known = memory if isinstance(memory, dict) else {}
    with suppress(OSError):
        write_json(_memory_file(), {**known, key: {"at": time.time(), "speed": plan.to_dict()}})


def _fastest(timed: list[tuple[ComputePlan, float]]) -> ComputePlan:
    """Return the fastest, or the first where none is worth leaving it for."""
    baseline, baseline_ms = timed[0]
    plan, best_ms = min(timed, key=lambda item: item[1])
    return plan if best_ms <= _WORTH_IT * baseline_ms else baseline


def _reason(best: ComputePlan, timed: list[tuple[ComputePlan, float]]) -> str:
    took = dict(timed)
    others = ", ".join(f"{s.name} {t:.0f} ms" for s, t in timed if s != best)
    return f"{best.name}: {took[best]:.0f} ms a step" + (f" (measured beside it: {others})" if others else "")
