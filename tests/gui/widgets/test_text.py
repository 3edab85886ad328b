"""How the window writes dates, durations and names."""

from collections.abc import Iterator
from datetime import datetime

import pytest
from PySide6.QtCore import QLocale
from PySide6.QtGui import QTextDocument
from PySide6.QtWidgets import QApplication

from distill.gui.widgets.formatting import (
    format_bytes,
    format_change,
    format_date,
    format_length,
    format_level,
    format_seconds,
    format_time_left,
)
from distill.gui.widgets.plain_text import plain_tip, rich_tip


@pytest.fixture(autouse=True)
def _english(qapp: QApplication) -> Iterator[None]:
    before = QLocale()
    QLocale.setDefault(QLocale(QLocale.Language.English, QLocale.Country.UnitedKingdom))
    yield
    QLocale.setDefault(before)


def test_dates() -> None:
    now = datetime.now().astimezone().replace(month=11, day=7, hour=14, minute=5)
    assert format_date(now.isoformat()) == "7 Nov 14:05"
    assert format_date(now.replace(year=2020).isoformat()) == "7 Nov 2020"
    for bad in ("", "yesterday", "9999-99-99", 5, None):
        assert format_date(bad) == ""  # type: ignore[arg-type]


def test_durations_and_sizes() -> None:
    assert [format_seconds(s) for s in (0.351, 12.04, 187, 3725)] == ["0.35 s", "12.0 s", "3:07", "1:02:05"]
    edges = (9.994, 9.996, 59.94, 59.96, 59.99, 3599.4, 3599.6)
    assert [format_seconds(s) for s in edges] == ["9.99 s", "10.0 s", "59.9 s", "1:00", "1:00", "59:59", "1:00:00"]
    assert [format_length(s) for s in (0.0, 0.003, 0.351, 187)] == ["0.00 s", "3 ms", "0.35 s", "3:07"]
    assert [format_time_left(s) for s in (41.4, 59.6, 90, 3900)] == ["41 s", "1 min", "2 min", "1 h 05 min"]
    assert [format_level(v) for v in (-0.01, -12.34)] == ["0.0", "−12.3"]
    assert [format_change(s) for s in (0.05, -0.12, 0.004, 0.0)] == ["+5 %", "−12 %", "", ""]
    sizes = (840, 12_000, 3_400_000, 14_900_000, 210_000_000, 1_400_000_000)
    assert [format_bytes(n) for n in sizes] == ["840 bytes", "12 kB", "3.4 MB", "14.9 MB", "210 MB", "1.4 GB"]


@pytest.mark.parametrize("name", ["<b>kick</b>.wav", "a & b.wav", "x<img src=y>.wav", "plain.wav"])
def test_names_in_tooltips_are_shown_as_they_are(name: str) -> None:
    for tip in (plain_tip(name, "second line"), rich_tip(name, "a paragraph")):
        document = QTextDocument()
        document.setHtml(tip)
        assert name in document.toPlainText()
