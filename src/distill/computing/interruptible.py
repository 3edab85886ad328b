"""Long computations that can be stopped between any two operations of torch.

For what is thrown away when it is stopped: preparing a run, previews, the parts of a model file.  Not for training
steps, which are taken whole or not at all.
"""

from collections.abc import Callable
from typing import Any

from torch.overrides import TorchFunctionMode


class Interruptible(TorchFunctionMode):
    """A context in which a check is called before each operation of torch in this thread.

    The longest wait for a cancel is then that of a single operation, however deep in a network it is.  The check costs
    about a microsecond.  It is not called again once it has raised, so that what tidies up behind it (a random stream
    that is restored) can do so.

    Parameters
    ----------
    check
        Raises an exception to stop the computation.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        super().__init__()
        self._raise_if_stopped = check
        self._is_interrupted = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not self._is_interrupted:
            self._is_interrupted = True
            self._raise_if_stopped()
            self._is_interrupted = False
        return func(*args, **(kwargs or {}))
