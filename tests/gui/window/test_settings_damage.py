"""Settings that are damaged: the window says once which ones take their defaults."""

import json
from dataclasses import fields

from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from distill import paths
from distill.gui.window.settings_damage import damage_text
from distill.settings import WindowSettings
from tests.gui.conftest import close, make_window
from tests.gui.fakes import FakeDevice, FakeEngine


def said(qtbot: QtBot) -> str:
    """Open the window, and return what it says of its settings."""
    window = make_window(qtbot, FakeEngine(), FakeDevice())
    qtbot.waitUntil(lambda: window.is_ready, timeout=30_000)
    qtbot.wait(50)
    text = next((notice.message for notice in window.notices.notices if notice.topic == "settings"), "")
    close(qtbot, window)
    return text


def test_damaged_fields_are_named_once(qapp: QApplication, qtbot: QtBot) -> None:
    values = {"volume": "loud", "sound_list": 3, "sound_columns": [1], "epochs": 12}
    paths.settings_file().parent.mkdir(parents=True, exist_ok=True)
    paths.settings_file().write_text(json.dumps(values))
    assert said(qtbot) == "Some settings are damaged and take their defaults: columns of the list, volume."
    assert said(qtbot) == ""
    assert WindowSettings.load().epochs == 12


def test_a_damaged_file_is_said(qapp: QApplication, qtbot: QtBot) -> None:
    paths.settings_file().parent.mkdir(parents=True, exist_ok=True)
    paths.settings_file().write_text("{")
    assert said(qtbot).startswith("The settings are damaged and take their defaults.")
    assert said(qtbot) == ""


def test_each_field_has_a_name_of_its_own(qapp: QApplication) -> None:
    """Only what the window's layout is kept in is called so."""
    layout = {"side_tab", "page", "geometry", "columns"}
    called = {
        item.name
        for item in fields(WindowSettings)
        if item.name != "damaged" and "layout of the window" in damage_text(WindowSettings(damaged=(item.name,)))
    }
    assert called == layout
    assert damage_text(WindowSettings(damaged=("instrument",))).endswith("instrument.")


def test_whole_settings_say_nothing(qapp: QApplication, qtbot: QtBot) -> None:
    assert damage_text(WindowSettings()) == ""
    assert said(qtbot) == ""
