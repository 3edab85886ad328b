"""The panel of curves, through its real widgets."""

from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QWidget
from pytestqt.qtbot import QtBot

from distill.config.training import TrainingConfig, VQVAEConfig
from distill.events import EpochMetrics, StepMetrics, VQStepMetrics
from distill.gui.engine.run_state import RunState
from distill.gui.plots.axes import AXIS_WIDTH
from distill.gui.plots.panel import PlotsPanel
from distill.gui.plots.plot import BEHIND_LAST, Plot
from distill.gui.widgets import theme
from distill.gui.window.main_window import MainWindow
from distill.metrics_history import MetricsHistory, VQMetricsHistory
from tests.gui.drawn_run import EPOCHS, STEPS, add_epoch, make_history, settle, shown_loss_plot, shown_panel
from tests.gui.fakes import FakeDevice


@pytest.fixture
def history() -> MetricsHistory:
    return make_history()


@pytest.fixture
def panel(qapp: QApplication, qtbot: QtBot, history: MetricsHistory) -> PlotsPanel:
    theme.install(qapp)
    return shown_panel(qtbot, history)


def data(plot: Plot, name: str) -> list[float]:
    values = plot.curves[name]._item.yData
    return [] if values is None else [float(v) for v in values]


def average(plot: Plot) -> Any:
    return plot.curves["validation"]._smooth


def seen(plot: Plot) -> tuple[float, float]:
    low, high = plot.widget.box.viewRange()[0]
    return float(low), float(high)


def whole(epochs: int) -> tuple[float, float]:
    """Return the range in which all epochs are seen, with the mark at the last one."""
    return 0, BEHIND_LAST * epochs


def has_figures(plot: Plot) -> bool:
    return bool(plot.widget.getPlotItem().getAxis("left").style["showValues"])


def position_of(plot: Plot, x: float, from_bottom: float | None = None) -> QPoint:
    """Return where a place on the axis of epochs is in the viewport."""
    box = plot.widget.box
    rect = box.sceneBoundingRect()
    scene = box.mapViewToScene(QPointF(x, 0))
    y = rect.center().y() if from_bottom is None else rect.bottom() - from_bottom
    return QPoint(round(scene.x()), round(y))


def entry(plot: Plot, name: str) -> Any:
    return plot.header.entries[name]


def test_every_figure_has_its_curve(panel: PlotsPanel, history: MetricsHistory, qtbot: QtBot) -> None:
    QTest.mouseClick(panel.toolbar.choose, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(panel.toolbar.choices.isVisible)
    for name in ("active", "rate", "gap"):
        QTest.mouseClick(panel.toolbar.buttons[name], Qt.MouseButton.LeftButton)
    QTest.keyClick(panel.toolbar.choices, Qt.Key.Key_Escape)
    assert not panel.toolbar.choices.isVisible()
    assert not panel.toolbar.choose.isChecked()
    settle(qtbot, panel)
    assert data(panel.loss, "steps") == list(history.step_column("train_loss"))
    assert data(panel.loss, "validation") == [e.val_loss for e in history.epochs]
    assert data(panel.loss, "reconstruction") == [e.val_recon_loss for e in history.epochs]
    assert data(panel.kl, "kl") == [e.kl_divergence for e in history.epochs]
    assert data(panel.kl, "weight") == list(history.step_column("kl_weight"))
    assert data(panel.rate, "rate") == list(history.step_column("learning_rate"))
    assert data(panel.gap, "gap") == pytest.approx([2.0 * e for e in range(EPOCHS)])
    assert data(panel.active, "active") == [30.0] * EPOCHS
    assert panel.active.note() == "of 64"
    assert data(panel.new_sounds, "distance") == [90.0 - e for e in range(0, EPOCHS, 2)], "where it was measured"
    assert panel.kl._right.viewRange()[1][1] >= 0.01, "the weight has an axis of its own"
    assert entry(panel.loss, "best").value == 8, "people count from 1"


def test_without_details_there_is_one_curve_and_a_sentence(
    panel: PlotsPanel, history: MetricsHistory, qtbot: QtBot
) -> None:
    QTest.mouseClick(panel.toolbar.details, Qt.MouseButton.LeftButton)
    settle(qtbot, panel)
    assert [p.title for p in panel.shown_plots] == ["Loss"]
    assert [name for name, curve in panel.loss.curves.items() if curve.is_shown] == ["validation"]
    listed = [name for name, e in panel.loss.header.entries.items() if e.isVisible()]
    assert listed == ["validation", "best", "previews"]
    assert not panel.toolbar.choose.isVisible()
    wanted = "Best: epoch 8, loss 0.125, 88 % lower than after epoch 1."
    assert panel.summary.text() == wanted
    QTest.mouseClick(entry(panel.loss, "validation"), Qt.MouseButton.LeftButton)
    QTest.mouseClick(panel.toolbar.details, Qt.MouseButton.LeftButton)
    assert panel.loss.curves["train"].is_shown
    assert not panel.loss.curves["validation"].is_shown, "a curve that the user has hidden stays hidden"
    assert [p.title for p in panel.shown_plots] == ["Loss", "Distance of new sounds", "Packing"]


def test_a_new_run_shows_no_figures_of_the_last_one(panel: PlotsPanel, qtbot: QtBot) -> None:
    QTest.mouseClick(panel.toolbar.details, Qt.MouseButton.LeftButton)  # only the held-out loss is drawn
    settle(qtbot, panel)
    assert has_figures(panel.loss)
    before = panel.loss.widget.box.viewRange()[1]
    fresh = MetricsHistory()
    panel.show_history(fresh, TrainingConfig(max_epochs=20))
    settle(qtbot, panel)
    for number in range(STEPS):  # its first epoch has not ended
        fresh.add_step(StepMetrics(0, number, STEPS, 70.0, 70.0, 3.0, 0.0, 1e-3, 0.01))
    settle(qtbot, panel)
    assert not has_figures(panel.loss)
    assert panel.loss.widget.box.viewRange()[1] != before
    assert panel.loss.overlay.hint, "it still says what will be seen here"
    QTest.mouseClick(panel.toolbar.details, Qt.MouseButton.LeftButton)  # with details the steps are drawn
    settle(qtbot, panel)
    assert has_figures(panel.loss)
    assert not panel.loss.overlay.hint
    low, high = panel.loss.widget.box.viewRange()[1]
    assert low <= 70.0 <= high


def test_nothing_in_a_plot_moves_when_data_arrive(qapp: QApplication, qtbot: QtBot, history: MetricsHistory) -> None:
    theme.install(qapp)
    panel = PlotsPanel()
    qtbot.addWidget(panel)
    panel.resize(300, 500)
    with qtbot.waitExposed(panel):
        panel.show()
    qtbot.wait(50)

    def positions() -> list[Any]:
        parts: list[QWidget] = [panel.summary, panel.loss.widget, *panel.loss.header.entries.values()]
        return [(part.mapTo(panel, QPoint(0, 0)), part.size()) for part in parts if part.isVisible()]

    before = positions()
    panel.show_history(history, TrainingConfig(max_epochs=20))
    panel.mark_previews({4: "preview_epoch0004_00.wav"})
    settle(qtbot, panel)
    assert positions() == before
    panel.loss._on_moved()  # as by the mouse: "Show all" appears
    qtbot.wait(50)
    assert panel.loss.header.all_button.isVisible()
    assert positions() == before


def test_outliers_do_not_flatten_the_curve(panel: PlotsPanel, qtbot: QtBot) -> None:
    history = MetricsHistory()
    for epoch in range(40):
        loss = 500.0 if epoch == 0 else 1.0 + 1.0 / epoch
        history.add_epoch(EpochMetrics(epoch, 40, loss, loss, loss, 0.1, 3.0, 0.0, 1e-3, 9, 9, 30))
    panel.show_history(history, None)
    settle(qtbot, panel)
    low, high = panel.loss.widget.box.viewRange()[1]
    assert low < 1.1
    assert 1.4 < high < 10
    assert seen(panel.loss) == whole(40), "the epochs are all there"
    low, high = panel.kl.widget.box.viewRange()[1]
    assert low <= 0.5 <= high, "a reference line is always visible"


def test_the_chosen_plots_come_back(panel: PlotsPanel, qtbot: QtBot) -> None:
    panel.toolbar.choose.click()
    qtbot.waitUntil(panel.toolbar.choices.isVisible)
    panel.toolbar.buttons["gap"].setFocus()
    QTest.keyClick(panel.toolbar.buttons["gap"], Qt.Key.Key_Space)
    QTest.mouseClick(panel.toolbar.buttons["monitor"], Qt.MouseButton.LeftButton)
    QTest.mouseClick(panel.toolbar.log, Qt.MouseButton.LeftButton)
    panel.toolbar.smoothing.setCurrentIndex(2)
    panel.toolbar.choose.click()
    QTest.mouseClick(entry(panel.loss, "steps"), Qt.MouseButton.LeftButton)
    assert [p.title for p in panel.shown_plots] == ["Loss", "Distance of new sounds", "Memorising, %"]
    another = PlotsPanel()
    qtbot.addWidget(another)
    another.restore(panel.state())
    another.show()
    assert [p.title for p in another.shown_plots] == ["Loss", "Distance of new sounds", "Memorising, %"]
    assert another.toolbar.log.isChecked()
    assert another.toolbar.smoothing.currentIndex() == 2
    assert not another.loss.curves["steps"].is_shown
    assert another.state() == {**panel.state(), panel._heights_key: another.state()[panel._heights_key]}


@pytest.mark.parametrize(
    "damaged", [{}, {"shown": 3, "hidden": [], "smoothing": 99, "heights of 7": 1}, {"hidden": {"loss": 5}}]
)
def test_damaged_preferences_cost_nothing(qtbot: QtBot, damaged: dict[str, Any]) -> None:
    panel = PlotsPanel()
    qtbot.addWidget(panel)
    panel.restore(damaged)
    panel.show()
    assert [p.title for p in panel.shown_plots] == ["Loss"]
    panel.toolbar.details.click()
    assert [p.title for p in panel.shown_plots] == ["Loss", "Distance of new sounds", "Packing"]


def test_the_plots_fit_the_family(panel: PlotsPanel, qtbot: QtBot) -> None:
    panel.toolbar.buttons["active"].click()
    panel.show_monitor("codebook")
    assert not panel.active.isVisible()
    assert panel.toolbar.buttons["active"].isHidden()
    assert panel.codebook.plot.isVisible()
    panel.show_monitor("kl")
    assert panel.active.isVisible()
    assert not panel.codebook.plot.isVisible()


def test_the_view_holds_still_while_data_come_in_until_all_is_asked_for(
    panel: PlotsPanel, history: MetricsHistory, qtbot: QtBot
) -> None:
    view, button = panel.loss.widget, panel.loss.header.all_button
    assert seen(panel.loss) == whole(EPOCHS)
    assert not button.isVisible()
    position = position_of(panel.loss, 6)
    wheel = QWheelEvent(
        QPointF(position), QPointF(view.mapToGlobal(position)), QPoint(), QPoint(0, 240), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.ControlModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(view.viewport(), wheel)
    held = seen(panel.loss)
    assert 0 < held[0] < 6 < held[1] < EPOCHS
    add_epoch(history, EPOCHS)
    settle(qtbot, panel)
    assert seen(panel.loss) == held
    assert button.isVisible()
    assert seen(panel.kl) == whole(EPOCHS + 1), "the other plots go on following"
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert seen(panel.loss) == whole(EPOCHS + 1)
    assert not button.isVisible()
    add_epoch(history, EPOCHS + 1)
    settle(qtbot, panel)
    assert seen(panel.loss) == whole(EPOCHS + 2)


def test_dragging_holds_too(panel: PlotsPanel, qtbot: QtBot) -> None:
    view = panel.loss.widget.viewport()
    start, end = position_of(panel.loss, 8), position_of(panel.loss, 5)
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=start)
    for share in (0.3, 0.6, 1.0):
        QTest.mouseMove(view, start + (end - start) * share)
        qtbot.wait(20)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=end)
    assert not panel.loss.follows
    assert seen(panel.loss)[0] > 1


def test_the_pointer_reads_out_the_same_epoch_in_all_plots(panel: PlotsPanel, qtbot: QtBot) -> None:
    QTest.mouseMove(panel.loss.widget.viewport(), position_of(panel.loss, 3.02))
    qtbot.waitUntil(lambda: panel.loss.position == pytest.approx(3.0))
    assert entry(panel.loss, "validation").value == pytest.approx(1 / 3)
    assert entry(panel.loss, "steps").value == pytest.approx(2 / 3.8)
    assert entry(panel.kl, "kl").value == pytest.approx(3.4)
    assert "0.333" in entry(panel.loss, "validation").accessibleName()
    QTest.mouseMove(panel.toolbar.details)
    qtbot.waitUntil(lambda: panel.loss.position is None)
    assert entry(panel.kl, "kl").value == pytest.approx(0.7), "the newest one again"


def test_a_click_on_a_mark_and_the_keys_ask_for_previews(panel: PlotsPanel, qtbot: QtBot) -> None:
    asked: list[int] = []
    panel.preview_requested.connect(asked.append)
    QTest.mouseMove(panel.loss.widget.viewport(), position_of(panel.loss, 5, from_bottom=6))
    qtbot.wait(30)
    QTest.mouseClick(
        panel.loss.widget.viewport(), Qt.MouseButton.LeftButton, pos=position_of(panel.loss, 5, from_bottom=6)
    )
    assert asked == [4], "the mark at the end of the fifth epoch is that of epoch 4"
    QTest.mouseClick(
        panel.loss.widget.viewport(), Qt.MouseButton.LeftButton, pos=position_of(panel.loss, 2, from_bottom=6)
    )
    assert asked == [4]
    panel.loss.widget.setFocus()
    panel.loss.show_position(None)
    for key in (Qt.Key.Key_PageDown, Qt.Key.Key_Space, Qt.Key.Key_PageUp, Qt.Key.Key_Space):
        QTest.keyClick(panel.loss.widget, key)
    assert asked == [4, 9, 4]
    QTest.keyClick(panel.loss.widget, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert panel.loss.position == 6
    assert entry(panel.loss, "validation").value == pytest.approx(1 / 6)


def test_a_mark_out_of_sight_is_moved_into_it(panel: PlotsPanel, qtbot: QtBot) -> None:
    panel.loss.widget.box.setXRange(0, 2, padding=0)
    panel.loss._on_moved()
    QTest.keyClick(panel.loss.widget, Qt.Key.Key_PageDown)
    assert seen(panel.loss)[0] < 10 < seen(panel.loss)[1]


def test_checkpoints_are_marked_where_they_stand(panel: PlotsPanel, history: MetricsHistory, qtbot: QtBot) -> None:
    add_epoch_start = StepMetrics(EPOCHS, 1, STEPS, 1.0, 1.0, 1.0, 0.0, 1e-3, 0.01)
    history.add_step(add_epoch_start)
    panel.mark_checkpoints([10, 11, 12])
    settle(qtbot, panel)
    marks = panel.loss.overlay.checkpoints
    assert list(marks) == [11.0, 12.0, pytest.approx(12.4)], "the last one was written in the midst of an epoch"
    assert "checkpoint_epoch0010.pt" in marks[11.0]
    assert "Epoch 11" in marks[11.0]


def test_the_legend_hides_and_shows_curves(panel: PlotsPanel, qtbot: QtBot) -> None:
    steps = entry(panel.loss, "steps")
    QTest.mouseClick(steps, Qt.MouseButton.LeftButton)
    assert not panel.loss.curves["steps"]._item.isVisible()
    assert "Hidden" in steps.toolTip()
    steps.setFocus()
    QTest.keyClick(steps, Qt.Key.Key_Space)
    assert panel.loss.curves["steps"]._item.isVisible()
    QTest.mouseClick(entry(panel.loss, "previews"), Qt.MouseButton.LeftButton)
    asked: list[int] = []
    panel.preview_requested.connect(asked.append)
    QTest.mouseClick(
        panel.loss.widget.viewport(), Qt.MouseButton.LeftButton, pos=position_of(panel.loss, 5, from_bottom=6)
    )
    assert asked == [], "a mark that is not shown cannot be clicked"


def test_logarithms_keep_the_figures_and_move_what_lies_over_them(panel: PlotsPanel, history: MetricsHistory) -> None:
    panel.toolbar.log.click()
    losses = [e.val_loss for e in history.epochs]
    assert data(panel.loss, "validation") == losses
    _, drawn = panel.loss.curves["validation"]._item.getData()
    assert np.allclose(drawn, np.log10(losses))
    (line, _), *_ = panel.kl.references._lines
    assert line.value() == pytest.approx(np.log10(0.5))
    assert list(panel.loss.overlay._best or ()) == pytest.approx([8.0, np.log10(1 / 8)])
    panel.toolbar.log.click()
    assert line.value() == 0.5
    assert np.allclose(panel.loss.curves["validation"]._item.getData()[1], losses)


def test_smoothing_draws_an_average_over_the_paler_curve(
    panel: PlotsPanel, history: MetricsHistory, qtbot: QtBot
) -> None:
    curve = panel.loss.curves["validation"]
    assert average(panel.loss) is None
    panel.findChild(QComboBox, "smoothingCombo").setCurrentIndex(1)  # type: ignore[union-attr]
    smooth = average(panel.loss).yData
    losses = [e.val_loss for e in history.epochs]
    assert data(panel.loss, "validation") == losses
    assert smooth[0] == losses[0]
    assert losses[1] < smooth[1] < losses[0]
    assert curve._item.opts["pen"].color().alphaF() < 0.5 < average(panel.loss).opts["pen"].color().alphaF()
    assert entry(panel.loss, "validation").value == pytest.approx(smooth[-1]), "what is drawn is read out"
    panel.toolbar.log.click()
    assert np.allclose(average(panel.loss).getData()[1], np.log10(smooth))
    add_epoch(history, EPOCHS)
    settle(qtbot, panel)
    assert len(average(panel.loss).yData) == EPOCHS + 1
    panel.toolbar.smoothing.setCurrentIndex(0)
    assert average(panel.loss) is None
    assert entry(panel.loss, "validation").value == pytest.approx(history.epochs[-1].val_loss)


@pytest.mark.parametrize("width", [370, 420, 560])
def test_nothing_of_legend_and_choices_is_cut(panel: PlotsPanel, qtbot: QtBot, width: int) -> None:
    panel.mark_checkpoints([3])
    panel.toolbar.smoothing.setCurrentIndex(3)
    panel.resize(width, 420)
    settle(qtbot, panel)
    buttons = [b for b in panel.findChildren(QAbstractButton) if b.isVisible() and b.text()]
    assert len(buttons) >= 10
    for button in buttons:
        size, parent = button.size(), button.parentWidget()
        assert size.width() >= button.sizeHint().width(), button.text()
        assert parent.rect().contains(button.geometry()), button.text()  # type: ignore[union-attr]
    for plot in panel.shown_plots:
        assert plot.widget.height() >= 90


def test_a_panel_that_cannot_be_seen_draws_nothing_and_catches_up(
    panel: PlotsPanel, history: MetricsHistory, qtbot: QtBot
) -> None:
    panel.hide()
    add_epoch(history, EPOCHS)
    panel.mark_changed()
    qtbot.wait(80)
    assert len(data(panel.loss, "train")) == EPOCHS
    panel.show()
    qtbot.waitUntil(lambda: len(data(panel.loss, "train")) == EPOCHS + 1)


def test_100_000_steps_are_drawn_as_few_points_and_hovered_exactly(panel: PlotsPanel, qtbot: QtBot) -> None:
    history = MetricsHistory()
    for n in range(100_000):
        history.add_step(StepMetrics(n // 250, n % 250, 250, 99.0 if n == 54_321 else 1.0, 1.0, 3.0, 0.0, 1e-3, 0.01))
    panel.show_history(history, None)
    settle(qtbot, panel)
    drawn = data(panel.loss, "steps")
    assert len(drawn) < 3000
    assert max(drawn) == 99.0
    panel.loss.show_position(54_322 / 250)
    assert entry(panel.loss, "steps").value == 99.0


def test_codebooks_are_smoothed_and_read_out(qapp: QApplication, qtbot: QtBot) -> None:
    panel, history = PlotsPanel(), VQMetricsHistory()
    qtbot.addWidget(panel)
    panel.toolbar.details.setChecked(True)
    for n in range(40):
        use = {"level_0": {"utilization": 0.5 + 0.4 * (n % 2), "perplexity": 7.0, "dead_codes": 1}}
        history.add_step(VQStepMetrics(0, n, 40, 1.0, 1.0, 0.1, 0.25, 1e-3, 0.01, use))
    panel.show_monitor("codebook")
    panel.toolbar.smoothing.setCurrentIndex(3)
    with qtbot.waitExposed(panel):
        panel.show()
    panel.show_history(history, VQVAEConfig(max_epochs=1))
    settle(qtbot, panel)
    curve = panel.codebook.plot.curves["steps_0"]
    assert np.ptp(curve._item.yData) == pytest.approx(40)
    assert np.ptp(curve._smooth.yData[20:]) < 10


def test_in_the_window_a_run_gets_its_marks_and_a_click_on_one_is_heard(
    loaded: MainWindow, device: FakeDevice, qtbot: QtBot
) -> None:
    loaded.controls.epochs.setValue(3)
    loaded.controls.start.click()
    plot = loaded.plots.loss
    qtbot.waitUntil(lambda: loaded.runs.bridge.state is RunState.IDLE, timeout=20_000)
    qtbot.waitUntil(lambda: list(plot.overlay.checkpoints) == [1.0, 2.0, 3.0], timeout=10_000)
    assert list(plot.overlay.previews) == [1.0, 2.0, 3.0]
    qtbot.waitUntil(lambda: seen(plot) == whole(3))
    settle(qtbot, loaded.plots)
    position = position_of(plot, 2, from_bottom=6)
    QTest.mouseMove(plot.widget.viewport(), position)
    qtbot.wait(30)
    QTest.mouseClick(plot.widget.viewport(), Qt.MouseButton.LeftButton, pos=position)
    qtbot.waitUntil(lambda: loaded.playing.playback.status.path is not None, timeout=10_000)
    assert len(device.outputs) == 1
    path = loaded.playing.playback.status.path
    assert path is not None
    assert path.name == "preview_epoch0001_00.wav"


def test_epochs_are_whole_numbers_and_the_last_mark_is_seen_whole(qtbot: QtBot) -> None:
    plot = shown_loss_plot(qtbot)
    for epochs in (1, 2, 5):
        plot.set_curve("validation", np.arange(1.0, epochs + 1), np.linspace(0.5, 0.4, epochs))
        plot.mark_best((float(epochs), 0.4))
        axis, (low, high) = plot.widget.getPlotItem().getAxis("bottom"), seen(plot)
        ticks = [value for _, values in axis.tickValues(low, high, axis.width()) for value in values]
        assert ticks
        assert all(value == round(value) for value in ticks)
        scene = plot.widget.box.mapViewToScene(QPointF(epochs, 0.4)).x()
        assert plot.widget.box.sceneBoundingRect().right() - scene >= 4


def test_a_lone_plot_has_the_whole_width(panel: PlotsPanel, qtbot: QtBot) -> None:
    """The room of an axis on the right is there only with the plots that have one."""
    toolbar = panel.toolbar
    toolbar.details.setChecked(False)
    view = panel.loss.widget

    def room() -> float:
        return float(view.width() - view.box.sceneBoundingRect().right())

    qtbot.waitUntil(lambda: room() < AXIS_WIDTH)
    toolbar.details.setChecked(True)
    qtbot.waitUntil(lambda: room() > AXIS_WIDTH)


def test_the_best_loss_has_three_digits_and_no_change_is_not_a_gain(panel: PlotsPanel, qtbot: QtBot) -> None:
    history = MetricsHistory()
    for epoch, loss in enumerate((0.1601, 0.16, 0.1602)):
        add_epoch(history, epoch, loss)
    panel.show_history(history, None)
    settle(qtbot, panel)
    assert panel.summary.text() == "Best: epoch 2, loss 0.160."
