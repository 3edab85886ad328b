"""What pads hold is kept for each model, across restarts and other models."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from distill import paths
from distill.generation.map.newness import CLOSE, Verdict
from distill.gui.play.pads import stored_pads
from distill.gui.play.pads.pad_undo import PadState
from distill.gui.play.pads.stored_pads import EMPTY, read_pads, write_pads
from distill.gui.play.presenter import PlayPresenter
from distill.gui.play.sound_verdicts import KeptVerdict
from distill.gui.window.main_window import MainWindow
from distill.gui.window.top_bar import PLAY
from distill.library.model_entry import ModelEntry
from tests.gui.conftest import close, make_window
from tests.gui.fakes import FakeDevice, FakeEngine, tone
from tests.gui.play.conftest import WAIT, ToneSession, entry_of, idle


@pytest.fixture
def held(tmp_path: Path) -> list[Path]:
    """Sixteen files."""
    files = [tmp_path / f"held {number}.wav" for number in range(16)]
    for file in files:
        soundfile.write(file, tone(0.1), 48_000)
    return files


def test_a_file_that_cannot_be_read_now_is_not_replaced(held: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    states = [PadState(file, 0) for file in held]
    write_pads("bells", states)

    def fail(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(stored_pads, "read_json", fail)
        write_pads("other", states[:1] + [EMPTY] * 15)
        assert read_pads("bells").states == [EMPTY] * 16
    assert read_pads("bells").states == states


def arrange(play: PlayPresenter, files: list[Path]) -> None:
    for number, file in enumerate(files):
        play.page.pads.pads[number].sound_given.emit(file)  # as a drop does


def open_model(play: PlayPresenter, entry: ModelEntry, qtbot: QtBot) -> None:
    play.show_model(entry)
    idle(play, qtbot)


def test_pads_come_back_after_a_restart(
    play: PlayPresenter, window: MainWindow, held: list[Path], qtbot: QtBot, engine: FakeEngine, device: FakeDevice
) -> None:
    arrange(play, held)
    QTest.keyClick(play.page.pads.pads[2], Qt.Key.Key_G)
    QTest.keyClick(play.page.pads.pads[5], Qt.Key.Key_Delete)
    close(qtbot, window)
    held[7].unlink()
    again = make_window(qtbot, engine, device)
    qtbot.waitUntil(lambda: again.findChild(PlayPresenter) is not None, timeout=WAIT)
    found = again.findChild(PlayPresenter)
    assert isinstance(found, PlayPresenter)
    again.pages.open_page(PLAY)
    open_model(found, entry_of(Path("bells.distill")), qtbot)
    pads = found.page.pads.pads
    assert [pad.sound for pad in pads] == [None if n in (5, 7) else file for n, file in enumerate(held)]
    assert [pad.choke_group for pad in pads] == [0, 0, 1] + [0] * 13
    assert again.notices.text() == "", "a file that is gone leaves its pad empty without a word"
    assert found._control.board.strike_pad(0, 100), "they can be played, too"
    close(qtbot, again)


def test_each_model_has_pads_of_its_own(play: PlayPresenter, held: list[Path], qtbot: QtBot) -> None:
    bells, drums, shown = entry_of(Path("bells.distill")), entry_of(Path("drums.distill")), play.page.pads
    arrange(play, held[:4])
    shown.pads[0].group_chosen.emit(3)
    play.show_model(drums)
    assert shown.sounds() == [], "pads of another model are never shown"
    idle(play, qtbot)
    assert [(pad.sound, pad.choke_group) for pad in shown.pads] == [(None, 0)] * 16
    arrange(play, held[8:10])
    open_model(play, bells, qtbot)
    assert shown.sounds() == held[:4]
    assert shown.pads[0].choke_group == 3
    open_model(play, drums, qtbot)
    assert shown.sounds() == held[8:10]
    play.show_model(bells)
    play.show_model(drums)  # before the pads of the other model were read
    idle(play, qtbot)
    assert shown.sounds() == held[8:10]


def test_the_pads_of_a_model_that_is_not_open_follow_a_renamed_sound(
    play: PlayPresenter, held: list[Path], qtbot: QtBot
) -> None:
    stat = held[1].stat()
    verdict = KeptVerdict(Verdict(CLOSE, "bell", held[0]), stat.st_size, stat.st_mtime_ns, 0)
    write_pads("drums", [PadState(held[0], 2), PadState(held[1], 0), *[EMPTY] * 14], {held[1]: verdict})
    renamed = [file.rename(file.with_name(f"gong {number}.wav")) for number, file in enumerate(held[:2])]
    for before, path in zip(held, renamed, strict=False):
        play.follow_file(before, path)
    open_model(play, entry_of(Path("drums.distill")), qtbot)
    assert play.page.pads.sounds() == renamed
    assert play.page.pads.pads[0].choke_group == 2
    assert read_pads("drums").verdicts == {renamed[1]: verdict}


def test_a_sound_on_a_disk_that_is_away_comes_back_to_its_pad(
    play: PlayPresenter, held: list[Path], tmp_path: Path, qtbot: QtBot
) -> None:
    other, drums = entry_of(Path("other.distill")), entry_of(Path("drums.distill"))
    disk = tmp_path / "disk"
    disk.mkdir()
    away = [file.rename(disk / file.name) for file in held[:3]]
    write_pads("drums", [*(PadState(file, 3) for file in away), PadState(held[3], 0), *[EMPTY] * 12])
    held[3].unlink()
    disk.rename(tmp_path / "not connected")
    open_model(play, drums, qtbot)
    pads = play.page.pads
    assert pads.sounds() == []
    pads.pads[2].sound_given.emit(held[5])
    pads.pads[1].group_chosen.emit(1)
    open_model(play, other, qtbot)
    (tmp_path / "not connected").rename(disk)
    soundfile.write(held[3], tone(0.1), 48_000)
    open_model(play, drums, qtbot)
    assert [(pad.sound, pad.choke_group) for pad in pads.pads[:4]] == [
        (away[0], 3), (away[1], 1), (held[5], 3), (None, 0),
    ], "a sound that was removed does not come back: this one may be another of its name"  # fmt: skip


def test_pads_are_written_soon_and_once(
    play: PlayPresenter, held: list[Path], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    original = stored_pads.write_pads

    def write(model_id: str, states: list[PadState], verdicts: Mapping[Path, KeptVerdict]) -> None:
        original(model_id, states, verdicts)
        written.append(model_id)

    monkeypatch.setattr(stored_pads, "write_pads", write)
    arrange(play, held)
    qtbot.waitUntil(lambda: bool(written), timeout=WAIT)
    assert written == ["bells"]
    assert [state.sound for state in read_pads("bells").states] == held


def test_a_model_that_is_written_again_is_opened_again_with_its_pads(
    play: PlayPresenter, held: list[Path], qtbot: QtBot
) -> None:
    write_pads("run", [PadState(held[0], 1), *[EMPTY] * 15])
    open_model(play, entry_of(Path("run.distill")), qtbot)
    assert play.page.pads.sounds() == held[:1]
    first = play.page.map.shown
    changed = entry_of(Path("run.distill"))
    object.__setattr__(changed, "mtime_ns", 5)
    open_model(play, changed, qtbot)
    assert play.page.map.shown is not first
    assert play.page.pads.sounds() == held[:1]


def test_damaged_pads_cost_only_themselves(held: list[Path]) -> None:
    write_pads("bells", [PadState(held[0], 2), PadState(held[1], 0), *[EMPTY] * 14])
    file = paths.data_dir() / "pads.json"
    data = json.loads(file.read_text())
    data["models"]["bells"] += [
        7, {"pad": 99, "path": str(held[2])}, {"pad": 4, "path": 5, "group": 1},
        {"pad": 5, "path": str(held[5]), "group": "x"}, {"pad": 6, "path": "a\0b"}, {"pad": True, "path": str(held[2])},
    ]  # fmt: skip
    data["models"]["odd"] = {"pad": 1}
    file.write_text(json.dumps(data))
    expected = {0: PadState(held[0], 2), 1: PadState(held[1], 0), 4: PadState(None, 1), 5: PadState(held[5], 0)}
    assert read_pads("bells").states == [expected.get(number, EMPTY) for number in range(16)]
    assert read_pads("odd").states == [EMPTY] * 16
    write_pads("other", [PadState(held[3], 0), *[EMPTY] * 15])
    assert read_pads("bells").states[5].sound == held[5], "the other models keep theirs"
    file.write_text("{")
    assert read_pads("bells").states == [EMPTY] * 16


def test_the_pads_of_the_latest_models_are_kept(held: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_pads, "MODELS", 2)
    states = [PadState(held[0], 0), *[EMPTY] * 15]
    for model_id in ("a", "b", "a", "c"):
        write_pads(model_id, states)
    assert read_pads("b").states == [EMPTY] * 16
    assert read_pads("a").states == read_pads("c").states == states
    write_pads("a", [EMPTY] * 16)
    assert list(json.loads((paths.data_dir() / "pads.json").read_text())["models"]) == ["c"]


def reopened(
    qtbot: QtBot, engine: FakeEngine, device: FakeDevice, entry: ModelEntry
) -> tuple[MainWindow, PlayPresenter]:
    """Return a window as after a restart, with the map of a model."""
    again = make_window(qtbot, engine, device)
    qtbot.waitUntil(lambda: again.findChild(PlayPresenter) is not None, timeout=WAIT)
    found = again.findChild(PlayPresenter)
    assert isinstance(found, PlayPresenter)
    again.pages.open_page(PLAY)
    open_model(found, entry, qtbot)
    qtbot.waitUntil(lambda: found.page.map.shown is not None, timeout=WAIT)
    return again, found


def put_generated_on_pads(play: PlayPresenter, qtbot: QtBot) -> Path:
    """Put a generated sound on the first pad, wait for the verdict on it, and return it."""
    play.play_position((0.3, 0.3))
    idle(play, qtbot)
    play.page.pads.strike(0)
    qtbot.waitUntil(lambda: play.page.sound.verdict.text().startswith("New"), timeout=WAIT)
    assert play.current is not None
    return play.current


def test_a_sound_on_a_pad_keeps_its_verdict_and_its_comparison(
    play: PlayPresenter,
    window: MainWindow,
    session: ToneSession,
    held: list[Path],
    qtbot: QtBot,
    engine: FakeEngine,
    device: FakeDevice,
) -> None:
    sound = put_generated_on_pads(play, qtbot)
    arrange(play, [sound, held[0]])
    open_model(play, entry_of(Path("drums.distill")), qtbot)  # just after that
    open_model(play, entry_of(Path("bells.distill")), qtbot)
    play.page.pads.strike(0)
    assert play.page.sound.verdict.text() == "New. Sounds most like bell <0>", "also after another model"
    close(qtbot, window)
    again, found = reopened(qtbot, engine, device, entry_of(Path("bells.distill")))
    shown, compare = found.page.sound.verdict, found.page.sound.compare
    QTest.mouseClick(found.page.pads.pads[1], Qt.MouseButton.LeftButton)
    assert (shown.text(), compare.isVisible()) == ("", False), "of a sound from elsewhere nothing is known"
    QTest.mouseClick(found.page.pads.pads[0], Qt.MouseButton.LeftButton)
    assert (shown.text(), compare.isVisible()) == ("New. Sounds most like bell <0>", True)
    compare.click()
    playback = found._player.playback
    qtbot.waitUntil(lambda: playback.status.pair == (sound, session.own), timeout=WAIT)
    found.follow_file(sound, sound.rename(sound.with_name("Gong.wav")))
    assert shown.text() == "New. Sounds most like bell <0>"
    close(qtbot, again)
    session.own.unlink()
    last, found = reopened(qtbot, engine, device, entry_of(Path("bells.distill")))
    QTest.mouseClick(found.page.pads.pads[0], Qt.MouseButton.LeftButton)
    shown, compare = found.page.sound.verdict, found.page.sound.compare
    assert (shown.text(), compare.isVisible()) == ("New. Sounds most like bell <0>", False), "it cannot be heard"
    close(qtbot, last)


@pytest.mark.parametrize("change", ["sound", "model"])
def test_a_kept_verdict_goes_with_the_files_that_it_was_given_for(
    play: PlayPresenter, window: MainWindow, qtbot: QtBot, engine: FakeEngine, device: FakeDevice, change: str
) -> None:
    sound, entry = put_generated_on_pads(play, qtbot), entry_of(Path("bells.distill"))
    close(qtbot, window)
    if change == "sound":
        soundfile.write(sound, tone(0.4), 48_000)
    else:
        entry = replace(entry, mtime_ns=7)
    again, found = reopened(qtbot, engine, device, entry)
    QTest.mouseClick(found.page.pads.pads[0], Qt.MouseButton.LeftButton)
    assert found.current == sound
    assert found.page.sound.verdict.text() == ""
    close(qtbot, again)


def test_old_files_and_damaged_verdicts_cost_no_pad(held: list[Path]) -> None:
    good = {"word": "close", "name": "bell", "file": None, "size": 1, "changed_ns": 2, "model_changed_ns": 3}
    wrong = [
        None, 7, {**good, "word": "better"}, {**good, "name": 3}, {**good, "size": "1"}, {**good, "changed_ns": None},
        {**good, "model_changed_ns": 1.5}, {**good, "name": "x" * 5000}, {},
    ]  # fmt: skip
    file = paths.data_dir() / "pads.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    old = [{"pad": number, "path": str(held[number]), "group": 1} for number in range(16)]
    file.write_text(json.dumps({"version": 1, "models": {"bells": old}}))
    assert [state.sound for state in read_pads("bells").states] == held
    assert read_pads("bells").verdicts == {}
    for number, verdict in enumerate([*wrong, good, {**good, "file": "a\0b"}]):
        old[number]["verdict"] = verdict
    file.write_text(json.dumps({"version": 1, "models": {"bells": old}}))
    expected = KeptVerdict(Verdict(CLOSE, "bell", None), 1, 2, 3)
    kept = read_pads("bells")
    assert [state.sound for state in kept.states] == held
    assert kept.verdicts == {held[len(wrong)]: expected, held[len(wrong) + 1]: expected}
    write_pads("other", [PadState(held[3], 0), *[EMPTY] * 15])
    assert read_pads("bells") == kept, "the other models keep theirs"
