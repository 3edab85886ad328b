"""What is said of the number of sounds: whether there are enough, few, or too few for a run.  No torch here."""

from collections.abc import Sequence

from distill.audio.scan_result import SkippedSound

#: Fewest sounds that a run begins with, where none of them is long.
MIN_SOUNDS = 2
#: Fewest sounds for close variations, and for free ones.
FEW_SOUNDS, ENOUGH_SOUNDS = 5, 20
#: Fewest seconds of sound to train on.
ENOUGH_SECONDS = 10.0


def too_few_text(needed_s: float, usable: str, skipped: Sequence[SkippedSound]) -> str:
    """Return why a run cannot begin with so few sounds.

    Parameters
    ----------
    needed_s
        Seconds that one sound must have to be enough.
    usable
        A clause on what can be used.
    skipped
        What cannot.
    """
    reasons = "; ".join(f"{item.path.name}: {item.reason}" for item in skipped) or "no other file was given"
    return (
        f"Training needs at least {MIN_SOUNDS} sounds, or one of at least {needed_s:g} s, but {usable} ({reasons}). "
        "Add more sounds and start again."
    )


def needed_text(needed_s: float) -> str:
    """Return what a run needs at least; ``needed_s`` are the seconds that one sound must have to be enough."""
    return (
        f"Training needs at least two usable sounds, or one of at least {needed_s:g} s. Add more sounds, or repair "
        "those left out."
    )


def enough_sounds(count: int, seconds: float) -> tuple[str, bool]:
    """Return a sentence on whether there are enough sounds, and whether there are."""
    if count < FEW_SOUNDS:
        return f"Too few sounds ({count}): it can only repeat them. {ENOUGH_SOUNDS} or more work well.", False
    if count < ENOUGH_SOUNDS:
        return f"Few sounds ({count}): expect close variations. {ENOUGH_SOUNDS} or more give freer ones.", False
    if seconds < ENOUGH_SECONDS:
        return (
            f"Little sound ({round(seconds)} s in all): expect close variations. Longer sounds give freer ones.",
            False,
        )
    return f"Enough sounds: {count} ({round(seconds)} s to train on).", True
