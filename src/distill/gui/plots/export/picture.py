"""Draws plots as PNG and SVG, to bytes."""

import re
from collections.abc import Sequence
from functools import partial
from xml.etree import ElementTree

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QRectF, QSize
from PySide6.QtGui import QColor, QFont, QImage, QPainter
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QLabel

from distill.gui.plots.legend_and_export_menu import LegendEntry
from distill.gui.plots.plot import Plot
from distill.gui.widgets import theme

#: Pixels of a PNG for each device-independent pixel, and its minimum width in pixels.
PNG_SCALE, PNG_WIDTH = 2.0, 1600

SVG = "http://www.w3.org/2000/svg"

#: A point of a path or a polyline as Qt writes it.
_NUMBER = r"(-?[0-9.]+(?:e[-+]?[0-9]+)?)"
_POINT = re.compile(f"{_NUMBER},{_NUMBER}")


def draw_image(plots: Sequence[Plot]) -> QImage:
    """Return a picture of plots below each other, with at least twice the resolution of a usual screen."""
    size = _size(plots)
    scale = max(PNG_SCALE, PNG_WIDTH / size.width())
    image = QImage(size * scale, QImage.Format.Format_RGB32)
    image.fill(QColor(theme.colors().surface))
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(scale, scale)
    _draw(painter, plots, scale)
    painter.end()
    return image


def png_bytes(image: QImage) -> bytes:
    """Return an image as a PNG file.  Slow: call it on another thread."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]  # PySide's stubs do not know this form
    return bytes(buffer.data().data())


def svg_bytes(plots: Sequence[Plot], title: str) -> bytes:
    """Return plots below each other as an SVG file."""
    size = _size(plots)
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    generator = QSvgGenerator(QSvgGenerator.SvgVersion.Svg11)  # which clips what lies outside the axes
    generator.setOutputDevice(buffer)
    generator.setResolution(96)
    generator.setSize(size)
    generator.setViewBox(QRectF(0, 0, size.width(), size.height()))
    generator.setTitle(title)
    painter = QPainter(generator)
    painter.fillRect(QRectF(0, 0, size.width(), size.height()), QColor(theme.colors().surface))
    _draw(painter, plots, 1.0)
    painter.end()
    return _with_plain_lines(bytes(data.data()))


def _with_plain_lines(svg: bytes) -> bytes:
    """Return a drawing in which curves are in the drawing's own coordinates.

    Curves are drawn in those of the axes, with pens whose width is in dots ("non-scaling-stroke"), which many
    programs do not know: they would paint lines a hundred dots wide.
    """
    ElementTree.register_namespace("", SVG)
    root = ElementTree.fromstring(svg)
    for group in list(root.iter(f"{{{SVG}}}g")):
        text = group.get("transform", "")
        if not text.startswith("matrix("):
            continue
        matrix = [float(v) for v in re.split(r"[ ,]+", text[len("matrix(") : -1].strip())]
        if matrix[:4] == [1.0, 0.0, 0.0, 1.0]:
            continue
        del group.attrib["transform"]
        for child in group:
            coordinates = {"d", "points"} & set(child.attrib)
            if child.get("vector-effect") == "non-scaling-stroke" and coordinates:
                child.set("vector-effect", "none")
                for name in coordinates:
                    child.set(name, _POINT.sub(partial(_moved, matrix), child.attrib[name]))
            else:
                child.set("transform", f"{text} {child.get('transform', '')}".strip())
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def _moved(matrix: Sequence[float], match: re.Match[str]) -> str:
    x, y = float(match[1]), float(match[2])
    a, b, c, d, e, f = matrix
    return f"{a * x + c * y + e:.2f},{b * x + d * y + f:.2f}"


def _size(plots: Sequence[Plot]) -> QSize:
    width = max(plot.widget.width() for plot in plots) + 2 * theme.MARGIN
    height = sum(plot.widget.height() + _header_height(plot, width) for plot in plots)
    return QSize(width, height + theme.MARGIN)


def _draw(painter: QPainter, plots: Sequence[Plot], scale: float) -> None:
    width, y = _size(plots).width(), 0
    for plot in plots:
        header = _header_height(plot, width)
        _draw_header(painter, plot, y, width)
        target = QRectF(theme.MARGIN, y + header, plot.widget.width(), plot.widget.height())
        scene = plot.widget.scene()
        plot.prepare_picture(scale)
        items = [item for item in scene.items() if hasattr(item, "setExportMode")]
        options = {"antialias": True, "background": None, "painter": painter, "resolutionScale": scale}
        for item in items:  # signs as shapes, not as small images
            item.setExportMode(True, options)
        scene.render(painter, target, QRectF(plot.widget.rect()))
        for item in items:
            item.setExportMode(False)
        # After a text in a scene, Qt's SVG clips the next curve to the place of that text: texts come last, by hand.
        painter.setPen(QColor(theme.colors().muted))
        for rect, text in plot.references.labels():
            painter.drawText(rect.translated(target.topLeft()), 0x84, text)  # in the middle
        plot.prepare_picture(None)
        y += header + plot.widget.height()


def _header_height(plot: Plot, width: int) -> int:
    return _place_header(plot, width)[1]


def _draw_header(painter: QPainter, plot: Plot, y: float, width: int) -> None:
    painter.save()
    painter.setFont(_title_font())
    painter.setPen(QColor(theme.colors().text))
    positions, _ = _place_header(plot, width)
    row = positions[0][1].height() if positions else 22
    painter.drawText(QRectF(theme.MARGIN, y + theme.HALF, width, row), 0x81, plot.title)  # left, middle
    for entry, rect in positions:
        entry.paint(painter, rect.translated(0, y))
    painter.restore()


def _place_header(plot: Plot, width: int) -> tuple[list[tuple[LegendEntry, QRectF]], int]:
    """Return the entries of the legend with their rectangles, and the height of the header."""
    title = QLabel(plot.title)
    title.setFont(_title_font())
    x, y, height = theme.MARGIN + title.sizeHint().width() + theme.GAP, theme.HALF, 22
    positions = []
    for entry in plot.picture_entries():
        size = entry.sizeHint()
        height = size.height()
        if x + size.width() > width - theme.MARGIN:
            x, y = theme.MARGIN, y + height
        positions.append((entry, QRectF(x, y, size.width(), height)))
        x += size.width() + theme.GAP
    return positions, y + height + theme.HALF


def _title_font() -> QFont:
    font = QFont()
    font.setWeight(QFont.Weight.DemiBold)
    return font
