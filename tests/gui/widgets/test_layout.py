"""Rows that wrap, and labels that elide."""

from types import SimpleNamespace

import pytest
from PySide6.QtCore import QEvent, QPoint
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import QApplication, QLabel, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from distill.gui.widgets import layout
from distill.gui.widgets.layout import ElidedLabel, FewLinesLabel, FlowBox, ShortenedLabel


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


def test_each_line_has_the_longest_wording_that_fits(qtbot: QtBot) -> None:
    label = ShortenedLabel(2)
    qtbot.addWidget(label)
    label.show_lines([["one long first line", "short first"], ["another long second line", "second"]])
    assert label.text() == "one long first line\nanother long second line"
    label.resize(300, 60)
    with qtbot.waitExposed(label):
        label.show()

    def shown_in(text: str) -> str:
        label.resize(label.fontMetrics().horizontalAdvance(text) + 2, 60)
        return label.shown_text()

    assert shown_in("another long second line") == label.text()
    assert label.toolTip() == ""
    assert shown_in("one long first line") == "one long first line\nsecond"
    assert "another long second line" in label.toolTip()
    assert shown_in("short first") == "short first\nsecond"
    assert shown_in("sho").count("…") == 2
    label.resize(300, 60)
    label.show_lines([[], ["only"]])
    assert label.shown_text() == label.text() == "only"


def test_the_whole_of_an_elided_text_is_in_its_tooltip(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(layout, "QToolTip", SimpleNamespace(showText=lambda _at, text, _label: shown.append(text)))
    label = ElidedLabel()
    qtbot.addWidget(label)
    label.resize(100, 20)
    for text in ("short", "a <name> that has no room in so narrow a label", "short"):
        label.setText(text)
        QApplication.sendEvent(label, QHelpEvent(QEvent.Type.ToolTip, QPoint(5, 5), QPoint(5, 5)))
    assert len(shown) == 1
    assert "a &lt;name&gt; that has no room in so narrow a label" in shown[0]


def test_text_that_does_not_fit_keeps_its_line_breaks(qtbot: QtBot) -> None:
    label = FewLinesLabel(2)
    qtbot.addWidget(label)
    label.setText("first\nsecond line that is far too long for the label")
    label.resize(label.fontMetrics().horizontalAdvance("second line that") + 2, 60)
    assert label.shown_text().startswith("first\nsecond")
    assert label.shown_text().endswith("…")
