"""The rows of the list of models: their texts, filter and order."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
    Signal,
)

from distill.config.family_catalog import FAMILIES, family_info
from distill.errors import ConfigurationError
from distill.gui.lists.list_model import ListModel
from distill.gui.widgets.formatting import count_of, format_date
from distill.gui.widgets.plain_text import plain_tip
from distill.library.model_entry import ModelEntry
from distill.names import fold

Index = QModelIndex | QPersistentModelIndex


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


class ModelTable(ListModel[ModelEntry]):
    """The models of the library.  A model that arrived while the window was open and was not viewed yet is marked."""

    #: The user has typed another name, or clicked on the star.
    renamed = Signal(object, str)  # ModelEntry, name
    starred = Signal(object, bool)  # ModelEntry, wanted

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(lambda entry: entry.path, parent)

    def mark_new(self, paths: Iterable[Path]) -> None:
        """Mark models as new."""
        self.set_marked(self.marked | frozenset(paths))

    def mark_viewed(self, path: Path) -> None:
        """Remove the mark of a model."""
        self.set_marked(self.marked - {path})

    def item_data(self, item: ModelEntry, role: int) -> Any:
        """Return what a row shows."""
        if role == Qt.ItemDataRole.DisplayRole:
            return item.shown_name
        if role == Qt.ItemDataRole.EditRole:
            return item.name
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return self._spoken(item)
        return self._tip(item) if role == Qt.ItemDataRole.ToolTipRole else None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Return the flags of a row: a model that cannot be used cannot be renamed."""
        flags = super().flags(index)
        if index.isValid() and self.item(index.row()).problem is None:
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Request another name; the row shows it once it is stored."""
        name, entry = " ".join(str(value).split()), self.item(index.row())
        if role != Qt.ItemDataRole.EditRole or not name or name == entry.name:
            return False
        self.renamed.emit(entry, name)
        return True

    def facts(self, entry: ModelEntry) -> tuple[tuple[str, ...], ...]:
        """Return three lines of facts, the most important first in each; for an unusable model the reason.

        The loss stands beside the family: those of different families measure different things.
        """
        if entry.problem is not None:
            return (self.tr("Cannot be used"),), (entry.problem,), ()
        facts = entry.facts
        sounds = count_of(facts.sounds, self.tr("1 sound"), self.tr("{0} sounds"))
        epoch = self.tr("epoch {0}").format(facts.epochs) if facts.epochs else ""
        loss = "" if facts.val_loss is None else self.tr("loss {0:.4g}").format(facts.val_loss)
        blocks = ""
        if facts.codebook is not None and "utilization" in facts.codebook:
            blocks = self.tr("{0:.0%} of blocks used").format(facts.codebook["utilization"])
        return (family_label(entry), loss), (sounds, epoch), (format_date(facts.saved), blocks)

    def _spoken(self, entry: ModelEntry) -> str:
        words = [entry.shown_name]
        if entry.starred:
            words.append(self.tr("starred"))
        if self.is_marked(entry):
            words.append(self.tr("new"))
        return ", ".join([*words, *(fact for line in self.facts(entry) for fact in line if fact), *entry.tags])

    def _tip(self, entry: ModelEntry) -> str:
        facts = [" · ".join(filter(None, line)) for line in self.facts(entry)]
        lines = [entry.shown_name, ", ".join(entry.tags), *facts]
        if entry.problem is None:
            lines.append(self.tr("The curve is the loss on held-out sounds. The model is from its lowest point."))
            if entry.facts.epochs:
                text = self.tr("That is epoch {0}. The run may have trained on after it: Runs shows how far.")
                lines.append(text.format(entry.facts.epochs))
        return plain_tip(*lines, entry.path.name)


class ModelRows(QSortFilterProxyModel):
    """Filters and sorts the models."""

    def __init__(self, table: ModelTable, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._table = table
        self._filter, self._order = ModelFilter(), Order.NEWEST
        self.setSourceModel(table)
        self.sort(0)

    def set_filter(self, wanted: ModelFilter) -> None:
        """Show these models only."""
        self._filter = wanted
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
        return self._key(entries[left.row()]) < self._key(entries[right.row()])

    def _key(self, entry: ModelEntry) -> tuple[Any, ...]:
        facts = entry.facts
        newest_first = (-_moment(facts.saved, entry.mtime_ns), entry.path.name)
        is_bad = entry.problem is not None
        if self._order is Order.NAME:
            return (is_bad, fold(entry.name), *newest_first)
        if self._order is Order.LOSS:
            loss = math.inf if facts.val_loss is None else facts.val_loss
            return (is_bad, _position(entry.family), loss, *newest_first)
        if self._order is Order.SOUNDS:
            return (is_bad, -facts.sounds, *newest_first)
        if self._order is Order.EPOCHS:
            return (is_bad, -facts.epochs, *newest_first)
        return (is_bad, *newest_first)


def family_label(entry: ModelEntry) -> str:
    """Return the label of a family; for an unknown one its key."""
    try:
        return family_info(entry.family).plain_name
    except ConfigurationError:
        return entry.family


def _position(family: str) -> int:
    """Return where a family is in the menus; an unknown one comes last."""
    return next((n for n, info in enumerate(FAMILIES) if info.key == family), len(FAMILIES))


def _moment(written: str, mtime_ns: int) -> float:
    """Return when a model was saved, in seconds; without a date, when its file was written."""
    try:
        return datetime.fromisoformat(written).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        return mtime_ns / 1e9
