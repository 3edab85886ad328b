"""Curves as data: what is drawn of many points, moving averages, and reading a history once."""

import math

import numpy as np
import pytest

from distill.gui.plots.curve_data import Average, HistoryTables, Table, nearest, thin, thin_smooth
from distill.metrics_history import MetricsHistory, VQMetricsHistory
from tests.gui.fakes import STEPS, epoch_end, step


def test_a_single_spike_among_100_000_points_is_drawn() -> None:
    x, y = np.arange(100_000.0), np.zeros(100_000)
    y[77_777], y[3] = 5.0, -3.0
    drawn_x, drawn_y = thin(x, y, 0, 100_000, 1000)
    assert len(drawn_y) <= 2 * 1000
    assert (drawn_y.min(), drawn_y.max()) == (-3.0, 5.0)
    assert abs(drawn_x[np.argmax(drawn_y)] - 77_777) < 256
    assert np.all(np.diff(drawn_x) >= 0)


def test_what_is_drawn_does_not_change_when_points_are_added_behind() -> None:
    rng = np.random.default_rng(0)
    x, y = np.arange(20_000.0), rng.normal(size=20_000)
    before, after = thin(x[:17_000], y[:17_000], 0, 1e9, 1000), thin(x, y, 0, 1e9, 1000)
    whole = len(before[0]) - 4
    assert np.array_equal(before[1][:whole], after[1][:whole])


def test_few_points_are_drawn_as_they_are_and_the_line_leads_out_of_the_picture() -> None:
    x, y = np.arange(50.0), np.arange(50.0)
    assert np.array_equal(thin(x, y, 10.5, 20.5, 1000)[0], np.arange(10.0, 22.0))
    assert len(thin(x[:0], y[:0], 0, 1, 100)[0]) == 0


def test_gaps_stay_gaps_only_where_nothing_was_measured() -> None:
    y = np.ones(8000)
    y[4000:6000] = np.nan
    y[100] = np.nan
    drawn_x, drawn_y = thin(np.arange(8000.0), y, 0, 8000, 100)
    gap = drawn_x[np.isnan(drawn_y)]
    assert 3900 <= gap.min() < gap.max() <= 6100


def test_a_smooth_curve_is_drawn_to_its_newest_point() -> None:
    x = np.arange(10_001.0)
    drawn_x, drawn_y = thin_smooth(x, x**2, 0, 20_000, 200)
    assert len(drawn_x) <= 202
    assert (drawn_x[0], drawn_x[-1]) == (0.0, 10_000.0)
    assert np.array_equal(drawn_y, drawn_x**2)


@pytest.mark.parametrize("cut", [1, 37, 99])
def test_the_moving_average_is_the_same_whether_it_is_read_at_once_or_in_parts(cut: int) -> None:
    y = np.random.default_rng(1).normal(3.0, 1.0, 100)
    y[20] = np.nan
    at_once, in_parts = Average(9), Average(9)
    in_parts.of(y[:cut])
    assert np.array_equal(at_once.of(y), in_parts.of(y), equal_nan=True)
    values, share = y[~np.isnan(y)], 0.2
    weights = (1 - share) ** np.arange(len(values))[::-1]
    assert at_once.of(y)[-1] == pytest.approx(np.sum(weights * values) / np.sum(weights))
    assert at_once.of(y)[0] == pytest.approx(y[0])
    assert math.isnan(at_once.of(y)[20])


def test_a_table_grows_and_leaves_what_was_handed_out_alone() -> None:
    table = Table(["x", "y"])
    table.extend({"x": [1.0], "y": [2.0]})
    early = table["y"]
    for n in range(40):
        table.extend({"x": np.full(100, n), "y": np.full(100, -n)})
    assert table.count == 4001
    assert early.tolist() == [2.0]
    assert table["y"][[0, 1, -1]].tolist() == [2.0, 0.0, -39.0]


def test_the_nearest_point() -> None:
    x = np.array([1.0, 2.0, 4.0])
    assert [nearest(x, position) for position in (-5, 1.4, 1.6, 3.1, 99)] == [0, 0, 1, 2, 2]


def test_a_history_is_read_once_and_wherever_it_has_grown() -> None:
    history = MetricsHistory()
    tables = HistoryTables(history)
    for epoch in range(3):
        for number in range(STEPS):
            history.add_step(step(epoch, number))
            tables.read()
        history.add_epoch(epoch_end(epoch, 3, gap=0.3 - 0.1 * epoch))
        tables.read()
    assert tables.steps["x"].tolist() == [(n + 1) / STEPS for n in range(3 * STEPS)]
    assert tables.steps["train_loss"].tolist() == list(history.step_column("train_loss"))
    assert tables.epochs["x"].tolist() == [1.0, 2.0, 3.0]
    assert tables.epochs["active_latents"].tolist() == [17.0] * 3
    assert list(tables.best() or ()) == pytest.approx([3.0, 0.55])
    history.add_step(step(3, 0))  # an array that lends its memory could not grow
    assert HistoryTables(VQMetricsHistory()).best() is None
