"""Marks over the curves: best epoch, checkpoints, previews, interruptions; their words and legend; the read-out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import QCoreApplication, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPainterPath, QPen, QPolygonF
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from distill.gui.plots.curve_drawing import CurveStyle
from distill.gui.widgets import theme
from distill.runs.run_record import Interruption

translate = QCoreApplication.translate

#: Height of the strip of marks along the axis, with a row for checkpoints and one for previews, and the minimum
#: distance between two drawn marks.
STRIP, APART = 24, 9

#: Maximum distance of a click from a mark, in device-independent pixels.
REACH = 8


#: Lines of text that a plot must be high for the words beside a mark; in a lower one they would cover the curves.
LABEL_LINES = 7


def mark_styles() -> tuple[CurveStyle, ...]:
    """Return how the legend shows the marks."""
    return (
        CurveStyle(
            "best",
            translate("Plot", "best"),
            "good",
            0,
            translate("Plot", "Lowest held-out loss: the model is saved from this epoch."),
            "o",
            usual_value="0000",
        ),
        CurveStyle(
            "checkpoints",
            translate("Plot", "checkpoints"),
            "muted",
            0,
            translate("Plot", "Saved states from which a run can be resumed."),
            "d",
            has_value=False,
        ),
        CurveStyle(
            "previews",
            translate("Plot", "previews"),
            "accent",
            0,
            translate("Plot", "Click a mark on the axis to hear that epoch."),
            "t2",
            has_value=False,
        ),
    )


def interruption_text(interruption: Interruption) -> str:
    """Return what happened at a place at which a run was killed."""
    kept, reached = _epoch(interruption.kept), _epoch(interruption.reached)
    if interruption.is_resumed:
        text = translate("Plot", "Interrupted at epoch {0}, resumed from epoch {1}.")
    elif not interruption.kept:
        text = translate("Plot", "Interrupted at epoch {0}. Nothing was saved.")
    elif kept == reached:
        text = translate("Plot", "Interrupted at epoch {0}. Nothing is lost.")
    else:
        text = translate("Plot", "Interrupted at epoch {0}. What came after epoch {1} is lost.")
    return text.format(reached, kept)


def interruption_label(interruption: Interruption) -> str:
    """Return the words beside the mark of an interruption."""
    if interruption.is_resumed:
        return translate("Plot", "Resumed here")
    if _epoch(interruption.kept) == _epoch(interruption.reached):
        return translate("Plot", "Interrupted")
    return translate("Plot", "Interrupted\nSaved to epoch {0}").format(_epoch(interruption.kept))


def preview_text(epoch: int, file_name: str) -> str:
    """Return the tooltip of the mark of a preview; ``epoch`` counts from 1, 0 is before training."""
    if epoch == 0:
        return translate("Plot", "Before training: click to hear it")
    return translate("Plot", "Epoch {0}: click to hear it ({1})").format(epoch, file_name)


def checkpoint_text(epoch: int) -> str:
    """Return the tooltip of the mark of a checkpoint; ``epoch`` counts from 0."""
    text = translate(
        "PlotsPanel", "Epoch {0}: checkpoint, from which the run can be resumed (checkpoint_epoch{1:04d}.pt)"
    )
    return text.format(epoch + 1, epoch)


def _epoch(position: float) -> str:
    return f"{position:.1f}".removesuffix(".0")


@dataclass(frozen=True)
class Cursor:
    """A position that is read out: its label, and the point of each curve there in the plot's coordinates."""

    x: float
    text: str
    points: tuple[tuple[float, str], ...]  # height, and colour


class Overlay(pg.GraphicsObject):  # type: ignore[misc]  # pyqtgraph has no types
    """Paints over a view box, in its pixels, and takes clicks on the marks of previews.

    Parameters
    ----------
    box
        The view box.
    on_clicked
        Called with the position of a clicked preview.
    """

    def __init__(self, box: Any, on_clicked: Any) -> None:
        super().__init__()
        self._box, self._on_clicked = box, on_clicked
        self._reading: Cursor | None = None
        self._best: tuple[float, float] | None = None
        self.previews: dict[float, str] = {}
        self.checkpoints: dict[float, str] = {}
        self.interruptions: tuple[Interruption, ...] = ()
        self._has_label = False
        self.shown = {"best": True, "previews": True, "checkpoints": True}
        self.hint = ""
        self.setParentItem(box)
        self.setZValue(100)
        box.sigResized.connect(self._on_resized)
        box.sigRangeChanged.connect(self._on_moved)

    # What is shown.

    def read_out(self, reading: Cursor | None) -> None:
        """Read out a position; None for none."""
        if reading != self._reading:
            self._reading = reading
            self.update()

    def show_best(self, position: tuple[float, float] | None) -> None:
        """Mark the best epoch at a point in the plot's coordinates."""
        if position != self._best:
            self._best = position
            self.update()

    def show_previews(self, previews: dict[float, str]) -> None:
        """Mark previews: position on the axis, and tooltip."""
        self.previews = dict(sorted(previews.items()))
        self.update()

    def show_checkpoints(self, checkpoints: dict[float, str]) -> None:
        """Mark checkpoints: position on the axis, and tooltip."""
        self.checkpoints = dict(sorted(checkpoints.items()))
        self.update()

    def show_interruptions(self, interruptions: Sequence[Interruption], has_label: bool) -> None:
        """Mark where the run was killed; with ``has_label``, the last one is labelled."""
        self.interruptions, self._has_label = tuple(interruptions), has_label
        self.update()

    def show_kind(self, name: str, is_shown: bool) -> None:
        """Show or hide a kind of mark: best, previews or checkpoints."""
        self.shown[name] = is_shown
        self.update()

    def set_hint(self, text: str) -> None:
        """Show a text in the middle of an empty plot."""
        if text != self.hint:
            self.hint = text
            self.update()

    def preview_beside(self, position: float | None, direction: int) -> float | None:
        """Return the position of the next (1) or previous (-1) preview; without a position, of the newest one."""
        if position is None:
            return next(reversed(self.previews), None)
        if direction > 0:
            return next((p for p in self.previews if p > position), None)
        return next((p for p in reversed(self.previews) if p < position), None)

    def preview_near(self, position: float | None) -> float | None:
        """Return the position of the nearest preview; without a position, of the newest one."""
        if position is None:
            return next(reversed(self.previews), None)
        return min(self.previews, key=lambda p: abs(p - position), default=None)

    # Qt's and pyqtgraph's interface.

    def boundingRect(self) -> QRectF:
        """Return the whole of the box."""
        return QRectF(self._box.rect())

    def shape(self) -> QPainterPath:
        """Return the strip of marks: elsewhere the mouse reaches the curves."""
        rect, path = self.boundingRect(), QPainterPath()
        path.addRect(QRectF(rect.left(), rect.bottom() - STRIP, rect.width(), STRIP))
        return path

    def hoverEvent(self, event: Any) -> None:
        """Show the tooltip of the mark under the pointer."""
        position = None if event.isExit() else event.pos()
        preview = self._near(self.previews, position) if self.shown["previews"] else None
        checkpoint = self._near(self.checkpoints, position) if self.shown["checkpoints"] else None
        texts = [self.previews[preview]] if preview is not None else []
        texts += [self.checkpoints[checkpoint]] if checkpoint is not None else []
        interruption_texts = {
            interruption.kept if interruption.is_resumed else interruption.reached: interruption_text(interruption)
            for interruption in self.interruptions
        }
        killed_at = self._near(interruption_texts, position)
        texts += [interruption_texts[killed_at]] if killed_at is not None else []
        self.setToolTip("\n".join(texts))
        if preview is not None:
            event.acceptClicks(Qt.MouseButton.LeftButton)
            self.setCursor(Qt.CursorShape.PointingHandCursor)
        else:
            self.unsetCursor()

    def mouseClickEvent(self, event: Any) -> None:
        """Play the preview whose mark was clicked."""
        position = self._near(self.previews, event.pos()) if self.shown["previews"] else None
        if position is None or event.button() != Qt.MouseButton.LeftButton:
            event.ignore()
            return
        event.accept()
        self._on_clicked(position)

    def paint(self, painter: QPainter, _option: QStyleOptionGraphicsItem, _widget: QWidget | None = None) -> None:
        """Paint the marks and the reading."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colors, rect = theme.colors(), self.boundingRect()
        if self.hint:
            painter.setPen(QColor(colors.muted))
            flags = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
            painter.drawText(rect.adjusted(theme.GAP, 0, -theme.GAP, 0), flags, self.hint)
        for number, interruption in enumerate(self.interruptions, 1):
            self._paint_interruption(painter, interruption, self._has_label and number == len(self.interruptions))
        painter.setPen(Qt.PenStyle.NoPen)
        if self.shown["checkpoints"]:
            painter.setBrush(QColor(colors.muted))
            for x in self._visible_mark_pixels(self.checkpoints):
                painter.drawPolygon(_diamond(x, rect.bottom() - 0.75 * STRIP))
        if self.shown["previews"]:
            painter.setBrush(QColor(colors.accent))
            for x in self._visible_mark_pixels(self.previews):
                painter.drawPolygon(_triangle(x, rect.bottom() - 0.25 * STRIP))
        if self._best is not None and self.shown["best"]:
            position = self._box.mapFromView(QPointF(*self._best))
            painter.setPen(QPen(QColor(colors.good), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(position, 6, 6)
        if self._reading is not None:
            self._paint_reading(painter, self._reading)

    def _paint_reading(self, painter: QPainter, reading: Cursor) -> None:
        colors, rect = theme.colors(), self.boundingRect()
        x = self._box.mapFromView(QPointF(reading.x, 0)).x()
        if not rect.left() <= x <= rect.right():
            return
        painter.setPen(QPen(QColor(colors.border_strong), 1))
        painter.drawLine(QPointF(x, rect.top()), QPointF(x, rect.bottom()))
        for height, color in reading.points:
            position = self._box.mapFromView(QPointF(reading.x, height))
            if rect.top() <= position.y() <= rect.bottom():
                painter.setPen(QPen(QColor(colors.surface), 1.5))
                painter.setBrush(QColor(color))
                painter.drawEllipse(position, 4, 4)
        self._paint_tag(painter, x, rect.top() + 1, reading.text)

    def _paint_interruption(self, painter: QPainter, interruption: Interruption, has_label: bool) -> None:
        """Draw a line where the run goes on or was killed, and shade what is lost."""
        colors, rect = theme.colors(), self.boundingRect()
        kept, end = self._pixel(interruption.kept), self._pixel(_interruption_end(interruption))
        if end < rect.left() or kept > rect.right() + 1:
            return
        ground = QColor(colors.fair)
        ground.setAlphaF(0.15)
        painter.fillRect(QRectF(QPointF(kept, rect.top()), QPointF(end, rect.bottom())).intersected(rect), ground)
        painter.setPen(QPen(QColor(colors.fair), 1.5, Qt.PenStyle.DashLine))
        x = min(end, rect.right() - 1)
        painter.drawLine(QPointF(x, rect.top()), QPointF(x, rect.bottom()))
        line = QFontMetricsF(painter.font()).height()
        if has_label and rect.height() > LABEL_LINES * line:
            self._paint_tag(painter, x, rect.top() + line + 2 * theme.HALF, interruption_label(interruption))

    def _paint_tag(self, painter: QPainter, x: float, top: float, text: str) -> None:
        """Write a text beside a line across the curves."""
        colors, rect, metrics = theme.colors(), self.boundingRect(), QFontMetricsF(painter.font())
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        tag_room = QRectF(0, 0, max(1.0, rect.width() - 4 * theme.HALF), rect.height())
        lines = metrics.boundingRect(tag_room, int(flags), text)  # in a narrow plot more than one
        width, height = math.ceil(lines.width()) + 2 * theme.HALF, lines.height() + 2
        left = x + theme.HALF if x + theme.HALF + width <= rect.right() else x - theme.HALF - width
        tag = QRectF(max(rect.left(), left), top, width, height)
        painter.setPen(QPen(QColor(colors.border), 1))
        painter.setBrush(QColor(colors.surface))
        painter.drawRoundedRect(tag, 3, 3)
        painter.setPen(QColor(colors.text))
        painter.drawText(tag, int(flags), text)

    def _near(self, marks: dict[float, str], position: QPointF | None) -> float | None:
        """Return the mark nearest to a point in the strip, if it is near enough."""
        if position is None or not marks or position.y() < self.boundingRect().bottom() - STRIP:
            return None
        distance, mark = min((abs(self._pixel(m) - position.x()), m) for m in marks)
        return mark if distance <= REACH else None

    def _visible_mark_pixels(self, marks: dict[float, str]) -> list[float]:
        """Return the pixels of the visible marks, far enough apart to be distinguishable."""
        rect, mark_pixels = self.boundingRect(), list[float]()
        for mark in reversed(marks):  # the newest one is always there
            x = self._pixel(mark)
            if rect.left() <= x <= rect.right() + 1 and (not mark_pixels or mark_pixels[-1] - x >= APART):
                mark_pixels.append(min(x, rect.right() - 4))
        return mark_pixels

    def _pixel(self, position: float) -> float:
        return float(self._box.mapFromView(QPointF(position, 0)).x())

    def _on_resized(self, _box: object) -> None:
        self.prepareGeometryChange()
        self.update()

    def _on_moved(self, *_ranges: object) -> None:
        self.update()


def _interruption_end(interruption: Interruption) -> float:
    """Return where its line is: what came after the newest checkpoint is there until the run is resumed."""
    return interruption.kept if interruption.is_resumed else interruption.reached


def _triangle(x: float, y: float) -> QPolygonF:
    return QPolygonF([QPointF(x - 3.5, y - 4.5), QPointF(x + 4.5, y), QPointF(x - 3.5, y + 4.5)])


def _diamond(x: float, y: float) -> QPolygonF:
    return QPolygonF([QPointF(x, y - 4), QPointF(x + 4, y), QPointF(x, y + 4), QPointF(x - 4, y)])
