"""Icons: the SVG files of ``resources/icons``, drawn in a colour of the theme at the scale of the screen."""

import logging
from functools import cache

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QSize, Qt
from PySide6.QtGui import QIcon, QImageReader, QPixmap

from distill.paths import resources_dir

log = logging.getLogger(__name__)

#: Side of the square that icons are drawn in.
SIDE = 16

_SCALES = (1.0, 1.5, 2.0, 3.0)


@cache
def icon(name: str, color: str) -> QIcon:
    """Return an icon in a colour given as ``#rrggbb``; ``name`` is that of its file."""
    result = QIcon()
    for scale in _SCALES:
        result.addPixmap(pixmap(name, color, SIDE, scale))
    return result


@cache
def pixmap(name: str, color: str, side: int = SIDE, scale: float = 1.0) -> QPixmap:
    """Return an icon as an image of ``side`` device-independent pixels for a screen of this scale.

    An icon whose file is missing is empty, and is logged: the window stays usable.
    """
    pixels = round(side * scale)
    buffer = QBuffer()
    buffer.setData(QByteArray(_source(name).replace("currentColor", color).encode()))
    buffer.open(QIODevice.OpenModeFlag.ReadOnly)
    reader = QImageReader(buffer, QByteArray(b"svg"))
    reader.setScaledSize(QSize(pixels, pixels))
    image = QPixmap.fromImage(reader.read())
    if image.isNull():
        image = QPixmap(pixels, pixels)
        image.fill(Qt.GlobalColor.transparent)
    image.setDevicePixelRatio(scale)
    return image


@cache
def _source(name: str) -> str:
    try:
        return (resources_dir() / "icons" / f"{name}.svg").read_text(encoding="utf-8")
    except OSError as exc:
        log.error("An icon is missing: %s", exc)
        return ""
