"""The page of one model: its facts, name, tags and notes, and sounds to hear it by."""

from dataclasses import replace

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent
from PySide6.QtWidgets import (
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from distill.gui.library.model_facts_text import facts_by_name
from distill.gui.library.model_loss_curve import ModelCurve
from distill.gui.library.model_sounds_list import ModelSoundsList
from distill.gui.sounds.waveform_thumbnails import Thumbnails
from distill.gui.widgets import theme
from distill.gui.widgets.buttons import ActionButton
from distill.gui.widgets.empty_state import EmptyState
from distill.gui.widgets.flow_box import FlowBox
from distill.gui.widgets.icons import icon
from distill.gui.widgets.panel import Panel
from distill.gui.widgets.plain_text import plain_tip, readable
from distill.library.model_entry import ModelEntry
from distill.names import MOST_NAME

#: Milliseconds from the last key until notes are stored.
_REST_MILLISECONDS = 1000

#: Pixels from the top of a field to its text, so that the label beside it is aligned.
_FIELD_TOP = 7


class Notes(QPlainTextEdit):
    """The user's notes, stored when the field loses the focus and when typing pauses."""

    written = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rest = QTimer(self, singleShot=True, interval=_REST_MILLISECONDS)
        self._rest.timeout.connect(self.written)
        self.textChanged.connect(self._rest.start)

    def settle(self) -> None:
        """Cancel the pending signal."""
        self._rest.stop()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Emit `written` when the focus leaves."""
        super().focusOutEvent(event)
        self.written.emit()


class ModelDetail(Panel):
    """Shows a model and emits what the user changes."""

    renamed = Signal(object, str)  # ModelEntry, name
    starred = Signal(object, bool)
    tags_changed = Signal(object, tuple)
    notes_changed = Signal(object, str)
    continue_requested = Signal(object)
    export_requested = Signal(object)
    reveal_requested = Signal(object)
    delete_requested = Signal(object)
    sample_requested = Signal(object)

    def __init__(self, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self.title.hide()
        self.detail.hide()
        self.setAccessibleName(self.tr("The chosen model"))
        self._entry: ModelEntry | None = None  # with the changes that are requested and not stored yet
        self._stored: ModelEntry | None = None
        self._requested_notes: str | None = None  # and not stored yet
        self.name, self.star = self._make_name(), self._make_star()
        head = QHBoxLayout()
        head.setSpacing(theme.HALF)
        head.addWidget(self.star)
        head.addWidget(self.name, 1)
        self.problem = QLabel()
        self.problem.setObjectName("modelProblem")
        self.problem.setWordWrap(True)
        self.problem.setMinimumWidth(1)
        self.problem.setTextFormat(Qt.TextFormat.PlainText)
        self.model_sounds = ModelSoundsList(thumbnails)
        self.model_sounds.tab_after = self.name
        self.make_sample = QPushButton(self.tr("Generate a sound"))
        self.make_sample.setObjectName("makeProbeButton")
        self.make_sample.setToolTip(self.tr("Generate one new sound, and play it."))
        self.make_sample.clicked.connect(lambda: self._notify(self.sample_requested))
        self.curve, self.facts = ModelCurve(), QFormLayout()
        self.tags, self.notes = self._make_tags(), self._make_notes()
        self._usable_parts = QWidget()  # hidden for a model that cannot be used
        column = QVBoxLayout(self._usable_parts)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.GAP)
        for widget in (self.model_sounds, self.make_sample):
            column.addWidget(widget)
        self._set_up_facts(column)
        self._set_up_info(column)
        self._pages = QStackedWidget()
        self.empty = EmptyState("curve", "", "")
        self._pages.addWidget(self.empty)
        self._pages.addWidget(self._make_page(head))
        self.body.addWidget(self._pages, 1)
        self.show_has_models(False)
        self._draw_star()

    @property
    def entry(self) -> ModelEntry | None:
        """The model that is shown."""
        return self._entry

    def show_model(self, entry: ModelEntry | None) -> None:
        """Show a model, or none; what is being typed for the same model stays."""
        self.commit()
        is_same = entry is not None and self._entry is not None and entry.path == self._entry.path
        self._entry = self._stored = entry
        if entry is None or not is_same or entry.notes == self._requested_notes:
            self._requested_notes = None
        self._pages.setCurrentIndex(0 if entry is None else 1)
        if entry is None:
            return
        if not (is_same and self.name.hasFocus() and self.name.isModified()):
            self.name.setMaxLength(max(MOST_NAME, len(entry.name)))  # one of an older version may be longer
            self.name.setText(entry.name)
        self.name.setToolTip(plain_tip(entry.name, self.tr("Click to rename; the file keeps its name.")))
        if not (is_same and self.tags.hasFocus() and self.tags.isModified()):
            self.tags.setText(", ".join(entry.tags))
        is_typing = self._requested_notes is not None or self.notes.document().isModified()
        if self.notes.toPlainText() != entry.notes and not (is_same and self.notes.hasFocus() and is_typing):
            self.notes.setPlainText(entry.notes)
            self.notes.settle()
        self._show_kind(entry)
        self.curve.show_model(entry)
        self._show_facts(entry)
        if not is_same:
            self.area.verticalScrollBar().setValue(0)

    def show_has_models(self, has_models: bool) -> None:
        """Say where a model to show comes from while none is shown."""
        if has_models:
            texts = self.tr("No model chosen"), self.tr("Choose one in the list to hear it and to use it.")
        else:
            texts = self.tr("Nothing to hear yet"), self.tr("A model's sounds, name and notes are shown here.")
        self.empty.show_text(*texts)

    def show_stored(self) -> None:
        """Show star, name and tags as they are stored, after a change was refused; what is being typed stays."""
        entry = self._entry = self._stored
        if entry is not None:
            self.star.setChecked(entry.starred)
            for field, text in ((self.name, entry.name), (self.tags, ", ".join(entry.tags))):
                if not field.isModified():
                    field.setText(text)

    def show_unsaved_notes(self, notes: str) -> None:
        """Show notes that could not be stored; the next `commit` requests them again."""
        self._requested_notes = None
        if self._entry is not None and self._stored is not None:
            self._entry = replace(self._entry, notes=self._stored.notes)
        if not self.notes.hasFocus():
            self.notes.setPlainText(notes)
            self.notes.settle()
        self.notes.document().setModified(True)

    def commit(self) -> None:
        """Request what was typed and not requested yet."""
        self._request_name()
        self._request_tags()
        self._request_notes()

    def changeEvent(self, event: QEvent) -> None:
        """Draw the star in the colours of the new theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "star"):
            self._draw_star()

    # Its parts.

    def _make_name(self) -> QLineEdit:
        field = QLineEdit()
        field.setObjectName("modelName")
        field.setAccessibleName(self.tr("Name of the model"))
        field.setToolTip(self.tr("The model's name. Type another one to rename it; its file keeps its name."))
        field.setAcceptDrops(False)  # dropped files are for the window, as everywhere
        field.editingFinished.connect(self._request_name)
        return field

    def _make_star(self) -> QToolButton:
        button = QToolButton()
        button.setObjectName("modelStar")
        button.setCheckable(True)
        button.setAccessibleName(self.tr("Star"))
        button.setToolTip(self.tr("Star the model, or remove its star."))
        button.clicked.connect(lambda is_on: self._notify(self.starred, is_on))
        button.toggled.connect(self._draw_star)
        return button

    def _make_tags(self) -> QLineEdit:
        field = QLineEdit()
        field.setObjectName("modelTags")
        field.setAccessibleName(self.tr("Tags"))
        field.setPlaceholderText(self.tr("metal, soft"))
        field.setAcceptDrops(False)
        field.setToolTip(self.tr("Words to find the model by, separated by commas."))
        field.editingFinished.connect(self._request_tags)
        return field

    def _make_notes(self) -> Notes:
        field = Notes()
        field.setObjectName("modelNotes")
        field.setAccessibleName(self.tr("Notes"))
        field.setPlaceholderText(self.tr("What you want to remember"))
        field.setToolTip(self.tr("Saved as you type. An exported copy includes them."))
        field.setTabChangesFocus(True)
        field.setAcceptDrops(False)
        field.setFixedHeight(3 * field.fontMetrics().lineSpacing() + 16)
        field.written.connect(self._request_notes)
        return field

    def _set_up_facts(self, column: QVBoxLayout) -> None:
        self.facts.setContentsMargins(0, 0, 0, 0)
        self.facts.setHorizontalSpacing(theme.MARGIN)
        self.facts.setVerticalSpacing(theme.HALF)
        self.facts.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self._fact_labels: dict[str, QLabel] = {}
        labels: list[QLabel] = []
        words = QFormLayout()
        words.setContentsMargins(0, 0, 0, 0)
        words.setHorizontalSpacing(theme.MARGIN)
        words.setVerticalSpacing(theme.GAP)
        for text, widget in ((self.tr("Tags"), self.tags), (self.tr("Notes"), self.notes)):
            labels.append(_field_label(text))
            labels[-1].setContentsMargins(0, _FIELD_TOP, 0, 0)
            words.addRow(labels[-1], widget)
        column.addLayout(words)
        for key, text in (
            ("family", self.tr("Family")), ("trained", self.tr("Trained")), ("sounds", self.tr("Sounds")),
            ("epochs", self.tr("Best epoch")), ("loss", self.tr("Loss")), ("codebook", self.tr("Building blocks")),
            ("file", self.tr("File")),
        ):  # fmt: skip
            value = QLabel()
            value.setObjectName(f"model {key}")
            value.setTextFormat(Qt.TextFormat.PlainText)
            value.setWordWrap(True)
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            value.setMinimumWidth(1)  # a name without spaces must not make the column wider than it is seen
            self._fact_labels[key] = value
            labels.append(_field_label(text))
            self.facts.addRow(labels[-1], value)
        width = max(label.sizeHint().width() for label in labels)  # also while the row with the longest text is hidden
        for label in labels:
            label.setMinimumWidth(width)

    def _set_up_info(self, column: QVBoxLayout) -> None:
        """Put the loss, the other facts and the file behind a button: they are seldom needed."""
        self.info = QToolButton()
        self.info.setObjectName("modelInfoButton")
        self.info.setText(self.tr("Info"))
        self.info.setToolTip(self.tr("Show the loss, the training and the file of the model."))
        self.info.setCheckable(True)
        self.info.setProperty("chip", True)
        self.info.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._info = QWidget()
        self._info.setObjectName("modelInfo")
        inside = QVBoxLayout(self._info)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(theme.GAP)
        inside.addWidget(self.curve)
        inside.addLayout(self.facts)
        self._info.hide()
        self.info.toggled.connect(self._info.setVisible)
        column.addWidget(self.info, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self._info)

    def _make_page(self, head: QHBoxLayout) -> QWidget:
        """Put the parts in a scrolling column between the name and the buttons."""
        page, inside = QWidget(), QWidget()
        inside.setObjectName("settingForm")
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, theme.HALF, 0)
        column.setSpacing(theme.GAP)
        column.addWidget(self.problem)
        column.addWidget(self._usable_parts)
        column.addStretch(1)
        self.area = QScrollArea()
        self.area.setObjectName("settingArea")
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setWidget(inside)
        buttons = FlowBox(theme.HALF, theme.HALF)
        self.export = self._button("exportModelButton", self.tr("Export a copy…"), self.export_requested)
        self.export.setToolTip(self.tr("Write a copy for somebody else, with its name, tags and notes."))
        self.reveal = self._button("revealModelButton", self.tr("Show in folder"), self.reveal_requested)
        self.reveal.setToolTip(self.tr("Open the folder that holds the model's file."))
        self.delete = self._button("deleteModelButton", self.tr("Move to trash"), self.delete_requested)
        self.delete.setToolTip(self.tr("Move the model's file to the trash. Undo brings it back."))
        self.go_on = self._button("continueModelButton", self.tr("Go on training…"), self.continue_requested)
        self.go_on.setToolTip(
            self.tr("Start a new run from what this model has learnt, on the sounds that are listed.")
        )
        for button in (self.go_on, self.export, self.reveal, self.delete):
            buttons.addWidget(button)
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.GAP)
        layout.addLayout(head)
        layout.addWidget(self.area, 1)
        layout.addWidget(buttons)
        return page

    def _button(self, name: str, text: str, signal: object) -> QPushButton:
        button = ActionButton(text)
        button.setObjectName(name)
        button.setProperty("small", True)
        button.clicked.connect(lambda: self._notify(signal))
        return button

    # Showing.

    def _show_kind(self, entry: ModelEntry) -> None:
        is_usable = entry.problem is None
        self.problem.setText(readable(entry.problem or ""))
        self.problem.setVisible(not is_usable)
        self._usable_parts.setVisible(is_usable)
        self.name.setReadOnly(not is_usable)
        self.export.setEnabled(is_usable)
        self.go_on.setEnabled(is_usable)
        self.star.setVisible(is_usable)
        self.star.setChecked(entry.starred)

    def _show_facts(self, entry: ModelEntry) -> None:
        texts = facts_by_name(entry)
        for key, text in texts.items():
            self._fact_labels[key].setText(readable(text))
            self._fact_labels[key].setToolTip(plain_tip(text))  # where a long word has no room
            self.facts.setRowVisible(self._fact_labels[key], bool(text))
        self._fact_labels["loss"].setToolTip(self.tr("Losses can be compared within a family only."))
        self._fact_labels["file"].setToolTip(plain_tip(str(entry.path)))

    def _draw_star(self) -> None:
        is_on = self.star.isChecked()
        colors = theme.colors()
        self.star.setIcon(icon("starred" if is_on else "star", colors.accent if is_on else colors.muted))

    # Requests.

    def _notify(self, signal: object, *values: object) -> None:
        if self._entry is not None:
            signal.emit(self._entry, *values)  # type: ignore[attr-defined]

    def _request_name(self) -> None:
        name = " ".join(self.name.text().split())
        if self._entry is None or not self.name.isModified():
            return
        self.name.setModified(False)
        if not name:
            self.name.setText(self._entry.name)
        elif name != self._entry.name:
            entry, self._entry = self._entry, replace(self._entry, name=name)
            self.renamed.emit(entry, name)

    def _request_tags(self) -> None:
        if self._entry is None or not self.tags.isModified():
            return
        self.tags.setModified(False)
        tags = tuple(dict.fromkeys(tag for part in self.tags.text().split(",") if (tag := " ".join(part.split()))))
        if tags != self._entry.tags:
            entry, self._entry = self._entry, replace(self._entry, tags=tags)
            self.tags_changed.emit(entry, tags)

    def _request_notes(self) -> None:
        self.notes.settle()
        if self._entry is not None and self._entry.problem is None and self.notes.document().isModified():
            self.notes.document().setModified(False)
            notes = self.notes.toPlainText()
            if notes != self._entry.notes:
                self._requested_notes = notes
                entry, self._entry = self._entry, replace(self._entry, notes=notes)
                self.notes_changed.emit(entry, notes)


def _field_label(text: str) -> QLabel:
    label = QLabel(text)
    label.setObjectName("fieldLabel")
    label.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
    return label
