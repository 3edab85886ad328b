"""Labels that elide."""

from types import SimpleNamespace

import pytest
from PySide6.QtCore import QEvent, QPoint
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from distill.gui.widgets import labels
from distill.gui.widgets.labels import ElidedLabel, FewLinesLabel, ShortenedLabel


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
    monkeypatch.setattr(labels, "QToolTip", SimpleNamespace(showText=lambda _at, text, _label: shown.append(text)))
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
