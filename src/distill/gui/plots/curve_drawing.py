"""One curve of a plot: how it looks, what the legend says of it, and how it is drawn with its moving average."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtGui import QColor, QPen

from distill.gui.plots.curve_data import Average, nearest, robust_range, thin, thin_smooth
from distill.gui.widgets import theme

#: A loss as long as losses usually get.
USUAL_VALUE = "0.00000"

Floats = NDArray[np.float64]

#: Curves of up to this many points get a symbol at each point.
MOST_DOTS = 60

#: Thick lines of up to this many points have smooth edges, which cost time with every point; smooth curves are drawn
#: with about as many.  (A thick line of 400 points takes 1.5 ms with smooth edges and 0.4 ms without, a thin one none.)
MOST_SMOOTH_EDGES = 200

#: How pale a curve is behind its moving average.
BEHIND = 0.3


@dataclass(frozen=True)
class CurveStyle:
    """How a curve looks: ``color`` is the name of a field of `theme.Colors`.

    Attributes
    ----------
    name, label
        For the program, and for people.
    color, width, opacity, is_dashed
        The line.
    help
        What the figure means, and what to do about it.
    dot
        pyqtgraph's name of the symbol at each point, so that curves differ by more than colour.
    in_legend
        Whether the legend has an entry for it.
    spans
        How many points back its moving average looks, for each level of smoothing; empty for a curve that is smooth by
        nature.
    strong
        Colour of the moving average, where that of the line is too faint to stand alone.
    is_right
        Whether it belongs to the axis on the right.
    has_value
        Whether the legend reads a value out.
    is_smooth
        Whether it can be drawn from every so many points, as it has no noise.
    usual_value
        A value as long as values usually get: the space that the legend reserves.
    """

    name: str
    label: str
    color: str
    width: float = 2.0
    help: str = ""
    dot: str = "o"
    opacity: float = 1.0
    in_legend: bool = True
    spans: tuple[float, ...] = ()
    strong: str = ""
    is_dashed: bool = False
    is_right: bool = False
    has_value: bool = True
    is_smooth: bool = False
    usual_value: str = USUAL_VALUE

    def pen(self, color: str, opacity: float = 1.0, width: float | None = None) -> QPen:
        """Return the pen of this line in a colour, and optionally another width."""
        paint = QColor(color)
        paint.setAlphaF(opacity)
        pen: QPen = pg.mkPen(paint, width=self.width if width is None else width)
        if self.is_dashed:
            pen.setDashPattern([5.0, 3.0])
        return pen


class Curve:
    """Draws one curve into a view box.

    Parameters
    ----------
    style
        How it looks.
    add
        Puts an item of pyqtgraph into the plot, and `remove` takes one out.
    """

    def __init__(self, style: CurveStyle, add: Any, remove: Any) -> None:
        self.style = style
        self._add, self._remove = add, remove
        self._x: Floats = np.empty(0)
        self._y: Floats = np.empty(0)
        self._average: Average | None = None
        self._level = 0
        self._scale = 1.0
        self._is_log = False
        self.is_shown = True
        self._drawn: Floats = np.empty(0)  # the values of the last drawing, thinned out
        self._item = self._make_item()
        self._smooth: Any = None  # exists only while something is averaged: few items are quick to draw

    @property
    def x(self) -> Floats:
        """Positions of all points."""
        return self._x

    @property
    def is_averaged(self) -> bool:
        """Whether the moving average is drawn."""
        return self._average is not None

    def set_data(self, x: Floats, y: Floats) -> None:
        """Set all points; they begin with those of the last call, unless `clear` was called."""
        self._x, self._y = x, y

    def clear(self) -> None:
        """Remove all points."""
        self.set_data(np.empty(0), np.empty(0))
        self.set_smoothing(self._level)
        self.draw(0, 1, 1)

    def set_smoothing(self, level: int) -> None:
        """Average over the style's span of this level, which counts from 1; 0 for none."""
        self._level = level
        has_average = 0 < level <= len(self.style.spans)
        self._average = Average(self.style.spans[level - 1]) if has_average else None
        if self._average is None and self._smooth is not None:
            self._remove(self._smooth)
            self._smooth = None
        elif self._average is not None and self._smooth is None:
            self._smooth = self._make_item()
        self.paint()

    def set_shown(self, is_shown: bool) -> None:
        """Show or hide it."""
        self.is_shown = is_shown
        for item in self._items():
            item.setVisible(is_shown)

    def set_log(self, is_log: bool) -> None:
        """Draw for an axis of logarithms."""
        self._is_log = is_log
        for item in self._items():
            item.setLogMode(False, is_log)

    def draw(self, low: float, high: float, most: int) -> None:
        """Draw what lies between two positions, with at most about ``most`` points."""
        self._draw_into(self._item, self._y, low, high, most)
        if self._average is not None:
            self._draw_into(self._smooth, self._average.of(self._y), low, high, most)

    def range(self) -> tuple[float, float] | None:
        """Return the range of drawn values that should be visible, in the coordinates of the axis; None if empty."""
        if not self._is_log:
            return robust_range(self._drawn)
        return robust_range(np.log10(self._drawn[self._drawn > 0]))

    def newest(self) -> float | None:
        """Return the newest value, of the moving average if there is one; None without a recent one."""
        y = self._read_from()[-50:]
        finite = np.isfinite(y)
        return float(y[finite][-1]) if finite.any() else None

    def value_at(self, position: float) -> float | None:
        """Return the value at the point nearest to a position; None without one."""
        if not len(self._x):
            return None
        value = float(self._read_from()[nearest(self._x, position)])
        return value if np.isfinite(value) else None

    def last_position(self) -> float:
        """Return the position of the last point; 0 if empty."""
        return float(self._x[-1]) if len(self._x) else 0.0

    def highest(self) -> float:
        """Return the highest value; 0 without any."""
        finite = self._y[np.isfinite(self._y)]
        return float(finite.max()) if len(finite) else 0.0

    def paint(self) -> None:
        """Apply the current colours."""
        style, colors = self.style, theme.colors()
        is_behind = self._average is not None
        opacity = style.opacity * (BEHIND if is_behind and not style.strong else 1)
        self._paint_item(self._item, getattr(colors, style.color), opacity, 1.0 if is_behind else style.width)
        if self._smooth is not None:
            strong = getattr(colors, style.strong or style.color)
            self._paint_item(self._smooth, strong, style.opacity, max(1.6, style.width))

    def set_line_scale(self, scale: float, is_picture: bool = False) -> None:
        """Scale the line width, which counts in pixels of the screen or the picture."""
        self._scale = scale
        for item in self._items():
            item.curve.setSegmentedLineMode("off" if is_picture else "auto")  # in one piece, which a drawing needs
        self.paint()

    def _read_from(self) -> Floats:
        return self._y if self._average is None else self._average.of(self._y)

    def _items(self) -> list[Any]:
        return [item for item in (self._item, self._smooth) if item is not None]

    def _make_item(self) -> Any:
        item = pg.PlotDataItem()
        item.setVisible(self.is_shown)
        self._add(item)
        item.setLogMode(False, self._is_log)  # after the plot has set its own
        return item

    def _draw_into(self, item: Any, values: Floats, low: float, high: float, most: int) -> None:
        is_smooth = self.style.is_smooth or item is self._smooth
        if is_smooth:
            x, y = thin_smooth(self._x, values, low, high, MOST_SMOOTH_EDGES)
        else:
            x, y = thin(self._x, values, low, high, most)
        if self._is_log:
            y = np.where(y > 0, y, np.nan)  # not drawable on a logarithmic axis
        if not np.isfinite(y).any():  # pyqtgraph fails on bounds of nothing
            x, y = x[:0], y[:0]
        has_dots = self.style.width > 1 and item is self._item and len(x) <= MOST_DOTS
        edges = item.opts["pen"].widthF() <= 1 or len(x) <= MOST_SMOOTH_EDGES
        if item is self._item:
            self._drawn = y
        # A line through a single point is invisible: short curves get symbols.
        item.setData(x, y, connect="finite", symbol=(self.style.dot or None) if has_dots else None, antialias=edges)

    def _paint_item(self, item: Any, color: str, opacity: float, width: float) -> None:
        fill = QColor(color)
        fill.setAlphaF(opacity)
        item.setPen(self.style.pen(color, opacity, width * self._scale))
        item.setSymbolPen(None)
        item.setSymbolBrush(fill)
        item.setSymbolSize(6)
