"""What a double click brings: a folder, a model, a file that is no model."""

import shutil
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QUrl
from PySide6.QtGui import QFileOpenEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from distill import paths
from distill.gui.window.main_window import MainWindow
from distill.gui.window.open_requests import OpenRequests
from distill.models.metadata import ModelMetadata
from distill.playback.player import Player
from tests.gui.conftest import close
from tests.gui.fakes import FakeDevice, FakeEngine


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model file as a friend would send it."""
    from distill.audio.spectrogram import SpectrogramConfig
    from distill.config.training import TrainingConfig
    from distill.models.persistence import save_model
    from distill.models.vae import ConvVAE

    config = TrainingConfig(latent_dim=8)
    path = save_model(ConvVAE(8), SpectrogramConfig(), config, ModelMetadata(name="Bells"), tmp_path / "friend")
    return Path(shutil.copy(path, tmp_path / "bells.distill"))


@pytest.fixture
def opener(qapp: QApplication, window: MainWindow) -> OpenRequests:
    return OpenRequests(qapp, window)


def test_a_model_is_added_to_the_library_once(
    window: MainWindow, qtbot: QtBot, qapp: QApplication, model: Path
) -> None:
    opener = OpenRequests(qapp, window)
    window.ready.emit()  # the fixture has waited for the first frame already
    opener.open(model)
    qtbot.waitUntil(lambda: "Bells" in window.notices.text(), timeout=20_000)
    assert [path.suffix for path in paths.models_dir().glob("*.distill")] == [".distill"]
    window.notices.forget_all()
    opener.open(model)
    qtbot.waitUntil(lambda: "Bells" in window.notices.text(), timeout=20_000)
    assert len(list(paths.models_dir().glob("*.distill"))) == 1
    assert model.exists()


def test_a_model_waits_for_the_first_frame(
    qapp: QApplication, qtbot: QtBot, engine: FakeEngine, device: FakeDevice, model: Path
) -> None:
    window = MainWindow(engine, Player(open_output=device))  # type: ignore[arg-type]
    OpenRequests(qapp, window).open(model)
    qtbot.wait(100)
    assert not list(paths.models_dir().glob("*.distill"))
    window.show()
    qtbot.waitUntil(lambda: "Bells" in window.notices.text(), timeout=20_000)
    close(qtbot, window)


def test_a_file_that_is_no_model_is_told(
    opener: OpenRequests, window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    window.ready.emit()
    file = tmp_path / "letter.distill"
    file.write_text("Dear friend")
    opener.open(file)
    qtbot.waitUntil(lambda: "letter.distill was not opened" in window.notices.text(), timeout=20_000)
    assert window.notices.notices[-1].level == "error"
    assert file.read_text() == "Dear friend"


def test_macos_hands_a_folder_over_as_an_event(
    window: MainWindow, qtbot: QtBot, qapp: QApplication, sounds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", "darwin")
        OpenRequests(qapp, window)
    qapp.sendEvent(qapp, QFileOpenEvent(QUrl.fromLocalFile(str(sounds))))
    qtbot.waitUntil(
        lambda: len(window.browser.usable_paths()) == 4 and not window.sounds.scanner.is_busy, timeout=20_000
    )


def test_elsewhere_no_event_passes_through_python(
    window: MainWindow, qapp: QApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A filter of the whole program waits for the interpreter at each event, also while a training holds it."""
    seen: list[object] = []

    def note(_requests: OpenRequests, _watched: object, event: QEvent) -> bool:
        seen.append(event)
        return False

    monkeypatch.setattr(OpenRequests, "eventFilter", note)
    monkeypatch.setattr(sys, "platform", "linux")
    OpenRequests(qapp, window)
    qapp.sendEvent(window, QEvent(QEvent.Type.User))
    assert seen == []
