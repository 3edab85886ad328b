"""The waveform of the current sound, of which a part can be marked."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QSizePolicy,
    QWidget,
)

from distill.gui.widgets import theme
from distill.gui.widgets.waveform import draw_waveform

#: Share of the sound that an arrow key moves the end of the mark by.
_KEY_STEP = 0.02


#: Radius of the corners of the waveform, in device-independent pixels.
_RADIUS = 6


class MarkedWave(QWidget):
    """Shows a waveform, of which a part can be marked.

    Drag to mark; the arrow keys move the beginning of the mark, and with Shift its end; Esc removes it.
    """

    mark_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("soundWave")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Current sound"))
        self.setToolTip(self.tr("Drag over a part of the sound to generate that part anew. Keys: arrows, Shift, Esc."))
        self.mark: tuple[float, float] | None = None
        self.seconds = 0.0
        self._peaks: NDArray[np.float32] | None = None
        self._pressed: float | None = None
        self._hint, self.has_sound = "", False

    def sizeHint(self) -> QSize:
        """As high as the player's waveform, nearly."""
        return QSize(200, 36)

    def show_sound(self, peaks: NDArray[np.float32] | None, seconds: float) -> None:
        """Show a sound, ``[n, 2]``, without a mark."""
        self._peaks, self.seconds = peaks, seconds
        self._set_mark(None)

    def show_hint(self, text: str) -> None:
        """Show how to get a sound while there is none."""
        self._hint = text
        self.update()

    def show_has_sound(self, has_sound: bool) -> None:
        """Show the hint, or leave the room to the sound."""
        self.has_sound = has_sound
        self.update()

    def _set_mark(self, mark: tuple[float, float] | None) -> None:
        self.mark = mark
        text = self.tr("Nothing is marked.")
        if mark is not None:
            text = self.tr("Marked from {0:.2f} to {1:.2f} s.").format(*(share * self.seconds for share in mark))
        self.setAccessibleDescription(text)
        self.mark_changed.emit()
        self.update()

    def _share(self, event: QMouseEvent) -> float:
        return min(max(event.position().x() / max(1, self.width()), 0.0), 1.0)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a mark."""
        if event.button() is Qt.MouseButton.LeftButton and self._peaks is not None:
            self._pressed = self._share(event)
            self._set_mark(None)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Mark from the press to here."""
        if self._pressed is not None:
            low, high = sorted((self._pressed, self._share(event)))
            self._set_mark((low, high) if high - low > 0.01 else None)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End the mark."""
        self._pressed = None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the ends of the mark."""
        steps = {Qt.Key.Key_Left: -_KEY_STEP, Qt.Key.Key_Right: _KEY_STEP}
        step = steps.get(Qt.Key(event.key()))
        if event.key() == Qt.Key.Key_Escape and self.mark is not None:
            self._set_mark(None)
        elif step is None or self._peaks is None:
            super().keyPressEvent(event)
        else:
            low, high = self.mark or (0.25, 0.5)
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                high = min(max(high + step, low + _KEY_STEP), 1.0)
            else:
                low = min(max(low + step, 0.0), high - _KEY_STEP)
            self._set_mark((low, high))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the mark and the waveform."""
        colors, painter = theme.colors(), QPainter(self)
        area = QRectF(self.rect())
        outline = QPainterPath()
        outline.addRoundedRect(area.adjusted(0.5, 0.5, -0.5, -0.5), _RADIUS, _RADIUS)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.save()
        painter.setClipPath(outline)
        painter.fillRect(area, QColor(colors.window))
        if self.mark is not None:
            low, high = (share * self.width() for share in self.mark)
            painter.fillRect(QRectF(low, 0, high - low, self.height()), QColor(colors.accent_soft))
        if self._peaks is not None:
            draw_waveform(painter, area.adjusted(0, 3, 0, -3), self._peaks, QColor(colors.accent))
        elif not self.has_sound:
            painter.setPen(QColor(colors.muted))
            painter.setFont(theme.sized(self.font(), theme.SMALL))
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, self._hint)
        painter.restore()
        painter.setPen(QPen(QColor(colors.second if self.hasFocus() else colors.border), 1))
        painter.drawPath(outline)
