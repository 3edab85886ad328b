"""Puts the chunks of a container in the order in which libsndfile reads them.

libsndfile wants the description of the samples before the samples, these in one chunk, and every chunk where the one
before it ends.  Programs write more than that: a description behind the samples, a recording that goes on in a second
chunk, a chunk of odd size without the byte that pads it.  Of two chunks of samples libsndfile reads the second, or says
that its own description of the file is incomplete.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from distill.audio.decoding.streams.byte_view import ByteView, Segment, overlaid, read_at, segment_bytes
from distill.audio.decoding.streams.container_headers import (
    CAF_CHUNKS,
    FORM_CHUNKS,
    RIFF_CHUNKS,
    RIFX_CHUNKS,
    W64_CHUNKS,
    Chunk,
    ChunkLayout,
    Extent,
    aiff_frames,
    chunk_end,
    walk_chunks,
)

_SEARCHED = 1 << 20
_UNKNOWN_FROM_32 = 0x7FFF_0000
_PCM = 1
_MOST_SAMPLE_BYTES = 4

NO_DESCRIPTION = "the part of it that describes its samples is missing"
NO_SOUND = "it has a header and no sound"


@dataclass(frozen=True)
class Arrangement:
    """What is read in place of a container.

    Attributes
    ----------
    segments
        Parts of the container and bytes, in order; None where the container is read as it is.
    extent
        Bytes of sound that its chunks claim, and those that are there.
    problem
        What it lacks, as a reason for refusing it; empty for nothing.
    """

    segments: tuple[Segment, ...] | None = None
    extent: Extent | None = None
    problem: str = ""


@dataclass(frozen=True)
class _Kind:
    """A kind of container.

    Attributes
    ----------
    layout
        Of its chunks.
    forms
        What it may be, in bytes 8 to 12; empty for anything.
    first
        Where its first chunk begins.
    description, sound
        Names of the chunks with the description of the samples, and with the samples.
    lead
        Bytes of a chunk of sound before its samples.
    size_field
        Position and layout of its own size, and the bytes that this does not count; None where it states none.
    """

    layout: ChunkLayout
    forms: tuple[bytes, ...]
    first: int
    description: bytes
    sound: bytes
    lead: int = 0
    size_field: tuple[int, str, int] | None = None


_KINDS = {
    b"RIFF": _Kind(RIFF_CHUNKS, (b"WAVE",), 12, b"fmt ", b"data", size_field=(4, "<I", 8)),
    b"RIFX": _Kind(RIFX_CHUNKS, (b"WAVE",), 12, b"fmt ", b"data", size_field=(4, ">I", 8)),
    b"FORM": _Kind(FORM_CHUNKS, (b"AIFF", b"AIFC"), 12, b"COMM", b"SSND", 8, (4, ">I", 8)),
    b"caff": _Kind(CAF_CHUNKS, (), 8, b"desc", b"data", 4),
    b"riff": _Kind(W64_CHUNKS, (), 40, b"fmt ", b"data", size_field=(16, "<Q", 0)),
}


def arrange(file: IO[bytes] | ByteView, size: int) -> Arrangement:
    """Return what is to be read of a container.

    Parameters
    ----------
    file
        The open file, which begins with the container.
    size
        Its size in bytes.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    head = read_at(file, 0, 12)
    kind = _KINDS.get(head[:4])
    if kind is None or (kind.forms and head[8:] not in kind.forms):
        return Arrangement()
    chunks = list(_found(file, size, kind))
    descriptions = [chunk for chunk in chunks if chunk.name == kind.description]
    sounds = [chunk for chunk in chunks if chunk.name == kind.sound]
    if not descriptions or not sounds:
        problem = NO_SOUND if descriptions else NO_DESCRIPTION if sounds else ""
        return Arrangement(problem=problem)
    described = _description(file, descriptions[0])
    is_usual = (
        len(descriptions) == len(sounds) == 1
        and described is None
        and descriptions[0].at < sounds[0].at
        and (bool(kind.forms) or descriptions[0] is chunks[0])
        and _are_joined(chunks[: chunks.index(sounds[0]) + 1], kind)
    )
    return Arrangement() if is_usual else _arranged(file, size, kind, chunks, described)


def _found(file: IO[bytes] | ByteView, size: int, kind: _Kind) -> Iterator[Chunk]:
    """Yield the chunks of a container, also behind a wrong size as long as description or sound is not found."""
    start: int | None = kind.first
    missing = {kind.description, kind.sound}
    while start is not None:
        damaged_at = None
        for chunk in walk_chunks(file, start, kind.layout):
            if not _is_sound_chunk(chunk, size, kind):
                damaged_at = chunk.at
                break
            missing.discard(chunk.name)
            yield chunk
        start = None if damaged_at is None else _next_known(file, damaged_at, size, kind, missing)


def _is_sound_chunk(chunk: Chunk, size: int, kind: _Kind) -> bool:
    """Whether a chunk can be one; that of the samples may be cut off, or its size unknown."""
    is_name = all(32 <= byte < 127 for byte in chunk.name)
    return is_name and (chunk.name == kind.sound or 0 <= chunk.size <= size - chunk.body)


def _next_known(file: IO[bytes] | ByteView, at: int, size: int, kind: _Kind, missing: set[bytes]) -> int | None:
    """Return where the next of the missing chunks begins that fits in the file."""
    data = read_at(file, at, _SEARCHED)
    for offset in sorted(offset for name in missing for offset in _all_of(data, name)):
        chunk = next(walk_chunks(file, at + offset, kind.layout), None)
        if chunk is not None and 0 <= chunk.size <= size - chunk.body:
            return at + offset
    return None


def _all_of(data: bytes, name: bytes) -> Iterator[int]:
    name_at = data.find(name)
    while name_at >= 0:
        yield name_at
        name_at = data.find(name, name_at + 1)


def _are_joined(chunks: Sequence[Chunk], kind: _Kind) -> bool:
    """Whether each chunk begins where the one before it ends by the rules."""
    starts = [kind.first, *(chunk_end(chunk.at, chunk.size, kind.layout) for chunk in chunks[:-1])]
    return starts == [chunk.at for chunk in chunks]


def _description(file: IO[bytes] | ByteView, chunk: Chunk) -> bytes | None:
    """Return the description of a WAV file of plain samples that does not say how many bits these have; else None.

    Programs of the first years wrote 14 bytes, without the bits.  Then the bytes of a frame tell.
    """
    if chunk.long_name != b"fmt ":
        return None
    body = read_at(file, chunk.body, min(chunk.size, 16))
    if len(body) < 14 or body[14:] not in (b"", b"\0", b"\0\0"):
        return None
    tag, channels, _, _, frame = struct.unpack_from("<HHIIH", body)
    if tag != _PCM or not channels or frame % channels or frame // channels > _MOST_SAMPLE_BYTES:
        return None
    return body[:14] + struct.pack("<H", 8 * frame // channels)


def _arranged(
    file: IO[bytes] | ByteView, size: int, kind: _Kind, chunks: Sequence[Chunk], described: bytes | None
) -> Arrangement:
    """Return the description, then the other chunks but for texts, then the samples of all chunks in one."""
    first = next(chunk for chunk in chunks if chunk.name == kind.description)
    sounds = [chunk for chunk in chunks if chunk.name == kind.sound]
    parts, claimed = _samples(file, size, kind, sounds, first)
    present = sum(end - start for start, end in parts)
    segments = _whole(first, kind.layout)
    frames = aiff_frames(file, first.body, first.size) if kind.description == b"COMM" else None
    if described is not None:
        segments = [kind.layout.packed(first.long_name, len(described)), described]
    elif frames is not None:
        count = struct.pack(">I", present // frames[1])
        segments = [*overlaid(first.at, first.body + first.size, [(frames[0], count)]), segments[-1]]
    for chunk in chunks:
        if chunk.name not in (kind.description, kind.sound, b"LIST"):  # a wrong size within a list misleads libsndfile
            segments += _whole(chunk, kind.layout)
    lead = read_at(file, sounds[0].body, kind.lead).ljust(kind.lead, b"\0")
    segments += [kind.layout.packed(sounds[0].long_name, kind.lead + present), lead]
    head = bytearray(read_at(file, 0, kind.first))
    if kind.size_field is not None:
        at, layout, uncounted = kind.size_field
        total = kind.first + sum(map(segment_bytes, segments)) + present - uncounted
        struct.pack_into(layout, head, at, min(total, (1 << 8 * struct.calcsize(layout)) - 1))
    return Arrangement((bytes(head), *segments, *parts), Extent(max(1, claimed), present))


def _samples(
    file: IO[bytes] | ByteView, size: int, kind: _Kind, sounds: Sequence[Chunk], description: Chunk
) -> tuple[list[tuple[int, int]], int]:
    """Return the ranges of all samples that are there, and how many bytes the chunks claim."""
    align = 1
    if kind.description == b"fmt ":
        order = "big" if kind.layout is RIFX_CHUNKS else "little"
        align = int.from_bytes(read_at(file, description.body + 12, 2), order) or 1  # type: ignore[arg-type]
    parts, claimed = [], 0
    for chunk in sounds:
        start, stop = chunk.body + kind.lead, chunk.body + chunk.size
        if not 0 <= chunk.size < _UNKNOWN_FROM_32 or stop < start:
            stop = size
        if chunk is not sounds[-1]:
            stop -= (stop - start) % align  # a part of a frame would shift what follows
        claimed += stop - start
        parts.append((start, max(start, min(stop, size))))
    return parts, claimed


def _whole(chunk: Chunk, layout: ChunkLayout) -> list[Segment]:
    """Return a chunk with its padding."""
    end = chunk.body + chunk.size
    return [(chunk.at, end), bytes(chunk_end(chunk.at, chunk.size, layout) - end)]
