"""The place of a plot that is read out, and how the mouse and the keyboard move it."""

import math
from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, Signal

from distill.gui.curves import nearest
from distill.gui.plot_curve import Curve
from distill.gui.plot_marks import Overlay
from distill.gui.plot_view import PlotView


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

    #: Another place is to be read out; None: no more.
    moved = Signal(object)  # float or None
    #: The first preview of this epoch, which counts from 0, is to be heard.
    preview_asked = Signal(int)

    def __init__(
        self, view: PlotView, overlay: Overlay, readable: Callable[[], Sequence[Curve]], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._view, self._overlay, self._readable = view, overlay, readable
        self.place: float | None = None
        view.pointed.connect(self._on_pointed)
        view.left.connect(self._on_left)
        view.step_asked.connect(self._on_step_asked)
        view.mark_step_asked.connect(self._on_mark_step_asked)
        view.mark_asked.connect(self._on_mark_asked)

    def hear(self, place: float) -> None:
        """Ask for the preview at a place."""
        self.preview_asked.emit(round(place) - 1)

    def _on_pointed(self, place: float) -> None:
        """Read out the nearest point of the curve that has most of them."""
        finest = max(self._readable(), key=lambda curve: len(curve.x), default=None)
        if finest is not None and len(finest.x):
            self._move(float(finest.x[nearest(finest.x, place)]))

    def _on_left(self) -> None:
        self._move(None)

    def _on_step_asked(self, direction: int) -> None:
        """Read out the next epoch."""
        end = max(1, math.ceil(max((curve.last_place() for curve in self._readable()), default=0)))
        place = end if self.place is None else round(self.place) + direction
        self._go_to(float(min(max(1, place), end)))

    def _on_mark_step_asked(self, direction: int) -> None:
        """Read out the next epoch that has a preview."""
        place = self._overlay.preview_beside(self.place, direction)
        if place is not None:
            self._go_to(place)

    def _on_mark_asked(self) -> None:
        """Hear the preview that is nearest to the place that is read out, or the newest."""
        place = self._overlay.preview_near(self.place)
        if place is not None:
            self._go_to(place)
            self.hear(place)

    def _go_to(self, place: float) -> None:
        """Read out a place, and move the view where it is out of sight."""
        low, high = self._view.box.viewRange()[0]
        if not low <= place <= high:
            self._view.box.translateBy(x=place - (low + high) / 2)
            self._view.moved.emit()
        self._move(place)

    def _move(self, place: float | None) -> None:
        if place != self.place:
            self.moved.emit(place)
