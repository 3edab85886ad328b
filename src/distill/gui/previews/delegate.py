"""Paints a preview in the grid: its waveform, star, and whether it is playing."""

from pathlib import Path

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from distill.gui.previews.model import PLAYING_ROLE, SOUND_ROLE, STARRED_ROLE
from distill.gui.sounds.waveform_thumbnails import Thumbnails
from distill.gui.widgets import icons, theme
from distill.gui.widgets.waveform import draw_waveform
from distill.runs.preview_files import PreviewKind, PreviewSound

AnyIndex = QModelIndex | QPersistentModelIndex

#: Height of a cell, and its smallest and largest width, in device-independent pixels.
CELL_HEIGHT, NARROWEST, WIDEST = 56, 48, 280
#: Side of the star, and of the square that takes clicks on it.
_STAR, _STAR_TARGET = 12, 18


def star_target(cell: QRect) -> QRect:
    """Return the area of a cell that takes clicks on the star."""
    return QRect(cell.right() - _STAR_TARGET + 1, cell.top(), _STAR_TARGET, _STAR_TARGET)


class PreviewDelegate(QStyledItemDelegate):
    """Paints a cell of the grid or of the strip of originals.

    Attributes
    ----------
    fades_unstarred
        Whether sounds without a star are faded.
    """

    def __init__(self, thumbnails: Thumbnails, parent: QWidget) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails
        self._marks: dict[tuple[str, str, int, float], QPixmap] = {}
        self.fades_unstarred = False

    def sizeHint(self, _option: QStyleOptionViewItem, _index: AnyIndex) -> QSize:
        """Return the smallest size of a cell."""
        return QSize(NARROWEST, CELL_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        """Draw the cell."""
        sound = index.data(SOUND_ROLE)
        if not isinstance(sound, PreviewSound):
            return
        rect, state = option.rect, option.state
        is_playing, is_starred = bool(index.data(PLAYING_ROLE)), bool(index.data(STARRED_ROLE))
        self._draw_ground(painter, rect, state, is_playing)
        current = theme.colors()
        plain = current.second if sound.kind is PreviewKind.ORIGINAL else current.muted
        color = current.accent_text if is_playing else plain
        is_faded = self.fades_unstarred and not is_starred and sound.kind is not PreviewKind.ORIGINAL
        self._draw_sound(painter, rect, sound.path, color, is_faded)
        is_hovered = bool(state & QStyle.StateFlag.State_MouseOver)
        if is_starred or (is_hovered and sound.kind is not PreviewKind.ORIGINAL):
            corner = star_target(rect).center() - QPoint(_STAR // 2, _STAR // 2)
            name, color = ("starred", current.accent) if is_starred else ("star", current.muted)
            self._draw_mark(painter, corner, name, current.accent_text if is_playing else color)

    def _draw_ground(self, painter: QPainter, rect: QRect, state: QStyle.StateFlag, is_playing: bool) -> None:
        """Show what is playing by brightness and the focus by a frame: not by colour alone."""
        current, area = theme.colors(), QRectF(rect).adjusted(1.5, 1.5, -1.5, -1.5)
        is_selected, has_focus = (
            bool(state & QStyle.StateFlag.State_Selected),
            bool(state & QStyle.StateFlag.State_HasFocus),
        )
        ground = current.accent if is_playing else current.selection if is_selected else current.hover
        if is_selected:  # the table has filled the whole square, whose corners would be visible
            painter.fillRect(rect, QColor(current.surface))
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(QColor(ground))
        painter.setPen(
            QPen(QColor(current.text if is_playing else current.second), 1.5) if has_focus else Qt.PenStyle.NoPen
        )
        painter.drawRoundedRect(area, 4, 4)
        painter.restore()

    def _draw_sound(self, painter: QPainter, rect: QRect, path: Path, color: str, is_faded: bool) -> None:
        area = rect.adjusted(5, 5, -5, -5)
        peaks = self._thumbnails.peaks(path)
        if peaks is None:
            self._thumbnails.request(path)
            painter.fillRect(QRect(area.left(), area.center().y(), area.width(), 1), QColor(theme.colors().border))
            return
        draw_waveform(painter, QRectF(area), peaks, QColor(color), muted=is_faded)

    def _draw_mark(self, painter: QPainter, position: QPoint, name: str, color: str) -> None:
        scale = painter.device().devicePixelRatioF()
        key = (name, color, _STAR, scale)
        if key not in self._marks:
            self._marks[key] = icons.pixmap(name, color, _STAR, scale)
        painter.drawPixmap(position, self._marks[key])
