"""What the header of a sound file claims, and how to repair one that was never closed.

WAV, RF64, W64, AIFF, 8SVX, CAF, AU and NIST are understood.  Most of them are chunks, one behind the other: a name, a
size and a body.

libsndfile quietly reads what is left of a file that was cut off.  A musician wants to know, so the claimed size is
compared with what is there.  A recorder that lost power or wrote into a pipe leaves zero or a placeholder instead of
the size.  Decoders differ in what they make of it; here such a file is read to its end, by way of a corrected header.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import IO, NamedTuple

from distill.audio.decoding.streams.byte_view import ByteView, read_at

#: How the files of these formats begin.
CONTAINER_MARKS = (b"RIFF", b"RIFX", b"RF64", b"BW64", b"FORM", b"caff", b".snd", b"dns.", b"riff", b"NIST_1A\n")
# Placeholders for "not known": zero, and several numbers near 2 or 4 GB.
_UNKNOWN_FROM_32 = 0x7FFF_0000
_UNKNOWN_FROM_64 = 1 << 62
_MOST_32 = 0xFFFF_FFF0
_MPEG_TAGS = (0x50, 0x55)  # of WAV (mmreg.h): layers I and II, layer III
#: Bits of a sample in codings of AIFF-C that have a fixed size; other codings have no repair.
_AIFC_BITS = {b"NONE": None, b"sowt": None, b"twos": None, b"fl32": 32, b"FL32": 32, b"fl64": 64, b"FL64": 64,
              b"ulaw": 8, b"alaw": 8, b"ULAW": 8, b"ALAW": 8, b"raw ": 8, b"in24": 24, b"in32": 32}  # fmt: skip
_CHUNKS_LOOKED_AT = 10_000
_FARTHEST = 1 << 62  # more than a file can have
#: Names behind which no program of note puts a nonzero byte for padding: where one begins, the padding was forgotten.
_USUAL_NAMES = (b"fmt ", b"data", b"fact", b"LIST", b"COMM", b"SSND", b"VHDR", b"BODY")


@dataclass(frozen=True)
class ChunkLayout:
    """How the chunks of a kind of container are laid out.

    Attributes
    ----------
    head
        Name and size, in the language of `struct`.
    padding
        Number of bytes that a chunk is filled up to a multiple of.
    counts_head
        Whether the size of a chunk counts its head.
    """

    head: str
    padding: int = 2
    counts_head: bool = False

    @property
    def head_bytes(self) -> int:
        """Bytes of name and size."""
        return struct.calcsize(self.head)

    def packed(self, name: bytes, size: int) -> bytes:
        """Return the head of a chunk whose body has ``size`` bytes."""
        return struct.pack(self.head, name, size + self.head_bytes if self.counts_head else size)


RIFF_CHUNKS = ChunkLayout("<4sI")
RIFX_CHUNKS = FORM_CHUNKS = ChunkLayout(">4sI")
CAF_CHUNKS = ChunkLayout(">4sq", padding=1)
W64_CHUNKS = ChunkLayout("<16sQ", padding=8, counts_head=True)


class Chunk(NamedTuple):
    """One chunk: its whole name, where its head and its body begin, and the bytes that it states for its body."""

    long_name: bytes
    at: int
    body: int
    size: int

    @property
    def name(self) -> bytes:
        """The first four bytes of its name, which are all of it but in W64."""
        return self.long_name[:4]


def walk_chunks(file: IO[bytes] | ByteView, start: int, layout: ChunkLayout) -> Iterator[Chunk]:
    """Yield the chunks from a position on, as far as there are whole heads; a forgotten padding byte is noticed.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    chunk_at = start
    for _ in range(_CHUNKS_LOOKED_AT):
        if chunk_at > _FARTHEST:
            return
        raw = read_at(file, chunk_at, layout.head_bytes)
        if len(raw) < layout.head_bytes:
            return
        name, size = struct.unpack(layout.head, raw)
        if layout.counts_head:
            size -= layout.head_bytes
        yield Chunk(name, chunk_at, chunk_at + len(raw), size)
        chunk_at = chunk_end(chunk_at, max(size, 0), layout)
        if layout.padding == 2 and size % 2 and read_at(file, chunk_at - 1, 4) in _USUAL_NAMES:
            chunk_at -= 1


def chunk_end(at: int, size: int, layout: ChunkLayout) -> int:
    """Return where the chunk that begins at ``at`` ends, with its padding."""
    whole = layout.head_bytes + size
    return at + whole + (-whole) % layout.padding


@dataclass(frozen=True)
class Extent:
    """Bytes of sound that a container claims, and those that are there."""

    claimed: int
    present: int

    @property
    def fraction(self) -> float:
        """Share of the claimed bytes that is there, 0 to 1."""
        return self.present / self.claimed


@dataclass(frozen=True)
class Container:
    """Where a container keeps its sound.

    Attributes
    ----------
    offset
        First byte of the sound.
    claimed
        Bytes of sound that the header claims; None where it states no size.
    stop
        End of the container as its header states it; None where that cannot be trusted.
    correct
        Returns the positions and new bytes of the fields that state sizes, for a number of bytes of sound and the
        size of the whole file.
    patches
        What has to be corrected in any case.
    is_mpeg
        Whether the sound is a stream of MPEG frames, which can be read without the container.
    """

    offset: int
    claimed: int | None
    stop: int | None = None
    correct: Callable[[int, int], list[tuple[int, bytes]]] = field(default=lambda sound, size: [])
    patches: tuple[tuple[int, bytes], ...] = ()
    is_mpeg: bool = False

    def extent(self, size: int) -> Extent | None:
        """Return claimed and present bytes for a file of ``size`` bytes; None where nothing is claimed."""
        if not self.claimed:
            return None
        return Extent(self.claimed, min(max(size - self.offset, 0), self.claimed))


def read_container(file: IO[bytes], size: int) -> Container | None:
    """Return what a container's header says; None for other formats and where no sound is found in it.

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
    file.seek(0)
    walk = _WALKS.get(file.read(4))
    return None if walk is None else walk(file, size)


def _is_closed(file: IO[bytes], chunk_at: int, size: int, layout: ChunkLayout) -> bool:
    """Whether whole chunks follow from ``at`` to the end of the file: then a size of zero before them is meant."""
    end = chunk_at
    for chunk in walk_chunks(file, chunk_at, layout):
        is_name = chunk.name.isascii() and chunk.name.replace(b" ", b"x").replace(b"-", b"x").isalnum()
        if not is_name or chunk.size > size - chunk.body:
            return False
        end = chunk.body + chunk.size
    return chunk_at < end and size - 1 <= end + 1


def _riff(file: IO[bytes], size: int, order: str = "<") -> Container | None:
    file.seek(0)
    magic = file.read(4)
    total = int.from_bytes(file.read(4), "little" if order == "<" else "big")
    is_64 = magic in (b"RF64", b"BW64")
    # BW64 (ITU-R BS.2088) is RF64 under another name.
    patches: tuple[tuple[int, bytes], ...] = ((0, b"RF64"),) if magic == b"BW64" else ()
    size_64 = sizes_at = None
    is_mpeg = False
    layout = RIFF_CHUNKS if order == "<" else RIFX_CHUNKS
    for name, _, offset, length in walk_chunks(file, 12, layout):
        if name == b"fmt ":
            file.seek(offset)
            is_mpeg = order == "<" and int.from_bytes(file.read(2), "little") in _MPEG_TAGS
        if name == b"ds64":
            sizes_at = offset
            file.seek(offset + 8)
            size_64 = int.from_bytes(file.read(8), "little")
        if name != b"data":
            continue
        at = offset - 4
        if is_64 and sizes_at is not None and (length >= _UNKNOWN_FROM_32 or length == 0):
            known = size_64 if size_64 and size_64 < _UNKNOWN_FROM_32 << 20 else None
            return Container(offset, known, None, partial(_riff_64_sizes, sizes_at, at), patches)
        is_known = 0 < length < _UNKNOWN_FROM_32
        if is_64 and sizes_at is not None and not size_64:  # the decoder goes by the zero there
            patches += tuple(_riff_64_sizes(sizes_at, at, min(length, size - offset), size))
        if length == 0 and _is_closed(file, offset, size, layout):
            return Container(offset, None, None, patches=patches)
        stop = 8 + total + total % 2
        trusted = stop if is_known and offset + length <= stop < size and not is_64 else None
        known = length if is_known else None
        return Container(offset, known, trusted, partial(_riff_sizes, order, at), patches, is_mpeg)
    return None


def _riff_sizes(order: str, at: int, sound: int, whole: int) -> list[tuple[int, bytes]]:
    return [(place, struct.pack(f"{order}I", min(size, _MOST_32))) for place, size in ((4, whole - 8), (at, sound))]


def _riff_64_sizes(sizes_at: int, at: int, sound: int, whole: int) -> list[tuple[int, bytes]]:
    return [(sizes_at, struct.pack("<QQ", whole - 8, sound)), (at, b"\xff" * 4)]


def _rifx(file: IO[bytes], size: int) -> Container | None:
    return _riff(file, size, ">")


def _wave64(file: IO[bytes], size: int) -> Container | None:
    for chunk in walk_chunks(file, 40, W64_CHUNKS):  # behind GUID and size of the file, and GUID of its type
        if chunk.name == b"data":
            end = chunk.body + chunk.size
            is_known = 0 < chunk.size < _UNKNOWN_FROM_64
            # libsndfile reads to the end of the file, whatever the chunk claims.
            stop = end if is_known and end < size else None
            return Container(chunk.body, chunk.size if is_known else None, stop, partial(_wave64_sizes, chunk.at + 16))
    return None


def _wave64_sizes(at: int, sound: int, whole: int) -> list[tuple[int, bytes]]:
    return [(16, struct.pack("<Q", whole)), (at, struct.pack("<Q", sound + 24))]


def _form(file: IO[bytes], file_size: int) -> Container | None:
    file.seek(4)
    total = int.from_bytes(file.read(4), "big")
    common: tuple[int, int] | None = None  # where the number of frames lies, and bytes of a frame
    for name, _, body, chunk_size in walk_chunks(file, 12, FORM_CHUNKS):
        if name == b"COMM":
            common = aiff_frames(file, body, chunk_size)
        if name not in (b"SSND", b"BODY"):
            continue
        ssnd_fields = 8 if name == b"SSND" else 0  # offset and block size of the samples
        is_known = ssnd_fields < chunk_size < _UNKNOWN_FROM_32
        if chunk_size <= ssnd_fields and _is_closed(file, body + chunk_size, file_size, FORM_CHUNKS):
            return Container(body + ssnd_fields, None)
        stop = 8 + total + total % 2
        trusted = stop if is_known and body + chunk_size <= stop < file_size else None
        patches: tuple[tuple[int, bytes], ...] = ()
        if is_known and common is not None and _frames_unknown(file, common[0]):
            present_bytes = max(0, min(chunk_size, file_size - body) - ssnd_fields)
            patches = ((common[0], struct.pack(">I", present_bytes // common[1])),)
        correct = partial(_form_sizes, body - 4, ssnd_fields, common)
        return Container(body + ssnd_fields, chunk_size - ssnd_fields if is_known else None, trusted, correct, patches)
    return None


def _form_sizes(at: int, extra: int, common: tuple[int, int] | None, sound: int, whole: int) -> list[tuple[int, bytes]]:
    sizes = [(4, min(whole - 8, _MOST_32)), (at, min(sound + extra, _MOST_32))]
    if common is not None:
        sizes.append((common[0], sound // common[1]))
    return [(place, struct.pack(">I", size)) for place, size in sizes]


def _frames_unknown(file: IO[bytes], at: int) -> bool:
    file.seek(at)
    frames = int.from_bytes(file.read(4), "big")
    return frames == 0 or frames >= _UNKNOWN_FROM_32


def aiff_frames(file: IO[bytes] | ByteView, offset: int, length: int) -> tuple[int, int] | None:
    """Return the position of an AIFF file's number of frames and the bytes of a frame; None for packed codings."""
    file.seek(offset)
    raw = file.read(min(length, 22))
    if len(raw) < 18:
        return None
    channels, bits = int.from_bytes(raw[:2], "big"), int.from_bytes(raw[6:8], "big")
    if len(raw) >= 22:
        if raw[18:22] not in _AIFC_BITS:
            return None
        bits = _AIFC_BITS[raw[18:22]] or bits
    frame = channels * ((bits + 7) // 8)
    return (offset + 2, frame) if frame else None


def _caf(file: IO[bytes], size: int) -> Container | None:
    for name, _, offset, length in walk_chunks(file, 8, CAF_CHUNKS):
        if name == b"data":  # the first four bytes count edits; a size of -1 means "to the end"
            is_known = 4 < length < _UNKNOWN_FROM_64
            return Container(offset + 4, length - 4 if is_known else None, None, partial(_caf_sizes, offset - 8))
    return None


def _caf_sizes(at: int, sound: int, whole: int) -> list[tuple[int, bytes]]:
    return [(at, struct.pack(">q", sound + 4))]


def _au(file: IO[bytes], size: int, order: str = ">") -> Container | None:
    file.seek(4)
    raw = file.read(8)
    if len(raw) < 8:
        return None
    offset, length = struct.unpack(f"{order}II", raw)
    return Container(offset, length if 0 < length < _UNKNOWN_FROM_32 else None, None, partial(_au_sizes, order))


def _au_sizes(order: str, sound: int, whole: int) -> list[tuple[int, bytes]]:
    return [(8, struct.pack(f"{order}I", min(sound, _MOST_32)))]


def _au_little(file: IO[bytes], size: int) -> Container | None:
    return _au(file, size, "<")


def _nist(file: IO[bytes], size: int) -> Container | None:
    """A speech corpus's file (SPHERE): lines of text, padded to the length that the second one states."""
    file.seek(0)
    lines = file.read(1024).split(b"end_head")[0].split(b"\n")
    fields = {parts[0]: parts[2] for parts in (line.split() for line in lines[2:]) if len(parts) == 3}
    counts = [fields.get(name, b"") for name in (b"sample_count", b"channel_count", b"sample_n_bytes")]
    if len(lines) < 3 or not lines[1].strip().isdigit() or not all(c.isdigit() and len(c) < 16 for c in counts):
        return None
    offset, claimed = int(lines[1]), prod(map(int, counts))
    return Container(offset, claimed or None, offset + claimed if offset + claimed < size else None)


_WALKS: dict[bytes, Callable[[IO[bytes], int], Container | None]] = {
    b"RIFF": _riff,
    b"RIFX": _rifx,
    b"RF64": _riff,
    b"BW64": _riff,
    b"riff": _wave64,
    b"FORM": _form,
    b"caff": _caf,
    b".snd": _au,
    b"dns.": _au_little,
    b"NIST": _nist,
}
