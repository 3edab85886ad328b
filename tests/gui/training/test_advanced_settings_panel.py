"""The advanced settings, through the real widgets: made from the fields, typed, refused, reset, trained with."""

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QComboBox, QLineEdit, QToolButton
from pytestqt.qtbot import QtBot

from distill.config.family_catalog import FAMILIES
from distill.config.setting_fields import setting_fields
from distill.gui.engine.run_state import RunState
from distill.gui.training.advanced_settings_panel import MAIN_SETTINGS
from distill.gui.training.setting_editors import SettingRow
from distill.gui.window.main_window import MainWindow
from distill.runs.run_record import RunRecord
from tests.gui.conftest import close, make_window
from tests.gui.fakes import FakeDevice, FakeEngine
from tests.gui.training.test_training import await_state, button, click, start


def choose_family(window: MainWindow, key: str) -> None:
    window.controls.family.setCurrentIndex(window.controls.family.findData(key))


def open_settings(window: MainWindow) -> None:
    toggle = window.findChild(QToolButton, "advancedButton")
    assert toggle is not None
    QTest.mouseClick(toggle, Qt.MouseButton.LeftButton)
    assert window.advanced.isVisible()
    assert not window.previews.isVisible()


def row(window: MainWindow, name: str) -> SettingRow:
    return window.advanced.rows[name]


def type_into(window: MainWindow, name: str, text: str) -> QLineEdit:
    line = window.findChild(QLineEdit, f"setting {name}")
    assert line is not None
    line.setFocus()
    line.selectAll()
    QTest.keyClicks(line, text)
    return line


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_every_setting_of_every_family_is_there_with_name_range_and_help(window: MainWindow, family: Any) -> None:
    choose_family(window, family.key)
    open_settings(window)
    fields = [f for f in setting_fields(family.adaptive_config(1)) if f.name not in MAIN_SETTINGS]
    assert list(window.advanced.rows) == [
        f.name for f in sorted(fields, key=lambda f: list(window.advanced.rows).index(f.name))
    ]
    assert len(window.advanced.rows) == len(fields)
    for field in fields:
        shown = row(window, field.name)
        control = shown.editor.control
        assert control.accessibleName() == field.label
        assert field.help in control.toolTip()
        assert shown.editor.value() == shown.editor.value()
        kinds = (
            QCheckBox
            if isinstance(field.default, bool)
            else QComboBox
            if field.choices and field.low is None
            else QLineEdit
        )
        assert isinstance(control, kinds)
        assert not shown.is_changed


def test_what_is_typed_is_trained_with_recorded_and_comes_back(
    loaded: MainWindow, engine: FakeEngine, device: FakeDevice, qtbot: QtBot
) -> None:
    open_settings(loaded)
    type_into(loaded, "batch_size", "5")
    type_into(loaded, "regularization.weight_decay", "0,25")
    assert row(loaded, "batch_size").is_changed
    assert row(loaded, "batch_size").reset.isVisible()
    assert "16" in row(loaded, "batch_size").reset.toolTip()
    assert loaded.controls.advanced.text().endswith("2 changed")
    start(loaded, 2)
    assert loaded.plots.isVisible()  # the curves are what is looked at now
    qtbot.waitUntil(lambda: len(loaded.runs.bridge.history.epochs) == 2, timeout=10_000)
    await_state(qtbot, loaded, RunState.IDLE)
    folder = loaded.runs.runs.folder
    assert folder is not None
    config = RunRecord.load(folder).config
    assert (config.batch_size, config.regularization.weight_decay) == (5, 0.25)
    assert config.regularization.augmentation_expansion == 8  # the preset's own
    close(qtbot, loaded)
    again = make_window(qtbot, engine, device)
    qtbot.waitUntil(again.advanced.run_button.isEnabled)
    open_settings(again)
    assert row(again, "batch_size").editor.value() == 5
    assert again.controls.advanced.text().endswith("2 changed")
    click(again, "resetAllButton")
    assert row(again, "batch_size").editor.value() == 16
    QTest.mouseClick(again.advanced.run_button, Qt.MouseButton.LeftButton)  # what the shown run was trained with
    assert row(again, "batch_size").editor.value() == 5
    QTest.keyClicks(row(again, "batch_size").editor.control, "9")
    assert row(again, "batch_size").editor.value() == 5  # it can be read, and not changed
    assert row(again, "batch_size").is_changed
    assert not row(again, "seed").is_changed
    click(again, "reuseButton")
    assert again.runs.settings.changes == {"batch_size": 5, "regularization.weight_decay": 0.25}
    close(qtbot, again)


@pytest.mark.parametrize(("name", "text", "words"), [
    ("batch_size", "0", "Batch size must be a whole number from 1 to 4096, not 0. It stays 16."),
    ("learning_rate", "fast", "Learning rate must be a number from 1e-07 to 1, not 'fast'."),
    ("num_threads", "all", "Threads must be auto or a whole number"),
])  # fmt: skip
def test_what_cannot_be_is_refused_where_it_is_typed(window: MainWindow, name: str, text: str, words: str) -> None:
    open_settings(window)
    before = row(window, name).editor.value()
    line = type_into(window, name, text)
    message = row(window, name).message
    assert message.isVisible()
    assert words in message.text()
    visible = message.mapTo(window.advanced.area.viewport(), message.rect().bottomLeft()).y()
    assert 0 < visible <= window.advanced.area.viewport().height() + 1
    assert window.runs.settings.changes == {}
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert row(window, name).editor.value() == before
    assert line.text() == row(window, name).field.text(before)
    type_into(window, name, "1")
    assert not message.isVisible()


def test_each_is_reset_by_itself_and_by_typing_what_the_preset_says(window: MainWindow) -> None:
    open_settings(window)
    type_into(window, "batch_size", "5")
    type_into(window, "seed", "77")
    QTest.mouseClick(row(window, "batch_size").reset, Qt.MouseButton.LeftButton)
    assert window.runs.settings.changes == {"seed": 77}
    assert row(window, "batch_size").editor.control.text() == "16"  # type: ignore[attr-defined]
    type_into(window, "seed", "0")
    assert window.runs.settings.changes == {}
    assert not row(window, "seed").is_changed
    assert not button(window, "resetAllButton").isEnabled()


def test_the_preset_and_the_sounds_change_what_is_not_changed(loaded: MainWindow) -> None:
    open_settings(loaded)
    variants = "regularization.augmentation_expansion"
    assert row(loaded, variants).editor.value() == 8  # four sounds: conservative
    type_into(loaded, "regularization.dropout", "0.4")
    loaded.controls.preset.setCurrentIndex(loaded.controls.preset.findData("aggressive"))
    assert row(loaded, variants).editor.value() == 2
    assert row(loaded, "regularization.dropout").editor.value() == 0.4
    assert "0.05" in row(loaded, "regularization.dropout").reset.toolTip()


def test_families_keep_their_changes_apart(window: MainWindow) -> None:
    open_settings(window)
    first, second = FAMILIES[0].key, FAMILIES[-1].key
    choose_family(window, first)
    type_into(window, "batch_size", "5")
    choose_family(window, second)
    assert row(window, "batch_size").editor.value() == 16
    choose_family(window, first)
    assert row(window, "batch_size").editor.value() == 5


def test_a_switch_and_a_menu(window: MainWindow) -> None:
    choose_family(window, "vqvae")
    open_settings(window)
    box = window.findChild(QCheckBox, "setting kmeans_init")
    assert box is not None
    QTest.keyClick(box, Qt.Key.Key_Space)
    combo = window.findChild(QComboBox, "setting precision")
    assert combo is not None
    combo.setFocus()
    QTest.keyClick(combo, Qt.Key.Key_Down)
    assert window.runs.settings.changes == {"kmeans_init": False, "precision": "float32"}


def test_by_keyboard_alone(window: MainWindow, qtbot: QtBot) -> None:
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    QTest.keyClick(window, Qt.Key.Key_Comma, Qt.KeyboardModifier.ControlModifier)
    line = window.findChild(QLineEdit, "setting batch_size")
    assert line is not None
    line.setFocus()
    for _ in range(3):
        QTest.keyClick(line, Qt.Key.Key_Up)
    assert window.runs.settings.changes == {"batch_size": 19}
    QTest.keyClick(line, Qt.Key.Key_Escape)
    assert window.plots.isVisible()
    assert window.controls.advanced.hasFocus()


def test_damaged_preferences_do_not_reach_a_run(qapp: object, qtbot: QtBot, tmp_path: Path) -> None:
    from distill.settings import WindowSettings

    saved: dict[str, Any] = {
        "vae": {
            "batch_size": 3, "no_such": 1, "learning_rate": 99, "seed": "x", "regularization.dropout": [1],
            "max_epochs": 3,
        },
        "gone": {"a": 1}, "vqvae": 7,
    }  # fmt: skip
    WindowSettings(family="vae", advanced=saved).save()
    made = make_window(qtbot, FakeEngine(), FakeDevice())
    assert made.runs.settings.to_save() == {"vae": {"batch_size": 3}}
    close(qtbot, made)
