"""The chunks on a model's map as plain values, for a window: where they lie, and which are near a position.

No torch here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from distill.names import plain_name

Position = tuple[float, float]

#: Characters of a sound's name in the name of one that is made near it.
_NAME_PART = 24
#: Distance from a sound of the map within which a new one is at the same place; the map is 1 wide.
_SAME_PLACE = 1e-3


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

    def name_near(self, position: Position) -> str:
        """Return a name for a sound at a position: the two nearest sounds of the map, or the one of the same place.

        It says where the sound was made, not what it sounds like, which is not known yet.
        """
        if not self.positions:
            return "Sound"
        near = self.nearest_chunks(position, 2)
        names = [plain_name(self.names[self.sounds[chunk]], most=_NAME_PART) for chunk in near]
        x, y = self.positions[near[0]]
        is_same = (x - position[0]) ** 2 + (y - position[1]) ** 2 < _SAME_PLACE**2
        return f"Near {names[0] if is_same else ' + '.join(names)}"

    def nearest_chunks(self, position: Position, count: int = 8) -> list[int]:
        """Return the numbers of the chunks nearest to a position, at most one for each sound."""
        x, y = position
        by_distance = sorted(
            range(len(self.positions)),
            key=lambda chunk: (self.positions[chunk][0] - x) ** 2 + (self.positions[chunk][1] - y) ** 2,
        )
        nearest_of_sounds: dict[int, int] = {}
        for chunk in by_distance:
            nearest_of_sounds.setdefault(self.sounds[chunk], chunk)
            if len(nearest_of_sounds) == count:
                break
        return list(nearest_of_sounds.values())

    def between_chunks(self, chunk: int) -> Position:
        """Return a position between a chunk and the nearest one of another sound; its own without one.

        It is a little nearer to the chunk, so that two that are nearest to each other give two positions.
        """
        nearest = self.nearest_chunks(self.positions[chunk], 3)
        of_other_sounds = [near for near in nearest if self.sounds[near] != self.sounds[chunk]]
        (x, y), (u, v) = self.positions[chunk], self.positions[(of_other_sounds or [chunk])[0]]
        return 0.6 * x + 0.4 * u, 0.6 * y + 0.4 * v

    def spread_chunks(self, count: int) -> list[int]:
        """Return the numbers of ``count`` chunks that lie far from each other: each is the furthest from those before.

        Fewer are returned where the map has fewer chunks.
        """
        spread = self.nearest_chunks((0.5, 0.5), 1)
        chunk_distances = [float("inf")] * len(self.positions)
        while len(spread) < min(count, len(self.positions)):
            x, y = self.positions[spread[-1]]
            for chunk, (u, v) in enumerate(self.positions):
                chunk_distances[chunk] = min(chunk_distances[chunk], (u - x) ** 2 + (v - y) ** 2)
            spread.append(max(range(len(chunk_distances)), key=chunk_distances.__getitem__))
        return spread
