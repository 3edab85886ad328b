"""The page for training in the smallest window: nothing is cut off, whatever it shows."""

from collections.abc import Iterator
from itertools import product

import pytest
from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFrame, QLabel, QMenu, QPushButton, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from distill.gui.engine.run_state import RunState
from distill.gui.widgets import theme
from distill.gui.widgets.labels import FewLinesLabel
from distill.gui.widgets.notices import Level, NoticeAction
from distill.gui.window.main_window import FIRST_SIZE, SMALLEST_SIZE, MainWindow, first_size
from distill.gui.window.top_bar import MODELS, PLAY, TRAINING
from tests.gui.conftest import close, make_window
from tests.gui.cut_off import cut_off
from tests.gui.fakes import FakeDevice, FakeEngine


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
    controls.show_state(RunState.IDLE)
    for can_finish, is_next in product((False, True), repeat=2):
        controls.show_can_resume(True, can_finish, is_next)
        yield f"a run that can be resumed, finished: {can_finish}, next: {is_next}"
    controls.show_can_resume(False)


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


@pytest.fixture(params=[16, 20], ids=["125 %", "150 %"])
def _large_text(request: pytest.FixtureRequest, qapp: QApplication) -> Iterator[None]:
    """Text as large as the system can be set to."""
    before, font = qapp.font(), qapp.font()
    font.setPixelSize(request.param)
    qapp.setFont(font)
    theme._sheet.cache_clear()
    yield
    qapp.setFont(before)
    theme._sheet.cache_clear()


def test_the_smallest_window_fits_on_the_screen_whatever_the_text(qapp: QApplication) -> None:
    before, font = qapp.font(), qapp.font()
    font.setPixelSize(60)
    qapp.setFont(font)
    try:
        smallest = [theme.roomy(length) for length in SMALLEST_SIZE]
    finally:
        qapp.setFont(before)
    available = qapp.primaryScreen().availableSize()
    assert SMALLEST_SIZE[0] < smallest[0] <= available.width() - theme.FRAME_SIZE[0]
    assert SMALLEST_SIZE[1] < smallest[1] <= available.height() - theme.FRAME_SIZE[1]


@pytest.mark.usefixtures("_large_text")
def test_nothing_is_cut_off_with_large_text(window: MainWindow, qapp: QApplication) -> None:
    window.resize(1, 1)  # as small as it gets
    assert found(window, qapp) == {}
    for page in (MODELS, PLAY):
        window.pages.open_page(page)
        for _ in range(3):  # a layout asks for the next one
            qapp.processEvents()
        assert cut_off(window) == []


def test_nothing_is_cut_off_with_sounds(loaded: MainWindow, qapp: QApplication, qtbot: QtBot) -> None:
    loaded.resize(*SMALLEST_SIZE)
    assert (loaded.width(), loaded.height()) == SMALLEST_SIZE
    view = loaded.browser.view
    model = view.model()
    bad = next(index for r in range(model.rowCount()) if (index := model.index(r, 0)).data() == "silent.wav")
    view.setCurrentIndex(bad)  # its reason is told below the list
    assert found(loaded, qapp) == {}


def places(window: MainWindow) -> dict[str, tuple[int, int, int, int]]:
    """Return where everything is that a hand may be on."""
    shown = {
        "list": window.browser.view if window.tabs.currentIndex() == 0 else window.run_list.view,
        "family": window.controls.family,
        "progress": window.controls.progress,
        "middle": window.center,
        "loss": window.plots.loss.widget,
        "play": window.transport.play,
        "volume": window.transport.volume,
        "pages": window.pages,
        "switch": window.pages.switch,
    }
    found = {}
    for name, widget in shown.items():
        corner = widget.mapTo(window, QPoint(0, 0))
        found[name] = (corner.x(), corner.y(), widget.width(), widget.height())
    return found


def settle(qapp: QApplication) -> None:
    for _ in range(3):  # a layout asks for the next one
        qapp.processEvents()


def area(widget: QWidget, window: MainWindow) -> QRect:
    return QRect(widget.mapTo(window, QPoint(0, 0)), widget.size())


def covered(window: MainWindow) -> list[str]:
    """Return what lies under the notice: menus, the switch of the pages, or the pages."""
    notice, bar = area(window.notices, window), window.menuBar()
    things = {action.text(): bar.actionGeometry(action) for action in bar.actions()}  # the bar is in the corner
    things |= {"switch": area(window.pages.switch, window), "pages": area(window.pages, window)}
    found = [name for name, place in things.items() if place.intersects(notice)]
    return found if area(bar, window).contains(notice) else [*found, "the edge of the row"]


def test_notices_take_no_room_of_the_pages(window: MainWindow, qapp: QApplication) -> None:
    window.resize(*SMALLEST_SIZE)
    settle(qapp)
    below = area(window.menuBar(), window).bottom() + 1
    assert area(window.pages, window).top() - below <= theme.GAP
    window.notices.notify("a", "Something has happened.")
    settle(qapp)
    assert window.notices.isVisible()
    assert area(window.pages, window).top() - below <= theme.GAP


@pytest.mark.parametrize("width", [SMALLEST_SIZE[0], 1280, 1680])
def test_a_notice_leaves_the_progress_of_the_training_visible(
    window: MainWindow, qapp: QApplication, width: int
) -> None:
    window.resize(width, 800)
    window.pages.show_page(PLAY)
    window.controls.show_progress(0.25)
    window.frame.show_status("Epoch 12 of 200 · 1 h 05 min left")
    window.notices.notify("a", "Something has happened.")
    settle(qapp)
    assert covered(window) == []
    is_beside = not area(window.frame.head.status, window).intersects(area(window.notices, window))
    assert is_beside == (width == 1680)
    button = window.findChild(QToolButton, "trainingPageButton")
    assert button is not None
    assert button.accessibleDescription() == "Epoch 12 of 200 · 1 h 05 min left"
    image, accent = button.grab().toImage(), theme.colors().accent
    line = [image.pixelColor(x, button.height() - 4).name() for x in range(button.width())]
    assert line.count(accent) == pytest.approx(0.25 * (button.width() - 28), abs=2)


def test_all_notices_are_read_and_answered_with_the_keys(window: MainWindow, qapp: QApplication, qtbot: QtBot) -> None:
    window.resize(*SMALLEST_SIZE)
    done: list[str] = []
    long = "A notice that is much longer than two lines of the window can be. " * 5
    window.notices.notify("disk", long, "error", NoticeAction("Choose…", lambda: done.append("chosen")))
    window.notices.notify("speed", "Short.", "warning")
    settle(qapp)
    everything = window.findChild(QToolButton, "allNoticesButton")
    assert everything is not None
    assert (everything.isVisible(), everything.text()) == (True, "2")
    view = next(menu for menu in window.menuBar().findChildren(QMenu) if "View" in menu.title())
    show = next(action for action in view.actions() if action.text() == "Show all notices")
    assert show.isEnabled()
    show.trigger()
    listed = window.findChild(QFrame, "noticeList")
    assert listed is not None
    qtbot.waitUntil(listed.isVisible)
    texts = [label.text() for label in listed.findChildren(QLabel)]
    assert texts == ["Short.", long]
    assert all(label.height() >= label.heightForWidth(label.width()) for label in listed.findChildren(QLabel))
    first = listed.focusWidget()
    assert isinstance(first, QPushButton)
    assert "Short." in first.accessibleName()
    QTest.keyClick(first, Qt.Key.Key_Space)
    assert window.notices.text() == long
    qtbot.waitUntil(lambda: len(listed.findChildren(QLabel)) == 1)  # the row is gone, the list stays
    answer = listed.findChild(QPushButton, "answerListed")
    assert answer is not None
    QTest.keyClick(answer, Qt.Key.Key_Space)
    assert done == ["chosen"]
    assert window.notices.isHidden()
    assert not show.isEnabled()
    qtbot.waitUntil(lambda: window.findChild(QFrame, "noticeList") is None)


def test_a_notice_is_announced_to_screen_readers(window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(QAccessible, "updateAccessibility", lambda event: said.append(event.message()))
    window.notices.notify("a", "Something has happened.")
    assert said == ["Something has happened."]


@pytest.mark.parametrize("size", [SMALLEST_SIZE, (1280, 800)])
def test_no_notice_moves_anything(window: MainWindow, qapp: QApplication, qtbot: QtBot, size: tuple[int, int]) -> None:
    window.resize(*size)
    qtbot.wait(100)
    before = places(window)
    long = "A notice that is much longer than two lines of the window can be. " * 12
    action = NoticeAction("Locate sounds…", lambda: None)
    levels: tuple[Level, ...] = ("info", "warning", "error")
    for text, level, does in product(("Short.", "As long as a line. " * 6, long, "word" * 200), levels, (None, action)):
        for topics in (("a",), ("a", "b", "c")):
            for topic in topics:
                window.notices.notify(topic, text, level, does)
            settle(qapp)
            assert places(window) == before, (text[:20], level, topics)
            assert covered(window) == []
            assert cut_off(window.notices) == []
        window.notices.forget_all()
        settle(qapp)
        assert places(window) == before


def test_what_does_not_fit_into_a_notice_is_in_its_tooltip(window: MainWindow, qapp: QApplication) -> None:
    window.resize(*SMALLEST_SIZE)
    label = window.findChild(FewLinesLabel, "noticeText")
    assert label is not None
    window.notices.notify("a", "Short <b>text</b>.")
    settle(qapp)
    assert label.shown_text() == "Short <b>text</b>."
    assert label.toolTip() == ""
    window.notices.notify("a", "A long text of many words. " * 30)
    settle(qapp)
    assert label.shown_text().endswith("…")
    assert label.text().startswith(label.shown_text()[:-1])
    assert label.toolTip().count("many words") == 30


def test_no_state_of_the_training_moves_anything(loaded: MainWindow, qapp: QApplication, qtbot: QtBot) -> None:
    loaded.resize(*SMALLEST_SIZE)
    controls = loaded.controls
    qtbot.wait(100)
    before = places(loaded)
    for state, can_resume, can_finish, text in product(
        RunState, (False, True), (False, True), ("", "Epoch 12 of 200 · 1 h 05 min left")
    ):
        controls.show_state(state)
        controls.show_can_resume(can_resume, can_finish, is_next=can_finish)
        controls.show_message(text)
        settle(qapp)
        assert places(loaded) == before, (state, can_resume, can_finish, text)
    controls.show_state(RunState.IDLE)


def test_no_sound_that_is_excluded_moves_the_list(loaded: MainWindow, qapp: QApplication, qtbot: QtBot) -> None:
    before = places(loaded)
    view = loaded.browser.view
    view.selectRow(0)
    view.actions_of_rows["exclude"].trigger()
    qtbot.wait(100)
    assert places(loaded) == before
    loaded.plots.loss.widget.moved.emit()  # "Show all" appears
    qtbot.wait(100)
    assert places(loaded) == before


@pytest.mark.parametrize(
    ("screen", "size"),
    [((2560, 1440), FIRST_SIZE), ((1366, 768), (1280, 732)), ((1024, 768), (1016, 732)), ((800, 600), SMALLEST_SIZE)],
)
def test_a_first_window_fits_on_its_screen(screen: tuple[int, int], size: tuple[int, int]) -> None:
    assert first_size(QSize(*screen)).toTuple() == size


def test_the_columns_are_those_of_the_user_after_starts_on_another_page(
    qtbot: QtBot, engine: FakeEngine, device: FakeDevice
) -> None:
    window = make_window(qtbot, engine, device)
    window.splitter.setSizes([500, 420, 300])
    chosen = window.splitter.sizes()
    window.pages.open_page(PLAY)
    close(qtbot, window)
    for opens in (False, True):
        window = make_window(qtbot, engine, device)
        assert window.pages.currentIndex() == PLAY
        if opens:
            window.pages.open_page(TRAINING)
            qtbot.waitUntil(window.splitter.isVisible)
            assert window.splitter.sizes() == pytest.approx(chosen, abs=2)
        close(qtbot, window)
