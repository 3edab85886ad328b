"""A model's map as plain values, for a window: where chunks lie, and which lie near a position.  No torch here."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

Position = tuple[float, float]


@dataclass(frozen=True)
class Slider:
    """A slider of a model: its name, what a higher value does, and its measured rank correlation."""

    name: str
    help: str
    strength: float


@dataclass(frozen=True)
class ShownMap:
    """A map as plain values, one for each chunk unless said otherwise.

    Attributes
    ----------
    positions
        x and y, within 0 and 1.
    sounds
        Numbers of the sounds.
    starts, seconds
        Where a chunk begins in the file of its sound, and its length.
    brightness, loudness
        What dots can be coloured by.
    names
        One for each sound.
    files
        Files of the sounds that were found on this computer, by number.
    sliders
        The model's sliders.
    most
        Range of a slider: from minus this to this.
    """

    positions: tuple[Position, ...]
    sounds: tuple[int, ...]
    starts: tuple[float, ...]
    seconds: tuple[float, ...]
    brightness: tuple[float, ...]
    loudness: tuple[float, ...]
    names: tuple[str, ...]
    files: Mapping[int, Path]
    sliders: tuple[Slider, ...]
    most: float

    def nearest_chunks(self, position: Position, count: int = 8) -> list[int]:
        """Return the numbers of the chunks nearest to a position, at most one for each sound."""
        x, y = position
        order = sorted(
            range(len(self.positions)),
            key=lambda row: (self.positions[row][0] - x) ** 2 + (self.positions[row][1] - y) ** 2,
        )
        first: dict[int, int] = {}
        for row in order:
            first.setdefault(self.sounds[row], row)
            if len(first) == count:
                break
        return list(first.values())

    def between_chunks(self, chunk: int) -> Position:
        """Return a position between a chunk and the nearest one of another sound; its own without one.

        It is a little nearer to the chunk, so that two that are nearest to each other give two positions.
        """
        nearest = self.nearest_chunks(self.positions[chunk], 3)
        others = [near for near in nearest if self.sounds[near] != self.sounds[chunk]]
        (x, y), (u, v) = self.positions[chunk], self.positions[(others or [chunk])[0]]
        return 0.6 * x + 0.4 * u, 0.6 * y + 0.4 * v

    def spread_chunks(self, count: int) -> list[int]:
        """Return the numbers of ``count`` chunks that lie far from each other: each is the furthest from those before.

        Fewer are returned where the map has fewer chunks.
        """
        chosen = self.nearest_chunks((0.5, 0.5), 1)
        distance = [float("inf")] * len(self.positions)
        while len(chosen) < min(count, len(self.positions)):
            x, y = self.positions[chosen[-1]]
            for row, (u, v) in enumerate(self.positions):
                distance[row] = min(distance[row], (u - x) ** 2 + (v - y) ** 2)
            chosen.append(max(range(len(distance)), key=distance.__getitem__))
        return chosen
