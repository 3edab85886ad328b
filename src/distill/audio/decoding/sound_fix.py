"""What is changed in a sound when it is decoded for training, and how much it counts.  Files are never changed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

#: Smallest weight of a sound that is trained on.
LEAST_WEIGHT = 0.01


@dataclass(frozen=True)
class SoundFix:
    """What is changed in one sound.

    Attributes
    ----------
    trims
        Silence before and behind the sound is dropped.
    channel
        The one channel that is used, from 0; None for the mean of all.
    hum_hz
        Mains frequency whose hum is removed; None for none.
    weight
        How much the sound counts in training: 1 like any other, 0.5 half as much.
    leaves_out
        Whether the sound is not trained on at all.
    """

    trims: bool = False
    channel: int | None = None
    hum_hz: float | None = None
    weight: float = 1.0
    leaves_out: bool = False

    def __or__(self, other: Self) -> Self:
        """Return both fixes together; the other one counts where both say something."""
        return replace(self, **{name: value for name, value in asdict(other).items() if value != _DEFAULTS[name]})

    def without(self, other: Self) -> Self:
        """Return the fix without what the other one does."""
        return replace(self, **{name: _DEFAULTS[name] for name in other.to_dict()})

    @property
    def audio_key(self) -> str:
        """What differs where the decoded samples do; empty where they are those of the file."""
        parts = [] if self.channel is None else [f"channel{self.channel}"]
        return "".join([*parts, *([] if self.hum_hz is None else [f"hum{self.hum_hz:g}"])])

    @property
    def text(self) -> str:
        """What is done, in a few words; empty for nothing."""
        if self.leaves_out:
            return "left out"
        parts = ["silence trimmed"] if self.trims else []
        parts += [] if self.channel is None else [f"channel {self.channel + 1} only"]
        parts += [] if self.hum_hz is None else ["hum removed"]
        return ", ".join(parts + ([] if self.weight == 1 else [f"counts {self.weight:g}"]))

    def to_dict(self) -> dict[str, Any]:
        """Return what differs from no fix, for JSON."""
        return {name: value for name, value in asdict(self).items() if value != _DEFAULTS[name]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the fix that `to_dict` has written; what is unknown is passed over.

        Raises
        ------
        TypeError, ValueError
            A value cannot be used.
        """
        fix = cls(**{name: data[name] for name in _DEFAULTS if name in data})
        is_channel = fix.channel is None or (type(fix.channel) is int and 0 <= fix.channel < 1024)
        is_hum = fix.hum_hz is None or (type(fix.hum_hz) in (int, float) and 10 <= fix.hum_hz <= 500)
        is_weight = type(fix.weight) in (int, float) and LEAST_WEIGHT <= fix.weight <= 1
        if not (is_channel and is_hum and is_weight and type(fix.trims) is bool and type(fix.leaves_out) is bool):
            raise ValueError(f"{dict(data)!r:.100} is no fix of a sound")
        return fix


_DEFAULTS = asdict(SoundFix())
