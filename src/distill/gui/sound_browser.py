"""The dataset browser: the sounds that are trained on, and those that are left out, with the reason."""

from pathlib import Path

from PySide6.QtCore import QModelIndex, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QStackedWidget,
    QTableView,
    QWidget,
)

from distill.audio.corpus import ScanResult
from distill.gui.panel import EmptyState, Panel
from distill.gui.sound_table import ROW_ROLE, Column, SortedSounds, SoundRow, SoundStatus, SoundTable, format_seconds

#: Widths in device-independent pixels; the name takes what is left.
COLUMN_WIDTHS = {Column.DURATION: 58, Column.RATE: 44, Column.CHANNELS: 34, Column.STATUS: 66}


class SoundView(QTableView):
    """The table; a click, Enter or Space on a row asks to hear it."""

    audition_asked = Signal(object)  # Path

    def __init__(self) -> None:
        super().__init__()
        self.clicked.connect(self._on_index)
        self.activated.connect(self._on_index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Space plays, as Enter does."""
        if event.key() == Qt.Key.Key_Space and self.currentIndex().isValid():
            self._on_index(self.currentIndex())
            return
        super().keyPressEvent(event)

    def _on_index(self, index: QModelIndex) -> None:
        row = index.data(ROW_ROLE)
        if row is not None and row.entry is not None:
            self.audition_asked.emit(row.path)


class SoundBrowser(Panel):
    """Lists the sounds.  It says what the user wants and what there is; it never scans by itself."""

    folder_wanted = Signal()
    demo_wanted = Signal()
    audition_asked = Signal(object)  # Path
    current_changed = Signal(object)  # Path

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent, title="")
        self.title.setText(self.tr("Sounds"))
        self.setAccessibleName(self.tr("Sounds"))
        self.table = SoundTable()
        self._sorted = SortedSounds(self.table)
        self.view = self._make_view()
        empty = EmptyState(
            "drop",
            self.tr("Drop a folder of sounds here"),
            self.tr("5 to 500 files, short or long, in any usual format. No sounds at hand? Use the demo sounds."),
        )
        self._stack = QStackedWidget()
        self._stack.addWidget(empty)
        self._stack.addWidget(self.view)
        self._reason = QLabel()
        self._reason.setObjectName("muted")
        self._reason.setWordWrap(True)
        self._reason.hide()
        self.body.addWidget(self._stack, 1)
        self.body.addWidget(self._reason)
        self.body.addLayout(self._make_buttons())
        self._checking = ""
        self.table.modelReset.connect(self._on_rows_changed)
        self.table.dataChanged.connect(self._on_rows_changed)

    def _make_view(self) -> SoundView:
        view = SoundView()
        view.setObjectName("datasetBrowser")
        view.setAccessibleName(self.tr("Sounds to train on"))
        view.setToolTip(self.tr("Click a sound to hear it, or press Space."))
        view.setModel(self._sorted)
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        view.setTabKeyNavigation(False)  # Tab leaves the table, arrow keys walk in it
        view.setShowGrid(False)
        view.setWordWrap(False)
        view.setSortingEnabled(True)
        view.sortByColumn(Column.NAME, Qt.SortOrder.AscendingOrder)
        view.verticalHeader().hide()
        view.verticalHeader().setDefaultSectionSize(28)
        view.setCornerButtonEnabled(False)
        header = view.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(36)
        header.setSectionResizeMode(Column.NAME, QHeaderView.ResizeMode.Stretch)
        for column, width in COLUMN_WIDTHS.items():
            view.setColumnWidth(column, width)
        view.audition_asked.connect(self.audition_asked)
        view.selectionModel().currentChanged.connect(self._on_current_changed)
        return view

    def _make_buttons(self) -> QHBoxLayout:
        self.folder_button = QPushButton(self.tr("Choose f&older…"))
        self.folder_button.setObjectName("folderButton")
        self.folder_button.setToolTip(self.tr("Show the sounds of a folder and of the folders in it."))
        self.folder_button.clicked.connect(self.folder_wanted)
        self.demo_button = QPushButton(self.tr("Use &demo sounds"))
        self.demo_button.setObjectName("demoButton")
        self.demo_button.setToolTip(self.tr("A dozen plucks, bells, pads and noises, made on this computer."))
        self.demo_button.clicked.connect(self.demo_wanted)
        row = QHBoxLayout()
        row.addWidget(self.folder_button)
        row.addWidget(self.demo_button)
        row.addStretch(1)
        return row

    def show_scanning(self) -> None:
        """Say that the sounds are being looked for."""
        self.show_busy(self.tr("Looking for sounds…"))

    def show_busy(self, text: str) -> None:
        """Say what is being done; nothing, when empty."""
        if text:
            self.detail.setText(text)
        else:
            self._on_rows_changed()

    def show_scan(self, result: ScanResult) -> None:
        """List what was found."""
        self._checking = ""
        self.table.set_sounds(result.entries, result.skipped)

    def show_checked(self, results: list[tuple[Path, str | None]]) -> None:
        """Note what decoding has shown."""
        self.table.set_checked(results)

    def show_progress(self, done: int, total: int) -> None:
        """Say how far the checking is."""
        self._checking = self.tr("checking {0} of {1}").format(done, total) if done < total else ""
        self._on_rows_changed()

    def usable_paths(self) -> tuple[Path, ...]:
        """The sounds to train on: all that are not known to be bad."""
        return tuple(row.path for row in self.table.rows if row.status is not SoundStatus.LEFT_OUT)

    def left_out(self) -> list[SoundRow]:
        """The sounds that are left out."""
        return [row for row in self.table.rows if row.status is SoundStatus.LEFT_OUT]

    def _on_current_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        row = current.data(ROW_ROLE)
        self._show_reason(row)
        if row is not None and row.entry is not None:
            self.current_changed.emit(row.path)

    def _show_reason(self, row: SoundRow | None) -> None:
        """Say in full why the sound under the cursor is left out: the column is narrow."""
        reason = row.reason if row is not None else ""
        self._reason.setText(self.tr("Left out: {0}").format(reason) if reason else "")
        if self._reason.isHidden() and reason:  # the table gets lower by it
            QTimer.singleShot(0, self, lambda: self.view.scrollTo(self.view.currentIndex()))
        self._reason.setVisible(bool(reason))

    def _on_rows_changed(self) -> None:
        rows = self.table.rows
        self._show_reason(self.view.currentIndex().data(ROW_ROLE))
        self._stack.setCurrentIndex(1 if rows else 0)
        usable = [row.entry for row in rows if row.entry is not None and row.status is not SoundStatus.LEFT_OUT]
        parts = []
        if rows:
            parts = [
                self.tr("1 file") if len(usable) == 1 else self.tr("{0} files").format(len(usable)),
                format_seconds(sum(e.duration_s for e in usable)),
            ]
        if bad := len(rows) - len(usable):
            parts.append(self.tr("{0} left out").format(bad))
        if self._checking:
            parts.append(self._checking)
        self.detail.setText(" · ".join(parts))
