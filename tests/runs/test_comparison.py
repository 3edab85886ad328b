"""Runs side by side: what differs, and the same sounds of each."""

from pathlib import Path
from typing import Any

import pytest

from distill.config.factory import make_config
from distill.config.presets_by_file_count import ADAPTIVE_LATENTS
from distill.errors import RunFolderError
from distill.events import EpochMetrics
from distill.runs.comparison import Comparison, EpochPoint
from distill.runs.folder import RunFolder
from distill.runs.run_record import RunRecord


def write_run(folder: Path, family: str, losses: list[float], sounds: list[str], **changes: Any) -> Path:
    """A run of some epochs of two seconds, with previews of each."""
    run = RunFolder(folder, resuming=False)
    RunRecord(
        make_config(family, 4, "auto", 9, **changes), [Path("a.wav"), Path("b.wav")], model_name=folder.name,
        status="finished", preview_sounds=[Path(name) for name in sounds],
    ).save(folder)  # fmt: skip
    for n, loss in enumerate(losses):
        run.append_history([EpochMetrics(n, 9, loss, loss, loss, 0.1, 3.0, 0.1, 1e-3, 9.0, 2.0 * (n + 1))])
        names = [f"preview_epoch{n:04}_00.wav"]
        for number in range(len(sounds)):
            names += [f"recon_epoch{n:04}_{part}_{number:02}.wav" for part in ("orig", "recon")]
        for name in names:
            (run.previews / name).touch()
    run.close()
    return folder


@pytest.fixture
def comparison(tmp_path: Path) -> Comparison:
    first = write_run(tmp_path / "first", "vae", [0.5, 0.3, 0.4], ["bell.wav", "gong.wav"], seed=1)
    second = write_run(tmp_path / "second", "vae", [0.6, 0.2], ["gong.wav", "drum.wav"], seed=2, latent_dim=8)
    return Comparison.read([first, second])


def test_curves_and_results(comparison: Comparison) -> None:
    first, second = comparison.runs
    assert first.curve == (EpochPoint(1, 2.0, 0.5), EpochPoint(2, 4.0, 0.3), EpochPoint(3, 6.0, 0.4))
    assert [run.best and run.best.epoch for run in (first, second)] == [2, 2]
    assert (first.seconds, second.seconds) == (6.0, 4.0)
    assert comparison.has_same_loss


def test_only_settings_that_differ_are_listed(comparison: Comparison) -> None:
    found = {row.label: row.values for row in comparison.differences()}
    assert found == {"Seed": ("1", "2"), "Dimensions": (str(ADAPTIVE_LATENTS), "8")}


def test_a_setting_that_only_one_family_has_is_no_difference(tmp_path: Path) -> None:
    folders = [write_run(tmp_path / key, key, [0.5], []) for key in ("vae", "vqvae")]
    found = Comparison.read(folders)
    assert not found.has_same_loss
    labels = [row.label for row in found.differences()]
    assert labels[0] == "Family"
    assert found.differences()[0].values == ("Fast", "Closest copies"), "as the window calls them"
    assert "Levels" not in labels  # of the codebook
    assert len(labels) == len(set(labels))


def test_the_same_sound_is_found_under_another_number(comparison: Comparison) -> None:
    rows = {row.name or f"new {row.number}": row for row in comparison.same_sounds()}
    assert list(rows) == ["bell.wav", "gong.wav", "drum.wav", "new 0"]
    files = [file and file.name for file in rows["gong.wav"].files]
    assert files == ["recon_epoch0002_recon_01.wav", "recon_epoch0001_recon_00.wav"]
    assert rows["gong.wav"].epochs == (3, 2)
    assert rows["gong.wav"].original is not None
    assert [file is not None for file in rows["bell.wav"].files] == [True, False]
    assert [file is not None for file in rows["new 0"].files] == [True, True]


@pytest.mark.parametrize(
    ("chosen", "epochs"), [({"epoch": 1}, (1, 1)), ({"epoch": 3}, (3, 2)), ({"at_best": True}, (2, 2))]
)
def test_sounds_of_an_epoch(comparison: Comparison, chosen: dict[str, Any], epochs: tuple[int, int]) -> None:
    rows = {row.name: row for row in comparison.same_sounds(**chosen)}
    assert rows["gong.wav"].epochs == epochs
    assert comparison.epochs_with_sounds() == [1, 2, 3]


def test_one_run_or_five_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="2 to 4"):
        Comparison.read([tmp_path])


def test_sounds_of_the_same_name_are_all_heard(tmp_path: Path) -> None:
    """Of two sounds called 01.wav, and of the two parts of the one sound of a run, only the second one was there."""
    first = write_run(tmp_path / "first", "vae", [0.5], ["kicks/01.wav", "snares/01.wav"])
    second = write_run(tmp_path / "second", "vae", [0.4], ["kicks/01.wav", "snares/01.wav"])
    rows = [row for row in Comparison.read([first, second]).same_sounds() if row.name]
    assert [row.name for row in rows] == ["01.wav", "01.wav"]
    files = [[file and file.name for file in row.files] for row in rows]
    assert files == [[f"recon_epoch0000_recon_{n:02}.wav"] * 2 for n in range(2)]
