"""`ListModel`: rows that stay keep selection and cursor, whatever else changes."""

from dataclasses import dataclass

import pytest
from PySide6.QtCore import QItemSelectionModel, QModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QApplication

from distill.gui.lists.list_model import ITEM_ROLE, MARKED_ROLE, ListModel


@dataclass(frozen=True)
class Thing:
    key: str
    text: str = ""


class Things(ListModel[Thing]):
    def __init__(self, *keys: str) -> None:
        super().__init__(lambda thing: thing.key)
        self.set_items([Thing(key) for key in keys])

    def item_data(self, item: Thing, role: int) -> str | None:
        return item.text or item.key if role == Qt.ItemDataRole.DisplayRole else None


def shown(model: Things) -> str:
    return "".join(model.index(row).data() for row in range(model.rowCount()))


@pytest.mark.parametrize("after", ["abcd", "abxcd", "xbcdy", "dcba", "", "bd", "dxab", "cxyza", "xyz"])
def test_a_new_list_comes_by_difference(qapp: QApplication, after: str) -> None:
    model = Things(*"abcd")
    QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    resets: list[bool] = []
    model.modelReset.connect(lambda: resets.append(True))
    selection = QItemSelectionModel(model)
    for key in "bd":
        selection.select(model.index(model.row_of(key)), QItemSelectionModel.SelectionFlag.Select)
    selection.setCurrentIndex(model.index(1), QItemSelectionModel.SelectionFlag.NoUpdate)
    model.set_items([Thing(key) for key in after])
    assert shown(model) == after
    assert {index.data(ITEM_ROLE).key for index in selection.selectedIndexes()} == set("bd") & set(after)
    if "b" in after:
        assert selection.currentIndex().data(ITEM_ROLE).key == "b"
    assert not resets
    assert [model.row_of(key) for key in after] == list(range(len(after)))


def test_only_changed_rows_are_reported(qapp: QApplication) -> None:
    model = Things(*"abcde")
    changed: list[tuple[int, int]] = []
    model.dataChanged.connect(lambda first, last: changed.append((first.row(), last.row())))
    model.set_items([Thing("a"), Thing("b", "B"), Thing("c", "C"), Thing("d"), Thing("e", "E")])
    assert sorted(changed) == [(1, 2), (4, 4)]
    assert shown(model) == "aBCdE"


def test_marks_follow_their_items_and_go_with_them(qapp: QApplication) -> None:
    model = Things(*"abc")
    model.set_marked(["b", "c"])
    model.set_items([Thing("c"), Thing("a")])
    assert [model.index(row).data(MARKED_ROLE) for row in range(2)] == [True, False]
    model.set_items([Thing("a"), Thing("b")])
    assert not model.marked


def test_the_same_key_twice_is_one_row(qapp: QApplication) -> None:
    model = Things(*"aab")
    assert shown(model) == "ab"
    assert model.data(QModelIndex()) is None
