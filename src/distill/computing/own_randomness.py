"""Building networks without drawing from torch's generator.

A network draws its first weights from the generator of the whole process.  One that is built to hold stored weights
needs none, and a training in another thread, which has seeded that generator for its step, must not lose its numbers.
"""

from typing import Any

import torch
from torch.overrides import TorchFunctionMode

#: Functions that draw, and take a generator: those that layers and `torch.nn.init` are made of.
_DRAWING = frozenset((
    "bernoulli_", "kaiming_normal_", "kaiming_uniform_", "normal_", "rand", "randint", "randn", "randperm",
    "trunc_normal_", "uniform_", "xavier_normal_", "xavier_uniform_",
))  # fmt: skip


class OwnRandomness(TorchFunctionMode):
    """A context in which this thread draws from a generator of its own, the same numbers each time.

    Other threads, and torch's own generator, notice nothing of it.  It holds for tensors on the CPU.  (A
    `TorchDispatchMode` would see each operation, but imports 2 s of torch's compiler when it is first used.)
    """

    def __init__(self) -> None:
        super().__init__()
        self._own_generator = torch.Generator().manual_seed(0)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = dict(kwargs or {})
        if getattr(func, "__name__", "") in _DRAWING:
            given["generator"] = self._own_generator
        return func(*args, **given)
