"""The axes of a plot: whole epochs, and ticks and numbers that are readable, also on a logarithmic one."""

import math
from collections.abc import Sequence
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter

#: Width of an axis of values, in device-independent pixels: the same in all plots, so that their epochs are aligned.
AXIS_WIDTH = 44

#: Number of ticks on an axis of values, relative to pyqtgraph's default: plots can be low.
TICK_DENSITY = 0.45

#: Minimum distance between two ticks on a logarithmic axis, in device-independent pixels.
TICK_APART = 22

#: Overhang of the number at the end of an axis of values, in device-independent pixels.
HALF_NUMBER = 8

#: Smaller numbers are written with an exponent.
SMALL = 0.01


class DirectAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph has no types
    """An axis that is painted directly.

    pyqtgraph records an axis as a picture and plays it back, which looks up the font for each number and took half of
    the time of painting a plot.  This keeps the drawing instructions instead of the picture.
    """

    picture: Any

    def paint(self, painter: QPainter, _option: object, _widget: object) -> None:
        """Paint line, ticks and numbers."""
        if self.picture is None:
            self.picture = self.generateDrawSpecs(painter) or ()
        if self.picture:
            painter.save()
            self.drawPicture(painter, *self.picture)
            painter.restore()


class EpochAxis(DirectAxis):
    """An axis of epochs: its ticks are whole numbers, unless less than one epoch is visible."""

    def tickSpacing(self, low: float, high: float, size: float) -> list[tuple[float, float]]:
        """Return the distances of the ticks, from large to small, and where they begin."""
        spacings: list[tuple[float, float]] = super().tickSpacing(low, high, size)
        if high - low < 1:
            return spacings
        return [item for item in spacings if item[0] >= 1] or [(1.0, 0.0)]


class ValueAxis(DirectAxis):
    """An axis whose logarithmic ticks are readable within one decade too."""

    def boundingRect(self) -> QRectF:
        """Return the rectangle of the axis, with room for the overhang of its outermost numbers."""
        return QRectF(super().boundingRect()).adjusted(0, -HALF_NUMBER, 0, HALF_NUMBER)

    def logTickValues(self, low: float, high: float, size: float, steps: Any) -> list[tuple[float | None, list[float]]]:
        """Return ticks at 1, 2 and 5 of each decade, fewer if they do not fit, or round values within one decade."""
        most = max(2.0, size / TICK_APART)
        if high - low <= 1:
            return [(None, [math.log10(v) for v in self._round_values(10**low, 10**high, size) if v > 0])]
        wanted = next((w for w in ((1.0, 2.0, 5.0), (1.0, 3.0)) if len(w) * (high - low) <= most), (1.0,))
        every = max(1, math.ceil((high - low) / most))
        first = math.floor(low / every) * every
        values = [n + math.log10(v) for n in range(first, math.ceil(high) + 1, every) for v in wanted]
        return [(None, [v for v in values if low <= v <= high])]

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        """Return numbers short enough to fit; pyqtgraph drops longer ones."""
        if max((abs(v * scale) for v in values), default=1.0) >= SMALL:
            return list(super().tickStrings(values, scale, spacing))
        parts = [f"{v * scale:.2e}".split("e") for v in values]
        return [f"{float(mantissa):g}e{int(exponent)}" if float(mantissa) else "0" for mantissa, exponent in parts]

    def logTickStrings(self, values: Sequence[float], _scale: float, _spacing: float) -> list[str]:
        """Return plain numbers."""
        return [f"{10**v:.3g}" for v in values]

    def _round_values(self, low: float, high: float, size: float) -> list[float]:
        spacing = self.tickSpacing(low, high, size)[0][0]
        return [float(n * spacing) for n in range(math.ceil(low / spacing), math.floor(high / spacing) + 1)]
