"""Draws the map of a model's sounds and reports what the pointer and the keyboard do on it."""

import colorsys
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSizeF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QPolygonF,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from distill.generation.map.map_chunks import Position, ShownMap
from distill.gui.help.keyboard_shortcuts import KeyGroup, KeyHelp, native
from distill.gui.widgets import theme
from distill.gui.widgets.focus import paint_focus
from distill.gui.widgets.plain_text import plain_tip

#: Diameter of a dot, and distance within which the pointer is on it, in device-independent pixels.
_DOT, _REACH = 8, 9
#: Distance after which a press becomes the drawing of a path, or a move of the map.
_DRAG = 7
_MOST_ZOOM = 20.0
#: Share of the visible part that an arrow key moves the cursor by; a smaller one with Shift.
_KEY_STEP, _FINE_KEY_STEP = 0.04, 0.01
#: Number of near sounds that the key L selects.
_SELECTED_BY_KEY = 16
#: Keys that the map handles before the window's shortcuts, and modifiers with which it does not.
_OWN_KEYS = (
    Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter,
    Qt.Key.Key_N, Qt.Key.Key_L, Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus, Qt.Key.Key_0,
)  # fmt: skip
_OTHER_KEYS = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.MetaModifier
#: Number of colours of the scale.
_SHADES = 24
#: Size of the scale that explains them.
_SCALE = QSizeF(72, 6)


class MapView(QWidget):
    """Shows the chunks of a map as dots.

    The left button plays a position or draws a path, with Control it draws a lasso around dots; another button moves
    the map, the wheel zooms.  A click of the right button on a dot requests its menu, and so does the menu key for the
    dot at the cursor.  The arrow keys move the cursor, Enter plays there, N goes from one near sound to the next, L
    selects the near ones and Esc none, plus and minus zoom, 0 shows all.
    """

    #: Play the generated sound at a position.
    position_chosen = Signal(float, float)
    #: Play the user's own sound of a dot.
    dot_chosen = Signal(int)
    #: The pointer is on another dot; -1 for none.
    dot_hovered = Signal(int)
    path_drawn = Signal(object)  # list of positions
    cursor_moved = Signal(float, float)
    #: Open the menu of a dot at a point of the screen.
    menu_requested = Signal(int, QPoint)
    #: Another set of dots is selected.
    selected_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("modelMap")
        self.setAccessibleName(self.tr("Map of the model's sounds"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(220, 220)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.shown: ShownMap | None = None
        self.cursor_position: Position = (0.5, 0.5)
        self.path: list[Position] = []
        self.hovered = -1
        #: Numbers of the selected chunks.
        self.selected: list[int] = []
        self._lasso: QPolygonF | None = None
        self._shades: list[int] = []
        self._places: NDArray[np.float64] = np.zeros((0, 2))
        self._center, self._zoom = QPointF(0.5, 0.5), 1.0
        self._pressed: QPointF | None = None
        self._panned: QPointF | None = None
        self._pan_start: QPointF | None = None  # while it can still be a click of the right button
        self._chosen = -1  # the dot that the cursor was put on
        self._is_drawing = False
        self._near: list[int] = []
        self._dots: QPixmap | None = None
        self._ends = ("", "")

    # What is shown.

    def show_map(self, shown: ShownMap | None) -> None:
        """Show a map, or none."""
        self.shown, self.path, self.hovered = shown, [], -1
        self._pressed = self._panned = self._pan_start = self._lasso = None  # what was begun on the map before
        self._is_drawing = False
        self._places = np.array(shown.positions if shown is not None else (), np.float64).reshape(-1, 2)
        self.select([])
        self.reset_view()
        self.move_cursor((0.5, 0.5))
        self.color_by(shown.brightness if shown is not None else ())

    def color_by(self, values: Sequence[float], ends: tuple[str, str] = ("", "")) -> None:
        """Colour the dots by a value each; ``ends`` say what the first and the last colour mean."""
        self._ends = ends
        low, high = min(values, default=0.0), max(values, default=1.0)
        span = max(high - low, 1e-9)
        self._shades = [round((value - low) / span * (_SHADES - 1)) for value in values]
        self._redraw()

    def reset_view(self) -> None:
        """Show the whole map."""
        self._center, self._zoom = QPointF(0.5, 0.5), 1.0
        self._redraw()

    def zoom_by(self, factor: float, around: QPointF | None = None) -> None:
        """Zoom, and keep a point of the widget where it is; the middle by default."""
        pivot = around if around is not None else QPointF(self.width() / 2, self.height() / 2)
        before = self.position_of(pivot)
        self._zoom = min(max(self._zoom * factor, 1.0), _MOST_ZOOM)
        after = self.position_of(pivot)
        self._move_view(before[0] - after[0], before[1] - after[1])

    def select(self, rows: Sequence[int]) -> None:
        """Select chunks."""
        if list(rows) != self.selected:
            self.selected = list(rows)
            self._redraw()
            self.selected_changed.emit()

    def move_cursor(self, position: Position) -> None:
        """Put the cursor at a position, within the map, and describe it for screen readers."""
        self.cursor_position = (min(max(position[0], 0.0), 1.0), min(max(position[1], 0.0), 1.0))
        self._near, self._chosen = [], -1
        if self.shown is not None:
            nearest = self.shown.nearest_chunks(self.cursor_position, 3)
            names = ", ".join(self.shown.names[self.shown.sounds[row]] for row in nearest)
            self.setAccessibleDescription(self.tr("The cursor is near {0}.").format(names))
        self.cursor_moved.emit(*self.cursor_position)
        self.update()

    # Positions and pixels.

    def _scale(self) -> QPointF:
        """Return the pixels of the map's whole width and height: it fills the widget."""
        return QPointF(max(self.width(), 1) * self._zoom, max(self.height(), 1) * self._zoom)

    def _pixels_between(self, first: Position, second: Position) -> float:
        between = self.pixel_of(first) - self.pixel_of(second)
        return math.hypot(between.x(), between.y())

    def pixel_of(self, position: Position) -> QPointF:
        """Return the point of the widget at a position of the map; y grows upwards on the map."""
        scale = self._scale()
        x = self.width() / 2 + (position[0] - self._center.x()) * scale.x()
        return QPointF(x, self.height() / 2 - (position[1] - self._center.y()) * scale.y())

    def position_of(self, pixel: QPointF) -> Position:
        """Return the position of the map at a point of the widget."""
        scale = self._scale()
        x = self._center.x() + (pixel.x() - self.width() / 2) / scale.x()
        return x, self._center.y() - (pixel.y() - self.height() / 2) / scale.y()

    def dot_at(self, pixel: QPointF) -> int:
        """Return the number of the chunk whose dot is at a point of the widget, or -1."""
        if self.shown is None:
            return -1
        between = self._pixels() - np.array([pixel.x(), pixel.y()])
        distance = (between**2).sum(1)
        row = int(distance.argmin()) if len(distance) else -1
        return row if row >= 0 and distance[row] < _REACH**2 else -1

    def _pixels(self) -> NDArray[np.float64]:
        """Return the points of the widget of all chunks, ``[N, 2]``; see `pixel_of`."""
        scale, center = self._scale(), self._center
        way = np.array([scale.x(), -scale.y()])
        middle = np.array([self.width() / 2, self.height() / 2])
        pixels: NDArray[np.float64] = (self._places - np.array([center.x(), center.y()])) * way + middle
        return pixels

    def _clamped(self, pixel: QPointF) -> Position:
        x, y = self.position_of(pixel)
        return min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)

    def _move_view(self, dx: float, dy: float) -> None:
        self._center = QPointF(min(max(self._center.x() + dx, 0.0), 1.0), min(max(self._center.y() + dy, 0.0), 1.0))
        self._redraw()

    # The pointer.

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a click, a path, or a move of the map."""
        if self.shown is None:
            return
        if event.button() is Qt.MouseButton.LeftButton:
            if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
                self._lasso = QPolygonF([event.position()])
                return
            self._pressed, self._is_drawing = event.position(), False
        else:
            is_right = event.button() is Qt.MouseButton.RightButton
            self._panned, self._pan_start = event.position(), event.position() if is_right else None
            self.setCursor(Qt.CursorShape.ClosedHandCursor)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Draw a path, move the map, or mark the dot under the pointer."""
        if self.shown is None:
            return
        here = event.position()
        if self._panned is not None:
            moved, self._panned = here - self._panned, here
            if self._pan_start is not None and (here - self._pan_start).manhattanLength() >= _DRAG:
                self._pan_start = None
            self._move_view(-moved.x() / self._scale().x(), moved.y() / self._scale().y())
        elif self._lasso is not None:
            self._lasso.append(here)
            self.update()
        elif self._pressed is not None:
            self._draw_path(here)
        else:
            self._hover(self.dot_at(here))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Play what was clicked, or the path that was drawn."""
        if event.button() is not Qt.MouseButton.LeftButton:
            pan_start, self._panned, self._pan_start = self._pan_start, None, None
            self.unsetCursor()
            if pan_start is not None and (dot := self.dot_at(event.position())) >= 0:
                self.menu_requested.emit(dot, event.globalPosition().toPoint())
            return
        if self._lasso is not None:
            self._end_lasso(self._lasso)
            return
        if self._pressed is None:
            return
        self._pressed, is_path, self._is_drawing = None, self._is_drawing, False
        if is_path:
            self.move_cursor(self.path[-1])
            self.path_drawn.emit(list(self.path))
            return
        self.path = []
        dot = self.dot_at(event.position())
        if dot >= 0 and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.choose_dot(dot)
        else:
            self.move_cursor(self._clamped(event.position()))
            self.position_chosen.emit(*self.cursor_position)

    def _end_lasso(self, lasso: QPolygonF) -> None:
        assert self.shown is not None
        self._lasso = None
        inside = Qt.FillRule.OddEvenFill
        positions = enumerate(self.shown.positions)
        self.select([row for row, position in positions if lasso.containsPoint(self.pixel_of(position), inside)])
        self.update()

    def choose_dot(self, row: int) -> None:
        """Move the cursor to a dot and play its sound."""
        assert self.shown is not None
        self.move_cursor(self.shown.positions[row])
        self._chosen = row
        self.dot_chosen.emit(row)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Request the menu of the dot at the cursor, for a key."""
        if event.reason() is QContextMenuEvent.Reason.Mouse or self.shown is None:
            return  # the release of the mouse requests it: a drag moves the map
        dot = self._chosen if self._chosen >= 0 else self.dot_at(self.pixel_of(self.cursor_position))
        if dot >= 0:
            here, area = self.pixel_of(self.shown.positions[dot]).toPoint(), self.rect()
            seen = QPoint(min(max(here.x(), 0), area.right()), min(max(here.y(), 0), area.bottom()))
            self.menu_requested.emit(dot, self.mapToGlobal(seen))

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom around the pointer."""
        self.zoom_by(1.2 ** (event.angleDelta().y() / 120), event.position())
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        """Unmark the dot."""
        self._hover(-1)
        super().leaveEvent(event)

    def _draw_path(self, here: QPointF) -> None:
        assert self._pressed is not None
        if not self._is_drawing:
            if (here - self._pressed).manhattanLength() < _DRAG:
                return
            self._is_drawing, self.path = True, [self._clamped(self._pressed)]
        position = self._clamped(here)
        if self._pixels_between(position, self.path[-1]) >= 3:
            self.path.append(position)
            self.update()

    def _hover(self, row: int) -> None:
        if row == self.hovered:
            return
        self.hovered = row
        name = "" if row < 0 or self.shown is None else self.shown.names[self.shown.sounds[row]]
        self.setToolTip(plain_tip(name) if name else "")
        self.dot_hovered.emit(row)
        self.update()

    # The keyboard.

    def event(self, event: QEvent) -> bool:
        """Keep the keys of the map from the window's shortcuts, such as L for the player's loop."""
        is_override = event.type() is QEvent.Type.ShortcutOverride
        if is_override and isinstance(event, QKeyEvent) and self.shown is not None and _is_own(event):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the cursor, play, zoom, or go to a near sound."""
        moves = {
            Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Up: (0, 1), Qt.Key.Key_Down: (0, -1),
        }  # fmt: skip
        key = Qt.Key(event.key())
        if self.shown is None:
            super().keyPressEvent(event)
        elif key in moves:
            fine = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            step = (_FINE_KEY_STEP if fine else _KEY_STEP) / self._zoom
            x, y = self.cursor_position
            self.move_cursor((x + moves[key][0] * step, y + moves[key][1] * step))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.position_chosen.emit(*self.cursor_position)
        elif key is Qt.Key.Key_N:
            self._go_to_next_near()
        elif key is Qt.Key.Key_L:
            self.select(self.shown.nearest_chunks(self.cursor_position, _SELECTED_BY_KEY))
        elif key is Qt.Key.Key_Escape and self.selected:
            self.select([])
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus):
            self.zoom_by(1 / 1.3 if key is Qt.Key.Key_Minus else 1.3, self.pixel_of(self.cursor_position))
        elif key is Qt.Key.Key_0:
            self.reset_view()
        else:
            super().keyPressEvent(event)

    def key_group(self) -> KeyGroup:
        """Return the keys of the map, for the list of keys."""
        keys = (
            (native("Left", "Right", "Up", "Down"), self.tr("Move the cursor; with Shift a little")),
            (native("Return"), self.tr("Generate a sound at the cursor")),
            (native("N"), self.tr("Hear your next sound near the cursor")),
            (native("L"), self.tr("Select the sounds near the cursor")),
            (native("Esc"), self.tr("Select nothing")),
            (native("Menu"), self.tr("Show the menu of the sound at the cursor")),
            (native("+", "-"), self.tr("Zoom")),
            (native("0"), self.tr("Show the whole map")),
        )
        return KeyGroup(self.tr("Map"), tuple(KeyHelp(key, text) for key, text in keys))

    def _go_to_next_near(self) -> None:
        """Go through the sounds near the cursor, from the nearest on."""
        assert self.shown is not None
        if not self._near:
            self._near = self.shown.nearest_chunks(self.cursor_position, 12)
        row, *near = self._near or [-1]
        if row >= 0:
            self.choose_dot(row)
            self._near = near

    # Painting.

    def resizeEvent(self, event: object) -> None:
        """Draw the dots anew."""
        self._redraw()

    def changeEvent(self, event: QEvent) -> None:
        """Draw in the colours of the new theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._redraw()

    def _redraw(self) -> None:
        self._dots = None
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the dots, which are kept as a picture, and above them what moves."""
        colors = theme.colors()
        if self._dots is None:
            self._dots = self._draw_dots()
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._dots)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.shown is None:
            return
        if len(self.path) > 1:
            painter.setPen(QPen(QColor(colors.accent), 2.5))
            painter.drawPolyline(QPolygonF([self.pixel_of(position) for position in self.path]))
        if self._lasso is not None:
            painter.setPen(QPen(QColor(colors.accent), 1.5, Qt.PenStyle.DashLine))
            painter.drawPolygon(self._lasso)
        if self.hovered >= 0:
            painter.setPen(QPen(QColor(colors.text), 2))
            painter.drawEllipse(self.pixel_of(self.shown.positions[self.hovered]), _DOT, _DOT)
        here = self.pixel_of(self.cursor_position)
        painter.setPen(QPen(QColor(colors.accent), 2))
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            painter.drawLine(here + QPointF(5 * dx, 5 * dy), here + QPointF(13 * dx, 13 * dy))
        if self.hasFocus():
            paint_focus(painter, QRectF(self.rect()))

    def _draw_dots(self) -> QPixmap:
        ratio = self.devicePixelRatioF()
        picture = QPixmap(self.size() * ratio)
        picture.setDevicePixelRatio(ratio)
        picture.fill(QColor(theme.colors().window))
        if self.shown is None or len(self._shades) != len(self.shown.positions):
            return picture
        pixels = self._pixels()
        inside = ((pixels > -_DOT) & (pixels < [self.width() + _DOT, self.height() + _DOT])).all(1)
        rows = np.flatnonzero(inside)
        shades = np.array(self._shades)[rows]
        stamps = [_stamp_of(shade, ratio, theme.is_dark()) for shade in range(_SHADES)]
        painter = QPainter(picture)
        for (x, y), shade in zip((pixels[rows] - _DOT / 2 - 1).tolist(), shades.tolist(), strict=True):
            painter.drawPixmap(QPointF(x, y), stamps[shade])
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(theme.colors().text), 1.5))
        for row in self.selected:
            painter.drawEllipse(self.pixel_of(self.shown.positions[row]), _DOT * 0.75, _DOT * 0.75)
        self._draw_scale(painter)
        painter.end()
        return picture

    def _draw_scale(self, painter: QPainter) -> None:
        """Draw the scale of colours with its two ends into the lower right corner."""
        if not all(self._ends):
            return
        painter.setFont(theme.sized(self.font(), theme.SMALL))
        painter.setPen(QColor(theme.colors().muted))
        metrics = painter.fontMetrics()
        low, high = (metrics.horizontalAdvance(text) for text in self._ends)
        right, middle = self.width() - theme.MARGIN, self.height() - theme.MARGIN - metrics.height() / 2
        left = right - high - theme.GAP - _SCALE.width()
        baseline = middle + metrics.ascent() / 2 - 1
        painter.drawText(QPointF(right - high, baseline), self._ends[1])
        painter.drawText(QPointF(left - theme.GAP - low, baseline), self._ends[0])
        step = _SCALE.width() / _SHADES
        for shade in range(_SHADES):
            color = shade_color(shade / (_SHADES - 1), theme.is_dark())
            painter.fillRect(
                QRectF(left + shade * step, middle - _SCALE.height() / 2, step + 0.5, _SCALE.height()), color
            )


def _is_own(event: QKeyEvent) -> bool:
    return event.key() in _OWN_KEYS and not event.modifiers() & _OTHER_KEYS


def _stamp_of(shade: int, ratio: float, is_dark: bool) -> QPixmap:
    """Return the picture of a dot, which is drawn thousands of times."""
    size = _DOT + 2
    picture = QPixmap(round(size * ratio), round(size * ratio))
    picture.setDevicePixelRatio(ratio)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(shade_color(shade / (_SHADES - 1), is_dark))
    painter.drawEllipse(QRectF(1, 1, _DOT, _DOT))
    painter.end()
    return picture


def shade_color(share: float, is_dark: bool) -> QColor:
    """Return a colour of the scale, from blue (0) over green to orange (1)."""
    red, green, blue = colorsys.hls_to_rgb(0.62 - 0.54 * share, 0.62 if is_dark else 0.42, 0.65)
    return QColor.fromRgbF(red, green, blue)
