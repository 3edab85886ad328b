"""The columns of a new run are there before its first sound, and the rows say how much has changed."""

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QRect, Qt
from pytestqt.qtbot import QtBot

from distill.audio.export import write_wav
from distill.config.family_catalog import FAMILIES, family_info
from distill.gui.previews.model import PreviewModel, StarredRows
from distill.gui.previews.panel import PreviewPanel
from distill.runs.preview_files import PAIRS, SAMPLES, PreviewSound
from tests.gui.fakes import tone

NAMES = (
    *(f"preview_epoch{{0:04}}_{n:02}.wav" for n in range(SAMPLES)),
    *(f"recon_epoch{{0:04}}_recon_{n:02}.wav" for n in range(PAIRS)),
)


def write_epoch(folder: Path, epoch: int) -> list[Path]:
    """Write the previews of an epoch in the order in which a run writes them; return those that are told."""
    folder.mkdir(exist_ok=True)
    paths = [folder / name.format(epoch) for name in NAMES]
    for path in paths:
        for target in {path, path.with_name(path.name.replace("_recon_", "_orig_"))}:
            write_wav(target, tone(0.1))
    return paths


def places(panel: PreviewPanel) -> dict[str, QRect]:
    """Return where the first cell, the headings and the originals are."""
    view, strip = panel.table.view, panel.table.strip
    found = {"cell": view.visualRect(view.model().index(0, 0)), "strip": strip.geometry(), "grid": view.geometry()}
    for column in range(view.model().columnCount()):
        left, width = view.columnViewportPosition(column), view.columnWidth(column)
        found[f"column {column}"] = QRect(left, 0, width, 1)
    return found


@pytest.mark.parametrize("family", [info.key for info in FAMILIES])
def test_nothing_moves_while_the_first_previews_come(qtbot: QtBot, tmp_path: Path, family: str) -> None:
    info = family_info(family)
    panel = PreviewPanel()
    qtbot.addWidget(panel)
    panel.resize(560, 480)
    panel.expect_previews(info)
    with qtbot.waitExposed(panel):
        panel.show()
    assert panel.empty.isVisible()
    told = write_epoch(tmp_path / "previews", 0)
    told = told if info.makes_new_sounds else told[SAMPLES:]
    seen = []
    for path in told:
        panel.add(path)
        qtbot.wait(20)
        seen.append(places(panel))
    panel.grid.sources.changed.emit()  # the names come later
    seen.append(places(panel))
    assert seen == [seen[0]] * (len(told) + 1)
    assert panel.grid.sound_count == len(told)
    panel.thumbnails.close()


def test_the_rows_say_how_far_the_loss_has_fallen(tmp_path: Path, qtbot: QtBot) -> None:
    grid = PreviewModel()
    sounds = [PreviewSound.from_path(tmp_path / f"preview_epoch{epoch:04}_00.wav") for epoch in (0, 4, 9)]
    grid.set_previews([sound for sound in sounds if sound is not None])

    def headings(role: Qt.ItemDataRole = Qt.ItemDataRole.DisplayRole) -> list[str]:
        return [str(grid.headerData(row, Qt.Orientation.Vertical, role)) for row in range(grid.rowCount())]

    assert headings() == ["1", "5", "10"]
    with qtbot.waitSignal(grid.headerDataChanged):
        grid.set_losses({0: 0.5, 4: 0.25, 9: 0.26})
    assert headings() == ["1", "5\n\N{MINUS SIGN}50 %", "10\n+4 %"]
    assert headings(Qt.ItemDataRole.ToolTipRole)[1] == (
        "Epoch 5: the loss on held-out sounds is 50 % of that of the row above."
    )
    assert np.isclose(grid.change_of(1) or 0, -0.5)
    grid.set_losses({0: 0.5, 4: 0.4999, 9: 0.5001})
    assert headings() == ["1", "5", "10"], "no change is not written as minus nothing"


def test_no_scroll_bar_is_left_where_the_columns_fit(qtbot: QtBot, tmp_path: Path) -> None:
    """More epochs than fit bring a scroll bar at the side, which takes room from the columns."""
    panel = PreviewPanel()
    qtbot.addWidget(panel)
    panel.resize(386, 320)
    with qtbot.waitExposed(panel):
        panel.show()
    for epoch in range(4):
        for path in write_epoch(tmp_path / "previews", epoch):
            panel.add(path)
    view = panel.table.view
    qtbot.waitUntil(lambda: view.verticalScrollBar().maximum() > 0)
    for width, height in ((560, 320), (386, 200), (380, 320), (400, 250)):
        panel.resize(width, height)
        qtbot.wait(50)
        fits = view.horizontalHeader().length() <= view.viewport().width()
        assert (view.horizontalScrollBar().maximum() == 0) == fits, (width, height)
    panel.thumbnails.close()


def test_among_starred_rows_the_loss_is_compared_with_that_of_the_row_above(tmp_path: Path) -> None:
    """The row that it was compared with, and that the tooltip calls the one above, was hidden."""
    grid, files = PreviewModel(), [tmp_path / f"preview_epoch{epoch:04}_00.wav" for epoch in (0, 4, 9)]
    rows = StarredRows(grid)
    grid.set_previews([sound for file in files if (sound := PreviewSound.from_path(file)) is not None])
    grid.set_losses({0: 0.5, 4: 0.25, 9: 0.2})
    grid.set_starred(frozenset((files[0], files[2])))
    rows.set_on(True)
    shown = [str(rows.headerData(row, Qt.Orientation.Vertical)) for row in range(rows.rowCount())]
    assert shown == ["1", "10\n\N{MINUS SIGN}60 %"]
    tip = rows.headerData(1, Qt.Orientation.Vertical, Qt.ItemDataRole.ToolTipRole)
    assert tip == "Epoch 10: the loss on held-out sounds is 40 % of that of the row above."
    rows.set_on(False)
    assert str(rows.headerData(2, Qt.Orientation.Vertical)) == "10\n\N{MINUS SIGN}20 %"
