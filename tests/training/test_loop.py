"""A whole run: what it tells, what it leaves on the disk, and that what it measures is what it says."""

import json
import math
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from distill.audio.cache import SoundCache
from distill.errors import (
    CheckpointError,
    ConfigurationError,
    DistillError,
    NotEnoughSoundsError,
    RunFolderError,
    TrainingError,
)
from distill.models import open_model
from distill.models.vae_family import MelVAEFamily
from distill.training import (
    EpochMetrics,
    PreparationProgress,
    PreviewEvent,
    RegularizationConfig,
    StepMetrics,
    TrainingCompleteEvent,
    TrainingConfig,
    TrainingNotice,
    get_best_checkpoint,
    list_checkpoints,
    list_previews,
    list_reconstructions,
    load_checkpoint,
    resume_run,
    train,
)
from distill.training.dataset import prepare_sounds, split_by_file
from distill.training.epoch import validate
from distill.training.features import FeatureDataset
from distill.training.metrics import Event, event_to_dict
from distill.training.run_folder import RunRecord, read_history
from distill.training.speed import Speed
from tests.training.conftest import write_sounds

QUICK = TrainingConfig(
    max_epochs=3,
    batch_size=4,
    checkpoint_interval=1,
    precision="float32",
    num_threads=1,
    val_fraction=0.2,
    latent_dim=16,
    preview_interval_short=100,
    regularization=RegularizationConfig(augmentation_expansion=2),
)
RUN = replace(QUICK, max_epochs=6, preview_interval_short=2, max_checkpoints=2)


class Finished:
    """A run that ended by itself, and all that it told."""

    def __init__(self, folder: Path) -> None:
        self.sounds = write_sounds(folder / "sounds", 10)
        bad = folder / "sounds" / "bad.wav"
        bad.write_bytes(b"RIFF no sound")
        self.given = [*self.sounds, bad]
        self.folder, self.library = folder / "run", folder / "library"
        self.events: list[Event] = []
        torch.manual_seed(5)
        self.stream = torch.get_rng_state()
        self.result = train(
            RUN, self.given, self.folder, "cpu", self.events.append, models_dir=self.library, dataset_name="Bells",
            model_name="Little bells",
        )  # fmt: skip
        self.stream_after = torch.get_rng_state()

    def told(self, kind: Any) -> list[Any]:
        return [e for e in self.events if isinstance(e, kind)]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return Finished(tmp_path_factory.mktemp("finished"))


def ended(events: list[Event]) -> TrainingCompleteEvent:
    """Return the one last event; fail where there is none, or more than one."""
    assert [isinstance(e, TrainingCompleteEvent) for e in events] == [False] * (len(events) - 1) + [True]
    assert isinstance(events[-1], TrainingCompleteEvent)
    return events[-1]


def topics(events: list[Event]) -> list[str]:
    return [e.topic for e in events if isinstance(e, TrainingNotice)]


class TestWhatIsTold:
    def test_every_step_and_epoch_in_order(self, done: Finished) -> None:
        told = [e for e in done.events if isinstance(e, (StepMetrics, EpochMetrics))]
        per_epoch = told[0].total_steps  # type: ignore[union-attr]
        assert per_epoch == -(-2 * 8 // 4) or per_epoch == -(-2 * 10 // 4)  # the long sound has three chunks
        expected: list[tuple[Any, ...]] = []
        for epoch in range(6):
            expected += [(StepMetrics, epoch, step) for step in range(per_epoch)]
            expected.append((EpochMetrics, epoch, None))
        assert [(type(e), e.epoch, getattr(e, "step", None)) for e in told] == expected
        assert all(e.total_steps == per_epoch for e in done.told(StepMetrics))
        assert all(e.total_epochs == 6 for e in done.told(EpochMetrics))
        assert all(math.isfinite(e.train_loss) and e.step_time_s > 0 for e in done.told(StepMetrics))

    def test_one_end_and_it_is_last(self, done: Finished) -> None:
        end, epochs = ended(done.events), done.told(EpochMetrics)
        assert (end.outcome, end.error, end.total_epochs) == ("finished", None, 6)
        assert (end.final_train_loss, end.final_val_loss) == (epochs[-1].train_loss, epochs[-1].val_loss)
        assert end.best_val_loss == min(e.val_loss for e in epochs)
        assert end.best_epoch == min(epochs, key=lambda e: e.val_loss).epoch
        assert end.total_time_s > epochs[-1].elapsed_seconds > 0

    def test_the_preparation_comes_first(self, done: Finished) -> None:
        first_step = done.events.index(done.told(StepMetrics)[0])
        progress = done.told(PreparationProgress)
        assert all(done.events.index(e) < first_step for e in progress)
        assert {"Reading sounds", "Preparing variants"} <= {e.stage for e in progress}
        assert all(0 <= e.done <= e.total for e in progress)

    def test_a_bad_file_is_told_and_on_record(self, done: Finished) -> None:
        said = [e.message for e in done.told(TrainingNotice) if e.topic == "skipped"]
        assert len(said) == 1
        assert said[0].startswith("bad.wav is left out: ")

    def test_the_kl_weight_warms_up_and_the_rate_follows_the_cosine(self, done: Finished) -> None:
        steps = done.told(StepMetrics)
        weights = {e.epoch: e.kl_weight for e in steps}
        peak = RUN.kl_weight_max
        assert list(weights.values()) == pytest.approx([0.0, peak / 1.8, *[peak] * 4])
        assert steps[-1].learning_rate < 0.02 * max(e.learning_rate for e in steps)

    def test_the_result(self, done: Finished) -> None:
        result = done.result
        assert result["outcome"] == "finished"
        assert result["output_dir"] == done.folder
        assert result["best_checkpoint_path"] == get_best_checkpoint(done.folder / "checkpoints")
        assert not result["model"].training
        assert list(result["metrics_history"].events()) == [
            e for e in done.events if isinstance(e, (StepMetrics, EpochMetrics))
        ]

    def test_nobodys_random_stream_is_touched(self, done: Finished) -> None:
        assert torch.equal(done.stream, done.stream_after)

    def test_it_learns(self, done: Finished) -> None:
        losses = [e.train_loss for e in done.told(EpochMetrics)]
        assert losses[-1] < 0.8 * losses[0]


class TestWhatIsMeasured:
    def material(self, done: Finished) -> tuple[MelVAEFamily, FeatureDataset, FeatureDataset]:
        family = MelVAEFamily(RUN)
        train_sounds, val_sounds = split_by_file(prepare_sounds(done.sounds, SoundCache()).sounds, RUN.val_fraction)
        return family, FeatureDataset(train_sounds, family), FeatureDataset(val_sounds, family)

    def test_losses_are_those_of_the_newest_checkpoint_in_eval_mode(self, done: Finished) -> None:
        """Held-out sounds with the posterior mean and the final weights; as many trained ones, without variants."""
        family, train_set, val_set = self.material(done)
        model = family.build()
        load_checkpoint(list_checkpoints(done.folder / "checkpoints")[-1]["path"], model)
        event, device = done.told(EpochMetrics)[-1], torch.device("cpu")
        weights = {"recon_loss": 1.0, "kl_loss": RUN.kl_weight_max}

        def measure(data: FeatureDataset, items: Any) -> Any:
            return validate(family, model, data.batches(items, 4), weights, device, Speed())

        held_out = measure(val_set, range(len(val_set)))
        assert held_out.loss == pytest.approx(event.val_loss, rel=1e-5)
        assert held_out.terms["recon_loss"] == pytest.approx(event.val_recon_loss, rel=1e-5)
        assert held_out.figures["kl_divergence"] == pytest.approx(event.kl_divergence, rel=1e-5)
        assert held_out.figures["active_latents"] == event.active_latents
        assert held_out.loss == measure(val_set, range(len(val_set))).loss  # deterministic
        spread = np.unique(np.linspace(0, len(train_set) - 1, len(val_set)).round().astype(int)).tolist()
        assert measure(train_set, spread).loss == pytest.approx(event.train_loss, rel=1e-5)
        assert event.overfitting_gap == pytest.approx((event.val_loss - event.train_loss) / event.train_loss)

    def test_each_chunk_counts_the_same_whatever_the_batches(self, done: Finished) -> None:
        family, train_set, _ = self.material(done)
        model = family.build()
        family.fit_statistics(model, next(train_set.batches(range(len(train_set)), 100)))
        plain = MelVAEFamily(replace(RUN, free_bits=0.0))  # free bits are of a batch, so they may differ
        losses = [
            validate(
                plain, model, train_set.batches(range(len(train_set)), size), {"recon_loss": 1.0, "kl_loss": 1e-3},
                torch.device("cpu"), Speed(),
            ).loss  # type: ignore[union-attr]
            for size in (1, 3, 100)
        ]  # fmt: skip
        assert losses == pytest.approx([losses[0]] * 3, rel=1e-4)


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
        expected |= {f"recon_epoch{e:04d}_{kind}_{n:02d}.wav" for e in (0, 2, 4, 5) for kind in ("orig", "recon") for n in (0, 1)}
        assert names == expected
        told = Counter(e.epoch for e in done.told(PreviewEvent))
        assert told == {0: 5, 2: 5, 4: 5, 5: 5}
        assert {Path(e.audio_path).name for e in done.told(PreviewEvent)} == {n for n in names if "_orig_" not in n}
        assert all(e.sample_rate == 48_000 for e in done.told(PreviewEvent))
        assert [p["epoch"] for p in list_previews(folder)] == [e for e in (0, 2, 4, 5) for _ in range(3)]
        assert all(Path(p["original_path"]).exists() for p in list_reconstructions(folder))

    def test_previews_are_16_bit_at_48_khz_and_full(self, done: Finished) -> None:
        for path in (done.folder / "previews").iterdir():
            info = soundfile.info(path)
            assert (info.samplerate, info.channels, info.subtype, info.frames) == (48_000, 1, "PCM_16", 48_000)
            audio, _ = soundfile.read(path)
            assert 0.95 < np.abs(audio).max() < 1.0

    def test_pairs_are_of_the_same_held_out_sounds_every_time(self, done: Finished) -> None:
        folder = done.folder / "previews"
        for n in (0, 1):
            originals = {(folder / f"recon_epoch{e:04d}_orig_{n:02d}.wav").read_bytes() for e in (0, 2, 4, 5)}
            assert len(originals) == 1
        _, val = split_by_file(prepare_sounds(done.sounds, SoundCache()).sounds, RUN.val_fraction)
        heard = soundfile.read(folder / "recon_epoch0000_orig_00.wav", dtype="float32")[0]
        matches = [float(np.corrcoef(heard, sound.read(0, 48_000))[0, 1]) for sound in val]
        assert max(matches) > 0.999

    def test_new_sounds_come_from_the_same_latents_every_time(self, done: Finished) -> None:
        family = MelVAEFamily(RUN)
        model = family.build()
        load_checkpoint(list_checkpoints(done.folder / "checkpoints")[-1]["path"], model)
        with torch.no_grad():
            waves = family.to_waveform(family.sample(model.eval(), 3, 0), 48_000)  # type: ignore[arg-type]
        for n in range(3):
            heard = soundfile.read(done.folder / "previews" / f"preview_epoch0005_{n:02d}.wav", dtype="float32")[0]
            assert np.corrcoef(heard, waves[n, 0].numpy())[0, 1] > 0.999


class TestWarnings:
    def test_an_overfitting_run_is_told_once_and_goes_on(self, tmp_path: Path) -> None:
        events: list[Event] = []
        config = replace(
            QUICK, max_epochs=6, learning_rate=3e-3, kl_weight_max=0.0,
            regularization=RegularizationConfig(dropout=0.0, weight_decay=0.0, augmentation_expansion=1),
        )  # fmt: skip
        result = train(config, write_sounds(tmp_path / "sounds", 5), tmp_path / "run", "cpu", events.append)
        assert topics(events).count("overfitting") == 1
        said = next(e for e in events if isinstance(e, TrainingNotice) and e.topic == "overfitting")
        assert said.level == "warning"
        assert result["metrics_history"].is_overfitting()
        assert ended(events).outcome == "finished"
        assert "collapse" not in topics(events)

    def test_a_collapsing_run_is_told(self, tmp_path: Path) -> None:
        events: list[Event] = []
        config = replace(QUICK, kl_weight_max=100.0, kl_warmup_fraction=0.0, free_bits=0.0, learning_rate=5e-3, max_epochs=5)
        train(config, write_sounds(tmp_path / "sounds", 10), tmp_path / "run", "cpu", events.append)
        last = [e for e in events if isinstance(e, EpochMetrics)][-1]
        assert last.kl_divergence < 0.5
        assert topics(events).count("collapse") == 1
        assert any("collapse" in note for note in RunRecord.load(tmp_path / "run").notes)


def failing(events: list[Event], *arguments: Any, **named: Any) -> Any:
    """Run something that must fail with an error for the user, and return that error."""
    with pytest.raises(DistillError) as caught:
        train(*arguments, callback=events.append, **named)
    end = ended(events)
    assert end.outcome == "failed"
    assert end.error == str(caught.value)
    return caught.value


class TestEveryEnd:
    def test_too_few_sounds(self, tmp_path: Path) -> None:
        events: list[Event] = []
        sounds = write_sounds(tmp_path / "sounds", 1)
        error = failing(events, QUICK, sounds, tmp_path / "run", "cpu")
        assert isinstance(error, NotEnoughSoundsError)
        record = RunRecord.load(tmp_path / "run")
        assert (record.status, record.error) == ("failed", str(error))
        # The same folder may be used again, with the sounds that were missing.
        more = write_sounds(tmp_path / "sounds", 3)
        train(replace(QUICK, max_epochs=1), more, tmp_path / "other", "cpu")
        assert train(QUICK, more, tmp_path / "run", "cpu")["outcome"] == "finished"
        assert RunRecord.load(tmp_path / "run").file_paths == more

    def test_a_device_that_is_not_there(self, tmp_path: Path) -> None:
        events: list[Event] = []
        error = failing(events, QUICK, [], tmp_path / "run", "cuda:99")
        assert isinstance(error, ConfigurationError)
        assert not (tmp_path / "run").exists()

    def test_a_folder_that_is_taken(self, done: Finished) -> None:
        events: list[Event] = []
        before = (done.folder / "run.json").read_bytes()
        assert isinstance(failing(events, QUICK, done.sounds, done.folder, "cpu"), RunFolderError)
        assert (done.folder / "run.json").read_bytes() == before

    def test_the_checkpoint_of_one_run_does_not_go_into_the_folder_of_another(
        self, done: Finished, tmp_path: Path
    ) -> None:
        train(replace(QUICK, max_epochs=1), done.sounds, tmp_path / "other", "cpu")
        checkpoint = list_checkpoints(done.folder / "checkpoints")[-1]["path"]
        events: list[Event] = []
        longer = replace(RUN, max_epochs=9)
        error = failing(events, longer, done.sounds, tmp_path / "other", "cpu", resume_checkpoint=checkpoint)
        assert isinstance(error, RunFolderError)

    def test_a_resume_that_is_refused_leaves_the_run_as_it_was(self, done: Finished) -> None:
        def contents() -> dict[str, bytes]:
            return {str(p): p.read_bytes() for p in done.folder.rglob("*") if p.is_file()}

        before, events = contents(), []  # type: ignore[var-annotated]
        checkpoint = list_checkpoints(done.folder / "checkpoints")[-1]["path"]
        for config, sounds in (
            (RUN, done.sounds),
            (replace(RUN, max_epochs=9, latent_dim=8), done.sounds),
            (replace(RUN, max_epochs=9), done.sounds[:-1]),
            (replace(RUN, max_epochs=9), done.sounds[:1]),
        ):
            events = []
            error = failing(events, config, sounds, done.folder, "cpu", resume_checkpoint=checkpoint)
            assert isinstance(error, (CheckpointError, NotEnoughSoundsError))
            assert contents() == before

    @pytest.mark.parametrize("kind", [PreparationProgress, StepMetrics, EpochMetrics, PreviewEvent])
    def test_a_callback_that_raises(self, tmp_path: Path, kind: Any) -> None:
        events: list[Event] = []

        def tell(event: Event) -> None:
            events.append(event)
            if isinstance(event, kind):
                raise ZeroDivisionError("a bug of the caller")

        with pytest.raises(ZeroDivisionError, match="a bug of the caller"):
            train(QUICK, write_sounds(tmp_path / "sounds", 4), tmp_path / "run", "cpu", tell)
        end = ended(events)
        assert (end.outcome, end.error) == ("failed", "a bug of the caller")
        assert RunRecord.load(tmp_path / "run").status == "failed"
        assert all(load_checkpoint(f["path"], MelVAEFamily(QUICK).build()) for f in list_checkpoints(tmp_path / "run/checkpoints"))

    def test_cancelled_before_the_first_sound_is_read(self, tmp_path: Path) -> None:
        events: list[Event] = []
        cancel = threading.Event()
        cancel.set()
        sounds = write_sounds(tmp_path / "sounds", 4)
        result = train(QUICK, sounds, tmp_path / "run", "cpu", events.append, cancel)
        assert result["outcome"] == "stopped"
        end = ended(events)
        assert (end.outcome, end.total_epochs, end.final_val_loss, end.best_epoch) == ("stopped", 0, None, None)
        assert RunRecord.load(tmp_path / "run").status == "stopped"
        assert resume_run(tmp_path / "run")["outcome"] == "finished"  # nothing was lost

    def test_cancelling_takes_effect_within_one_step(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        cancel, computed = threading.Event(), 0
        objective = MelVAEFamily.objective

        def counting(self: Any, model: Any, features: Any, step: int | None = None) -> Any:
            nonlocal computed
            computed += 1
            if computed == 3:
                cancel.set()
            return objective(self, model, features, step)

        monkeypatch.setattr(MelVAEFamily, "objective", counting)
        events: list[Event] = []
        train(QUICK, write_sounds(tmp_path / "sounds", 10), tmp_path / "run", "cpu", events.append, cancel)
        assert computed == 3
        assert ended(events).outcome == "stopped"
        assert len([e for e in events if isinstance(e, StepMetrics)]) == 3
        (found,) = list_checkpoints(tmp_path / "run" / "checkpoints")
        data = torch.load(found["path"], weights_only=True)
        assert (found["epoch"], found["val_loss"]) == (0, None)
        assert (data["training_state"]["step_in_epoch"], data["step"]) == (3, 3)
        assert (tmp_path / "run" / "model.distill").exists()  # also when the user stopped it


class TestNonFinite:
    def poisoned(self, monkeypatch: pytest.MonkeyPatch, when: Any) -> None:
        """Put a NaN into the training batches whose running number ``when`` picks."""
        number = 0
        objective = MelVAEFamily.objective

        def poisonous(self: Any, model: Any, features: Any, step: int | None = None) -> Any:
            nonlocal number
            if step is not None:
                number += 1
                if when(number):
                    features = features.clone()
                    features[0, 0, 5, 7] = math.nan
            return objective(self, model, features, step)

        monkeypatch.setattr(MelVAEFamily, "objective", poisonous)

    def test_a_nan_in_a_batch_is_left_out_and_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.poisoned(monkeypatch, lambda n: n in (2, 6))
        events: list[Event] = []
        result = train(QUICK, write_sounds(tmp_path / "sounds", 10), tmp_path / "run", "cpu", events.append)
        steps = [e for e in events if isinstance(e, StepMetrics)]
        assert [n for n, e in enumerate(steps, 1) if not math.isfinite(e.train_loss)] == [2, 6]
        assert topics(events).count("non-finite") == 2
        assert ended(events).outcome == "finished"
        assert all(torch.isfinite(v).all() for v in result["model"].state_dict().values())
        assert all(math.isfinite(e.val_loss) for e in events if isinstance(e, EpochMetrics))
        assert read_history(tmp_path / "run") == result["metrics_history"]

    def test_fifty_in_a_row_end_the_run_and_keep_what_was_good(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config = replace(QUICK, batch_size=1, max_epochs=8, checkpoint_interval=100)
        sounds = write_sounds(tmp_path / "sounds", 10)
        with monkeypatch.context() as patch:
            self.poisoned(patch, lambda n: n > 25)
            events: list[Event] = []
            error = failing(events, config, sounds, tmp_path / "run", "cpu")
        assert isinstance(error, TrainingError)
        assert "50 steps in a row" in str(error)
        assert "last good checkpoint is kept" in str(error)
        steps = [e for e in events if isinstance(e, StepMetrics)]
        assert 75 <= len(steps) < 100  # they are read a few at a time
        assert topics(events).count("non-finite") == 1
        assert RunRecord.load(tmp_path / "run").status == "failed"
        kept = list_checkpoints(tmp_path / "run" / "checkpoints")
        assert kept
        for found in kept:
            data = torch.load(found["path"], weights_only=True)
            assert all(torch.isfinite(v).all() for v in data["model_state_dict"].values())
            assert data["step"] == len(data["metrics_history"]["steps"]["step"])
        assert open_model(tmp_path / "run" / "model.distill")
        # And it goes on from there: no step is lost, none is taken twice.
        result = resume_run(tmp_path / "run")
        numbers = list(zip(*(result["metrics_history"].step_column(n) for n in ("epoch", "step")), strict=True))
        per_epoch = steps[0].total_steps
        assert numbers == [(e, s) for e in range(8) for s in range(per_epoch)]


class TestTheNextBestCheckpoint:
    def test_resuming_an_older_one_leaves_nothing_of_the_time_after_it(self, tmp_path: Path) -> None:
        """A checkpoint of the epochs that are trained again must not pass for the newest."""
        sounds = write_sounds(tmp_path / "sounds", 6)
        config = replace(QUICK, max_epochs=4)
        whole = train(config, sounds, tmp_path / "run", "cpu")
        older = list_checkpoints(tmp_path / "run" / "checkpoints")[-3]
        assert older["epoch"] == 1
        cancel = threading.Event()

        def stop(event: Event) -> None:
            if isinstance(event, StepMetrics):
                cancel.set()

        train(config, sounds, tmp_path / "run", "cpu", stop, cancel, older["path"])
        assert list_checkpoints(tmp_path / "run" / "checkpoints")[-1]["epoch"] == 2
        again = resume_run(tmp_path / "run")
        for key, value in whole["model"].state_dict().items():
            assert torch.equal(again["model"].state_dict()[key], value)


def test_the_pipeline_of_a_run_makes_the_variants_that_it_says(tmp_path: Path) -> None:
    """As many steps as variants times chunks ask for."""
    sounds = write_sounds(tmp_path / "sounds", 6)
    counts = []
    for expansion in (1, 3):
        regularization = RegularizationConfig(augmentation_expansion=expansion)
        config = replace(QUICK, max_epochs=1, batch_size=1, regularization=regularization)
        events: list[Event] = []
        train(config, sounds, tmp_path / f"run {expansion}", "cpu", events.append)
        counts.append(len([e for e in events if isinstance(e, StepMetrics)]))
    assert counts[1] == 3 * counts[0]
