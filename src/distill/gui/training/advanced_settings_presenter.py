"""Holds the advanced settings of the next run that differ from its preset, for each family."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QObject, Signal

from distill.config.factory import make_config
from distill.config.family_catalog import FAMILIES, family_info
from distill.config.setting_fields import changed_settings, setting_fields, setting_value, with_settings
from distill.config.training import AnyConfig
from distill.errors import ConfigurationError
from distill.gui.training.advanced_settings_panel import MAIN_SETTINGS, SettingsPanel
from distill.gui.training.controls import TrainingControls
from distill.runs.loaded_run import LoadedRun

#: Changes by family: each has settings of its own, and what suits one need not suit another.
Changes = dict[str, dict[str, Any]]


class SettingsPresenter(QObject):
    """Holds the changes, and keeps the panel in step with preset and number of sounds."""

    changed = Signal()

    def __init__(self, controls: TrainingControls, panel: SettingsPanel, parent: QObject) -> None:
        super().__init__(parent)
        self._controls, self._panel = controls, panel
        self._changes: Changes = {}
        self._sound_count = 0
        self._run_config: AnyConfig | None = None
        controls.family_chosen.connect(self._update)
        controls.preset.currentIndexChanged.connect(self._update)
        controls.epochs.valueChanged.connect(self._update)
        panel.changes_made.connect(self._on_changes_made)
        panel.reuse_requested.connect(self._on_reuse_requested)
        self._update()

    @property
    def changes(self) -> dict[str, Any]:
        """The settings of the next run that differ from its preset, by name."""
        return dict(self._changes.get(self._controls.family_key, {}))

    def change(self, family: str, name: str, value: Any) -> None:
        """Let the next run, of this family, have a value of a setting."""
        self._controls.choose(family, "", 0)
        self._changes[family] = {**self._changes.get(family, {}), name: value}
        self._panel.show_next_again()
        self._update()
        self.changed.emit()

    def to_save(self) -> Changes:
        """Return the changes of all families, for the next start."""
        return {family: dict(changes) for family, changes in self._changes.items() if changes}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take what `to_save` returned; settings that this version does not accept are dropped."""
        for row in FAMILIES:
            saved_changes = saved.get(row.key)
            if isinstance(saved_changes, dict):
                self._changes[row.key] = _accepted_changes(row.config_type(family=row.key), saved_changes)
        self._update()

    def show_sound_count(self, count: int) -> None:
        """Take the number of sounds, on which the preset depends."""
        if count != self._sound_count:
            self._sound_count = count
            self._update()

    def show_run(self, run: LoadedRun, is_wanted: bool) -> None:
        """Take the settings of a run, and show them if the user has requested that run."""
        record = run.record
        requested_config = replace(record.config, max_epochs=record.epochs_asked)
        self.show_config(requested_config, len(record.file_paths) - len(record.skipped), is_wanted)

    def show_config(self, config: AnyConfig | None, sounds: int = 1, is_wanted: bool = True) -> None:
        """Take the settings of the shown run; None if there is none."""
        self._run_config = config
        if config is None:
            self._panel.show_run(None)
            return
        base = make_config(config.family, max(1, sounds), config.preset.value, config.max_epochs)
        self._panel.show_run(config, base)
        if not is_wanted:
            self._panel.show_next_again()

    def next_config(self, sound_count: int) -> AnyConfig:
        """Return the settings of the next run on so many sounds."""
        controls = self._controls
        return make_config(
            controls.family_key, max(1, sound_count), controls.preset_key, controls.epochs.value(), **self.changes
        )

    def _preset_config(self) -> AnyConfig:
        """Return what the preset says for the next run, without the changes."""
        controls = self._controls
        return make_config(controls.family_key, max(1, self._sound_count), controls.preset_key, controls.epochs.value())

    def _update(self) -> None:
        self._panel.show_next(self._preset_config(), self.changes)
        self._controls.show_changed(len(self._panel.changed_names))

    def _on_changes_made(self, changes: dict[str, Any]) -> None:
        self._changes[self._controls.family_key] = dict(changes)
        self._controls.show_changed(len(self._panel.changed_names))
        self.changed.emit()

    def _on_reuse_requested(self) -> None:
        config = self._run_config
        if config is None:
            return
        self._controls.choose(config.family, config.preset.value, config.max_epochs)
        base = self._preset_config()
        names = [field.name for field in setting_fields(config) if field.name not in MAIN_SETTINGS]
        values = {name: setting_value(config, name) for name in names}
        self._changes[config.family] = changed_settings(base, values)
        self._panel.show_next_again()
        self._update()
        self.changed.emit()


def _accepted_changes(config: AnyConfig, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the changes that the family's configuration takes."""
    known = {field.name for field in setting_fields(config)} - MAIN_SETTINGS
    accepted: dict[str, Any] = {}
    for name, value in changes.items():
        try:
            with_settings(family_info(config.family).config_type(family=config.family), {**accepted, name: value})
        except (ConfigurationError, TypeError):
            continue
        if name in known:
            accepted[name] = value
    return accepted
