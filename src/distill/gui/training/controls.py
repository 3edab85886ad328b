"""The training controls: name, family, preset, epochs, and the buttons that start, pause, finish and resume."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QToolButton,
    QWidget,
)

from distill.config.family_catalog import FAMILIES, FamilyInfo, family_info
from distill.config.training import OverfittingPreset
from distill.events import EpochMetrics, PreparationProgress, VQEpochMetrics
from distill.gui.engine.run_state import RunState
from distill.gui.training.family_menu import FAMILY_DETAIL_ROLE, family_detail, fill_family_menu
from distill.gui.training.run_state_messages import (
    finishing_text,
    idle_text,
    position_text,
    preparing_text,
    stopping_text,
    training_text,
)
from distill.gui.widgets import theme
from distill.gui.widgets.buttons import ActionButton
from distill.gui.widgets.labels import ElidedLabel, ShortenedLabel
from distill.gui.widgets.panel import Panel
from distill.gui.widgets.plain_text import plain_tip, readable
from distill.names import MOST_NAME
from distill.training.steps.eta import TimeLeft

#: Steps of the progress bar.
TRAINING_PROGRESS_STEPS = 1000

#: Lines for what the next run will take.
ESTIMATE_LINES = 2

#: Least width of the field for the epochs, in device-independent pixels: room for the highest number.
EPOCHS_WIDTH = 78


def _setting(config_type: type[Any], name: str) -> dict[str, Any]:
    """Return what a field of a configuration says about itself: label, help, low, high and default."""
    item = next(f for f in fields(config_type) if f.name == name)
    return {**item.metadata, "default": item.default}


class TrainingControls(Panel):
    """Shows the state of the run and emits what the user requests; it starts nothing by itself.

    A button that can do nothing is hidden.  The first visible one is the expected next step.
    """

    start_requested = Signal()
    #: Train these sounds with these settings later, after the runs that are queued before.
    queue_requested = Signal()
    pause_requested = Signal()
    finish_requested = Signal()
    resume_requested = Signal()
    family_chosen = Signal(str)
    #: The line below the progress bar has changed.
    status_changed = Signal(str)
    #: The advanced settings are to be seen, or not any more.
    advanced_toggled = Signal(bool)
    #: The model that was chosen to start from is not wanted any more.
    origin_cleared = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self.title.setText(self.tr("Training"))
        self.setAccessibleName(self.tr("Training"))
        self.family, self.preset, self.epochs = QComboBox(), QComboBox(), QSpinBox()
        self.name = self._make_name()
        self.detail.hide()  # the name has its place
        self.header.insertWidget(1, self.name, 3)
        self._family_speeds: dict[str, float] = {}
        self._sound_count = 0
        fill_family_menu(self.family)
        self._fill_preset()
        self._fill_epochs()
        self.advanced = self._make_advanced()
        self.header.addWidget(self.advanced)
        self.start, self.stop, self.finish, self.resume, self.queue = self._make_buttons()
        self.progress = QProgressBar()
        self.progress.setObjectName("progressBar")
        self.progress.setAccessibleName(self.tr("Progress of the training"))
        self.progress.setToolTip(self.tr("How much of the run is done; the line below says how long the rest takes."))
        self.progress.setTextVisible(False)
        self.progress.setRange(0, TRAINING_PROGRESS_STEPS)
        self.eta = ElidedLabel()  # the name of a run may be long
        self.eta.setObjectName("etaLabel")
        self.eta.setAccessibleName(self.tr("Where the training stands"))
        self.estimate = ShortenedLabel(ESTIMATE_LINES)
        self.estimate.setObjectName("estimateLine")
        self.estimate.setAccessibleName(self.tr("What the next run will take"))
        self.body.addLayout(self._make_fields())
        self._origin_row = self._make_origin()
        self.body.addWidget(self._origin_row)
        self.body.addLayout(self._make_button_row())
        self.body.addWidget(self.estimate)
        self.body.addWidget(self.progress)
        self.body.addWidget(self.eta)
        self._state = RunState.IDLE
        self._default_epochs = self.epochs.value()
        self._has_sounds = self._can_resume = self._can_finish = self._is_paused = False
        self._has_new_origin = False  # what the next run starts from was chosen since the last run
        self._is_finishing = self._is_first_epoch = False
        self._focus_went_to: QWidget | None = None
        self._time_left = TimeLeft()
        self._epoch_position = self._status_text = self._enough = self._computing = ""
        self._costs: tuple[str, ...] = ()
        self.propose_name("")
        self._time_left_timer = QTimer(self, interval=1000)
        self._time_left_timer.timeout.connect(self._report_time)
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

    @property
    def run_name(self) -> str:
        """The name of the next run: what the user has typed, otherwise the proposed one."""
        return " ".join(self.name.text().split()) or self._proposed_name[:MOST_NAME].rstrip()

    def propose_name(self, name: str) -> None:
        """Propose a name for the next run; one that the user has typed stays."""
        self._proposed_name = name
        self.name.setPlaceholderText(name or self.tr("Name"))

    def show_speeds(self, family_speeds: Mapping[str, float], sound_count: int) -> None:
        """Show how long a run takes: by seconds for an epoch and a sound, as measured before, for each family."""
        self._family_speeds, self._sound_count = dict(family_speeds), sound_count
        self._show_families()

    def choose(self, family: str, preset: str, epochs: int) -> None:
        """Set the controls; unknown values are ignored, and so are 0 epochs."""
        for combo, key in ((self.family, family), (self.preset, preset)):
            if (row := combo.findData(key)) >= 0:
                combo.setCurrentIndex(row)
        if epochs > 0:
            self.epochs.setValue(epochs)

    # What there is to show.

    def show_state(self, state: RunState) -> None:
        """Let the buttons follow the training thread."""
        self._state = state
        self._has_new_origin = self._has_new_origin and state is RunState.IDLE
        if state is RunState.PREPARING:
            self._time_left, self._epoch_position = TimeLeft(), ""
            self.progress.setRange(0, 0)
            self.show_message(preparing_text())
        elif state is RunState.TRAINING:
            self.progress.setRange(0, TRAINING_PROGRESS_STEPS)
            self._time_left_timer.start()
        elif state is RunState.STOPPING:
            self._time_left_timer.stop()
            self.show_message(stopping_text(self._is_finishing))
        else:
            self._time_left_timer.stop()
            self.progress.setRange(0, TRAINING_PROGRESS_STEPS)
        self._update_buttons()

    def show_has_sounds(self, has_sounds: bool) -> None:
        """Show whether there are sounds to train on."""
        self._has_sounds = has_sounds
        self._update_buttons()

    def show_can_resume(self, can_resume: bool, can_finish: bool = False, is_next: bool = True) -> None:
        """Show whether the run can be resumed, whether it can be finished, and whether resuming is the next step."""
        self._can_resume, self._can_finish, self._is_paused = can_resume, can_finish, can_resume and is_next
        self._update_buttons()
        self._report_estimate()

    @property
    def _resumes_next(self) -> bool:
        """Whether the run is paused, and the user has not just chosen what a new one starts from."""
        return self._is_paused and not self._has_new_origin

    def show_finishing(self, is_finishing: bool) -> None:
        """Show whether the run is being finished, or paused."""
        self._is_finishing = is_finishing

    def show_origin(self, text: str) -> None:
        """Show what the next run starts from; nothing if empty."""
        self.origin_text.setText(text)
        self._origin_row.setVisible(bool(text))
        self._has_new_origin = bool(text) and self._state is RunState.IDLE
        self._update_buttons()
        self._report_estimate()

    def show_changed(self, count: int) -> None:
        """Show how many advanced settings differ from the preset."""
        self.advanced.setText(self.tr("Advanced · {0} changed").format(count) if count else self.tr("Advanced"))

    def show_preparation(self, progress: PreparationProgress) -> None:
        """Show how far the work before the first step is, or that after the last one."""
        if self._state is RunState.STOPPING and not self._is_finishing:
            return
        self._epoch_position = ""  # the clock tells the time left only of epochs
        is_counted = progress.total > 1
        counts = f" {progress.done}/{progress.total}" if is_counted else ""
        self.progress.setRange(0, progress.total if is_counted else 0)  # 0: busy, without a share
        self.progress.setValue(progress.done)
        is_finishing, stage = self._is_finishing or self._state is not RunState.PREPARING, progress.stage
        if not is_finishing:
            self.show_message(f"{stage}{counts}…")
            return
        work, left = f"{stage[:1].lower() + stage[1:]}{counts}", self._time_left.of_stage(progress)
        self.show_message(finishing_text(work, left))

    def show_position(self, epoch: int, total_epochs: int, share_of_epoch: float, epoch_seconds: float) -> None:
        """Show the position in the run; ``epoch`` counts from 0.

        ``epoch_seconds`` is how long an epoch's steps take: an estimate of the time left until the first epoch ends.
        """
        self._is_first_epoch = epoch == 0
        self._time_left.move(epoch, total_epochs, share_of_epoch, epoch_seconds)
        if self._state is RunState.TRAINING:
            self.progress.setRange(0, TRAINING_PROGRESS_STEPS)
            self.progress.setValue(round(TRAINING_PROGRESS_STEPS * (epoch + share_of_epoch) / max(total_epochs, 1)))
            epoch_position = position_text(epoch, total_epochs)
            if epoch_position != self._epoch_position:
                self._epoch_position = epoch_position
                self._report_time()

    def show_epoch(self, epoch: EpochMetrics | VQEpochMetrics) -> None:
        """Take the time left from a finished epoch."""
        self._time_left.end_epoch(epoch)
        self._report_time()

    def show_estimate(self, costs: Sequence[str] = (), enough: str = "", source: str = "") -> None:
        """Show under the buttons what the next run takes and whether there are enough sounds.

        ``costs`` are wordings from the longest to the shortest.  The source is a tooltip.
        """
        self._costs, self._enough = tuple(costs), enough
        self.estimate.show_note(source)
        self._report_estimate()

    def _report_estimate(self) -> None:
        """Show the estimate; beside a run that can be resumed it says that it is of a new one."""
        costs = [self.tr("New run · {0}").format(text) for text in self._costs] if self._resumes_next else self._costs
        self.estimate.show_lines([costs, (self._enough, self._enough.partition(". ")[0].removesuffix(".") + ".")])

    def show_computing(self, text: str) -> None:
        """Show in the tooltip of the status line how the run is computed."""
        self._computing = text
        self._report_message()

    def show_message(self, text: str) -> None:
        """Show a line under the progress bar."""
        self._status_text = readable(text)
        self._report_message()

    def _report_message(self) -> None:
        self.eta.setText(self._status_text or idle_text(self._has_sounds))
        self.eta.setToolTip(plain_tip(self.eta.text(), self._computing) if self._computing else "")
        self.status_changed.emit("" if self._state is RunState.IDLE else self._status_text)

    def show_progress(self, share: float) -> None:
        """Show the progress of a run that is not training, from 0 to 1."""
        self.progress.setValue(round(TRAINING_PROGRESS_STEPS * share))

    def _report_time(self) -> None:
        if self._state is not RunState.TRAINING or not self._epoch_position:
            return
        seconds, is_guess = self._time_left.seconds(), self._time_left.is_guess
        self.show_message(training_text(self._epoch_position, seconds, is_guess, self._is_first_epoch))

    def _on_family_changed(self) -> None:
        info = family_info(self.family_key)
        self.family.setToolTip(f"{info.description}\n{self._family_detail(info)}")
        epochs = _setting(info.config_type, "max_epochs")
        self.epochs.setRange(int(epochs["low"]), int(epochs["high"]))
        if self.epochs.value() == self._default_epochs:  # the user has not changed it
            self.epochs.setValue(int(epochs["default"]))
        self._default_epochs = int(epochs["default"])
        self.family_chosen.emit(info.key)

    def _update_buttons(self) -> None:
        is_idle = self._state is RunState.IDLE
        can_pause = self._state in (RunState.PREPARING, RunState.TRAINING) or (
            self._state is RunState.STOPPING and self._is_finishing
        )
        can_resume = is_idle and self._can_resume
        focused = QApplication.focusWidget()
        is_focus_elsewhere = self._focus_went_to is not None and focused is self._focus_went_to
        run_buttons = (self.start, self.stop, self.resume, self.finish)
        had_focus = is_focus_elsewhere or any(button.hasFocus() for button in run_buttons)
        for button, is_on in (
            (self.resume, can_resume),
            (self.start, is_idle and self._has_sounds),
            (self.queue, self._has_sounds),
            (self.stop, can_pause),
            (self.finish, self._state is RunState.TRAINING or (is_idle and self._can_finish)),
        ):
            button.setEnabled(is_on)
        resumes = can_resume and self._resumes_next
        theme.set_style_property(self.resume, "primary", resumes)
        theme.set_style_property(self.start, "primary", not resumes)
        theme.set_style_property(self.stop, "primary", True)
        self.start.setText(self.tr("&Start new") if can_resume else self.tr("&Start"))
        self._order_buttons(is_idle, can_resume, resumes)
        main_button = self.stop if not is_idle else self.resume if resumes else self.start
        if had_focus and main_button.isEnabled():
            main_button.setFocus()
        # While a checkpoint is written no button can have the focus: Qt gives it to another widget meanwhile.
        self._focus_went_to = QApplication.focusWidget() if had_focus and not main_button.isEnabled() else None
        self._report_message()
        self._origin_row.setEnabled(is_idle)
        self.family.setEnabled(not self.origin_text.text())  # the model's is kept

    def _order_buttons(self, is_idle: bool, can_resume: bool, resumes: bool) -> None:
        """Show the buttons that can do something, the expected next step first."""
        self.start.setVisible(is_idle)
        self.stop.setVisible(not is_idle)
        self.resume.setVisible(can_resume)
        first_button = self.resume if resumes else self.start
        if self._buttons.indexOf(first_button) != 0:
            self._buttons.removeWidget(first_button)
            self._buttons.insertWidget(0, first_button, 1)

    # How it is built.

    def _family_detail(self, info: FamilyInfo) -> str:
        family_speed = self._family_speeds.get(info.key)
        if family_speed is None or not self._sound_count:
            return info.label
        return family_detail(info, family_speed * self._sound_count * self.epochs.value())

    def _show_families(self) -> None:
        for row, info in enumerate(FAMILIES):
            self.family.setItemData(row, self._family_detail(info), FAMILY_DETAIL_ROLE)
        info = family_info(self.family_key)
        self.family.setToolTip(f"{info.description}\n{self._family_detail(info)}")

    def _make_name(self) -> QLineEdit:
        name = QLineEdit()
        name.setObjectName("runNameField")
        name.setAccessibleName(self.tr("Name of the next run and its model"))
        name.setToolTip(self.tr("Name of the next run and its model. Left empty, it is the name of the folder."))
        name.setMaxLength(MOST_NAME)
        name.setAcceptDrops(False)  # dropped files are for the window, as everywhere
        return name

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
        self.epochs.setMinimumWidth(theme.roomy(EPOCHS_WIDTH))
        self.epochs.lineEdit().setTextMargins(theme.HALF, 0, 0, 0)  # the style sheet's padding does not reach it
        self.epochs.valueChanged.connect(self._show_families)

    def _make_fields(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(theme.GAP)
        grid.setVerticalSpacing(theme.HALF)
        fields = (
            (self.tr("Fa&mily"), self.family),
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

    def _make_origin(self) -> QWidget:
        """Make the row that says what the next run starts from, where that is not nothing."""
        self.origin_text = ElidedLabel()
        self.origin_text.setObjectName("originText")
        self.origin_text.setAccessibleName(self.tr("What the next run starts from"))
        clear = QToolButton()
        clear.setObjectName("clearOriginButton")
        clear.setText(self.tr("Start from nothing"))
        clear.setToolTip(self.tr("Train the next model from the beginning, as usual."))
        clear.setProperty("chip", True)
        clear.clicked.connect(self.origin_cleared)
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.GAP)
        layout.addWidget(self.origin_text, 1)
        layout.addWidget(clear)
        row.hide()
        return row

    def _make_advanced(self) -> QToolButton:
        button = QToolButton()
        button.setObjectName("advancedButton")
        button.setText(self.tr("Advanced"))
        button.setToolTip(self.tr("Show every setting of the chosen family, in place of the previews."))
        button.setAccessibleName(self.tr("Advanced settings"))
        button.setCheckable(True)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.setProperty("chip", True)
        button.toggled.connect(self.advanced_toggled)
        return button

    def _make_buttons(self) -> tuple[QPushButton, QPushButton, QPushButton, QPushButton, QPushButton]:
        descriptions = (
            ("startButton", self.tr("&Start"), self.start_requested, self.tr("Train a new model on these sounds.")),
            (
                "cancelButton", self.tr("Pa&use"), self.pause_requested,
                self.tr("Stop at once with a checkpoint, and free the processor or graphics card. Resume continues."),
            ),
            (
                "finishButton", self.tr("Finish no&w"), self.finish_requested,
                self.tr(
                    "End the run now, with the epochs that are done: you get a model on the Models page, as from a "
                    "full run."
                ),
            ),
            (
                "resumeButton", self.tr("&Resume"), self.resume_requested,
                self.tr("Continue this run from where it stopped. Set more epochs to make it longer."),
            ),
            (
                "queueButton", self.tr("&Queue"), self.queue_requested,
                self.tr(
                    "Add to the queue: these sounds are trained with these settings after the runs before it. The "
                    "queue is under Runs."
                ),
            ),
        )  # fmt: skip
        buttons = []
        for object_name, text, signal, tip in descriptions:
            button = ActionButton(text)
            button.setObjectName(object_name)
            button.setToolTip(tip)
            button.clicked.connect(signal)
            buttons.append(button)
        buttons[4].setAccessibleName(self.tr("Add to the queue"))
        return buttons[0], buttons[1], buttons[2], buttons[3], buttons[4]

    def _make_button_row(self) -> QHBoxLayout:
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(theme.GAP)
        for button in (self.start, self.stop, self.resume, self.finish, self.queue):
            button.setProperty("tight", True)  # four of them share the smallest width
        for button in (self.start, self.stop, self.resume, self.finish):
            self._buttons.addWidget(button, 1)
        self._buttons.addWidget(self.queue)
        return self._buttons
