"""Fields for numbers."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QLocale
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from distill.gui.widgets.input_fields import NumberField


@pytest.fixture(params=[QLocale.Language.German, QLocale.Language.English], ids=["German", "English"])
def _language(request: pytest.FixtureRequest) -> Iterator[None]:
    before = QLocale()
    QLocale.setDefault(QLocale(request.param))
    yield
    QLocale.setDefault(before)


@pytest.mark.usefixtures("_language")
@pytest.mark.parametrize("typed", ["0.75", "0,75"])
def test_a_number_is_taken_with_a_point_and_with_a_comma(qtbot: QtBot, typed: str) -> None:
    field = NumberField()
    qtbot.addWidget(field)
    field.setSuffix(" s")
    field.setValue(3.5)
    assert field.text() == "3.50 s"
    field.selectAll()
    QTest.keyClicks(field, typed)
    assert field.value() == 0.75
    assert field.text() == "0.75 s"
