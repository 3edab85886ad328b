"""Keeps the new part of a sound within the level of the sound: a file would cut off what is over full scale."""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d, max_pool1d, pad

#: Seconds over which the gain falls before a peak, and comes back behind it.
_REACH_S = 0.03
#: Seconds at the ends of the part over which the gain sets in, so that it joins what is kept.
_ONSET_S = 0.002


def limited(sound: Tensor, part: tuple[int, int], ceiling: float, rate: int) -> Tensor:
    """Return a sound ``[C, N]`` whose part lies within a level; all channels have the same gain.

    Parameters
    ----------
    sound
        The sound; it is not changed.
    part
        First sample of the part and the one after its last.
    ceiling
        Highest level in the part.
    rate
        Samples per second.
    """
    inside = sound[:, part[0] : part[1]]
    if inside.shape[-1] == 0 or float(inside.abs().max()) <= ceiling:
        return sound
    reach, onset = round(_REACH_S * rate), round(_ONSET_S * rate)
    needed = (ceiling / inside.abs().amax(0).clamp_min(1e-9)).clamp_max(1.0)[None, None]
    # The mean of what is lowest around each sample is smooth, and nowhere higher than what is needed.
    lowest = -max_pool1d(-pad(needed, (2 * reach, 2 * reach), value=1.0), 2 * reach + 1, 1)
    gain = avg_pool1d(lowest, 2 * reach + 1, 1)[0, 0]
    position = torch.arange(len(gain))
    gain = 1 - (1 - gain) * (torch.minimum(position, position.flip(0)) / onset).clamp_max(1.0)
    result = sound.clone()
    result[:, part[0] : part[1]] = (inside * gain).clamp(-ceiling, ceiling)
    return result
