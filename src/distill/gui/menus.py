"""The menu bar: every action with its key."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QApplication, QMenu, QMessageBox, QWidget

from distill import __version__
from distill.gui import theme

if TYPE_CHECKING:
    from distill.gui.main_window import MainWindow

Keys = QKeySequence.StandardKey | str | None


def make_menus(window: "MainWindow") -> None:
    """Fill the window's menu bar."""
    bar, controls = window.menuBar(), window.controls
    file = bar.addMenu(window.tr("&File"))
    _add(file, window.tr("Choose folder of sounds…"), QKeySequence.StandardKey.Open, window.sounds.choose_folder)
    _add(file, window.tr("Use demo sounds"), None, window.sounds.use_demo_sounds)
    file.addSeparator()
    _add(file, window.tr("Open run…"), "Ctrl+Shift+O", window.runs.choose_run)
    file.addSeparator()
    quit_action = _add(file, window.tr("Quit"), QKeySequence.StandardKey.Quit, window.close)
    quit_action.setMenuRole(QAction.MenuRole.QuitRole)

    training = bar.addMenu(window.tr("Trai&ning"))
    for button, text, keys in (
        (controls.start, window.tr("Start"), "Ctrl+R"),
        (controls.stop, window.tr("Stop"), "Ctrl+."),
        (controls.resume, window.tr("Resume"), "Ctrl+Shift+R"),
    ):
        _add(training, text, keys, button.click)  # a disabled button does nothing when clicked

    playback = bar.addMenu(window.tr("Play&back"))
    _add(playback, window.tr("Play"), "Ctrl+Return", window.transport.play.click)
    _add(playback, window.tr("Stop"), "Ctrl+Backspace", window.transport.stop.click)

    view = bar.addMenu(window.tr("&View"))
    for text, keys, widget in (
        (window.tr("Go to sounds"), "Ctrl+1", window.browser.view),
        (window.tr("Go to training"), "Ctrl+2", controls.family),
        (window.tr("Go to previews"), "Ctrl+3", window.previews.view),
        (window.tr("Go to codes"), "Ctrl+4", window.plots.codebook.strip),
    ):
        _add(view, text, keys, _focuser(widget))

    view.addSeparator()
    _add_appearances(window, view.addMenu(window.tr("Appearance")))

    help_menu = bar.addMenu(window.tr("&Help"))
    about = _add(help_menu, window.tr("About Distill"), None, lambda: _show_about(window))
    about.setMenuRole(QAction.MenuRole.AboutRole)


def _add_appearances(window: QWidget, menu: QMenu) -> None:
    group = QActionGroup(menu)
    names = {
        theme.Appearance.SYSTEM: window.tr("As the system"),
        theme.Appearance.LIGHT: window.tr("Light"),
        theme.Appearance.DARK: window.tr("Dark"),
    }
    for appearance, name in names.items():
        action = _add(menu, name, None, partial(_choose_appearance, appearance))
        action.setCheckable(True)
        action.setChecked(appearance is theme.appearance())
        group.addAction(action)


def _choose_appearance(appearance: theme.Appearance) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    theme.install(app, appearance)


def _add(menu: QMenu, text: str, keys: Keys, action: Callable[[], object]) -> QAction:
    made = QAction(text, menu)
    if keys is not None:
        made.setShortcut(QKeySequence(keys))
    made.triggered.connect(lambda _checked=False: action())
    menu.addAction(made)
    return made


def _focuser(widget: QWidget) -> Callable[[], object]:
    return lambda: widget.setFocus()


def _show_about(window: QWidget) -> None:
    text = window.tr("<b>Distill {0}</b><br>Train a small audio model on your own sounds, and hear it learn.")
    box = QMessageBox(QMessageBox.Icon.NoIcon, window.tr("About Distill"), text.format(__version__), parent=window)
    box.open()
