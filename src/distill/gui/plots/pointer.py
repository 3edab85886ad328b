"""The position that a plot reads out, moved by mouse and keyboard."""

import math
from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, Signal

from distill.gui.plots.curve_data import nearest
from distill.gui.plots.curve_drawing import Curve
from distill.gui.plots.marks import Overlay
from distill.gui.plots.plot_view import PlotView


class PlotPointer(QObject):
    """Moves with the pointer from point to point, and with the keys from epoch to epoch or preview to preview.

    Parameters
    ----------
    view
        Where it moves.
    overlay
        Knows where previews are.
    readable
        Returns the curves that can be read out now.
    parent
        Owner.
    """

    #: Read out another position; None for none.
    moved = Signal(object)  # float or None
    #: Play the first preview of this epoch, which counts from 0.
    preview_requested = Signal(int)

    def __init__(
        self, view: PlotView, overlay: Overlay, readable: Callable[[], Sequence[Curve]], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._view, self._overlay, self._readable = view, overlay, readable
        self.position: float | None = None
        view.pointed.connect(self._on_pointed)
        view.left.connect(self._on_left)
        view.step_requested.connect(self._on_step_requested)
        view.mark_step_requested.connect(self._on_mark_step_requested)
        view.mark_requested.connect(self._on_mark_requested)

    def hear(self, position: float) -> None:
        """Request the preview at a position."""
        self.preview_requested.emit(round(position) - 1)

    def _on_pointed(self, position: float) -> None:
        """Read out the nearest point of the curve that has most of them."""
        finest = max(self._readable(), key=lambda curve: len(curve.x), default=None)
        if finest is not None and len(finest.x):
            self._move(float(finest.x[nearest(finest.x, position)]))

    def _on_left(self) -> None:
        self._move(None)

    def _on_step_requested(self, direction: int) -> None:
        """Read out the next epoch."""
        end = max(1, math.ceil(max((curve.last_position() for curve in self._readable()), default=0)))
        position = end if self.position is None else round(self.position) + direction
        self._go_to(float(min(max(1, position), end)))

    def _on_mark_step_requested(self, direction: int) -> None:
        """Read out the next epoch that has a preview."""
        position = self._overlay.preview_beside(self.position, direction)
        if position is not None:
            self._go_to(position)

    def _on_mark_requested(self) -> None:
        """Play the preview nearest to the position that is read out, or the newest."""
        position = self._overlay.preview_near(self.position)
        if position is not None:
            self._go_to(position)
            self.hear(position)

    def _go_to(self, position: float) -> None:
        """Read out a position, and scroll to it if necessary."""
        low, high = self._view.box.viewRange()[0]
        if not low <= position <= high:
            self._view.box.translateBy(x=position - (low + high) / 2)
            self._view.moved.emit()
        self._move(position)

    def _move(self, position: float | None) -> None:
        if position != self.position:
            self.moved.emit(position)
