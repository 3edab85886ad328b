"""What a run will take, from the figures of earlier ones."""

import errno
from dataclasses import replace
from pathlib import Path

import pytest

from distill import paths
from distill.config.factory import make_config
from distill.config.training import TrainingConfig, VQVAEConfig
from distill.runs.estimates.enough_sounds import enough_sounds
from distill.runs.estimates.estimate import Material, closing_seconds, estimate
from distill.runs.estimates.measured_costs import Figures, RunFigures, figures_key, remember

CONFIG = make_config("vae", 24, max_epochs=100)
MATERIAL = Material(sounds=24, train_sounds=20, seconds=30.0, train_chunks=40, held_out_chunks=4)
RUN = RunFigures(
    step_s=0.1, measure_s=0.01, preview_s=2.0, preview_bytes=500_000, prepare_s=0.01, closing_s=8.0,
    closing_steps=500, peak_bytes=1.2e9, checkpoint_bytes=57e6, model_bytes=15e6, chunks=40, good_share=0.3,
)  # fmt: skip


def figures(*runs: RunFigures, config: TrainingConfig | VQVAEConfig = CONFIG) -> Figures:
    made = Figures()
    for run in runs:
        made.add(config, run)
    return made


def test_the_costs_add_up() -> None:
    found = estimate(CONFIG, MATERIAL, figures(RUN))
    assert found.steps_per_epoch == 40 * 8 // 16
    assert (found.good_epochs, found.epochs, found.basis) == (30, 40, 1)
    epoch = 20 * 0.1 + 2 * 4 * 0.01
    assert found.seconds is not None
    assert found.good_seconds is not None
    previews = 2 * (1 + len([1, 2, 5, 10, 21]))  # before training, and after these of the first 40 epochs
    assert found.seconds == pytest.approx(3.0 + 0.01 * 30 * 8 + 40 * epoch + previews + 8.0)
    assert found.good_seconds == pytest.approx(3.0 + 0.01 * 30 * 8 + 30 * epoch + previews + 8.0)
    assert found.memory_bytes == 1.2e9
    assert found.disk_bytes == 4 * 57e6 + previews / 2 * 500_000 + 2 * 15e6


def test_the_end_of_a_run_is_part_of_its_costs() -> None:
    """20 training sounds have 500 steps of the prior, like the run that is known; half of them take less."""
    assert closing_seconds(CONFIG, 20, 40, 10_000, figures(RUN)) == pytest.approx(8.0)
    assert closing_seconds(CONFIG, 10, 40, 10_000, figures(RUN)) < 7.0
    assert closing_seconds(CONFIG, 20, 40, 10_000, figures()) > 5.0  # nothing is known of this computer


def test_without_patience_all_epochs_are_trained() -> None:
    found = estimate(replace(CONFIG, patience=0), MATERIAL, figures(RUN))
    assert (found.good_epochs, found.epochs) == (30, 100)


def test_a_codebook_is_not_given_up_before_the_steps_are_fine() -> None:
    config = make_config("vqvae", 24, max_epochs=100)
    assert estimate(config, MATERIAL, figures(RUN, config=config)).epochs == 72


def test_what_is_not_known_is_left_out() -> None:
    found = estimate(CONFIG, MATERIAL, Figures())
    assert found.seconds is found.good_seconds is found.memory_bytes is found.disk_bytes is None
    assert 1 <= found.good_epochs <= found.epochs <= 100


def test_a_run_counts_more_than_a_trial_and_one_slow_run_changes_little() -> None:
    trial = replace(RUN, is_trial=True, step_s=9.0)
    slow = replace(RUN, step_s=5.0)
    usual, first = (estimate(CONFIG, MATERIAL, figures(*runs)) for runs in ([RUN], [trial]))
    assert first.basis == 0
    assert first.seconds is not None
    assert usual.seconds is not None
    assert first.seconds > 10 * usual.seconds
    assert estimate(CONFIG, MATERIAL, figures(trial, RUN, slow, RUN)).seconds == usual.seconds


def test_the_first_run_also_prepares_its_sounds() -> None:
    trial = replace(RUN, is_trial=True, prepare_s=0.0)
    found = estimate(CONFIG, MATERIAL, figures(trial)).seconds
    known = estimate(CONFIG, MATERIAL, figures(replace(trial, prepare_s=1e-9))).seconds
    assert found is not None
    assert known is not None
    assert 0 < found - known < 8.0


def test_preparing_takes_as_long_as_in_most_runs_that_had_to() -> None:
    """A run whose sounds were in the cache tells nothing of it, and one on very short files should not decide alone."""
    seconds = [0.02, 0.01, 0.011, 0.0001]
    runs = [replace(RUN, prepare_s=each) for each in seconds]
    found = estimate(CONFIG, MATERIAL, figures(*runs)).seconds
    usual = estimate(CONFIG, MATERIAL, figures(replace(RUN, prepare_s=0.011))).seconds
    assert found == pytest.approx(usual)


def test_a_run_takes_longer_than_a_trial_says() -> None:
    """A computer is not as fast for minutes as for a few seconds, and a trial has hardly a map or sliders."""
    trial = replace(RUN, is_trial=True)
    steps = replace(trial, step_s=2 * RUN.step_s)
    first, slower = (estimate(CONFIG, MATERIAL, figures(known)).seconds for known in (trial, steps))
    run = estimate(CONFIG, MATERIAL, figures(RUN))
    assert first is not None
    assert slower is not None
    assert slower - first == pytest.approx(1.3 * run.epochs * run.steps_per_epoch * RUN.step_s)


def test_the_end_of_a_trial_is_the_least_and_what_a_run_has_more_comes_on_top() -> None:
    """That a large network is written takes as long with many sounds as with the four of a trial."""
    trial = replace(RUN, is_trial=True, closing_s=1.5, closing_steps=75, chunks=18)
    short, long = (closing_seconds(CONFIG, count, 40, 10_000, figures(trial)) for count in (10, 40))
    assert 1.5 < short < long
    large = replace(trial, closing_s=5.0)
    assert closing_seconds(CONFIG, 40, 40, 10_000, figures(large)) < long + 3.5 + 7.0


def test_the_first_run_of_a_kind_ends_as_runs_of_other_kinds_did() -> None:
    """How fast the computer is in the end of a run is known as soon as one run of any family has ended."""
    other = make_config("vqvae", 24, max_epochs=100)
    trial = replace(RUN, is_trial=True, closing_s=5.0, closing_steps=75, chunks=18)
    ends = []
    for seconds in (4.0, 16.0):
        known = figures(trial)
        known.add(other, replace(RUN, closing_s=seconds))
        ends.append(closing_seconds(CONFIG, 40, 40, 10_000, known))
    alone = closing_seconds(CONFIG, 40, 40, 10_000, figures(trial))
    assert 5.0 < ends[0] < alone < ends[1]


def test_runs_on_very_different_amounts_do_not_tell_how_many_epochs_it_takes() -> None:
    usual = estimate(CONFIG, MATERIAL, figures(replace(RUN, chunks=4000, good_share=0.9)))
    assert usual.good_epochs == estimate(CONFIG, MATERIAL, Figures()).good_epochs
    assert estimate(CONFIG, MATERIAL, figures(replace(RUN, chunks=60, good_share=0.9))).good_epochs == 90


@pytest.mark.parametrize(
    ("change", "is_same"),
    [({"max_epochs": 5}, True), ({"seed": 3}, True), ({"batch_size": 8}, False), ({"num_threads": 3}, False),
     ({"precision": "float32"}, False), ({"latent_dim": 32}, False), ({"device": "cpu"}, False)],
)  # fmt: skip
def test_figures_are_kept_by_what_changes_the_cost_of_a_step(change: dict[str, object], is_same: bool) -> None:
    assert (figures_key(replace(CONFIG, **change)) == figures_key(CONFIG)) is is_same  # type: ignore[arg-type]


def test_the_way_through_the_file() -> None:
    for number in range(12):
        remember(CONFIG, replace(RUN, chunks=number))
    kept = Figures.load().of(CONFIG)
    assert [run.chunks for run in kept] == list(range(4, 12))
    assert Figures.load().of_family("vqvae") == []
    remember(VQVAEConfig(), RUN)
    assert Figures.load().of_family("vqvae") == [RUN]


@pytest.mark.parametrize("text", ["", "[1]", '{"version": 1, "runs": {"vae": [3]}}', '{"version": 9, "runs": {}}'])
def test_a_damaged_file_is_as_none(text: str) -> None:
    file = paths.data_dir() / "figures.json"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    assert Figures.load().of(CONFIG) == []
    remember(CONFIG, RUN)
    assert Figures.load().of(CONFIG) == [RUN]


def test_figures_that_cannot_be_read_now_are_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """As while another process writes them, or behind a drive that is gone; those of all runs were lost."""
    remember(CONFIG, RUN)

    def fail(*_arguments: object) -> object:
        raise PermissionError(errno.EACCES, "the file is held")

    with monkeypatch.context() as patch:
        patch.setattr("distill.runs.estimates.measured_costs.read_json", fail)
        assert Figures.load().runs() == []
        remember(CONFIG, replace(RUN, step_s=0.2))
    assert Figures.load().runs() == [RUN]
    remember(CONFIG, replace(RUN, step_s=0.3))
    assert [run.step_s for run in Figures.load().runs()] == [0.1, 0.3]


def test_a_full_disk_costs_only_the_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "figures.json"
    figures(RUN).save(file)
    before = file.read_bytes()

    def full(*given: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("distill.runs.estimates.measured_costs.write_json", full)
    found = figures(RUN, RUN)
    found.save(file)
    assert file.read_bytes() == before
    assert found.of(CONFIG) == [RUN, RUN]  # in memory they are still there


@pytest.mark.parametrize(
    ("sounds", "seconds", "words", "is_enough"),
    [(3, 30.0, "Too few sounds (3)", False), (12, 30.0, "Few sounds (12)", False),
     (40, 6.0, "Little sound (6 s", False), (40, 60.0, "Enough sounds: 40 (60 s to train on).", True)],
)  # fmt: skip
def test_whether_there_are_enough_sounds(sounds: int, seconds: float, words: str, is_enough: bool) -> None:
    text, found = enough_sounds(sounds, seconds)
    assert text.startswith(words)
    assert found is is_enough
