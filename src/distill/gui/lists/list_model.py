"""A list model over any items: takes a new list by difference, so that selection and cursor survive."""

from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from itertools import pairwise
from typing import Any, Generic, TypeVar

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

T = TypeVar("T")

AnyIndex = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()

#: Roles of every `ListModel`: the item of a row, and whether the row is marked (shown, playing, new ...).
ITEM_ROLE, MARKED_ROLE = Qt.ItemDataRole.UserRole + 1, Qt.ItemDataRole.UserRole + 2


class ListModel(QAbstractListModel, Generic[T]):
    """Holds items in rows.  A subclass overrides `item_data`, and `flags` or `setData` where rows can be edited.

    Parameters
    ----------
    key
        Returns what identifies an item, also after it has changed; no two items share one.
    parent
        Qt parent.
    """

    def __init__(self, key: Callable[[T], Hashable], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._key = key
        self._items: list[T] = []
        self._rows: dict[Hashable, int] | None = {}  # None: to be rebuilt
        self._marked: frozenset[Hashable] = frozenset()

    # Reading.

    @property
    def items(self) -> tuple[T, ...]:
        """All items, from top to bottom."""
        return tuple(self._items)

    def item(self, row: int) -> T:
        """Return the item of a row."""
        return self._items[row]

    def row_of(self, key: Hashable) -> int:
        """Return the row of the item with this key, or -1."""
        if self._rows is None:
            self._rows = {self._key(item): row for row, item in enumerate(self._items)}
        return self._rows.get(key, -1)

    @property
    def marked(self) -> frozenset[Hashable]:
        """Keys of the marked rows."""
        return self._marked

    def is_marked(self, item: T) -> bool:
        """Return whether the row of an item is marked."""
        return self._key(item) in self._marked

    # Changing.

    def set_items(self, items: Iterable[T]) -> None:
        """Show these items and no others.  Rows that stay keep their selection, also where the order changes."""
        wanted = {self._key(item): item for item in items}
        self.remove([key for item in self._items if (key := self._key(item)) not in wanted])
        self._reorder([key for key in wanted if self.row_of(key) >= 0])
        order = list(wanted)
        new = [row for row, key in enumerate(order) if self.row_of(key) < 0]
        for first, last in reversed(_ranges(new[::-1])):  # those of a run at once: who listens looks at all items
            self._insert(first, [wanted[key] for key in order[first : last + 1]])
        self.update_items(wanted.values())

    def insert(self, row: int, item: T) -> None:
        """Add an item above the one that is in ``row`` now."""
        self._insert(row, [item])

    def _insert(self, row: int, items: Sequence[T]) -> None:
        self.beginInsertRows(_ROOT, row, row + len(items) - 1)
        self._items[row:row] = items
        if row + len(items) == len(self._items) and self._rows is not None:
            self._rows |= {self._key(item): row + number for number, item in enumerate(items)}
        else:
            self._rows = None
        self.endInsertRows()

    def remove(self, keys: Iterable[Hashable]) -> None:
        """Remove the items with these keys; keys that are not there are ignored."""
        rows = sorted((row for key in set(keys) if (row := self.row_of(key)) >= 0), reverse=True)
        for first, last in _ranges(rows):
            self.beginRemoveRows(_ROOT, first, last)
            del self._items[first : last + 1]
            self._rows = None
            self.endRemoveRows()
        self._marked &= {self._key(item) for item in self._items}

    def update_items(self, items: Iterable[T]) -> None:
        """Replace the items with the same keys; items that are not in the list are ignored."""
        changed = []
        for item in items:
            row = self.row_of(self._key(item))
            if row >= 0 and self._items[row] != item:
                self._items[row] = item
                changed.append(row)
        self.rows_changed(changed)

    def set_marked(self, keys: Collection[Hashable]) -> None:
        """Mark the rows with these keys and no others."""
        changed, self._marked = self._marked ^ frozenset(keys), frozenset(keys)
        self.rows_changed(row for key in changed if (row := self.row_of(key)) >= 0)

    def rows_changed(self, rows: Iterable[int]) -> None:
        """Emit `dataChanged` for these rows, once for each run of neighbours."""
        for first, last in _ranges(sorted(set(rows), reverse=True)):
            self.dataChanged.emit(self.index(first), self.index(last))

    def _reorder(self, keys: Sequence[Hashable]) -> None:
        """Bring the items, of which these are all keys, into this order."""
        rows = [self.row_of(key) for key in keys]
        if all(before < after for before, after in pairwise(rows)):
            return
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        kept = [self._key(self._items[index.row()]) for index in before]
        self._items = [self._items[row] for row in rows]
        self._rows = None
        self.changePersistentIndexList(before, [self.index(self.row_of(key)) for key in kept])
        self.layoutChanged.emit()

    # Qt's interface.

    def item_data(self, item: T, role: int) -> Any:
        """Return what an item shows for a role that `data` does not answer itself."""
        return None

    def rowCount(self, parent: AnyIndex = _ROOT) -> int:
        """Return the number of items."""
        return 0 if parent.isValid() else len(self._items)

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a row shows for a role."""
        if not index.isValid():
            return None
        item = self._items[index.row()]
        if role == ITEM_ROLE:
            return item
        if role == MARKED_ROLE:
            return self.is_marked(item)
        return self.item_data(item, role)


def _ranges(rows: Sequence[int]) -> list[tuple[int, int]]:
    """Return runs of neighbouring rows as (first, last), the lowest on the screen first; ``rows`` is descending."""
    found: list[tuple[int, int]] = []
    for row in rows:
        if found and found[-1][0] == row + 1:
            found[-1] = (row, found[-1][1])
        else:
            found.append((row, row))
    return found
