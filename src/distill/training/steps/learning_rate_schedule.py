"""The learning rate, as a pure function of the step.

A short warm-up, then a cosine down to zero over all epochs (Loshchilov and Hutter 2017, "SGDR").  A run that is
extended goes over to the cosine of the longer run: from the rate at which it stood, by a warm-up of the same length.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

#: Share of the steps that the warm-up takes, and the most steps it ever takes.
WARMUP_FRACTION = 0.05
WARMUP_STEPS_MAX = 500


@dataclass
class CosineFactor:
    """Factor on the learning rate.

    Attributes
    ----------
    total_steps
        Step at which the cosine reaches zero.
    warmup_steps
        Length of the straight line up to the cosine.
    start_step, start_factor
        Where that line begins: 0 and 0, or where an extended run stood.
    """

    total_steps: int
    warmup_steps: int
    start_step: int = 0
    start_factor: float = 0.0

    @classmethod
    def of_run(cls, total_steps: int) -> "CosineFactor":
        """Return the schedule of a new run."""
        return cls(total_steps, max(1, min(WARMUP_STEPS_MAX, round(WARMUP_FRACTION * total_steps))))

    def extended(self, step: int, total_steps: int) -> "CosineFactor":
        """Return the schedule that goes on at ``step`` towards another end."""
        new = CosineFactor.of_run(total_steps)
        return CosineFactor(total_steps, new.warmup_steps, step, self(step))

    def __call__(self, step: int) -> float:
        """Return the factor of a step."""
        cosine = 0.5 * (1 + math.cos(math.pi * min(step, self.total_steps) / self.total_steps))
        ramp = (step - self.start_step + 1) / self.warmup_steps
        return cosine if ramp >= 1 else self.start_factor + (cosine - self.start_factor) * ramp

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "CosineFactor":
        """Rebuild from `to_dict`'s result.

        Raises
        ------
        TypeError, ValueError
            It is not such a result.
        """
        schedule = cls(**data)
        steps = (schedule.total_steps, schedule.warmup_steps, schedule.start_step)
        if not all(type(number) is int for number in steps) or min(steps[:2]) < 1 or schedule.start_step < 0:
            raise ValueError("a schedule without steps")
        if not 0 <= schedule.start_factor <= 1:
            raise ValueError("a schedule that begins outside of its range")
        return schedule

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers."""
        return dict(vars(self))


def make_scheduler(optimizer: Optimizer, factor: CosineFactor) -> LambdaLR:
    """Return the scheduler that the loop steps once after each training step."""
    return LambdaLR(optimizer, factor)
