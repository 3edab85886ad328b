"""The list of models: search, filter, order, and the requests of the user."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QItemSelectionModel, Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QStackedWidget, QWidget

from distill.gui.help.keyboard_shortcuts import KeyGroup, KeyHelp, native
from distill.gui.library.model_filter_and_order import (
    ModelRows,
    Order,
    chosen_filter,
    make_filter_combo,
    make_order_combo,
)
from distill.gui.library.model_rows import ModelDelegate, ModelTable
from distill.gui.lists.list_model import ITEM_ROLE
from distill.gui.lists.row_views import RowAction, RowView
from distill.gui.widgets import theme
from distill.gui.widgets.empty_state import EmptyState
from distill.gui.widgets.focus import give_focus
from distill.gui.widgets.input_fields import SearchField
from distill.gui.widgets.panel import Panel
from distill.library.model_entry import ModelEntry


class ModelView(RowView):
    """The list itself.  Space plays the model, S toggles its star, and Delete moves it to the trash."""

    hear_requested = Signal()

    def __init__(self, model: ModelRows) -> None:
        super().__init__("model", model, ITEM_ROLE)
        self.setItemDelegate(ModelDelegate(self))

    def key_group(self) -> KeyGroup:
        """Say which keys work here."""
        return KeyGroup(
            self.tr("List of models"),
            (
                KeyHelp(native("Space"), self.tr("Hear the model")),
                KeyHelp(native("F2"), self.tr("Rename")),
                KeyHelp(native("S"), self.tr("Star, or remove the star")),
                KeyHelp(native("Del"), self.tr("Move to trash")),
            ),
        )

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Keep Space for playing: Qt's list would select with it.  A key that is held down plays once."""
        if event.isAutoRepeat() and event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            return
        if event.key() == Qt.Key.Key_Space and self.currentIndex().isValid():
            self.hear_requested.emit()
            return
        super().keyPressEvent(event)


class ModelList(Panel):
    """Lists models.  It neither reads nor writes files."""

    current_changed = Signal(object)  # ModelEntry or None
    hear_requested = Signal()
    renamed = Signal(object, str)  # ModelEntry, name
    starred = Signal(object, bool)  # ModelEntry, wanted
    reveal_requested = Signal(object)  # ModelEntry
    export_requested = Signal(object)
    continue_requested = Signal(object)  # ModelEntry
    delete_requested = Signal(object)
    import_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self.title.setText(self.tr("Models"))
        self.setAccessibleName(self.tr("Models"))
        self.table = ModelTable(self)
        self.rows = ModelRows(self.table, self)
        self.search, self.only, self.order = self._make_search(), make_filter_combo(), make_order_combo()
        self.only.currentIndexChanged.connect(self._on_filter_changed)
        self.order.currentIndexChanged.connect(lambda: self.rows.set_order(Order(self.order.currentData())))
        self.view = self._make_view()
        self.actions_by_name = self._make_actions()
        self._pages = QStackedWidget()
        for page in self._make_empty_pages():
            self._pages.addWidget(page)
        self._pages.addWidget(self.view)
        self.import_button = QPushButton(self.tr("Import…"))
        self.import_button.setObjectName("importModelButton")
        self.import_button.setToolTip(
            self.tr("Copy a .distill file into your models, or drop it on the window. No code in it is run.")
        )
        self.import_button.clicked.connect(self.import_requested)
        choices = QHBoxLayout()
        choices.setSpacing(theme.GAP)
        choices.addWidget(self.only, 1)
        choices.addWidget(self.order, 1)
        self.body.addWidget(self.search)
        self.body.addLayout(choices)
        self.body.addWidget(self._pages, 1)
        self.body.addWidget(self.import_button)
        self.table.renamed.connect(self.renamed)
        self.table.starred.connect(self.starred)
        #: File of the model that is chosen first; where it is not there, the first one with a map is.
        self.first_choice: Path | None = None
        self._entry: ModelEntry | None = None
        self._is_read = False
        self._update()

    def show_entries(self, entries: Sequence[ModelEntry]) -> None:
        """Show what the library holds; the chosen model stays chosen."""
        row, had_no_row = self.view.currentIndex().row(), not self.table.rowCount()
        self.table.set_items(entries)
        self._is_read = True
        if not self.view.currentIndex().isValid() and self.rows.rowCount():  # at first, and when it was deleted
            self._choose(min(row, self.rows.rowCount() - 1) if row >= 0 else self._first_row())
        self._update()
        if had_no_row and self.import_button.hasFocus():  # the page was opened before there was a list
            give_focus(self)

    def show_reading(self, done: int, total: int) -> None:
        """Say how many of the files that were not in the index have been read."""
        self.detail.setText(self.tr("Reading {0} of {1}").format(done, total))

    def show_model(self, path: Path) -> bool:
        """Choose a model, also where the search or the filter hides it; return whether it is there."""
        row = self.table.row_of(path)
        if row < 0:
            return False
        index = self.rows.mapFromSource(self.table.index(row))
        if not index.isValid():
            self.search.clear()
            self.only.setCurrentIndex(0)
            index = self.rows.mapFromSource(self.table.index(row))
        self._choose(index.row())
        return True

    def current(self) -> ModelEntry | None:
        """Return the model that is chosen, or None."""
        entry = self.view.current_item()
        return entry if isinstance(entry, ModelEntry) else None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape shows all models again."""
        if event.key() == Qt.Key.Key_Escape and self.search.text():
            self.search.clear()
        else:
            super().keyPressEvent(event)

    def _make_empty_pages(self) -> tuple[QWidget, ...]:
        return (
            QWidget(),  # while the library has not been listed yet
            EmptyState(
                "curve",
                self.tr("No models yet"),
                self.tr("Each training leaves its model here. You can also drop a .distill file on the window."),
            ),
            EmptyState("curve", self.tr("No such model"), self.tr("No model matches the search and the filter.")),
        )

    def _make_search(self) -> SearchField:
        field = SearchField(
            "modelSearch",
            self.tr("Search the models"),
            self.tr("Words in names, tags, notes, sounds, families and ids. Escape shows all."),
        )
        field.textChanged.connect(self._on_filter_changed)
        field.left.connect(self._on_search_left)
        return field

    def _make_view(self) -> ModelView:
        view = ModelView(self.rows)
        view.setAccessibleName(self.tr("Models"))
        view.setToolTip(self.tr("Your models. Space plays the chosen one; its menu has all actions."))
        view.selectionModel().currentChanged.connect(self._update)
        view.hear_requested.connect(self.hear_requested)
        view.activated.connect(self.hear_requested)
        for signal in (self.rows.rowsInserted, self.rows.rowsRemoved, self.rows.dataChanged, self.rows.modelReset):
            signal.connect(self._update)
        return view

    def _make_actions(self) -> dict[str, QAction]:
        """Create the actions of a row's menu; their keys work while the list has the focus."""
        row_actions: tuple[RowAction, ...] = (
            ("star", self.tr("Star"), "S", lambda entry: self.starred.emit(entry, not entry.starred)),
            ("rename", self.tr("Rename…"), "F2", lambda _entry: self.view.edit_current()),
            ("continue", self.tr("Go on training from this model…"), None, self.continue_requested.emit),
            ("export", self.tr("Export a copy…"), None, self.export_requested.emit),
            ("reveal", self.tr("Show in folder"), None, self.reveal_requested.emit),
            ("delete", self.tr("Move to trash"), "Del", self.delete_requested.emit),
        )
        return self.view.offer(row_actions)

    def _choose(self, row: int) -> None:
        index = self.rows.index(row, 0)
        self.view.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        self.view.scrollTo(index)

    def _first_row(self) -> int:
        """Return the row to choose at first."""
        entries = [self.rows.index(row, 0).data(ITEM_ROLE) for row in range(self.rows.rowCount())]
        usable_rows = [row for row, entry in enumerate(entries) if entry.problem is None]
        played_last = [row for row in usable_rows if entries[row].path == self.first_choice]
        return next(iter(played_last + [row for row in usable_rows if entries[row].facts.has_map]), 0)

    def _on_filter_changed(self) -> None:
        self.rows.set_filter(chosen_filter(self.search.text(), self.only))
        if not self.view.currentIndex().isValid() and self.rows.rowCount():
            self._choose(0)
        self._update()

    def _on_search_left(self) -> None:
        if self.rows.rowCount():
            self.view.setFocus()

    def _update(self) -> None:
        if not hasattr(self, "_entry"):
            return  # the panel is still being built
        entry = self.current()
        for name, action in self.actions_by_name.items():
            is_about_file = name in ("reveal", "delete")
            action.setEnabled(entry is not None and (is_about_file or entry.problem is None))
        is_starred = entry is not None and entry.starred
        self.actions_by_name["star"].setText(self.tr("Remove star") if is_starred else self.tr("Star"))
        models, shown = self.table.rowCount(), self.rows.rowCount()
        self.search.setPlaceholderText(self.tr("Search {0} models").format(models) if models > 1 else self.tr("Search"))
        for widget in (self.search, self.only, self.order):
            widget.setEnabled(bool(models))
        all_models = str(models) if models else ""
        self.detail.setText(self.tr("{0} of {1}").format(shown, models) if shown != models else all_models)
        self._pages.setCurrentIndex(3 if shown else 2 if models else 1 if self._is_read else 0)
        self.entrance = self.view if shown else self.search if models else self.import_button
        if entry != self._entry:
            self._entry = entry
            self.current_changed.emit(entry)
