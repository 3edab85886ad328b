"""The queue under the list of runs: what is trained next, in which order, and the button that starts it."""

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QLabel,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from distill.gui.help.keyboard_shortcuts import KeyGroup, help_of_actions
from distill.gui.lists.list_model import ITEM_ROLE
from distill.gui.lists.row_views import RowAction, RowView
from distill.gui.queue.list_rows import QueueDelegate, QueueModel
from distill.gui.widgets import theme
from distill.gui.widgets.buttons import ActionButton, ActionToolButton
from distill.gui.widgets.formatting import count_of
from distill.gui.widgets.icons import icon
from distill.runs.queue import RUNNING, QueueEntry, QueueState

#: Rows that are visible at once, at least and at most.
_LEAST_ROWS, _MOST_ROWS = 2, 4


class QueueView(RowView):
    """The list of the queue."""

    def key_group(self) -> KeyGroup:
        """Say which keys work here."""
        return KeyGroup(self.tr("Queue of runs"), help_of_actions(self.actions()))


class QueuePanel(QFrame):
    """Lists the entries of the queue and emits what the user requests; hidden while there are none."""

    run_requested = Signal()
    #: Let no further run begin, or let them again.
    pause_requested = Signal(bool)
    move_requested = Signal(str, int)  # id, position
    remove_requested = Signal(object)  # list of ids
    #: Show the run of an entry.
    show_requested = Signal(object)  # folder

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("queuePanel")
        self.setAccessibleName(self.tr("Queue of runs"))
        self._first_open_entry = ""  # id of the first entry that is left to do
        self._state, self._is_training, self._is_beginning = QueueState(), False, False
        self.title, self.detail = QLabel(self.tr("Queue")), QLabel()
        self.title.setObjectName("panelTitle")
        self.detail.setObjectName("muted")
        self.table = QueueModel(self)
        self.view = self._make_view()
        self.actions_by_name = self._make_actions()
        self.main = ActionButton()
        self.main.setObjectName("queueRunButton")
        self.main.clicked.connect(self._on_main)
        self._tools = {
            name: self._tool(name, image) for name, image in (("up", "up"), ("down", "down"),
                                                              ("remove", "close"))
        }  # fmt: skip
        self._lay_out()
        self._draw()
        self.show_state(self._state, False)

    def show_state(self, state: QueueState, is_working: bool) -> None:
        """Show the queue, and whether a process, this window or another, works it off."""
        self._state = state
        self.table.set_items(state.entries)
        self.table.set_marked([entry.id for entry in state.entries if entry.status == RUNNING] if is_working else [])
        self.setVisible(bool(state.entries))
        row = max(24, self.view.sizeHintForRow(0))
        self.view.setMinimumHeight(min(_LEAST_ROWS, len(state.entries)) * row)
        self.view.setMaximumHeight(min(_MOST_ROWS, max(1, len(state.entries))) * row)
        self._scroll_to_first_open()
        self._update()

    def _scroll_to_first_open(self) -> None:
        """Show what is trained or comes next, when that has become another entry."""
        first_open_entry = next((entry.id for entry in self._state.entries if entry.is_open), "")
        if first_open_entry != self._first_open_entry:
            self._first_open_entry = first_open_entry
            if (row := self.table.row_of(first_open_entry)) >= 0:
                self.view.scrollTo(self.table.index(row), QAbstractItemView.ScrollHint.PositionAtTop)

    def show_training(self, is_training: bool) -> None:
        """Note whether training is running in this window."""
        self._is_training = is_training
        self._update()

    def show_beginning(self, is_beginning: bool) -> None:
        """Note whether an entry is about to be trained: it cannot be requested again."""
        self._is_beginning = is_beginning
        self._update()

    def current(self) -> QueueEntry | None:
        """Return the chosen entry, or None."""
        entry = self.view.current_item()
        return entry if isinstance(entry, QueueEntry) else None

    def changeEvent(self, event: QEvent) -> None:
        """Draw the icons in the colours of the new theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_tools"):
            self._draw()

    def _make_view(self) -> QueueView:
        view = QueueView("queue", self.table, ITEM_ROLE)
        view.setAccessibleName(self.tr("Queue of runs"))
        view.setToolTip(self.tr("These runs are trained one after the other. Alt+Up and Alt+Down change the order."))
        view.setItemDelegate(QueueDelegate(view))
        view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        view.selectionModel().currentChanged.connect(self._update)
        return view

    def _make_actions(self) -> dict[str, QAction]:
        row_actions: tuple[RowAction, ...] = (
            ("show", self.tr("Show its run"), None, lambda entry: self.show_requested.emit(entry.run_dir)),
            ("up", self.tr("Earlier"), "Alt+Up", lambda _entry: self._move(-1)),
            ("down", self.tr("Later"), "Alt+Down", lambda _entry: self._move(1)),
            ("remove", self.tr("Remove from the queue"), "Del", lambda entry: self.remove_requested.emit([entry.id])),
            ("clear", self.tr("Remove all that have ended"), None, lambda _entry: self._clear()),
        )
        return self.view.offer(row_actions)

    def _tool(self, name: str, image: str) -> QToolButton:
        button = ActionToolButton() if name == "remove" else QToolButton()  # the next entry would go, too
        action = self.actions_by_name[name]
        button.setObjectName(f"queue{name.capitalize()}Button")
        button.setAccessibleName(action.text())
        keys = action.shortcut().toString(action.shortcut().SequenceFormat.NativeText)
        button.setToolTip(f"{action.text()} ({keys})")
        button.setProperty("icon name", image)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.clicked.connect(action.trigger)
        return button

    def _lay_out(self) -> None:
        header, footer = QHBoxLayout(), QHBoxLayout()
        header.addWidget(self.title)
        header.addStretch(1)
        header.addWidget(self.detail)
        footer.setSpacing(theme.HALF)
        footer.addWidget(self.main, 1)
        for button in self._tools.values():
            footer.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, theme.HALF, 0, 0)
        column.setSpacing(theme.HALF)
        column.addLayout(header)
        column.addWidget(self.view)
        column.addLayout(footer)

    def _on_main(self) -> None:
        if not self._is_training:
            self.run_requested.emit()
        else:
            self.pause_requested.emit(not self._state.is_paused)

    def _move(self, by: int) -> None:
        entry = self.current()
        if entry is not None:
            self.move_requested.emit(entry.id, self.table.row_of(entry.id) + by)

    def _clear(self) -> None:
        self.remove_requested.emit([entry.id for entry in self._state.entries if not entry.is_open])

    def _update(self) -> None:
        state, entry = self._state, self.current()
        waiting = sum(queued.is_open and not self.table.is_marked(queued) for queued in state.entries)
        self.detail.setText(count_of(waiting, self.tr("1 waiting"), self.tr("{0} waiting")) if waiting else "")
        if not self._is_training:
            self.main.setText(self.tr("Run the queue"))
            self.main.setToolTip(self.tr("Train these runs one after the other, from the top."))
            self.main.setEnabled(state.waiting > 0 and not self._is_beginning)
        elif state.is_paused:
            self.main.setText(self.tr("Go on after this run"))
            self.main.setToolTip(self.tr("Begin the next run of the queue when the present one ends."))
            self.main.setEnabled(True)
        else:
            self.main.setText(self.tr("Hold after this run"))
            self.main.setToolTip(self.tr("Let the present run end, and begin no further one."))
            self.main.setEnabled(waiting > 0)
        row, last_row = (self.table.row_of(entry.id), self.table.rowCount() - 1) if entry is not None else (0, 0)
        is_training = entry is not None and self.table.is_marked(entry)
        for name, is_on in (
            ("show", entry is not None and bool(entry.run)), ("up", row > 0), ("down", row < last_row),
            ("remove", entry is not None and not is_training),
            ("clear", any(not queued.is_open for queued in state.entries)),
        ):  # fmt: skip
            self.actions_by_name[name].setEnabled(is_on)
            if name in self._tools:
                self._tools[name].setEnabled(is_on)

    def _draw(self) -> None:
        for button in self._tools.values():
            button.setIcon(icon(str(button.property("icon name")), theme.colors().text))
