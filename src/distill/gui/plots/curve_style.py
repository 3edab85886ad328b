"""How a curve looks: its line, its symbols, and what the legend says of it."""

from dataclasses import dataclass

import pyqtgraph as pg
from PySide6.QtGui import QColor, QPen

#: A loss as long as losses usually get.
USUAL_VALUE = "0.00000"


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
