"""The residual-VQ family through the real window with the real engine: trained, seen, heard, and opened again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyqtgraph as pg
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractItemView, QComboBox, QPushButton, QSpinBox
from pytestqt.qtbot import QtBot

from distill.config.factory import make_config
from distill.generation.codebooks import Code
from distill.gui.engine import run_controller
from distill.gui.engine.run_state import RunState
from distill.gui.window.main_window import MainWindow
from distill.models import LoadedVQModel, open_model
from distill.playback.player import PlayerState
from tests.end_to_end.test_window import PATIENCE, find, read, sounds, window
from tests.playback.listening import correlations
from tests.support.hand import click
from tests.support.screen import Screen
from tests.support.sound_card import NullSink

__all__ = ["sounds", "window"]  # fixtures


def test_a_vq_model_is_trained_seen_heard_and_opened(
    window: MainWindow,
    xvfb: Screen,
    qtbot: QtBot,
    null_sink: NullSink,
    sounds: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The search for the fastest way to compute takes longer than these three epochs; other tests are about it.
    monkeypatch.setattr(
        run_controller, "make_config", lambda *args: replace(make_config(*args), precision="float32", num_threads=1)
    )
    window.open_folder(sounds)
    start, family = find(window, QPushButton, "startButton"), find(window, QComboBox, "familyCombo")
    preset, epochs = find(window, QComboBox, "presetCombo"), find(window, QSpinBox, "epochsSpin")
    plot, kl = find(window, pg.PlotWidget, "codebookPlot"), find(window, pg.PlotWidget, "klPlot")
    qtbot.waitUntil(lambda: start.isEnabled() and not window.sounds.scanner.is_busy, timeout=PATIENCE)
    family.setCurrentIndex(family.findData("vqvae"))
    preset.setCurrentIndex(preset.findData("aggressive"))  # fewest variants: the quickest to prepare
    epochs.setValue(3)
    click(xvfb, qtbot, window.plots.toolbar.details)
    assert (plot.isVisible(), kl.isVisible()) == (True, False)
    click(xvfb, qtbot, start)
    bridge = window.runs.bridge
    qtbot.waitUntil(lambda: bridge.state is RunState.TRAINING, timeout=PATIENCE)
    qtbot.waitUntil(lambda: bridge.state is RunState.IDLE, timeout=PATIENCE)

    measured = [100 * e.codebook_health["level_0"]["utilization"] for e in bridge.history.epochs]  # type: ignore[union-attr,index]
    assert len(measured) == 3
    curves = plot.getPlotItem().listDataItems()
    qtbot.waitUntil(lambda: measured in [list(c.yData) for c in curves if c.yData is not None])
    assert (plot.isVisible(), kl.isVisible()) == (True, False)

    previews, player = find(window, QAbstractItemView, "previewList"), window.playing.playback
    heading = previews.model().headerData(0, Qt.Orientation.Horizontal)
    assert heading == "New 1"  # the codes have a prior
    assert not window.previews.note.isVisible()
    headings = [str(previews.model().headerData(n, Qt.Orientation.Horizontal)) for n in range(4)]
    column = next(n for n, text in enumerate(headings) if text.endswith("held out"))
    copy = previews.model().index(0, column)
    with null_sink.recording() as take:
        click(xvfb, qtbot, previews.viewport(), previews.visualRect(copy).center())
        qtbot.waitUntil(lambda: player.status.state is PlayerState.PLAYING, timeout=PATIENCE)
        qtbot.waitUntil(lambda: player.status.state is PlayerState.IDLE, timeout=PATIENCE)
    assert player.status.path is not None
    assert min(correlations(take.audio, player.player.volume * read(player.status.path))) > 0.99

    strip = window.plots.codebook.strip
    qtbot.waitUntil(strip.isVisible, timeout=PATIENCE)
    strip.setCurrentIndex(strip.codes.index_of(Code(1, 5)))
    QTest.keyClick(strip, Qt.Key.Key_Return)
    made = "level 1 code 5.wav"  # it is short: the state itself may be over before one looks
    qtbot.waitUntil(lambda: player.status.path is not None and player.status.path.name == made, timeout=PATIENCE)
    assert player.status.path is not None
    assert np.abs(read(player.status.path)).max() > 0.9

    folder = window.runs.runs.folder
    assert folder is not None
    model = open_model(folder / "model.distill")
    assert isinstance(model, LoadedVQModel)
    assert model.codebook_health in [e.codebook_health for e in bridge.history.epochs]  # type: ignore[union-attr]
