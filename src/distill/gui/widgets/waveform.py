"""Draws waveforms from peaks."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QImage, QPainter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Memory for drawn waveforms: those of a few screens.
_MOST_IMAGE_BYTES = 24_000_000
#: Opacity of a muted waveform.
_MUTED_OPACITY = 0.4


def draw_waveform(
    painter: QPainter,
    rect: QRectF,
    peaks: "NDArray[np.float32]",
    color: QColor,
    muted: bool = False,
    fills: bool = True,
) -> None:
    """Draw a waveform, one line for each column of the screen's own pixels, so that it is crisp at any scale.

    Parameters
    ----------
    painter
        May be scaled and moved, but not turned.
    rect
        Where to, in the painter's coordinates.
    peaks
        ``[n, 2]``: lowest and highest sample of ``n`` equal stretches.
    color, muted
        The colour, and whether it is faded.
    fills
        Scale the loudest peak to the rectangle's height.  Otherwise a sample of 1.0 reaches it.
    """
    to_pixels = painter.deviceTransform()
    scale = to_pixels.m11()
    area = to_pixels.mapRect(rect)
    left, top = round(area.left()), round(area.top())
    width, height = round(area.right()) - left, round(area.bottom()) - top
    if width < 1 or height < 1 or not len(peaks):
        return
    image = _images.get(peaks, width, height, QColor(color).rgba(), muted, fills)
    image.setDevicePixelRatio(scale)
    corner, _ = to_pixels.inverted()
    painter.drawImage(corner.map(QPointF(left, top)), image)


class _Images:
    """A cache of drawn waveforms: a list paints its rows again and again."""

    def __init__(self) -> None:
        self._known: dict[tuple[int | bool, ...], tuple[NDArray[np.float32], QImage]] = {}
        self._bytes = 0

    def get(
        self, peaks: "NDArray[np.float32]", width: int, height: int, color: int, muted: bool, fills: bool
    ) -> QImage:
        key = (id(peaks), width, height, color, muted, fills)
        known = self._known.pop(key, None)
        if known is None:
            known = peaks, _drawn(peaks, width, height, QColor.fromRgba(color), muted, fills)
            self._bytes += known[1].sizeInBytes()
        self._known[key] = known  # with the peaks: an id is unique only while its object exists
        while self._bytes > _MOST_IMAGE_BYTES and len(self._known) > 1:
            self._bytes -= self._known.pop(next(iter(self._known)))[1].sizeInBytes()
        return known[1]


_images = _Images()


def _drawn(peaks: "NDArray[np.float32]", width: int, height: int, color: QColor, muted: bool, fills: bool) -> QImage:
    from distill.audio.waveform_peaks import picture_of_peaks  # numpy is not needed for the first frame of the window

    opacity = color.alphaF() * (_MUTED_OPACITY if muted else 1.0)
    pixels = picture_of_peaks(peaks, width, height, (color.red(), color.green(), color.blue()), opacity, fills)
    image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied)
    return image.copy()  # the image itself does not own the buffer
