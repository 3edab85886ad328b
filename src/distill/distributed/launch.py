"""What torchrun says of this process in its environment.  No torch here: every command looks at it."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

#: Variables that torchrun sets, and that other launchers (MPI, Slurm) can be told to set.
_NEEDED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Launch:
    """This process among those that train together.

    Attributes
    ----------
    rank, size
        Its number, from 0, and how many there are.
    local_rank
        Its number on its own computer: which GPU it takes.
    """

    rank: int
    size: int
    local_rank: int


def read_launch(environment: Mapping[str, str] | None = None) -> Launch | None:
    """Return what a launcher says of this process, or None where it is on its own."""
    values = os.environ if environment is None else environment
    try:
        if any(not values.get(name) for name in _NEEDED):
            return None
        rank, size = int(values["RANK"]), int(values["WORLD_SIZE"])
        local = int(values.get("LOCAL_RANK", "0"))
    except ValueError:
        return None
    return Launch(rank, size, local) if size > 1 and 0 <= rank < size else None


class OneProcess:
    """This process on its own, as a command knows it without torch; see `distill.distributed.ranks.Ranks`."""

    is_first = True

    def first(self, work: Callable[[], T]) -> T:
        """Do something, which nobody waits for."""
        return work()
