"""What a run's losses say of it: whether it still improves, and what to do.  No torch, no Qt.

The one judgement of a run: the sentence over the curves, the terminal, the warning about overfitting, and the setting
that ends a run (`RunConfig.patience`) all come from here.  It is a function of the epochs alone, so that a run which is
resumed is judged as one that was never interrupted.

A verdict rests on trends.  The newest quarter of the epochs is compared with the time before, and a difference counts
only if it is larger than the noise, which is measured on the curve itself, and large enough to matter.

While the KL weight warms up, the model is trained for less than it is measured by, so that a loss which stands still
says little.  Until then a run improves if its reconstruction does, and learns by heart only if that gets worse.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from distill.config.training import AnyConfig, TrainingConfig
from distill.events import COLLAPSE_KL, OVERFITTING_GAP, EpochMetrics, TrainingNotice, VQEpochMetrics

AnyEpoch = EpochMetrics | VQEpochMetrics
_Numbers = NDArray[np.float64]

#: Fewest epochs in the newest part of a run, and the share of a long run that it is.
FEWEST_NEWEST, NEWEST_SHARE = 5, 0.25
#: Fewest epochs for saying that a run improves, and for saying that it does not.
FEWEST_EPOCHS, FEWEST_WITHOUT = FEWEST_NEWEST + 1, 2 * FEWEST_NEWEST
#: Share of the loss under which a change does not matter.
WORTH = 0.01
#: Standard errors that a change must exceed.
CERTAIN = 2.0
#: Fewest epochs after the best one for saying that nothing has been gained since: a single one may be worse by chance.
FEWEST_AFTER_BEST = 2
#: Steps from epoch to epoch at the end of a curve that are looked at for whether it is level.
LEVEL_STEPS = (1, FEWEST_NEWEST - 1)
#: Epochs that are smoothed over to find the best one.
SMOOTHED = 5
#: Share by which the loss on trained sounds has to fall, while that on held-out ones does not, to be learning by heart.
LEARNT_BY_HEART = 0.03
#: The same in a warm-up: share by which the reconstruction of held-out sounds has to get worse.
WORSE_COPIES = 0.05
#: Share of the highest learning rate up to which the steps are fine: a run that is flat before may fall with the rate.
FINE_STEPS = 0.2
#: Share by which both losses have to rise above the best for a run to have gone wrong.
GONE_WRONG = 0.25
#: Newest epochs that all have to be collapsed.
COLLAPSED_EPOCHS = 3
#: Perplexity of a codebook (entries in even use) under which all sounds have the same code.
COLLAPSED_PERPLEXITY = 1.5
#: Windows of earlier epochs overlap by all but such a part: each of them would take minutes in runs of many thousands.
_WINDOWS_APART = 16
#: A run is never ended by its losses before this epoch.
EARLIEST_END = 15


class Kind(StrEnum):
    """What is said of a run."""

    TOO_EARLY = "too early"
    IMPROVING = "improving"
    NO_BETTER = "no better"
    FLAT = "flat"
    BY_HEART = "by heart"
    COLLAPSED = "collapsed"


class Advice(StrEnum):
    """What can be done about a verdict; none of it is done without the user's click."""

    NONE = ""
    FINISH = "finish"
    TRAIN_ON = "train on"
    LOWER_KL = "lower KL weight"
    LOWER_RATE = "lower learning rate"
    MORE_RESETS = "more resets"


#: Setting of the next run that an advice changes, and the factor.
ADVISED_CHANGES = {
    Advice.LOWER_KL: ("kl_weight_max", 0.1),
    Advice.LOWER_RATE: ("learning_rate", 1 / 3),
    Advice.MORE_RESETS: ("threshold_ema_dead_code", 5.0),
}
#: Factor by which a run is made longer where the advice is to train on.
LONGER = 1.5


@dataclass(frozen=True)
class Verdict:
    """A judgement of a run.

    Attributes
    ----------
    kind
        What is said.
    since
        Epoch, counted from 0, since which it holds; None where there is no such epoch.
    best
        Epoch of the lowest loss on held-out sounds, counted from 0; None before the first.
    known_from
        Number of epochs from which on more can be said; for a run of which it is too early to say anything.
    may_fall
        Whether a flat loss may fall once more when the learning rate does.
    cause
        For a collapsed run: the advice that goes with the cause.
    is_behind
        For a run that improves: whether its best epoch lies before the newest ones.
    is_level
        For a run that improves: whether its newest epochs no longer do, though there are too few of them to call it
        flat.
    epochs
        Number of epochs that it rests on.
    after_best
        For a run that is no better than its best epoch: number of epochs after that one.
    """

    kind: Kind
    since: int | None = None
    best: int | None = None
    known_from: int = FEWEST_WITHOUT
    may_fall: bool = False
    cause: Advice = Advice.NONE
    is_behind: bool = False
    is_level: bool = False
    epochs: int = 0
    after_best: int = 0

    def advice(self, is_over: bool = False) -> Advice:
        """Return what to do about it; ``is_over`` where the run is not training."""
        if self.kind is Kind.COLLAPSED:
            return self.cause
        if is_over:
            may_gain = self.kind is Kind.NO_BETTER and self.after_best < FEWEST_NEWEST
            return Advice.TRAIN_ON if may_gain or self.kind is Kind.IMPROVING else Advice.NONE
        return Advice.FINISH if self.kind in (Kind.FLAT, Kind.BY_HEART) else Advice.NONE

    def sentence(self, is_over: bool = False, total_epochs: int = 0) -> str:
        """Return it for people, who count epochs from 1, with what to do about it.

        ``total_epochs`` is the length of the run; 0 where it is not known.
        """
        since = 0 if self.since is None else self.since + 1
        if self.kind is Kind.TOO_EARLY:
            return self._before_a_trend(is_over, total_epochs)
        if self.kind is Kind.IMPROVING and self.is_behind and self.best is not None:
            limit = f"but not as good as at epoch {self.best + 1}"
            return f"Improving at its end, {limit}: more epochs may help." if is_over else f"Improving, {limit}."
        if self.kind is Kind.IMPROVING and self.is_level and self.best is not None:
            return _best_so_far(self.best, is_over)
        if self.kind is Kind.IMPROVING:
            return "Still improving when it ended: more epochs would help." if is_over else "Still improving."
        if self.kind is Kind.NO_BETTER and self.after_best < FEWEST_NEWEST:
            return _best_so_far(since - 1, is_over)
        if self.kind is Kind.NO_BETTER:
            return f"No better since epoch {since}{': more epochs may change little' if is_over else ''}."
        if self.kind is Kind.FLAT:
            finish = "finish now, or wait for the last epochs in finer steps" if self.may_fall else "finish now"
            return f"Flat since epoch {since}: {'more epochs would change little' if is_over else finish}."
        if self.kind is Kind.BY_HEART:
            what = "more sounds would help" if is_over else "finish now"
            return f"Learning by heart since epoch {since}: {what}."
        return f"Collapsed since epoch {since}: {_CAUSES[self.cause]}"

    def _before_a_trend(self, is_over: bool, total_epochs: int) -> str:
        if not self.epochs:
            if is_over:
                return "It ended before its first epoch was complete: there is nothing to judge."
            return "The curve begins at the end of the first epoch."
        if is_over:
            return "It ended before a trend could be seen: judge it by ear."
        if 0 < total_epochs < self.known_from:
            return f"Judge it by ear: a run of {total_epochs} epochs may be too short for a trend."
        return f"Judge it by ear for now: a trend is seen from epoch {self.known_from} on."


def _best_so_far(best: int, is_over: bool) -> str:
    return f"Best so far: epoch {best + 1}.{' More epochs may help.' if is_over else ''}"


_CAUSES = {
    Advice.LOWER_KL: "new sounds will all be alike. Start again with a lower KL weight.",
    Advice.MORE_RESETS: "all sounds get the same code. Start again with a higher dead code reset.",
    Advice.LOWER_RATE: "the loss has gone up and stays there. Start again with a lower learning rate.",
    Advice.NONE: "the loss has gone up and stays there.",
}


def warm_up_epochs(config: AnyConfig, total_epochs: int) -> int:
    """Return how many of a run's first epochs the KL weight warms up in."""
    if not isinstance(config, TrainingConfig) or config.kl_weight_max == 0:
        return 0
    return math.ceil(config.kl_warmup_fraction * total_epochs)


def judge(epochs: Sequence[AnyEpoch], warm_up: int = 0) -> Verdict:
    """Return the verdict on a run by its epochs, in order, the first ``warm_up`` of which are a warm-up."""
    best = min((e for e in epochs if math.isfinite(e.val_loss)), key=lambda e: e.val_loss, default=None)
    best_epoch = None if best is None else best.epoch
    collapsed = _collapse(epochs)
    if collapsed is not None:
        return Verdict(Kind.COLLAPSED, collapsed[0], best_epoch, cause=collapsed[1], epochs=len(epochs))
    finite = [e for e in epochs if math.isfinite(e.val_loss) and math.isfinite(e.train_loss)]
    too_early = Verdict(Kind.TOO_EARLY, None, best_epoch, max(FEWEST_WITHOUT, warm_up), epochs=len(epochs))
    if len(finite) < FEWEST_EPOCHS:
        return too_early
    held_out, trained, copies = (
        np.array([getattr(e, name) for e in finite]) for name in ("val_loss", "train_loss", "val_recon_loss")
    )
    kind, position = _trend(held_out, trained)
    is_by_loss = len(finite) >= warm_up or kind not in (Kind.FLAT, Kind.BY_HEART)
    if not is_by_loss:
        kind, position = _warming_up(copies, trained)
    if kind is not Kind.IMPROVING and (kind is Kind.TOO_EARLY or len(finite) < FEWEST_WITHOUT):
        return too_early
    after_best = 0
    if is_by_loss and kind is Kind.IMPROVING and _gains_nothing_after(int(np.argmin(held_out)), held_out):
        kind, position = Kind.NO_BETTER, int(np.argmin(held_out))
        after_best = len(held_out) - 1 - position
    since = None if position is None else finite[position].epoch
    cause = Advice.LOWER_RATE if kind is Kind.COLLAPSED else Advice.NONE
    may_fall = kind is Kind.FLAT and not _has_fine_steps(epochs)
    is_behind = kind is Kind.IMPROVING and int(np.argmin(held_out)) < len(held_out) - _newest(len(held_out))
    is_level = is_by_loss and kind is Kind.IMPROVING and _is_level(held_out)
    return Verdict(
        kind, since, best_epoch, may_fall=may_fall, cause=cause, is_behind=is_behind, is_level=is_level,
        epochs=len(epochs), after_best=after_best,
    )  # fmt: skip


def is_at_its_end(epochs: Sequence[AnyEpoch], patience: int, warm_up: int = 0) -> bool:
    """Return whether a run has not improved for ``patience`` epochs, and for as long as a trend takes; 0: never.

    Epochs of a warm-up do not count unless the model learns by heart in them.  A run that is only flat goes on until
    the learning rate has fallen: its last epochs, in fine steps, often lower the loss once more.  It also goes on while
    new sounds come nearer to the corpus.
    """
    if patience <= 0 or len(epochs) < max(EARLIEST_END, patience):
        return False
    verdict = judge(epochs, warm_up)
    if verdict.kind not in (Kind.FLAT, Kind.BY_HEART) or verdict.since is None:
        return False
    if verdict.may_fall or (verdict.kind is Kind.FLAT and _new_sounds_improve(epochs)):
        return False
    counted_from = verdict.since if len(epochs) < warm_up else max(verdict.since, warm_up - 1)
    return epochs[-1].epoch - counted_from >= patience


def overfitting_warning(gap: float) -> TrainingNotice:
    """Return the warning that a run learns by heart; ``gap`` is how much higher its loss is on held-out sounds."""
    return TrainingNotice(
        "overfitting",
        f"Overfitting: the loss is {gap:.0%} higher on held-out sounds than on trained ones, and "
        "no longer falls: the model is starting to memorise. More sounds or the preset Conservative would help.",
    )


def _new_sounds_improve(epochs: Sequence[AnyEpoch]) -> bool:
    """Return whether the distance of new sounds still falls, as far as it was measured."""
    distances = np.array([e.new_sound_distance for e in epochs if e.new_sound_distance is not None], dtype=np.float64)
    if len(distances) < FEWEST_EPOCHS or not np.isfinite(distances).all():
        return False
    return _falls(distances, _newest(len(distances)))


def _has_fine_steps(epochs: Sequence[AnyEpoch]) -> bool:
    return epochs[-1].learning_rate <= FINE_STEPS * max(epoch.learning_rate for epoch in epochs)


# --- collapse -----------------------------------------------------------------------------------------------------


def _collapse(epochs: Sequence[AnyEpoch]) -> tuple[int, Advice] | None:
    """Return since when the newest epochs are collapsed, and the advice; None if one of them is not."""
    cause: Advice | None = None
    since, count = 0, 0
    for epoch in reversed(epochs):
        advice = _collapsed(epoch)
        if advice is None or (cause is not None and advice is not cause):
            break
        cause, since, count = advice, epoch.epoch, count + 1
    return (since, cause) if cause is not None and count >= COLLAPSED_EPOCHS else None


def _collapsed(epoch: AnyEpoch) -> Advice | None:
    """Return the advice for an epoch in which the model says nothing of its sounds any more, or None."""
    if not math.isfinite(epoch.val_loss):
        return Advice.LOWER_RATE
    if isinstance(epoch, EpochMetrics):
        return Advice.LOWER_KL if epoch.kl_divergence < COLLAPSE_KL else None
    health = epoch.codebook_health or {}
    first = health.get("level_0")
    return Advice.MORE_RESETS if first is not None and first["perplexity"] < COLLAPSED_PERPLEXITY else None


# --- trends -------------------------------------------------------------------------------------------------------


def _trend(held_out: _Numbers, trained: _Numbers) -> tuple[Kind, int | None]:
    """Return what the two curves say, and the position since which it holds."""
    newest = _newest(len(held_out))
    if _falls(held_out, newest):
        return Kind.IMPROVING, None
    smooth = _smoothed(held_out)
    noise = _noise(held_out)
    lowest = int(np.argmin(smooth))
    level = float(smooth[lowest])
    now = float(np.median(held_out[-newest:]))
    tolerance = max(WORTH * abs(level), CERTAIN * noise * _of_median(newest))
    has_risen = now - level > tolerance
    since = lowest if has_risen else int(np.argmax(smooth <= level + tolerance))
    before, after = float(_smoothed(trained)[since]), float(np.median(trained[-FEWEST_NEWEST:]))
    gap = now / after - 1 if after > 0 else 0.0
    if has_risen and now > (1 + GONE_WRONG) * level and after > (1 + GONE_WRONG) * before:
        return Kind.COLLAPSED, since
    is_learning = after < (1 - LEARNT_BY_HEART) * before
    if gap > OVERFITTING_GAP and (is_learning or (has_risen and after < before)):
        return Kind.BY_HEART, since
    return Kind.FLAT, since


def _newest(count: int) -> int:
    """Return how many of so many epochs are the newest part."""
    return max(FEWEST_NEWEST, math.ceil(NEWEST_SHARE * count))


def _warming_up(copies: _Numbers, trained: _Numbers) -> tuple[Kind, int | None]:
    """Return what the reconstruction of held-out sounds says while the KL weight warms up."""
    kind, since = _trend(copies, trained)
    has_risen = float(np.median(copies[-FEWEST_NEWEST:])) > (1 + WORSE_COPIES) * float(_smoothed(copies).min())
    if kind is Kind.IMPROVING or (kind is Kind.BY_HEART and has_risen):
        return kind, since
    return Kind.TOO_EARLY, None


def _falls(values: _Numbers, newest: int) -> bool:
    """Return whether a curve falls: within its newest part, or in that part below all before."""
    recent, earlier = values[-newest:], values[:-newest]
    noise = _noise(values[-3 * newest :])
    level = abs(float(np.median(recent)))
    if _slopes_down(recent, noise):
        return True
    if not len(earlier):
        return False
    size = min(newest, len(earlier))
    windows = np.lib.stride_tricks.sliding_window_view(earlier, size)[:: max(1, size // _WINDOWS_APART)]
    lead = float(np.median(windows, axis=1).min()) - float(np.median(recent))
    return lead > max(_worth(newest) * level, CERTAIN * noise * math.hypot(_of_median(newest), _of_median(size)))


def _gains_nothing_after(best: int, values: _Numbers) -> bool:
    """Return whether a curve that fell to its best value has not fallen since, though by now it should have.

    The best value may be low by chance.  It counts once the curve, had it gone on as before, would be lower for sure.
    """
    after, newest = values[best + 1 :], _newest(len(values))
    before = values[max(0, best + 1 - newest) : best + 1]
    if len(after) < FEWEST_AFTER_BEST or len(before) < 2:
        return False
    noise = _noise(values[-3 * newest :])
    return -_slope(before) * len(after) > CERTAIN * noise and not _slopes_down(after, noise)


def _is_level(values: _Numbers) -> bool:
    """Return whether a curve that fell is level at its end, though by now it should be lower.

    It is level if its newest epochs, or the last one alone, fall by less than matters, and rise by no more.
    """
    newest = _newest(len(values))
    noise = _noise(values[-3 * newest :])
    for steps in LEVEL_STEPS:
        tail, before = values[-1 - steps :], values[:-steps][-newest:]
        if len(before) < 2:
            continue
        level, worth = abs(float(np.median(tail))), _worth(len(tail))
        gain, expected = -_slope(tail) * steps, -_slope(before) * steps
        is_missed = expected - max(gain, 0.0) > max(worth * level, CERTAIN * noise)
        if is_missed and -WORTH * level <= gain <= worth * level:
            return True
    return False


def _slopes_down(values: _Numbers, noise: float) -> bool:
    """Return whether a line through the values falls by more than its noise, and by enough to matter."""
    steps = len(values) - 1
    error = noise * steps / math.sqrt((steps + 1) * ((steps + 1) ** 2 - 1) / 12)
    return -_slope(values) * steps > max(_worth(len(values)) * abs(float(np.median(values))), CERTAIN * error)


def _slope(values: _Numbers) -> float:
    """Return the slope of the line through at least two values, for one step."""
    x = np.arange(len(values)) - (len(values) - 1) / 2
    return float(x @ (values - values.mean()) / (x @ x))


def _worth(count: int) -> float:
    """Return the share of the loss that a change over so many epochs has to have."""
    return WORTH * min(1.0, count / FEWEST_WITHOUT)


def _smoothed(values: _Numbers) -> _Numbers:
    """Return the running median of `SMOOTHED` values; at the ends of those that are there."""
    half = SMOOTHED // 2
    padded = np.pad(values, half, constant_values=np.nan)
    smooth: _Numbers = np.nanmedian(np.lib.stride_tricks.sliding_window_view(padded, SMOOTHED), axis=1)
    return smooth


def _noise(values: _Numbers) -> float:
    """Return the standard deviation of the noise: by second differences, in which a trend cancels out."""
    if len(values) < 3:
        return 0.0
    return float(1.4826 * np.median(np.abs(np.diff(values, 2))) / math.sqrt(6))


def _of_median(count: int) -> float:
    """Return the standard error of a median of so many values, for noise of standard deviation 1."""
    return math.sqrt(math.pi / (2 * count))
