"""The dataset browser: the sounds to train on, and those that are skipped, with the reason."""

from collections.abc import Container
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QModelIndex, QSize, Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QStackedWidget, QToolButton, QWidget

from distill.audio.scan_result import ScanResult
from distill.gui.sounds.cell_texts_and_colors import short_reason
from distill.gui.sounds.model import ROW_ROLE, FilteredSounds, SoundModel
from distill.gui.sounds.sound_row import CheckedSound, SoundRow, SoundStatus
from distill.gui.sounds.totals_line import TotalsLine
from distill.gui.sounds.view import SoundView
from distill.gui.sounds.waveform_thumbnails import Thumbnails
from distill.gui.widgets import theme
from distill.gui.widgets.buttons import ActionButton
from distill.gui.widgets.empty_state import EmptyState
from distill.gui.widgets.icons import icon
from distill.gui.widgets.input_fields import SearchField
from distill.gui.widgets.panel import Panel

if TYPE_CHECKING:
    from distill.audio.cache.waveform_overview import Overview

#: Levels and waveforms reach the table in batches of this many milliseconds.
BATCH_MILLISECONDS = 100

#: Height of the words that stand in for the list, in device-independent pixels at the usual text size; and what Qt
#: calls no limit.
EMPTY_HEIGHT, QWIDGETSIZE_MAX = 150, (1 << 24) - 1


class SoundsPanel(Panel):
    """Lists the sounds and emits what the user requests; it never scans by itself.

    Parameters
    ----------
    thumbnails
        Where waveforms and levels come from.
    """

    folder_requested = Signal()
    adding_requested = Signal()
    demo_requested = Signal()
    removal_requested = Signal(object)  # list of Path
    audition_requested = Signal(object)  # Path
    stop_requested = Signal()
    current_changed = Signal(object)  # Path
    exclusion_requested = Signal(object, bool)  # list of Path, whether to exclude them
    reveal_requested = Signal(object)  # Path
    #: Make others of this sound on the Play page; put these sounds on pads.
    play_page_requested = Signal(object)  # Path
    pads_requested = Signal(object)  # list of Path
    copy_requested = Signal(object)  # list of Path
    #: What was found in the sounds is to be seen, or not any more.
    doctor_toggled = Signal(bool)

    def __init__(self, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent, title="")
        self.title.setText(self.tr("Sounds"))
        self.setAccessibleName(self.tr("Sounds"))
        self.header.removeWidget(self.detail)
        self.header.insertWidget(1, self.detail)  # at the left, where the line below it begins
        self._thumbnails = thumbnails
        self.table = SoundModel()
        self._filtered = FilteredSounds(self.table)
        self.view = self._make_view()
        self._totals, self._reason = TotalsLine(), self._make_reason()
        empty = EmptyState(
            "drop",
            self.tr("Drop a folder of sounds here"),
            self.tr("5 to 500 files, short or long, in any usual format."),
        )
        self._stack = QStackedWidget()
        for page in (empty, self.view, QWidget()):  # the last one while it is not known yet whether there are any
            self._stack.addWidget(page)
        self._search = self._make_search()
        self.doctor = self._make_doctor()
        self.body.addWidget(self._totals)
        self.body.addWidget(self._search)
        self.body.addStretch(0)
        self.body.addWidget(self._stack, 1)
        self.body.addWidget(self._reason)
        self.body.addWidget(self.doctor)
        self._buttons = self._make_buttons()
        self.body.addLayout(self._buttons)
        self.body.addStretch(0)
        self._busy = ""
        self._trained_on: frozenset[Path] | None = None  # what was wanted when the training under way began
        self._overviews: dict[Path, Overview] = {}
        self._batch = QTimer(self, interval=BATCH_MILLISECONDS, singleShot=True)
        self._batch.timeout.connect(self._on_batch_due)
        thumbnails.ready.connect(self._on_thumbnail_ready)
        self.table.exclusion_requested.connect(self.exclusion_requested)
        self.table.modelReset.connect(self._on_rows_changed)
        self.table.dataChanged.connect(self._on_rows_changed)
        self._on_rows_changed()
        self._draw_icons()

    def _make_view(self) -> SoundView:
        view = SoundView(self._filtered, self._thumbnails)
        view.setObjectName("datasetBrowser")
        view.setAccessibleName(self.tr("Sounds to train on"))
        view.setToolTip(self.tr("Click a sound to hear it, or press Space. Delete excludes it from training."))
        view.setAccessibleDescription(
            self.tr(
                "Space plays and stops. Delete excludes the selected sounds from training, Insert includes them again."
            )
        )
        view.audition_requested.connect(self.audition_requested)
        view.stop_requested.connect(self.stop_requested)
        view.exclusion_requested.connect(self.exclusion_requested)
        view.reveal_requested.connect(self.reveal_requested)
        view.copy_requested.connect(self.copy_requested)
        view.play_page_requested.connect(self.play_page_requested)
        view.pads_requested.connect(self.pads_requested)
        view.removal_requested.connect(self.removal_requested)
        view.selectionModel().currentChanged.connect(self._on_current_changed)
        return view

    def _make_reason(self) -> QLabel:
        label = QLabel()
        label.setObjectName("muted")
        label.setAccessibleIdentifier("soundReason")
        label.setWordWrap(True)
        label.hide()
        label.setFixedHeight(2 * self.fontMetrics().lineSpacing())
        label.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        return label

    def _make_search(self) -> QWidget:
        self.filter = SearchField(
            "soundFilter",
            self.tr("Filter sounds"),
            self.tr("Show the sounds whose name or folder holds each of these words (Ctrl+F). Esc shows all again."),
            self.tr("Filter by name or folder"),
        )
        self.filter.textChanged.connect(self._on_filter_changed)
        self.filter.left.connect(self._on_filter_left)
        self.walking = QToolButton()
        self.walking.setObjectName("hearWalkingButton")
        self.walking.setAccessibleName(self.tr("Play while walking"))
        self.walking.setToolTip(self.tr("Play each sound that the arrow keys walk to. A click and Space always play."))
        self.walking.setCheckable(True)
        self.walking.setChecked(True)
        self.walking.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.walking.setIconSize(QSize(18, 18))
        self.walking.toggled.connect(self._on_walking_toggled)
        search = QWidget()
        row = QHBoxLayout(search)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.HALF)
        row.addWidget(self.filter, 1)
        row.addWidget(self.walking)
        return search

    def _make_doctor(self) -> QToolButton:
        button = QToolButton()
        button.setObjectName("doctorButton")
        button.setAccessibleName(self.tr("Check of the sounds"))
        button.setToolTip(self.tr("Show what was found in the sounds, why it matters, and what can be done about it."))
        button.setCheckable(True)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.setProperty("chip", True)
        button.toggled.connect(self.doctor_toggled)
        button.setText(self.tr("Checking the sounds…"))
        return button

    def _make_buttons(self) -> QHBoxLayout:
        self.folder_button = QPushButton(self.tr("Choose f&older…"))
        self.folder_button.setObjectName("folderButton")
        self.folder_button.setToolTip(self.tr("Show the sounds of a folder and of the folders in it."))
        self.folder_button.clicked.connect(self.folder_requested)
        self.demo_button = ActionButton(self.tr("Use &demo sounds"))
        self.demo_button.setObjectName("demoButton")
        self.demo_button.setToolTip(self.tr("A dozen plucks, bells, pads and noises, generated on this computer."))
        self.demo_button.clicked.connect(self.demo_requested)
        self.add_button = QPushButton(self.tr("&Add folder…"))
        self.add_button.setObjectName("addFolderButton")
        self.add_button.setToolTip(self.tr("Add the sounds of another folder to the list."))
        self.add_button.clicked.connect(self.adding_requested)
        row = QHBoxLayout()
        row.setSpacing(theme.GAP)
        row.addStretch(0)
        row.addWidget(self.folder_button)
        row.addWidget(self.add_button)
        row.addWidget(self.demo_button)
        row.addStretch(1)
        return row

    def changeEvent(self, event: QEvent) -> None:
        """Draw the icons in the colours of the new theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._draw_icons()

    # What there is to show.

    def show_scanning(self) -> None:
        """Show that the folders are being searched."""
        self.show_busy(self.tr("Looking for sounds…"))

    def show_busy(self, text: str) -> None:
        """Show what is being done; nothing if empty."""
        self._busy = text
        self._on_rows_changed()

    def show_scan(self, result: ScanResult, excluded: Container[Path] = ()) -> None:
        """List what was found; the row under the cursor stays the one."""
        self._busy = ""
        self._totals.note_check(0, 0)
        current = self.view.currentIndex().data(ROW_ROLE)
        self.table.set_sounds(result.entries, result.skipped)
        self.table.set_excluded(excluded)
        known = {entry.path: self._thumbnails.overview(entry.path) for entry in result.entries}
        self.table.set_overviews({path: overview for path, overview in known.items() if overview is not None})
        self._thumbnails.prefetch_waveforms(known)
        if current is not None:
            self._go_to(current.path)

    def show_checked(self, results: list[CheckedSound]) -> None:
        """Note what decoding has shown."""
        self.table.set_checked(results)

    def show_excluded(self, excluded: Container[Path]) -> None:
        """Mark the excluded sounds."""
        self.table.set_excluded(excluded)

    def show_held_out(self, held_out: Container[Path] | None, divided: Container[Path] = ()) -> None:
        """Note which sounds the next training will hold out; None while that is not certain."""
        self.table.set_held_out(held_out, divided)

    def show_doctor(self, text: str, count: int) -> None:
        """Show how many things there are to look at in the sounds."""
        self.doctor.setText(text)
        self.doctor.setAccessibleDescription(text)
        theme.set_style_property(self.doctor, "level", "warning" if count else "")

    def show_progress(self, done: int, total: int) -> None:
        """Show the progress of checking."""
        self._totals.note_check(done, total)
        self._on_rows_changed()

    def show_training(self, is_training: bool) -> None:
        """Note whether training is running: changes then count for the next run only."""
        if is_training is not (self._trained_on is not None):
            self._trained_on = self._wanted() if is_training else None
            self._show_totals()

    def show_hears_walking(self, hears: bool) -> None:
        """Say whether walking with the arrow keys plays."""
        self.walking.setChecked(hears)

    # What the user has chosen.

    def usable_paths(self) -> tuple[Path, ...]:
        """The sounds to train on: all that are wanted and not known to be bad."""
        return tuple(row.path for row in self.table.rows if row.is_usable)

    def summary(self) -> str:
        """The line that says what becomes of the sounds."""
        return self._totals.text()

    def skipped(self) -> list[SoundRow]:
        """The sounds that cannot be used."""
        return [row for row in self.table.rows if row.status is SoundStatus.SKIPPED]

    def _wanted(self) -> frozenset[Path]:
        return frozenset(row.path for row in self.table.rows if not row.is_excluded)

    # Reactions.

    def _go_to(self, path: Path) -> None:
        for row in range(self._filtered.rowCount()):
            index = self._filtered.index(row, 0)
            if index.data(ROW_ROLE).path == path:
                self.view.setCurrentIndex(index)
                return

    def _on_current_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        row = current.data(ROW_ROLE)
        self._show_reason(row)
        if row is not None and row.entry is not None:
            self.current_changed.emit(row.path)

    def _show_reason(self, row: SoundRow | None) -> None:
        """Show in full why the sound under the cursor is skipped: the column is narrow."""
        reason = row.reason if row is not None else ""
        self._reason.setText(self.tr("Skipped: {0}").format(short_reason(reason)) if reason else "")
        self._reason.setVisible(bool(self.skipped()))  # also while it is empty: the list above must not move

    def _on_filter_changed(self, text: str) -> None:
        self._filtered.set_filter(text)
        self.view.scrollTo(self.view.currentIndex())
        self._show_totals()

    def _on_filter_left(self) -> None:
        self.view.setFocus(Qt.FocusReason.OtherFocusReason)
        if not self.view.currentIndex().isValid() and self._filtered.rowCount():
            self.view.setCurrentIndex(self._filtered.index(0, 0))

    def _on_walking_toggled(self, hears: bool) -> None:
        self.view.hears_walking = hears
        self._draw_icons()

    def _on_thumbnail_ready(self, path: Path) -> None:
        overview = self._thumbnails.overview(path)
        if overview is not None:
            self._overviews[path] = overview
            if not self._batch.isActive():
                self._batch.start()

    def _on_batch_due(self) -> None:
        batch, self._overviews = self._overviews, {}
        self.table.set_overviews(batch)
        self.view.viewport().update()

    def _on_rows_changed(self) -> None:
        rows = self.table.rows
        self._show_reason(self.view.currentIndex().data(ROW_ROLE))
        is_empty = not rows and not self._busy
        self._stack.setCurrentIndex(1 if rows else 0 if is_empty else 2)
        self._search.setVisible(bool(rows))
        self._place_buttons(is_empty)
        self.add_button.setVisible(bool(rows))
        self.doctor.setVisible(bool(rows))
        if not rows:
            self.doctor.setChecked(False)
        self.demo_button.setVisible(not rows)
        self.entrance: QWidget = self.view if rows else self.folder_button
        self.view.refresh_actions()
        self._show_totals()

    def _place_buttons(self, is_empty: bool) -> None:
        """Place the buttons under the empty state, later under the list."""
        self.body.setStretchFactor(self._stack, 0 if is_empty else 1)
        first, last = self.body.indexOf(self._stack) - 1, self.body.count() - 1
        self.body.setStretch(first, 2 if is_empty else 0)
        self.body.setStretch(last, 3 if is_empty else 0)
        self._stack.setMaximumHeight(theme.roomy(EMPTY_HEIGHT) if is_empty else QWIDGETSIZE_MAX)
        self._buttons.setStretch(0, 1 if is_empty else 0)
        theme.set_style_property(self.folder_button, "primary", is_empty)

    def _show_totals(self) -> None:
        rows = self.table.rows
        self.detail.setText(self._busy or self._totals.files_and_length(rows))
        is_for_next_run = self._trained_on is not None and self._trained_on != self._wanted()
        self._totals.show_totals(rows, self._filtered.rowCount(), is_for_next_run)

    def _draw_icons(self) -> None:
        current = theme.colors()
        self.walking.setIcon(icon("volume", current.second if self.walking.isChecked() else current.disabled))
