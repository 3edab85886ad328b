"""Draws waveforms from peaks, and computes the peaks of sound files in the background."""

import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QPointF, QRectF, Signal
from PySide6.QtGui import QColor, QImage, QPainter

from distill import diagnostics
from distill.audio.cache.waveform_overview import Overview, OverviewStore
from distill.audio.decoding.sound_file import DecodingCancelled
from distill.errors import SoundError
from distill.gui.widgets.background import BackgroundTask, end_tasks

log = logging.getLogger(__name__)

#: Overviews in memory; 8 kB each.  One that was dropped from memory is read from the disk again.
MOST_IN_MEMORY = 3000
#: Memory for drawn waveforms: those of a few screens.
_MOST_IMAGE_BYTES = 24_000_000
#: Opacity of a muted waveform.
_MUTED_OPACITY = 0.4


def draw_waveform(
    painter: QPainter,
    rect: QRectF,
    peaks: NDArray[np.float32],
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

    def get(self, peaks: NDArray[np.float32], width: int, height: int, color: int, muted: bool, fills: bool) -> QImage:
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


def _drawn(peaks: NDArray[np.float32], width: int, height: int, color: QColor, muted: bool, fills: bool) -> QImage:
    opacity = color.alphaF() * (_MUTED_OPACITY if muted else 1.0)
    pixels = _coverage(_columns(peaks, width), height, fills)
    alpha = np.ascontiguousarray(np.round(pixels * (255 * opacity)), np.uint8)
    buffer = _colored(alpha, color)
    image = QImage(buffer.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied)
    return image.copy()  # the image itself does not own the buffer


def _columns(peaks: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Return peaks for as many stretches as there are columns of pixels, ``[width, 2]``."""
    count = len(peaks)
    if width >= count:  # a column between two stretches is interpolated
        at = np.linspace(0, count - 1, width)
        return np.stack([np.interp(at, np.arange(count), peaks[:, side]) for side in (0, 1)], axis=1)
    starts = np.arange(width) * count // width
    low, high = np.minimum.reduceat(peaks[:, 0], starts), np.maximum.reduceat(peaks[:, 1], starts)
    return np.stack([low, high], axis=1)


def _coverage(columns: NDArray[np.float32], height: int, fills: bool) -> NDArray[np.float32]:
    """Return how much of each pixel a waveform covers, ``[height, width]`` from 0 to 1.  Silence is a thin line."""
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


def _colored(alpha: NDArray[np.uint8], color: QColor) -> NDArray[np.uint32]:
    wide = alpha.astype(np.uint32)
    red, green, blue = (wide * part // 255 for part in (color.red(), color.green(), color.blue()))
    return np.asarray(wide << 24 | red << 16 | green << 8 | blue, np.uint32)


def _overview(store: OverviewStore, path: Path, cancel: threading.Event) -> Overview | None:
    try:
        return store.get(path, cancel)
    except DecodingCancelled:
        raise
    except SoundError as exc:  # the list shows the reason; there is nothing to draw
        log.debug("No waveform of %s: %s", path, exc)
    except Exception as exc:  # boundary: one waveform; the others are drawn
        diagnostics.report(exc, f"the waveform of {path.name}")
    return None


class Thumbnails(QObject):
    """Overviews of sound files, computed one after the other in the background and kept on disk.

    The newest request comes first: it is on the screen now.  Announced files (`prefetch`) come when there are no
    requests.  The worker ends when there is nothing left to do.

    Parameters
    ----------
    parent
        Whose tasks are waited for at the end (`distill.gui.widgets.background.end_tasks`).
    """

    ready = Signal(object)  # Path

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._known: dict[Path, Overview | None] = {}  # None: the file cannot be read
        self._lock = threading.Lock()
        self._asked: dict[Path, None] = {}  # the last one is the most urgent
        self._announced: dict[Path, None] = {}  # the first one comes first
        self._is_working = self._is_closed = False

    def overview(self, path: Path) -> Overview | None:
        """Return what is known of a sound; None while it is not, or where the file cannot be read."""
        return self._known.get(path)

    def peaks(self, path: Path) -> NDArray[np.float32] | None:
        """Return the peaks of a sound, ``[BINS, 2]``, for `draw_waveform`; None as for `overview`."""
        found = self._known.get(path)
        return found.peaks if found is not None else None

    def request(self, path: Path) -> None:
        """Queue a sound before all others; `ready` is emitted when it is known.  Cheap enough for a paint event."""
        if path in self._known:
            return
        with self._lock:
            self._announced.pop(path, None)
            self._asked.pop(path, None)
            self._asked[path] = None
        self._work()

    def prefetch(self, paths: Iterable[Path]) -> None:
        """Queue sounds that will be needed, and read known ones again, as their files may have changed."""
        with self._lock:
            self._announced |= dict.fromkeys(path for path in paths if path not in self._asked)
        self._work()

    def close(self) -> None:
        """Cancel the work and wait for the worker."""
        self._is_closed = True
        end_tasks(self)

    def _work(self) -> None:
        with self._lock:
            if self._is_working or self._is_closed or not (self._asked or self._announced):
                return
            self._is_working = True
        task = BackgroundTask(self._measure, self)
        task.progressed.connect(self._on_measured)
        task.start()

    def _measure(self, notify: Callable[[Any], None], cancel: threading.Event) -> None:
        """Work until there is nothing left to do; runs in the background."""
        store = OverviewStore()
        try:
            while (path := self._next(cancel)) is not None:
                notify((path, _overview(store, path, cancel)))
        except DecodingCancelled:
            pass
        except Exception:
            with self._lock:
                self._is_working = False  # the next request starts another worker
            raise
        finally:
            store.close()

    def _next(self, cancel: threading.Event) -> Path | None:
        with self._lock:
            if not cancel.is_set():
                if self._asked:
                    return self._asked.popitem()[0]
                if self._announced:
                    path = next(iter(self._announced))
                    del self._announced[path]
                    return path
            self._is_working = False  # set under the lock: the next request starts another task
        return None

    def _on_measured(self, made: tuple[Path, Overview | None]) -> None:
        path, overview = made
        before = self._known.pop(path, None)
        self._known[path] = overview
        while len(self._known) > MOST_IN_MEMORY:
            del self._known[next(iter(self._known))]
        if overview is not None and (before is None or not np.array_equal(before.peaks, overview.peaks)):
            self.ready.emit(path)
