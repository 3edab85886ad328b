"""A kit is written to its end whatever is played meanwhile, unless the user stops it."""

import threading
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from distill.generation.kits import kit_sounds
from distill.generation.kits.kit_sounds import KitPlan
from distill.gui.play.presenter import PlayPresenter
from distill.gui.window.main_window import MainWindow
from tests.gui.play.conftest import WAIT, ToneSession, entry_of, idle

ONE_EACH = KitPlan(turns=1, layers=1)


class Gate:
    """Holds a kit up after its first sound."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_reached, self.go_on = threading.Event(), threading.Event()
        prepare = kit_sounds.sound_of_file

        def held(*args: Any) -> Any:
            self.is_reached.set()
            assert self.go_on.wait(10)
            return prepare(*args)

        monkeypatch.setattr(kit_sounds, "sound_of_file", held)


@pytest.fixture
def gate(
    play: PlayPresenter, session: ToneSession, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Gate:
    """A kit of one sound that is being written, and is held up."""
    made = Gate(monkeypatch)
    play.page.pads.hold(0, session.own)
    play.exports.export_kit(tmp_path / "kit", ONE_EACH)
    qtbot.waitUntil(made.is_reached.is_set, timeout=WAIT)
    return made


def test_a_click_on_the_map_does_not_drop_a_kit_that_waits(
    play: PlayPresenter, session: ToneSession, window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    play.page.pads.hold(0, session.own)
    session.go_on.clear()
    play.play_position((0.1, 0.5))
    play.exports.export_kit(tmp_path / "kit", ONE_EACH)
    play.play_position((0.2, 0.5))
    session.go_on.set()
    qtbot.waitUntil(lambda: "The kit is in kit" in window.notices.text(), timeout=WAIT)
    idle(play, qtbot)
    assert (tmp_path / "kit" / "kit.sfz").is_file()
    assert [request[0][0] for request in session.requests] == [0.1, 0.2]


def test_a_kit_is_told_of_although_another_model_was_chosen_meanwhile(
    play: PlayPresenter,
    session: ToneSession,
    window: MainWindow,
    qtbot: QtBot,
    tmp_path: Path,
    gate: Gate,
) -> None:
    play.show_model(entry_of(Path("other.distill")))
    gate.go_on.set()
    qtbot.waitUntil(lambda: "The kit is in kit" in window.notices.text(), timeout=WAIT)
    assert (tmp_path / "kit" / "kit.sfz").is_file()


def test_escape_stops_a_kit_and_leaves_nothing(
    play: PlayPresenter, session: ToneSession, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    play.page.pads.hold(0, session.own)
    play.page.pads.hold(1, session.own)
    play.exports.export_kit(tmp_path / "new" / "kit", ONE_EACH)
    qtbot.waitUntil(gate.is_reached.is_set, timeout=WAIT)
    assert "Esc" in play.page.status.text()
    QTest.keyClick(play.page, Qt.Key.Key_Escape)
    gate.go_on.set()
    qtbot.waitUntil(lambda: "Esc" not in play.page.status.text(), timeout=WAIT)
    idle(play, qtbot)
    assert not (tmp_path / "new").exists()


def test_escape_stops_what_is_generated_beside_a_kit_and_not_the_kit(
    play: PlayPresenter,
    session: ToneSession,
    window: MainWindow,
    qtbot: QtBot,
    tmp_path: Path,
    gate: Gate,
) -> None:
    session.go_on.clear()
    play.play_position((0.1, 0.5))
    qtbot.waitUntil(lambda: play.page.status.text() == "Generating…", timeout=WAIT)
    QTest.keyClick(play.page, Qt.Key.Key_Escape)
    session.go_on.set()
    qtbot.waitUntil(lambda: "Esc" in play.page.status.text(), timeout=WAIT)
    gate.go_on.set()
    qtbot.waitUntil(lambda: "The kit is in kit" in window.notices.text(), timeout=WAIT)
    assert play.page.history.sounds() == []


def test_a_kit_that_cannot_be_written_leaves_the_page_as_it_is(
    play: PlayPresenter, session: ToneSession, window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    play.show_model(entry_of(Path("old.distill")))  # it has no map
    qtbot.waitUntil(lambda: "This model has no map." in play.page.empty.text.text(), timeout=WAIT)
    idle(play, qtbot)
    play.page.pads.hold(0, session.own)
    (tmp_path / "a file").touch()
    play.exports.export_kit(tmp_path / "a file" / "kit", ONE_EACH)
    qtbot.waitUntil(lambda: "kit cannot be written" in window.notices.text(), timeout=WAIT)
    assert "This model has no map." in play.page.empty.text.text()
