"""The training controls: what to train, for how long, and the buttons that start, stop and continue."""

import time
from dataclasses import fields
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QToolButton,
    QWidget,
)

from distill.config.catalog import FAMILIES, family_info
from distill.config.training import OverfittingPreset
from distill.events import EpochMetrics, PreparationProgress, VQEpochMetrics
from distill.gui.engine.bridge import RunState
from distill.gui.widgets import theme
from distill.gui.widgets.panel import Panel

#: Steps of the progress bar.
PROGRESS_STEPS = 1000

#: An epoch that takes longer than this is not waited for: the time that is left is guessed from its steps.
LONG_EPOCH_SECONDS = 60.0

#: Least width of the field for the epochs, in device-independent pixels: room for the highest number.
EPOCHS_WIDTH = 72


def _setting(config_type: type[Any], name: str) -> dict[str, Any]:
    """Return what a field of a configuration says about itself: label, help, low, high and default."""
    item = next(f for f in fields(config_type) if f.name == name)
    return {**item.metadata, "default": item.default}


class TrainingControls(Panel):
    """Shows where the run stands and says what the user wants; it never starts anything by itself."""

    start_requested = Signal()
    pause_requested = Signal()
    finish_requested = Signal()
    resume_requested = Signal()
    family_chosen = Signal(str)
    #: The advanced settings are to be seen, or not any more.
    advanced_toggled = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self.title.setText(self.tr("Training"))
        self.setAccessibleName(self.tr("Training"))
        self.family, self.preset, self.epochs = QComboBox(), QComboBox(), QSpinBox()
        self._fill_family()
        self._fill_preset()
        self._fill_epochs()
        self.advanced = self._make_advanced()
        self.header.addWidget(self.advanced)
        self.start, self.stop, self.finish, self.resume = self._make_buttons()
        self.progress = QProgressBar()
        self.progress.setObjectName("progressBar")
        self.progress.setAccessibleName(self.tr("Progress of the training"))
        self.progress.setToolTip(self.tr("How much of the run is done; the line below says how long the rest takes."))
        self.progress.setTextVisible(False)
        self.progress.setRange(0, PROGRESS_STEPS)
        self.eta = QLabel()
        self.eta.setObjectName("etaLabel")
        self.eta.setAccessibleName(self.tr("Where the training stands"))
        self.body.addLayout(self._make_fields())
        self.body.addLayout(self._make_button_row())
        self.body.addWidget(self.progress)
        self.body.addWidget(self.eta)
        self._state = RunState.IDLE
        self._default_epochs = self.epochs.value()
        self._has_sounds = self._can_resume = self._can_finish = False
        self._is_finishing = self._is_first = False
        self._eta_at: float | None = None  # monotonic time at which the run is expected to end
        self._guess_at: float | None = None  # the same, guessed from the steps of an epoch that takes long
        self._position = self._message = ""
        self._clock = QTimer(self, interval=1000)
        self._clock.timeout.connect(self._report_time)
        self.family.currentIndexChanged.connect(self._on_family_changed)
        self._on_family_changed()
        self.show_message("")
        self._update_buttons()

    # What the user has chosen.

    @property
    def family_key(self) -> str:
        """The chosen family."""
        return str(self.family.currentData())

    @property
    def preset_key(self) -> str:
        """``"auto"`` or a preset."""
        return str(self.preset.currentData())

    def choose(self, family: str, preset: str, epochs: int) -> None:
        """Set the controls; what they do not know is left as it is, and so are the epochs when 0."""
        for combo, key in ((self.family, family), (self.preset, preset)):
            if (row := combo.findData(key)) >= 0:
                combo.setCurrentIndex(row)
        if epochs > 0:
            self.epochs.setValue(epochs)

    # What there is to show.

    def show_state(self, state: RunState) -> None:
        """Let the buttons follow the training thread."""
        self._state = state
        if state is RunState.PREPARING:
            self._eta_at, self._guess_at, self._position, self._is_finishing = None, None, "", False
            self.progress.setRange(0, 0)
            self.show_message(self.tr("Preparing…"))
        elif state is RunState.TRAINING:
            self.progress.setRange(0, PROGRESS_STEPS)
            self._clock.start()
        elif state is RunState.STOPPING:
            self._clock.stop()
            self.show_message(
                self.tr("Finishing: the last epoch is measured, then the model is written…")
                if self._is_finishing
                else self.tr("Pausing: a checkpoint is being written…")
            )
        else:
            self._clock.stop()
            self.progress.setRange(0, PROGRESS_STEPS)
        self._update_buttons()

    def show_has_sounds(self, has_sounds: bool) -> None:
        """Say whether there is something to train on."""
        self._has_sounds = has_sounds
        self._update_buttons()

    def show_can_resume(self, can_resume: bool, can_finish: bool = False) -> None:
        """Say whether the run that is shown can be continued, and whether it can be called finished as it is."""
        self._can_resume, self._can_finish = can_resume, can_finish
        self._update_buttons()

    def show_finishing(self, is_finishing: bool) -> None:
        """Say whether what ends the run under way finishes it, or pauses it."""
        self._is_finishing = is_finishing

    def show_changed(self, count: int) -> None:
        """Say how many advanced settings differ from the preset's: they count though they are not seen."""
        self.advanced.setText(self.tr("Advanced · {0} changed").format(count) if count else self.tr("Advanced"))

    def show_preparation(self, progress: PreparationProgress) -> None:
        """Show how far the work before the first step is."""
        if self._state is not RunState.STOPPING:
            is_counted = progress.total > 1
            counts = f" {progress.done}/{progress.total}" if is_counted else ""
            self.progress.setRange(0, progress.total if is_counted else 0)  # else it only says that something is done
            self.progress.setValue(progress.done)
            self.show_message(f"{progress.stage}{counts}…")

    def show_position(self, epoch: int, total_epochs: int, share_of_epoch: float, epoch_seconds: float) -> None:
        """Show where in the run the training is; ``epoch`` counts from 0.

        ``epoch_seconds`` is how long an epoch's steps take, for a guess at the time left until the first epoch is
        over and tells more.
        """
        self._is_first = epoch == 0
        if self._eta_at is None:
            is_long = epoch_seconds * (1 - share_of_epoch) > LONG_EPOCH_SECONDS
            left = epoch_seconds * (total_epochs - epoch - share_of_epoch)
            self._guess_at = time.monotonic() + left if is_long or self._guess_at else None
        if self._state is RunState.TRAINING:
            self.progress.setValue(round(PROGRESS_STEPS * (epoch + share_of_epoch) / max(total_epochs, 1)))
            position = self.tr("Epoch {0} of {1}").format(min(epoch + 1, total_epochs), total_epochs)
            if position != self._position:
                self._position = position
                self._report_time()

    def show_epoch(self, epoch: EpochMetrics | VQEpochMetrics) -> None:
        """Take on the time that an epoch says is left."""
        self._eta_at = time.monotonic() + epoch.eta_seconds
        self._report_time()

    def show_computing(self, text: str) -> None:
        """Say, to who points at the line under the progress bar, how the run is computed."""
        self.eta.setToolTip(text)

    def show_message(self, text: str) -> None:
        """Show a line under the progress bar."""
        self._message = text
        self._report_message()

    def _report_message(self) -> None:
        nothing = self.tr("Ready when you are.") if self._has_sounds else self.tr("Choose some sounds to begin with.")
        self.eta.setText(self._message or nothing)

    def show_progress(self, share: float) -> None:
        """Show how far a run that is not under way has come, from 0 to 1."""
        self.progress.setValue(round(PROGRESS_STEPS * share))

    def _report_time(self) -> None:
        if self._state is not RunState.TRAINING or not self._position:
            return
        end = self._guess_at if self._eta_at is None else self._eta_at
        if end is None:
            hearing = self.tr("{0} · the first sounds come after it").format(self._position)
            self.show_message(hearing if self._is_first else self._position)
            return
        about = self.tr("about ") if self._eta_at is None else ""
        left = about + self._time_left(max(0.0, end - time.monotonic()))
        self.show_message(self.tr("{0} · {1} left").format(self._position, left))

    def _time_left(self, seconds: float) -> str:
        if seconds < 60:
            return self.tr("{0} s").format(round(seconds))
        minutes = round(seconds / 60)
        return (
            self.tr("{0} min").format(minutes)
            if minutes < 60
            else self.tr("{0} h {1:02} min").format(*divmod(minutes, 60))
        )

    def _on_family_changed(self) -> None:
        info = family_info(self.family_key)
        self.family.setToolTip(info.description)
        epochs = _setting(info.config_type, "max_epochs")
        self.epochs.setRange(int(epochs["low"]), int(epochs["high"]))
        if self.epochs.value() == self._default_epochs:  # the user has not said otherwise
            self.epochs.setValue(int(epochs["default"]))
        self._default_epochs = int(epochs["default"])
        self.family_chosen.emit(info.key)

    def _update_buttons(self) -> None:
        is_idle = self._state is RunState.IDLE
        self.start.setEnabled(is_idle and self._has_sounds)
        self.stop.setEnabled(
            self._state in (RunState.PREPARING, RunState.TRAINING)
            or (self._state is RunState.STOPPING and self._is_finishing)
        )
        self.finish.setEnabled(self._state is RunState.TRAINING or (is_idle and self._can_finish))
        can_resume = is_idle and self._can_resume
        self.resume.setEnabled(can_resume)
        # What is expected next stands out: to go on with a paused run, else a new one, which is then called so.
        theme.mark(self.resume, "primary", can_resume)
        theme.mark(self.start, "primary", not can_resume)
        self.start.setText(self.tr("&Start new") if can_resume else self.tr("&Start"))
        self._report_message()
        for widget in (self.family, self.preset, self.epochs):
            widget.setEnabled(is_idle)

    # How it is built.

    def _fill_family(self) -> None:
        self.family.setObjectName("familyCombo")
        self.family.setAccessibleName(self.tr("Model family"))
        for row in FAMILIES:
            self.family.addItem(row.label, row.key)

    def _fill_preset(self) -> None:
        meta = _setting(FAMILIES[0].config_type, "preset")
        self.preset.setObjectName("presetCombo")
        self.preset.setAccessibleName(meta["label"])
        self.preset.setToolTip(self.tr("{0} Auto goes by the number of files.").format(meta["help"]))
        self.preset.addItem(self.tr("Auto"), "auto")
        for preset in OverfittingPreset:
            self.preset.addItem(preset.value.capitalize(), preset.value)

    def _fill_epochs(self) -> None:
        meta = _setting(FAMILIES[0].config_type, "max_epochs")
        self.epochs.setObjectName("epochsSpin")
        self.epochs.setAccessibleName(meta["label"])
        self.epochs.setToolTip(meta["help"])
        self.epochs.setRange(int(meta["low"]), int(meta["high"]))
        self.epochs.setValue(int(meta["default"]))
        self.epochs.setMinimumWidth(EPOCHS_WIDTH)  # else as much as its highest number and a margin
        self.epochs.lineEdit().setTextMargins(theme.HALF, 0, 0, 0)  # the style sheet's padding does not reach it

    def _make_fields(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(theme.GAP)
        grid.setVerticalSpacing(theme.HALF)
        fields = (
            (self.tr("F&amily"), self.family),
            (self.tr("&Preset"), self.preset),
            (self.tr("Epo&chs"), self.epochs),
        )
        for column, (text, widget) in enumerate(fields):
            label = QLabel(text)
            label.setObjectName("fieldLabel")
            label.setBuddy(widget)
            grid.addWidget(label, 0, column)
            grid.addWidget(widget, 1, column)
            grid.setColumnStretch(column, 2 if column < 2 else 1)
        return grid

    def _make_advanced(self) -> QToolButton:
        button = QToolButton()
        button.setObjectName("advancedButton")
        button.setText(self.tr("Advanced"))
        button.setToolTip(self.tr("Show every setting of the chosen family, in place of the curves."))
        button.setAccessibleName(self.tr("Advanced settings"))
        button.setCheckable(True)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.setProperty("chip", True)
        button.toggled.connect(self.advanced_toggled)
        return button

    def _make_buttons(self) -> tuple[QPushButton, QPushButton, QPushButton, QPushButton]:
        descriptions = (
            ("startButton", self.tr("&Start"), self.start_requested, self.tr("Train a new model on these sounds.")),
            (
                "cancelButton", self.tr("Pa&use"), self.pause_requested,
                self.tr("Stop at once with a checkpoint, and free the processor or graphics card. Resume goes on."),
            ),
            (
                "finishButton", self.tr("Finish no&w"), self.finish_requested,
                self.tr(
                    "End the run with the epochs that it has made: a model in your library, as from a full run. "
                    "The epoch under way ends where it stands."
                ),
            ),
            (
                "resumeButton", self.tr("&Resume"), self.resume_requested,
                self.tr("Continue the run that is shown, from where it stopped. More epochs make it longer."),
            ),
        )  # fmt: skip
        made = []
        for object_name, text, signal, tip in descriptions:
            button = QPushButton(text)
            button.setObjectName(object_name)
            button.setToolTip(tip)
            button.clicked.connect(signal)
            made.append(button)
        return made[0], made[1], made[2], made[3]

    def _make_button_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(theme.GAP)
        for button in (self.start, self.stop, self.finish, self.resume):
            row.addWidget(button, 1)
        return row
