"""What a run has written, marked on its curves, and curves saved to files."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QObject
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from distill.config.training import TrainingConfig
from distill.events import PreviewEvent
from distill.gui.background_tasks import end_tasks
from distill.gui.engine.run_controller import RunController
from distill.gui.engine.run_state import RunState
from distill.gui.plots.export.save_dialog import free_name
from distill.gui.plots.marks import interruption_label, interruption_text
from distill.gui.plots.panel import PlotsPanel
from distill.gui.plots.presenter import PlotsPresenter, first_previews
from distill.gui.widgets import theme
from distill.gui.widgets.notices import NoticeBar
from distill.metrics_history import MetricsHistory
from distill.runs.loaded_run import LoadedRun
from distill.runs.run_record import Interruption, RunRecord
from tests.gui.fakes import FakeEngine, epoch_end, step


@dataclass
class Desk:
    """The presenter and what it stands between."""

    owner: QObject
    plots: PlotsPanel
    runs: RunController
    notices: NoticeBar
    played: list[Path] = field(default_factory=list)
    presenter: PlotsPresenter = None  # type: ignore[assignment]


@pytest.fixture
def desk(qapp: QApplication, qtbot: QtBot, tmp_path: Path) -> Iterator[Desk]:
    theme.install(qapp)
    plots, owner = PlotsPanel(), QObject()
    qtbot.addWidget(plots)
    notices = NoticeBar()
    qtbot.addWidget(notices)
    made = Desk(owner, plots, RunController(FakeEngine(), owner), notices)
    made.presenter = PlotsPresenter(plots, made.runs, made.played.append, notices, owner)
    made.runs.folder = tmp_path / "run"
    (made.runs.folder / "checkpoints").mkdir(parents=True)
    history = MetricsHistory()
    for epoch in range(3):
        history.add_step(step(epoch, 0))
        history.add_epoch(epoch_end(epoch, 3))
    with qtbot.waitExposed(plots):
        plots.show()
    plots.show_history(history, None)
    yield made
    made.presenter.close()
    end_tasks(owner)
    notices.forget_all()
    owner.deleteLater()


def test_previews_are_marked_as_they_come_and_a_click_plays_the_first(desk: Desk, tmp_path: Path) -> None:
    for name in ("recon_epoch0001_recon_00.wav", "preview_epoch0001_00.wav", "preview_epoch0001_01.wav"):
        desk.runs.bridge.preview_made.emit(PreviewEvent(1, str(tmp_path / name), 48_000))
    assert list(desk.plots.loss.overlay.previews) == [2.0]
    assert "preview_epoch0001_00.wav" in desk.plots.loss.overlay.previews[2.0]
    desk.plots.preview_requested.emit(1)
    desk.plots.preview_requested.emit(2)
    assert desk.played == [tmp_path / "preview_epoch0001_00.wav"]
    desk.runs.new_run_began.emit("vae")
    assert desk.plots.loss.overlay.previews == {}


def test_a_family_without_new_sounds_plays_its_reconstruction(tmp_path: Path) -> None:
    names = ("recon_epoch0003_orig_00.wav", "recon_epoch0003_recon_01.wav", "recon_epoch0003_recon_00.wav")
    assert first_previews((3, tmp_path / name) for name in names) == {3: tmp_path / "recon_epoch0003_recon_00.wav"}


def test_checkpoints_are_those_that_lie_in_the_folder(desk: Desk, qtbot: QtBot) -> None:
    folder = desk.runs.folder
    assert folder is not None
    for name in ("checkpoint_epoch0000.pt", "checkpoint_epoch0002.pt", ".checkpoint_epoch0001.pt.x.part", "notes.pt"):
        (folder / "checkpoints" / name).touch()
    desk.runs.bridge.epoch_finished.emit(epoch_end(2, 3))
    qtbot.waitUntil(lambda: list(desk.plots.loss.overlay.checkpoints) == [1.0, 3.0])
    (folder / "checkpoints" / "checkpoint_epoch0000.pt").unlink()
    desk.runs.bridge.epoch_finished.emit(epoch_end(2, 3))
    qtbot.waitUntil(lambda: list(desk.plots.loss.overlay.checkpoints) == [3.0])


def start_in(desk: Desk, folder: Path, qtbot: QtBot) -> None:
    """Let dialogs start in a folder, as after something was saved there."""
    desk.presenter.export._folder = folder
    desk.presenter.export._starts.look(folder)
    qtbot.waitUntil(lambda: not desk.presenter.export._starts._looking)


def test_the_menu_of_a_plot_saves_a_picture_under_a_free_name(desk: Desk, tmp_path: Path, qtbot: QtBot) -> None:
    (tmp_path / "run Loss.png").write_text("mine")
    start_in(desk, tmp_path, qtbot)
    action, *_ = desk.plots.loss.header.menu_button.menu().actions()
    action.trigger()
    dialog = desk.plots.findChild(QFileDialog, "saveCurvesDialog")
    assert dialog is not None
    assert not dialog.testOption(QFileDialog.Option.DontConfirmOverwrite)
    assert [Path(name).name for name in dialog.selectedFiles()] == ["run Loss 2.png"]
    dialog.accept()
    qtbot.waitUntil(lambda: (tmp_path / "run Loss 2.png").exists())
    assert QImage(str(tmp_path / "run Loss 2.png")).width() >= 1600
    assert (tmp_path / "run Loss.png").read_text() == "mine"
    qtbot.waitUntil(lambda: "run Loss 2.png" in desk.notices.text())
    QTest.qWait(0)
    assert desk.plots.findChild(QFileDialog, "saveCurvesDialog") is None


def test_the_ending_of_the_name_decides_between_image_and_drawing(desk: Desk, tmp_path: Path, qtbot: QtBot) -> None:
    path = tmp_path / "curves.svg"
    desk.presenter.export.save_as(path, "picture", desk.plots.shown_plots)
    qtbot.waitUntil(path.exists)
    assert b"<svg" in path.read_bytes()[:400]


def test_tables_are_saved_from_the_file_menu(desk: Desk, tmp_path: Path, qtbot: QtBot) -> None:
    start_in(desk, tmp_path, qtbot)
    desk.presenter.export.save_table("epochs")
    dialog = desk.plots.findChild(QFileDialog, "saveCurvesDialog")
    assert dialog is not None
    dialog.accept()
    path = tmp_path / "run epochs.csv"
    qtbot.waitUntil(path.exists)
    assert path.read_text(encoding="utf-8").startswith("epoch,total_epochs,train_loss,val_loss")
    assert len(path.read_text(encoding="utf-8").splitlines()) == 4


def test_a_file_that_cannot_be_written_is_told(desk: Desk, tmp_path: Path, qtbot: QtBot) -> None:
    (tmp_path / "file").touch()
    desk.presenter.export.save_as(tmp_path / "file" / "curves.csv", "steps", [])
    qtbot.waitUntil(lambda: "cannot be written" in desk.notices.text())
    assert "curves.csv" in desk.notices.text()


def test_names_that_are_taken_are_not_proposed() -> None:
    assert free_name((), "a", ".csv") == "a.csv"
    assert free_name(("a.csv", "a 2.csv"), "a", ".csv") == "a 3.csv"


class TestInterruptions:
    """A run that was killed is marked on its curves until it is resumed, and afterwards."""

    def loaded(self, desk: Desk, **changes: Any) -> LoadedRun:
        assert desk.runs.folder is not None
        record = RunRecord(TrainingConfig(), [], status="running")
        made = LoadedRun(desk.runs.folder, record, desk.plots.history, [], checkpoint_epoch=1, kept=2.0)
        return replace(made, **changes)

    def shaded(self, plots: PlotsPanel) -> int:
        """Return the width in pixels of what is shaded in the upper half of the loss plot."""
        image, colors = plots.loss.widget.grab().toImage(), theme.colors()

        def rgb(color: QColor) -> tuple[int, int, int]:
            return color.red(), color.green(), color.blue()

        fair, surface = QColor(colors.fair), QColor(colors.surface)
        wanted = [0.15 * a + 0.85 * b for a, b in zip(rgb(fair), rgb(surface), strict=True)]
        y = round(plots.loss.widget.box.sceneBoundingRect().center().y()) - 7

        def is_shaded(x: int) -> bool:
            return all(abs(a - b) <= 2 for a, b in zip(rgb(image.pixelColor(x, y)), wanted, strict=True))

        return sum(is_shaded(x) for x in range(image.width()))

    def test_what_is_lost_is_shaded_and_named(self, desk: Desk, qtbot: QtBot) -> None:
        assert not self.shaded(desk.plots)
        desk.runs.run_opened.emit(self.loaded(desk))
        (place,) = desk.plots.loss.overlay.interruptions
        assert place == Interruption(2.0, 3.0, is_resumed=False)
        assert interruption_text(place) == "Interrupted at epoch 3. What came after epoch 2 is lost."
        assert interruption_label(place) == "Interrupted\nSaved to epoch 2"
        assert desk.plots.kl.overlay.interruptions == (place,)
        qtbot.waitUntil(lambda: self.shaded(desk.plots) > 0.2 * desk.plots.loss.widget.width())
        desk.runs.bridge.state_changed.emit(RunState.TRAINING)
        (place,) = desk.plots.loss.overlay.interruptions
        assert interruption_text(place) == "Interrupted at epoch 3, resumed from epoch 2."
        assert interruption_label(place) == "Resumed here"
        desk.runs.new_run_began.emit("vae")
        assert not desk.plots.loss.overlay.interruptions

    def test_earlier_ones_come_from_the_record(self, desk: Desk) -> None:
        run = self.loaded(desk)
        run.record.status, run.record.interruptions = "stopped", [Interruption(0.5, 1.25)]
        desk.runs.run_opened.emit(run)
        (place,) = desk.plots.loss.overlay.interruptions
        assert interruption_text(place) == "Interrupted at epoch 1.2, resumed from epoch 0.5."

    def test_a_run_that_trains_elsewhere_was_not_interrupted(self, desk: Desk) -> None:
        desk.runs.run_opened.emit(self.loaded(desk, host="attic"))
        assert not desk.plots.loss.overlay.interruptions

    @pytest.mark.parametrize(("kept", "words"), [
        (0.0, "Interrupted at epoch 3. Nothing was saved."), (3.0, "Interrupted at epoch 3. Nothing is lost."),
    ])  # fmt: skip
    def test_what_is_lost_may_be_all_or_nothing(self, desk: Desk, kept: float, words: str) -> None:
        desk.runs.run_opened.emit(self.loaded(desk, kept=kept))
        assert [interruption_text(place) for place in desk.plots.loss.overlay.interruptions] == [words]
