"""The panel that generates sounds: both forms, the button with its progress and Cancel, and the history."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QCoreApplication, QElapsedTimer, Qt, Signal, SignalInstance
from PySide6.QtGui import (
    QAction,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QKeySequence,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QBoxLayout,
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from distill.audio.decoding.sound_suffixes import SOUND_SUFFIXES
from distill.config.family_catalog import FAMILIES
from distill.generation.recipe import NEW, RECONSTRUCTED, TRANSFORMED, Recipe
from distill.gui.generate.history_panel import HistoryPanel
from distill.gui.generate.new_sounds_form import NewSoundsForm
from distill.gui.generate.transform_form import TransformForm
from distill.gui.help.keyboard_shortcuts import KeyGroup, help_of_actions
from distill.gui.widgets import theme
from distill.gui.widgets.drag_and_drop import accept_copy
from distill.gui.widgets.formatting import count_of
from distill.gui.widgets.labels import ElidedLabel
from distill.gui.widgets.panel import Panel
from distill.gui.widgets.plain_text import plain_tip
from distill.library.model_library import ModelEntry

#: Width from which the history is beside the form, and there wider than it, in device-independent pixels.
SIDE_BY_SIDE = 860
_FORM_WIDTH = 396
_NEW, _TRANSFORM = 0, 1

#: Pages of the button, and steps of its progress bar.
_BUTTON, _PROGRESS = 0, 1
_PROGRESS_STEPS = 1000

#: Milliseconds for which clicks are ignored after the buttons have changed places: a double click on one of them must
#: not press the other.
SETTLE_MILLISECONDS = 500


class GeneratePanel(QWidget):
    """Emits what the user wants to generate, and shows the history."""

    making_requested = Signal(object)  # GenerateRequest or TransformRequest
    cancelling_requested = Signal()
    choosing_requested = Signal()
    #: Another model is shown, or none.
    model_changed = Signal(object)  # ModelEntry or None
    #: The panel has become visible: the terminal may have generated sounds meanwhile.
    appeared = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("makePanel")
        self.entry: ModelEntry | None = None
        self._is_busy = self._has_models = False
        self._was_new = True  # before sounds were dragged over the form
        self.form = _DropPanel(self.tr("Generate"))
        self.form.setAccessibleName(self.tr("Generate"))
        self.new, self.transform, self.history = NewSoundsForm(), TransformForm(), HistoryPanel()
        self._make_modes()
        self._make_foot()
        self._lay_out()
        self.make_action = QAction(self.tr("Generate"), self)
        self.make_action.setShortcut(QKeySequence("Ctrl+Shift+Return"))
        self.make_action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self.make_action.triggered.connect(self.make.click)
        self.addAction(self.make_action)
        self.new.changed.connect(self._update)
        self.transform.changed.connect(self._update)
        self.transform.choosing_requested.connect(self.choosing_requested)
        self.history.transforming_requested.connect(self.take_sources)
        for signal in (self.history.table.dataChanged, self.history.table.rowsInserted, self.history.table.rowsRemoved):
            signal.connect(self._show_taste)
        self.form.dropped.connect(self.take_sources)
        self.form.dragging.connect(self._on_dragging)
        self._update()

    def show_model(self, entry: ModelEntry | None) -> None:
        """Generate with this model from now on; None, or an unusable one, disables the panel."""
        before = self.entry
        self.entry = entry if entry is not None and entry.problem is None else None
        self.history.show_model(self.entry.model_id if self.entry is not None else "")
        self.new.show_stereo(self.entry is not None and self.entry.facts.is_stereo)
        self._show_taste()
        if not self.can_make_new:
            self.modes[_TRANSFORM].setChecked(True)
        self._update()
        if (before.path if before else None) != (self.entry.path if self.entry else None):
            self.model_changed.emit(self.entry)

    def show_models(self, entries: Sequence[ModelEntry]) -> None:
        """Show the names that the models of the library have now."""
        self.history.table.show_model_names({entry.model_id: entry.name for entry in entries if entry.problem is None})
        self._has_models = bool(entries)
        self._update()

    @property
    def can_make_new(self) -> bool:
        """Whether the family of the model generates new sounds; True without a model."""
        if self.entry is None:
            return True
        return any(row.makes_new_sounds for row in FAMILIES if row.key == self.entry.family)

    def _show_taste(self) -> None:
        """Count what is starred and rejected of the sounds of the model."""
        model_id = self.entry.model_id if self.entry is not None else ""
        sounds = [sound.entry for sound in self.history.table.items if sound.recipe.model_id == model_id]
        self.new.show_taste(sum(sound.starred for sound in sounds), sum(sound.rejected for sound in sounds))

    def take_sources(self, files: Sequence[Path]) -> None:
        """Select these sounds for transforming."""
        self.modes[_TRANSFORM].setChecked(True)
        self.transform.set_sources(files)
        self.make.setFocus()

    def show_recipe(self, recipe: Recipe) -> None:
        """Show the settings of a generated sound."""
        if recipe.kind == NEW and self.can_make_new:
            self.modes[_NEW].setChecked(True)
            self.new.show_recipe(recipe)
        elif recipe.kind in (TRANSFORMED, RECONSTRUCTED):
            self.modes[_TRANSFORM].setChecked(True)
            self.transform.show_recipe(recipe)

    def show_busy(self, is_busy: bool, text: str = "") -> None:
        """Show progress in place of the button, or the button."""
        self._is_busy = is_busy
        self.history.show_busy(is_busy)
        if is_busy:
            self.generate_button.show_busy(text)
            self._update()
        else:
            self._update()
            self.generate_button.show_ready()

    def settings(self) -> dict[str, Any]:
        """Return the settings for the next session."""
        return {
            "count": self.new.count.value(),
            "temperature": round(self.new.temperature.value(), 2),
            "seconds": round(self.new.length.value(), 2),
            "freedom": self.new.chosen_freedom(),
            "follow": self.new.follow.isChecked(),
            "mix": self.transform.mix.value(),
            "origin": self.history.chosen_origin,
        }

    def restore(self, settings: dict[str, Any]) -> None:
        """Restore the settings of the last session; invalid ones are ignored."""
        if type(count := settings.get("count")) is int:
            self.new.count.setValue(count)
        numbers = (
            ("temperature", self.new.temperature.setValue),
            ("seconds", self.new.length.setValue),
            ("freedom", self.new.set_freedom),
        )
        for name, restore in numbers:
            if isinstance(value := settings.get(name), (int, float)) and not isinstance(value, bool):
                restore(min(max(value, 0.0), 100.0))
        self.new.follow.setChecked(settings.get("follow") is True)
        if type(mix := settings.get("mix")) is int:
            self.transform.mix.setValue(mix)
        if isinstance(origin := settings.get("origin"), str):
            self.history.choose_origin(origin)

    def key_group(self) -> KeyGroup:
        """Say which keys work here."""
        return KeyGroup(self.tr("Generating"), help_of_actions(self.actions()))

    def showEvent(self, event: QShowEvent) -> None:
        """Emit `appeared`."""
        super().showEvent(event)
        self.appeared.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the history beside the form if it is wide enough, otherwise below."""
        super().resizeEvent(event)
        is_wide, form_width = self.width() >= theme.roomy(SIDE_BY_SIDE), theme.roomy(_FORM_WIDTH)
        direction = QBoxLayout.Direction.LeftToRight if is_wide else QBoxLayout.Direction.TopToBottom
        if self._box.direction() is not direction:
            self._box.setDirection(direction)
        self.form.setMinimumWidth(form_width if is_wide else 0)  # the same in both modes: the list stays
        self.form.setMaximumWidth(form_width if is_wide else 16_777_215)

    def _make_modes(self) -> None:
        self.modes = [QToolButton(), QToolButton()]
        group = QButtonGroup(self)
        names = ("newSoundsMode", "transformMode")
        texts = (self.tr("New sounds"), self.tr("Transform"))
        for number, button in enumerate(self.modes):
            button.setObjectName(names[number])
            button.setText(texts[number])
            button.setProperty("chip", True)
            button.setCheckable(True)
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            group.addButton(button, number)
            self.form.header.insertWidget(1 + number, button)
        self.modes[_TRANSFORM].setToolTip(self.tr("Transform a sound of any length with the model."))
        self.form.title.hide()  # the two buttons have the same text
        self.form.detail.hide()
        self.form.header.addWidget(self.new.follow)
        self.modes[_NEW].setChecked(True)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.new)
        self.stack.addWidget(self.transform)
        self.stack.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        group.idToggled.connect(self._on_mode)

    def _make_foot(self) -> None:
        self.generate_button = GenerateButton()
        self.make, self.cancel = self.generate_button.make, self.generate_button.cancel
        self.status = QLabel()
        self.status.setObjectName("muted")
        self.status.setWordWrap(True)
        self.generate_button.generate_clicked.connect(self._on_make)
        self.generate_button.cancel_clicked.connect(self.cancelling_requested)

    def _lay_out(self) -> None:
        self.form.body.addWidget(self.stack)
        self.form.body.addWidget(self.generate_button)
        self.form.body.addWidget(self.status)
        # Not Maximum: that is the height of a note of one line, and a longer note would squash the rest.
        self.form.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        left = QVBoxLayout()
        left.setSpacing(0)
        left.addWidget(self.form)
        left.addStretch(1)
        self._box = QBoxLayout(QBoxLayout.Direction.TopToBottom, self)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSpacing(theme.GAP)
        self._box.addLayout(left)
        self._box.addWidget(self.history, 1)

    def _on_mode(self, _number: int, is_on: bool) -> None:
        if is_on:
            self.stack.setCurrentIndex(_NEW if self.modes[_NEW].isChecked() else _TRANSFORM)
            self.new.follow.setVisible(self.modes[_NEW].isChecked())
            self._update()

    def _on_dragging(self, is_over: bool) -> None:
        if is_over:
            self._was_new = self.modes[_NEW].isChecked()
            self.modes[_TRANSFORM].setChecked(True)
        elif self._was_new and self.can_make_new:  # dragged on, to another place; a drop chooses the form again
            self.modes[_NEW].setChecked(True)
        self.transform.show_dragging(is_over)

    def _on_make(self) -> None:
        is_new = self.modes[_NEW].isChecked()
        self.making_requested.emit(self.new.request() if is_new else self.transform.request())

    def _update(self) -> None:
        is_new, can_make_new = self.modes[_NEW].isChecked(), self.can_make_new
        self.modes[_NEW].setEnabled(can_make_new)
        self.modes[_NEW].setToolTip(
            self.tr("Generate new sounds with the model.")
            if can_make_new
            else self.tr("Models of this family generate no new sounds; they transform yours.")
        )
        can_make = self.entry is not None and not self._is_busy and (is_new or bool(self.transform.sources))
        self.make.setEnabled(can_make)
        count = self.new.count.value()
        if not is_new:
            text = self.tr("Transform")
        else:
            text = count_of(count, self.tr("Generate 1 sound"), self.tr("Generate {0} sounds"))
        self.make.setText(text)
        keys = QKeySequence("Ctrl+Shift+Return").toString(QKeySequence.SequenceFormat.NativeText)
        lacks_sounds = not is_new and not self.transform.sources
        tip = (
            self.tr("Drop or choose a sound above first ({0}).")
            if lacks_sounds
            else self.tr("The result goes on top of the list ({0}).")
        )
        self.make.setToolTip(tip.format(keys))
        self.status.setText(self._hint(can_make_new))
        self.status.setVisible(bool(self.status.text()))

    def _hint(self, can_make_new: bool) -> str:
        """Return what is missing to generate; it is as high for both forms, so that the list below does not move."""
        if self.entry is None:
            return self.tr("Choose a model.") if self._has_models else self.tr("Train or import a model first.")
        return "" if can_make_new else self.tr("Models of this family generate no new sounds; they transform yours.")


class GenerateButton(QStackedWidget):
    """Shows either the button or the progress, in the same size, so that nothing below moves."""

    generate_clicked = Signal()
    cancel_clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._since_swap = QElapsedTimer()
        self.make = QPushButton()
        self.make.setObjectName("generateButton")
        self.make.setProperty("primary", True)
        self.cancel = QPushButton(self.tr("Cancel"))
        self.cancel.setObjectName("makeCancelButton")
        self.cancel.setToolTip(self.tr("Stop. The sounds that are ready stay."))
        self.progress = QProgressBar()
        self.progress.setObjectName("makeProgress")
        self.progress.setAccessibleName(self.tr("Progress of generating"))
        self.progress.setToolTip(self.tr("Share of the sounds that is ready."))
        self.progress.setTextVisible(False)
        self.doing = ElidedLabel()
        self.doing.setObjectName("muted")
        self.addWidget(self.make)
        self.addWidget(self._busy())
        self.make.clicked.connect(lambda: self._pass_on(self.generate_clicked))
        self.cancel.clicked.connect(lambda: self._pass_on(self.cancel_clicked))

    @property
    def is_settling(self) -> bool:
        """Whether the buttons have just changed places, and ignore clicks."""
        return self._since_swap.isValid() and self._since_swap.elapsed() < SETTLE_MILLISECONDS

    def _pass_on(self, signal: SignalInstance) -> None:
        if not self.is_settling:
            signal.emit()

    def _busy(self) -> QWidget:
        page, texts = QWidget(), QVBoxLayout()
        texts.setSpacing(0)
        texts.addWidget(self.doing, 1)
        texts.addWidget(self.progress)
        row = QHBoxLayout(page)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.GAP)
        row.addLayout(texts, 1)
        row.addWidget(self.cancel)
        return page

    def show_busy(self, text: str) -> None:
        """Show the progress.  The focus moves from the button to Cancel."""
        self.show_doing(text)
        self.progress.setRange(0, 0)
        self._since_swap.start()
        self.setCurrentIndex(_PROGRESS)  # Qt moves the focus

    def show_doing(self, text: str) -> None:
        """Show what is being done."""
        self.doing.setText(text)
        self.doing.setToolTip(plain_tip(text))

    def show_ready_count(self, ready: int, count: int) -> None:
        """Show how many of the sounds are ready."""
        self.show_doing(QCoreApplication.translate("GeneratePresenter", "{0} of {1} ready").format(ready, count))

    def show_ready(self) -> None:
        """Show the button; call it after `make` has been enabled."""
        if self.currentIndex() != _BUTTON:
            self._since_swap.start()
            self.setCurrentIndex(_BUTTON)

    def show_share(self, share: float) -> None:
        """Show the share that is done, from 0 to 1."""
        self.progress.setRange(0, _PROGRESS_STEPS)
        self.progress.setValue(round(_PROGRESS_STEPS * share))


class _DropPanel(Panel):
    """A panel that accepts dropped sounds."""

    dropped = Signal(object)  # list of Path
    dragging = Signal(bool)

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self.setAcceptDrops(True)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Accept sounds, including generated ones; the window handles anything else."""
        if sounds_in(event):
            accept_copy(event)
            self.dragging.emit(True)
        else:
            event.ignore()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """End the highlight."""
        self.dragging.emit(False)
        super().dragLeaveEvent(event)

    def dropEvent(self, event: QDropEvent) -> None:
        """Accept the sounds."""
        self.dragging.emit(False)
        if files := sounds_in(event):
            accept_copy(event)
            self.dropped.emit(files)


def sounds_in(event: QDropEvent | QDragEnterEvent) -> list[Path]:
    """Return the dragged sound files."""
    data = event.mimeData()
    dragged = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()] if data.hasUrls() else []
    return [path for path in dragged if path.suffix.lower() in SOUND_SUFFIXES]
