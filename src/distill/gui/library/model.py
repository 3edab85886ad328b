"""The rows of the list of models: what each says in words, which are shown, and in what order."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QDateTime,
    QLocale,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
    Signal,
)

from distill.config.catalog import family_info
from distill.errors import ConfigurationError
from distill.library.model_entry import ModelEntry, fold

#: The `ModelEntry` of a row, and whether it has come while the window was open and was not looked at yet.
ENTRY_ROLE, NEW_ROLE = Qt.ItemDataRole.UserRole + 1, Qt.ItemDataRole.UserRole + 2

Index = QModelIndex | QPersistentModelIndex


class Order(Enum):
    """What comes first in the list of models."""

    NEWEST = "newest"
    NAME = "name"
    LOSS = "loss"
    SOUNDS = "sounds"
    EPOCHS = "epochs"


@dataclass(frozen=True)
class ModelFilter:
    """Which models are shown: those that match ``text`` and are starred, or of a family, where that is asked for."""

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


class ModelTable(QAbstractListModel):
    """Models, as the library lists them."""

    #: The user has typed another name, or clicked on the star.
    renamed = Signal(object, str)  # ModelEntry, name
    starred = Signal(object, bool)  # ModelEntry, wanted

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._entries: list[ModelEntry] = []
        self._new: set[Path] = set()

    @property
    def entries(self) -> tuple[ModelEntry, ...]:
        """The models, in the library's order."""
        return tuple(self._entries)

    def set_entries(self, entries: Sequence[ModelEntry]) -> None:
        """Take on what there is now; rows of models that stay are kept, and with them the selection."""
        wanted = {entry.path for entry in entries}
        for row in range(len(self._entries) - 1, -1, -1):
            if self._entries[row].path not in wanted:
                self.beginRemoveRows(QModelIndex(), row, row)
                self._new.discard(self._entries.pop(row).path)
                self.endRemoveRows()
        for entry in entries:  # in what order they are shown is the proxy's affair
            row = self.row_of(entry.path)
            if row < 0:
                self.beginInsertRows(QModelIndex(), len(self._entries), len(self._entries))
                self._entries.append(entry)
                self.endInsertRows()
            elif self._entries[row] != entry:
                self._entries[row] = entry
                self.dataChanged.emit(self.index(row), self.index(row))

    def show_new(self, paths: Collection[Path], is_new: bool) -> None:
        """Mark models as having just come, or as looked at."""
        for path in paths:
            row = self.row_of(path)
            if row >= 0 and is_new != (path in self._new):
                self._new ^= {path}
                self.dataChanged.emit(self.index(row), self.index(row))

    def row_of(self, path: Path) -> int:
        """Return the row of a model, or -1."""
        return next((n for n, entry in enumerate(self._entries) if entry.path == path), -1)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        """Return the number of models."""
        return 0 if parent.isValid() else len(self._entries)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a row shows."""
        entry = self._entries[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return entry.shown_name
        if role == Qt.ItemDataRole.EditRole:
            return entry.name
        if role == ENTRY_ROLE:
            return entry
        if role == NEW_ROLE:
            return entry.path in self._new
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return self._spoken(entry)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(entry)
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Return what can be done with a row: a model that cannot be used keeps the name of its file."""
        flags = super().flags(index)
        if index.isValid() and self._entries[index.row()].problem is None:
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Tell of a new name; the row shows it when it is on record."""
        name, entry = " ".join(str(value).split()), self._entries[index.row()]
        if role != Qt.ItemDataRole.EditRole or not name or name == entry.name:
            return False
        self.renamed.emit(entry, name)
        return True

    def facts(self, entry: ModelEntry) -> tuple[tuple[str, ...], ...]:
        """Return three lines of facts, in each the most important first: what and when, made of what, how good.

        Of a model that cannot be used: that, and why.
        """
        if entry.problem is not None:
            return (self.tr("Cannot be used"),), (entry.problem,), ()
        facts, quality = entry.facts, []
        sounds = self.tr("1 sound") if facts.sounds == 1 else self.tr("{0} sounds").format(facts.sounds)
        epochs = self.tr("1 epoch") if facts.epochs == 1 else self.tr("{0} epochs").format(facts.epochs)
        if facts.val_loss is not None:
            quality.append(self.tr("loss {0:.4g}").format(facts.val_loss))
        if facts.codebook is not None and "utilization" in facts.codebook:
            quality.append(self.tr("codes {0:.0%} used").format(facts.codebook["utilization"]))
        return (family_label(entry), short_date(facts.saved)), (sounds, epochs), tuple(quality)

    def _spoken(self, entry: ModelEntry) -> str:
        words = [entry.shown_name]
        if entry.starred:
            words.append(self.tr("starred"))
        if entry.path in self._new:
            words.append(self.tr("new"))
        return ", ".join([*words, *(fact for line in self.facts(entry) for fact in line if fact), *entry.tags])

    def _tip(self, entry: ModelEntry) -> str:
        """Return lines of plain text: what a stranger's file says must not become markup."""
        facts = [" · ".join(filter(None, line)) for line in self.facts(entry)]
        lines = [entry.shown_name, ", ".join(entry.tags), *facts]
        if entry.problem is None:
            lines.append(self.tr("The curve is the loss on held-out sounds, up to the epoch that the model is from:"))
            lines.append(self.tr("the best one of which its run had a checkpoint."))
        return "\n".join(filter(None, [*lines, entry.path.name])).replace("<", "‹")


class ModelRows(QSortFilterProxyModel):
    """The models that are shown, in the order that was chosen."""

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
        return self._filter.accepts(self._table.entries[row])

    def lessThan(self, left: Index, right: Index) -> bool:
        """Return whether a model comes before another one."""
        entries = self._table.entries
        return self._key(entries[left.row()]) < self._key(entries[right.row()])

    def _key(self, entry: ModelEntry) -> tuple[Any, ...]:
        facts = entry.facts
        newest_first = (-_moment(facts.saved, entry.mtime_ns), entry.path.name)
        is_bad = entry.problem is not None
        if self._order is Order.NAME:
            return (is_bad, fold(entry.name), *newest_first)
        if self._order is Order.LOSS:
            return (is_bad, math.inf if facts.val_loss is None else facts.val_loss, *newest_first)
        if self._order is Order.SOUNDS:
            return (is_bad, -facts.sounds, *newest_first)
        if self._order is Order.EPOCHS:
            return (is_bad, -facts.epochs, *newest_first)
        return (is_bad, *newest_first)


def family_label(entry: ModelEntry) -> str:
    """Return a family's name for people; that of a family of another version is its key."""
    try:
        return family_info(entry.family).label
    except ConfigurationError:
        return entry.family


def short_date(written: str) -> str:
    """Return a date as a person says it, in the local time zone, or nothing where there is none."""
    try:
        moment = datetime.fromisoformat(written).astimezone()
    except (ValueError, OverflowError, OSError):
        return ""
    pattern = "d MMM HH:mm" if moment.year == datetime.now().astimezone().year else "d MMM yyyy"
    return QLocale().toString(QDateTime.fromSecsSinceEpoch(int(moment.timestamp())), pattern)


def _moment(written: str, mtime_ns: int) -> float:
    """Return when a model was saved, in seconds; of one that does not say, when its file was written."""
    try:
        return datetime.fromisoformat(written).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        return mtime_ns / 1e9
