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
    image = _waveform_images.get(peaks, width, height, QColor(color).rgba(), muted, fills)
    image.setDevicePixelRatio(scale)
    corner, _ = to_pixels.inverted()
    painter.drawImage(corner.map(QPointF(left, top)), image)


class _WaveformImages:
    """A cache of drawn waveforms: a list paints its rows again and again."""

    def __init__(self) -> None:
        self._images: dict[tuple[int | bool, ...], tuple[NDArray[np.float32], QImage]] = {}
        self._image_bytes = 0

    def get(
        self, peaks: "NDArray[np.float32]", width: int, height: int, color: int, muted: bool, fills: bool
    ) -> QImage:
        key = (id(peaks), width, height, color, muted, fills)
        cached = self._images.pop(key, None)
        if cached is None:
            cached = peaks, _waveform_image(peaks, width, height, QColor.fromRgba(color), muted, fills)
            self._image_bytes += cached[1].sizeInBytes()
        self._images[key] = cached  # with the peaks: an id is unique only while its object exists
        while self._image_bytes > _MOST_IMAGE_BYTES and len(self._images) > 1:
            self._image_bytes -= self._images.pop(next(iter(self._images)))[1].sizeInBytes()
        return cached[1]


_waveform_images = _WaveformImages()


def _waveform_image(
    peaks: "NDArray[np.float32]", width: int, height: int, color: QColor, muted: bool, fills: bool
) -> QImage:
    """Draw peaks, one line for each column of pixels; there is at least one peak."""
    import numpy as np  # not needed for the first frame of the window

    opacity = color.alphaF() * (_MUTED_OPACITY if muted else 1.0)
    covered = _pixel_coverage(_pixel_columns(peaks, width), height, fills)
    alpha = np.ascontiguousarray(np.round(covered * (255 * opacity)), np.uint8).astype(np.uint32)
    red, green, blue = (alpha * part // 255 for part in (color.red(), color.green(), color.blue()))
    pixels = np.asarray(alpha << 24 | red << 16 | green << 8 | blue, np.uint32)  # premultiplied
    image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied)
    return image.copy()  # the image itself does not own the buffer


def _pixel_columns(peaks: "NDArray[np.float32]", width: int) -> "NDArray[np.float32]":
    """Return peaks for as many stretches as there are columns of pixels, ``[width, 2]``."""
    import numpy as np

    count = len(peaks)
    if width >= count:  # a column between two stretches is interpolated
        columns = np.linspace(0, count - 1, width)
        return np.stack([np.interp(columns, np.arange(count), peaks[:, side]) for side in (0, 1)], axis=1)
    column_starts = np.arange(width) * count // width
    lowest = np.minimum.reduceat(peaks[:, 0], column_starts)
    highest = np.maximum.reduceat(peaks[:, 1], column_starts)
    return np.stack([lowest, highest], axis=1)


def _pixel_coverage(columns: "NDArray[np.float32]", height: int, fills: bool) -> "NDArray[np.float32]":
    """Return how much of each pixel a waveform covers, ``[height, width]`` from 0 to 1.  Silence is a thin line."""
    import numpy as np

    loudest = float(np.abs(columns).max())
    gain = 1.0 / loudest if fills and loudest > 0 else 1.0
    middle = height / 2
    upper = middle - np.clip(columns[:, 1] * gain, -1, 1) * middle
    lower = middle - np.clip(columns[:, 0] * gain, -1, 1) * middle
    missing = np.maximum(0, 1 - (lower - upper)) / 2
    upper, lower = upper - missing, lower + missing
    row = np.arange(height)[:, None]
    covered: NDArray[np.float32] = np.minimum(lower, row + 1) - np.maximum(upper, row)
    return np.clip(covered, 0, 1)
