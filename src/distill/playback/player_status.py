"""The state of the player, as its listener receives it."""

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class PlayerState(Enum):
    """What the player is doing."""

    IDLE = "idle"
    PLAYING = "playing"
    NO_DEVICE = "no device"


@dataclass(frozen=True)
class PlayerStatus:
    """A snapshot of the player.

    Attributes
    ----------
    state
        What the player is doing.
    path
        The loaded sound, or None; of two compared sounds, the one that is heard.
    seconds
        Its duration; of compared sounds, the longest duration.
    error
        Why the last request failed; None when it succeeded.
    pair
        The two compared sounds in the order given; None when nothing is compared.
    group
        The sounds that are compared by number; empty when there are none.
    note
        A warning while the sound plays: another device is used than the requested one.
    peaks
        ``[n, 2]`` lowest and highest sample, for drawing; None when nothing is loaded.
    """

    state: PlayerState = PlayerState.IDLE
    path: Path | None = None
    seconds: float = 0.0
    error: str | None = None
    pair: tuple[Path, Path] | None = None
    group: tuple[Path, ...] = ()
    note: str | None = None
    peaks: "NDArray[np.float32] | None" = field(default=None, compare=False, repr=False)
