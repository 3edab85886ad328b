"""How long an epoch takes, by what this session of a run has seen.

Only the current session is measured: in an earlier one the machine may have been another, or busier.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from statistics import median

#: Newest steps that are looked at: enough to pass over the first ones, which are slow.
STEPS = 200


class EtaEstimator:
    """Watches the steps and epochs of a session.

    Parameters
    ----------
    clock
        Returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        #: Seconds of steps of earlier sessions: all there is to go by where this one has only measured its first epoch.
        self.earlier_steps: Sequence[float] = ()
        self._steps: deque[float] = deque(maxlen=STEPS)
        self._last_step_at = clock()
        self._first_end: float | None = None
        self._whole_epochs = 0

    def add_step(self, seconds: float) -> None:
        """Take on how long a step took."""
        self._steps.append(seconds)
        self._last_step_at = self._clock()

    def end_epoch(self, steps: int) -> float:
        """Return the seconds of an epoch of so many steps, now that one has been trained and measured.

        The first epoch of a session may be only the rest of one, and begins with slow steps, so it counts by its
        median step.  From the second on it is the mean of the whole ones, with all that lies between two of them.
        """
        now = self._clock()
        if self._first_end is None:
            self._first_end = now
            seconds = self._steps or self.earlier_steps
            return steps * (median(seconds) if seconds else 0.0) + now - self._last_step_at
        self._whole_epochs += 1
        return (now - self._first_end) / self._whole_epochs
