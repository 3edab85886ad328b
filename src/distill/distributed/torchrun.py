"""What torchrun says of this process in its environment.  No torch here: every command looks at it."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

#: Commands that several processes share.
SHARED_COMMANDS = ("train", "resume")
#: Seconds for which a process leaves it to the first one of its computer to say why a command has failed.
_SECONDS_OF_THE_FIRST = 60.0

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


def leave_word_to_first() -> None:
    """Wait, in all processes of a computer but the first, before the reason is printed for which a command has failed.

    All have been given the same arguments, and most failures are the same for all.  The launcher ends those that wait
    as soon as the first one has failed; one that is still there afterwards is the only one that knows the reason.
    Nothing is waited for in a process on its own.
    """
    launch = read_launch()
    if launch is not None and launch.local_rank:
        time.sleep(_SECONDS_OF_THE_FIRST)


def refusal(words: list[str]) -> str:
    """Return why several processes cannot do what a command line says; empty where they can, and for one process."""
    if read_launch() is None or (words and (words[0] in SHARED_COMMANDS or words[0].startswith("-"))):
        return ""
    what = f"distill {words[0]} is" if words else "The window is"
    shared = " and ".join(f"distill {name}" for name in SHARED_COMMANDS)
    return f"{what} for one process; {shared} can be shared by several. Start it without torchrun."


class OneProcess:
    """This process on its own, as a command knows it without torch; see `distill.distributed.ranks.Ranks`."""

    is_first = True

    def on_first(self, work: Callable[[], T]) -> T:
        """Do something, which nobody waits for."""
        return work()
