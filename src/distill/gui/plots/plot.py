"""A plot over epochs with legend, read-out and marks, whose view stays where the user puts it."""

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from distill.gui.plots.curve_drawing import Curve, CurveStyle
from distill.gui.plots.legend_and_export_menu import LegendEntry, PlotHeader
from distill.gui.plots.marks import STRIP, Cursor, Overlay, preview_text
from distill.gui.plots.plot_view import PlotView, make_right_axis
from distill.gui.plots.pointer import PlotPointer
from distill.gui.plots.reference_lines import References
from distill.gui.widgets import theme
from distill.runs.run_record import Interruption

Floats = NDArray[np.float64]

#: Points for each pixel of width above which a curve is thinned out.
POINTS_PER_PIXEL = 2

#: How far behind its last epoch a plot ends, so that the mark at that epoch is seen whole.
BEHIND_LAST = 1.03

#: A limit beyond all figures.
FAR = 1e300


class Plot(QWidget):
    """A titled plot over epochs.

    It shows all epochs, also new ones, until the user moves or zooms; then the view is fixed until `show_all`.

    Parameters
    ----------
    object_name
        Of the `PlotView`.
    title, help
        For people; ``help`` says what the figures mean and what to do about them.
    curves
        The curves, drawn in this order.
    marks
        Kinds of marks that the legend lists: ``"best"``, ``"checkpoints"``, ``"previews"``.
    has_legend
        Whether there is a legend.
    can_be_log
        Whether an axis of logarithms makes sense for these figures.
    """

    #: The position on the axis of epochs that is read out; None for none.
    pointed = Signal(object)  # float or None
    #: Play the first preview of this epoch, which counts from 0.
    preview_requested = Signal(int)

    def __init__(
        self,
        object_name: str,
        title: str,
        curves: tuple[CurveStyle, ...],
        parent: QWidget | None = None,
        *,
        help: str = "",
        marks: tuple[CurveStyle, ...] = (),
        has_legend: bool = True,
        can_be_log: bool = False,
    ) -> None:
        super().__init__(parent)
        self.setLayoutDirection(Qt.LayoutDirection.LeftToRight)  # epochs go from left to right in every language
        self.title, self.can_be_log = title, can_be_log
        #: How a position is read out.
        self.position_text = self.tr("epoch {0}")
        self._is_log = self._holds = False
        self._shows_figures = True
        self._only: frozenset[str] | None = None
        self._line_scale, self._least_share = 1.0, 0.0
        self._limits: tuple[float | None, float | None] = (None, None)
        self._best: tuple[float, float] | None = None
        self.widget = PlotView(object_name, title)
        self._set_texts(help)
        self._item, self._box = self.widget.getPlotItem(), self.widget.box
        self._box.value_range = self._value_range
        self._box.least_view_share = lambda: 0.0 if self._is_log else self._least_share
        self.references = References(self._item)
        self._right: Any = make_right_axis(self.widget) if any(style.is_right for style in curves) else None
        self.curves = {style.name: self._make_curve(style) for style in curves}
        self.overlay = Overlay(self._box, self._on_mark_clicked)
        self._pointer = PlotPointer(self.widget, self.overlay, self._readable, self)
        listed = (*(s for s in curves if s.in_legend), *marks) if has_legend else ()
        self.header = PlotHeader(object_name, title, help, listed)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(theme.HALF)
        self._layout.addWidget(self.header)
        self._layout.addWidget(self.widget, 1)
        self.header.all_button.setParent(self.widget)
        self.header.all_button.hide()
        self._connect()
        self._paint()
        self._show_figures()
        self._follow()

    # What is drawn.

    def add_reference(self, y: float, label: str) -> None:
        """Draw a dashed line across the plot."""
        self.references.add_line(y, label)
        self._paint()

    def add_band(self, low: float, high: float, color: str) -> None:
        """Shade a range of values in a colour of the theme."""
        self.references.add_band(low, high, color)
        self._paint()

    def set_least_range(self, values: float) -> None:
        """Set the minimum range of values: whole numbers then get whole ticks."""
        self._box.setLimits(minYRange=values)

    def set_least_share(self, share: float) -> None:
        """Let a linear axis span at least this share of its highest value."""
        self._least_share = share

    def set_limits(self, lowest: float | None = None, highest: float | None = None) -> None:
        """Limit the visible values."""
        self._limits = lowest, highest
        # Zero has no place on an axis of logarithms.
        self._box.setLimits(
            yMin=-FAR if self._is_log or lowest is None else lowest,
            yMax=FAR if self._is_log or highest is None else highest,
        )

    def set_curve(self, name: str, x: Floats, y: Floats) -> None:
        """Draw a curve; points that are not finite leave a gap.

        The points begin with those of the last call, unless `clear` was called.
        """
        curve = self.curves[name]
        if len(x) == len(curve.x) and len(x):
            return
        curve.set_data(x, y)
        self._show_figures()
        self._follow()
        self._draw(curve)
        self._read_out_newest()

    def clear(self) -> None:
        """Empty all curves and show all of the next data.  Marks stay."""
        for curve in self.curves.values():
            curve.clear()
        self._show_figures()
        self._box.setYRange(0, 1, padding=0)  # not that of the last data, until there are new ones
        self.mark_best(None)
        self.show_position(None)
        self.set_note("")
        self.show_all()

    def set_note(self, text: str, explanation: str = "") -> None:
        """Show a text beside the legend."""
        self.header.set_note(text, explanation)

    def note(self) -> str:
        """Return the text beside the legend."""
        return self.header.note.text()

    def mark_previews(self, previews: dict[int, str]) -> None:
        """Mark epochs with previews: number, which counts from 0, and the file that a click plays."""
        self.overlay.show_previews({e + 1.0: preview_text(e + 1, name) for e, name in previews.items()})
        self._show_mark_entries()

    def mark_checkpoints(self, checkpoints: dict[float, str]) -> None:
        """Mark checkpoints: positions and tooltips."""
        self.overlay.show_checkpoints(checkpoints)
        self._show_mark_entries()

    def mark_interruptions(self, interruptions: Sequence[Interruption], has_label: bool = False) -> None:
        """Mark where the run was killed."""
        self.overlay.show_interruptions(interruptions, has_label)

    def mark_best(self, best: tuple[float, float] | None) -> None:
        """Mark the best epoch: its position and its value."""
        self._best = best
        height = None if best is None else self._height(best[1])
        self.overlay.show_best(None if best is None or height is None else (best[0], height))
        if "best" in self.header.entries:
            self.header.entries["best"].show_value(None if best is None else best[0])
        self._show_mark_entries()

    # How it is drawn.

    def set_smoothing(self, level: int) -> None:
        """Draw moving averages, wider with each level; 0 for none."""
        for name, curve in self.curves.items():
            curve.set_smoothing(level)
            self._draw(curve)
            if name in self.header.entries:
                self.header.entries[name].show_averaged(curve.is_averaged)
        self._read_out_newest()

    def set_log(self, is_log: bool) -> None:
        """Use a logarithmic axis, if the plot can."""
        is_log = is_log and self.can_be_log
        if is_log == self._is_log:
            return
        self._is_log = is_log
        x_range = self._box.viewRange()[0]
        self.set_limits(*self._limits)
        self._item.getAxis("left").setLogMode(False, is_log)
        for curve in self.curves.values():
            if not curve.style.is_right:
                curve.set_log(is_log)
        self.references.set_log(is_log)
        self._box.setXRange(*x_range, padding=0)
        self._box.enableAutoRange(x=False, y=True)
        self._draw_all()
        self.mark_best(self._best)
        self.show_position(self.position)

    def show_curve(self, name: str, is_shown: bool) -> None:
        """Show or hide a curve, or a kind of mark."""
        self.header.entries[name].setChecked(is_shown)

    def show_only(self, names: Collection[str] | None) -> None:
        """Restrict the plot to some curves and marks; None allows all."""
        self._only = None if names is None else frozenset(names)
        for name, entry in self.header.entries.items():
            entry.setVisible(self._is_allowed(name))
            self._on_toggled(name, entry.isChecked())
        self._show_figures()
        self._box.queueUpdateAutoRange()

    @property
    def is_empty(self) -> bool:
        """Whether no curve that the plot may draw has points."""
        return not any(len(curve.x) and self._is_allowed(name) for name, curve in self.curves.items())

    def _is_allowed(self, name: str) -> bool:
        return self._only is None or name in self._only

    @property
    def follows(self) -> bool:
        """Whether the view shows all data, also new ones."""
        return not self._holds

    def show_all(self) -> None:
        """Show all data, also new ones."""
        self._holds = False
        self.header.all_button.hide()
        self._box.enableAutoRange(x=False, y=True)
        self._follow(must_locate=True)
        self._draw_all()

    # Reading out.

    def show_position(self, position: float | None) -> None:
        """Read out the values at a position on the axis of epochs; None for the newest ones."""
        position = None if position is None or not any(len(c.x) for c in self._readable()) else position
        self._pointer.position = position
        if position is None:
            self.overlay.read_out(None)
            self._read_out_newest()
            return
        values = {name: c.value_at(position) for name, c in self.curves.items() if c.is_shown}
        for name, entry in self.header.entries.items():
            if name in self.curves:
                entry.show_value(values.get(name))
        self.overlay.read_out(self._reading(position, values))

    @property
    def position(self) -> float | None:
        """The position that is read out."""
        return self._pointer.position

    def event(self, event: QEvent) -> bool:
        """Adapt the line width to the screen."""
        if event.type() in (QEvent.Type.DevicePixelRatioChange, QEvent.Type.Polish):
            self.prepare_picture(None)
        handled = bool(super().event(event))
        if event.type() is QEvent.Type.LayoutRequest:  # the note has come, or an entry has become wider
            self._reserve_height()
        return handled

    def changeEvent(self, event: QEvent) -> None:
        """Apply the colours of the new theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._paint()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Reserve the height of all rows of the legend."""
        super().resizeEvent(event)
        self._reserve_height()
        self._place_button()

    def _reserve_height(self) -> None:
        needed = self._layout.minimumHeightForWidth(self.width())
        if needed != self.minimumHeight():
            self.setMinimumHeight(needed)

    def _place_button(self) -> None:
        """Keep "Show all" in the upper right corner of the curves."""
        button, area = self.header.all_button, self._box.sceneBoundingRect()
        button.resize(button.sizeHint())
        corner = self.widget.mapFromScene(area.topRight())
        button.move(corner.x() - button.width() - theme.HALF, corner.y() + theme.HALF)

    def _readable(self) -> list[Curve]:
        return [curve for curve in self.curves.values() if curve.style.in_legend and curve.is_shown]

    def prepare_picture(self, scale: float | None) -> None:
        """Prepare for drawing ``scale`` times as large as on the screen; None for the screen."""
        self._line_scale = scale or self.devicePixelRatioF()
        for curve in self.curves.values():
            curve.set_line_scale(self._line_scale, is_picture=scale is not None)
        self.references.show_labels(scale is None)  # see who draws them in a picture
        self._paint()

    def picture_entries(self) -> list[LegendEntry]:
        """Return the legend entries for a picture: everything shown, also in plots without a legend on the screen."""
        if self.header.entries:
            return [e for n, e in self.header.entries.items() if e.isChecked() and self._is_allowed(n) and self._has(n)]
        entries = []
        for curve in self._readable():
            if len(curve.x):
                entries.append(LegendEntry(curve.style, self.widget.objectName()))
                entries[-1].show_value(curve.newest())
        return entries

    def _has(self, name: str) -> bool:
        """Return whether there are data of a curve or marks of a kind."""
        if name in self.curves:
            return self.curves[name].newest() is not None
        marks = {"best": self._best, "checkpoints": self.overlay.checkpoints, "previews": self.overlay.previews}
        return bool(marks.get(name))

    def _reading(self, position: float, values: dict[str, float | None]) -> Cursor:
        """Return what is painted at the nearest point of the shown curve with most points."""
        points = []
        for name, value in values.items():
            style = self.curves[name].style
            height = None if value is None or style.is_right or not style.in_legend else self._height(value)
            if height is not None:
                points.append((height, getattr(theme.colors(), style.strong or style.color)))
        text = self.position_text.format(f"{position:.2f}".rstrip("0").rstrip("."))
        if not self.header.entries:  # there is no legend that would read out
            named = ((self.curves[n].style, v) for n, v in values.items() if v is not None)
            text = " · ".join([text, *(f"{style.label} {v:.3g}" for style, v in named if style.in_legend)])
        return Cursor(position, text, tuple(points))

    def _read_out_newest(self) -> None:
        for name, curve in self.curves.items():
            if name in self.header.entries and self.position is None:
                self.header.entries[name].show_value(curve.newest())

    def _value_range(self) -> tuple[float, float] | None:
        """Return the range of values to show: the usual values of each curve, and the reference lines."""
        curves = [c for c in self.curves.values() if c.is_shown and not c.style.is_right]
        ranges = [found for curve in curves if (found := curve.range()) is not None]
        if not ranges:
            return None
        heights = self.references.heights
        return min([r[0] for r in ranges] + heights), max([r[1] for r in ranges] + heights)

    def _height(self, value: float) -> float | None:
        """Return the position of a value on the left axis; None if it is not drawable."""
        if not self._is_log:
            return value
        return math.log10(value) if value > 0 else None

    def _show_mark_entries(self) -> None:
        self._box.keep_free(STRIP if self.overlay.previews or self.overlay.checkpoints else 0)

    # Drawing.

    def _make_curve(self, style: CurveStyle) -> Curve:
        box = self._right if style.is_right else self._item
        return Curve(style, box.addItem, box.removeItem)

    def _draw(self, curve: Curve) -> None:
        low, high = self._box.viewRange()[0]
        curve.draw(low, high, max(200, POINTS_PER_PIXEL * round(self._box.width())))
        if curve.style.is_right and len(curve.x):
            top = curve.highest()
            self._right.setYRange(0, 1.05 * top if top > 0 else 1, padding=0)

    def _show_figures(self) -> None:
        """Show numbers and grid lines once there is a curve."""
        is_on = not self.is_empty
        if is_on != self._shows_figures:
            self._shows_figures = is_on
            for side in ("left", "bottom", "right"):
                self._item.getAxis(side).setStyle(showValues=is_on)
            self._item.getAxis("left").setGrid(255 if is_on else False)

    def _draw_all(self) -> None:
        for curve in self.curves.values():
            self._draw(curve)

    def _follow(self, must_locate: bool = False) -> None:
        """Show all epochs.  The range ends just behind a whole epoch, so that it changes once an epoch."""
        if self._holds:
            return
        end = BEHIND_LAST * max(1, math.ceil(max(curve.last_position() for curve in self.curves.values())))
        if must_locate or self._box.viewRange()[0] != [0, end]:
            self._box.setXRange(0, end, padding=0)
            self._draw_all()

    def _paint(self) -> None:
        current = theme.colors()
        self.widget.paint(current)
        for curve in self.curves.values():
            curve.paint()
        self.references.paint(current, self._line_scale)
        self.overlay.update()

    def _set_texts(self, help: str) -> None:
        keys = self.tr(
            "Drag or arrow keys move, wheel or + and − zoom, Home shows all. Shift with left or right reads out "
            "epoch by epoch. Page up and down go from preview to preview, Space plays it."
        )
        self.widget.setToolTip(f"{help}\n\n{keys}".strip())
        self.widget.setAccessibleDescription(self.widget.toolTip())

    # What the user does.

    def _connect(self) -> None:
        self.widget.moved.connect(self._on_moved)
        self.widget.all_requested.connect(self.show_all)
        self._pointer.moved.connect(self._on_position_moved)
        self._pointer.preview_requested.connect(self.preview_requested)
        self._box.sigResized.connect(lambda _box: self._draw_all())
        self.header.all_requested.connect(self.show_all)
        self.header.toggled.connect(self._on_toggled)

    def _on_moved(self) -> None:
        self._holds = True
        self._place_button()
        self.header.all_button.show()
        self._draw_all()

    def _on_toggled(self, name: str, is_shown: bool) -> None:
        is_shown = is_shown and self._is_allowed(name)
        if name in self.curves:
            self.curves[name].set_shown(is_shown)
        else:
            self.overlay.show_kind(name, is_shown)
        self.show_position(self.position)

    def _on_mark_clicked(self, position: float) -> None:
        self._pointer.hear(position)

    def _on_position_moved(self, position: float | None) -> None:
        self.show_position(position)
        self.pointed.emit(position)
