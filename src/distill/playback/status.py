"""What the player tells whoever listens to it."""

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class PlayerState(Enum):
    """What the player does."""

    IDLE = "idle"
    PLAYING = "playing"
    NO_DEVICE = "no device"


@dataclass(frozen=True)
class PlayerStatus:
    """What a listener is told.

    Attributes
    ----------
    state
        What the player does.
    path
        The sound that is loaded, or None; of two that are compared, the one that is heard.
    seconds
        Its duration; of two that are compared, the longer one's.
    error
        Why the last sound could not be played; None when it could.
    pair
        The two sounds that are compared, in the order in which they were given; None when none are.
    note
        What is not as it was asked for, though the sound is heard: another device stands in.
    peaks
        ``[n, 2]``, for drawing the sound; None when none is loaded.
    """

    state: PlayerState = PlayerState.IDLE
    path: Path | None = None
    seconds: float = 0.0
    error: str | None = None
    pair: tuple[Path, Path] | None = None
    note: str | None = None
    peaks: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)
