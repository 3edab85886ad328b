"""Small icons, drawn as paths: crisp at every scale and in the colour of the theme."""

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPainterPath, QPen, QPixmap, QPolygonF

#: Side of the square that icons are drawn in.
SIDE = 16

_SCALES = (1.0, 1.5, 2.0, 3.0)


def icon(name: str, color: str) -> QIcon:
    """Return an icon (play, stop, volume, close, previous, next, drop) in a colour given as ``#rrggbb``."""
    result = QIcon()
    for scale in _SCALES:
        result.addPixmap(pixmap(name, color, SIDE, scale))
    return result


def pixmap(name: str, color: str, side: int = SIDE, scale: float = 1.0) -> QPixmap:
    """Return an icon as an image of ``side`` device-independent pixels for a screen of this scale."""
    image = QPixmap(QSize(round(side * scale), round(side * scale)))
    image.setDevicePixelRatio(scale)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(side / SIDE, side / SIDE)
    pen = QPen(QColor(color), 1.6, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    _DRAWINGS[name](painter, QColor(color))
    painter.end()
    return image


def _filled(painter: QPainter, color: QColor, path: QPainterPath) -> None:
    painter.fillPath(path, color)
    painter.strokePath(
        path, QPen(color, 1.2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
    )


def _play(painter: QPainter, color: QColor) -> None:
    path = QPainterPath()
    path.addPolygon(QPolygonF([QPointF(5, 3), QPointF(13, 8), QPointF(5, 13)]))
    path.closeSubpath()
    _filled(painter, color, path)


def _stop(painter: QPainter, color: QColor) -> None:
    path = QPainterPath()
    path.addRoundedRect(QRectF(4, 4, 8, 8), 1, 1)
    _filled(painter, color, path)


def _volume(painter: QPainter, color: QColor) -> None:
    path = QPainterPath()
    path.addPolygon(QPolygonF([QPointF(x, y) for x, y in ((2, 6), (4, 6), (7.5, 3), (7.5, 13), (4, 10), (2, 10))]))
    path.closeSubpath()
    _filled(painter, color, path)
    painter.drawArc(QRectF(6, 5, 6, 6), -60 * 16, 120 * 16)
    painter.drawArc(QRectF(5, 2.5, 10, 11), -55 * 16, 110 * 16)


def _lines(*points: tuple[float, float, float, float]) -> Callable[[QPainter, QColor], None]:
    def draw(painter: QPainter, color: QColor) -> None:
        for x1, y1, x2, y2 in points:
            painter.drawLine(QPointF(x1, y1), QPointF(x2, y2))

    return draw


def _drop(painter: QPainter, color: QColor) -> None:
    for x, height in ((2, 2), (5, 5), (8, 3), (11, 6), (14, 2)):
        painter.drawLine(QPointF(x, 8 - height), QPointF(x, 8 + height))


_DRAWINGS: dict[str, Callable[[QPainter, QColor], None]] = {
    "play": _play,
    "stop": _stop,
    "volume": _volume,
    "close": _lines((4.5, 4.5, 11.5, 11.5), (11.5, 4.5, 4.5, 11.5)),
    "previous": _lines((10, 4, 6, 8), (6, 8, 10, 12)),
    "next": _lines((6, 4, 10, 8), (10, 8, 6, 12)),
    "drop": _drop,
}
