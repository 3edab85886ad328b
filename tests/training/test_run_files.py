"""What a run leaves on the disk."""

import json
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from distill.audio.cache.sound_cache import SoundCache
from distill.audio.decoding.sound_fix import SoundFix
from distill.audio.export import write_wav
from distill.events import Event, event_to_dict
from distill.models import open_model
from distill.models.families.vae_family import MelVAEFamily
from distill.models.model_parts import draw_points
from distill.models.priors.window_prior import WindowPrior
from distill.runs.preview_files import BEFORE_FOLDER
from distill.runs.run_history import read_history
from distill.runs.run_record import RunRecord
from distill.training import (
    EpochMetrics,
    PreviewEvent,
    StartPreviewEvent,
    StepMetrics,
    TrainingNotice,
    get_best_checkpoint,
    list_checkpoints,
    list_previews,
    list_reconstructions,
    load_checkpoint,
    resume_run,
    train,
)
from distill.training.data.moved_sounds import locate_sounds
from distill.training.data.split import split_sounds
from distill.training.dataset import prepare_sounds
from tests.training.conftest import QUICK, RUN, Finished, ended, tone, write_sounds


class TestWhatIsOnTheDisk:
    def test_checkpoints_kept(self, done: Finished) -> None:
        kept = {f["epoch"] for f in list_checkpoints(done.folder / "checkpoints")}
        best = ended(done.events).best_epoch
        assert kept == {4, 5, best}
        epochs = done.told(EpochMetrics)
        for found in list_checkpoints(done.folder / "checkpoints"):
            assert found["val_loss"] == epochs[found["epoch"]].val_loss
            assert found["train_loss"] == epochs[found["epoch"]].train_loss

    def test_the_model_file_holds_the_best_weights(self, done: Finished) -> None:
        best = torch.load(get_best_checkpoint(done.folder / "checkpoints"), weights_only=True)  # type: ignore[arg-type]
        model = open_model(done.folder / "model.distill")
        state = model.model.state_dict()
        assert all(torch.equal(state[k], v) for k, v in best["model_state_dict"].items())
        facts = model.metadata
        assert (facts.name, facts.dataset_name, facts.dataset_file_count) == ("Little bells", "Bells", 10)
        assert facts.training_epochs == best["epoch"] + 1
        assert facts.final_val_loss == best["val_loss"]
        assert facts.dataset_total_duration_s == pytest.approx(9 * 0.8 + 2.5, abs=0.01)

    def test_the_library_gets_a_copy(self, done: Finished) -> None:
        (copy,) = done.library.glob("*.distill")
        assert copy.read_bytes() == (done.folder / "model.distill").read_bytes()

    def test_the_record(self, done: Finished) -> None:
        data = json.loads((done.folder / "run.json").read_text(), parse_constant=lambda name: pytest.fail(name))
        record = RunRecord.load(done.folder)
        assert record.config == RUN
        assert record.file_paths == done.given
        assert [s.path.name for s in record.skipped] == ["bad.wav"]
        assert (record.status, record.error) == ("finished", None)
        assert (record.dataset_name, record.model_name) == ("Bells", "Little bells")
        assert record.notes == [e.message for e in done.told(TrainingNotice)]
        assert data["speed"]["precision"] == "float32"
        assert data["speed"]["num_threads"] == 1
        assert "as the settings say" in data["speed"]["why"]

    def test_the_history(self, done: Finished) -> None:
        lines = [json.loads(line) for line in (done.folder / "history.jsonl").read_text().splitlines()]
        told = [event_to_dict(e) for e in done.events if isinstance(e, (StepMetrics, EpochMetrics))]
        assert lines == told
        assert read_history(done.folder) == done.result["metrics_history"]

    def test_nothing_else(self, done: Finished) -> None:
        assert {p.name for p in done.folder.iterdir()} <= {
            "run.json", "history.jsonl", "run.lock", "model.distill", "checkpoints", "previews",
        }  # fmt: skip

    def test_previews(self, done: Finished) -> None:
        folder = done.folder / "previews"
        names = {p.name for p in folder.iterdir()}
        expected = {f"preview_epoch{e:04d}_{n:02d}.wav" for e in (0, 2, 4, 5) for n in range(3)}
        expected |= {
            f"recon_epoch{e:04d}_{kind}_{n:02d}.wav" for e in (0, 2, 4, 5) for kind in ("orig", "recon") for n in (0, 1)
        }
        assert names == expected | {BEFORE_FOLDER}
        before = {p.name for p in (folder / BEFORE_FOLDER).iterdir()}
        assert before == {name for name in expected if "epoch0000" in name}
        assert {Path(e.audio_path).name for e in done.told(StartPreviewEvent)} == {
            n for n in before if "_orig_" not in n
        }
        names.discard(BEFORE_FOLDER)
        told = Counter(e.epoch for e in done.told(PreviewEvent))
        assert told == {0: 5, 2: 5, 4: 5, 5: 5}
        assert {Path(e.audio_path).name for e in done.told(PreviewEvent)} == {n for n in names if "_orig_" not in n}
        assert all(e.sample_rate == 48_000 for e in done.told(PreviewEvent))
        assert [p["epoch"] for p in list_previews(folder)] == [e for e in (0, 2, 4, 5) for _ in range(3)]
        assert all(Path(p["original_path"]).exists() for p in list_reconstructions(folder))

    def test_previews_are_16_bit_at_48_khz_and_full(self, done: Finished) -> None:
        for path in (done.folder / "previews").rglob("*.wav"):
            info = soundfile.info(path)
            assert (info.samplerate, info.channels, info.subtype, info.frames) == (48_000, 1, "PCM_16", 48_000)
            audio, _ = soundfile.read(path)
            assert 0.95 < np.abs(audio).max() < 1.0

    def test_pairs_are_of_the_same_held_out_sounds_every_time(self, done: Finished) -> None:
        folder = done.folder / "previews"
        for n in (0, 1):
            originals = {(folder / f"recon_epoch{e:04d}_orig_{n:02d}.wav").read_bytes() for e in (0, 2, 4, 5)}
            assert len(originals) == 1
        _, val = split_sounds(prepare_sounds(done.sounds, SoundCache()).sounds, RUN.val_fraction, 48_000)
        heard = soundfile.read(folder / "recon_epoch0000_orig_00.wav", dtype="float32")[0]
        matches = {sound.source: float(np.corrcoef(heard, sound.read(0, 48_000))[0, 1]) for sound in val}
        assert max(matches.values()) > 0.999
        named = RunRecord.load(done.folder).preview_sounds  # the window says by this which of the user's sounds it is
        assert matches[named[0]] > 0.999
        assert len(named) == 2
        assert named[1] not in matches, "the other one is trained on"
        assert RunRecord.load(done.folder).preview_training == [1]

    def test_new_sounds_come_from_the_same_latents_every_time(self, done: Finished) -> None:
        family = MelVAEFamily(RUN)
        model = family.build()
        checkpoint = load_checkpoint(list_checkpoints(done.folder / "checkpoints")[-1]["path"], model)
        prior = WindowPrior.of_state(checkpoint["training_state"]["prior"]["averaged"])
        points = draw_points(family, model.eval(), prior, 3, 0)
        assert points is not None
        with torch.no_grad():
            waves = family.to_waveform(family.from_points(model, points), 48_000)
        for n in range(3):
            heard = soundfile.read(done.folder / "previews" / f"preview_epoch0005_{n:02d}.wav", dtype="float32")[0]
            assert np.corrcoef(heard, waves[n, 0].numpy())[0, 1] > 0.999


def test_both_parts_of_a_divided_sound_stay_what_they_are_when_a_run_is_resumed(tmp_path: Path) -> None:
    sound, folder = tmp_path / "sounds" / "long.wav", tmp_path / "run"
    sound.parent.mkdir()
    write_wav(sound, np.concatenate([tone(number) for number in range(13)]))
    train(replace(QUICK, max_epochs=1, prior_steps=0, batch_size=16), [sound], folder, "cpu")
    record = RunRecord.load(folder)
    assert record.preview_sounds == [sound, sound]
    assert record.preview_training == [1]
    resume_run(folder, max_epochs=2)
    assert RunRecord.load(folder).preview_training == [1]
    previews = folder / "previews"
    tested, learnt = (
        {(previews / f"recon_epoch{epoch:04d}_orig_{number:02d}.wav").read_bytes() for epoch in (0, 1)}
        for number in (0, 1)
    )
    assert (len(tested), len(learnt)) == (1, 1)
    assert tested != learnt


def test_relative_paths_are_recorded_as_absolute_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is resumed from anywhere, and finds its sounds and those that were skipped again."""
    monkeypatch.chdir(tmp_path)
    paths = [path.relative_to(tmp_path) for path in write_sounds(tmp_path / "sounds", 3)]
    bad = Path("sounds", "bad.wav")
    bad.write_bytes(b"RIFF no sound")
    cancel = threading.Event()

    def stop(event: Event) -> None:
        if isinstance(event, StepMetrics):
            cancel.set()

    config = replace(QUICK, prior_steps=0)
    fixes = {paths[0]: SoundFix(weight=0.5)}
    train(config, [*paths, bad], "run", "cpu", stop, cancel, fixes=fixes)
    record = RunRecord.load("run")
    assert [item.path for item in record.skipped] == [tmp_path / bad]
    assert set(record.fingerprints) == {str(tmp_path / path) for path in paths}
    bad.unlink()
    (tmp_path / "sounds").rename(tmp_path / "moved")
    assert locate_sounds(record, tmp_path / "moved")[:3] == [tmp_path / "moved" / path.name for path in paths]
    cancel.clear()
    resume_run("run", stop, cancel, sounds=tmp_path / "moved")
    assert [item.path for item in RunRecord.load("run").skipped] == [tmp_path / bad]
