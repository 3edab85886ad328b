"""The advanced settings: every field of the chosen family's configuration, made from what the fields say themselves.

The panel shows either the settings of the next run, which can be changed, or those that the shown run was trained
with, which cannot.  It names no family and no setting but those that the training panel has above it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QShowEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QPushButton,
    QToolButton,
    QWidget,
)

from distill.config.family_catalog import family_info
from distill.config.setting_fields import (
    SettingField,
    changed_settings,
    setting_fields,
    setting_value,
    with_settings,
)
from distill.config.training import AnyConfig, RunConfig
from distill.errors import ConfigurationError
from distill.gui.training.setting_editors import SettingGroup, SettingRow
from distill.gui.widgets import theme
from distill.gui.widgets.panel import Panel, PanelScrollArea

#: Settings that the training panel has controls for.
MAIN_SETTINGS = frozenset(("family", "preset", "max_epochs"))

#: Room for a message under a setting, in device-independent pixels.
MESSAGE_HEIGHT = 60


def _grouped_settings(found: Sequence[SettingField], family: str, common: str) -> dict[str, list[SettingField]]:
    """Return settings by heading: the family's own, those inside of others, and those of all families."""
    of_family = [setting for setting in found if not setting.group and setting.owner is not RunConfig]
    inside: dict[str, list[SettingField]] = {}
    for setting in found:
        if setting.group:
            inside.setdefault(setting.group.replace("_", " ").replace(".", ", ").capitalize(), []).append(setting)
    of_all = [setting for setting in found if not setting.group and setting.owner is RunConfig]
    return {title: group for title, group in {family: of_family, **inside, common: of_all}.items() if group}


class SettingsPanel(Panel):
    """Shows settings and says what the user wants of them; it trains nothing."""

    #: The settings of the next run are to differ from the preset's in these, by name.
    changes_made = Signal(dict)
    #: What was trained with is wanted for the next run.
    reuse_requested = Signal()
    close_requested = Signal()
    #: A model that the next run starts from is to be chosen.
    origin_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self.title.setText(self.tr("Advanced"))
        self.setAccessibleName(self.tr("Advanced settings"))
        self.detail.hide()  # the room is needed for the two buttons
        self._base: AnyConfig | None = None
        self._changes: dict[str, Any] = {}
        self._run: AnyConfig | None = None
        self._run_base: AnyConfig | None = None
        self._built_settings: tuple[str, ...] = ()  # family and names of the settings that the form has
        self.rows: dict[str, SettingRow] = {}
        self._groups: list[SettingGroup] = []
        self.next_button, self.run_button = self._make_switch()
        self.reset_all = self._button(
            "resetAllButton", self.tr("Reset all"), self.tr("Reset all values to those of the preset.")
        )
        self.reuse = self._button(
            "reuseButton", self.tr("Use for the next run"), self.tr("Train the next run with the settings of this one.")
        )
        self.origin = self._button(
            "originButton", self.tr("Go on from a model…"),
            self.tr("Start the next run from what a model has learnt, with these sounds."),
        )  # fmt: skip
        self.origin.clicked.connect(self.origin_requested)
        self.done = self._button("advancedDoneButton", self.tr("Done"), self.tr("Back to the previews (Escape)."))
        self.reset_all.clicked.connect(lambda: self._make_changes({}))
        self.reuse.clicked.connect(self.reuse_requested)
        self.done.clicked.connect(self.close_requested)
        self.area = PanelScrollArea()
        self.body.addWidget(self.area, 1)
        self.body.addLayout(self._make_buttons())

    @property
    def changed_names(self) -> tuple[str, ...]:
        """Names of the settings of the next run that differ from the preset's."""
        return () if self._base is None else tuple(changed_settings(self._base, self._changes))

    def show_next(self, base: AnyConfig, changes: Mapping[str, Any]) -> None:
        """Take on what the next run is trained with: what the preset says, and what differs."""
        self._base, self._changes = base, dict(changes)
        if not self.run_button.isChecked():
            self._show()

    def show_run(self, config: AnyConfig | None, base: AnyConfig | None = None) -> None:
        """Take on what the shown run was trained with, and what its preset says; None when no run is shown."""
        self._run, self._run_base = config, base or config
        self.run_button.setEnabled(config is not None)
        (self.next_button if config is None else self.run_button).setChecked(True)
        self._show()

    def show_next_again(self) -> None:
        """Go back to the settings of the next run."""
        self.next_button.setChecked(True)
        self._show()

    def showEvent(self, event: QShowEvent) -> None:
        """Make the form: a window that opens need not wait for what is hidden."""
        super().showEvent(event)
        self._show()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape closes."""
        if event.key() == Qt.Key.Key_Escape:
            self.close_requested.emit()
            return
        super().keyPressEvent(event)

    def _show(self) -> None:
        shows_run = self.run_button.isChecked() and self._run is not None
        base = self._run_base if shows_run else self._base
        if base is None or not self.isVisible():
            return
        config = self._run if shows_run and self._run is not None else with_settings(base, self._changes)
        self._build(config)
        for name, row in self.rows.items():
            row.show_value(setting_value(config, name), setting_value(base, name), shows_run)
        self.reset_all.setVisible(not shows_run)
        self.reset_all.setEnabled(bool(self.changed_names))
        self.reuse.setVisible(shows_run)
        self.origin.setVisible(not shows_run)

    def _build(self, config: AnyConfig) -> None:
        """Make the form anew where another family has other settings."""
        advanced_fields = [field for field in setting_fields(config) if field.name not in MAIN_SETTINGS]
        settings_to_build = (config.family, *(field.name for field in advanced_fields))
        if settings_to_build == self._built_settings:
            return
        self._built_settings = settings_to_build
        for group in self._groups:
            self.area.column.removeWidget(group)
            group.hide()
            group.deleteLater()
        titled = _grouped_settings(advanced_fields, family_info(config.family).label, self.tr("Training"))
        self._groups = [SettingGroup(title, fields) for title, fields in titled.items()]
        self.rows = {row.field.name: row for group in self._groups for row in group.rows}
        for number, group in enumerate(self._groups):
            self.area.column.insertWidget(number, group)
            group.show()
        for row in self.rows.values():
            row.value_wanted.connect(self._on_value_wanted)
            row.reset_wanted.connect(self._on_reset_wanted)
            row.problem_shown.connect(self._on_problem_shown)
        before: QWidget = self.run_button
        for row in self.rows.values():  # Tab goes down the form, not to it after everything else in the window
            for widget in (row.editor.control, row.reset):
                QWidget.setTabOrder(before, widget)
                before = widget
        QWidget.setTabOrder(before, self.reset_all)

    def _on_value_wanted(self, name: str, value: Any) -> None:
        assert self._base is not None
        changes = {**self._changes, name: value}
        try:
            with_settings(self._base, changes)
        except ConfigurationError as exc:  # two settings that cannot be together
            row = self.rows[name]
            row.editor.show_value(setting_value(with_settings(self._base, self._changes), name))
            row.show_problem(str(exc))
            return
        if value == setting_value(self._base, name):
            del changes[name]
        self._make_changes(changes)

    def _on_problem_shown(self, editor: QWidget) -> None:
        self.area.column.activate()  # the form has grown by the message
        self.area.ensureWidgetVisible(editor, 0, MESSAGE_HEIGHT)

    def _on_reset_wanted(self, name: str) -> None:
        self.rows[name].editor.control.setFocus()  # the reset button goes
        self._make_changes({key: value for key, value in self._changes.items() if key != name})

    def _make_changes(self, changes: dict[str, Any]) -> None:
        self._changes = changes
        self._show()
        self.changes_made.emit(dict(changes))

    def _make_switch(self) -> tuple[QToolButton, QToolButton]:
        """Make the two buttons of which one is down."""
        buttons = []
        group = QButtonGroup(self)
        for name, text, tip in (
            ("nextRunButton", self.tr("Next run"), self.tr("What the next run will be trained with.")),
            ("shownRunButton", self.tr("Shown run"), self.tr("What the run that is shown was trained with.")),
        ):
            button = QToolButton()
            button.setObjectName(name)
            button.setText(text)
            button.setToolTip(tip)
            button.setCheckable(True)
            button.setProperty("chip", True)
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            group.addButton(button)
            self.header.insertWidget(self.header.count() - 2, button)
            button.clicked.connect(self._show)
            buttons.append(button)
        buttons[0].setChecked(True)
        buttons[1].setEnabled(False)
        return buttons[0], buttons[1]

    def _button(self, name: str, text: str, tip: str) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(name)
        button.setToolTip(tip)
        return button

    def _make_buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(theme.GAP)
        row.addWidget(self.reset_all)
        row.addWidget(self.reuse)
        row.addWidget(self.origin)
        row.addStretch(1)
        row.addWidget(self.done)
        return row
