"""What a kit is made of: how many sounds, and how many versions of each.  No torch here."""

from dataclasses import dataclass

from distill.errors import ConfigurationError

#: Most versions that are played in turn, and most ranges of velocity.
MOST_TURNS, MOST_LAYERS = 8, 4
#: Distance of a sound's versions from it: 0 is its copy, 1 an unrelated sound.
VARIATION_STRENGTH = 0.2


@dataclass(frozen=True)
class KitPlan:
    """What a kit is made of.

    Attributes
    ----------
    count
        Number of sounds.
    turns
        Versions of each sound that are played in turn (round-robins).
    layers
        Ranges of velocity with versions of their own.  Darker versions answer softer notes.
    strength
        Distance of the versions from the sound, 0 to 1.

    Raises
    ------
    ConfigurationError
        A number is out of range.
    """

    count: int = 16
    turns: int = 2
    layers: int = 2
    strength: float = VARIATION_STRENGTH

    def __post_init__(self) -> None:
        for name, value, most in (("turns", self.turns, MOST_TURNS), ("layers", self.layers, MOST_LAYERS)):
            if not 1 <= value <= most:
                raise ConfigurationError(f"{name} must be a number from 1 to {most}, not {value!r}.")
        if not 0.0 < self.strength <= 1.0:
            raise ConfigurationError(f"strength must be above 0 and at most 1, not {self.strength!r}.")
