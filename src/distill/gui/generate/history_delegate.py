"""Paints a generated sound in the history: waveform, name, how it was generated, star."""

from PySide6.QtCore import QCoreApplication, QModelIndex, QPersistentModelIndex, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter
from PySide6.QtWidgets import QStyle, QStyleOptionViewItem, QWidget

from distill.generation.history.sound_history import ListedSound
from distill.gui.generate.history_model import FACTS_ROLE
from distill.gui.lists.list_model import ITEM_ROLE, MARKED_ROLE
from distill.gui.lists.renaming_delegate import RenamingDelegate
from distill.gui.lists.row_painting import mirrored, paint_ground, whole_facts, write_line
from distill.gui.sounds.waveform_thumbnails import Thumbnails
from distill.gui.widgets import icons, theme
from distill.gui.widgets.waveform import draw_waveform

AnyIndex = QModelIndex | QPersistentModelIndex

#: Width of the waveform, and side of the star and of the area that takes clicks on it, in device-independent pixels.
_WAVEFORM_WIDTH, _STAR_SIDE, _STAR_TARGET_WIDTH = 72, 14, 30
_PLAY_ICON_SIDE = 12


def star_target(row: QRect, direction: Qt.LayoutDirection) -> QRect:
    """Return the area of a row that takes clicks on the star: its end, in the direction of reading."""
    area = QRect(row.right() - _STAR_TARGET_WIDTH + 1, row.top(), _STAR_TARGET_WIDTH, row.height())
    return QStyle.visualRect(direction, row, area)


class HistoryDelegate(RenamingDelegate):
    """Paints a generated sound in two lines beside its waveform."""

    def __init__(self, thumbnails: Thumbnails, parent: QWidget) -> None:
        super().__init__("soundNameEdit", QCoreApplication.translate("HistoryDelegate", "Name of the sound"), parent)
        self._thumbnails = thumbnails

    def sizeHint(self, option: QStyleOptionViewItem, _index: AnyIndex) -> QSize:
        """Return the height of two lines."""
        return QSize(160, 2 * option.fontMetrics.height() + 4 * theme.HALF)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        """Paint a row."""
        sound = index.data(ITEM_ROLE)
        if not isinstance(sound, ListedSound):
            return
        rect: QRect = option.rect
        is_playing = bool(index.data(MARKED_ROLE))
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_ground(painter, option, theme.colors().accent if is_playing else "")
        inner = rect.adjusted(theme.MARGIN, theme.HALF, 0, -theme.HALF)
        waveform_area = mirrored(option, QRect(inner.left(), inner.top(), _WAVEFORM_WIDTH, inner.height()))
        self._paint_waveform(painter, waveform_area, sound, is_playing)
        left, right = inner.left() + _WAVEFORM_WIDTH + theme.GAP, rect.right() - _STAR_TARGET_WIDTH
        self._paint_words(painter, QRect(left, inner.top(), right - left, inner.height()), option, index, is_playing)
        is_hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        if sound.entry.starred or sound.entry.rejected or is_hovered:
            colors = theme.colors()
            name, color = ("starred", colors.accent) if sound.entry.starred else ("star", colors.muted)
            if sound.entry.rejected:
                name, color = "close", colors.bad
            position = star_target(rect, option.direction).center() - QPoint(_STAR_SIDE // 2, _STAR_SIDE // 2)
            self._paint_icon(painter, position, name, color, _STAR_SIDE)
        painter.restore()

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, _index: AnyIndex) -> None:
        """Place the editor over the name."""
        rect: QRect = option.rect
        left = rect.left() + theme.MARGIN + _WAVEFORM_WIDTH
        height = editor.sizeHint().height()
        field = QRect(left, rect.top() + 1, rect.right() - _STAR_TARGET_WIDTH - left, height)
        editor.setGeometry(mirrored(option, field))

    def _paint_waveform(self, painter: QPainter, position: QRect, sound: ListedSound, is_playing: bool) -> None:
        colors = theme.colors()
        peaks = self._thumbnails.peaks(sound.path) if sound.seconds is not None else None
        if peaks is None:
            if sound.seconds is not None:
                self._thumbnails.request(sound.path)
            painter.fillRect(QRect(position.left(), position.center().y(), position.width(), 1), QColor(colors.border))
            return
        draw_waveform(painter, QRectF(position), peaks, QColor(colors.accent if is_playing else colors.muted))

    def _paint_words(
        self, painter: QPainter, position: QRect, option: QStyleOptionViewItem, index: AnyIndex, is_playing: bool
    ) -> None:
        colors, line = theme.colors(), position.height() // 2
        sound: ListedSound = index.data(ITEM_ROLE)
        font = QFont(option.font)
        font.setBold(True)
        name, is_pale = (
            position.adjusted(0, 0, 0, line - position.height()),
            sound.seconds is None or sound.entry.rejected,
        )
        if is_playing:  # a second sign beside the colour
            icon = QRect(name.left(), name.center().y() - _PLAY_ICON_SIDE // 2, _PLAY_ICON_SIDE, _PLAY_ICON_SIDE)
            self._paint_icon(painter, mirrored(option, icon).topLeft(), "play", colors.accent, _PLAY_ICON_SIDE)
            name = name.adjusted(_PLAY_ICON_SIDE + theme.HALF, 0, 0, 0)
        write_line(painter, font, mirrored(option, name), index.data(), colors.muted if is_pale else colors.text, True)
        facts = position.adjusted(0, line, 0, 0)
        text = whole_facts(index.data(FACTS_ROLE), option.fontMetrics, facts.width())
        write_line(painter, theme.sized(option.font, theme.SMALL), mirrored(option, facts), text, colors.muted)

    @staticmethod
    def _paint_icon(painter: QPainter, corner: QPoint, name: str, color: str, side: int) -> None:
        painter.drawPixmap(corner, icons.pixmap(name, color, side, painter.device().devicePixelRatioF()))
