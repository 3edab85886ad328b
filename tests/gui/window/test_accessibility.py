"""Names, tooltips and keys of all controls, contrast of all texts, and curves that can be told apart."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible, QColor, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractScrollArea,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QProgressBar,
    QScrollBar,
    QTabBar,
    QWidget,
)
from pytestqt.qtbot import QtBot

from distill import diagnostics
from distill.config.family_catalog import FAMILIES
from distill.gui.engine.run_state import RunState
from distill.gui.help.about_dialog import AboutDialog
from distill.gui.help.crash_dialog import CrashDialog
from distill.gui.help.keyboard_shortcuts import ShortcutsDialog, key_groups
from distill.gui.help.report_dialog import ReportDialog
from distill.gui.plots.plot_view import PlotView
from distill.gui.widgets import theme
from distill.gui.window.main_window import MainWindow
from distill.gui.window.top_bar import MODELS, PLAY, TRAINING
from distill.playback.player import Player, PlayerState
from distill.runs.preview_files import find_previews
from tests.gui.conftest import close, make_window
from tests.gui.fakes import FakeDevice, FakeEngine, make_previews

#: What a person works with.
CONTROLS = (
    QAbstractButton, QComboBox, QAbstractSpinBox, QLineEdit, QAbstractItemView, QAbstractSlider, QPlainTextEdit,
    QProgressBar, QTabBar, PlotView,
)  # fmt: skip
#: Parts of others, which Qt makes and speaks for.
PARTS = (QHeaderView, QScrollBar)


def controls(root: QWidget) -> Iterator[QWidget]:
    """Return all controls under a widget, also those that are hidden just now."""
    for widget in root.findChildren(QWidget):
        parent = widget.parentWidget()
        is_part = isinstance(widget, PARTS) or widget.objectName().startswith("qt_") or _is_in_popup(widget)
        is_part = is_part or isinstance(parent, (QAbstractSpinBox, QComboBox, QLineEdit, QTabBar, QAbstractItemView))
        is_unused = isinstance(widget, QAbstractButton) and widget.isHidden() and not (widget.text() or name_of(widget))
        if isinstance(widget, CONTROLS) and not is_part and not is_unused:
            yield widget


def _is_in_popup(widget: QWidget) -> bool:
    return widget.window().windowType() in (Qt.WindowType.Popup, Qt.WindowType.ToolTip)


def name_of(widget: QWidget) -> str:
    """Return the name that a screen reader says."""
    interface = QAccessible.queryAccessibleInterface(widget)
    return interface.text(QAccessible.Text.Name).strip() if interface is not None else ""


def describe(widget: QWidget) -> str:
    parent = widget.parentWidget()
    return f"{type(widget).__name__} {widget.objectName()!r} in {parent.objectName() if parent else ''!r}"


@pytest.fixture
def everything(loaded: MainWindow, tmp_path: Path) -> Iterator[list[QWidget]]:
    """Return the window with all that can be in it, and its dialogs."""
    make_previews(tmp_path / "previews", 0)
    loaded.previews.show_previews(find_previews(tmp_path / "previews"))
    loaded.notices.notify("a", "one")
    loaded.notices.notify("b", "two")
    loaded.controls.advanced.click()
    report = diagnostics.Report("Error: text", "Traceback", "a thread")
    dialogs = [
        AboutDialog(loaded),
        ShortcutsDialog(key_groups(loaded.menuBar(), loaded), loaded),
        CrashDialog(report, True, loaded),
        ReportDialog([report], loaded),
    ]
    yield [loaded, *dialogs]
    for dialog in dialogs:
        dialog.close()


def test_every_control_has_a_name_a_meaning_and_a_key(everything: list[QWidget]) -> None:
    window = everything[0]
    assert isinstance(window, MainWindow)
    problems: set[str] = set()
    for info in FAMILIES:  # each has settings of its own
        window.controls.choose(info.key, "auto", 0)
        for widget in (w for root in everything for w in controls(root)):
            if not name_of(widget):
                problems.add(f"{describe(widget)} has no accessible name")
            if not widget.toolTip():
                problems.add(f"{describe(widget)} has no tooltip")
            if not widget.objectName() and not isinstance(widget, QTabBar):
                problems.add(f"{describe(widget)} has no object name")
            is_read_only = isinstance(widget, QProgressBar)
            if not is_read_only and not widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
                problems.add(f"{describe(widget)} cannot be reached by Tab")
    assert sorted(problems) == []


def test_tab_walks_the_panels_one_after_the_other(loaded: MainWindow, tmp_path: Path) -> None:
    make_previews(tmp_path / "previews", 0)
    loaded.previews.show_previews(find_previews(tmp_path / "previews"))
    panels = [loaded.tabs, loaded.controls, loaded.center, loaded.plots, loaded.transport]
    walked: list[int] = []
    first: QWidget = loaded.tabs.tabBar()
    widget: QWidget | None = first
    while widget is not None:
        stops = widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.focusProxy() is None
        if stops and widget.isVisibleTo(loaded):
            walked += [n for n, panel in enumerate(panels) if panel.isAncestorOf(widget)]
        widget = widget.nextInFocusChain()
        if widget is first:
            break
    assert set(walked) == set(range(len(panels)))
    changes = [b for a, b in pairwise(walked) if a != b]
    assert [walked[0], *changes] == list(range(len(panels)))


# Keys alone.


def press(
    window: MainWindow, key: Qt.Key | str, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
) -> None:
    """Press a key, as the keyboard does: to whatever has the focus."""
    target = QApplication.focusWidget() or window
    if isinstance(key, str):
        QTest.keySequence(target, QKeySequence(key))
    else:
        QTest.keyClick(target, key, modifiers)


def tab_to(window: MainWindow, name: str) -> QWidget:
    for _ in range(60):
        focus = QApplication.focusWidget()
        if focus is not None and focus.objectName() == name:
            return focus
        press(window, Qt.Key.Key_Tab)
    raise AssertionError(f"Tab does not lead to {name}")


def stops_of(window: MainWindow) -> set[QWidget]:
    """Return what Tab has to lead to: all that takes the keyboard and is seen now."""
    return {
        widget
        for widget in window.findChildren(QWidget)
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and widget.focusProxy() is None
        and widget.isVisible()
        and widget.isEnabled()
    }


def walk(window: MainWindow, key: Qt.Key) -> list[QWidget]:
    """Press a key until it leads to where it began; return the stops in order."""
    visited: list[QWidget] = []
    for _ in range(200):
        press(window, key)
        focus = QApplication.focusWidget()
        assert focus is not None
        if focus in visited:
            break
        visited.append(focus)
    return visited


@pytest.mark.parametrize(
    "keys",
    [["Ctrl+Shift+T"], ["Ctrl+Shift+T", "Ctrl+,"], ["Ctrl+5"], ["Ctrl+Shift+M"], ["Ctrl+Shift+P"]],
    ids=["training", "advanced settings", "runs", "models", "play"],
)
def test_tab_leads_to_everything_that_is_seen(loaded: MainWindow, qtbot: QtBot, keys: list[str]) -> None:
    loaded.activateWindow()
    qtbot.waitUntil(loaded.isActiveWindow)
    for opener in keys:
        press(loaded, opener)
    for key in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
        visited = walk(loaded, key)
        missed = stops_of(loaded) - set(visited)
        assert sorted(describe(widget) for widget in missed) == []
        unseen = {widget for widget in visited if not widget.isVisible() or widget.visibleRegion().isEmpty()}
        unseen -= set(loaded.findChildren(PlotView))  # its viewport covers it
        assert sorted(describe(widget) for widget in unseen) == []


def access_keys(window: MainWindow) -> dict[str, list[str]]:
    """Return what each key with Alt leads to, of the menus and of what is seen now."""
    found: dict[str, list[str]] = defaultdict(list)
    labels = [(action.text(), "menu") for action in window.menuBar().actions()]
    for widget in window.findChildren(QWidget):
        is_access = isinstance(widget, QAbstractButton) or (isinstance(widget, QLabel) and widget.buddy() is not None)
        if is_access and widget.isVisible():
            labels.append((widget.text(), describe(widget)))  # type: ignore[attr-defined]
    for text, what in labels:
        key = QKeySequence.mnemonic(text)
        if not key.isEmpty():
            found[key.toString()].append(f"{what}: {text}")
    return found


@pytest.mark.parametrize("page", [TRAINING, MODELS, PLAY], ids=["training", "models", "play"])
@pytest.mark.parametrize("transforms", [False, True], ids=["new sounds", "transform"])
def test_no_access_key_leads_to_two_places(loaded: MainWindow, page: int, transforms: bool) -> None:
    """Of two with one key, Qt presses neither: it only moves the focus from one to the other."""
    panel = loaded.making.panel
    panel.new.show_stereo(makes_stereo=True)
    panel.modes[int(transforms)].setChecked(True)
    loaded.pages.open_page(page)
    found = access_keys(loaded)
    assert "Alt+F" in found
    assert {key: what for key, what in found.items() if len(what) > 1} == {}


def test_a_page_that_is_opened_by_key_takes_the_focus(loaded: MainWindow, qtbot: QtBot) -> None:
    loaded.activateWindow()
    qtbot.waitUntil(loaded.isActiveWindow)
    for keys in ("Ctrl+Shift+M", "Ctrl+Shift+T", "Ctrl+Shift+P", "Ctrl+Shift+T"):
        press(loaded, keys)
        focus, page = QApplication.focusWidget(), loaded.pages.currentWidget()
        assert focus is not None
        assert page is not None
        assert focus in stops_of(loaded), keys
        assert page.isAncestorOf(focus), keys


def test_the_check_of_the_sounds_gives_the_focus_back(loaded: MainWindow, qtbot: QtBot) -> None:
    loaded.activateWindow()
    qtbot.waitUntil(loaded.isActiveWindow)
    qtbot.waitUntil(loaded.browser.doctor.isVisible, timeout=20_000)
    loaded.browser.doctor.click()
    loaded.parts.doctor_panel.close_requested.emit()
    assert loaded.browser.doctor.hasFocus()


def test_the_keyboard_is_seen_in_the_list_of_sounds_and_in_a_plot(loaded: MainWindow, qtbot: QtBot) -> None:
    """Tab leads to a row that is not selected, and to a plot that has nothing to select."""
    loaded.activateWindow()
    qtbot.waitUntil(loaded.isActiveWindow)
    colour, sounds = QColor(theme.colors().second), loaded.browser.view
    views: tuple[QAbstractScrollArea, ...] = (sounds, loaded.plots.loss.widget)
    for view in views:
        view.setFocus()
        qtbot.waitUntil(view.hasFocus)
        area = sounds.visualRect(sounds.currentIndex()) if view is sounds else view.viewport().rect()
        middle, top = area.center().x(), area.top() + 1
        assert view.viewport().grab().toImage().pixelColor(middle, top) == colour
        loaded.controls.epochs.setFocus()
        qtbot.waitUntil(loaded.controls.epochs.hasFocus)
        assert view.viewport().grab().toImage().pixelColor(middle, top) != colour


def test_the_main_path_by_keyboard_alone(
    window: MainWindow, qtbot: QtBot, engine: FakeEngine, device: FakeDevice
) -> None:
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    tab_to(window, "demoButton")
    press(window, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: window.controls.start.isEnabled(), timeout=120_000)
    tab_to(window, "epochsSpin")
    press(window, "Ctrl+A")
    for key in (Qt.Key.Key_3, Qt.Key.Key_0, Qt.Key.Key_0):
        press(window, key)
    press(window, Qt.Key.Key_Tab)
    assert window.controls.epochs.value() == 300
    engine.step_seconds = 0.01
    tab_to(window, "startButton")
    press(window, Qt.Key.Key_Return)  # Space plays the sound that Tab has come by
    bridge = window.runs.bridge
    qtbot.waitUntil(lambda: window.previews.grid.rowCount() >= 2, timeout=20_000)
    press(window, "Ctrl+3")
    qtbot.waitUntil(window.previews.view.hasFocus)
    press(window, Qt.Key.Key_Up)
    player = window.playing.playback
    qtbot.waitUntil(lambda: player.status.state is PlayerState.PLAYING, timeout=5_000)
    assert player.status.path is not None
    assert player.status.path.name.startswith(("preview_epoch", "recon_epoch"))
    press(window, Qt.Key.Key_Escape)
    press(window, "Ctrl+Backspace")
    qtbot.waitUntil(lambda: player.status.state is PlayerState.IDLE, timeout=5_000)
    press(window, "Ctrl+.")
    qtbot.waitUntil(lambda: bridge.state is RunState.IDLE, timeout=10_000)
    made = len(bridge.history.epochs)
    press(window, "Ctrl+Shift+R")
    qtbot.waitUntil(lambda: len(bridge.history.epochs) > made, timeout=10_000)
    press(window, "Ctrl+Shift+.")
    qtbot.waitUntil(lambda: bridge.state is RunState.IDLE, timeout=10_000)
    assert engine.calls == ["train", "resume to None"]
    assert window.controls.start.property("primary")  # it is finished


# Colours.


def linear(color: str) -> NDArray[np.float64]:
    """Return red, green and blue as amounts of light, from 0 to 1 (IEC 61966-2-1)."""
    found = QColor(color)
    values = np.array([found.redF(), found.greenF(), found.blueF()])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two colours (WCAG 2.1), from 1 to 21."""
    dark, light = sorted(float(linear(c) @ (0.2126, 0.7152, 0.0722)) for c in (first, second))
    return (light + 0.05) / (dark + 0.05)


#: How a colour looks to people without one kind of cone, in linear light (Machado, Oliveira, Fernandes 2009, table 1).
VISION = {
    "all cones": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def lab(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a colour in CIELAB (D65), in which distances are about what an eye sees."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    t = to_xyz @ np.clip(light, 0, 1) / (0.95047, 1.0, 1.08883)
    x, y, z = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


THEMES = {"light": theme.LIGHT, "dark": theme.DARK}


@pytest.mark.parametrize("name", THEMES)
def test_texts_have_contrast(name: str) -> None:
    colors = THEMES[name]
    pairs = [
        (getattr(colors, text), getattr(colors, ground))
        for text in ("text", "muted")
        for ground in ("window", "surface", "hover", "accent_soft", "info", "warning", "error")
        if (text, ground) != ("muted", "warning")  # a notice's own text is never muted but for its count
    ]
    pairs += [(colors.accent_text, colors.accent), (colors.accent_text, colors.accent_hover)]
    pairs += [(getattr(colors, c), colors.surface) for c in ("accent", "good", "fair", "bad", "second", "third")]
    assert [(a, b, round(contrast(a, b), 2)) for a, b in pairs if contrast(a, b) < 4.5] == []


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("name", THEMES)
def test_curves_can_be_told_apart(name: str, vision: str) -> None:
    colors = THEMES[name]
    seen = {c: lab(VISION[vision] @ linear(getattr(colors, c))) for c in ("accent", "second", "third", "surface")}
    near = {(a, b): float(np.linalg.norm(seen[a] - seen[b])) for a, b in combinations(seen, 2)}
    assert {pair: round(d, 1) for pair, d in near.items() if d < 20} == {}  # 2 is about the least that can be seen


def test_the_keyboard_is_on_the_page_of_the_last_session(qtbot: QtBot, engine: FakeEngine, device: FakeDevice) -> None:
    """Qt gives the focus to the player's first button while the page is not built yet."""
    window = make_window(qtbot, engine, device)
    window.pages.open_page(MODELS)
    close(qtbot, window)
    window = MainWindow(engine, Player(open_output=device), in_steps=True)  # type: ignore[arg-type]
    window.show()
    window.activateWindow()
    qtbot.waitUntil(lambda: window.is_ready and window.isActiveWindow())

    def is_on_page() -> bool:
        focus = QApplication.focusWidget()
        return focus is not None and window.models_page.isAncestorOf(focus)

    qtbot.waitUntil(is_on_page)
    close(qtbot, window)
