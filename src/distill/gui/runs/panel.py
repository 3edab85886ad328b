"""The list of earlier runs, each with its curve and its state."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QSortFilterProxyModel, Qt, Signal
from PySide6.QtGui import QAction, QGuiApplication, QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QPushButton, QStackedWidget, QWidget

from distill.gui.help.keyboard_shortcuts import KeyGroup, KeyHelp, help_of_actions, native
from distill.gui.lists.list_model import ITEM_ROLE
from distill.gui.lists.row_views import RowAction, RowView
from distill.gui.runs.list_rows import RunDelegate, RunModel
from distill.gui.widgets import theme
from distill.gui.widgets.buttons import ActionButton
from distill.gui.widgets.empty_state import EmptyState
from distill.gui.widgets.input_fields import SearchField
from distill.gui.widgets.panel import Panel
from distill.runs.comparison import FEWEST_RUNS, MOST_RUNS
from distill.runs.summary import RunSummary


class RunView(RowView):
    """The list; a click or Enter on a run shows it."""

    show_requested = Signal(object)  # RunSummary
    delete_key_pressed = Signal()

    def __init__(self, model: QAbstractItemModel) -> None:
        super().__init__("run", model, ITEM_ROLE)
        self.setItemDelegate(RunDelegate(self))
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.clicked.connect(self._on_clicked)
        self.activated.connect(self._on_index)

    def key_group(self) -> KeyGroup:
        """Say which keys work here."""
        return KeyGroup(
            self.tr("List of runs"),
            (
                KeyHelp(native("Return"), self.tr("Show the run")),
                *help_of_actions(self.actions()),
            ),
        )

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Let Delete request to delete."""
        if event.key() == Qt.Key.Key_Delete:
            self.delete_key_pressed.emit()
            return
        super().keyPressEvent(event)

    def chosen_runs(self) -> list[RunSummary]:
        """Return the selected runs, from top to bottom."""
        chosen = sorted(self.selectedIndexes(), key=lambda index: index.row())
        return [run for index in chosen if isinstance(run := index.data(ITEM_ROLE), RunSummary)]

    def _on_clicked(self, index: QModelIndex) -> None:
        modifiers = QGuiApplication.keyboardModifiers()
        if not modifiers & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier):
            self._on_index(index)  # with these keys one chooses several

    def _on_index(self, index: QModelIndex) -> None:
        run = index.data(ITEM_ROLE)
        if isinstance(run, RunSummary):
            self.show_requested.emit(run)


class RunsPanel(Panel):
    """Lists the runs.  It reads no folder and changes none."""

    show_requested = Signal(object)  # folder
    resume_requested = Signal(object)
    reveal_requested = Signal(object)
    fork_requested = Signal(object)
    delete_requested = Signal(object)  # list of RunSummary
    open_other_requested = Signal()
    renamed = Signal(object, str)  # folder, name
    compare_requested = Signal(object)  # list of folders

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self.title.setText(self.tr("Runs"))
        self.setAccessibleName(self.tr("Earlier runs"))
        self.detail.hide()
        self.table = RunModel(self)
        self.table.renamed.connect(self.renamed)
        self._filtered = QSortFilterProxyModel(self)
        self._filtered.setSourceModel(self.table)
        self._filtered.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.filter = SearchField(
            "runFilter",
            self.tr("Filter the runs by name"),
            self.tr("Show only runs whose name has these letters. Escape shows all."),
        )
        self.filter.textChanged.connect(self._on_filter_changed)
        self.view = self._make_view()
        self.filter.left.connect(self.view.setFocus)
        self.actions_by_name = self._make_actions()
        self._stack = QStackedWidget()
        for page in (
            EmptyState(
                "curve",
                self.tr("No runs yet"),
                self.tr("Each training is kept here with its curves, previews and model, so that you can resume it."),
            ),
            EmptyState("curve", self.tr("No such run"), self.tr("No run has these letters in its name.")),
            self.view,
        ):
            self._stack.addWidget(page)
        self.resume = ActionButton(self.tr("Resume"))
        self.resume.setObjectName("runResumeButton")
        self.resume.clicked.connect(self.actions_by_name["resume"].trigger)
        self.other = QPushButton(self.tr("Open other…"))
        self.other.setObjectName("openRunButton")
        self.other.setToolTip(self.tr("Show a run in another folder."))
        self.other.clicked.connect(self.open_other_requested)
        self.compare = ActionButton(self.tr("Compare"))
        self.compare.setObjectName("compareRunsButton")
        self.compare.clicked.connect(self.actions_by_name["compare"].trigger)
        self.body.addWidget(self.filter)
        self.body.addWidget(self._stack, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(theme.GAP)
        buttons.addWidget(self.resume, 1)
        buttons.addWidget(self.compare, 1)
        buttons.addWidget(self.other, 1)
        self.body.addLayout(buttons)
        self._is_training = False
        for signal in (self._filtered.rowsInserted, self._filtered.rowsRemoved, self._filtered.modelReset):
            signal.connect(self._update)
        self.table.dataChanged.connect(self._update)
        self._update()

    def show_runs(self, runs: Sequence[RunSummary]) -> None:
        """Show these runs."""
        self.table.set_items(runs)
        self._update()

    def show_shown(self, folder: Path | None) -> None:
        """Mark the run that the window shows."""
        self.table.show_shown(folder)

    def show_training(self, is_training: bool) -> None:
        """Note whether training is running in this window: no other run can be shown or resumed then."""
        self._is_training = is_training
        self.other.setEnabled(not is_training)
        self.other.setToolTip(
            self.tr("Pause the training to show another run.")
            if is_training
            else self.tr("Show a run in another folder.")
        )
        self._update()

    def current(self) -> RunSummary | None:
        """Return the run that the user has chosen, or None."""
        run = self.view.current_item()
        return run if isinstance(run, RunSummary) else None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape shows all runs again."""
        if event.key() == Qt.Key.Key_Escape and self.filter.text():
            self.filter.clear()
            return
        super().keyPressEvent(event)

    def _make_view(self) -> RunView:
        view = RunView(self._filtered)
        view.setAccessibleName(self.tr("Earlier runs"))
        view.setToolTip(self.tr("Click a run to see its curves and hear its previews."))
        view.selectionModel().currentChanged.connect(self._update)
        view.selectionModel().selectionChanged.connect(self._update)
        view.show_requested.connect(lambda run: self.show_requested.emit(run.folder))
        return view

    def _make_actions(self) -> dict[str, QAction]:
        """Make what the menu of a row offers; the keys work while the list has the focus."""
        row_actions: tuple[RowAction, ...] = (
            ("show", self.tr("Show"), None, lambda run: self.show_requested.emit(run.folder)),
            ("resume", self.tr("Resume"), None, lambda run: self.resume_requested.emit(run.folder)),
            ("fork", self.tr("New run from a checkpoint…"), None, lambda run: self.fork_requested.emit(run.folder)),
            ("compare", self.tr("Compare"), "Ctrl+D", lambda _run: self._compare()),
            ("reveal", self.tr("Show in folder"), None, lambda run: self.reveal_requested.emit(run.folder)),
            ("rename", self.tr("Rename…"), "F2", lambda _run: self.view.edit_current()),
            ("delete", self.tr("Move to trash…"), "Del", lambda _run: self._delete()),
        )
        offered_actions = self.view.offer(row_actions)
        self.view.delete_key_pressed.connect(offered_actions["delete"].trigger)  # does nothing where that is disabled
        return offered_actions

    def _compare(self) -> None:
        self.compare_requested.emit([run.folder for run in self.view.chosen_runs()])

    def _delete(self) -> None:
        self.delete_requested.emit(self.view.chosen_runs())

    def _on_filter_changed(self, text: str) -> None:
        self._filtered.setFilterFixedString(text)
        self._update()

    def _update(self) -> None:
        run = self.current()
        can_change = run is not None and run.status != "running"
        can_resume = run is not None and run.can_resume and not self._is_training
        self.resume.setEnabled(can_resume)
        self.resume.setToolTip(
            self.tr("Show the chosen run and continue it from where it stopped.")
            if can_resume or run is None or run.status != "finished"
            else self.tr("It is finished. Show it, set more epochs, and resume it there.")
        )
        chosen_runs = self.view.chosen_runs()
        readable_runs = sum(run.status != "unreadable" for run in chosen_runs)
        can_compare = FEWEST_RUNS <= readable_runs == len(chosen_runs) <= MOST_RUNS
        can_delete = bool(chosen_runs) and all(run.status != "running" for run in chosen_runs)
        self.compare.setEnabled(can_compare)
        tip = self.tr("Show {0} to {1} chosen runs side by side: curves, settings and sounds. Ctrl+click chooses more.")
        self.compare.setToolTip(tip.format(FEWEST_RUNS, MOST_RUNS))
        actions = self.actions_by_name if hasattr(self, "actions_by_name") else {}
        for name, is_on in (
            ("show", run is not None), ("resume", can_resume), ("reveal", run is not None), ("compare", can_compare),
            ("fork", run is not None and run.status != "unreadable"),
            ("rename", can_change and run is not None and run.status != "unreadable"), ("delete", can_delete),
        ):  # fmt: skip
            if name in actions:
                actions[name].setEnabled(is_on)
        run_count, shown_count = self.table.rowCount(), self._filtered.rowCount()
        self.filter.setPlaceholderText(
            self.tr("Filter {0} runs by name").format(run_count) if run_count > 1 else self.tr("Filter by name")
        )
        self.filter.setEnabled(bool(run_count))
        self._stack.setCurrentIndex(2 if shown_count else 1 if run_count else 0)
        self.entrance = self.view if shown_count else self.filter if run_count else self.other
