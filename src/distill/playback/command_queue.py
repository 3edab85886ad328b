"""The requests of a player's thread, and work that it does while there are none."""

import queue
from collections import deque
from collections.abc import Callable, Iterator

Command = Callable[[], None]


class CommandQueue:
    """Commands in their order, and work in steps, each of which begins only while no command waits.

    Any thread may put; one thread gets.
    """

    def __init__(self) -> None:
        self._queued_commands: queue.SimpleQueue[Command | None] = queue.SimpleQueue()
        self._idle_work: deque[Iterator[None]] = deque()

    def put(self, command: Command | None) -> None:
        """Queue a command; None ends the thread that gets them."""
        self._queued_commands.put(command)

    def put_work(self, steps: Iterator[None]) -> None:
        """Queue work after the other work: an iterator that does a step whenever it is advanced."""
        self._idle_work.append(steps)
        self._queued_commands.put(_wake)

    def get(self, timeout: float | None = None) -> Command | None:
        """Return the next command, or else the next step of the work; wait for one if there is neither.

        Raises
        ------
        queue.Empty
            ``timeout`` seconds have passed.
        """
        if self._idle_work and self._queued_commands.empty():
            return self._step
        return self._queued_commands.get(timeout=timeout)

    def _step(self) -> None:
        is_done = True  # as after an error
        try:
            next(self._idle_work[0])
            is_done = False
        except StopIteration:
            pass
        finally:
            if is_done:
                self._idle_work.popleft()


def once(function: Command) -> Iterator[None]:
    """Return work of one step: a call of a function."""
    function()
    yield


def _wake() -> None:
    """Do nothing: the thread that waits for a command looks for work."""
