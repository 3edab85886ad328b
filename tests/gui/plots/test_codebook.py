"""Codebooks in the window: curves, words, the strip of codes and how a code sounds."""

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyqtgraph as pg
import pytest
import soundfile
import torch
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester, QTest
from pytestqt.qtbot import QtBot

from distill.audio.cache.sound_cache import CachedSound, SoundCache
from distill.audio.decoding.sound_fix import SoundFix
from distill.config.family_catalog import family_info
from distill.config.training import VQVAEConfig
from distill.events import Health, VQEpochMetrics, VQStepMetrics
from distill.generation.codebooks import Code, read_use, write_code
from distill.gui.engine.run_state import RunState
from distill.gui.plots.codebook.strip import CODE_ROLE, SHARE_ROLE, CodeTable
from distill.gui.window.main_window import MainWindow
from distill.gui.window.top_bar import MODELS
from distill.metrics_history import VQMetricsHistory
from distill.models import ModelMetadata, open_model, save_model_v2
from distill.models.families import make_family
from distill.models.vqvae import ConvVQVAE
from distill.playback.player import PlayerState
from distill.runs.folder import RunFolder
from distill.runs.run_record import RunRecord
from distill.training.data.known_split import KnownSplit
from distill.training.data.split import split_sounds
from tests.gui.fakes import tone
from tests.gui.window.test_help import menu_action

ENTRIES, LEVELS, POSITIONS = 20, 2, 48
CONFIG = VQVAEConfig(codebook_size=ENTRIES, num_quantizers=LEVELS, codebook_dim=16, max_epochs=2)
SOUNDS = 5
PATIENCE = 20_000


def health(*use: float) -> dict[str, dict[str, float]]:
    return {
        f"level_{n}": {"utilization": u, "perplexity": 10.0 * u, "dead_codes": round(ENTRIES * (1 - u)), "tokens": 96}
        for n, u in enumerate(use)
    }


def epoch(number: int, measured: Health | None) -> VQEpochMetrics:
    table = None if measured is None else {name: dict(level) for name, level in measured.items()}
    return VQEpochMetrics(number, 2, 0.5, 0.5, 0.4, 0.1, 0.0, 1e-3, 0.0, 1.0, table, [])


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder as the engine leaves it; its model is fitted to the sounds, not trained."""
    base = tmp_path_factory.mktemp("vq")
    paths = [base / f"tone {n}.wav" for n in range(SOUNDS)]
    for n, path in enumerate(paths):
        soundfile.write(path, tone(1.0, 150.0 * (n + 1)) * np.linspace(1, 0, 48_000, dtype=np.float32), 48_000)
    folder = RunFolder(base / "run", resuming=False)
    folder.append_history(
        [
            VQStepMetrics(0, 0, 2, 1.0, 0.9, 0.4, 0.25, 1e-3, 0.01),
            VQStepMetrics(0, 1, 2, 1.0, 0.9, 0.4, 0.25, 1e-3, 0.01, health(0.9, 0.7)),
            epoch(0, health(0.8, 0.6)),
            VQStepMetrics(1, 0, 2, 1.0, 0.9, 0.4, 0.25, 1e-3, 0.01),
            epoch(1, health(0.4, 0.25)),
        ]
    )
    RunRecord(CONFIG, paths, status="finished").save(folder.path)
    folder.close()
    family = make_family(CONFIG)
    model = family.build().eval()
    waves = torch.stack([torch.from_numpy(soundfile.read(p, dtype="float32")[0]) for p in paths])[:, None]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        family.fit_statistics(model, family.features(waves))
    metadata = ModelMetadata(name="tones", dataset_file_count=SOUNDS)
    saved = save_model_v2(model, family.spectrogram_config, CONFIG, CONFIG, metadata, base / "models")
    shutil.copy(saved, folder.path / "model.distill")
    shutil.copy(paths[1], folder.previews / "recon_epoch0000_orig_00.wav")
    shutil.copy(paths[1], folder.previews / "recon_epoch0000_recon_00.wav")
    return folder.path


@pytest.fixture
def opened(window: MainWindow, finished_run: Path, qtbot: QtBot) -> MainWindow:
    window.plots.toolbar.details.setChecked(True)
    window.runs.runs.open(finished_run)
    qtbot.waitUntil(lambda: window.plots.codebook.strip.isVisible(), timeout=PATIENCE)
    return window


def visible(window: MainWindow) -> dict[str, bool]:
    found = {name: window.findChild(pg.PlotWidget, name) for name in ("lossPlot", "klPlot", "codebookPlot")}
    return {name: plot is not None and plot.isVisible() for name, plot in found.items()}


def curves(window: MainWindow) -> list[list[float]]:
    items = window.plots.codebook.plot.widget.getPlotItem().listDataItems()
    return [[float(y) for y in item.yData] for item in items if item.yData is not None and len(item.yData)]


def words(window: MainWindow) -> list[str]:
    return [label.text() for label in window.plots.codebook.words if label.isVisible()]


def test_an_opened_run_shows_how_its_codebooks_are_used(opened: MainWindow, qtbot: QtBot) -> None:
    assert visible(opened) == {"lossPlot": True, "klPlot": False, "codebookPlot": True}
    wanted = [[90.0], [70.0], [80.0, 40.0], [60.0, 25.0]]  # by step, then by epoch
    qtbot.waitUntil(lambda: np.allclose([sum(c) for c in curves(opened)], [sum(c) for c in wanted]))
    assert [len(c) for c in curves(opened)] == [1, 1, 2, 2]
    lines = [i for i in opened.plots.codebook.plot.widget.getPlotItem().items if isinstance(i, pg.InfiniteLine)]
    assert [line.value() for line in lines] == [pytest.approx(30)]
    first, second = words(opened)
    assert ">few<" in first
    assert "40 % in use" in first
    assert ">too few<" in second
    assert "12 of 20" in opened.plots.codebook.words[0].toolTip()


@pytest.mark.parametrize("covers", ["details", "plot", "page"])
def test_the_menu_goes_to_the_codes(opened: MainWindow, qtbot: QtBot, covers: str) -> None:
    action, strip = menu_action(opened, "View", "Go to codes"), opened.plots.codebook.strip
    opened.activateWindow()
    qtbot.waitUntil(opened.isActiveWindow)
    if covers == "details":
        opened.plots.toolbar.details.setChecked(False)
    elif covers == "plot":
        opened.plots.toolbar.buttons["monitor"].setChecked(False)
    else:
        opened.pages.open_page(MODELS)
    assert not strip.isVisible()
    assert action.isEnabled()
    action.trigger()
    qtbot.waitUntil(strip.hasFocus)
    opened.runs.close_run()
    assert not action.isEnabled()


@pytest.mark.parametrize(("use", "word"), [(0.29, "too few"), (0.3, "few"), (0.49, "few"), (0.5, "healthy")])
def test_a_plain_word_for_each_state(window: MainWindow, use: float, word: str) -> None:
    label = window.plots.codebook.words[0]
    label.show_health(health(use)["level_0"], ENTRIES)
    assert f">{word}<" in label.text()


def test_few_codes_are_said_to_be_few(opened: MainWindow, qtbot: QtBot) -> None:
    view = opened.plots.codebook
    qtbot.waitUntil(lambda: view.plot.note() == "measured on 96 codes")
    history = VQMetricsHistory()
    history.add_epoch(epoch(0, health(0.5, 0.5)))
    view.show_history(25)
    view.redraw(history)
    assert "only 96 codes" in view.plot.note()


def test_the_table_keeps_qts_rules(qtbot: QtBot) -> None:
    table = CodeTable()
    tester = QAbstractItemModelTester(table, QAbstractItemModelTester.FailureReportingMode.Warning)
    counts = np.zeros((3, 130), dtype=np.int64)
    counts[1, 100], counts[1, 7] = 5, 2
    table.set_counts(counts)
    cells = [table.index(row, column) for row in range(table.rowCount()) for column in range(table.columnCount())]
    codes = [code for cell in cells if (code := cell.data(CODE_ROLE)) is not None]
    assert sorted((c.level, c.entry) for c in codes) == [(level, n) for level in range(3) for n in range(130)]
    assert all(table.index_of(code).data(CODE_ROLE) == code for code in codes)
    shares = [table.index_of(Code(1, n)).data(SHARE_ROLE) for n in (100, 7, 8)]
    assert shares[0] == 1 > shares[1] > shares[2] == 0
    assert table.index_of(Code(1, 7)).data(Qt.ItemDataRole.ToolTipRole) == "Level 1, code 7: used 2 of 7 times"
    assert table.index_of(Code(0, 7)).data(Qt.ItemDataRole.ToolTipRole) == "Level 0, code 7: never used"
    assert [table.index(row, 0).data() for row in range(table.rowCount())] == ["0", None, None, None] + ["1"] + [
        None
    ] * 3 + ["2", None, None]
    assert not table.flags(QModelIndex()) & Qt.ItemFlag.ItemIsEnabled
    tester.deleteLater()


def test_the_counts_are_those_of_the_held_out_sounds(finished_run: Path) -> None:
    use = read_use(finished_run, threading.Event())
    assert use.is_whole
    assert use.counts.shape == (LEVELS, ENTRIES)
    assert use.counts.sum(axis=1).tolist() == [POSITIONS, POSITIONS]  # one second of the one sound held out
    assert use.tokens == POSITIONS


def test_the_sounds_that_the_run_held_out_are_counted_as_it_heard_them(finished_run: Path, tmp_path: Path) -> None:
    """A run from another one holds out what that did, and a sound may have been fixed."""
    moved, cache = tmp_path / "moved", SoundCache()
    shutil.copytree(finished_run, moved)
    record = RunRecord.load(moved)
    sounds = [cache.get(path) for path in record.file_paths]
    ranked = split_sounds(sounds, CONFIG.val_fraction, 48_000)[1][0]
    other = next(sound for sound in sounds if sound is not ranked)
    fix = SoundFix(hum_hz=50.0)
    split = KnownSplit.of([sound for sound in sounds if sound is not other], [other]).to_dict()
    replace(record, split=split, fixes={other.content_hash: fix}).save(moved)
    use = read_use(moved, threading.Event())
    assert use.is_whole
    fixed = SoundCache(fixes={other.content_hash: fix}).get(other.source)

    def differing(sound: CachedSound) -> int:
        codes = use.model.encode(torch.from_numpy(sound.read(0, 48_000))[None, None]).codes
        counts = [np.bincount(codes[..., level].ravel(), minlength=ENTRIES) for level in range(LEVELS)]
        return int(sum(np.abs(use.counts[level] - counts[level]).sum() for level in range(LEVELS)))

    # Features are kept in half precision, so codes between two entries may be either, and then those of the next level.
    assert 2 * differing(fixed) < min(differing(other), differing(ranked))


def test_without_its_sounds_a_run_counts_the_originals_of_its_previews(finished_run: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(finished_run, moved)
    record = RunRecord.load(moved)
    replace(record, file_paths=[tmp_path / "gone 1.wav", tmp_path / "gone 2.wav"]).save(moved)
    use = read_use(moved, threading.Event())
    assert not use.is_whole
    original, _ = soundfile.read(moved / "previews" / "recon_epoch0000_orig_00.wav", dtype="float32")
    codes = use.model.encode(torch.from_numpy(original)[None, None]).codes
    for level in range(LEVELS):
        assert use.counts[level].tolist() == np.bincount(codes[..., level].ravel(), minlength=ENTRIES).tolist()


def test_a_code_sounds_like_its_entry_alone_everywhere(finished_run: Path, tmp_path: Path) -> None:
    use = read_use(finished_run, threading.Event())
    network = open_model(finished_run / "model.distill").model
    assert isinstance(network, ConvVQVAE)
    entries = network.quantizer.codebooks.codebooks  # [levels, entries, D]
    heard, sample_rate = soundfile.read(write_code(use, Code(1, 3), tmp_path), dtype="float32")
    assert sample_rate == 48_000
    with torch.no_grad():
        features = network._features(entries[1, 3].expand(1, POSITIONS, -1))
    wanted = use.model.family.to_waveform(features, 48_000)[0, 0].numpy()
    np.testing.assert_allclose(heard, 0.98 * wanted / np.abs(wanted).max(), atol=1e-3)


def test_click_and_keys_play_codes(opened: MainWindow, qtbot: QtBot) -> None:
    strip, playback = opened.plots.codebook.strip, opened.playing.playback

    def heard() -> str:
        path = playback.status.path
        return path.name if path is not None and playback.status.state is PlayerState.PLAYING else ""

    QTest.keyClick(strip, Qt.Key.Key_Right)
    QTest.keyClick(strip, Qt.Key.Key_Enter)
    qtbot.waitUntil(lambda: heard() == "level 0 code 1.wav", timeout=PATIENCE)
    position = strip.visualRect(strip.codes.index_of(Code(1, 3))).center()
    QTest.mouseClick(strip.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, position)
    qtbot.waitUntil(lambda: heard() == "level 1 code 3.wav", timeout=PATIENCE)
    QTest.keyClick(strip, Qt.Key.Key_Right)
    QTest.keyClick(strip, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: heard() == "level 1 code 4.wav", timeout=PATIENCE)
    QTest.keyClick(strip, Qt.Key.Key_Up)
    QTest.keyClick(strip, Qt.Key.Key_Up)
    QTest.keyClick(strip, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: heard() == "level 0 code 4.wav", timeout=PATIENCE)
    folder = playback.status.path.parent if playback.status.path is not None else Path()
    assert folder.is_dir()
    opened.quit_now()
    assert not folder.exists()


def test_of_many_clicks_the_last_is_heard(opened: MainWindow, qtbot: QtBot) -> None:
    strip, playback, asked = opened.plots.codebook.strip, opened.playing.playback, list[str]()
    playback.status_changed.connect(lambda status: asked.append(status.path.name))
    for entry in range(10):
        strip.code_requested.emit(Code(0, entry))
    qtbot.waitUntil(lambda: "level 0 code 9.wav" in asked, timeout=PATIENCE)
    assert asked == ["level 0 code 9.wav"]


def test_the_folder_of_codes_outlives_its_writer(
    opened: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancelled task still writes: its folder must neither be missing nor come back after the end."""
    written: list[Path] = []
    begun, go_on = threading.Event(), threading.Event()

    def write_slowly(_use: object, _code: Code, folder: Path) -> Path:
        begun.set()
        go_on.wait(10)
        (folder / "code.wav").touch()  # fails where the folder is gone
        written.append(folder)
        return folder / "code.wav"

    monkeypatch.setattr("distill.gui.plots.codebook.presenter.write_code", write_slowly)
    opened.plots.codebook.strip.code_requested.emit(Code(0, 0))
    assert begun.wait(10)
    opened.codes.show_run(None)
    go_on.set()
    qtbot.waitUntil(lambda: bool(written))
    opened.quit_now()
    assert not written[0].exists()
    assert not written[0].parent.exists()


def test_a_new_run_hides_the_codes(opened: MainWindow, sounds: Path, qtbot: QtBot) -> None:
    opened.controls.choose("vae", "auto", 1)
    opened.open_folder(sounds)
    qtbot.waitUntil(lambda: opened.controls.start.isEnabled() and not opened.sounds.scanner.is_busy, timeout=PATIENCE)
    opened.controls.start.click()
    assert opened.plots.codebook.strip.isHidden()
    qtbot.waitUntil(lambda: opened.runs.bridge.state is RunState.IDLE, timeout=PATIENCE)
    assert visible(opened)["klPlot"]
    assert opened.plots.codebook.strip.isHidden()


def test_a_run_without_a_model_has_no_strip_and_a_damaged_one_is_told(
    window: MainWindow, finished_run: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    window.plots.toolbar.details.setChecked(True)
    without = shutil.copytree(finished_run, tmp_path / "without")
    (without / "model.distill").unlink()
    window.runs.runs.open(without)
    qtbot.waitUntil(lambda: len(curves(window)) == 4, timeout=PATIENCE)
    assert window.plots.codebook.strip.isHidden()
    assert not window.notices.text()
    (without / "model.distill").write_bytes(b"no model")
    window.runs.runs.open(without)
    qtbot.waitUntil(lambda: "model.distill" in window.notices.text(), timeout=PATIENCE)
    assert window.plots.codebook.strip.isHidden()


def test_the_window_does_not_look_for_the_model_of_a_run(window: MainWindow, finished_run: Path, qtbot: QtBot) -> None:
    threads: list[threading.Thread] = []

    class NotedPath(type(Path())):  # type: ignore[misc]
        def is_file(self) -> bool:
            threads.append(threading.current_thread())
            return False

    window.codes.show_run(NotedPath(finished_run))
    qtbot.waitUntil(lambda: bool(threads), timeout=PATIENCE)
    assert threading.main_thread() not in threads
    qtbot.waitUntil(lambda: window.codes._counting is None, timeout=PATIENCE)
    assert window.plots.codebook.caption.isHidden()


def test_the_previews_of_the_family_are_explained(opened: MainWindow) -> None:
    opened.previews.show_family(replace(family_info("vqvae"), makes_new_sounds=False))
    assert opened.previews.note.isVisible()
    assert opened.previews.grid.sound_count == 1
    opened.previews.show_previews([])
    assert not opened.previews.note.isVisible()
    assert "no new sounds" in opened.previews.empty.text.text()
    opened.previews.show_family(family_info("vae"))
    assert "no new sounds" not in opened.previews.empty.text.text()
