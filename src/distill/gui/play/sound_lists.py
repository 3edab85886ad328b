"""The lists of sounds on the Play page: near the cursor of the map, and the history of what was made there."""

from pathlib import Path

from PySide6.QtCore import QMimeData, QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListWidget,
    QListWidgetItem,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from distill.gui.lists.row_painting import mirrored, paint_ground, write_line
from distill.gui.lists.sound_clicks import Audition
from distill.gui.sounds.waveform_thumbnails import Thumbnails
from distill.gui.widgets import theme
from distill.gui.widgets.drag_and_drop import files_as_mime
from distill.gui.widgets.plain_text import plain_tip
from distill.gui.widgets.waveform import draw_waveform

AnyIndex = QModelIndex | QPersistentModelIndex

#: What an item holds beside its text: its file or None, and a word at its right.
LISTED_FILE_ROLE, LISTED_WORD_ROLE = Qt.ItemDataRole.UserRole + 1, Qt.ItemDataRole.UserRole + 2

#: Width of the waveform, in device-independent pixels.
_WAVE = 56
#: Most sounds that the history lists.
_MOST_IN_HISTORY = 500


class _RowDelegate(QStyledItemDelegate):
    """Paints the waveform, the name and the word of a sound."""

    def __init__(self, thumbnails: Thumbnails, parent: QWidget) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails

    def sizeHint(self, option: QStyleOptionViewItem, _index: AnyIndex) -> QSize:
        """Return the height of a line with room around it."""
        return QSize(120, option.fontMetrics.height() + 3 * theme.HALF)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        """Paint a row."""
        colors, small = theme.colors(), theme.sized(option.font, theme.SMALL)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_ground(painter, option)
        rect: QRect = option.rect
        inner = rect.adjusted(theme.GAP, theme.HALF, -theme.GAP, -theme.HALF)
        wave = mirrored(option, QRect(inner.left(), inner.top(), _WAVE, inner.height()))
        self._paint_wave(painter, QRectF(wave), index.data(LISTED_FILE_ROLE))
        word = index.data(LISTED_WORD_ROLE) or ""
        painter.setFont(small)
        width = painter.fontMetrics().horizontalAdvance(word)
        name = inner.adjusted(_WAVE + theme.GAP, 0, -width - (theme.GAP if word else 0), 0)
        write_line(painter, option.font, mirrored(option, name), index.data(), colors.text, keeps_end=True)
        end = QRect(inner.right() - width, inner.top(), width + 1, inner.height())
        write_line(painter, small, mirrored(option, end), word, colors.muted)
        painter.restore()

    def _paint_wave(self, painter: QPainter, area: QRectF, path: Path | None) -> None:
        peaks = self._thumbnails.peaks(path) if path is not None else None
        if peaks is not None:
            draw_waveform(painter, area, peaks, QColor(theme.colors().muted))
            return
        if path is not None:
            self._thumbnails.request(path)
        painter.fillRect(QRectF(area.left(), area.center().y(), area.width(), 1), QColor(theme.colors().border))


class SoundList(QListWidget):
    """Lists sounds: a click, Space and Enter play one; those with a file can be dragged onto pads and elsewhere."""

    #: Files are dragged to where they may be kept by their names.
    dragged = Signal(object)  # tuple of Path

    def __init__(self, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QListWidget.Shape.NoFrame)
        self.setProperty("plain", True)
        self.setMouseTracking(True)
        self.setUniformItemSizes(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setItemDelegate(_RowDelegate(thumbnails, self))
        self._thumbnails = thumbnails
        thumbnails.ready.connect(self._on_thumbnail)
        self._heard_file: Path | None = None
        self.hearing = Audition(self)

    def show_heard(self, path: Path | None) -> None:
        """Note which sound Space stops."""
        self._heard_file = path

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Play or stop the sound under the cursor.  Letters are left to the pads: Qt's list would search with them."""
        index, is_plain = self.currentIndex(), not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if event.key() == Qt.Key.Key_Space and not event.modifiers() and index.isValid():
            listed = index.data(LISTED_FILE_ROLE)
            self.hearing.take_space(event, is_heard=listed is not None and listed == self._heard_file)
        elif is_plain and event.text().isalnum():
            event.ignore()
        else:
            super().keyPressEvent(event)

    def mimeData(self, items: "list[QListWidgetItem]") -> QMimeData:  # type: ignore[override]
        """Return the files of items."""
        files = tuple(path for item in items if (path := item.data(LISTED_FILE_ROLE)) is not None)
        self.dragged.emit(files)
        return files_as_mime(files)

    def _on_thumbnail(self, _path: object) -> None:
        self.viewport().update()


class HistoryList(SoundList):
    """Lists sounds with a word about how new each is."""

    sound_chosen = Signal(object)  # Path

    def __init__(self, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(thumbnails, parent)
        self.setObjectName("madeList")
        self.setAccessibleName(self.tr("Sounds generated on this page"))
        self.setToolTip(self.tr("Click a sound to hear it. Drag it onto a pad or into another program."))
        self.hearing.asked.connect(lambda index: self.sound_chosen.emit(index.data(LISTED_FILE_ROLE)))

    def add(self, sound: Path, word: str = "") -> None:
        """List a sound as the newest, unless it is listed, with a word about how new it is."""
        if self._item_of(sound) is None:
            item = QListWidgetItem(sound.stem)
            item.setData(LISTED_FILE_ROLE, sound)
            item.setToolTip(plain_tip(sound.stem))
            self.insertItem(0, item)
            while self.count() > _MOST_IN_HISTORY:
                self.takeItem(self.count() - 1)
        self._thumbnails.prefetch_waveforms([sound])  # also where the name was that of another file before
        self.show_word(sound, word)

    def lists(self, sound: Path) -> bool:
        """Return whether a sound is listed."""
        return self._item_of(sound) is not None

    def remove(self, sound: Path) -> None:
        """List a sound no more."""
        if (item := self._item_of(sound)) is not None:
            self.takeItem(self.row(item))

    def show_word(self, sound: Path, word: str) -> None:
        """Show how new a listed sound is; an empty word leaves what is shown."""
        if (item := self._item_of(sound)) is not None and word:
            item.setData(LISTED_WORD_ROLE, word)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, self.tr("{0}, {1}").format(sound.stem, word))

    def follow_file(self, before: Path, path: Path) -> None:
        """List a sound under the name that its file has now."""
        for item in map(self.item, range(self.count())):
            if item.data(LISTED_FILE_ROLE) == before:
                item.setData(LISTED_FILE_ROLE, path)
                item.setText(path.stem)
                item.setToolTip(plain_tip(path.stem))
                self.show_word(path, item.data(LISTED_WORD_ROLE) or "")  # which is spoken with the name

    def _item_of(self, sound: Path) -> QListWidgetItem | None:
        return next(
            (item for item in map(self.item, range(self.count())) if item.data(LISTED_FILE_ROLE) == sound), None
        )

    def sounds(self) -> list[Path]:
        """Return the sounds, the newest first."""
        return [self.item(row).data(LISTED_FILE_ROLE) for row in range(self.count())]
