"""The table of compared sounds: a click, Return or a letter plays, and another letter switches in place."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from distill.gui.compare.compared_sounds_model import COMPARED_FILE_ROLE, HEARD_ROLE, LETTERS, ORIGINAL, SoundsModel
from distill.gui.help.keyboard_shortcuts import KeyGroup, KeyHelp, native
from distill.gui.sounds.waveform_thumbnails import Thumbnails
from distill.gui.widgets import theme
from distill.gui.widgets.waveform import draw_waveform

AnyIndex = QModelIndex | QPersistentModelIndex
_ROW_HEIGHT, _LEAST_COLUMN = 38, 90


class _CellDelegate(QStyledItemDelegate):
    """Paints the waveform of a cell."""

    def __init__(self, thumbnails: Thumbnails, parent: QWidget) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        """Paint a cell."""
        file, is_heard = index.data(COMPARED_FILE_ROLE), bool(index.data(HEARD_ROLE))
        colors, area = theme.colors(), QRectF(option.rect).adjusted(2, 2, -2, -2)
        has_focus = bool(option.state & QStyle.StateFlag.State_HasFocus)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(option.rect, QColor(colors.surface))
        if file is not None:
            painter.setPen(QPen(QColor(colors.second), 1.5) if has_focus else Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.accent if is_heard else colors.hover))
            painter.drawRoundedRect(area, 4, 4)
            peaks = self._thumbnails.peaks(file)
            if peaks is None:
                self._thumbnails.request(file)
            else:
                color = QColor(colors.accent_text if is_heard else colors.muted)
                draw_waveform(painter, area.adjusted(6, 4, -6, -4), peaks, color)
        painter.restore()


class SoundsView(QTableView):
    """Emits which cell is to be heard."""

    hear_requested = Signal(int, int)  # row, column

    def __init__(self, model: SoundsModel, thumbnails: Thumbnails) -> None:
        super().__init__()
        self.setModel(model)
        self.setObjectName("comparedSounds")
        self.setAccessibleName(self.tr("Compared sounds"))
        self.setToolTip(self.tr("Click a sound to hear it. The letters switch between the runs at the same position."))
        self.setItemDelegate(_CellDelegate(thumbnails, self))
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setShowGrid(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setCornerButtonEnabled(False)
        self.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.horizontalHeader().setMinimumSectionSize(_LEAST_COLUMN)
        for header in (self.horizontalHeader(), self.verticalHeader()):
            header.setHighlightSections(False)
            header.setSectionsClickable(False)
        self.clicked.connect(self._on_index)
        self.activated.connect(self._on_index)

    def key_group(self) -> KeyGroup:
        """Say which keys work here."""
        keys = native(*LETTERS, ORIGINAL)
        return KeyGroup(self.tr("Compared sounds"), (KeyHelp(keys, self.tr("Hear a run, or the original")),))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Leave letters and Space to the window."""
        if event.key() == Qt.Key.Key_Space or (event.text() and event.text().upper() in f"{LETTERS}{ORIGINAL}"):
            event.ignore()
        else:
            super().keyPressEvent(event)

    def _on_index(self, index: QModelIndex) -> None:
        self.hear_requested.emit(index.row(), index.column())
