"""What a run will take, before it is started: time, memory, disk, and whether there are enough sounds.

The costs come from the figures of earlier runs on this computer, or of a speed trial.  After which share of its epochs
a run hardly improves comes from earlier runs of the family on about as many sounds, otherwise from runs of which it is
known.  It is a share because warm-up and learning rate stretch with the planned epochs: it says when this run is nearly
as good as at its end, not when a model is good.  No torch, no Qt.
"""

import math
from dataclasses import dataclass
from statistics import median

from distill.config.family_catalog import family_info
from distill.config.preview_epochs import has_previews
from distill.config.training import AnyConfig
from distill.runs.estimates.enough_sounds import enough_sounds
from distill.runs.estimates.measured_costs import Figures, RunFigures
from distill.runs.verdict import EARLIEST_END, NEWEST_SHARE, warm_up_epochs

#: Newest runs that a cost is the median of.
_NEWEST_RUNS = 5
#: Runs on so many times more or fewer chunks say after how many epochs a run hardly improves.
_ALIKE = 2.0
#: Most steps of the prior after the last epoch: for each sound, so that a prior of few sounds does not learn them by
#: heart, and in all.
_CLOSING_STEPS_PER_SOUND, _MOST_CLOSING_STEPS = 25, 4000
#: How the seconds of the end of a run are made up: always, for each of those steps, and for each training chunk (map
#: and sliders).  What they really are on a computer is a multiple of this that its runs show.
_CLOSING_S, _CLOSING_STEP_S, _CLOSING_CHUNK_S = 2.0, 0.01, 0.015
#: Seconds that a run takes to begin, whatever it is made of: torch is imported, files are written.
_BEGIN_S = 3.0
#: Seconds in which a variant of a second of sound is prepared, where only a trial has been made: it needs no variants.
#: They are multiplied like those of the end.
_PREPARE_S = 0.013
#: Preparing short files takes up to so many times as long for each second of sound as preparing long ones.
_MOST_PREPARE_RATIO = 4.0
#: How much longer a run takes than a trial of seconds shows: computers are fast for a moment, then they grow warm or
#: others want their share.
_SUSTAINED = 1.3
#: The same of the end of a run: the few sounds of a trial have hardly a map or sliders, too.
_SUSTAINED_END = 1.5
#: Highest multiple of the plain end that a trial alone speaks for: what ends late there is mostly a large network that
#: is written, and takes no longer where there is more to train on.
_MOST_TRIAL_SCALE = 1.2
#: Share of the epochs after which the steps are fine: models with codebooks are flat rather than learn by heart, and
#: are not ended before.
_FINE_FROM = 0.72


@dataclass(frozen=True)
class Material:
    """What there is to train on.

    Attributes
    ----------
    sounds, train_sounds
        Number of sounds, and of those that are trained on: as many as a recording with long pauses has parts.
    seconds
        Of sound that are trained on.
    train_chunks, held_out_chunks
        Pieces that are trained on, and held out.
    """

    sounds: int
    train_sounds: int
    seconds: float
    train_chunks: int
    held_out_chunks: int


@dataclass(frozen=True)
class Estimate:
    """What a run is expected to take.

    Attributes
    ----------
    good_epochs, epochs
        Epochs after which the run hardly improves, and to its end.
    good_seconds, seconds
        Seconds to a model that is finished then; None where no run and no trial has shown how long a step takes.
    memory_bytes, disk_bytes
        None where they are not known.
    steps_per_epoch
        Training steps of an epoch.
    basis
        Number of earlier runs that it comes from; 0 for a trial.
    enough
        A sentence on the number of sounds.
    is_enough
        Whether it is good news.
    """

    good_epochs: int
    epochs: int
    max_epochs: int
    good_seconds: float | None
    seconds: float | None
    memory_bytes: float | None
    disk_bytes: float | None
    steps_per_epoch: int
    basis: int
    enough: str
    is_enough: bool


def estimate(config: AnyConfig, material: Material, figures: Figures) -> Estimate:
    """Return what a run with these settings on this material will take."""
    variants = max(1, config.regularization.augmentation_expansion)
    steps = max(1, math.ceil(material.train_chunks * variants / config.batch_size))
    good, epochs = _epochs(config, material, figures)
    used = _newest(figures.of(config))
    enough, is_enough = enough_sounds(material.sounds, material.seconds)
    seconds: list[float | None] = [None, None]
    memory = disk = None
    if used:
        cost = _Cost.of(used, figures)
        closing = closing_seconds(config, material.train_sounds, material.train_chunks, epochs * steps, figures)
        prepare = _BEGIN_S + cost.prepare_s * material.seconds * variants
        epoch_s = steps * cost.step_s + 2 * material.held_out_chunks * cost.measure_s
        seconds = [
            prepare + count * epoch_s + (1 + _previews(config, count)) * cost.preview_s + closing
            for count in (good, epochs)
        ]
        memory = cost.peak_bytes or None
        files = min(config.max_checkpoints + 1, 1 + math.ceil(epochs / config.checkpoint_interval))
        previews = (1 + _previews(config, epochs)) * cost.preview_bytes
        disk = files * cost.checkpoint_bytes + previews + 2 * cost.model_bytes  # the run's, and the library's
    return Estimate(
        good, epochs, config.max_epochs, seconds[0], seconds[1], memory, disk or None, steps,
        sum(not run.is_trial for run in used), enough, is_enough,
    )  # fmt: skip


def closing_seconds(config: AnyConfig, sounds: int, chunks: int, steps: int, figures: Figures) -> float:
    """Return the seconds that a run is expected to take from its last epoch to its end.

    Parameters
    ----------
    config
        Settings of the run.
    sounds, chunks
        Number of sounds that are trained on, and of their pieces.
    steps
        Training steps of the whole run.
    figures
        What earlier runs took.
    """
    planned = max(0, config.prior_steps - 1) * steps
    plain, used = _plain_closing(closing_steps(planned, sounds), chunks), _newest(figures.of(config))
    scale = _closing_scale(used, figures)
    if not _are_trials(used):
        return scale * plain
    trial = used[-1]  # its end is there in any case; what a run has more of comes on top
    return max(
        trial.closing_s + scale * (plain - _plain_closing(trial.closing_steps, trial.chunks)), scale * _CLOSING_S
    )


def closing_steps(planned: int, sounds: int) -> int:
    """Return how many steps the prior takes after the last epoch, of those planned, for a number of training sounds."""
    return min(planned, _CLOSING_STEPS_PER_SOUND * sounds, _MOST_CLOSING_STEPS)


@dataclass(frozen=True)
class _Cost:
    """Costs by some runs: each the median of those that know it."""

    step_s: float
    measure_s: float
    preview_s: float
    preview_bytes: float
    prepare_s: float
    peak_bytes: float
    checkpoint_bytes: float
    model_bytes: float

    @classmethod
    def of(cls, runs: list[RunFigures], figures: Figures) -> "_Cost":
        def typical(name: str) -> float:
            values = [float(getattr(run, name)) for run in runs]
            return median([value for value in values if value > 0] or [0.0])

        slower = _slowdown(runs)
        return cls(
            step_s=slower * typical("step_s"),
            measure_s=slower * typical("measure_s"),
            preview_s=slower * typical("preview_s"),
            preview_bytes=typical("preview_bytes"),
            prepare_s=slower * _preparing(runs) or _PREPARE_S * _closing_scale(runs, figures),
            peak_bytes=max(run.peak_bytes for run in runs),
            checkpoint_bytes=typical("checkpoint_bytes"),
            model_bytes=typical("model_bytes"),
        )


def _preparing(runs: list[RunFigures]) -> float:
    """Return the seconds in which a variant of a second of sound was prepared, or 0 where no run tells.

    Runs that had their sounds from the cache do not count: they took next to nothing.
    """
    most = max(run.prepare_s for run in runs)
    return median([run.prepare_s for run in runs if run.prepare_s >= most / _MOST_PREPARE_RATIO])


def _newest(known: list[RunFigures]) -> list[RunFigures]:
    """Return the newest runs, or where there is none the newest trials."""
    return ([run for run in known if not run.is_trial] or known)[-_NEWEST_RUNS:]


def _are_trials(runs: list[RunFigures]) -> bool:
    """Whether there are figures, but of trials alone."""
    return bool(runs) and all(run.is_trial for run in runs)


def _slowdown(runs: list[RunFigures]) -> float:
    """Return how many times longer a run takes than its figures say: those of a trial are of seconds."""
    return _SUSTAINED if _are_trials(runs) else 1.0


def _closing_scale(runs: list[RunFigures], figures: Figures) -> float:
    """Return how many times longer the end of a run takes here than its plain cost.

    Runs of other families tell it better than a trial does: it is the computer's, hardly the network's.
    """
    if not _are_trials(runs):
        return _median_scale(runs)
    others = figures.runs()[-_NEWEST_RUNS:]
    return _median_scale(others) if others else min(_MOST_TRIAL_SCALE, _SUSTAINED_END * _median_scale(runs))


def _median_scale(runs: list[RunFigures]) -> float:
    scales = [run.closing_s / _plain_closing(run.closing_steps, run.chunks) for run in runs if run.closing_s > 0]
    return median(scales or [1.0])


def _plain_closing(steps: float, chunks: float) -> float:
    return _CLOSING_S + _CLOSING_STEP_S * steps + _CLOSING_CHUNK_S * chunks


def _previews(config: AnyConfig, epochs: int) -> int:
    """Return after how many of the first epochs there are previews."""
    return sum(has_previews(config, epoch) for epoch in range(epochs))


# --- how many epochs ----------------------------------------------------------------------------------------------


def _epochs(config: AnyConfig, material: Material, figures: Figures) -> tuple[int, int]:
    """Return the epochs after which the run hardly improves, and to its end."""
    planned = config.max_epochs
    good = max(1, min(planned, round(_good_share(config, material, figures) * planned)))
    if not config.patience:
        return good, planned
    # A run is judged by its newest part, which has to be without improvement.
    counted_from = max(good, warm_up_epochs(config, planned))
    end = max(EARLIEST_END, counted_from + config.patience, math.ceil(good / (1 - NEWEST_SHARE)))
    if family_info(config.family).monitor == "codebook":
        end = max(end, math.ceil(_FINE_FROM * planned))
    return good, min(planned, end)


def _good_share(config: AnyConfig, material: Material, figures: Figures) -> float:
    """Return the share of the planned epochs after which the loss on held-out sounds is about as low as it gets."""
    chunks = max(1, material.train_chunks)
    alike = [
        run.good_share
        for run in figures.of_family(config.family)
        if run.good_share > 0 and run.chunks > 0 and abs(math.log2(run.chunks / chunks)) <= math.log2(_ALIKE)
    ]
    return median(alike[-_NEWEST_RUNS:]) if alike else typical_good_share(chunks)


def typical_good_share(chunks: int) -> float:
    """Return the share for a number of training chunks, as measured on runs of all families."""
    return min(0.9, max(0.2, 0.25 + 0.12 * math.log2(chunks / 30)))
