"""The history of a run: all step and epoch figures.

Steps are kept in columns (one array of doubles for each field), so that a plot of 100 000 steps reads them without
copying.  A history converts to standard JSON and back without losing a bit.  Imports no torch.
"""

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, asdict, fields
from typing import Any, ClassVar, Generic, Self, TypeVar

from distill.events import (
    OVERFITTING_GAP,
    EpochMetrics,
    StepMetrics,
    VQEpochMetrics,
    VQStepMetrics,
    to_json_value,
)

S = TypeVar("S", StepMetrics, VQStepMetrics)
E = TypeVar("E", EpochMetrics, VQEpochMetrics)


class _History(Generic[S, E]):
    """Everything that a run measured, by step and by epoch."""

    step_type: ClassVar[type[Any]]
    epoch_type: ClassVar[type[Any]]
    #: Name of the third loss term in steps (``kl_loss`` or ``commit_loss``) and of its curve.
    term: ClassVar[tuple[str, str]]

    def __init__(self) -> None:
        self._columns: dict[str, array[Any] | list[Any]] = {f.name: _column(f.type) for f in fields(self.step_type)}
        self.epochs: list[E] = []

    def add_step(self, step: S) -> None:
        """Append a step."""
        count = self.step_count
        try:
            for name, column in self._columns.items():
                column.append(getattr(step, name))
        except (TypeError, OverflowError):  # no number: all of a step or nothing of it
            for column in self._columns.values():
                del column[count:]
            raise

    def add_epoch(self, epoch: E) -> None:
        """Append an epoch."""
        self.epochs.append(epoch)

    def add_dict(self, data: Mapping[str, Any]) -> None:
        """Append a step or an epoch from `event_to_dict`'s result; other events are passed over.

        Raises
        ------
        KeyError, TypeError, ValueError
            A field is missing or is no number.
        """
        if data["event"] == self.step_type.__name__:
            self.add_step(_rebuilt(self.step_type, data))
        elif data["event"] == self.epoch_type.__name__:
            self.add_epoch(_rebuilt(self.epoch_type, data))

    def events(self) -> Iterator[S | E]:
        """Yield steps and epochs in the order in which they happened."""
        epochs = iter(self.epochs)
        coming = next(epochs, None)
        rows = zip(*self._columns.values(), strict=True)
        for row in rows:
            step: S = self.step_type(**dict(zip(self._columns, row, strict=True)))
            while coming is not None and coming.epoch < step.epoch:
                yield coming
                coming = next(epochs, None)
            yield step
        while coming is not None:
            yield coming
            coming = next(epochs, None)

    @property
    def position(self) -> float:
        """Where the history ends, in epochs: 1 is the end of the first one; 0 for an empty history."""
        ends = [float(metrics.epoch + 1) for metrics in self.epochs[-1:]]
        if self.step_count:
            epoch, step, total = (self._columns[name][-1] for name in ("epoch", "step", "total_steps"))
            ends.append(epoch + (step + 1) / max(total, 1))
        return max(ends, default=0.0)

    @property
    def step_count(self) -> int:
        """Number of steps."""
        return len(self._columns["step"])

    def step_column(self, name: str) -> Sequence[Any]:
        """Return a field of all steps, in order: an ``array`` where the field is a number."""
        return self._columns[name]

    def get_loss_curves(self) -> dict[str, list[float]]:
        """Return ``train_losses`` and ``val_losses`` by epoch, ``recon_losses`` and the third term's by step."""
        field_name, curve = self.term
        return {
            "train_losses": [metrics.train_loss for metrics in self.epochs],
            "val_losses": [metrics.val_loss for metrics in self.epochs],
            "recon_losses": list(self._columns["recon_loss"]),
            curve: list(self._columns[field_name]),
        }

    def get_best_epoch(self) -> int | None:
        """Return the epoch of lowest finite validation loss, or None."""
        measured = (metrics for metrics in self.epochs if math.isfinite(metrics.val_loss))
        best_metrics = min(measured, key=lambda metrics: metrics.val_loss, default=None)
        return None if best_metrics is None else best_metrics.epoch

    def compute_eta(
        self, epoch: int, total_epochs: int, elapsed_seconds: float, epochs_done: int | None = None
    ) -> float:
        """Return the seconds left after ``epoch`` (counted from 0), from the mean time of an epoch so far.

        ``epochs_done`` is the number of epochs that ``elapsed_seconds`` covers, where that is not ``epoch + 1``
        (a resumed run).
        """
        done = epoch + 1 if epochs_done is None else epochs_done
        return max(0.0, elapsed_seconds / max(done, 1) * (total_epochs - epoch - 1))

    def is_overfitting(self) -> bool:
        """Whether the newest epoch's gap is over `OVERFITTING_GAP`."""
        return bool(self.epochs) and self.epochs[-1].overfitting_gap > OVERFITTING_GAP

    def to_dict(self, epochs: int | None = None) -> dict[str, Any]:
        """Return plain lists and numbers, of the first ``epochs`` only; the way through `from_dict` is exact."""
        steps = None if epochs is None else bisect_left(self._columns["epoch"], epochs)
        return {
            "steps": {name: to_json_value(column[:steps]) for name, column in self._columns.items()},
            "epochs": [to_json_value(asdict(item)) for item in self.epochs if epochs is None or item.epoch < epochs],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild from `to_dict`'s result.

        Raises
        ------
        ValueError
            ``data`` is not such a result.
        """
        history = cls()
        try:
            steps, epochs = data["steps"], data["epochs"]
            for f in fields(cls.step_type):
                # A field with a default is newer than the oldest histories.
                values = steps[f.name] if f.default is MISSING else steps.get(f.name, [f.default] * len(steps["step"]))
                history._columns[f.name].extend(_parsed(f.type, v) for v in values)
            for row in epochs:
                history.epochs.append(_rebuilt(cls.epoch_type, row))
        except (KeyError, TypeError, AttributeError, OverflowError) as exc:
            raise ValueError(f"The history of the run is not readable ({exc!r}).") from exc
        if len({len(c) for c in history._columns.values()}) != 1:
            raise ValueError("The history of the run is not readable: its columns differ in length.")
        return history

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and repr(self.to_dict()) == repr(other.to_dict())

    __hash__ = None  # type: ignore[assignment]


def _rebuilt(kind: type[Any], data: Mapping[str, Any]) -> Any:
    """Return the dataclass ``kind`` with the fields that ``data`` has."""
    return kind(**{f.name: _parsed(f.type, data[f.name]) for f in fields(kind) if f.name in data})


def _column(annotation: object) -> "array[Any] | list[Any]":
    return array("d") if annotation is float else array("q") if annotation is int else []


def _parsed(annotation: object, value: Any) -> Any:
    """Undo `to_json_value` for a field: numbers that are not finite come back from their names."""
    if annotation is int and type(value) is not int:
        raise TypeError(f"{value!r} is no integer")
    if annotation == float | None and value is None:
        return None
    if annotation in (float, float | None):
        if type(value) not in (int, float, str):
            raise TypeError(f"{value!r} is no number")
        return float(value)
    return _parsed_table(value) if isinstance(value, Mapping) else value


def _parsed_table(table: Mapping[str, Any]) -> dict[str, Any]:
    """Undo `to_json_value` for nested numbers, in which a text can only be the name of one that is not finite."""
    return {key: _parsed(float if isinstance(value, str) else None, value) for key, value in table.items()}


class MetricsHistory(_History[StepMetrics, EpochMetrics]):
    """History of a VAE."""

    step_type, epoch_type, term = StepMetrics, EpochMetrics, ("kl_loss", "kl_losses")


class VQMetricsHistory(_History[VQStepMetrics, VQEpochMetrics]):
    """History of a VQ-VAE."""

    step_type, epoch_type, term = VQStepMetrics, VQEpochMetrics, ("commit_loss", "commit_losses")


AnyHistory = MetricsHistory | VQMetricsHistory


def thinned(values: Sequence[float], most: int) -> list[float]:
    """Return at most ``most`` of the values of a curve, evenly spaced, the first and the last among them."""
    if len(values) <= most:
        return list(values)
    step = (len(values) - 1) / (most - 1)
    return [values[round(n * step)] for n in range(most)]
