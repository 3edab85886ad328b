"""Stars of a list of sounds: a click on one neither plays nor selects."""

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QAbstractItemView

if TYPE_CHECKING:

    class _View(QAbstractItemView):
        """What a view is that `StarClicks` is mixed into."""

        starring_requested: ClassVar[Signal]
        #: Returns the sound whose star is at a position of the viewport, or None.
        starred_at: Callable[[QPoint], object | None]
else:
    _View = object


class StarClicks(_View):
    """Gives a view of sounds stars to click: such a click neither plays nor selects.

    To be named before the view's class among the bases.  The view has a signal ``starring_requested``, which takes a
    list of sounds, and defines `starred_at`.
    """

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Handle a click on a star: it neither plays nor selects."""
        if self._clicked_star(event) is None:
            super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Toggle the star if the click is on it."""
        sound = self._clicked_star(event)
        if sound is not None and self.state() == QAbstractItemView.State.NoState:
            self.starring_requested.emit([sound])
        else:
            super().mouseReleaseEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Handle the second click of a double click on a star as a click."""
        if self._clicked_star(event) is None:
            super().mouseDoubleClickEvent(event)

    def _clicked_star(self, event: QMouseEvent) -> object | None:
        is_plain = event.button() == Qt.MouseButton.LeftButton and not event.modifiers()
        return self.starred_at(event.position().toPoint()) if is_plain else None
