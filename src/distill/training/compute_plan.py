"""Number format, memory layout and threads of a run, and computing with them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from distill.config.training import AnyConfig
from distill.training.checkpoint import lacking

#: Most threads that are read from a file, as in the settings.
_MOST_THREADS = 1024


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
