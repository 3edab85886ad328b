"""How long an epoch takes, by what this session of a run has seen, and how long the run still takes.

Only the current session is measured: in an earlier one the machine may have been another, or busier.  The loop says
after each epoch how long the rest takes; the window and the terminal count down from there (`TimeLeft`).
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from statistics import median

from distill.events import EpochMetrics, PreparationProgress, VQEpochMetrics

#: Newest steps that are looked at: enough to pass over the first ones, which are slow.
STEPS = 200

#: Seconds of steps after which the time left is estimated from them: the first steps are slow.  Then the number of
#: newest steps that are used.
GUESS_SECONDS, GUESS_STEPS = 10.0, 100

#: For an epoch that takes longer than this, the time left is estimated from its steps, before it has ended.
LONG_EPOCH_SECONDS = 60.0

#: The work after the last epoch is timed for so long before it says how long it still takes.
TIMED_SECONDS = 2.0


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


class TimeLeft:
    """Counts down to the finished model: the epochs that are left, and the work after the last one.

    An epoch that takes longer than expected does not use up the time of the work that comes after it.
    """

    def __init__(self) -> None:
        self._end: float | None = None  # monotonic time at which the run is expected to end
        self._guess: float | None = None  # the same, estimated from the steps of a long epoch
        self._epochs = self._epoch_s = self._closing_s = 0.0  # epochs; seconds for one, and after the last
        self._stage: tuple[str, float, int] = ("", 0.0, 0)  # work after the last epoch: name, time, parts done

    @property
    def is_guess(self) -> bool:
        """Whether no epoch has ended yet, so that only the steps tell."""
        return self._end is None

    def move(self, epoch: int, total_epochs: int, share_of_epoch: float, epoch_seconds: float) -> None:
        """Take on the position in the run; ``epoch`` counts from 0.

        ``epoch_seconds`` is how long an epoch's steps take, 0 if that is not known: the time left is estimated from it
        until the first epoch ends.
        """
        self._epochs = max(0.0, total_epochs - epoch - share_of_epoch)
        if self._end is None:
            is_long = epoch_seconds * (1 - share_of_epoch) > LONG_EPOCH_SECONDS
            is_guessed = is_long or self._guess is not None
            self._guess = time.monotonic() + epoch_seconds * self._epochs if is_guessed else None

    def end_epoch(self, epoch: EpochMetrics | VQEpochMetrics) -> None:
        """Take the time left from a finished epoch."""
        self._closing_s = epoch.closing_seconds or 0.0
        self._end = time.monotonic() + epoch.eta_seconds + self._closing_s
        self._epochs = float(max(0, epoch.total_epochs - epoch.epoch - 1))
        if self._epochs:
            self._epoch_s = epoch.eta_seconds / self._epochs
        else:  # what is left has begun, and its time runs
            self._closing_s = 0.0

    def seconds(self) -> float | None:
        """Return the seconds to the finished model; None while they are not known."""
        end = self._guess if self._end is None else self._end
        if end is None:
            return None
        return max(self._epochs * self._epoch_s + self._closing_s, end - time.monotonic())

    def of_stage(self, progress: PreparationProgress) -> float | None:
        """Return the seconds that the work after the last epoch still takes, by its own progress; None: not known."""
        now, (stage, began, first) = time.monotonic(), self._stage
        if stage != progress.stage or progress.done <= first:
            self._stage = (progress.stage, now, progress.done)
            return None
        if now - began < TIMED_SECONDS:
            return None
        return (now - began) / (progress.done - first) * (progress.total - progress.done)
