"""All plots in a low window: they scroll, and nothing lies over anything else."""

from itertools import combinations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QRect
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from distill.config.training import TrainingConfig, VQVAEConfig
from distill.events import VQEpochMetrics, VQStepMetrics
from distill.gui.plots.panel import PlotsPanel
from distill.gui.plots.plot_view import LOWEST, PlotView
from distill.gui.widgets import theme
from distill.gui.window.main_window import SMALLEST_SIZE, MainWindow
from distill.metrics_history import VQMetricsHistory
from tests.gui.drawn_run import make_history, settle, shown_loss_plot


def make_vq_history() -> VQMetricsHistory:
    made = VQMetricsHistory()
    for epoch in range(20):
        levels = {
            f"level_{n}": {"utilization": 0.9 - 0.2 * n, "perplexity": 50.0, "dead_codes": 20.0, "tokens": 3000.0}
            for n in range(3)
        }
        for step in range(4):
            loss = 1 / (1 + epoch + step / 4)
            made.add_step(VQStepMetrics(epoch, step, 4, loss, loss, 0.1, 0.25, 1e-3, 0.1, levels if not step else None))
        made.add_epoch(VQEpochMetrics(epoch, 40, 0.2, 0.5, 0.2, 0.1, 0.05, 1e-3, 9, 9, levels))
    return made


def shown_parts(panel: PlotsPanel) -> list[tuple[str, QRect]]:
    """Return what is drawn into the area of plots: its name and its rectangle there."""
    kinds = (PlotView, QLabel)
    names = {"codebookStrip"}
    found = []
    for widget in panel.splitter.findChildren(QWidget):
        if not widget.isVisibleTo(panel.splitter) or not (isinstance(widget, kinds) or widget.objectName() in names):
            continue
        corner = widget.mapTo(panel.splitter, widget.rect().topLeft())
        found.append((widget.objectName() or getattr(widget, "text", str)(), QRect(corner, widget.size())))
    return found


@pytest.mark.parametrize("height", [420, 640])
def test_nothing_overlaps_in_a_low_window(qtbot: QtBot, height: int) -> None:
    panel = PlotsPanel()
    qtbot.addWidget(panel)
    theme.apply_style_sheet(panel)
    panel.resize(300, height)
    panel.toolbar.details.setChecked(True)
    for button in panel.toolbar.buttons.values():
        button.setChecked(True)
    with qtbot.waitExposed(panel):
        panel.show()
    panel.show_monitor("codebook")
    panel.show_history(make_vq_history(), VQVAEConfig())
    settle(qtbot, panel)
    qtbot.wait(100)
    parts = shown_parts(panel)
    assert {"lossPlot", "codebookPlot"} <= {name for name, _ in parts}
    for (one, first), (other, second) in combinations(parts, 2):
        assert not first.intersects(second), (one, other)
    assert all(rect.height() >= LOWEST for name, rect in parts if name.endswith("Plot"))
    labels = [widget for widget in panel.splitter.findChildren(QLabel) if widget.isVisibleTo(panel)]
    for label in labels:
        needed = label.heightForWidth(label.width()) if label.wordWrap() else label.sizeHint().height()
        assert label.height() >= needed, label.text()
    bar = panel._area.verticalScrollBar()
    assert bar.maximum() > 0  # the rest is reached by scrolling


@pytest.mark.parametrize(("size", "whole"), [(SMALLEST_SIZE, 1), ((1280, 800), 2), ((1680, 1050), 3)])
def test_plots_are_large_enough_to_be_read(window: MainWindow, qtbot: QtBot, size: tuple[int, int], whole: int) -> None:
    """All of them under each other: so many are seen whole at once, the others are scrolled to."""
    window.resize(*size)
    plots = window.plots
    plots.toolbar.details.setChecked(True)
    for button in plots.toolbar.buttons.values():
        button.setChecked(True)
    plots.show_history(make_history(), TrainingConfig(max_epochs=20))
    plots.verdict.show()  # which takes its room while a run is shown
    settle(qtbot, plots)
    shown = [plot for plot in plots.plots.values() if plot.isVisibleTo(plots)]
    assert len(shown) == 6
    assert all(plot.widget.height() >= LOWEST for plot in shown)
    view = plots._area.viewport()

    def seen() -> list[str]:
        places = ((plot, QRect(plot.mapTo(view, QPoint(0, 0)), plot.size())) for plot in shown)
        return [plot.title for plot, place in places if view.rect().contains(place)]

    plots._area.verticalScrollBar().setValue(0)
    qtbot.waitUntil(lambda: len(seen()) >= whole)
    for plot in shown:
        plots._area.ensureWidgetVisible(plot, 0, 0)
        settle(qtbot, plots)
        assert plot.title in seen()


def test_a_small_change_of_the_loss_does_not_look_like_a_large_one(qtbot: QtBot) -> None:
    plot = shown_loss_plot(qtbot)
    plot.set_curve("validation", np.arange(1.0, 6.0), np.array([0.502, 0.503, 0.518, 0.509, 0.507]))

    def span() -> float:
        low, high = plot.widget.box.viewRange()[1]
        return float(high - low)

    qtbot.waitUntil(lambda: span() >= 0.2 * 0.518)
    plot.set_log(True)
    qtbot.waitUntil(lambda: span() < 0.05)  # who wants to see small changes chooses this axis
