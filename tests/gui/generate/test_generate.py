"""Making sound in the window: new sounds, transformed sounds, the list of what was made, and exports."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QComboBox, QDialog, QDialogButtonBox, QPushButton, QSpinBox
from pytestqt.qtbot import QtBot

from distill import paths
from distill.audio.export import write_wav
from distill.generation import new_sounds
from distill.generation.generated_sound import GeneratedSound
from distill.generation.history.kept_weights import kept_weights
from distill.generation.history.sound_history import GeneratedHistory
from distill.generation.recipe import NEW, TRAINED, Recipe, read_recipe
from distill.gui.generate import new_sounds_form
from distill.gui.generate.history_model import FACTS_ROLE
from distill.gui.generate.panel import GeneratePanel
from distill.gui.widgets.drag_and_drop import file_drag
from distill.gui.window.main_window import MainWindow
from distill.gui.window.top_bar import MODELS
from distill.library.model_library import ModelLibrary
from distill.models import ModelMetadata, save_model_v2
from distill.models.families.vqvae_family import VQVAEFamily
from distill.models.inference import OpenModel
from distill.models.synthesis import synthesizer
from distill.playback.player import PlayerState
from distill.settings import WindowSettings
from distill.training import VQVAEConfig
from tests.gui.conftest import FileManager
from tests.gui.fakes import FakeDevice
from tests.support.models import write_tone_model
from tests.training.conftest import tone

PATIENCE = 30_000


@pytest.fixture(autouse=True)
def _trash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tone_model(tmp_path_factory.mktemp("model"), latent_dim=8, tones=4)


@pytest.fixture
def panel(window: MainWindow, model_file: Path, qtbot: QtBot) -> GeneratePanel:
    """The panel of the window, with a model that was chosen on the page of models."""
    ModelLibrary(paths.models_dir()).import_file(model_file)
    window.pages.open_page(MODELS)
    panel = window.making.panel
    window.models.refresh()
    qtbot.waitUntil(lambda: window.models_page.list.table.rowCount() == 1, timeout=PATIENCE)
    window.models_page.list.show_model(ModelLibrary(paths.models_dir()).list()[0].path)
    qtbot.waitUntil(lambda: panel.entry is not None, timeout=PATIENCE)
    return panel


def make(panel: GeneratePanel, qtbot: QtBot, expected: int) -> None:
    qtbot.waitUntil(lambda: not panel.generate_button.is_settling, timeout=PATIENCE)
    QTest.mouseClick(panel.make, Qt.MouseButton.LeftButton)
    await_sounds(panel, qtbot, expected)


def await_sounds(panel: GeneratePanel, qtbot: QtBot, expected: int) -> None:
    qtbot.waitUntil(lambda: panel.history.table.rowCount() == expected and panel.make.isEnabled(), timeout=PATIENCE)


def files(panel: GeneratePanel) -> list[Path]:
    return [sound.path for sound in panel.history.table.items]


def drop(panel: GeneratePanel, paths: list[Path]) -> bool:
    """Drop files on the form, as another program does; return whether they were taken."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    arguments = data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(panel.form.rect().center(), Qt.DropAction.CopyAction, *arguments)
    panel.form.dragEnterEvent(enter)  # not sendEvent: what is not taken here goes on to the page and the window
    if not enter.isAccepted():
        return False
    panel.form.dropEvent(QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, *arguments))
    return True


def test_sounds_dropped_on_the_page_are_found_in_folders_and_among_other_files(
    panel: GeneratePanel, window: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    def drop_on_window(*files: Path) -> None:
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path)) for path in files])
        arguments = data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        window.dropEvent(QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, *arguments))

    folder, text = tmp_path / "bells", tmp_path / "notes.txt"
    folder.mkdir()
    text.write_text("no sound")
    drop_on_window(folder, text)
    qtbot.waitUntil(lambda: "no sound in what was dropped" in window.notices.text(), timeout=PATIENCE)
    assert panel.transform.sources == ()
    write_wav(folder / "a.wav", np.zeros(100, np.float32))
    write_wav(tmp_path / "b.wav", np.zeros(100, np.float32))
    drop_on_window(tmp_path / "b.wav", folder, text)
    qtbot.waitUntil(lambda: panel.transform.sources == (tmp_path / "b.wav", folder / "a.wav"), timeout=PATIENCE)
    assert "no sound" not in window.notices.text()


def test_new_sounds_are_kept_heard_dragged_and_made_again(
    window: MainWindow, panel: GeneratePanel, device: FakeDevice, qtbot: QtBot
) -> None:
    panel.new.count.setValue(3)
    panel.new.seed.setValue(7)
    make(panel, qtbot, 3)
    made = files(panel)
    assert [path.name for path in made] == ["Tones 7 01.wav", "Tones 7 02.wav", "Tones 7 03.wav"]
    recipe = read_recipe(made[2])
    assert recipe is not None
    assert (recipe.seed, recipe.number, recipe.count) == (7, 2, 3)
    assert [sound.path for sound in GeneratedHistory().list()] == made
    qtbot.waitUntil(lambda: window.playing.playback.status.path == made[0], timeout=PATIENCE)  # the first one, at once
    assert panel.history.table.index(0).data(Qt.ItemDataRole.AccessibleTextRole).endswith("playing")

    panel.history.view.setCurrentIndex(panel.history.filtered.index(0, 0))
    drag = file_drag(panel.history.view)
    assert drag is not None
    assert [url.toLocalFile() for url in drag.mimeData().urls()] == [str(made[0])]
    drag.deleteLater()

    before = soundfile.read(made[0])[0]
    made[0].unlink()
    panel.history.remaking_requested.emit(panel.history.table.items[0])
    qtbot.waitUntil(made[0].exists, timeout=PATIENCE)
    await_sounds(panel, qtbot, 3)
    assert np.array_equal(soundfile.read(made[0])[0], before)
    panel.history.remaking_requested.emit(panel.history.table.items[0])
    await_sounds(panel, qtbot, 4)  # beside one that is there comes a second one
    assert files(panel)[0].name == "Tones 7 01 (2).wav"
    assert files(panel)[0].read_bytes() != b""
    assert np.array_equal(soundfile.read(files(panel)[0])[0], before)


def test_everything_by_keyboard(window: MainWindow, panel: GeneratePanel, device: FakeDevice, qtbot: QtBot) -> None:
    panel.new.count.setValue(2)
    window.activateWindow()
    panel.new.count.setFocus()
    qtbot.waitUntil(panel.new.count.hasFocus)
    modifiers = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    QTest.keyClick(panel.new.count, Qt.Key.Key_Return, modifiers)
    await_sounds(panel, qtbot, 2)
    view, playback, (first, second) = panel.history.view, window.playing.playback, files(panel)
    qtbot.waitUntil(lambda: playback.status.path == first, timeout=PATIENCE)
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_Down)  # walking plays
    qtbot.waitUntil(lambda: playback.status.path == second, timeout=PATIENCE)
    for state in (PlayerState.IDLE, PlayerState.PLAYING):  # Space stops what is heard, and plays what is not
        QTest.keyClick(view, Qt.Key.Key_Space)
        qtbot.waitUntil(lambda state=state: playback.status.state is state)  # type: ignore[misc]
        assert playback.status.path == second
    QTest.keyClick(view, Qt.Key.Key_S)
    qtbot.waitUntil(lambda: [s.starred for s in GeneratedHistory().list()] == [False, True], timeout=PATIENCE)
    QTest.mouseClick(panel.history.starred_only, Qt.MouseButton.LeftButton)
    assert panel.history.filtered.rowCount() == 1
    QTest.mouseClick(panel.history.starred_only, Qt.MouseButton.LeftButton)
    panel.history.go_to(panel.history.table.items[1].recipe.id)
    QTest.keyClick(view, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: not second.exists() and "in the trash" in window.notices.text(), timeout=PATIENCE)
    assert files(panel) == [first]
    QTest.keyClick(view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    await_sounds(panel, qtbot, 2)
    assert second.exists()
    assert files(panel) == [first, second]
    assert [s.starred for s in GeneratedHistory().list() if s.path == second] == [True]


def test_a_dropped_sound_is_transformed_and_exported_without_a_click(
    window: MainWindow, panel: GeneratePanel, device: FakeDevice, qtbot: QtBot, tmp_path: Path,
    file_manager: FileManager,
) -> None:  # fmt: skip
    source = tmp_path / "ten seconds.wav"
    sound = np.concatenate([tone(n, 1.0) for n in range(10)])
    write_wav(source, sound)
    assert not drop(panel, [tmp_path / "a model.distill"])  # that is for the page
    assert drop(panel, [source])
    assert panel.make.text() == "Transform"
    make(panel, qtbot, 1)
    assert files(panel)[0].name == "ten seconds through Tones 100.wav"
    target = tmp_path / "out"
    target.mkdir()
    panel.history.go_to(panel.history.table.items[0].recipe.id)
    for name in ("ten seconds through Tones 100.flac", "ten seconds through Tones 100 (2).flac"):
        QTest.mouseClick(panel.history.export, Qt.MouseButton.LeftButton)
        dialog = window.findChild(QDialog, "exportDialog")
        assert dialog is not None
        for combo, value in (("exportFormat", "flac24"), ("exportRate", 48_000), ("exportChannels", "own")):
            box = dialog.findChild(QComboBox, combo)
            assert box is not None
            box.setCurrentIndex(box.findData(value))
        trim, fade = dialog.findChild(QCheckBox, "exportTrim"), dialog.findChild(QSpinBox, "exportFade")
        assert trim is not None
        assert fade is not None
        assert (trim.isChecked(), fade.value()) == ((True, 5) if "(2)" not in name else (False, 20))  # it is remembered
        trim.setChecked(False)
        fade.setValue(20)
        dialog.set_folder(target)  # type: ignore[attr-defined]
        QTest.mouseClick(dialog.export, Qt.MouseButton.LeftButton)  # type: ignore[attr-defined]
        qtbot.waitUntil(lambda name=name: f"Exported {name}" in window.notices.text(), timeout=PATIENCE)  # type: ignore[misc]
        qtbot.waitUntil(lambda: window.findChild(QDialog, "exportDialog") is None, timeout=PATIENCE)
    show = window.notices.findChild(QPushButton, "noticeAction")
    assert show is not None
    assert (show.text(), show.isVisible()) == ("Show in folder", True)
    show.click()
    qtbot.waitUntil(lambda: file_manager.shown == [str(target)])
    audio, rate = soundfile.read(target / name)
    assert (rate, len(audio)) == (48_000, len(sound))
    assert np.abs(np.diff(audio)).max() <= np.abs(np.diff(sound)).max()
    assert audio[0] == audio[-1] == 0
    assert read_recipe(target / name) == panel.history.table.items[0].recipe
    assert window.making.choices.options.format == "flac24"


def test_sounds_that_are_sent_through_together_stay_in_their_order(
    window: MainWindow, panel: GeneratePanel, device: FakeDevice, qtbot: QtBot, tmp_path: Path
) -> None:
    sources = [tmp_path / f"{name}.wav" for name in "zab"]
    for number, source in enumerate(sources):
        write_wav(source, tone(number, 0.2))
    sources[1].write_bytes(b"RIFF no sound")
    assert drop(panel, sources)
    make(panel, qtbot, 2)
    expected = ["z through Tones 100.wav", "b through Tones 100.wav"]
    assert [path.name for path in files(panel)] == expected
    assert [sound.path.name for sound in GeneratedHistory().list()] == expected
    told = [sound.recipe for sound in panel.history.table.items]
    assert [(one.number, one.count) for one in told] == [(0, 3), (1, 3)]
    assert [read_recipe(path) for path in files(panel)] == told


def test_mp3_has_no_96_khz(window: MainWindow, panel: GeneratePanel, qtbot: QtBot, device: FakeDevice) -> None:
    panel.new.count.setValue(1)
    make(panel, qtbot, 1)
    panel.history.exporting_requested.emit(list(panel.history.table.items))
    dialog = window.findChild(QDialog, "exportDialog")
    assert dialog is not None
    kind, rate = dialog.format, dialog.rate  # type: ignore[attr-defined]
    rate.setCurrentIndex(rate.findData(96_000))
    kind.setCurrentIndex(kind.findData("mp3"))
    assert [rate.itemData(row) for row in range(rate.count())] == [44_100, 48_000]
    assert rate.currentData() == 48_000
    buttons = dialog.findChild(QDialogButtonBox)
    assert buttons is not None
    buttons.button(QDialogButtonBox.StandardButton.Cancel).click()
    qtbot.waitUntil(lambda: window.findChild(QDialog, "exportDialog") is None, timeout=PATIENCE)


def test_cancelling_keeps_what_is_ready(
    window: MainWindow, panel: GeneratePanel, device: FakeDevice, qtbot: QtBot
) -> None:
    panel.new.count.setValue(64)
    panel.make.setFocus()
    panel.make.click()
    qtbot.waitUntil(lambda: panel.history.table.rowCount() > 0, timeout=PATIENCE)
    assert window.focusWidget() is panel.cancel
    assert not panel.make.isEnabled()
    assert panel.generate_button.progress.isVisible()
    assert panel.generate_button.doing.text() != ""
    qtbot.waitUntil(lambda: not panel.generate_button.is_settling, timeout=PATIENCE)
    QTest.mouseClick(panel.cancel, Qt.MouseButton.LeftButton)
    assert panel.make.isEnabled(), "at once: the task ends in the background"
    qtbot.waitUntil(lambda: sorted(files(panel)) == sorted(paths.generated_dir().glob("*.wav")), timeout=PATIENCE)
    assert 0 < panel.history.table.rowCount() < 64
    assert not panel.generate_button.progress.isVisible()
    assert window.focusWidget() is panel.make


def test_many_sounds_appear_as_they_come_and_cancel_is_at_once(
    window: MainWindow, panel: GeneratePanel, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while the model computes a batch, which it cannot leave; what comes after the cancel is dropped."""
    go_on = threading.Event()

    def make_slowly(
        model: OpenModel, _file: Path, count: int, seed: int, *_rest: object, **_named: object
    ) -> Iterator[GeneratedSound]:
        for number in range(count):
            if number == 2:
                go_on.wait(30)  # in the middle of a batch
            recipe = Recipe(NEW, model.metadata.model_id, "Tones", seed=seed, count=count, number=number)
            yield GeneratedSound(tone(number, 0.05), recipe)

    monkeypatch.setattr(new_sounds, "make_new", make_slowly)
    panel.new.count.setValue(999)
    panel.make.click()
    qtbot.waitUntil(lambda: panel.history.table.rowCount() == 2, timeout=PATIENCE)
    assert panel.generate_button.doing.text() == "2 of 999 ready"
    qtbot.waitUntil(lambda: panel.generate_button.progress.value() == 2)  # it comes behind the row
    qtbot.waitUntil(lambda: not panel.generate_button.is_settling, timeout=PATIENCE)
    panel.cancel.click()
    assert panel.make.isEnabled()
    assert not panel.generate_button.progress.isVisible()
    panel.new.count.setValue(1)
    qtbot.waitUntil(lambda: not panel.generate_button.is_settling, timeout=PATIENCE)
    panel.make.click()  # waits for the one before
    go_on.set()
    await_sounds(panel, qtbot, 3)
    qtbot.wait(200)
    assert sorted(files(panel)) == sorted(paths.generated_dir().glob("*.wav"))
    assert len(files(panel)) == 3


def test_a_sound_of_replaced_weights_says_so_and_offers_a_similar_one(
    window: MainWindow, panel: GeneratePanel, device: FakeDevice, qtbot: QtBot
) -> None:
    panel.new.count.setValue(1)
    make(panel, qtbot, 1)
    sound = panel.history.table.items[0]
    assert panel.entry is not None
    data = torch.load(panel.entry.path, weights_only=True)
    data["model_state_dict"] = {
        name: value * 1.01 if value.is_floating_point() else value for name, value in data["model_state_dict"].items()
    }
    torch.save(data, panel.entry.path.with_suffix(".new"))
    panel.entry.path.with_suffix(".new").replace(panel.entry.path)  # as the end of a resumed run does
    panel.history.remaking_requested.emit(sound)
    await_sounds(panel, qtbot, 2)  # its weights are kept
    kept = kept_weights(sound.recipe.weights)
    assert kept is not None
    kept.unlink()
    panel.history.remaking_requested.emit(sound)
    qtbot.waitUntil(lambda: "trained further" in window.notices.text(), timeout=PATIENCE)
    button = window.findChild(QPushButton, "noticeAction")
    assert button is not None
    assert button.text() == "Generate a similar one"
    qtbot.waitUntil(panel.make.isEnabled, timeout=PATIENCE)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    await_sounds(panel, qtbot, 3)
    assert len({sound.recipe.weights for sound in panel.history.table.items}) == 2


def test_a_double_click_presses_one_button_only(
    window: MainWindow, panel: GeneratePanel, device: FakeDevice, qtbot: QtBot
) -> None:
    """Cancel takes the place of the button, under the cursor: the second click must not cancel."""
    panel.new.count.setValue(1)
    QTest.mouseClick(panel.make, Qt.MouseButton.LeftButton)
    assert panel.cancel.isVisible()
    QTest.mouseClick(panel.cancel, Qt.MouseButton.LeftButton)
    panel.cancel.click()  # as Return does
    assert panel.cancel.isVisible(), "it goes on"
    await_sounds(panel, qtbot, 1)
    QTest.mouseClick(panel.make, Qt.MouseButton.LeftButton)  # meant for Cancel, which has just gone
    assert panel.make.isVisible()


def test_what_cannot_be_made_is_told_in_a_sentence(
    window: MainWindow, panel: GeneratePanel, device: FakeDevice, qtbot: QtBot, tmp_path: Path
) -> None:
    bad, good = tmp_path / "bad.wav", tmp_path / "good.wav"
    bad.write_bytes(b"RIFF no sound")
    write_wav(good, tone(1, 0.5))
    assert drop(panel, [bad, good])
    make(panel, qtbot, 1)  # the one that can be used
    qtbot.waitUntil(lambda: window.notices.text().startswith("One sound cannot be used: bad.wav"), timeout=PATIENCE)
    good.unlink()
    panel.history.remaking_requested.emit(panel.history.table.items[0])
    qtbot.waitUntil(lambda: "is no longer there" in window.notices.text(), timeout=PATIENCE)
    qtbot.waitUntil(panel.make.isEnabled, timeout=PATIENCE)
    assert panel.entry is not None
    panel.entry.path.write_bytes(b"no model")
    panel.modes[0].click()
    panel.show_model(panel.entry)
    window.making.panel.model_changed.emit(panel.entry)
    qtbot.waitUntil(lambda: not panel.generate_button.is_settling, timeout=PATIENCE)
    QTest.mouseClick(panel.make, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.entry is None or panel.entry.path.name in window.notices.text(), timeout=PATIENCE)
    assert panel.history.table.rowCount() == 1


def test_new_sounds_follow_the_stars_until_it_is_switched_off(panel: GeneratePanel, qtbot: QtBot) -> None:
    follow = panel.new.follow
    assert not follow.isEnabled()
    panel.new.count.setValue(2)
    make(panel, qtbot, 2)
    first, second = panel.history.table.items
    panel.history.view.setFocus()
    panel.history.go_to(first.recipe.id)
    QTest.keyClick(panel.history.view, Qt.Key.Key_S)
    panel.history.go_to(second.recipe.id)
    QTest.keyClick(panel.history.view, Qt.Key.Key_X)
    qtbot.waitUntil(
        lambda: [(s.starred, s.rejected) for s in GeneratedHistory().list()] == [(True, False), (False, True)]
    )
    qtbot.waitUntil(follow.isEnabled)
    assert "1 starred, 1 rejected" in follow.toolTip()
    follow.setChecked(True)
    panel.new.lock.setChecked(True)
    make(panel, qtbot, 4)
    steered = panel.history.table.items[:2]
    assert [s.recipe.candidates > 0 for s in steered] == [True, True]
    assert steered[0].recipe.stars == 1
    follow.setChecked(False)
    make(panel, qtbot, 6)
    assert np.array_equal(soundfile.read(panel.history.table.items[0].path)[0], soundfile.read(first.path)[0])


def test_a_model_without_a_prior_says_so(
    window: MainWindow, panel: GeneratePanel, tmp_path: Path, qtbot: QtBot
) -> None:
    config = VQVAEConfig(codebook_size=16)
    family = VQVAEFamily(config)
    network = family.build().eval()
    folder = tmp_path / "vq"
    save_model_v2(network, family.spectrogram_config, config, None, ModelMetadata(name="Codes"), folder)
    panel.show_model(ModelLibrary(folder).list()[0])
    panel.make.click()
    qtbot.waitUntil(lambda: "has no prior" in window.notices.text(), timeout=PATIENCE)
    qtbot.waitUntil(panel.make.isEnabled, timeout=PATIENCE)
    panel.take_sources([tmp_path / "x.wav"])
    assert panel.make.isEnabled(), "it can transform"


def test_the_seed_that_is_shown_is_the_one_that_counts(window: MainWindow) -> None:
    form = window.making.panel.new
    shown = form.seed.value()
    assert form.request().seed == shown
    second = form.request().seed
    assert second == form.seed.value() != shown  # not the same sounds again
    form.seed.setValue(5)
    assert form.request().seed == 5
    form.lock.setChecked(True)
    assert form.request().seed == 5
    form.lock.setChecked(False)
    form.dice.click()
    thrown = form.seed.value()
    assert form.request().seed == thrown


def test_new_sounds_have_the_length_and_the_freedom_that_are_set(
    window: MainWindow, panel: GeneratePanel, device: FakeDevice, qtbot: QtBot
) -> None:
    form = panel.new
    form.count.setValue(2)
    form.seed.setValue(7)
    form.lock.setChecked(True)
    make(panel, qtbot, 2)
    usual = soundfile.read(files(panel)[0])[0]
    plain = read_recipe(files(panel)[0])
    assert plain is not None
    assert (plain.seconds, plain.freedom) == (0.0, TRAINED)

    form.freedom.setValue(form.freedom.maximum())
    make(panel, qtbot, 4)
    free = soundfile.read(files(panel)[0])[0]
    assert len(free) != len(usual) or not np.allclose(free, usual, atol=0.01)

    form.length.lineEdit().selectAll()
    QTest.keyClicks(form.length, "1.5")
    make(panel, qtbot, 6)
    path = files(panel)[0]
    assert soundfile.info(path).frames == round(1.5 * 48_000)
    recipe = read_recipe(path)
    assert recipe is not None
    assert (recipe.seconds, recipe.freedom) == (1.5, 1.0)
    tip = panel.history.table.index(0).data(Qt.ItemDataRole.ToolTipRole)
    assert "1.5 s" in tip
    assert "Freedom: 1.00" in tip

    panel.show_recipe(plain)
    assert (form.length.value(), form.chosen_freedom()) == (0.0, 0.5)
    assert form.length.text() == "Like yours"
    panel.show_recipe(recipe)
    assert (form.request().seconds, form.request().freedom) == (1.5, 1.0)


def test_lengths_that_can_be_set_are_those_that_can_be_made(window: MainWindow) -> None:
    length = window.making.panel.new.length
    assert (new_sounds_form.SHORTEST_S, new_sounds_form.LONGEST_S) == (synthesizer.SHORTEST_S, synthesizer.LONGEST_S)
    length.setValue(0.03)
    assert length.value() == new_sounds_form.SHORTEST_S
    length.setValue(99.0)
    assert length.value() == new_sounds_form.LONGEST_S


def test_settings_come_back(window: MainWindow, tmp_path: Path) -> None:
    making = window.making
    kept = {
        "count": 9, "temperature": 0.7, "seconds": 2.5, "freedom": 0.8, "mix": 40, "format": "ogg", "rate": 44_100,
        "stereo": True, "folder": str(tmp_path),
    }  # fmt: skip
    making.restore(WindowSettings(making=kept))
    saved = WindowSettings()
    making.save(saved)
    assert kept.items() <= saved.making.items()
    wrong = {
        "count": "x", "temperature": True, "seconds": "long", "freedom": None, "format": "mp3", "rate": 96_000,
        "folder": 3, "mix": None,
    }  # fmt: skip
    making.restore(WindowSettings(making=wrong))
    making.save(saved)
    assert kept.items() <= saved.making.items()
    assert making.choices.options.format == "ogg"


def test_generated_sounds_follow_a_renamed_model(window: MainWindow, panel: GeneratePanel, qtbot: QtBot) -> None:
    panel.new.count.setValue(1)
    make(panel, qtbot, 1)
    row = panel.history.table.index(0)
    assert "Tones" in row.data(FACTS_ROLE)
    name = window.models_page.detail.name
    name.selectAll()
    QTest.keyClicks(name, "Drum room")
    QTest.keyClick(name, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "Drum room" in row.data(FACTS_ROLE), timeout=PATIENCE)
    assert "Drum room" in row.data(Qt.ItemDataRole.ToolTipRole)
    assert "Tones" not in row.data(FACTS_ROLE)
