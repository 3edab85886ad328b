"""The data of curves: growing tables, thinning, moving averages and value ranges.  No Qt.

A plot of 100 000 steps must be drawn within a frame.  No figure is therefore read twice, and of each fraction of a
pixel only the lowest and the highest point are drawn.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.metrics_history import AnyHistory

Floats = NDArray[np.float64]

#: Initial capacity of a table in rows; it doubles when full.
FIRST_ROWS = 1024

#: Number of values from which some can be outliers.
LEAST_FOR_OUTLIERS = 8


class Table:
    """Columns of doubles that grow together."""

    def __init__(self, names: Iterable[str]) -> None:
        self._columns: dict[str, Floats] = {name: np.empty(FIRST_ROWS) for name in names}
        self.count = 0

    def extend(self, rows: Mapping[str, Any]) -> None:
        """Append rows, given as equally long columns under the table's names."""
        count = self.count + len(next(iter(rows.values())))
        for name, column in self._columns.items():
            if count > len(column):
                self._columns[name] = np.concatenate((column[: self.count], np.empty(max(count, self.count))))
            self._columns[name][self.count : count] = rows[name]
        self.count = count

    def __getitem__(self, name: str) -> Floats:
        """Return a column as a view: appending later neither changes nor moves what it shows."""
        return self._columns[name][: self.count]


class Average:
    """The exponential moving average of a growing column; each value is read once.

    The start is bias-corrected (Kingma and Ba 2015, "Adam", section 3).  Values that are not finite are skipped and
    leave a gap.

    Parameters
    ----------
    span
        Number of points that it averages over: each new one has the weight ``2 / (span + 1)``.
    """

    def __init__(self, span: float) -> None:
        self._share = 2 / (span + 1)
        self._sum = self._weight = 0.0
        self._means = Table(["mean"])

    def of(self, values: Floats) -> Floats:
        """Return the average at each of ``values``, which begin with those of the last call."""
        share, keep = self._share, 1 - self._share
        total, weight, means = self._sum, self._weight, []
        for value in values[self._means.count :].tolist():
            if math.isfinite(value):
                total = keep * total + share * value
                weight = keep * weight + share
                means.append(total / weight)
            else:
                means.append(math.nan)
        self._sum, self._weight = total, weight
        self._means.extend({"mean": means})
        return self._means["mean"]


def thin(x: Floats, y: Floats, low: float, high: float, most: int) -> tuple[Floats, Floats]:
    """Return the part of a curve in ``low <= x <= high``, reduced to as few points as draw the same picture.

    Parameters
    ----------
    x, y
        The curve; ``x`` rises.
    low, high
        Visible range; one more point on each side continues the line out of the picture.
    most
        Number of points above which each bucket of neighbours is replaced by its lowest and its highest.  Buckets
        begin at multiples of their size, a power of two, so that the drawn curve does not flicker as it grows.
    """
    first, last, bucket = _visible_buckets(x, low, high, most)
    if bucket <= 2:  # two of two are all of them
        return x[first:last], y[first:last]
    first -= first % bucket
    bucket_starts = np.arange(0, last - first, bucket)
    curve = y[first:last]
    bucket_ends = np.minimum(bucket_starts + bucket - 1, last - first - 1)
    thinned_curve = np.empty((len(bucket_starts), 2))
    thinned_curve[:, 0] = np.fmin.reduceat(curve, bucket_starts)
    thinned_curve[:, 1] = np.fmax.reduceat(curve, bucket_starts)
    thinned_x = np.stack((x[first:last][bucket_starts], x[first:last][bucket_ends]), axis=1)
    return thinned_x.ravel(), thinned_curve.ravel()


def thin_smooth(x: Floats, y: Floats, low: float, high: float, most: int) -> tuple[Floats, Floats]:
    """Return evenly spaced points in ``low <= x <= high``, for a curve that is smooth between them."""
    first, last, bucket = _visible_buckets(x, low, high, most)
    if bucket == 1:
        return x[first:last], y[first:last]
    thinned = np.append(np.arange(first - first % bucket, last - 1, bucket), last - 1)
    return x[thinned], y[thinned]


def _visible_buckets(x: Floats, low: float, high: float, most: int) -> tuple[int, int, int]:
    """Return the first visible point, the one behind the last, and how many neighbours count as one."""
    first = max(0, int(np.searchsorted(x, low)) - 1)
    last = min(len(x), int(np.searchsorted(x, high, "right")) + 1)
    return first, last, 1 << max(0, math.ceil(math.log2(max(1, last - first) / max(1, most))))


def nearest(x: Floats, position: float) -> int:
    """Return the index of the point nearest to ``position``; ``x`` rises and is not empty."""
    after = int(np.searchsorted(x, position))
    if after == 0:
        return 0
    if after == len(x):
        return after - 1
    return after if x[after] - position < position - x[after - 1] else after - 1


def robust_range(values: Floats) -> tuple[float, float] | None:
    """Return the range of values that a plot should show: all of them, but for outliers at the top.

    The first epochs and single steps can be many times higher than the rest, which would then be a flat line.  The top
    5 % are cut off where they would take more than half of the range.

    Parameters
    ----------
    values
        Figures in any order; those that are not finite are ignored.

    Returns
    -------
    tuple or None
        Lowest and highest value to show; None without finite values.
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return None
    low, high = float(finite.min()), float(finite.max())
    rank = round(0.95 * (len(finite) - 1))
    usual = float(np.partition(finite, rank)[rank]) if len(finite) >= LEAST_FOR_OUTLIERS else high
    if not high - usual > usual - low > 0:
        return low, high
    step = 2.0 ** math.floor(math.log2((usual - low) / 8))  # coarse, so that the axis does not change with each step
    return low, min(high, step * math.ceil((usual + 0.2 * (usual - low)) / step))


class HistoryTables:
    """The figures of a history as tables, over an axis on which epoch 1 ends at 1; each figure is read once.

    Attributes
    ----------
    steps, epochs
        ``"x"`` holds the position, each field its figures; None becomes NaN.
    """

    STEP_FIELDS = ("train_loss", "learning_rate")
    EPOCH_FIELDS = ("train_loss", "val_loss", "val_recon_loss", "overfitting_gap", "new_sound_distance")
    #: Fields of only one kind of history.
    SOME_STEPS, SOME_EPOCHS = ("kl_weight",), ("kl_divergence", "active_latents")

    def __init__(self, history: AnyHistory) -> None:
        self._history = history
        step_fields, epoch_fields = history.step_type.__annotations__, history.epoch_type.__annotations__
        self._step_names = (*self.STEP_FIELDS, *(n for n in self.SOME_STEPS if n in step_fields))
        self._epoch_names = (*self.EPOCH_FIELDS, *(n for n in self.SOME_EPOCHS if n in epoch_fields))
        self.steps, self.epochs = Table(("x", *self._step_names)), Table(("x", *self._epoch_names))

    def read(self) -> None:
        """Read what was added since the last call."""
        first, last = self.steps.count, self._history.step_count
        if last > first:
            part = {
                name: np.array(self._history.step_column(name)[first:last], dtype=np.float64)
                for name in ("epoch", "step", "total_steps", *self._step_names)
            }
            part["x"] = part["epoch"] + (part["step"] + 1) / np.maximum(part["total_steps"], 1)
            self.steps.extend(part)
        new = self._history.epochs[self.epochs.count :]
        if new:
            rows = {name: np.array([getattr(e, name) for e in new], dtype=np.float64) for name in self._epoch_names}
            self.epochs.extend({"x": np.array([e.epoch + 1 for e in new], dtype=np.float64), **rows})

    def first(self) -> tuple[float, float] | None:
        """Return position and held-out loss of the first epoch that has one, or None."""
        measured = np.flatnonzero(np.isfinite(self.epochs["val_loss"]))
        if not len(measured):
            return None
        return float(self.epochs["x"][measured[0]]), float(self.epochs["val_loss"][measured[0]])

    def best(self) -> tuple[float, float] | None:
        """Return position and loss of the epoch with the lowest held-out loss, or None."""
        losses = self.epochs["val_loss"]
        if not np.isfinite(losses).any():
            return None
        number = int(np.argmin(np.where(np.isfinite(losses), losses, np.inf)))
        return float(self.epochs["x"][number]), float(losses[number])
