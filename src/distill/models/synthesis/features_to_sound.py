"""Features of a long sound to its waveform: in parts of some seconds, faded into each other at equal energy."""

import math
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from distill.config.spectrogram import SpectrogramConfig
from distill.models.families.family import ModelFamily
from distill.models.synthesis.window_blend import crossfade

#: Seconds of sound whose phases are found together: memory and the wait for a cancel grow with it.
SEGMENT_S = 8.0
#: Seconds over which such segments are faded into each other, and what is skipped before and after: the ends of a
#: segment are less exact than its middle.
_FADE_S, _MARGIN_S = 0.25, 0.05


def sound_of_features(
    family: ModelFamily, features: Tensor, samples: int, on_share: Callable[[float], None] | None = None
) -> Tensor:
    """Return the waveform ``[1, 1, samples]`` of features ``[1, C, F, T]`` of any length.

    ``on_share`` is called before each segment with the share that is done, and with 1 at the end; it may raise.
    """
    pieces = stream_of_features(family, [features], features.shape[-1], samples, on_share)
    return torch.cat(list(pieces))[None, None]


def stream_of_features(
    family: ModelFamily,
    parts: Iterable[Tensor],
    total: int,
    samples: int,
    on_share: Callable[[float], None] | None = None,
) -> Iterator[Tensor]:
    """Yield the waveform of a sound in pieces ``[n]``; memory does not grow with its length.

    Parameters
    ----------
    family
        Turns features into sound.
    parts
        Features ``[1, C, F, T_i]`` in order, of any lengths.
    total
        Sum of all T_i.
    samples
        Length of the sound.
    on_share
        As in `sound_of_features`.
    """
    report = on_share or (lambda share: None)
    geometry = family.spectrogram_config
    margin, fade = (round(seconds * geometry.sample_rate) for seconds in (_MARGIN_S, _FADE_S))
    open_end = torch.zeros(0)  # what the next segment may change, and where in the sound it begins
    position = 0
    for start, segment in _segments(family, parts, total, samples, report):
        if start == 0:
            open_end = segment
            continue
        fade_begin = start + margin - position
        leaving, entering = open_end[fade_begin : fade_begin + fade], segment[margin : margin + fade]
        faded, sign = crossfade(leaving, entering)
        yield torch.cat([open_end[:fade_begin], faded])
        open_end, position = sign * segment[margin + fade :], position + fade_begin + fade
    yield torch.nn.functional.pad(open_end, (0, samples - position - len(open_end)))


def _segments(
    family: ModelFamily, parts: Iterable[Tensor], total: int, samples: int, report: Callable[[float], None]
) -> Iterator[tuple[int, Tensor]]:
    """Yield segments of a sound: the first sample of each and its waveform ``[n]``; neighbours overlap."""
    hop = family.spectrogram_config.hop_length
    spans = _spans(family.spectrogram_config, total)
    given = iter(parts)
    features, first = next(given), 0
    for number, (start, end) in enumerate(spans):
        report(number / len(spans))
        waiting = [features]
        while first + sum(part.shape[-1] for part in waiting) < end:
            waiting.append(next(given))
        features = torch.cat(waiting, -1)[..., start - first :]
        first = start
        count = samples - start * hop if end == total else (end - start - 1) * hop
        yield start * hop, family.to_waveform(features[..., : end - start], count)[0, 0]
    report(1.0)


def _spans(geometry: SpectrogramConfig, total: int) -> list[tuple[int, int]]:
    """Return the first frame of each segment, and the one after its last."""
    hop, rate = geometry.hop_length, geometry.sample_rate
    overlap = math.ceil((_FADE_S + 2 * _MARGIN_S) * rate / hop) + 1
    length = max(math.ceil(SEGMENT_S * rate / hop), 2 * overlap)
    starts = range(0, max(1, total - overlap), length - overlap)
    return [(start, total if start == starts[-1] else min(total, start + length)) for start in starts]
