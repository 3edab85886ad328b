"""Requests to end a run early, and what several processes agree on of them.

No torch here: the window and the terminal use this.
"""

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distill.distributed.ranks import Ranks


class StopRequest(threading.Event):
    """A ``cancel_event`` with a second kind of request: finish the run now, as if it had been planned this long.

    A plain `threading.Event` means pause: stop within a step, with a checkpoint, to be resumed.  `set` means the same
    here.  After `finish`, the loop ends the epoch under way where it stands, measures it, writes its checkpoint and
    previews, and calls the run finished.  Both take effect within a step, so both make `is_set` true; what a
    request to finish must not interrupt (reading sounds, measuring) watches `pause_requested` instead.  Pausing wins
    over finishing, whichever came first: the user wants the device back at once.

    Parameters
    ----------
    pause_requested
        An event that already means pause, as that of Ctrl-C; by default one of its own.
    """

    def __init__(self, pause_requested: threading.Event | None = None) -> None:
        super().__init__()
        self.pause_requested = threading.Event() if pause_requested is None else pause_requested
        self._finish_requested = threading.Event()

    def set(self) -> None:
        """Ask the run to stop with a checkpoint; it can be resumed."""
        self.pause_requested.set()
        super().set()

    def finish(self) -> None:
        """Request the run to end as finished, with the epochs that are done by then."""
        self._finish_requested.set()
        super().set()

    @property
    def wants_finish(self) -> bool:
        """Whether the run is to end as finished, and not to pause."""
        return self._finish_requested.is_set() and not self.pause_requested.is_set()


def wants_finish(cancel_event: threading.Event) -> bool:
    """Whether this event asks to finish the run; a plain one never does."""
    return isinstance(cancel_event, StopRequest) and cancel_event.wants_finish


def pause_event_of(cancel_event: threading.Event) -> threading.Event:
    """Return the event that interrupts even what finishing needs."""
    return cancel_event.pause_requested if isinstance(cancel_event, StopRequest) else cancel_event


class AgreedStop(StopRequest):
    """What the processes have agreed on; the user's request reaches one of them, or all, but never at the same time.

    Parameters
    ----------
    local_event
        The event that the user's request to stop sets in this process.
    ranks
        The processes.
    """

    def __init__(self, local_event: threading.Event, ranks: "Ranks") -> None:
        super().__init__()
        self.local_event, self._ranks = local_event, ranks

    def agree(self) -> None:
        """Take up a request that any of the processes has; all call it at the same point."""
        pauses, finishes = self._ranks.any_rank(
            pause_event_of(self.local_event).is_set(), wants_finish(self.local_event)
        )
        if pauses:
            self.set()
        elif finishes:
            self.finish()
