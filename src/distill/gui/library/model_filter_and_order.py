"""Which models the list shows, and in which order."""

import math
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from PySide6.QtCore import QCoreApplication, QModelIndex, QObject, QPersistentModelIndex, QSortFilterProxyModel
from PySide6.QtWidgets import QComboBox

from distill.config.family_catalog import FAMILIES
from distill.gui.library.model_rows import ModelTable
from distill.library.model_entry import ModelEntry
from distill.names import fold

translate = QCoreApplication.translate
Index = QModelIndex | QPersistentModelIndex

#: Item data of the filter that shows starred models only; the others are keys of families, or empty for all.
_STARRED = "*"


class Order(Enum):
    """Sort order of the list of models."""

    NEWEST = "newest"
    NAME = "name"
    LOSS = "loss"
    SOUNDS = "sounds"
    EPOCHS = "epochs"


@dataclass(frozen=True)
class ModelFilter:
    """Which models are shown: those that match ``text``, and optionally only starred ones or those of a family."""

    text: str = ""
    starred: bool = False
    family: str = ""

    def accepts(self, entry: ModelEntry) -> bool:
        """Whether a model is shown."""
        return (
            (not self.starred or entry.starred)
            and (not self.family or entry.family == self.family)
            and entry.matches(self.text)
        )


class ModelRows(QSortFilterProxyModel):
    """Filters and sorts the models."""

    def __init__(self, table: ModelTable, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._table = table
        self._filter, self._order = ModelFilter(), Order.NEWEST
        self.setSourceModel(table)
        self.sort(0)

    def set_filter(self, model_filter: ModelFilter) -> None:
        """Show these models only."""
        self._filter = model_filter
        self.invalidate()

    def set_order(self, order: Order) -> None:
        """Show the models in this order."""
        self._order = order
        self.invalidate()

    def filterAcceptsRow(self, row: int, _parent: Index) -> bool:
        """Return whether a model is shown."""
        return self._filter.accepts(self._table.item(row))

    def lessThan(self, left: Index, right: Index) -> bool:
        """Return whether a model comes before another one."""
        entries = self._table.items
        return self._sort_key(entries[left.row()]) < self._sort_key(entries[right.row()])

    def _sort_key(self, entry: ModelEntry) -> tuple[Any, ...]:
        facts = entry.facts
        newest_first = (-_saved_at(facts.saved, entry.mtime_ns), entry.path.name)
        is_unusable = entry.problem is not None
        if self._order is Order.NAME:
            return (is_unusable, fold(entry.name), *newest_first)
        if self._order is Order.LOSS:
            val_loss = math.inf if facts.val_loss is None else facts.val_loss
            return (is_unusable, _family_position(entry.family), val_loss, *newest_first)
        if self._order is Order.SOUNDS:
            return (is_unusable, -facts.sounds, *newest_first)
        if self._order is Order.EPOCHS:
            return (is_unusable, -facts.epochs, *newest_first)
        return (is_unusable, *newest_first)


def _family_position(family: str) -> int:
    """Return where a family is in the menus; an unknown one comes last."""
    return next((n for n, info in enumerate(FAMILIES) if info.key == family), len(FAMILIES))


def _saved_at(written: str, mtime_ns: int) -> float:
    """Return when a model was saved, in seconds; without a date, when its file was written."""
    try:
        return datetime.fromisoformat(written).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        return mtime_ns / 1e9


def make_filter_combo() -> QComboBox:
    """Create the choice of models that are shown: all, starred ones, or those of a family."""
    combo = QComboBox()
    combo.setObjectName("modelFilter")
    combo.setAccessibleName(translate("ModelList", "Which models are shown"))
    combo.setToolTip(translate("ModelList", "Which models are shown."))
    combo.setMinimumContentsLength(6)
    combo.addItem(translate("ModelList", "All models"), "")
    combo.addItem(translate("ModelList", "Starred"), _STARRED)
    for family in FAMILIES:
        combo.addItem(family.plain_name, family.key)
    return combo


def make_order_combo() -> QComboBox:
    """Create the choice of the order."""
    combo = QComboBox()
    combo.setObjectName("modelOrder")
    combo.setAccessibleName(translate("ModelList", "Order of the models"))
    combo.setToolTip(translate("ModelList", "What comes first. Losses can be compared within a family only."))
    combo.setMinimumContentsLength(6)
    for order, text in (
        (Order.NEWEST, translate("ModelList", "Newest")),
        (Order.NAME, translate("ModelList", "Name")),
        (Order.LOSS, translate("ModelList", "Lowest loss, by family")),
        (Order.SOUNDS, translate("ModelList", "Most sounds")),
        (Order.EPOCHS, translate("ModelList", "Latest epoch")),
    ):
        combo.addItem(text, order.value)
    return combo


def chosen_filter(text: str, combo: QComboBox) -> ModelFilter:
    """Return what is searched for, and which models the user has chosen to see."""
    chosen = str(combo.currentData())
    is_starred = chosen == _STARRED
    return ModelFilter(text, is_starred, "" if is_starred else chosen)
