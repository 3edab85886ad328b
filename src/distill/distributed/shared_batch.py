"""One batch, of which each process computes some rows, with the result of a process that computes all of them.

Most of what a network does treats each row of a batch alone.  What does not is named here: a random draw (each process
draws for the whole batch and takes its rows), a mean that goes on into something that is not linear, and codebooks,
which learn from all rows.  Outside of `sharing` nothing of this happens.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode


@dataclass(frozen=True)
class BatchSlice:
    """The rows of a batch that this process computes.

    A process that has none of a small batch computes one row all the same, which counts for nothing.

    Attributes
    ----------
    low, high, total
        The rows, and how many the batch has.
    all_reduce
        Replaces a tensor by its sum over all processes, which all call it at the same point.
    """

    low: int
    high: int
    total: int
    all_reduce: Callable[[Tensor], None]

    @classmethod
    def of_rank(cls, rank: int, size: int, total: int, all_reduce: Callable[[Tensor], None]) -> "BatchSlice":
        """Return the slice of one of ``size`` processes; they differ by at most one row."""
        return cls(total * rank // size, total * (rank + 1) // size, total, all_reduce)

    @property
    def size(self) -> int:
        """Number of rows that count."""
        return self.high - self.low

    @property
    def weight(self) -> float:
        """Share of the batch: what a mean over the slice counts in the mean over the batch."""
        return self.size / self.total

    @property
    def computed(self) -> slice:
        """The rows that are computed: those of the slice, or one that does not count."""
        low = min(self.low, self.total - 1)
        return slice(low, max(self.high, low + 1))

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean over all rows of the batch, of the values ``[rows, ...]`` of the own ones."""
        own_mean = values.mean(0)
        whole = own_mean.detach() * self.weight
        self.all_reduce(whole)
        # The gradient of the own part is that of a mean over the slice; like all gradients it is weighted later.
        return whole + (own_mean - own_mean.detach())

    def whole(self, values: Tensor) -> Tensor:
        """Return the values ``[total, ...]`` of all rows, of which the own ones carry their gradient."""
        rows = values.new_zeros(self.total, *values.shape[1:])
        rows[self.low : self.high] = values[: self.size].detach()
        self.all_reduce(rows)
        if not (values.requires_grad and self.size):
            return rows
        return torch.cat([rows[: self.low], values, rows[self.high :]])

    def of_whole(self, mean: Tensor) -> Tensor:
        """Return a mean over all rows, computed by each process, with a gradient that can be weighted as others."""
        return mean.detach() + (mean - mean.detach()) / self.weight if self.size else mean.detach()

    @torch.no_grad()
    def reduce(self, parameters: Sequence[Tensor], values: Tensor) -> Tensor:
        """Replace the gradients of the slice by those of the batch; return values, means over the slice, of the batch.

        One sum over all processes, in an order that is always the same.
        """
        gradients = []
        for parameter in parameters:
            if parameter.grad is None:  # a process without a row of its own
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad)
        sizes = [gradient.numel() for gradient in gradients]
        flat = torch.cat([*(gradient.reshape(-1) for gradient in gradients), values.to(gradients[0])])
        flat *= self.weight
        self.all_reduce(flat)
        *parts, reduced = torch.split(flat, [*sizes, len(values)])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view(gradient.shape))
        return reduced


_current: ContextVar[BatchSlice | None] = ContextVar("distill batch slice", default=None)


def current_slice() -> BatchSlice | None:
    """Return the slice that is computed right now; None where the whole batch is."""
    return _current.get()


@contextmanager
def sharing(part: BatchSlice | None) -> Iterator[None]:
    """Compute a slice of a batch inside the block; None: a whole one, as outside of it."""
    if part is None:
        yield
        return
    token = _current.set(part)
    try:
        with _SlicedDraws(part):
            yield
    finally:
        _current.reset(token)


@contextmanager
def whole_batch() -> Iterator[None]:
    """Compute the whole batch inside the block, in each process: the draws of it are those of one process."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


class _SlicedDraws(TorchFunctionMode):
    """Draws random numbers for the whole batch, and keeps the rows of a slice.

    A draw that it does not know is refused: the processes would draw the same numbers for different rows, or get out
    of step.
    """

    def __init__(self, part: BatchSlice) -> None:
        super().__init__()
        self._part = part

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = kwargs or {}
        if _current.get() is None:
            return func(*args, **named)
        if func in (functional.dropout, functional.dropout2d):
            return self._dropout(func, *args, **named)
        if func is torch.randn_like:
            return torch.randn_like(self._like(args[0]), *args[1:], **named)[self._part.computed]
        if getattr(func, "__name__", "") in _DRAWS:
            raise RuntimeError(
                f"{func.__name__} in a network would draw other numbers in each process: use randn_like."
            )
        return func(*args, **named)

    def _like(self, rows: Tensor) -> Tensor:
        return rows.new_empty(self._part.total, *rows.shape[1:])

    def _dropout(self, func: Any, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        if not training or not p:
            return x
        kept: Tensor = func(torch.ones_like(self._like(x)), p, True)[self._part.computed]
        return x.mul_(kept) if inplace else x * kept


#: Names of what draws random numbers.
_DRAWS = frozenset(
    (
        "rand", "randn", "randint", "randperm", "rand_like", "randint_like", "normal", "multinomial", "bernoulli",
        "poisson", "dropout1d", "dropout3d", "alpha_dropout", "feature_alpha_dropout", "feature_dropout", "rrelu",
        "gumbel_softmax", "bernoulli_", "normal_", "uniform_", "exponential_", "random_", "geometric_", "cauchy_",
        "log_normal_", "native_dropout",
    )
)  # fmt: skip
