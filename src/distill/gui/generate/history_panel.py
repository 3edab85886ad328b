"""The panel of the history: search, filters, export and the menu of a sound."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, QPoint, Qt, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QMenu, QPushButton, QStackedWidget, QToolButton, QWidget

from distill.generation.history.sound_history import ListedSound
from distill.gui.generate.history_model import (
    ALL,
    GENERATE_FORM,
    GENERATE_FORM_KINDS,
    PLAY_PAGE,
    FilteredHistory,
    HistoryModel,
    origin_of,
)
from distill.gui.generate.history_view import HistoryView
from distill.gui.lists.list_model import ITEM_ROLE
from distill.gui.sounds.waveform_thumbnails import Thumbnails
from distill.gui.widgets import theme
from distill.gui.widgets.drag_and_drop import copy_files
from distill.gui.widgets.empty_state import EmptyState
from distill.gui.widgets.icons import icon
from distill.gui.widgets.input_fields import SearchField
from distill.gui.widgets.panel import Panel
from distill.gui.widgets.plain_text import plain_tip


class HistoryPanel(Panel):
    """Shows the generated sounds and emits the user's requests."""

    remaking_requested = Signal(object)  # ListedSound
    #: Show the settings of this sound in the form.
    settings_requested = Signal(object)  # ListedSound
    #: Transform these sounds.
    transforming_requested = Signal(object)  # list of Path
    #: Make others of this sound on the Play page; put these sounds on pads.
    play_page_requested = Signal(object)  # Path
    pads_requested = Signal(object)  # list of Path
    reveal_requested = Signal(object)  # Path
    exporting_requested = Signal(object)  # list of ListedSound
    deleting_requested = Signal(object)  # list of ListedSound
    #: The selection has changed.
    chosen_changed = Signal(object)  # list of Path

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self.title.setText(self.tr("Generated sounds"))
        self.setAccessibleName(self.tr("Generated sounds"))
        self.table = HistoryModel(self)
        self.filtered = FilteredHistory(self.table, self)
        self.thumbnails = Thumbnails(self)
        self.thumbnails.ready.connect(self.table.show_peaks)
        self.view = HistoryView(self.filtered, self.thumbnails)
        self._model_id = ""
        self._chosen_files: list[Path] = []
        self._is_busy = False
        self._make_tools()
        self._lay_out()
        self.view.deleting_requested.connect(lambda: self._emit_chosen(self.deleting_requested))
        self.view.exporting_requested.connect(lambda: self._emit_chosen(self.exporting_requested))
        self.view.copying_requested.connect(self.copy_chosen)
        self.view.menu_requested.connect(self._on_menu_requested)
        self.view.selectionModel().selectionChanged.connect(self._update)
        for signal in (self.table.modelReset, self.table.rowsInserted, self.table.rowsRemoved):
            signal.connect(self._filter_by_origin)  # not at signals of the filter: it is not ready for another one then
        for model in (self.table, self.filtered):
            for signal in (model.modelReset, model.rowsInserted, model.rowsRemoved, model.dataChanged):
                signal.connect(self._update)
        self._draw()
        self._filter_by_origin()
        self._update()

    def show_sounds(self, sounds: Sequence[ListedSound]) -> None:
        """Show the history; the row under the cursor stays the one."""
        current = self.view.currentIndex().data(ITEM_ROLE)
        self.table.set_items(sounds)
        self.thumbnails.prefetch_waveforms([s.path for s in sounds[:200] if s.seconds is not None])
        if isinstance(current, ListedSound) and not self.view.currentIndex().isValid():
            self.go_to(current.recipe.id)

    def add(self, sound: ListedSound) -> None:
        """Insert a sound as `HistoryModel.add` does, and show it; its name may be that of another file before."""
        self.table.add(sound)
        if self.chosen_origin not in (ALL, origin_of(sound.recipe)):
            self.choose_origin(ALL)
        if sound.seconds is not None:
            self.thumbnails.prefetch_waveforms([sound.path])

    def go_to(self, recipe_id: str) -> None:
        """Choose a sound, where it is shown."""
        index = self.filtered.mapFromSource(self.table.index(self.table.row_of(recipe_id)))
        if index.isValid():
            self.view.setCurrentIndex(index)
            self.view.scrollTo(index)

    @property
    def chosen_origin(self) -> str:
        """Where the sounds come from that are to be shown; all are while there is only one kind."""
        return str(self.origin.currentData())

    def choose_origin(self, origin: str) -> None:
        """Show the sounds that come from there; an unknown origin changes nothing."""
        if (row := self.origin.findData(origin)) >= 0:
            self.origin.setCurrentIndex(row)

    def show_model(self, model_id: str) -> None:
        """Set the model that *This model* filters by; an empty id for none."""
        self._model_id = model_id
        self.this_model.setEnabled(bool(model_id))
        self._on_this_model_toggled(self.this_model.isChecked())

    def show_playing(self, path: Path | None) -> None:
        """Mark the sound that is heard."""
        self.table.set_playing(path)

    def show_busy(self, is_busy: bool) -> None:
        """Disable generating a sound again while another one is generated."""
        self._is_busy = is_busy

    def copy_chosen(self) -> None:
        """Put the chosen files on the clipboard."""
        copy_files(sound.path for sound in self.view.chosen_sounds() if sound.seconds is not None)

    def changeEvent(self, event: QEvent) -> None:
        """Draw the icons in the colours of a new theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "starred_only"):
            self._draw()

    def _make_tools(self) -> None:
        self.filter = SearchField(
            "madeFilter",
            self.tr("Filter generated sounds"),
            self.tr("Show the sounds with each of these words: name, model, source, seed."),
            self.tr("Filter"),
        )
        self.filter.textChanged.connect(self._on_filter_changed)
        self.filter.left.connect(self.view.setFocus)
        self.origin = QComboBox()
        self.origin.setObjectName("madeOriginCombo")
        self.origin.setAccessibleName(self.tr("Where the sounds come from"))
        self.origin.setToolTip(self.tr("Show the sounds of this page, those of the Play page, or all."))
        for text, origin in (
            (self.tr("All"), ALL),
            (self.tr("This page"), GENERATE_FORM),
            (self.tr("Play page"), PLAY_PAGE),
        ):
            self.origin.addItem(text, origin)
        self.origin.hide()
        self.origin.currentIndexChanged.connect(self._on_origin_chosen)
        self.this_model = QToolButton()
        self.this_model.setText(self.tr("This model"))
        self.this_model.setProperty("chip", True)
        self.this_model.setToolTip(self.tr("Show only sounds of the chosen model."))
        self.this_model.toggled.connect(self._on_this_model_toggled)
        self.starred_only = QToolButton()
        self.starred_only.setAccessibleName(self.tr("Starred only"))
        self.starred_only.setToolTip(self.tr("Show only starred sounds. S, or a click at its right, stars it."))
        self.starred_only.toggled.connect(self._on_starred_toggled)
        for button, name in ((self.this_model, "madeThisModelButton"), (self.starred_only, "madeStarredButton")):
            button.setObjectName(name)
            button.setCheckable(True)
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.export = QPushButton(self.tr("E&xport…"))
        self.export.setObjectName("exportButton")
        self.export.setToolTip(self.tr("Export the selected sounds as WAV, FLAC, OGG or MP3 (Ctrl+E)."))
        self.export.clicked.connect(lambda: self._emit_chosen(self.exporting_requested))

    def _lay_out(self) -> None:
        self.header.insertWidget(1, self.origin)  # the line below has no room for it in a small window
        tools = QHBoxLayout()
        tools.setSpacing(theme.HALF)
        tools.addWidget(self.filter, 1)
        for widget in (self.this_model, self.starred_only, self.export):
            tools.addWidget(widget)
        self._stack = QStackedWidget()
        self._stack.setMinimumHeight(90)
        for page in (
            EmptyState(
                "drop",
                self.tr("Nothing generated yet"),
                self.tr("Generated sounds appear here, with everything needed to generate them again."),
            ),
            EmptyState("drop", self.tr("No such sound"), self.tr("The filter matches no generated sound.")),
            self.view,
        ):
            self._stack.addWidget(page)
        self.body.addLayout(tools)
        self.body.addWidget(self._stack, 1)

    def _emit_chosen(self, signal: Any) -> None:
        if sounds := self.view.chosen_sounds():
            signal.emit(sounds)

    def _on_filter_changed(self, text: str) -> None:
        self.filtered.set_words(text)
        self._update()

    def _on_origin_chosen(self, _row: int) -> None:
        self._filter_by_origin()
        self._update()

    def _filter_by_origin(self) -> None:
        """Offer to filter where there is something to tell apart; otherwise all are shown."""
        has_several_origins = len({origin_of(sound.recipe) for sound in self.table.items}) > 1
        self.origin.setVisible(has_several_origins)
        self.filtered.set_origin(self.chosen_origin if has_several_origins else ALL)

    def _on_this_model_toggled(self, is_on: bool) -> None:
        self.filtered.set_model(self._model_id if is_on else "")
        self._update()

    def _on_starred_toggled(self, is_on: bool) -> None:
        self.filtered.set_starred_only(is_on)
        self._draw()
        self._update()

    def _on_menu_requested(self, position: QPoint) -> None:
        if self.view.chosen_sounds():
            self.make_menu().popup(position)

    def make_menu(self) -> QMenu:
        """Return what can be done with the chosen sounds."""
        sounds = self.view.chosen_sounds()
        first, one = sounds[0], len(sounds) == 1
        menu = QMenu(self)
        menu.setObjectName("madeMenu")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setToolTipsVisible(True)
        all_starred = all(s.entry.starred for s in sounds)
        star = self.tr("Remove star") if all_starred else self.tr("Star")
        reject = self.tr("Remove rejection") if all(s.entry.rejected for s in sounds) else self.tr("Reject")
        paths = [s.path for s in sounds if s.seconds is not None]
        rows: tuple[tuple[str, str, str, bool, Any], ...] = (
            ("play", self.tr("Play"), "Space", one, partial(self.view.playing_requested.emit, first.path)),
            ("star", star, "S", True, partial(self.view.starring_requested.emit, sounds)),
            ("reject", reject, "X", True, partial(self.view.rejecting_requested.emit, sounds)),
            ("rename", self.tr("Rename"), "F2", one and bool(paths), self.view.edit_name),
            ("", "", "", True, None),
            ("again", self.tr("Generate again, exactly"), "", one and not self._is_busy,
             partial(self.remaking_requested.emit, first)),
            ("settings", self.tr("Use its settings"), "", one and first.recipe.kind in GENERATE_FORM_KINDS,
             partial(self.settings_requested.emit, first)),
            ("transform", self.tr("Transform"), "", bool(paths),
             partial(self.transforming_requested.emit, paths)),
            ("use", self.tr("Use on the Play page"), "", one and bool(paths),
             partial(self.play_page_requested.emit, first.path)),
            ("pad", self.tr("Put on a pad"), "", bool(paths), partial(self.pads_requested.emit, paths)),
            ("", "", "", True, None),
            ("export", self.tr("Export…"), "Ctrl+E", True, partial(self.exporting_requested.emit, sounds)),
            ("copy", self.tr("Copy"), "Ctrl+C", bool(paths), self.copy_chosen),
            ("reveal", self.tr("Show in folder"), "", one, partial(self.reveal_requested.emit, first.path)),
            ("delete", self.tr("Move to the trash"), "Del", True, partial(self.deleting_requested.emit, sounds)),
        )  # fmt: skip
        for name, text, keys, is_on, action in rows:
            if not name:
                menu.addSeparator()
                continue
            key_text = QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText)
            menu_action = QAction(f"{text}\t{key_text}" if keys else text, menu)
            menu_action.setObjectName(f"made {name}")
            menu_action.setEnabled(is_on)
            if name == "again":
                menu_action.setToolTip(plain_tip(first.recipe.reads()))
            menu_action.triggered.connect(lambda _checked=False, act=action: act())
            menu.addAction(menu_action)
        return menu

    def _update(self) -> None:
        sound_count, shown_count = self.table.rowCount(), self.filtered.rowCount()
        self._stack.setCurrentIndex(2 if shown_count else 1 if sound_count else 0)
        has_chosen = bool(shown_count and self.view.selectionModel().hasSelection())
        self.export.setEnabled(has_chosen)
        chosen = [sound.path for sound in self.view.chosen_sounds()] if has_chosen else []
        if chosen != self._chosen_files:
            self._chosen_files = chosen
            self.chosen_changed.emit(chosen)
        self.filter.setEnabled(bool(sound_count))
        self.starred_only.setEnabled(self.starred_only.isChecked() or any(s.entry.starred for s in self.table.items))
        count_text = self.tr("1 sound") if sound_count == 1 else self.tr("{0} sounds").format(sound_count)
        if shown_count != sound_count:
            count_text = self.tr("{0} of {1} sounds").format(shown_count, sound_count)
        self.detail.setText(count_text if sound_count else "")
        self.entrance = self.view if shown_count else self.filter

    def _draw(self) -> None:
        current, is_on = theme.colors(), self.starred_only.isChecked()
        name, color = ("starred", current.accent) if is_on else ("star", current.text)
        self.starred_only.setIcon(icon(name, color))
