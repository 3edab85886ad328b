"""Losses of different families measure different things: the list never shows them as if they could be compared."""

from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from distill.gui.library.model_facts_text import row_facts
from distill.gui.library.model_filter_and_order import ModelRows, Order
from distill.gui.library.model_rows import ModelTable
from distill.library.index import ModelFacts
from distill.library.model_entry import ModelEntry


def entry(name: str, family: str, loss: float | None) -> ModelEntry:
    facts = ModelFacts(name, name, family=family, val_loss=loss, sounds=12, epochs=7, codebook={"utilization": 0.35})
    return ModelEntry.of(Path(f"{name}.distill"), facts, None, (1, 1), None)


@pytest.fixture
def table(qapp: QApplication) -> ModelTable:
    made = ModelTable(qapp)
    made.set_items(
        [
            entry("copies", "vqvae", 0.12), entry("fast", "vae", 0.24), entry("other", "unheard of", 0.01),
            entry("faster", "vae", 0.21), entry("new", "vae", None), entry("fine", "complex_vae", 0.9),
        ]
    )  # fmt: skip
    return made


def test_the_lowest_loss_comes_first_within_its_family(table: ModelTable) -> None:
    rows = ModelRows(table)
    rows.set_order(Order.LOSS)
    shown = [rows.index(row, 0).data() for row in range(rows.rowCount())]
    assert shown == ["faster", "fast", "new", "fine", "copies", "other"]


def test_the_family_stands_beside_the_loss(table: ModelTable) -> None:
    lines = {item.name: row_facts(item) for item in table.items}
    assert lines["copies"][0] == ("Closest copies", "loss 0.12")
    assert lines["fast"][0] == ("Fast", "loss 0.24")
    assert lines["new"][0] == ("Fast", "")
    assert lines["copies"][2][1] == "35% of blocks used"
