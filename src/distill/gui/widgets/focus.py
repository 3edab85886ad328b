"""The keyboard focus: the frame that shows where it is, giving it to a widget, and the order of Tab."""

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFocusEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QTabWidget, QWidget

from distill.gui.widgets import theme

if TYPE_CHECKING:
    from PySide6.QtWidgets import QAbstractScrollArea as _Base
else:
    _Base = object


def paint_focus(painter: QPainter, area: QRectF) -> None:
    """Draw the frame around an area."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor(theme.colors().second), 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(area.adjusted(1.5, 1.5, -1.5, -1.5), 6, 6)
    painter.restore()


class FocusFrame(_Base):
    """Mixin for views that frame a part of themselves while they have the focus.

    Goes before the Qt class among the bases; the view implements `focus_area`.
    """

    if TYPE_CHECKING:  # the constructor is that of the Qt class

        def __init__(self, *args: Any, **options: Any) -> None: ...

    def focus_area(self) -> QRectF | None:
        """Return what is framed, in the viewport's coordinates; by default all of it."""
        return QRectF(self.viewport().rect())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the frame above the content."""
        super().paintEvent(event)
        area = self.focus_area() if self.hasFocus() else None
        if area is not None:
            paint_focus(QPainter(self.viewport()), area)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the frame."""
        super().focusInEvent(event)
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Remove the frame."""
        super().focusOutEvent(event)
        self.viewport().update()


def leave_tab_key_to_bar(tabs: QTabWidget) -> None:
    """Let Tab stop at the bar of tabs only; see `give_focus`."""
    tabs.setFocusProxy(None)  # type: ignore[arg-type]  # its stub knows no None
    tabs.setFocusPolicy(Qt.FocusPolicy.NoFocus)


def give_focus(widget: QWidget) -> None:
    """Give the keyboard to a widget, or to the part of it that its attribute ``entrance`` names.

    A focus proxy would do this too.  But Qt takes each widget that has one for a stop of Tab, and goes on behind its
    proxy: what comes after the widget itself in the order of Tab is never reached.
    """
    while (entrance := getattr(widget, "entrance", None)) is not None:
        widget = entrance
    widget.setFocus()


def order_focus(window: QWidget, *panels: QWidget) -> None:
    """Let Tab visit the panels of a window in this order; Qt's default is the order of their creation."""

    def position(widget: QWidget) -> int:
        return next((n for n, panel in enumerate(panels) if panel is widget or panel.isAncestorOf(widget)), -1)

    # Never to the end: for PySide, what comes next is a part of the widget before, and the window is part of nothing.
    stops, widget, last = [], window.nextInFocusChain(), window.previousInFocusChain()
    while widget is not None:
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.focusProxy() is None:
            stops.append(widget)
        widget = None if widget is last else widget.nextInFocusChain()
    for before, after in pairwise(sorted(stops, key=position)):
        QWidget.setTabOrder(before, after)
