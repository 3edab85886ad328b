"""Plots under *Details* are built when they are shown for the first time, and then show what the others show."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from distill.config.training import TrainingConfig
from distill.gui.plots.panel import LATE_PLOTS, PlotsPanel
from distill.gui.plots.plot import Plot
from distill.gui.plots.plot_view import PlotView
from distill.gui.window.main_window import MainWindow
from distill.playback.player import Player
from distill.runs.run_record import Interruption
from tests.gui.conftest import close
from tests.gui.drawn_run import EPOCHS, make_history, settle
from tests.gui.fakes import FakeDevice, FakeEngine


@pytest.fixture
def plots_when_needed() -> None:
    """Let a window build its plots as it does for users."""


@pytest.fixture
def panel(qtbot: QtBot) -> PlotsPanel:
    made = PlotsPanel()
    qtbot.addWidget(made)
    made.resize(600, 700)
    with qtbot.waitExposed(made):
        made.show()
    return made


def names(panel: QWidget) -> list[str]:
    return [view.objectName() for view in panel.findChildren(PlotView)]


def tab_stops(panel: PlotsPanel) -> list[Plot]:
    """Return the plots in the order in which Tab reaches them."""
    found = list[Plot]()
    widget: QWidget | None = panel.nextInFocusChain()
    while widget is not None and widget is not panel:
        plot: QWidget | None = widget
        while plot is not None and not isinstance(plot, Plot):
            plot = plot.parentWidget()
        if isinstance(plot, Plot) and widget.focusPolicy() & Qt.FocusPolicy.TabFocus and plot not in found:
            found.append(plot)
        widget = widget.nextInFocusChain()
    return found


def test_the_start_builds_only_the_loss(panel: PlotsPanel) -> None:
    assert names(panel) == ["lossPlot"]


def test_a_window_that_is_built_at_once_has_the_plots_that_scripts_find_by_name(window: MainWindow) -> None:
    assert sorted(names(window.plots)) == ["codebookPlot", "klPlot", "lossPlot"]
    assert [plot.title for plot in window.plots.shown_plots] == [window.plots.loss.title]


def test_a_window_that_starts_has_them_soon_after_it_is_ready(
    engine: FakeEngine, device: FakeDevice, qtbot: QtBot
) -> None:
    window = MainWindow(engine, Player(open_output=device), in_steps=True)  # type: ignore[arg-type]
    at_ready = list[str]()
    window.ready.connect(lambda: at_ready.extend(names(window.plots)))
    with qtbot.waitSignal(window.ready):
        window.show()
    qtbot.waitUntil(lambda: len(names(window.plots)) == 3)
    assert at_ready == ["lossPlot"]
    assert sorted(names(window.plots)) == ["codebookPlot", "klPlot", "lossPlot"]
    close(qtbot, window)


def test_details_build_what_is_chosen(panel: PlotsPanel) -> None:
    panel.toolbar.details.setChecked(True)
    assert set(names(panel)) == {"klPlot", "lossPlot", panel.new_sounds.widget.objectName()}
    panel.toolbar.buttons["gap"].setChecked(True)
    assert "overfittingPlot" in names(panel)
    assert [plot.title for plot in panel.shown_plots] == [panel.loss.title, panel.new_sounds.title, panel.kl.title,
                                                          panel.gap.title]  # fmt: skip


def test_a_late_plot_shows_what_the_others_show(panel: PlotsPanel, qtbot: QtBot) -> None:
    panel.toolbar.details.setChecked(True)
    panel.show_history(make_history(), TrainingConfig(latent_dim=17))
    panel.mark_interruptions([Interruption(3.0, 3.5, True)])
    panel.toolbar.log.setChecked(True)
    panel.toolbar.smoothing.setCurrentIndex(2)
    settle(qtbot, panel)
    for name in ("gap", "active"):
        panel.toolbar.buttons[name].setChecked(True)
    settle(qtbot, panel)
    assert len(panel.gap.curves["gap"].x) == EPOCHS
    assert panel.active.note() == "of 17"
    assert panel.gap.overlay.interruptions
    assert panel.gap.curves["gap"].is_averaged


def test_tab_visits_plots_from_the_top(panel: PlotsPanel) -> None:
    panel.toolbar.details.setChecked(True)
    for name in ("gap", "active", "rate"):
        panel.toolbar.buttons[name].setChecked(True)
    expected = [panel.loss, panel.new_sounds, panel.kl, panel.active, panel.rate, panel.gap]
    assert [plot for plot in tab_stops(panel) if plot in expected] == expected


def test_choices_about_plots_that_are_not_built_are_kept(qtbot: QtBot) -> None:
    first, second = PlotsPanel(), PlotsPanel()
    for panel in (first, second):
        qtbot.addWidget(panel)
    name, key = next((n, k) for n in LATE_PLOTS for k in getattr(first, n).header.entries)
    getattr(first, name).show_curve(key, False)
    second.restore(first.state())
    assert second.state()["hidden"] == {name: [key]}
    assert names(second) == ["lossPlot"]
    assert not getattr(second, name).header.entries[key].isChecked()
