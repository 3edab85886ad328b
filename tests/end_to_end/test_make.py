"""From the end of a training to the first new sound: made, heard, dragged out, for each family that can."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QAbstractItemView, QComboBox, QPushButton, QSpinBox, QToolButton
from pytestqt.qtbot import QtBot

from distill.config.factory import make_config
from distill.config.family_catalog import FAMILIES
from distill.config.training import AnyConfig
from distill.generation.recipe import read_recipe
from distill.gui.engine import run_controller
from distill.gui.engine.run_state import RunState
from distill.gui.widgets.drag_and_drop import file_drag
from distill.gui.window.main_window import MainWindow
from distill.playback.player import PlayerState
from tests.end_to_end.test_window import PATIENCE, find, read, sounds, window
from tests.playback.listening import correlations
from tests.support.hand import click
from tests.support.screen import Screen
from tests.support.sound_card import NullSink

__all__ = ["sounds", "window"]  # fixtures


def quick(*args: Any) -> AnyConfig:
    """Return the configuration that was asked for, as narrow as its family can be."""
    config = make_config(*args)
    narrow = {"network_width": 4} if any(item.name == "network_width" for item in fields(config)) else {}
    return replace(config, precision="float32", num_threads=1, **narrow)  # type: ignore[arg-type]


@pytest.mark.parametrize("family", [row.key for row in FAMILIES if row.makes_new_sounds])
def test_from_the_end_of_a_training_to_a_new_sound(
    family: str,
    window: MainWindow,
    xvfb: Screen,
    qtbot: QtBot,
    null_sink: NullSink,
    sounds: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_controller, "make_config", quick)
    window.open_folder(sounds)
    start = find(window, QPushButton, "startButton")
    kinds, preset = find(window, QComboBox, "familyCombo"), find(window, QComboBox, "presetCombo")
    qtbot.waitUntil(lambda: start.isEnabled() and not window.sounds.scanner.is_busy, timeout=PATIENCE)
    kinds.setCurrentIndex(kinds.findData(family))
    preset.setCurrentIndex(preset.findData("aggressive"))  # fewest variants: the quickest to prepare
    find(window, QSpinBox, "epochsSpin").setValue(2)
    click(xvfb, qtbot, start)
    bridge = window.runs.bridge
    qtbot.waitUntil(lambda: bridge.state is RunState.TRAINING, timeout=PATIENCE)
    qtbot.waitUntil(lambda: bridge.state is RunState.IDLE, timeout=PATIENCE)

    click(xvfb, qtbot, find(window, QToolButton, "modelsPageButton"))
    models = find(window, QAbstractItemView, "modelList")
    qtbot.waitUntil(lambda: models.model().rowCount() == 1, timeout=PATIENCE)
    click(xvfb, qtbot, models.viewport(), models.visualRect(models.model().index(0, 0)).center())
    panel, player = window.making.panel, window.playing.playback
    qtbot.waitUntil(panel.make.isEnabled, timeout=PATIENCE)
    find(window, QSpinBox, "makeCountSpin").setValue(1)
    with null_sink.recording() as take:  # the first sound is heard by itself
        click(xvfb, qtbot, find(window, QPushButton, "generateButton"))
        qtbot.waitUntil(lambda: player.status.state is PlayerState.PLAYING, timeout=PATIENCE)
        qtbot.waitUntil(lambda: player.status.state is PlayerState.IDLE, timeout=PATIENCE)
    made = player.status.path
    assert made is not None
    assert min(correlations(take.audio, player.player.volume * read(made))) > 0.99
    recipe = read_recipe(made)
    assert recipe is not None
    assert panel.entry is not None
    assert recipe.model_id == panel.entry.model_id

    rows = panel.history.view
    click(xvfb, qtbot, rows.viewport(), rows.visualRect(rows.model().index(0, 0)).center())
    qtbot.waitUntil(lambda: player.status.state is PlayerState.PLAYING, timeout=PATIENCE)  # once more, by a click
    drag = file_drag(rows)
    assert drag is not None
    assert [Path(url.toLocalFile()) for url in drag.mimeData().urls()] == [made]
    drag.deleteLater()
    player.stop()
