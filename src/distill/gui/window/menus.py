"""The menu bar: every action with its key."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QAction, QActionGroup, QKeySequence, QUndoGroup
from PySide6.QtWidgets import QApplication, QMainWindow, QMenu, QTabWidget, QWidget

from distill import diagnostics
from distill.gui.help.about import AboutDialog
from distill.gui.help.report_dialog import open_report
from distill.gui.help.shortcuts_dialog import ShortcutsDialog
from distill.gui.sounds.recent_folders import RecentMenu
from distill.gui.widgets import theme
from distill.gui.widgets.desktop import reveal
from distill.gui.widgets.key_help import key_groups
from distill.gui.widgets.layout import give_focus
from distill.gui.window.composition import Parts
from distill.gui.window.frame import Frame
from distill.gui.window.pages import MODELS, PLAY, TRAINING, Pages

Keys = QKeySequence.StandardKey | str | None


def make_menus(window: QMainWindow, frame: Frame, parts: Parts, open_folder: Callable[[Path], object]) -> None:
    """Fill the window's menu bar."""
    bar, controls = window.menuBar(), frame.controls
    bar.clear()  # of the placeholder
    file = bar.addMenu(window.tr("&File"))
    list_sounds, sounds = partial(_list_sounds, frame), parts.sounds
    open_keys = QKeySequence.StandardKey.Open
    _add(file, window.tr("Choose folder of sounds…"), open_keys, partial(list_sounds, sounds.choose_folder))
    file.addMenu(RecentMenu(parts.recent, open_folder, file))
    _add(file, window.tr("Add folder of sounds…"), None, partial(list_sounds, sounds.choose_added_folder))
    _add(file, window.tr("Use demo sounds"), None, partial(list_sounds, sounds.use_demo_sounds))
    file.addSeparator()
    _add(file, window.tr("Open run…"), "Ctrl+Shift+O", partial(_open_run, frame, parts))
    _add(file, window.tr("Import models…"), "Ctrl+I", parts.models.choose_imports)
    file.addSeparator()
    curves = file.addMenu(window.tr("Export curves"))
    _add(curves, window.tr("Export picture…"), "Ctrl+Shift+S", parts.curves.save_picture)
    _add(curves, window.tr("Export steps as CSV…"), None, lambda: parts.curves.save_table("steps"))
    _add(curves, window.tr("Export epochs as CSV…"), None, lambda: parts.curves.save_table("epochs"))
    file.addSeparator()
    quit_action = _add(file, window.tr("Quit"), QKeySequence.StandardKey.Quit, window.close)
    quit_action.setMenuRole(QAction.MenuRole.QuitRole)

    _add_edit(window, frame, parts.undo_group, bar.addMenu(window.tr("&Edit")))

    training = bar.addMenu(window.tr("Trai&ning"))
    for button, text, keys in (
        (controls.start, window.tr("Start"), "Ctrl+R"),
        (controls.stop, window.tr("Pause"), "Ctrl+."),
        (controls.finish, window.tr("Finish now"), "Ctrl+Shift+."),
        (controls.resume, window.tr("Resume"), "Ctrl+Shift+R"),
        (controls.queue, window.tr("Add to the queue"), "Ctrl+Shift+A"),
    ):
        _follow(button, _add(training, text, keys, button.click))

    training.addSeparator()
    _add(training, window.tr("Advanced settings"), "Ctrl+,", partial(_toggle_advanced, frame, parts))

    playback = bar.addMenu(window.tr("Play&back"))
    # The text after the tab is only displayed: `PlayerKeys` handles the two keys.
    _add(playback, window.tr("Play or stop") + "\tSpace", "Ctrl+Return", parts.playing.play_or_stop)
    frame.transport.stop.setShortcut(QKeySequence("Ctrl+Backspace"))
    playback.addSeparator()
    playback.addAction(frame.transport.loop_action)
    switch = _add(
        playback, window.tr("Switch between original and model") + "\tB", None, parts.playing.playback.toggle_compare
    )
    _Follower(frame.transport.compare, switch, QWidget.isVisible)  # they are there while two sounds are compared
    playback.addSeparator()
    playback.addMenu(frame.transport.device_menu)

    view = bar.addMenu(window.tr("&View"))
    _add(view, window.tr("Training page"), "Ctrl+Shift+T", lambda: frame.pages.open_page(TRAINING))
    _add(view, window.tr("Models page"), "Ctrl+Shift+M", lambda: frame.pages.open_page(MODELS))
    _add(view, window.tr("Play page"), "Ctrl+Shift+P", lambda: frame.pages.open_page(PLAY))
    view.addSeparator()
    for text, keys, action in (
        (window.tr("Go to sounds"), "Ctrl+1", _focuser(frame.browser.view)),
        (window.tr("Go to training"), "Ctrl+2", _focuser(controls.family)),
        (window.tr("Go to previews"), "Ctrl+3", lambda: _go_to_previews(frame, parts)),
        (window.tr("Go to codes"), "Ctrl+4", _focuser(parts.plots.codebook.strip)),
        (window.tr("Go to runs"), "Ctrl+5", _focuser(parts.run_list)),
    ):
        _add(view, text, keys, action)
    _follow(frame.notices, _add(view, window.tr("Show all notices"), "Ctrl+6", frame.notices.show_all))

    view.addSeparator()
    _add_appearances(window, view.addMenu(window.tr("Appearance")))

    _add_help(window, frame, parts, bar.addMenu(window.tr("&Help")))


def _add_edit(window: QWidget, frame: Frame, stack: QUndoGroup, menu: QMenu) -> None:
    undo, redo = stack.createUndoAction(menu, window.tr("Undo")), stack.createRedoAction(menu, window.tr("Redo"))
    undo.setShortcuts(QKeySequence.StandardKey.Undo)
    redo.setShortcuts(QKeySequence.StandardKey.Redo)
    menu.addActions([undo, redo])
    menu.addSeparator()
    for name in (
        "exclude",
        "include",
        "remove",
        "copy",
    ):  # of the list, which has the keys
        menu.addAction(frame.browser.view.actions_of_rows[name])
    select_all = _add(menu, window.tr("Select all sounds"), None, frame.browser.view.selectAll)
    _Follower(frame.browser.view, select_all, QWidget.isVisible)
    menu.addSeparator()
    _add(menu, window.tr("Find sound"), QKeySequence.StandardKey.Find, _focuser(frame.browser.filter))


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
    entry = QAction(text, menu)
    if keys is not None:
        entry.setShortcut(QKeySequence(keys))
        entry.setAutoRepeat(False)  # a key that is held down acts once
    entry.triggered.connect(lambda _checked=False: action())
    menu.addAction(entry)
    return entry


class _Follower(QObject):
    """Enables an action while a widget is enabled, or visible, so that a menu offers only what is possible."""

    def __init__(self, widget: QWidget, action: QAction, state: Callable[[QWidget], bool]) -> None:
        super().__init__(action)
        self._widget, self._action, self._state = widget, action, state
        widget.installEventFilter(self)
        action.setEnabled(state(widget))

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """Take over the state."""
        if event.type() in (QEvent.Type.EnabledChange, QEvent.Type.Show, QEvent.Type.Hide):
            self._action.setEnabled(self._state(self._widget))
        return False


def _follow(button: QWidget, action: QAction) -> None:
    _Follower(button, action, QWidget.isEnabled)


def _focuser(widget: QWidget) -> Callable[[], object]:
    def focus() -> None:
        behind: QWidget | None = widget
        while behind is not None:  # bring the tab that it is on to the front
            parent = behind.parentWidget()
            tabs = parent.parentWidget() if parent is not None else None
            if isinstance(tabs, QTabWidget):
                tabs.setCurrentWidget(behind)
            elif isinstance(parent, Pages):
                parent.setCurrentWidget(behind)
            behind = parent
        give_focus(widget)

    return focus


def _go_to_previews(frame: Frame, parts: Parts) -> None:
    """Give the previews the focus, in place of what covers them."""
    frame.controls.advanced.setChecked(False)
    frame.browser.doctor.setChecked(False)
    _focuser(parts.previews.view)()


def _list_sounds(frame: Frame, action: Callable[[], object]) -> None:
    """Show the list of sounds, which may be on another page, and carry out what changes it."""
    frame.pages.show_page(TRAINING)
    frame.tabs.setCurrentWidget(frame.browser)
    action()


def _open_run(frame: Frame, parts: Parts) -> None:
    """Show the page of the run that is chosen."""
    frame.pages.show_page(TRAINING)
    parts.runs.choose_run()


def _toggle_advanced(frame: Frame, parts: Parts) -> None:
    """Show the advanced settings with the page that they are on; hide them only where they are seen."""
    if parts.advanced.isVisible():
        parts.advanced.done.click()
        return
    frame.pages.show_page(TRAINING)
    frame.controls.advanced.setChecked(True)
    give_focus(parts.advanced)


def _add_help(window: QMainWindow, frame: Frame, parts: Parts, menu: QMenu) -> None:
    def show_shortcuts() -> None:
        ShortcutsDialog(key_groups(window.menuBar(), window), window).open()

    keys = QKeySequence.StandardKey.HelpContents
    _add(menu, window.tr("Keyboard shortcuts…"), keys, show_shortcuts)
    _add(menu, window.tr("Open log folder"), None, lambda: reveal(diagnostics.log_file()))
    _add(menu, window.tr("Report a problem…"), None, lambda: open_report((), window, frame.notices))
    menu.addSeparator()
    menu.addAction(parts.updates.action)
    about = _add(menu, window.tr("About Distill"), None, lambda: AboutDialog(window).open())
    about.setMenuRole(QAction.MenuRole.AboutRole)
