"""The window in a language that is read from the right: what is mirrored, and what is not."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QSlider
from pytestqt.qtbot import QtBot

from distill import paths
from distill.gui.play.pads.pad_grid import PadGrid
from distill.gui.player.waveform_position_slider import PositionSlider
from distill.gui.plots.legend_and_export_menu import LegendEntry
from distill.gui.plots.plot_view import PlotView
from distill.gui.previews.grid_with_originals import PreviewTable
from distill.gui.widgets import theme
from distill.gui.window.main_window import MainWindow
from distill.gui.window.top_bar import MODELS, PLAY, PageSwitch
from distill.library.model_library import ModelLibrary
from tests.gui.conftest import close, make_window
from tests.gui.fakes import FakeDevice, FakeEngine
from tests.gui.library.test_page import until_idle
from tests.library.test_model_library import bells, write_model


@pytest.fixture
def mirrored(qapp: QApplication, qtbot: QtBot, engine: FakeEngine, device: FakeDevice) -> Iterator[MainWindow]:
    qapp.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    try:
        made = make_window(qtbot, engine, device)
        yield made
        close(qtbot, made)
    finally:
        qapp.setLayoutDirection(Qt.LayoutDirection.LeftToRight)


def test_what_has_a_direction_of_its_own_keeps_it(mirrored: MainWindow) -> None:
    """Epochs and sounds go from left to right, and the pads lie as their keys do."""
    for view in mirrored.findChildren(PlotView):
        item = view.getPlotItem()
        axis, box = item.getAxis("left").sceneBoundingRect(), item.getViewBox().sceneBoundingRect()
        assert axis.center().x() < box.left() + 10
    mirrored.pages.open_page(PLAY)
    grid = mirrored.findChild(PadGrid)
    assert grid is not None
    places = [pad.x() for pad in grid.pads[:4]]
    assert places == sorted(places)
    assert len(set(places)) == 4
    slider = mirrored.findChild(PositionSlider)
    assert slider is not None
    slider.setRange(0, 10)
    slider.setEnabled(True)
    slider.setValue(5)
    QTest.keyClick(slider, Qt.Key.Key_Right)
    assert slider.value() > 5


def test_notices_have_the_room_between_the_switch_and_the_menus(mirrored: MainWindow, qapp: QApplication) -> None:
    """They had no width, and were not seen."""
    mirrored.resize(1400, 900)
    mirrored.notices.notify("test", "The disk is full.", "error")
    qapp.processEvents()
    place, bar = mirrored.notices.geometry(), mirrored.menuBar()
    switch = mirrored.findChild(PageSwitch)
    assert switch is not None
    assert place.width() > 300
    assert place.left() > switch.mapTo(mirrored, switch.rect().topRight()).x()
    assert place.right() < min(bar.actionGeometry(action).left() for action in bar.actions())


def test_names_and_values_of_a_legend_do_not_overlap(mirrored: MainWindow) -> None:
    entry = next(found for found in mirrored.findChildren(LegendEntry) if found.sizeHint().width() > 90)
    entry.show_value(0.315)
    picture = QImage(3 * entry.sizeHint().width(), 20, QImage.Format.Format_RGB32)
    picture.fill(Qt.GlobalColor.white)
    painter = QPainter(picture)
    painter.setLayoutDirection(mirrored.layoutDirection())  # as a widget's painter has
    entry.paint(painter, QRectF(picture.rect()))
    painter.end()
    behind = range(picture.width() // 2, picture.width())
    assert {picture.pixel(x, y) for x in behind for y in range(20)} == {0xFFFFFFFF}
    assert picture.pixel(theme.HALF + 6, 10) != 0xFFFFFFFF


def test_a_row_of_a_list_begins_at_the_right(mirrored: MainWindow, qtbot: QtBot) -> None:
    write_model(paths.models_dir() / "model.distill", bells(name="Bells"))
    mirrored.models.refresh()
    mirrored.pages.open_page(MODELS)
    until_idle(mirrored, qtbot)
    view = mirrored.models_page.list.view
    row = view.visualRect(view.model().index(0, 0))
    star = QPoint(row.right() - theme.GAP - 8, row.top() + theme.HALF + 9)
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=star)
    qtbot.waitUntil(lambda: ModelLibrary(paths.models_dir()).list()[0].starred, timeout=10_000)
    until_idle(mirrored, qtbot)
    assert [entry.starred for entry in mirrored.models_page.list.table.items] == [True]


def test_the_corner_of_the_previews_is_above_the_numbers_of_the_epochs(
    mirrored: MainWindow, qapp: QApplication
) -> None:
    table = mirrored.findChild(PreviewTable)
    assert table is not None
    corner = next(label for label in table.strip.findChildren(QLabel) if label.text() == "Epoch")
    for width in (1100, 1400):
        mirrored.resize(width, 800)
        qapp.processEvents()
        assert corner.geometry().center().x() > table.strip.width() / 2


def test_the_filled_part_of_a_slider_is_that_of_its_value(mirrored: MainWindow, qapp: QApplication) -> None:
    slider = QSlider(Qt.Orientation.Horizontal, mirrored.transport)
    slider.setGeometry(0, 0, 200, 24)
    slider.setRange(0, 100)
    slider.setValue(80)
    slider.show()
    qapp.processEvents()
    picture = slider.grab().toImage()
    scale = picture.devicePixelRatio()
    accent = QColor(theme.colors().accent)
    filled = [
        x for x in (10, 60, 100, 150, 190) if picture.pixelColor(QPointF(x * scale, 12 * scale).toPoint()) == accent
    ]
    assert filled == [60, 100, 150, 190]
