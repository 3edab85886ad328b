"""A whole run: what it tells, what it measures, what it warns of."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distill.audio.cache.sound_cache import SoundCache
from distill.events import Event
from distill.models.families.vae_family import MelVAEFamily
from distill.runs.run_record import RunRecord
from distill.runs.verdict import Kind, judge
from distill.training import (
    EpochMetrics,
    PreparationProgress,
    RegularizationConfig,
    StepMetrics,
    TrainingNotice,
    get_best_checkpoint,
    list_checkpoints,
    load_checkpoint,
    train,
)
from distill.training.compute_plan import ComputePlan
from distill.training.data.split import split_sounds
from distill.training.dataset import FeatureDataset, prepare_sounds
from distill.training.steps.epoch import validate
from tests.training.conftest import QUICK, RUN, Finished, ended, topics, write_sounds


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
        steps = [place for place, e in enumerate(done.events) if isinstance(e, StepMetrics)]
        progress = done.told(PreparationProgress)
        before = {e.stage for e in done.events[: steps[0]] if isinstance(e, PreparationProgress)}
        after = {e.stage for e in done.events[steps[0] :] if isinstance(e, PreparationProgress)}
        assert {"Reading sounds", "Preparing training sounds"} <= before
        assert after == {"Learning to make new sounds"}  # the last steps of the prior
        assert not any(isinstance(e, PreparationProgress) for e in done.events[steps[0] : steps[-1]])
        assert all(0 <= e.done <= e.total for e in progress)

    def test_a_bad_file_is_told_and_on_record(self, done: Finished) -> None:
        said = [e.message for e in done.told(TrainingNotice) if e.topic == "skipped"]
        assert len(said) == 1
        assert said[0].startswith("Skipped bad.wav: ")

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
    def training_data(self, done: Finished) -> tuple[MelVAEFamily, FeatureDataset, FeatureDataset]:
        family = MelVAEFamily(RUN)
        sounds = prepare_sounds(done.sounds, SoundCache()).sounds
        train_sounds, val_sounds = split_sounds(sounds, RUN.val_fraction, 48_000)
        return family, FeatureDataset(train_sounds, family), FeatureDataset(val_sounds, family)

    def test_losses_are_those_of_the_newest_checkpoint_in_eval_mode(self, done: Finished) -> None:
        """Held-out sounds with the posterior mean and the final weights; as many trained ones, without variants."""
        family, train_set, val_set = self.training_data(done)
        model = family.build()
        load_checkpoint(list_checkpoints(done.folder / "checkpoints")[-1]["path"], model)
        event, device = done.told(EpochMetrics)[-1], torch.device("cpu")
        weights = {"recon_loss": 1.0, "kl_loss": RUN.kl_weight_max}

        def measure(data: FeatureDataset, items: Any) -> Any:
            return validate(family, model, data.batches(items, 4), weights, device, ComputePlan())

        held_out = measure(val_set, range(len(val_set)))
        assert held_out.loss == pytest.approx(event.val_loss, rel=1e-5)
        assert held_out.terms["recon_loss"] == pytest.approx(event.val_recon_loss, rel=1e-5)
        assert held_out.figures["kl_divergence"] == pytest.approx(event.kl_divergence, rel=1e-5)
        assert held_out.figures["active_latents"] == event.active_latents
        assert held_out.loss == measure(val_set, range(len(val_set))).loss  # deterministic
        spread = np.unique(np.linspace(0, len(train_set) - 1, len(val_set)).round().astype(int)).tolist()
        assert measure(train_set, spread).loss == pytest.approx(event.train_loss, rel=1e-5)
        assert event.overfitting_gap == pytest.approx((event.val_loss - event.train_loss) / event.train_loss)

    def test_every_epoch_is_measured_with_the_final_kl_weight(self, done: Finished) -> None:
        for event in done.told(EpochMetrics):  # the first ones are trained with less
            expected = event.val_recon_loss + RUN.kl_weight_max * event.val_kl_loss
            assert event.val_loss == pytest.approx(expected, rel=1e-5)

    def test_each_chunk_counts_the_same_whatever_the_batches(self, done: Finished) -> None:
        family, train_set, _ = self.training_data(done)
        model = family.build()
        family.fit_statistics(model, next(train_set.batches(range(len(train_set)), 100)))
        plain = MelVAEFamily(replace(RUN, free_bits=0.0))  # free bits are of a batch, so they may differ
        losses = [
            validate(
                plain, model, train_set.batches(range(len(train_set)), size), {"recon_loss": 1.0, "kl_loss": 1e-3},
                torch.device("cpu"), ComputePlan(),
            ).loss  # type: ignore[union-attr]
            for size in (1, 3, 100)
        ]  # fmt: skip
        assert losses == pytest.approx([losses[0]] * 3, rel=1e-4)


class TestWarnings:
    def test_an_overfitting_run_is_told_once_and_goes_on(self, tmp_path: Path) -> None:
        events: list[Event] = []
        config = replace(
            QUICK, max_epochs=20, learning_rate=6e-3, kl_weight_max=0.0,
            regularization=RegularizationConfig(dropout=0.0, weight_decay=0.0, augmentation_expansion=1),
        )  # fmt: skip
        result = train(config, write_sounds(tmp_path / "sounds", 5), tmp_path / "run", "cpu", events.append)
        assert topics(events).count("overfitting") == 1
        said = next(e for e in events if isinstance(e, TrainingNotice) and e.topic == "overfitting")
        assert said.level == "warning"
        before = [e for e in events[: events.index(said)] if isinstance(e, EpochMetrics)]
        assert judge(before).kind is Kind.BY_HEART  # in the first epoch that shows it
        assert judge(before[:-1]).kind is not Kind.BY_HEART
        assert result["metrics_history"].is_overfitting()
        assert ended(events).outcome == "finished"
        assert "collapse" not in topics(events)

    def test_a_collapsing_run_is_told(self, tmp_path: Path) -> None:
        events: list[Event] = []
        config = replace(
            QUICK, kl_weight_max=100.0, kl_warmup_fraction=0.0, free_bits=0.0, learning_rate=5e-3, max_epochs=5
        )
        train(config, write_sounds(tmp_path / "sounds", 10), tmp_path / "run", "cpu", events.append)
        last = [e for e in events if isinstance(e, EpochMetrics)][-1]
        assert last.kl_divergence < 0.5
        assert topics(events).count("collapse") == 1
        assert any("collapse" in note for note in RunRecord.load(tmp_path / "run").notes)
