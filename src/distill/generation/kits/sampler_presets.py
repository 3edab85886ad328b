"""What samplers read of a kit: presets (SFZ, DecentSampler) and WAV files.  No torch here.

A preset holds the keys that play each sound; a WAV file has its root note and its loop in a ``smpl`` chunk.
"""

import io
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
import numpy.typing as npt
import soundfile

from distill.audio.export import MOST_TEXT
from distill.audio.pitch import Pitch
from distill.generation.kits.sample_loop import SampleLoop

#: Seconds that a sound which is held by a key takes to fade after the key is let go.
_RELEASE_S = 0.25
#: Keys below and above its own that play a pitched sound.
_KEY_RANGE = 24


@dataclass(frozen=True)
class KitFile:
    """A sound file of a kit.

    Attributes
    ----------
    path
        Relative to the preset, with ``/``.
    pitch, loop
        As in the file's ``smpl`` chunk, or None.
    """

    path: str
    pitch: Pitch | None = None
    loop: SampleLoop | None = None


@dataclass(frozen=True)
class Region:
    """A sound file on the keys and velocities that play it.

    Attributes
    ----------
    file
        The sound.
    low_key, high_key
        MIDI notes that play it.
    root_key
        MIDI note that plays it as it is.
    tune_cents
        Cents that it is raised by, so that its keys are in tune.
    low_velocity, high_velocity
        MIDI velocities that play it, 1 to 127.
    turn, turns
        Which of how many notes in a row play it, from 1: a round-robin.
    held
        Whether it sounds as long as the key is held; otherwise it sounds to its end.
    """

    file: KitFile
    low_key: int
    high_key: int
    root_key: int
    tune_cents: float = 0.0
    low_velocity: int = 1
    high_velocity: int = 127
    turn: int = 1
    turns: int = 1
    held: bool = False


def over_the_keyboard(regions: Sequence[Region]) -> Iterator[Region]:
    """Yield the regions of a sound over the keyboard, or nothing unless all its versions have about the same pitch."""
    pitches = [region.file.pitch for region in regions]
    known_pitches: list[Pitch] = [pitch for pitch in pitches if pitch is not None]
    notes = [pitch.midi for pitch in known_pitches]
    if len(known_pitches) < len(pitches) or max(notes) - min(notes) > 1.0:
        return
    middle_key = known_pitches[0].key
    low, high = max(0, middle_key - _KEY_RANGE), min(127, middle_key + _KEY_RANGE)
    for region, pitch in zip(regions, known_pitches, strict=True):
        yield replace(region, low_key=low, high_key=high, root_key=pitch.key, tune_cents=-pitch.cents, held=True)


def sfz(regions: Sequence[Region], title: str) -> str:
    """Return an SFZ preset (format 1, with ``seq_position`` and ``tune``)."""
    lines = [f"// {_one_line(title)}", ""]
    for region in regions:
        keys = f"lokey={region.low_key} hikey={region.high_key} pitch_keycenter={region.root_key}"
        parts = ["<region>", keys]
        if round(region.tune_cents):
            parts.append(f"tune={round(region.tune_cents)}")
        if (region.low_velocity, region.high_velocity) != (1, 127):
            parts.append(f"lovel={region.low_velocity} hivel={region.high_velocity}")
        if region.turns > 1:
            parts.append(f"seq_length={region.turns} seq_position={region.turn}")
        loop = region.file.loop
        if not region.held:
            parts.append("loop_mode=one_shot")
        elif loop is None:
            parts.append(f"loop_mode=no_loop ampeg_release={_RELEASE_S:g}")
        else:
            points = f"loop_start={loop.start} loop_end={loop.end - 1}"
            parts.append(f"loop_mode=loop_continuous {points} ampeg_release={_RELEASE_S:g}")
        # The path comes last: it may hold spaces, and ends at the end of the line.
        lines.append(f"{' '.join(parts)} sample={region.file.path}")
    return "\n".join(lines) + "\n"


def decent_sampler(regions: Sequence[Region], title: str) -> str:
    """Return a DecentSampler preset (``.dspreset``)."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<!-- {_in_comment(title)} -->"]
    lines += ['<DecentSampler minVersion="1.0.0">', "  <groups>"]
    for turns in sorted({region.turns for region in regions}):
        sequence = f' seqMode="round_robin" seqLength="{turns}"' if turns > 1 else ""
        lines.append(f'    <group trigger="attack"{sequence}>')
        for region in regions:
            if region.turns == turns:
                values = " ".join(f"{key}={quoteattr(text)}" for key, text in _sample(region).items())
                lines.append(f"      <sample {values}/>")
        lines.append("    </group>")
    return "\n".join([*lines, "  </groups>", "</DecentSampler>"]) + "\n"


def _sample(region: Region) -> dict[str, str]:
    """Return the attributes of a region's ``sample`` element."""
    values = {
        "path": region.file.path, "rootNote": str(region.root_key),
        "loNote": str(region.low_key), "hiNote": str(region.high_key),
        "loVel": str(region.low_velocity), "hiVel": str(region.high_velocity),
    }  # fmt: skip
    if round(region.tune_cents):
        values["tuning"] = f"{region.tune_cents / 100:.2f}"
    if region.turns > 1:
        values["seqPosition"] = str(region.turn)
    if region.held:
        values["release"] = f"{_RELEASE_S:g}"
    else:  # it sounds to its end; any release would fade it from the moment at which the key is let go
        values["ampEnvEnabled"] = "false"
    loop = region.file.loop
    if loop is not None and region.held:
        values |= {"loopEnabled": "true", "loopStart": str(loop.start), "loopEnd": str(loop.end - 1)}
    else:
        values["loopEnabled"] = "false"
    return values


def _one_line(text: str) -> str:
    """Return a text on one line, without characters that are for control."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _in_comment(text: str) -> str:
    """Return a text for a comment of XML, in which no two hyphens may follow each other."""
    return re.sub("-(?=-)", "- ", _one_line(text))


def sampler_wav(
    audio: npt.NDArray[np.floating[Any]],
    pitch: Pitch | None,
    loop: SampleLoop | None,
    comment: str = "",
    sample_rate: int = 48_000,
) -> bytes:
    """Return a WAV file, PCM of 24 bits.

    Without a pitch and without a loop the file has no ``smpl`` chunk, so that no sampler takes a default for a root
    note.  The chunk's layout is that of "Multimedia Programming Interface and Data Specifications 1.0, New Multimedia
    Data Types" (1994): the root note, and the fraction of a semitone above it in units of 2**-32.

    Parameters
    ----------
    audio
        ``[samples]``, mono, within -1 and 1.
    pitch
        Of the sound, or None.
    loop
        Of the sound, or None.
    comment
        For the file's metadata.
    sample_rate
        Hz.
    """
    whole = io.BytesIO()
    with soundfile.SoundFile(whole, "w", sample_rate, 1, "PCM_24", format="WAV") as file:
        if comment and len(comment) <= MOST_TEXT:
            file.comment = comment
        file.write(audio)
    if pitch is None and loop is None:
        return whole.getvalue()
    note, fraction = 60, 0
    if pitch is not None:
        note = int(np.floor(pitch.midi))
        fraction = min(int((pitch.midi - note) * 2**32), 2**32 - 1)
    loops = b"" if loop is None else struct.pack("<6I", 0, 0, loop.start, loop.end - 1, 0, 0)
    count = int(loop is not None)
    body = struct.pack("<9I", 0, 0, round(1e9 / sample_rate), note, fraction, 0, 0, count, 0) + loops
    data = whole.getvalue()
    data += b"\0" * (len(data) % 2) + b"smpl" + struct.pack("<I", len(body)) + body
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]
