"""A request to stop that all processes of a training know at the same step."""

import threading

from distill.distributed.ranks import Ranks
from distill.runs.stop_request import StopRequest, pause_event_of, wants_finish


class AgreedStop(StopRequest):
    """What the processes have agreed on; the user's request reaches one of them, or all, but never at the same time.

    Parameters
    ----------
    local_event
        The event that the user's request to stop sets in this process.
    ranks
        The processes.
    """

    def __init__(self, local_event: threading.Event, ranks: Ranks) -> None:
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
