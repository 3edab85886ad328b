"""Building networks without drawing from torch's generator.

A network draws its first weights from the generator of the whole process.  One that is built to hold stored weights
needs none, and a training in another thread, which has seeded that generator for its step, must not lose its numbers.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class OwnRandomness(TorchDispatchMode):
    """A context in which this thread draws from a generator of its own, the same numbers each time.

    Other threads, and torch's own generator, notice nothing of it.  It holds for operations on the CPU.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._generator = torch.Generator().manual_seed(0)

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if torch.Tag.nondeterministic_seeded in func.tags:
            names = {argument.name for argument in func._schema.arguments}
            if "generator" not in names:  # a factory such as randn has it in an overload of its own
                func = func.overloadpacket.generator
            given["generator"] = self._generator
        return func(*args, **given)
