"""What is measured for the estimate of a run: its sounds, its speed, and the run itself."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from distill.audio.cache.sound_cache import SoundCache
from distill.audio.export import write_wav
from distill.runs.estimates.measured_costs import FEWEST_STEPS, Figures, RunFacts, Stopwatch, figures_of
from distill.runs.folder import RunFolder
from distill.runs.preview_files import BEFORE_FOLDER
from distill.training import estimate_inputs
from distill.training.data.epoch_batches import EpochBatches
from distill.training.data.split import split_sounds
from distill.training.dataset import AudioTrainingDataset, prepare_sounds
from distill.training.estimate_inputs import material_of
from tests.training.conftest import QUICK, RUN, Finished, MakeConfig, tone, write_sounds


def test_the_material_is_what_a_run_trains_on(done: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    material = material_of(done.given, RUN)
    assert material is not None
    assert material.sounds == 10
    steps = -(-material.train_chunks * RUN.regularization.augmentation_expansion // RUN.batch_size)
    assert done.result["metrics_history"].step_count == RUN.max_epochs * steps
    assert material.train_chunks + material.held_out_chunks == 12  # one sound has three


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_sounds_are_no_material(tmp_path: Path, count: int) -> None:
    assert material_of(write_sounds(tmp_path / "sounds", count), QUICK) is None


def test_a_trial_gives_the_figures_of_a_short_run(make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config()
    found = estimate_inputs.run_trial(config, tmp_path)
    assert found is not None
    assert found.is_trial
    for name in ("step_s", "measure_s", "preview_s", "preview_bytes", "checkpoint_bytes", "model_bytes", "closing_s"):
        assert getattr(found, name) > 0, name
    assert found.good_share == 0
    run = Figures.load().of(config)[-1]  # as every run does; the trial's own process has a home of its own
    assert (run.is_trial, run.chunks) == (False, 6)


def test_a_trial_that_is_cancelled_leaves_no_process() -> None:
    cancel = threading.Event()
    cancel.set()
    assert estimate_inputs.measure(replace(QUICK, max_epochs=1), cancel) is None  # `conftest` looks for what is left


def test_a_recording_with_pauses_counts_as_a_sound_for_each_part(tmp_path: Path) -> None:
    """In a run, which draws as much from each part as from each one-shot, and in the estimate of its end."""
    paths = write_sounds(tmp_path / "sounds", 3)
    pause = np.zeros(2 * 48_000, np.float32)
    write_wav(tmp_path / "sounds" / "hits.wav", np.concatenate([part for n in range(4) for part in (tone(n), pause)]))
    config = replace(QUICK, val_fraction=0.01)
    files = [*paths, tmp_path / "sounds" / "hits.wav"]
    material = material_of(files, config)
    assert material is not None
    assert material.sounds == 4
    train_sounds, _ = split_sounds(prepare_sounds(files, SoundCache()).sounds, config.val_fraction, 48_000)
    owner = AudioTrainingDataset(train_sounds).owner
    assert material.train_sounds == len(np.unique(owner))
    assert material.train_sounds > len(train_sounds)
    drawn = np.concatenate(EpochBatches(1000, 16, 1, np.resize(owner, 1000)).batches_of(0)).astype(int)
    counts = np.bincount(np.resize(owner, 1000)[drawn])
    assert counts.max() - counts.min() <= 1


def test_a_resumed_run_has_the_figures_of_one_that_was_not(tmp_path: Path) -> None:
    """Previews are of all sessions, and what preparing takes goes by the seconds of the sounds."""
    folder = RunFolder(tmp_path / "run", resuming=False)
    folder.close()
    (folder.previews / BEFORE_FOLDER).mkdir()
    for name in (f"{BEFORE_FOLDER}/preview_epoch0000_00.wav", "preview_epoch0000_00.wav", "preview_epoch0003_00.wav"):
        (folder.previews / name).write_bytes(bytes(60))
        (folder.previews / name.replace("00.wav", "01.wav")).write_bytes(bytes(40))
    watch = Stopwatch()
    watch.add("step", 1.0, FEWEST_STEPS)
    watch.add("previews", 1.0)  # of one epoch in this session
    watch.add("preparing", 6.0)
    found = figures_of(
        watch, folder, RunFacts(chunks=3, seconds=10.0, variants=2, sounds=2, closing_steps=0, good_share=0.0)
    )
    assert found is not None
    assert found.preview_bytes == 100
    assert found.prepare_s == pytest.approx(6.0 / (10.0 * 2))
