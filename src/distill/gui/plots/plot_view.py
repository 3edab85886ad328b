"""The drawing area of a plot: its mouse and keyboard, and what of the curves is visible."""

from collections.abc import Callable
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import QHelpEvent, QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QScrollArea, QWidget

from distill.gui.help.keyboard_shortcuts import KeyGroup, KeyHelp, native
from distill.gui.plots.axes import AXIS_WIDTH, HALF_NUMBER, TICK_DENSITY, EpochAxis, ValueAxis
from distill.gui.widgets.focus import FocusFrame
from distill.gui.widgets.theme import Colors

#: Share of the visible range that an arrow key moves by.
KEY_MOVE = 0.1

#: Minimum height of a plot with its axes, in device-independent pixels: low windows scroll instead.
LOWEST = 170

#: Factors of one zoom by key, in and out.
ZOOM_IN, ZOOM_OUT = 0.8, 1.25


class PlotBox(pg.ViewBox):  # type: ignore[misc]
    """The area inside the axes.

    The wheel zooms along the epochs only; the range of values follows what is visible.
    """

    def __init__(self) -> None:
        super().__init__(enableMenu=False)
        self._free_pixels = 0
        #: Returns the range of values to show, or None for that of everything drawn.
        self.value_range: Callable[[], tuple[float, float] | None] = lambda: None
        #: Returns the share of the highest value that the range spans at least.
        self.least_view_share: Callable[[], float] = lambda: 0.0

    def keep_free(self, height: int) -> None:
        """Keep so many pixels at the bottom free of curves."""
        if height != self._free_pixels:
            self._free_pixels = height
            self.queueUpdateAutoRange()

    def childrenBounds(self, *args: Any, **kwargs: Any) -> Any:
        """Return the ranges that show all curves, but for outliers."""
        x_view, y_view = super().childrenBounds(*args, **kwargs)
        value_range = self.value_range()
        if y_view is not None and value_range is not None:
            y_view = [max(y_view[0], value_range[0]), min(y_view[1], value_range[1])]
            missing_height = self.least_view_share() * abs(y_view[1]) - (y_view[1] - y_view[0])
            if missing_height > 0:  # a small change must not look like a large one
                y_view = [y_view[0] - missing_height / 2, y_view[1] + missing_height / 2]
        if self._free_pixels and y_view is not None:
            share = min(0.3, self._free_pixels / max(1.0, self.height()))
            y_view = [y_view[0] - (y_view[1] - y_view[0]) * share / (1 - share), y_view[1]]
        return [x_view, y_view]

    def wheelEvent(self, event: Any, axis: int | None = None) -> None:
        """Zoom around the pointer."""
        super().wheelEvent(event, axis=0 if axis is None else axis)


class PlotView(FocusFrame, pg.PlotWidget):  # type: ignore[misc]
    """A plot that is moved and zoomed by mouse or keyboard, and reads out a position."""

    #: The user has moved or zoomed.
    moved = Signal()
    #: Show everything again.
    all_requested = Signal()
    #: The position of the pointer on the axis of epochs.
    pointed = Signal(float)
    #: The pointer has left.
    left = Signal()
    #: Read out the next (1) or previous (-1) epoch.
    step_requested = Signal(int)
    #: Read out the next (1) or previous (-1) preview.
    mark_step_requested = Signal(int)
    #: Play the preview at the position that is read out.
    mark_requested = Signal()

    def __init__(self, object_name: str, title: str) -> None:
        super().__init__(
            viewBox=PlotBox(),
            axisItems={"left": ValueAxis("left"), "bottom": EpochAxis("bottom"), "right": ValueAxis("right")},
        )
        self.setObjectName(object_name)
        self.setAccessibleName(title)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumHeight(LOWEST)
        self.setMenuEnabled(False)
        self.hideButtons()
        # pyqtgraph's own menu has no parent and is never shown; it would live on until Python's garbage collection.
        self.getPlotItem().ctrlMenu.deleteLater()
        self.getPlotItem().ctrlMenu = None
        # By itself it takes the application's direction, not that of the view.
        self.getPlotItem().setLayoutDirection(Qt.LayoutDirection.LeftToRight)
        self.box = self.getPlotItem().getViewBox()
        self._set_axes()
        self.box.sigRangeChangedManually.connect(lambda _axes: self.moved.emit())

    def paint(self, colors: Colors) -> None:
        """Apply these colours."""
        self.setBackground(colors.surface)
        for side in ("left", "bottom", "right"):
            axis = self.getPlotItem().getAxis(side)
            axis.setPen(pg.mkPen(colors.border_strong))
            axis.setTextPen(pg.mkPen(colors.muted))
        self.getPlotItem().getAxis("left").setTickPen(pg.mkPen(colors.grid))

    def align_right(self, is_aligned: bool) -> None:
        """Keep the room of the axis that other plots have on the right, so that the epochs are aligned."""
        if not self.getPlotItem().getAxis("right").isVisible():
            self.getPlotItem().layout.setContentsMargins(0, 0, AXIS_WIDTH if is_aligned else 0, 0)

    def _set_axes(self) -> None:
        item = self.getPlotItem()
        item.setContentsMargins(0, HALF_NUMBER, 8, 0)
        item.showGrid(y=True)
        item.setLabel("bottom", self.tr("epoch"))
        item.getAxis("left").setStyle(tickAlpha=255)  # a translucent line takes twenty times as long to paint
        item.getAxis("left").setZValue(item.getViewBox().zValue() - 1)  # lines across lie behind the curves
        item.getAxis("left").setWidth(AXIS_WIDTH)
        item.getAxis("bottom").setHeight(34)
        for side in ("left", "bottom"):
            item.getAxis(side).enableAutoSIPrefix(False)  # no "epoch (x0.001)"
            item.getAxis(side).setStyle(maxTickLevel=int(side == "bottom"))  # few lines: each is painted at each redraw
        item.getAxis("left").setTickDensity(TICK_DENSITY)
        item.hideAxis("right")
        self.align_right(True)
        item.setLimits(xMin=0)
        self.box.setAutoVisible(y=True)
        self.box.enableAutoRange(x=False, y=True)

    def key_group(self) -> KeyGroup:
        """Return the keys of the plot for the help."""
        return KeyGroup(
            self.tr("Curves"),
            (
                KeyHelp(native("Shift+Left", "Shift+Right"), self.tr("Read out another epoch")),
                KeyHelp(native("Left", "Right", "Up", "Down"), self.tr("Move the view")),
                KeyHelp(native("+", "-"), self.tr("Zoom in, zoom out")),
                KeyHelp(native("Home"), self.tr("Show all")),
                KeyHelp(native("PgUp", "PgDown"), self.tr("Go to another preview")),
                KeyHelp(native("Space", "Return"), self.tr("Hear the preview at the cursor")),
            ),
        )

    def event(self, event: QEvent) -> bool:
        """Reserve the plot's keys from shortcuts of the window, such as Space for the player."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self._action(event):
            event.accept()
            return True
        return bool(super().event(event))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move, zoom, read out, play, or show all."""
        action = self._action(event)
        if action is None:
            super().keyPressEvent(event)
            return
        kind, x, y = action
        if kind == "move":
            rect = self.box.viewRect()
            self.box.translateBy(x=x * rect.width() or None, y=y * rect.height() or None)
            self.moved.emit()
        elif kind == "zoom":
            self.box.scaleBy((x, y))
            self.moved.emit()
        elif kind == "step":
            self.step_requested.emit(int(x))
        elif kind == "mark":
            self.mark_step_requested.emit(int(x))
        elif kind == "hear":
            self.mark_requested.emit()
        else:
            self.all_requested.emit()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Emit the position of the pointer."""
        super().mouseMoveEvent(event)
        position = self.mapToScene(event.position().toPoint())
        if self.box.sceneBoundingRect().contains(position) and not event.buttons():
            self.pointed.emit(self.box.mapSceneToView(QPointF(position)).x())
        else:
            self.left.emit()

    def leaveEvent(self, event: QEvent) -> None:
        """Emit that the pointer has left."""
        super().leaveEvent(event)
        self.left.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom, unless the panel scrolls and the plot has neither the focus nor Ctrl."""
        is_meant = self.hasFocus() or event.modifiers() & Qt.KeyboardModifier.ControlModifier
        if is_meant or not _scrolls(self):
            super().wheelEvent(event)
        else:
            event.ignore()

    def viewportEvent(self, event: QEvent) -> bool:
        """Show the help of the plot only outside the curves, where values are read out."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            position = self.mapToScene(event.pos())
            if self.box.sceneBoundingRect().contains(position) and not any(
                i.toolTip() for i in self.items(event.pos())
            ):
                return True
        return bool(super().viewportEvent(event))

    @staticmethod
    def _action(event: QKeyEvent) -> tuple[str, float, float] | None:
        key = Qt.Key(event.key())
        modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if modifiers == Qt.KeyboardModifier.ShiftModifier:
            shifted: dict[Qt.Key, tuple[str, float, float]] = {
                Qt.Key.Key_Left: ("step", -1, 0), Qt.Key.Key_Right: ("step", 1, 0),
                Qt.Key.Key_Plus: ("zoom", ZOOM_IN, ZOOM_IN), Qt.Key.Key_Equal: ("zoom", ZOOM_IN, ZOOM_IN),
            }  # fmt: skip
            return shifted.get(key)
        if modifiers:
            return None
        plain: dict[Qt.Key, tuple[str, float, float]] = {
            Qt.Key.Key_Left: ("move", -KEY_MOVE, 0), Qt.Key.Key_Right: ("move", KEY_MOVE, 0),
            Qt.Key.Key_Down: ("move", 0, -KEY_MOVE), Qt.Key.Key_Up: ("move", 0, KEY_MOVE),
            Qt.Key.Key_Plus: ("zoom", ZOOM_IN, ZOOM_IN), Qt.Key.Key_Equal: ("zoom", ZOOM_IN, ZOOM_IN),
            Qt.Key.Key_Minus: ("zoom", ZOOM_OUT, ZOOM_OUT), Qt.Key.Key_Home: ("all", 0, 0),
            Qt.Key.Key_PageUp: ("mark", -1, 0), Qt.Key.Key_PageDown: ("mark", 1, 0),
            Qt.Key.Key_Space: ("hear", 0, 0), Qt.Key.Key_Return: ("hear", 0, 0), Qt.Key.Key_Enter: ("hear", 0, 0),
        }  # fmt: skip
        return plain.get(key)


def make_right_axis(view: PlotView) -> Any:
    """Return a view box for curves with a right axis over the same epochs."""
    item, box = view.getPlotItem(), pg.ViewBox(enableMenu=False, enableMouse=False)
    axis = item.getAxis("right")
    axis.setWidth(AXIS_WIDTH)
    axis.enableAutoSIPrefix(False)
    axis.setTickDensity(TICK_DENSITY)
    axis.setStyle(maxTickLevel=1)
    axis.setGrid(False)  # lines across are the left axis's
    item.showAxis("right")
    item.layout.setContentsMargins(0, 0, 0, 0)
    box.setZValue(-5)
    item.scene().addItem(box)
    axis.linkToView(box)
    box.setXLink(view.box)
    box.enableAutoRange(x=False, y=False)

    def follow() -> None:
        box.setGeometry(view.box.sceneBoundingRect())
        box.linkedViewChanged(view.box, box.XAxis)

    view.box.sigResized.connect(follow)
    follow()
    return box


def _scrolls(widget: QWidget) -> bool:
    """Return whether a widget is in a scroll area with hidden content."""
    parent = widget.parentWidget()
    while parent is not None:
        if isinstance(parent, QScrollArea):
            return parent.verticalScrollBar().maximum() > 0
        parent = parent.parentWidget()
    return False
