"""Curves as files: pictures, drawings and tables."""

import csv
import io
import re
from xml.etree import ElementTree

import pytest
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from distill.events import VQStepMetrics
from distill.gui.plots.export.csv_table import csv_bytes, epoch_table, step_table
from distill.gui.plots.export.picture import draw_image, svg_bytes
from distill.gui.plots.panel import PlotsPanel
from distill.gui.widgets import theme
from distill.metrics_history import MetricsHistory, VQMetricsHistory
from tests.gui.drawn_run import EPOCHS, STEPS, make_history, shown_panel


@pytest.fixture
def history() -> MetricsHistory:
    return make_history()


@pytest.fixture
def panel(qapp: QApplication, qtbot: QtBot, history: MetricsHistory) -> PlotsPanel:
    theme.install(qapp)
    return shown_panel(qtbot, history)


def test_a_picture_shows_the_curves_in_their_colours(panel: PlotsPanel) -> None:
    image = draw_image(panel.shown_plots)
    assert image.width() >= 2 * panel.loss.widget.width()
    pixels = {image.pixel(x, y) & 0xFFFFFF for x in range(0, image.width(), 2) for y in range(0, image.height(), 2)}
    for color in (theme.LIGHT.accent, theme.LIGHT.second, theme.LIGHT.third, theme.LIGHT.surface):
        assert QColor(color).rgb() & 0xFFFFFF in pixels
    assert panel.loss.curves["train"]._item.opts["pen"].widthF() == 2 * panel.devicePixelRatioF(), "as before"


def test_a_drawing_has_its_curves_inside_the_picture(panel: PlotsPanel) -> None:
    panel.toolbar.smoothing.setCurrentIndex(1)
    root = ElementTree.fromstring(svg_bytes([panel.loss, panel.kl], "run"))
    svg = "{http://www.w3.org/2000/svg}"
    _, _, width, height = (float(v) for v in root.attrib["viewBox"].split())
    text = "".join(root.itertext())
    for word in ("Loss", "held out", "epoch", "ignores sounds below 0.5"):
        assert word in text
    curves = 0
    for group in root.iter(f"{svg}g"):
        if group.get("stroke") not in (theme.LIGHT.second, theme.LIGHT.accent) or group.get("transform"):
            continue
        for path in group.iter(f"{svg}path"):
            points = [tuple(map(float, p)) for p in re.findall(r"(-?[\d.]+),(-?[\d.]+)", path.attrib["d"])]
            if len(points) == EPOCHS:
                curves += 1
                assert path.get("vector-effect") == "none", "programs would paint it a hundred dots wide"
                assert all(0 <= x <= width and 0 <= y <= height for x, y in points)
    assert curves >= 5  # training, held out and KL: each with its average


def test_tables_hold_every_figure_exactly(history: MetricsHistory) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_bytes(step_table(history)).decode())))
    assert len(rows) == EPOCHS * STEPS
    assert [float(r["train_loss"]) for r in rows] == list(history.step_column("train_loss"))
    assert [int(r["epoch"]) for r in rows] == list(history.step_column("epoch"))
    epochs = list(csv.DictReader(io.StringIO(csv_bytes(epoch_table(history)).decode())))
    assert [float(r["val_loss"]) for r in epochs] == [e.val_loss for e in history.epochs]


def test_the_health_of_codebooks_gets_columns_of_its_own() -> None:
    history = VQMetricsHistory()
    health = {"level_0": {"utilization": 0.5, "perplexity": 7.0, "dead_codes": 1}}
    history.add_step(VQStepMetrics(0, 0, 2, 1.0, 1.0, 0.1, 0.25, 1e-3, 0.01))
    history.add_step(VQStepMetrics(0, 1, 2, 1.0, 1.0, 0.1, 0.25, 1e-3, 0.01, health))
    rows = list(csv.DictReader(io.StringIO(csv_bytes(step_table(history)).decode())))
    assert [r["codebook_health.level_0.utilization"] for r in rows] == ["", "0.5"]
