"""A wish to stop that all processes of a training know at the same step."""

import threading

from distill.distributed.ranks import Ranks
from distill.runs.stop_request import StopRequest, pause_event_of, wants_finish


class AgreedStop(StopRequest):
    """What the processes have agreed on; the user's own wish reaches one of them, or all, but never at the same time.

    Parameters
    ----------
    wish
        The event that the user's wish sets in this process.
    ranks
        The processes.
    """

    def __init__(self, wish: threading.Event, ranks: Ranks) -> None:
        super().__init__()
        self.wish, self._ranks = wish, ranks

    def agree(self) -> None:
        """Take up a wish that any of the processes has; all call it at the same point."""
        pauses, finishes = self._ranks.any_rank(pause_event_of(self.wish).is_set(), wants_finish(self.wish))
        if pauses:
            self.set()
        elif finishes:
            self.finish()
