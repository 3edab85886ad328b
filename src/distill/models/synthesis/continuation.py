"""New parts of a sound: what comes after its end, and what takes the place of a marked part.

Windows are drawn one after the other, each under the condition of the one before; of several the one is taken that
joins best.  The samples of the sound are kept, and the phases of the new part are fitted to them.
"""

import torch
from torch import Tensor

from distill.audio.griffin_lim import KnownSamples
from distill.models.priors.window_prior import WindowPrior
from distill.models.synthesis.limiter import limited
from distill.models.synthesis.synthesizer import LONGEST_S, SHORTEST_S, Synthesizer, audible_difference, check_number
from distill.models.synthesis.variations import checked_sound
from distill.models.synthesis.window_blend import WindowBlend, half_step, window_starts

#: Windows that are drawn for a position, of which the one that joins best is taken.
_CANDIDATES = 8
#: Frames over which a new part takes over the colour of what it joins, and frames of it that are compared there.
_JOINT_FRAMES, _COMPARED_FRAMES = 24, 6
#: Share of half a window that may be missing at the end of the window that a new part goes on from.
_MISSING_SHARE = 0.1
#: Largest correction at a joint, decades.
_MOST_CORRECTION = 1.0
#: Seconds over which samples that are kept and new ones are mixed, inside the new part.
_MIX_S = 0.01
#: Seconds over which a step of the waveform is taken out behind the end of a sound that goes on.
_STEP_S = 0.002
#: Shortest part that can be repainted, seconds.
_SHORTEST_PART_S = 0.02


@torch.no_grad()
def extend(synth: Synthesizer, waveform: Tensor, seconds: float, seed: int, detail: float | None = None) -> Tensor:
    """Return a sound ``[1, N]`` that goes on for ``seconds`` more; its own samples stay as they are.

    Raises
    ------
    ValueError
        A number is out of range, or the sound cannot be used.
    ModelFileError
        The model has no prior.
    """
    check_number("seconds", seconds, SHORTEST_S, LONGEST_S)
    prior = synth.need_prior("extend a sound")
    sound, peak = checked_sound(waveform)
    added = round(seconds * synth.rate)
    context = sound[:, -_context_samples(synth) :]
    line = torch.nn.functional.pad(context, (0, added))
    open_from = context.shape[-1]
    total = (sound.shape[-1] + added) / synth.chunk
    first_offset = (sound.shape[-1] - open_from) / synth.chunk
    part = open_from, line.shape[-1]
    known = KnownSamples(line[0], (torch.arange(line.shape[-1]) < open_from).float())
    new = _repainted(synth, prior, line, part, (total, first_offset), known, seed, detail)
    following = _without_step(sound[0], new[0, open_from:], round(_STEP_S * synth.rate))
    whole = torch.cat([sound, following[None]], 1)
    whole = limited(whole, (sound.shape[-1], whole.shape[-1]), 1.0, synth.rate)
    return synth.faded(whole, begin=False) * peak


@torch.no_grad()
def repaint(
    synth: Synthesizer,
    waveform: Tensor,
    start_seconds: float,
    end_seconds: float,
    seed: int,
    detail: float | None = None,
) -> Tensor:
    """Return a sound ``[1, N]`` of which the part between two times is new; the rest stays as it is.

    Raises
    ------
    ValueError
        The part is not inside the sound, or is too short or too long, or the sound cannot be used.
    ModelFileError
        The model has no prior.
    """
    sound, peak = checked_sound(waveform)
    length = sound.shape[-1] / synth.rate
    if not 0.0 <= start_seconds < end_seconds <= length:
        raise ValueError(
            f"The part must lie inside the sound, which is {length:.2f} s long, not from {start_seconds:g} to "
            f"{end_seconds:g} s."
        )
    if not _SHORTEST_PART_S <= end_seconds - start_seconds <= LONGEST_S:
        raise ValueError(
            f"The part must be from {_SHORTEST_PART_S:g} to {LONGEST_S:g} seconds long, "
            f"not {end_seconds - start_seconds:g}."
        )
    prior = synth.need_prior("repaint a part of a sound")
    part = part_of(sound.shape[-1], start_seconds, end_seconds, synth.rate)
    low = max(0, part[0] - _context_samples(synth)) // synth.hop * synth.hop
    high = min(sound.shape[-1], part[1] + synth.chunk)
    line = sound[:, low:high]
    lengths = sound.shape[-1] / synth.chunk, low / synth.chunk
    inside = part[0] - low, part[1] - low
    known = KnownSamples(line[0], _kept_share(line.shape[-1], inside, round(_MIX_S * synth.rate)))
    new = _repainted(synth, prior, line, inside, lengths, known, seed, detail)
    result = sound.clone()
    result[:, part[0] : part[1]] = new[:, part[0] - low : part[1] - low]
    return limited(result, part, 1.0, synth.rate) * peak


def _context_samples(synth: Synthesizer) -> int:
    """Return how much before a new part is looked at: the first new window, and the one half a window earlier."""
    return (2 * half_step(synth.frames) + _reach(synth)) * synth.hop


def _reach(synth: Synthesizer) -> int:
    """Return the frames near a part that see some of it."""
    return int(synth.family.spectrogram_config.n_fft // 2 // synth.hop)


def part_of(samples: int, start_seconds: float, end_seconds: float, rate: int) -> tuple[int, int]:
    """Return the first sample of a part of a sound, and the one after its last."""
    return round(start_seconds * rate), min(samples, round(end_seconds * rate))


def _repainted(
    synth: Synthesizer,
    prior: WindowPrior,
    line: Tensor,
    part: tuple[int, int],
    lengths: tuple[float, float],
    known: KnownSamples,
    seed: int,
    detail: float | None,
) -> Tensor:
    """Return a line ``[1, N]`` whose samples in a part are new.

    Parameters
    ----------
    line
        The part and what lies around it.
    part
        First sample of the part and the one after its last.
    lengths
        Length of the whole sound, and where in it the line begins, in windows.
    known
        The samples that stay.
    """
    frames = 1 + line.shape[-1] // synth.hop
    reach = _reach(synth)
    first = max(0, part[0] // synth.hop + 1 - reach)
    last = min(frames, -(-part[1] // synth.hop) + reach)
    source = synth.family.features(line[None].to(synth.device))[0].float().cpu()
    is_open = torch.zeros(frames, dtype=torch.bool)
    is_open[first : max(last, first + 1)] = True
    new = _drawn_features(synth, prior, source, line, is_open, lengths, seed)
    new = synth.detailed(new, detail)
    features = _joined(source, new, is_open)
    generated: Tensor = synth.family.to_waveform(features[None], line.shape[-1], known)[0]
    return generated


def _drawn_features(
    synth: Synthesizer,
    prior: WindowPrior,
    source: Tensor,
    line: Tensor,
    is_open: Tensor,
    lengths: tuple[float, float],
    seed: int,
) -> Tensor:
    """Return features ``[C, F, T]`` of new windows that cover the open frames; elsewhere they are the source's."""
    step, size, frames = half_step(synth.frames), synth.frames, source.shape[-1]
    generator = torch.Generator().manual_seed(seed)
    at = is_open.nonzero().flatten()
    begin, before = _first_window(int(at[0]), step)
    starts = [begin + start for start in window_starts(int(at[-1]) + 1 - begin, size)]
    short = max(0, starts[-1] + size - frames)
    guide = torch.nn.functional.pad(source, (0, short))
    guided = torch.nn.functional.pad(~is_open, (0, short), value=False)
    blended = WindowBlend(len(starts), size)
    components = None if before is None else prior.project(_points_at(synth, line, before))
    for number, start in enumerate(starts):
        total = torch.full((_CANDIDATES,), lengths[0], device=synth.device)
        offset = lengths[1] + start * synth.hop / synth.chunk
        previous = None if components is None else components.expand(_CANDIDATES, -1)
        drawn = prior.draw(previous, total, offset, generator)
        decoded = synth.decoded(prior.restore(drawn))
        span = slice(start, start + size)
        chosen = _best_joint(decoded, guide[..., span], guided[span])
        components = drawn[chosen : chosen + 1]
        blended.add(number, decoded[chosen])
        # What was drawn guides the next window where the two overlap.
        later = slice(start + step, start + size)
        opened = ~guided[later]
        guide[..., later] = torch.where(opened, decoded[chosen][..., step:], guide[..., later])
        guided[later] = True
    new = source.clone()
    generated = blended.features(min(frames - begin, (len(starts) - 1) * step + size))
    new[..., begin : begin + generated.shape[-1]] = generated
    return new


def _first_window(open_from: int, step: int) -> tuple[int, int | None]:
    """Return the frames at which the first new window begins, and the window that it goes on from.

    Where too little of the sound is there for the latter, the sound begins anew: None.
    """
    begin = open_from - step
    before = begin - step
    if before < -int(_MISSING_SHARE * step):  # in a line that begins later than its sound there is enough
        return 0, None
    return begin, max(0, before)


def _points_at(synth: Synthesizer, line: Tensor, start: int) -> Tensor:
    """Return the points ``[1, P]`` of the window of a line that begins at a frame."""
    window = line[:, start * synth.hop : start * synth.hop + synth.chunk]
    window = torch.nn.functional.pad(window, (0, synth.chunk - window.shape[-1]))
    return synth.points_of(synth.family.features(window[None].to(synth.device)))


def _best_joint(candidates: Tensor, guide: Tensor, guided: Tensor) -> int:
    """Return which of the candidates ``[M, C, F, T]`` is most like the guide ``[C, F, T]`` where that is known."""
    if not bool(guided.any()):
        return 0
    guide_frames = guide[..., guided].expand(len(candidates), -1, -1, -1)
    return int(audible_difference(guide_frames, candidates[..., guided]).argmin())


def _joined(source: Tensor, new: Tensor, is_open: Tensor) -> Tensor:
    """Return features: the source's where nothing is open, and new ones that take over its colour at the joints."""
    open_frames = is_open.nonzero().flatten()
    first, last = int(open_frames[0]), int(open_frames[-1]) + 1
    frames = source.shape[-1]
    fade = min(_JOINT_FRAMES, max(1, (last - first) // 2))
    ramp = torch.cos((torch.arange(fade) + 0.5) / fade * (torch.pi / 2)).square()
    result = new.clone()
    for border, inside, weight in (
        (first, slice(first, first + fade), ramp),
        (last, slice(last - fade, last), ramp.flip(0)),
    ):
        low = border - _COMPARED_FRAMES if border == first else border
        outside = slice(max(0, low), min(frames, low + _COMPARED_FRAMES))
        if outside.start >= outside.stop:
            continue
        missing = (source[..., outside] - new[..., outside]).mean(-1, keepdim=True)
        result[..., inside] += weight * missing.clamp(-_MOST_CORRECTION, _MOST_CORRECTION)
    return torch.where(is_open, result, source)


def _kept_share(samples: int, part: tuple[int, int], mix: int) -> Tensor:
    """Return the share ``[samples]`` of the kept samples: 1 outside the part, falling to 0 inside of it."""
    share = torch.ones(samples)
    share[part[0] : part[1]] = 0.0
    fade = min(mix, (part[1] - part[0]) // 2)
    ramp = torch.cos((torch.arange(fade) + 0.5) / max(fade, 1) * (torch.pi / 2)).square()
    if part[0] > 0:
        share[part[0] : part[0] + fade] = ramp
    if part[1] < samples:
        share[part[1] - fade : part[1]] = torch.maximum(share[part[1] - fade : part[1]], ramp.flip(0))
    return share


def _without_step(before: Tensor, after: Tensor, fade: int) -> Tensor:
    """Return a signal ``[n]`` that begins where another one ends, going on at its slope."""
    if len(before) < 2 or len(after) < fade:
        return after
    ramp = torch.linspace(1, 0, fade)
    joined = after.clone()
    joined[:fade] += ramp * (2 * before[-1] - before[-2] - after[0])
    return joined
