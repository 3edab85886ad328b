"""The menu bar: every action with its key."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QAction, QActionGroup, QKeySequence, QUndoGroup
from PySide6.QtWidgets import QApplication, QMainWindow, QMenu, QTabWidget, QWidget

from distill import diagnostics
from distill.gui.desktop.show_in_folder import reveal
from distill.gui.help.about_dialog import AboutDialog
from distill.gui.help.keyboard_shortcuts import ShortcutsDialog, key_groups
from distill.gui.help.report_dialog import open_report
from distill.gui.sounds.recent_folders import RecentMenu
from distill.gui.widgets import theme
from distill.gui.widgets.focus import give_focus
from distill.gui.window.composition import Parts
from distill.gui.window.layout import Frame, Pages
from distill.gui.window.top_bar import MODELS, PLAY, TRAINING

#: Events of a widget after which something else may be possible.
_STATE_EVENTS = (
    QEvent.Type.EnabledChange, QEvent.Type.Show, QEvent.Type.Hide, QEvent.Type.ShowToParent, QEvent.Type.HideToParent,
)  # fmt: skip

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
    _follow(
        parts.run_list.other,
        _add(file, window.tr("Open run…"), "Ctrl+Shift+O", partial(_open_run, frame, parts)),
    )
    _add(file, window.tr("Import models…"), "Ctrl+I", parts.models.files.choose_imports)
    file.addSeparator()
    _add_exports(window, parts, file.addMenu(window.tr("Export curves")))
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

    _add_playback(window, frame, parts, bar.addMenu(window.tr("Play&back")))
    _add_view(window, frame, parts, bar.addMenu(window.tr("&View")))
    _add_help(window, frame, parts, bar.addMenu(window.tr("&Help")))


def _add_exports(window: QWidget, parts: Parts, menu: QMenu) -> None:
    curves = parts.curves
    actions = {
        "picture": _add(menu, window.tr("Export picture…"), "Ctrl+Shift+S", curves.export.save_picture),
        "steps": _add(menu, window.tr("Export steps as CSV…"), None, lambda: curves.export.save_table("steps")),
        "epochs": _add(menu, window.tr("Export epochs as CSV…"), None, lambda: curves.export.save_table("epochs")),
    }

    def update() -> None:
        for kind, action in actions.items():
            action.setEnabled(kind in parts.plots.exportable)
        menu.menuAction().setEnabled(bool(parts.plots.exportable))

    parts.plots.exportable_changed.connect(update)
    update()


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
    view, table = frame.browser.view, frame.browser.table
    select_all = _add(menu, window.tr("Select all sounds"), None, view.selectAll)
    seen = _Follower(select_all, lambda: view.isVisible() and view.model().rowCount() > 0, view)
    for signal in (view.model().rowsInserted, view.model().rowsRemoved, view.model().modelReset):
        signal.connect(seen.update)
    menu.addSeparator()
    find = _add(menu, window.tr("Find sound"), QKeySequence.StandardKey.Find, _focuser(frame.browser.filter))
    table.modelReset.connect(_Follower(find, lambda: bool(table.rows)).update)


def _add_playback(window: QWidget, frame: Frame, parts: Parts, menu: QMenu) -> None:
    toolbar = frame.transport
    # The text after the tab is only displayed: `PlayerKeys` handles the two keys.
    play = _add(menu, window.tr("Play or stop") + "\tSpace", "Ctrl+Return", parts.playing.play_or_stop)
    _Follower(play, lambda: toolbar.play.isEnabled() or toolbar.stop.isEnabled(), toolbar.play, toolbar.stop)
    toolbar.stop.setShortcut(QKeySequence("Ctrl+Backspace"))
    menu.addSeparator()
    menu.addAction(toolbar.loop_action)
    text = window.tr("Switch between original and model") + "\tB"
    switch = _add(menu, text, None, parts.playing.playback.toggle_compare)
    _Follower(switch, toolbar.compare.isVisible, toolbar.compare)  # visible while two sounds are compared
    menu.addSeparator()
    menu.addMenu(toolbar.device_menu)


def _add_view(window: QMainWindow, frame: Frame, parts: Parts, menu: QMenu) -> None:
    pages = frame.pages
    _add(menu, window.tr("Training page"), "Ctrl+Shift+T", lambda: pages.open_page(TRAINING))
    _add(menu, window.tr("Models page"), "Ctrl+Shift+M", lambda: pages.open_page(MODELS))
    _add(menu, window.tr("Play page"), "Ctrl+Shift+P", lambda: pages.open_page(PLAY))
    menu.addSeparator()
    _add(menu, window.tr("Go to sounds"), "Ctrl+1", _focuser(frame.browser))
    _add(menu, window.tr("Go to training"), "Ctrl+2", _focuser(frame.controls.family))
    _add(menu, window.tr("Go to previews"), "Ctrl+3", lambda: _go_to_previews(frame, parts))
    strip = parts.plots.codebook.strip
    codes = _add(menu, window.tr("Go to codes"), "Ctrl+4", lambda: _go_to_codes(parts))
    _Follower(codes, lambda: not strip.isHidden(), strip)  # also while what it is in is hidden: the action shows that
    _add(menu, window.tr("Go to runs"), "Ctrl+5", _focuser(parts.run_list))
    _follow(frame.notices, _add(menu, window.tr("Show all notices"), "Ctrl+6", frame.notices.show_all))
    menu.addSeparator()
    _add_appearances(window, menu.addMenu(window.tr("Appearance")))


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
    """Enables an action while something is possible, so that a menu offers nothing else.

    Parameters
    ----------
    action
        The action.
    is_possible
        Called whenever one of the widgets is enabled, disabled, shown or hidden, and by `update`.
    widgets
        What it depends on.
    """

    def __init__(self, action: QAction, is_possible: Callable[[], bool], *widgets: QWidget) -> None:
        super().__init__(action)
        self._action, self._is_possible = action, is_possible
        for widget in widgets:
            widget.installEventFilter(self)
        self.update()

    def update(self) -> None:
        """Take over the state."""
        self._action.setEnabled(self._is_possible())

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """Take over the state."""
        if event.type() in _STATE_EVENTS:
            self.update()
        return False


def _follow(button: QWidget, action: QAction) -> None:
    _Follower(action, button.isEnabled, button)


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


def _go_to_codes(parts: Parts) -> None:
    """Give the codes the focus, also where their plot is not among the chosen ones."""
    parts.plots.show_codes()
    _focuser(parts.plots.codebook.strip)()


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
    _add(menu, window.tr("Open log folder"), None, lambda: reveal(diagnostics.log_file(), window))
    _add(menu, window.tr("Report a problem…"), None, lambda: open_report((), window, frame.notices))
    menu.addSeparator()
    menu.addAction(parts.updates.action)
    about = _add(menu, window.tr("About Distill"), None, lambda: AboutDialog(window).open())
    about.setMenuRole(QAction.MenuRole.AboutRole)
