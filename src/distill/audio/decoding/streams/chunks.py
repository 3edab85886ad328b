"""The chunks of WAV, AIFF, CAF and their relatives: a name, a size and a body, one behind the other."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, NamedTuple

from distill.audio.decoding.streams.byte_view import ByteView

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
    at = start
    for _ in range(_CHUNKS_LOOKED_AT):
        if at > _FARTHEST:
            return
        raw = read_at(file, at, layout.head_bytes)
        if len(raw) < layout.head_bytes:
            return
        name, size = struct.unpack(layout.head, raw)
        if layout.counts_head:
            size -= layout.head_bytes
        yield Chunk(name, at, at + len(raw), size)
        at = chunk_end(at, max(size, 0), layout)
        if layout.padding == 2 and size % 2 and read_at(file, at - 1, 4) in _USUAL_NAMES:
            at -= 1


def chunk_end(at: int, size: int, layout: ChunkLayout) -> int:
    """Return where the chunk that begins at ``at`` ends, with its padding."""
    whole = layout.head_bytes + size
    return at + whole + (-whole) % layout.padding


def read_at(file: IO[bytes] | ByteView, at: int, count: int) -> bytes:
    """Return up to ``count`` bytes from a position on."""
    file.seek(at)
    return file.read(count)
