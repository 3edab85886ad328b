"""A run's history, and a panel of curves that shows it."""

from pytestqt.qtbot import QtBot

from distill.config.training import TrainingConfig
from distill.events import EpochMetrics, StepMetrics
from distill.gui.plots.definitions import make_loss_plot
from distill.gui.plots.panel import PlotsPanel
from distill.gui.plots.plot import Plot
from distill.metrics_history import MetricsHistory

EPOCHS, STEPS = 12, 5


def add_epoch(history: MetricsHistory, epoch: int, held_out_loss: float | None = None) -> None:
    for number in range(STEPS):
        loss = 2 / (1 + epoch + number / STEPS)
        weight = min(0.01, 0.001 * epoch)
        history.add_step(StepMetrics(epoch, number, STEPS, loss, loss, 3.0, weight, 1e-3 / (epoch + 1), 0.01))
    val = held_out_loss or (1 / (1 + epoch) if epoch < 8 else 0.3)
    distance = None if epoch % 2 else 90.0 - epoch
    history.add_epoch(
        EpochMetrics(epoch, 20, 0.2, val, val / 2, 0.1, 4.0 - 0.3 * epoch, 0.02 * epoch, 1e-3, 9, 9, 30, distance)
    )


def make_history() -> MetricsHistory:
    made = MetricsHistory()
    for epoch in range(EPOCHS):
        add_epoch(made, epoch)
    return made


def shown_panel(qtbot: QtBot, history: MetricsHistory) -> PlotsPanel:
    made = PlotsPanel()
    qtbot.addWidget(made)
    made.resize(560, 700)
    made.toolbar.details.setChecked(True)
    with qtbot.waitExposed(made):
        made.show()
    made.show_history(history, TrainingConfig(max_epochs=20))
    made.mark_previews({4: "preview_epoch0004_00.wav", 9: "preview_epoch0009_00.wav"})
    settle(qtbot, made)
    return made


def shown_loss_plot(qtbot: QtBot) -> Plot:
    """Return a plot of the loss by itself, without curves."""
    plot = make_loss_plot()
    qtbot.addWidget(plot)
    plot.resize(300, 400)
    with qtbot.waitExposed(plot):
        plot.show()
    return plot


def settle(qtbot: QtBot, panel: PlotsPanel) -> None:
    """Wait until what is known has been drawn, and Qt has laid it out."""
    panel.mark_changed()
    qtbot.waitUntil(lambda: not panel._is_stale)
    qtbot.wait(50)
