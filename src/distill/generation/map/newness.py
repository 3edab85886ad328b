"""How new a generated sound is: new, close to a sound of the user's own, or a copy of it.  No torch here."""

from dataclasses import dataclass
from pathlib import Path

#: How new a sound is.
NEW, CLOSE, COPY = "new", "close", "copy"
#: Share of the training sounds that lie nearer to another one than a sound that is called close.
CLOSE_NEWNESS = 0.25


@dataclass(frozen=True)
class Verdict:
    """How near a sound is to the sounds that its model was trained on.

    Attributes
    ----------
    word
        `NEW`, `CLOSE` or `COPY`.
    name
        Of the nearest of those sounds.
    file
        Its file, where it was found on this computer.
    """

    word: str
    name: str
    file: Path | None


@dataclass(frozen=True)
class JudgedSound:
    """A sound that was made, and how new it is; None where the model file holds nothing to compare with."""

    path: Path
    verdict: Verdict | None


def newness_word(newness: float, is_copy: bool) -> str:
    """Return how new a sound is: `NEW`, `CLOSE` or `COPY`.

    Parameters
    ----------
    newness
        Share of the training sounds that lie nearer to another one than this sound does.
    is_copy
        Whether its samples follow those of a training sound.
    """
    if is_copy or newness == 0.0:
        return COPY
    return NEW if newness > CLOSE_NEWNESS else CLOSE
