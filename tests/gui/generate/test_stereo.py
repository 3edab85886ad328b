"""Stereo models in the window: what they make, and how it is exported."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PySide6.QtWidgets import QComboBox, QDialog
from pytestqt.qtbot import QtBot

from distill import paths
from distill.gui.generate.panel import GeneratePanel
from distill.gui.window.main_window import MainWindow
from distill.gui.window.top_bar import MODELS
from distill.library.model_library import ModelLibrary
from distill.models.stereo.image_store import ImageStore
from tests.gui.fakes import FakeDevice
from tests.gui.generate.test_generate import PATIENCE, files, make
from tests.models.test_image_store import images
from tests.support.models import write_tone_model


@pytest.fixture
def panel(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> GeneratePanel:
    """The panel of the window, with a mono and a stereo model of which the latter is chosen."""
    mono = write_tone_model(tmp_path / "models", latent_dim=8, tones=4)
    data = torch.load(mono, weights_only=True)
    data["metadata"] |= {"model_id": "stereo", "name": "Wide"}
    torch.save({**data, "stereo": ImageStore.build(images()).state_dict()}, tmp_path / "wide.distill")
    library = ModelLibrary(paths.models_dir())
    for path in (mono, tmp_path / "wide.distill"):
        library.import_file(path)
    window.pages.open_page(MODELS)
    window.models.refresh()
    qtbot.waitUntil(lambda: window.models_page.list.table.rowCount() == 2, timeout=PATIENCE)
    show(window, "Wide", qtbot)
    return window.making.panel


def show(window: MainWindow, name: str, qtbot: QtBot) -> None:
    (entry,) = [entry for entry in ModelLibrary(paths.models_dir()).list() if entry.name == name]
    window.models_page.list.show_model(entry.path)
    panel = window.making.panel
    qtbot.waitUntil(lambda: panel.entry is not None and panel.entry.name == name, timeout=PATIENCE)


def test_new_sounds_are_stereo_unless_mono_is_chosen(
    window: MainWindow, panel: GeneratePanel, device: FakeDevice, qtbot: QtBot
) -> None:
    panel.new.count.setValue(1)
    panel.new.seed.setValue(7)
    panel.new.lock.setChecked(True)
    assert panel.new.mono.isVisible()
    make(panel, qtbot, 1)
    panel.new.mono.setChecked(True)
    make(panel, qtbot, 2)
    recipes = {sound.recipe.channels: sound for sound in panel.history.table.items}
    stereo, mono = (soundfile.read(recipes[channels].path, dtype="float32")[0] for channels in (2, 1))
    assert stereo.ndim == 2
    assert mono.ndim == 1
    mix = stereo.mean(1)
    np.testing.assert_allclose(mix / np.abs(mix).max(), mono / np.abs(mono).max(), atol=1e-3)
    panel.new.mono.setChecked(False)
    panel.show_recipe(recipes[1].recipe)
    assert panel.new.mono.isChecked()
    show(window, "Tones", qtbot)
    assert not panel.new.mono.isVisible()
    assert not panel.new.request().mono


@pytest.mark.parametrize(("shown", "channels"), [("As generated (stereo)", 2), ("Mono", 1)])
def test_a_stereo_sound_is_exported_as_it_is_or_as_its_mix(
    window: MainWindow,
    panel: GeneratePanel,
    device: FakeDevice,
    qtbot: QtBot,
    tmp_path: Path,
    shown: str,
    channels: int,
) -> None:
    panel.new.count.setValue(1)
    make(panel, qtbot, 1)
    panel.history.go_to(panel.history.table.items[0].recipe.id)
    panel.history.export.click()
    dialog = window.findChild(QDialog, "exportDialog")
    assert dialog is not None
    box = dialog.findChild(QComboBox, "exportChannels")
    assert box is not None
    assert [box.itemText(row) for row in range(box.count())] == ["As generated (stereo)", "Mono"]
    assert box.currentIndex() == 0
    box.setCurrentText(shown)
    (tmp_path / "out").mkdir()
    dialog.set_folder(tmp_path / "out")  # type: ignore[attr-defined]
    dialog.accept()
    name = f"{files(panel)[0].stem}.wav"
    qtbot.waitUntil(lambda: f"Exported {name}" in window.notices.text(), timeout=PATIENCE)
    assert soundfile.info(tmp_path / "out" / name).channels == channels
