"""Which of the user's own sounds a preview was made from is said wherever one asks."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QLineEdit
from pytestqt.qtbot import QtBot

from distill.gui.background_tasks import BackgroundTask
from distill.gui.previews.stars import read_stars
from distill.gui.widgets.labels import ElidedLabel
from distill.gui.window.main_window import MainWindow
from distill.runs.preview_files import BEFORE_FOLDER, find_previews
from distill.runs.run_record import RunRecord
from distill.training import TrainingConfig
from tests.gui.fakes import FakeDevice, make_previews
from tests.gui.previews.test_previews import cell, table

Role = Qt.ItemDataRole
#: Of the file that was held out.
NAME = "my kick, as it came out of the old box with the broken cable.wav"
#: Column of the first held-out sound in the previews of `make_previews`: a new sound comes first.
PAIR = 1


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that has held out a kick."""
    folder = tmp_path / "drums"
    make_previews(folder / "previews", 4)
    RunRecord(TrainingConfig(), [], preview_sounds=[tmp_path / NAME]).save(folder)
    return folder


def said(window: MainWindow, role: Role) -> dict[str, str]:
    model, strip = table(window).model(), window.previews.table.strip.model()
    return {
        "heading": strip.headerData(PAIR, Qt.Orientation.Horizontal, role),
        "original": strip.index(0, PAIR).data(role),
        "copy": model.index(0, PAIR).data(role),
    }


def test_what_a_preview_was_made_from_is_said(window: MainWindow, run: Path, tmp_path: Path, qtbot: QtBot) -> None:
    window.previews.show_previews(find_previews(run / "previews"))
    qtbot.waitUntil(lambda: NAME in said(window, Role.ToolTipRole)["heading"])
    assert all(NAME in text for text in said(window, Role.ToolTipRole).values())
    assert said(window, Role.AccessibleTextRole)["heading"] == f"{NAME}, held out"
    beginning, state = said(window, Role.DisplayRole)["heading"].split("\n")
    assert beginning.startswith("my kick")
    assert "\N{HORIZONTAL ELLIPSIS}" in beginning, "a long name is shortened"
    assert state == "held out"
    assert "my kick" not in cell(window, 0, 0).data(Role.ToolTipRole)  # a new sound was made from none

    name = window.transport.findChild(ElidedLabel)
    assert name is not None
    copy = run / "previews" / "recon_epoch0004_recon_00.wav"
    window.playing.play(copy)
    qtbot.waitUntil(lambda: name.text() == f"{NAME}, epoch 5")
    elsewhere = make_previews(tmp_path / "other" / "previews", 4)[1]
    window.playing.play(elsewhere)
    qtbot.waitUntil(lambda: name.text() == "Sound 1, epoch 5")  # of another run nothing is known

    sound = window.previews.grid.sound_at(window.previews.grid.index(0, PAIR))
    window.previews.saving_requested.emit(sound)
    dialog = window.findChild(QFileDialog, "saveCopyDialog")
    assert dialog is not None
    proposed = dialog.findChild(QLineEdit)
    assert proposed is not None
    assert proposed.text() == f"drums {Path(NAME).stem} epoch 5.wav"
    dialog.reject()


def test_a_sound_is_named_as_soon_as_its_run_makes_one(window: MainWindow, run: Path, qtbot: QtBot) -> None:
    sounds = find_previews(run / "previews")
    window.previews.add(next(sound.path for sound in sounds if not sound.slot.is_pair))
    window.previews.add(next(sound.path for sound in sounds if sound.original() is not None))
    qtbot.waitUntil(lambda: NAME in said(window, Role.ToolTipRole)["heading"])
    for number in range(1, 4):  # the columns share the panel's width all the same
        window.previews.add(run / "previews" / f"preview_epoch0004_{number:02d}.wav")
    assert table(window).model().columnCount() == 5
    qtbot.waitUntil(lambda: table(window).visualRect(cell(window, 0, 4)).isValid())
    qtbot.waitUntil(lambda: table(window).horizontalScrollBar().maximum() == 0)


@pytest.mark.parametrize("record", ["", "{", '{"version": 99}'])
def test_previews_without_a_record_keep_their_number(
    window: MainWindow, tmp_path: Path, record: str, qtbot: QtBot
) -> None:
    folder = tmp_path / "old run"
    make_previews(folder / "previews", 0)
    (folder / "run.json").write_text(record)
    window.previews.show_previews(find_previews(folder / "previews"))
    assert window.findChild(BackgroundTask, "previewSources") is not None
    qtbot.waitUntil(lambda: window.findChild(BackgroundTask, "previewSources") is None)
    assert said(window, Role.AccessibleTextRole)["heading"] == "Sound 1"
    assert "Sound 1<br>Original" in said(window, Role.ToolTipRole)["original"]
    assert "copy of sound 1, which is held out" in said(window, Role.ToolTipRole)["copy"]
    assert not window.notices.isVisible()


def test_what_the_model_was_before_training_is_the_first_row(
    window: MainWindow, tmp_path: Path, device: FakeDevice, qtbot: QtBot
) -> None:
    folder = tmp_path / "run" / "previews"
    make_previews(folder / BEFORE_FOLDER, 0)
    make_previews(folder, 0)
    RunRecord(TrainingConfig(), [], preview_sounds=[tmp_path / NAME], preview_training=[0]).save(folder.parent)
    window.previews.show_previews(find_previews(folder))
    model = table(window).model()
    assert [model.headerData(row, Qt.Orientation.Vertical) for row in range(2)] == ["Start", "1"]
    assert model.headerData(0, Qt.Orientation.Vertical, Role.ToolTipRole) == "Before training"
    assert cell(window, 0, PAIR).data(Role.AccessibleTextRole) == "Sound 1, before training"
    qtbot.waitUntil(lambda: f"copy of {NAME}, which it is trained on" in cell(window, 0, PAIR).data(Role.ToolTipRole))
    assert "is trained on this sound" in said(window, Role.ToolTipRole)["heading"]
    assert said(window, Role.DisplayRole)["heading"].endswith("\ntrained")
    table(window).setCurrentIndex(cell(window, 0, PAIR))
    table(window).activated.emit(cell(window, 0, PAIR))
    before = folder / BEFORE_FOLDER / "recon_epoch0000_recon_00.wav"
    qtbot.waitUntil(lambda: window.playing.playback.status.path == before)
    name = window.transport.findChild(ElidedLabel)
    assert name is not None
    assert name.text() == f"{NAME}, before training"
    QTest.keyClick(table(window), Qt.Key.Key_S)  # its star is its own, not that of epoch 1
    qtbot.waitUntil(lambda: window.previews.grid.starred == {before})
    qtbot.waitUntil(lambda: read_stars(folder) == {f"{BEFORE_FOLDER}/{before.name}"})


def test_cells_are_large_enough_to_see_and_to_click(window: MainWindow, run: Path, qtbot: QtBot) -> None:
    window.previews.show_previews(find_previews(run / "previews"))
    qtbot.waitUntil(lambda: table(window).visualRect(cell(window, 0, 0)).isValid())
    rect = table(window).visualRect(cell(window, 0, 0))
    assert rect.height() >= 56
    assert rect.width() >= 100
    assert window.previews.width() > window.plots.width(), "previews have the centre"
