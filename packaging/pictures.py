"""Makes the icons that installers want from ``resources/icons/distill.svg``.

Run by packaging/build.py in the build environment: ``python packaging/pictures.py TARGET``.  What it writes is not
committed: ``distill-<side>.png`` for Linux, ``distill.ico`` for Windows, ``distill.icns`` for macOS.
"""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "resources" / "icons" / "distill.svg"
SIDES = (16, 24, 32, 48, 64, 128, 256, 512)

#: Sides in a Windows icon, which counts to 256, and the types of macOS's for each side.
ICO_SIDES = (16, 24, 32, 48, 64, 128, 256)
ICNS_TYPES = {16: b"icp4", 32: b"icp5", 64: b"icp6", 128: b"ic07", 256: b"ic08", 512: b"ic09"}


def render(side: int) -> bytes:
    """Return the icon as a PNG of ``side`` by ``side`` pixels."""
    from PySide6.QtCore import QBuffer, QByteArray, QIODevice, Qt
    from PySide6.QtGui import QImage, QPainter
    from PySide6.QtSvg import QSvgRenderer

    image = QImage(side, side, QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    QSvgRenderer(str(SOURCE)).render(painter)
    painter.end()
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    if not image.save(buffer, "PNG"):  # type: ignore[call-overload]
        raise RuntimeError(f"{SOURCE} cannot be rendered")
    return bytes(data.data())


def windows_icon(pictures: dict[int, bytes]) -> bytes:
    """Return an .ico: a directory of entries, then the PNGs as they are (Windows Vista and newer)."""
    offset = 6 + 16 * len(pictures)
    directory, body = struct.pack("<HHH", 0, 1, len(pictures)), b""
    for side, data in pictures.items():
        directory += struct.pack("<BBBBHHII", side % 256, side % 256, 0, 0, 1, 32, len(data), offset + len(body))
        body += data
    return directory + body


def mac_icon(pictures: dict[int, bytes]) -> bytes:
    """Return an .icns: chunks of type, length and PNG."""
    body = b"".join(ICNS_TYPES[side] + struct.pack(">I", 8 + len(data)) + data for side, data in pictures.items())
    return b"icns" + struct.pack(">I", 8 + len(body)) + body


def main(target: Path) -> None:
    """Write all icons to a folder."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    target.mkdir(parents=True, exist_ok=True)
    pictures = {side: render(side) for side in SIDES}
    for side, data in pictures.items():
        (target / f"distill-{side}.png").write_bytes(data)
    (target / "distill.ico").write_bytes(windows_icon({side: pictures[side] for side in ICO_SIDES}))
    (target / "distill.icns").write_bytes(mac_icon({side: pictures[side] for side in ICNS_TYPES}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
