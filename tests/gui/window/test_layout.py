"""The page for training in the smallest window: nothing is cut off, whatever it shows."""

from collections.abc import Iterator

from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from distill.gui.engine.bridge import RunState
from distill.gui.widgets.notices import NoticeAction
from distill.gui.window.window import SMALLEST_SIZE, MainWindow
from tests.gui.cut_off import cut_off


def states(window: MainWindow) -> Iterator[str]:
    """Show the page in all that it can look like, with each family."""
    controls = window.controls
    controls.preset.setCurrentIndex(controls.preset.findData("conservative"))
    controls.epochs.setValue(controls.epochs.maximum())
    for tab in range(window.tabs.count()):
        window.tabs.setCurrentIndex(tab)
        for row in range(controls.family.count()):
            controls.family.setCurrentIndex(row)
            for is_advanced in (False, True):
                controls.advanced.setChecked(is_advanced)
                for state in RunState:
                    controls.show_state(state)
                    yield f"{window.tabs.tabText(tab)}, {controls.family_key}, advanced: {is_advanced}, {state}"


def found(window: MainWindow, qapp: QApplication) -> dict[str, list[str]]:
    problems = {}
    for state in states(window):
        for _ in range(3):  # a layout asks for the next one
            qapp.processEvents()
        if cut := [*cut_off(window.splitter), *cut_off(window.transport), *cut_off(window.notices)]:
            problems[state] = cut
    window.controls.show_state(RunState.IDLE)
    return problems


def test_nothing_is_cut_off_before_there_are_sounds(window: MainWindow, qapp: QApplication) -> None:
    window.resize(*SMALLEST_SIZE)
    assert found(window, qapp) == {}


def test_nothing_is_cut_off_with_sounds(loaded: MainWindow, qapp: QApplication, qtbot: QtBot) -> None:
    loaded.resize(*SMALLEST_SIZE)
    assert (loaded.width(), loaded.height()) == SMALLEST_SIZE
    view = loaded.browser.view
    model = view.model()
    bad = next(index for r in range(model.rowCount()) if (index := model.index(r, 0)).data() == "silent.wav")
    view.setCurrentIndex(bad)  # its reason is told below the list
    assert found(loaded, qapp) == {}


def test_a_notice_moves_nothing(window: MainWindow, qapp: QApplication, qtbot: QtBot) -> None:
    window.resize(*SMALLEST_SIZE)
    tops = []
    for text in ("", "A short notice.", "A notice that is as long as two lines. " * 8, ""):
        window.notices.forget_all()
        if text:
            window.notices.notify("test", text, "info", NoticeAction("Open", lambda: None))
        qtbot.wait(100)
        tops.append(window.splitter.mapTo(window, window.splitter.rect().topLeft()).y())
    assert tops[0] == tops[1] == tops[3]
    assert tops[2] > tops[0]  # what is longer than a line is told all the same
