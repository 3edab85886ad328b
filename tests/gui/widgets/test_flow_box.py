"""Rows that wrap."""

from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from distill.gui.widgets.flow_box import FlowBox


def make(qtbot: QtBot, count: int, width: int) -> tuple[QWidget, FlowBox, list[QLabel]]:
    outer = QWidget()
    qtbot.addWidget(outer)
    box = FlowBox(10, 4)
    labels = [QLabel(str(n)) for n in range(count)]
    for label in labels:
        label.setFixedSize(100, 20)
        box.addWidget(label)
    column = QVBoxLayout(outer)
    column.setContentsMargins(0, 0, 0, 0)
    column.addWidget(box)
    column.addStretch(1)
    outer.resize(width, 300)
    with qtbot.waitExposed(outer):
        outer.show()
    return outer, box, labels


def positions(labels: list[QLabel]) -> list[tuple[int, int]]:
    return [(label.x(), label.y()) for label in labels if label.isVisible()]


def test_a_row_goes_on_in_the_next_where_the_width_ends(qtbot: QtBot) -> None:
    outer, box, labels = make(qtbot, 3, 330)
    assert positions(labels) == [(0, 0), (110, 0), (220, 0)]
    assert box.height() == 20
    outer.resize(240, 300)
    qtbot.waitUntil(lambda: positions(labels) == [(0, 0), (110, 0), (0, 24)])
    assert box.height() == 44


def test_what_is_hidden_takes_no_room_and_what_comes_gets_some(qtbot: QtBot) -> None:
    _, box, labels = make(qtbot, 3, 240)
    labels[1].hide()
    qtbot.waitUntil(lambda: positions(labels) == [(0, 0), (110, 0)])
    qtbot.waitUntil(lambda: box.height() == 20)
    labels[1].show()
    qtbot.waitUntil(lambda: positions(labels) == [(0, 0), (110, 0), (0, 24)])
    box.addWidget(late := QLabel("late"))
    late.setFixedSize(100, 20)
    qtbot.waitUntil(lambda: (late.x(), late.y()) == (110, 24))
    hidden = QLabel("hidden")
    hidden.hide()
    box.addWidget(hidden)
    assert hidden.isHidden(), "who was hidden stays so"


def test_what_has_grown_while_the_box_was_hidden_gets_room(qtbot: QtBot) -> None:
    _, box, labels = make(qtbot, 3, 330)
    box.hide()
    labels[0].setFixedSize(160, 20)
    box.show()
    qtbot.waitUntil(lambda: positions(labels) == [(0, 0), (170, 0), (0, 24)])
    qtbot.waitUntil(lambda: box.height() == 44)
