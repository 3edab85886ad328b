"""The position in a sound: a slider that looks like the sound."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QEnterEvent, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QSlider, QStyle, QWidget

from distill.gui.help.keyboard_shortcuts import KeyGroup, KeyHelp, native
from distill.gui.widgets import theme
from distill.gui.widgets.waveform import draw_waveform

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Least height at which a waveform can be read, in device-independent pixels.
HEIGHT = 44

#: Space at both ends, so that the playhead is seen there, too.
_SIDE = 4


class PositionSlider(QSlider):
    """A slider over a waveform; the played part is in the accent colour.

    It is a slider in all but its looks: keys, wheel, value and signals are those of `QSlider`.  The mouse goes
    straight to where it points, because there is no handle to take hold of.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setLayoutDirection(Qt.LayoutDirection.LeftToRight)  # as sounds are drawn everywhere; so go the keys
        self.setMinimumHeight(HEIGHT)
        self.setMouseTracking(True)
        self._peaks: NDArray[np.float32] | None = None
        self._pictures: tuple[tuple[object, ...], QPixmap, QPixmap] | None = None
        self._pointed_at: float | None = None  # x of the mouse

    def show_peaks(self, peaks: "NDArray[np.float32] | None") -> None:
        """Draw this sound, ``[n, 2]``; None draws a line."""
        if peaks is not self._peaks:
            self._peaks, self._pictures = peaks, None
            self.update()

    def sizeHint(self) -> QSize:
        """Wide enough to aim at a position in a second of sound."""
        return QSize(320, HEIGHT)

    def minimumSizeHint(self) -> QSize:
        """Narrow enough for a small window."""
        return QSize(120, HEIGHT)

    # The mouse: no page steps and no handle.

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to the mouse, and follow it until it lets go."""
        if event.button() is Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self._follow_pointer(event)
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Follow the mouse while it is held; otherwise show where it points."""
        self._pointed_at = event.position().x()
        if self.isSliderDown():
            self._follow_pointer(event)
        self.update()
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Release the slider; emits `sliderReleased`."""
        if event.button() is Qt.MouseButton.LeftButton and self.isSliderDown():
            self._follow_pointer(event)
            self.setSliderDown(False)
        event.accept()

    def enterEvent(self, event: QEnterEvent) -> None:
        """Show where the mouse points."""
        self._pointed_at = event.position().x()
        self.update()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """Show no more where the mouse points."""
        self._pointed_at = None
        self.update()
        super().leaveEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        """Draw in the colours of the new theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.EnabledChange):
            self._pictures = None
            self.update()

    def _follow_pointer(self, event: QMouseEvent) -> None:
        area = self._waveform_area()
        pointer_x = round(event.position().x() - area.left())
        self.setSliderPosition(
            QStyle.sliderValueFromPosition(self.minimum(), self.maximum(), pointer_x, max(1, round(area.width())))
        )

    # Looks.

    def key_group(self) -> KeyGroup:
        """Say which keys work here."""
        return KeyGroup(
            self.tr("Position in the sound"),
            (
                KeyHelp(native("Left", "Right"), self.tr("Go back or on a little")),
                KeyHelp(native("PgUp", "PgDown"), self.tr("Go back or on by a tenth")),
                KeyHelp(native("Home", "End"), self.tr("Go to the beginning or to the end")),
            ),
        )

    def _waveform_area(self) -> QRectF:
        return QRectF(self.rect()).adjusted(_SIDE, _SIDE, -_SIDE, -_SIDE)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the sound, what was heard of it, and the playhead."""
        current, painter, area = theme.colors(), QPainter(self), self._waveform_area()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        frame = QPainterPath()
        frame.addRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        painter.fillPath(frame, QColor(current.window))
        painter.setPen(QPen(QColor(current.second if self.hasFocus() else current.border), 1))
        painter.drawPath(frame)
        if self._peaks is None:
            painter.setPen(QPen(QColor(current.border_strong), 1))
            painter.drawLine(QPointF(area.left(), area.center().y()), QPointF(area.right(), area.center().y()))
            return
        played, unplayed = self._waveform_pictures(self._peaks, area.size().toSize())
        x = self._playhead(area)
        for picture, left, right in ((played, area.left(), x), (unplayed, x, area.right())):
            painter.setClipRect(QRectF(left, 0, right - left, self.height()))
            painter.drawPixmap(area.topLeft(), picture)
        painter.setClipping(False)
        if not self.isEnabled():
            return
        if self._pointed_at is not None and area.left() <= self._pointed_at <= area.right():
            painter.setPen(QPen(QColor(current.muted), 1, Qt.PenStyle.DotLine))
            painter.drawLine(QPointF(self._pointed_at, area.top()), QPointF(self._pointed_at, area.bottom()))
        painter.setPen(QPen(QColor(current.text), 2))
        painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))

    def _playhead(self, area: QRectF) -> float:
        whole = max(1, self.maximum() - self.minimum())
        return area.left() + area.width() * (self.sliderPosition() - self.minimum()) / whole

    def _waveform_pictures(self, peaks: "NDArray[np.float32]", size: QSize) -> tuple[QPixmap, QPixmap]:
        """Return the waveform as it was heard and as it will be; drawn once, because the playhead moves at 30 Hz."""
        current, ratio = theme.colors(), self.devicePixelRatioF()
        key = (size.width(), size.height(), ratio, current.accent)
        if self._pictures is None or self._pictures[0] != key:
            colors = (current.accent, current.muted) if self.isEnabled() else (current.disabled, current.disabled)
            played, unplayed = (self._waveform_picture(peaks, size, ratio, QColor(color)) for color in colors)
            self._pictures = key, played, unplayed
        return self._pictures[1], self._pictures[2]

    def _waveform_picture(self, peaks: "NDArray[np.float32]", size: QSize, ratio: float, color: QColor) -> QPixmap:
        picture = QPixmap(size * ratio)
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        draw_waveform(painter, QRectF(0, 0, size.width(), size.height()), peaks, color)
        painter.end()
        return picture
