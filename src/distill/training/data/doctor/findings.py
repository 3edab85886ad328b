"""What the dataset doctor says of a set of sounds: the findings, why they matter, and the fix of each."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from distill.audio.cache.sound_cache import CachedSound
from distill.audio.decoding.mono_decoder import SAMPLE_RATE
from distill.audio.decoding.sound_fix import SoundFix
from distill.errors import SoundError
from distill.training.data.audible_regions import sound_regions
from distill.training.data.doctor.duplicates import find_duplicates
from distill.training.data.doctor.sound_measurements import MeasuredSound, check, measure

#: Crests that are cut off from which a sound is clipped: in files that keep each sample, and in others.
CLIPPED = 8
#: Offset relative to the peak.
OFFSET = 0.05
#: Level of a hum relative to the peak in dB, and how many of its harmonics are steady.
HUM_DB, HUM_CERTAINTY = -49.0, 2.0
#: Seconds of silence before and behind a sound.
LEAD_S, TAIL_S = 0.2, 1.3
#: Correlation of two channels under which one of them is inverted.
INVERTED = -0.85
#: How much further a sound lies from its neighbours than most do from theirs, and the fewest sounds to say so of.
STRANGER, STRANGER_SOUNDS = 1.9, 8
#: Sounds whose distances from all others are computed at once.
_ROWS_AT_ONCE = 1024
#: How much longer than the median the longest sound is, where it has this share of all.
LONGER, LONG_SHARE = 20.0, 0.3
#: Fewest sounds that a model learns more than copies from.
FEW = 5

#: Kinds of findings, in the order in which they are shown.
KINDS = ("few", "copies", "clipping", "hum", "phase", "silence", "stranger", "offset", "lengths")


@dataclass(frozen=True)
class Finding:
    """Something that the doctor has found.

    Attributes
    ----------
    kind
        One of `KINDS`.
    title, why
        What it is, and why it matters, in plain words.
    sounds
        The sounds that it is about.
    fixes
        What `fix_text` does, by sound; empty where nothing needs to be done, or nothing can be.
    fix_text
        What the fix does.
    done_text
        What training does about it by itself; empty for nothing.
    """

    kind: str
    title: str
    why: str
    sounds: tuple[Path, ...]
    fixes: Mapping[Path, SoundFix] = field(default_factory=dict)
    fix_text: str = ""
    done_text: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the finding for JSON."""
        return {
            "kind": self.kind,
            "title": self.title,
            "why": self.why,
            "sounds": [str(path) for path in self.sounds],
            "fixes": {str(path): fix.to_dict() for path, fix in self.fixes.items()},
            "fix": self.fix_text,
            "done_by_itself": self.done_text,
        }


def examine(
    sounds: Sequence[CachedSound],
    on_progress: Callable[[int, int], None] | None = None,
    cancel_event: threading.Event | None = None,
) -> list[Finding]:
    """Measure sounds, and return what is wrong with them.

    Parameters
    ----------
    sounds
        Decoded sounds, without fixes.
    on_progress
        Called with the number of sounds that are measured, and of all.
    cancel_event
        Ends the examination.

    Raises
    ------
    DistillError
        The disk is full, or the cache cannot be written to.
    Cancelled
        ``cancel_event`` was set.
    """
    measured = []
    for done, sound in enumerate(sounds, 1):
        check(cancel_event)
        with suppress(SoundError):  # the file was removed just now
            measured.append(measure(sound, cancel_event))
        if on_progress is not None:
            on_progress(done, len(sounds))
    return findings_of(measured, cancel_event)


def merged_fixes(findings: Iterable[Finding]) -> dict[Path, SoundFix]:
    """Return the fixes of findings by sound, together where a sound has several."""
    fixes: dict[Path, SoundFix] = {}
    for finding in findings:
        for path, fix in finding.fixes.items():
            fixes[path] = fixes.get(path, SoundFix()) | fix
    return fixes


def findings_of(measured: Sequence[MeasuredSound], cancel_event: threading.Event | None = None) -> list[Finding]:
    """Return what is wrong with measured sounds; errors are those of `examine`."""
    groups = find_duplicates(measured, cancel_event)
    found = [
        _few(measured, groups), *(_copies([measured[n] for n in group]) for group in groups), _clipping(measured),
        _hum(measured), _phase(measured), *_silence(measured), _strangers(measured), _offset(measured),
        _lengths(measured),
    ]  # fmt: skip
    return [finding for finding in found if finding is not None]


def _paths(measured: Sequence[MeasuredSound]) -> tuple[Path, ...]:
    return tuple(item.sound.source for item in measured)


def _few(measured: Sequence[MeasuredSound], groups: Sequence[Sequence[int]]) -> Finding | None:
    different = len(measured) - sum(len(group) - 1 for group in groups)
    if not measured or different >= FEW:
        return None
    return Finding(
        "few",
        f"Too few sounds: {different} {'is' if different == 1 else 'are'} different",
        f"From fewer than {FEW} sounds a model learns to repeat them, not to make new ones. Add more sounds.",
        _paths(measured),
    )


def _copies(group: Sequence[MeasuredSound]) -> Finding:
    """Return the finding about copies; the first of the group is the best one."""
    weight = round(1 / len(group), 3)
    return Finding(
        "copies",
        "The same sound twice" if len(group) == 2 else f"The same sound {len(group)} times",
        "What is there several times is learnt several times: the model prefers it, and new sounds resemble it.",
        _paths(group),
        {item.sound.source: SoundFix(weight=max(weight, 0.01)) for item in group},
        "Let them count as one sound.",
    )


def _clipping(measured: Sequence[MeasuredSound]) -> Finding | None:
    clipped = [item for item in measured if item.facts.clipped >= CLIPPED]
    if not clipped:
        return None
    return Finding(
        "clipping",
        "Clipped: the loudest moments are cut off",
        "They were recorded or exported too loud. The model learns the crackle as part of the sound. Best is to export "
        "them again at a lower level.",
        _paths(clipped),
        {item.sound.source: SoundFix(leaves_out=True) for item in clipped},
        "Leave them out.",
    )


def _hum(measured: Sequence[MeasuredSound]) -> Finding | None:
    humming = [item for item in measured if is_humming(item)]
    if not humming:
        return None
    hertz = " and ".join(f"{hz:g} Hz" for hz in sorted({item.facts.hum_hz for item in humming}))
    return Finding(
        "hum",
        f"Mains hum ({hertz})",
        "The hum of the power line is there all the time, so the model puts it into everything that it makes.",
        _paths(humming),
        {item.sound.source: SoundFix(hum_hz=item.facts.hum_hz) for item in humming},
        "Take the hum out.",
    )


def is_humming(item: MeasuredSound) -> bool:
    """Whether a hum can be heard in a sound."""
    return item.facts.hum_certainty >= HUM_CERTAINTY and item.facts.hum_db >= HUM_DB


def _phase(measured: Sequence[MeasuredSound]) -> Finding | None:
    inverted = [item for item in measured if item.facts.correlation <= INVERTED]
    if not inverted:
        return None
    handled = [item for item in inverted if item.sound.note]
    fixes = {
        item.sound.source: SoundFix(channel=int(item.facts.louder_channel)) for item in inverted if not item.sound.note
    }
    done = f"Of {len(handled)} of them only the louder channel is used already." if handled else ""
    return Finding(
        "phase",
        "One channel is upside down",
        "Training is in mono. Where left and right are opposite they cancel each other out, and little is left.",
        _paths(inverted),
        fixes,
        "Use the louder channel only." if fixes else "",
        "Only the louder channel is used already." if not fixes else done,
    )


def _silence(measured: Sequence[MeasuredSound]) -> list[Finding]:
    """Return a finding about silence that is skipped by itself, and one about silence that is not."""
    silent_ends = [item for item in measured if item.facts.lead_s >= LEAD_S or item.facts.tail_s >= TAIL_S]
    kept = [item for item in silent_ends if _keeps_silence(item)]
    skipped = [item for item in silent_ends if not _keeps_silence(item)]
    why = "Silence before and behind a sound takes the room of the sound: the model learns to be late, or silent."
    findings = []
    if kept:
        fixes = {item.sound.source: SoundFix(trims=True) for item in kept}
        findings.append(
            Finding("silence", "Long silence before or behind", why, _paths(kept), fixes, "Trim the silence.")
        )
    if skipped:
        done = "Silence of a second and more, and before sounds of more than a second, is skipped already."
        findings.append(Finding("silence", "Long silence, skipped already", why, _paths(skipped), done_text=done))
    return findings


def _keeps_silence(item: MeasuredSound) -> bool:
    """Whether training still has silence of a sound, beside what it skips by itself."""
    regions = sound_regions(item.sound, SAMPLE_RATE)
    lead = item.facts.lead_s - regions[0].start / SAMPLE_RATE
    tail = item.facts.tail_s - (item.sound.samples - regions[-1].stop) / SAMPLE_RATE
    return lead >= LEAD_S or tail >= TAIL_S


def _strangers(measured: Sequence[MeasuredSound]) -> Finding | None:
    # One of each audio: a sound that is there twice would be its own neighbour.
    different = list({item.sound.audio_hash or item.sound.content_hash: item for item in measured}.values())
    if len(different) < STRANGER_SOUNDS:
        return None
    scores = strangeness(np.array([item.timbre for item in different]))
    strangers = [item for item, score in zip(different, scores, strict=True) if score >= STRANGER]
    if not strangers:
        return None
    return Finding(
        "stranger",
        "Unlike all the others",
        "A model of few sounds learns what they have in common. One that is quite different takes room from the "
        "others, and new sounds come out in between.",
        _paths(strangers),
        {item.sound.source: SoundFix(leaves_out=True) for item in strangers},
        "Leave them out.",
    )


def strangeness(timbres: "np.ndarray[Any, np.dtype[np.float64]]") -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Return by how much each sound lies further from its two nearest neighbours than four fifths of the others do."""
    bands = (timbres.shape[1] - 6) // 2
    levels, changes, course = np.split(timbres, [bands, 2 * bands], axis=1)
    course = course * np.array([1.0, 0.7, 1.5, 1.0, 1.5, 2.0])
    points = np.hstack([np.maximum(levels, -50) / 10 / np.sqrt(bands), changes / 10 / np.sqrt(bands), course])
    squares, near = (points**2).sum(axis=1), np.empty(len(points))
    for first in range(0, len(points), _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        distances = np.sqrt(np.maximum(squares[rows, None] + squares - 2 * points[rows] @ points.T, 0))
        near[rows] = np.partition(distances, (0, 1, 2), axis=1)[:, 1:3].mean(axis=1)
    usual = np.array([np.quantile(np.delete(near, number), 0.8) for number in range(len(near))])
    return np.asarray(near / np.maximum(usual, 1e-6))


def _offset(measured: Sequence[MeasuredSound]) -> Finding | None:
    off_centre = [item for item in measured if item.facts.offset >= OFFSET]
    if not off_centre:
        return None
    return Finding(
        "offset",
        "Off centre (DC offset)",
        "The wave does not swing around zero. That costs level, and clicks where a sound begins and ends.",
        _paths(off_centre),
        done_text="The offset is removed already when a sound is read.",
    )


def _lengths(measured: Sequence[MeasuredSound]) -> Finding | None:
    if len(measured) < 2:
        return None
    seconds = [item.facts.seconds for item in measured]
    longest = max(measured, key=lambda item: item.facts.seconds)
    is_unequal = longest.facts.seconds >= LONGER * median(seconds)
    if not is_unequal or longest.facts.seconds < LONG_SHARE * sum(seconds):
        return None
    return Finding(
        "lengths",
        "Very unequal lengths",
        "One sound is far longer than most. Counted by the second, the model would learn mostly that one.",
        (longest.sound.source,),
        done_text="Each sound counts the same in training, however long it is. A recording with pauses of a second or "
        "more counts as one sound for each of its parts.",
    )
