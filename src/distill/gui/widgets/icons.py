"""Small icons, drawn as paths: crisp at every scale and in the colour of the theme."""

import math
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


def _star_path() -> QPainterPath:
    path = QPainterPath()
    for corner in range(10):
        radius, angle = (6.6 if corner % 2 == 0 else 2.9), math.pi * (corner / 5 - 0.5)
        point = QPointF(8 + radius * math.cos(angle), 8.4 + radius * math.sin(angle))
        path.lineTo(point) if corner else path.moveTo(point)
    path.closeSubpath()
    return path


def _star(painter: QPainter, _color: QColor) -> None:
    painter.drawPath(_star_path())


def _starred(painter: QPainter, color: QColor) -> None:
    _filled(painter, color, _star_path())


def _more(painter: QPainter, color: QColor) -> None:
    for x in (3.5, 8.0, 12.5):
        path = QPainterPath()
        path.addEllipse(QPointF(x, 8), 0.7, 0.7)
        _filled(painter, color, path)


def _undo(painter: QPainter, _color: QColor) -> None:
    painter.drawArc(QRectF(3.5, 4, 9, 9), -120 * 16, 260 * 16)
    painter.drawPolyline(QPolygonF([QPointF(2.8, 2.8), QPointF(4.3, 6.3), QPointF(8.0, 5.6)]))


def _curve(painter: QPainter, _color: QColor) -> None:
    points = ((2, 2.5), (3.5, 7), (5.5, 9.5), (8, 11), (10.5, 11.3), (14, 12.8))
    painter.drawPolyline(QPolygonF([QPointF(x, y) for x, y in points]))


def _loop(painter: QPainter, color: QColor) -> None:
    for turn in (0, 180):
        painter.save()
        painter.translate(8, 8)
        painter.rotate(turn)
        path = QPainterPath(QPointF(-5.5, 1.5))
        path.lineTo(-5.5, -0.5)
        path.quadTo(-5.5, -3.5, -2.5, -3.5)
        path.lineTo(4.5, -3.5)
        painter.drawPath(path)
        painter.drawPolyline([QPointF(2.3, -5.9), QPointF(4.9, -3.5), QPointF(2.3, -1.1)])
        painter.restore()


def _loudspeaker(painter: QPainter, color: QColor) -> None:
    painter.drawRoundedRect(QRectF(3.5, 1.5, 9, 13), 1.5, 1.5)
    painter.drawEllipse(QPointF(8, 10), 2.6, 2.6)
    path = QPainterPath()
    path.addEllipse(QPointF(8, 4.7), 0.6, 0.6)
    _filled(painter, color, path)


def _dice(painter: QPainter, color: QColor) -> None:
    painter.drawRoundedRect(QRectF(2.5, 2.5, 11, 11), 2, 2)
    for x, y in ((5.5, 5.5), (8.0, 8.0), (10.5, 10.5), (10.5, 5.5), (5.5, 10.5)):
        path = QPainterPath()
        path.addEllipse(QPointF(x, y), 0.35, 0.35)
        _filled(painter, color, path)


def _padlock(is_closed: bool) -> Callable[[QPainter, QColor], None]:
    def draw(painter: QPainter, color: QColor) -> None:
        shift = 0.0 if is_closed else 3.0
        painter.drawRoundedRect(QRectF(3.5, 7.5, 9, 6), 1, 1)
        path = QPainterPath(QPointF(5.5 + shift, 7.0))
        path.lineTo(5.5 + shift, 5.0)
        path.arcTo(QRectF(5.5 + shift, 2.5, 5, 5), 180, -180)
        path.lineTo(10.5 + shift, 7.0 if is_closed else 5.5)
        painter.drawPath(path)

    return draw


_DRAWINGS: dict[str, Callable[[QPainter, QColor], None]] = {
    "play": _play,
    "stop": _stop,
    "volume": _volume,
    "close": _lines((4.5, 4.5, 11.5, 11.5), (11.5, 4.5, 4.5, 11.5)),
    "previous": _lines((10, 4, 6, 8), (6, 8, 10, 12)),
    "next": _lines((6, 4, 10, 8), (10, 8, 6, 12)),
    "drop": _drop,
    "curve": _curve,
    "undo": _undo,
    "loop": _loop,
    "loudspeaker": _loudspeaker,
    "more": _more,
    "star": _star,
    "dice": _dice,
    "locked": _padlock(True),
    "unlocked": _padlock(False),
    "starred": _starred,
    "newest": _lines((4, 4, 8, 8), (8, 8, 12, 4), (4, 9, 8, 13), (8, 13, 12, 9)),
}
