"""Where garbage is collected: a widget must not be destroyed by a thread that happens to allocate."""

import gc
import threading
from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from distill.gui.window.gc_timer import GCTimer


@pytest.fixture
def collector(qapp: QApplication) -> Iterator[GCTimer]:
    gc.collect()
    gc.enable()
    made = GCTimer(qapp)
    yield made
    made.close()
    assert gc.isenabled()
    gc.disable()  # as between tests
    made.deleteLater()


def test_only_the_thread_of_the_window_destroys_widgets(collector: GCTimer, qtbot: QtBot) -> None:
    label = QLabel("garbage")
    destroyed_by: list[int] = []
    label.destroyed.connect(lambda: destroyed_by.append(threading.get_ident()))
    label.itself = label  # type: ignore[attr-defined]  # a cycle: only the collector frees it
    del label

    def allocate() -> None:
        for _ in range(50_000):
            cycle: list[object] = []
            cycle.append(cycle)

    thread = threading.Thread(target=allocate)
    thread.start()
    thread.join()
    assert not destroyed_by
    qtbot.waitUntil(lambda: len(destroyed_by) == 1, timeout=20_000)
    assert destroyed_by == [threading.get_ident()]
