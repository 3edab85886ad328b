"""Losses on their way from the device to the events."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from distill.errors import TrainingError
from distill.events import StepMetrics, TrainingNotice, VQStepMetrics
from distill.models.families.family import ModelFamily, Objective, StepResult

#: Seconds between two reads of the losses from the device.
_READ_INTERVAL_S = 0.1
#: Steps in a row without a finite loss and gradient after which a run ends.
NON_FINITE_LIMIT = 50


@dataclass
class _Unread:
    """A step whose losses still lie on the device."""

    step: int
    values: Tensor
    learning_rate: float
    detail: Any


@dataclass
class LossReader:
    """Reads losses about ten times a second, several steps at once, and hands out the steps' events in order.

    Attributes
    ----------
    family, epoch, total_steps, weights
        What the events say beside the losses.
    on_step
        Takes each step's event.
    on_notice
        Takes what the user should know of steps that were left out.
    non_finite_run
        Steps left out in a row so far, carried over from epoch to epoch.
    """

    family: ModelFamily
    epoch: int
    total_steps: int
    weights: Mapping[str, float]
    on_step: Callable[[StepMetrics | VQStepMetrics], None]
    on_notice: Callable[[TrainingNotice], None]
    non_finite_run: int = 0
    totals: dict[str, float] = field(default_factory=dict)
    counted: int = 0
    _unread: list[_Unread] = field(default_factory=list)
    _read_at: float = field(default_factory=lambda: time.perf_counter())
    _names: tuple[str, ...] = ()
    _longest_run: int = 0

    def add(self, step: int, objective: Objective, total: Tensor, skipped: Tensor, learning_rate: float) -> None:
        """Note a step; read the device when the last time is long enough ago."""
        values = torch.stack([total, skipped.float(), *(t.detach().float() for t in objective.terms.values())])
        self._unread.append(_Unread(step, values, learning_rate, objective.detail))
        self._names = tuple(objective.terms)
        if time.perf_counter() - self._read_at >= _READ_INTERVAL_S:
            self.read()

    def read(self) -> None:
        """Read what is outstanding and hand it out.

        Raises
        ------
        TrainingError
            `NON_FINITE_LIMIT` steps in a row were left out.
        """
        if not self._unread:
            return
        rows = torch.stack([u.values for u in self._unread]).tolist()
        now = time.perf_counter()
        took, self._read_at = (now - self._read_at) / len(rows), now
        unread, self._unread = self._unread, []
        for item, row in zip(unread, rows, strict=True):
            self._hand_out(item, row, took)
        if self._longest_run >= NON_FINITE_LIMIT:
            raise TrainingError(
                f"{NON_FINITE_LIMIT} steps in a row had no finite loss, so the training was ended; the last good "
                "checkpoint is kept. Lower the learning rate, or set the precision to float32, and start again."
            )

    def _hand_out(self, item: _Unread, row: list[float], took: float) -> None:
        terms = dict(zip(self._names, row[2:], strict=True))
        skipped = bool(row[1])
        if not skipped:
            for name, value in {"train_loss": row[0], **terms}.items():
                self.totals[name] = self.totals.get(name, 0.0) + value
            self.counted += 1
        result = StepResult(
            epoch=self.epoch, step=item.step, total_steps=self.total_steps, train_loss=row[0],
            learning_rate=item.learning_rate, step_time_s=took, terms=terms, weights=self.weights, detail=item.detail,
        )  # fmt: skip
        self.on_step(self.family.step_event(result))
        self._watch_non_finite(skipped, item.step)

    def _watch_non_finite(self, is_non_finite: bool, step: int) -> None:
        self.non_finite_run = self.non_finite_run + 1 if is_non_finite else 0
        if self.non_finite_run == 1:
            self.on_notice(
                TrainingNotice(
                    "non-finite",
                    f"Epoch {self.epoch + 1}, step {step + 1}: the loss or its gradient was not a finite number. "
                    "The step was skipped and training goes on.",
                )
            )
        self._longest_run = max(self._longest_run, self.non_finite_run)

    def means(self) -> dict[str, float]:
        """Return the mean of the total (``train_loss``) and of each term over the steps that counted."""
        if not self.counted:
            return dict.fromkeys(("train_loss", *self.weights), math.nan)
        return {name: value / self.counted for name, value in self.totals.items()}
