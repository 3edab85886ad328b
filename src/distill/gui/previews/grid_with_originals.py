"""The grid of previews and, aligned on top of it, the strip of originals: two tables with one cursor."""

from PySide6.QtCore import QEvent, QModelIndex, QObject, QRect, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QLabel, QStyle, QVBoxLayout, QWidget

from distill.gui.previews.delegate import CELL_HEIGHT, NARROWEST, PreviewDelegate
from distill.gui.previews.grid_texts import unbreakable_parts
from distill.gui.previews.model import SOUND_ROLE, OriginalsModel, PreviewModel, StarredRows
from distill.gui.previews.view import OriginalsView, PreviewCells, PreviewView
from distill.gui.sounds.waveform_thumbnails import Thumbnails
from distill.gui.widgets import theme
from distill.gui.widgets.drag_and_drop import files_as_mime
from distill.runs.preview_files import PreviewKind, PreviewSound


class PreviewTable(QWidget):
    """Shows the sounds, and has one cursor for both tables."""

    #: The cursor is on another sound.
    chosen_changed = Signal(object)  # PreviewSound

    def __init__(self, grid: PreviewModel, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.grid = grid
        self.originals = OriginalsModel(grid, self)
        self.rows = StarredRows(grid, self)
        self.view, self.strip = PreviewView(), OriginalsView()
        self._thumbnails = thumbnails
        self._delegate = PreviewDelegate(thumbnails, self)
        self._chosen: PreviewSound | None = None
        self._make_views()
        self._corner = QLabel(self.tr("Epoch"), self.strip)
        self._corner.setObjectName("muted")
        self._corner.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.strip.installEventFilter(self)
        self._top = QHBoxLayout()
        self._top.addWidget(self.strip)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.HALF)
        layout.addLayout(self._top)
        layout.addWidget(self.view, 1)
        thumbnails.ready.connect(self._on_thumbnail_ready)
        grid.modelReset.connect(self._on_reset)
        self._measure()

    @property
    def cells(self) -> tuple[PreviewCells, PreviewCells]:
        """The two tables, whose signals are requests of the user."""
        return self.view, self.strip

    @property
    def chosen(self) -> PreviewSound | None:
        """The sound under the cursor."""
        return self._chosen

    def chosen_sounds(self) -> list[PreviewSound]:
        """Return the selected sounds; without a selection, the sound under the cursor."""
        is_original = self._chosen is not None and self._chosen.kind is PreviewKind.ORIGINAL
        return (self.strip if is_original else self.view).chosen_sounds()

    def pair(self) -> tuple[PreviewSound, PreviewSound] | None:
        """Return the reconstruction at the cursor and its original; None for a new sound."""
        sound = self._chosen
        original = self.grid.original_of(sound.slot) if sound is not None else None
        if sound is None or original is None:
            return None
        if sound.kind is PreviewKind.RECONSTRUCTION:
            return sound, original
        # The cursor is in the strip: compare with the epoch under the grid's cursor, or the newest.
        current = self.view.currentIndex()
        row = current.row() if current.isValid() else self.rows.rowCount() - 1
        reconstruction = self.rows.index(row, self.grid.columns.index(sound.slot)).data(SOUND_ROLE)
        return (reconstruction, original) if reconstruction is not None else None

    def show_playing(self) -> None:
        """Draw the originals anew, one of which may be heard or not any more."""
        self.originals.refresh()

    def show_starred_only(self, is_on: bool) -> None:
        """Show only the epochs with a starred sound; fade their other sounds."""
        self.rows.set_on(is_on)
        self._delegate.fades_unstarred = is_on
        self.view.viewport().update()

    def copy_chosen(self) -> None:
        """Put the chosen sounds on the clipboard: as files, and as text."""
        paths = [sound.path.absolute() for sound in self.chosen_sounds()]
        data = files_as_mime(paths)
        data.setText("\n".join(str(path) for path in paths))
        QGuiApplication.clipboard().setMimeData(data)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep the corner's label in its place when the strip gets another width."""
        if watched is self.strip and event.type() == QEvent.Type.Resize:
            self._place_corner()
        return super().eventFilter(watched, event)

    def changeEvent(self, event: QEvent) -> None:
        """Measure a new font, and draw in the colours of a new theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.PaletteChange) and hasattr(self, "_top"):
            self._measure()
            for cells in self.cells:
                cells.viewport().update()

    def _make_views(self) -> None:
        view, strip = self.view, self.strip
        view.setObjectName("previewList")
        view.setToolTip(self.tr("Click a sound to hear it, or walk with the arrow keys. S stars it, B compares it."))
        view.setAccessibleName(self.tr("Previews by epoch"))
        view.setAccessibleDescription(self.tr("Arrow keys walk and play. B compares with the original, S stars."))
        strip.setObjectName("previewOriginals")
        strip.setToolTip(self.tr("Your own sounds, which the copies below are to be like. Click one to hear it."))
        strip.setAccessibleName(self.tr("Originals of the previews"))
        for cells, model in ((view, self.rows), (strip, self.originals)):
            cells.setModel(model)
            cells.setItemDelegate(self._delegate)
            cells.copying_requested.connect(self.copy_chosen)
            cells.entered_by_user.connect(self._on_entered)
            cells.selectionModel().currentChanged.connect(self._on_current_changed)
        view.left_upwards.connect(self._on_left_upwards)
        strip.left_downwards.connect(self._on_left_downwards)
        view.layout_changed.connect(self._align)
        view.horizontalScrollBar().valueChanged.connect(strip.horizontalScrollBar().setValue)
        strip.horizontalScrollBar().valueChanged.connect(view.horizontalScrollBar().setValue)
        self.originals.columnsInserted.connect(self._on_columns_changed)
        self.grid.sources.changed.connect(self._on_columns_changed)

    # Keeping the two in line.

    def _measure(self) -> None:
        metrics = self.fontMetrics()
        words = (self.tr("Original"), self.tr("Epoch"), "00000")
        width = max(metrics.horizontalAdvance(word) for word in words) + 2 * theme.HALF
        for cells in self.cells:
            cells.verticalHeader().setFixedWidth(width)
        self.strip.horizontalHeader().setFont(theme.sized(self.font(), theme.SMALL))
        self._on_columns_changed()

    def _on_columns_changed(self) -> None:
        metrics = self.strip.horizontalHeader().fontMetrics()
        words = [word for text in self._headings() for word in unbreakable_parts(text)]
        widest = max((metrics.horizontalAdvance(word) for word in words), default=0)
        self.view.fit_columns(max(NARROWEST, widest + theme.GAP))
        self._align()

    def _align(self) -> None:
        """Keep the strip's cells above those of the grid, and its height that of its headings."""
        header, width = self.strip.horizontalHeader(), self.view.horizontalHeader().defaultSectionSize()
        if width != header.defaultSectionSize():
            header.setDefaultSectionSize(width)
        metrics = header.fontMetrics()
        room, middle = width - theme.GAP, Qt.TextElideMode.ElideMiddle
        is_narrow = any(metrics.horizontalAdvance(text) > room for text in self._headings() if "\n" not in text)
        self.originals.fit_headings(is_narrow, room, lambda name: metrics.elidedText(name, middle, room))
        has_originals = any(slot.is_pair for slot in self.grid.columns)
        lines = 2 if is_narrow or has_originals else 1  # names come later than the columns: nothing moves then
        header.setFixedHeight(lines * metrics.height() + 2 * theme.HALF)
        self.strip.setRowHidden(0, not has_originals)
        self.strip.setFixedHeight(header.height() + (CELL_HEIGHT if has_originals else 0))
        self._place_corner()
        bar = self.view.verticalScrollBar()
        self._top.setContentsMargins(0, 0, bar.sizeHint().width() if bar.maximum() else 0, 0)
        self.strip.horizontalScrollBar().setValue(self.view.horizontalScrollBar().value())

    def _place_corner(self) -> None:
        """Keep the corner's label above the numbers of the epochs."""
        area = QRect(0, 0, self.strip.verticalHeader().width() - theme.HALF, self.strip.horizontalHeader().height())
        self._corner.setGeometry(QStyle.visualRect(self.layoutDirection(), self.strip.rect(), area))

    def _headings(self) -> list[str]:
        return [str(self.grid.headerData(n, Qt.Orientation.Horizontal)) for n in range(self.grid.columnCount())]

    # One cursor for both.

    def _on_reset(self) -> None:
        self._chosen = None
        self._on_columns_changed()

    def _on_current_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        self._choose(current.data(SOUND_ROLE))

    def _on_entered(self, index: QModelIndex) -> None:
        self._choose(index.data(SOUND_ROLE))

    def _choose(self, sound: PreviewSound | None) -> None:
        if isinstance(sound, PreviewSound) and sound != self._chosen:
            self._chosen = sound
            (self.view if sound.kind is PreviewKind.ORIGINAL else self.strip).clearSelection()
            self.chosen_changed.emit(sound)

    def _on_left_upwards(self, column: int) -> None:
        cell = self.originals.index(0, column)
        if self.originals.sound_at(cell) is not None:
            self._go_over(self.strip, cell)

    def _on_left_downwards(self, column: int) -> None:
        cells = (self.rows.index(row, column) for row in range(self.rows.rowCount()))
        first = next((cell for cell in cells if cell.data(SOUND_ROLE) is not None), None)
        if first is not None:
            self._go_over(self.view, first)

    def _go_over(self, cells: PreviewCells, index: QModelIndex) -> None:
        """Move the cursor from one table to the other; the sound that it moves to plays."""
        cells.setCurrentIndex(index)
        cells.setFocus(Qt.FocusReason.OtherFocusReason)
        self._choose(index.data(SOUND_ROLE))
        cells.playing_requested.emit(index.data(SOUND_ROLE))

    def _on_thumbnail_ready(self, path: object) -> None:
        sound = PreviewSound.from_path(path)  # type: ignore[arg-type]
        if sound is not None and sound.kind is PreviewKind.ORIGINAL:
            self.originals.refresh()
        elif sound is not None:
            self.grid.show_peaks(sound.path)
