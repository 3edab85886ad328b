"""Finds which moments of one sound are most like those of another, without needless jumps."""

import numpy as np
import numpy.typing as npt

from distill.audio.stereo.stereo_image import FloatArray, StereoImage

#: Level under the loudest tile under which levels are not compared, in decibels.
FLOOR_DB = -48.0
#: What a jump costs, in decibels of the mean difference of levels, and each decibel by which the image moves in it.
_JUMP_DB, _MOVE = 4.0, 1.0
#: Decibels of balance that weigh as much as a change of the likeness by one.
_LIKENESS_DB = 12.0

Numbers = npt.NDArray[np.int64]


def heard_levels(levels: FloatArray, loudest: float | None = None) -> FloatArray:
    """Return levels ``[columns, BANDS]`` under the loudest tile, no lower than `FLOOR_DB`."""
    top = float(levels.max()) if loudest is None else loudest
    found: FloatArray = (levels - np.float32(top)).clip(FLOOR_DB, None).astype(np.float32)
    return found


def followed(levels: FloatArray, stored: FloatArray, image: StereoImage, begins_at: int | None = None) -> Numbers:
    """Return the number of the stored column for each column of a sound.

    The columns are followed in their order where that fits; a jump must be worth its cost, which grows with how far it
    moves the image.  (The search for the cheapest path is that of Viterbi 1967, as in the selection of units of speech,
    Hunt and Black 1996.)

    Parameters
    ----------
    levels, stored
        What is compared, ``[T, BANDS]`` and ``[S, BANDS]``; see `heard_levels`.
    image
        Image of the stored columns.
    begins_at
        The column that the path begins after; None for a path that begins anywhere.
    """
    count = len(stored)
    costs = np.zeros(count)
    if begins_at is not None:
        first = min(begins_at + 1, count - 1)
        costs = _jump_costs(image, first)
        costs[first] = 0.0
    costs = costs + np.abs(stored - levels[0]).mean(1)
    # For each column of the sound, whether each stored one was jumped to, from where, and whether the end went on: a
    # long sound on a long one has tens of millions of pairs.
    is_jump, jumped_from, ends_on = np.zeros((len(levels), count), bool), [0], [False]
    for number, level in enumerate(levels[1:], 1):
        steps = np.concatenate([[np.inf], costs[:-1]])
        ends_on.append(count == 1 or bool(costs[-1] <= costs[-2]))
        if ends_on[-1]:
            steps[-1] = costs[-1]  # behind the end, its last column goes on
        jumped_from.append(int(costs.argmin()))
        jumps = costs[jumped_from[-1]] + _jump_costs(image, min(jumped_from[-1] + 1, count - 1))
        is_jump[number] = jumps < steps
        costs = np.minimum(jumps, steps) + np.abs(stored - level).mean(1)
    path = np.zeros(len(levels), np.int64)
    path[-1] = int(costs.argmin())
    for number in range(len(levels) - 1, 0, -1):
        at = path[number]
        is_end = ends_on[number] and at == count - 1
        path[number - 1] = jumped_from[number] if is_jump[number, at] else at if is_end else at - 1
    return path


def _jump_costs(image: StereoImage, start: int) -> npt.NDArray[np.float64]:
    """Return what jumps to each column cost that would otherwise have been a given one."""
    moves = np.abs(image.balance - image.balance[start]) + _LIKENESS_DB * np.abs(image.likeness - image.likeness[start])
    costs: npt.NDArray[np.float64] = _JUMP_DB + _MOVE * moves.mean(1)
    return costs
