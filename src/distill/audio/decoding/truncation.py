"""Whether a sound file holds all the sound that it says it holds.

libsndfile quietly reads what is left of a WAV or AIFF file that was cut off, and takes what is left of an OGG file
for the whole.  A musician wants to know.  So the containers are asked here what they claim, without decoding.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

# Recorders that could not seek back (a pipe, a power cut) leave one of several numbers near 2 or 4 GB in the size
# field, or zero; all of them mean "to the end of the file".
_UNKNOWN_FROM_32 = 0x7FFF_0000
_UNKNOWN_FROM_64 = 1 << 62
_OGG_TAIL = 128 * 1024  # an Ogg page is at most 65 307 bytes
_OGG_END_OF_STREAM = 0x04


@dataclass(frozen=True)
class Extent:
    """Bytes of sound that a container claims, and those that are there."""

    claimed: int
    present: int

    @property
    def fraction(self) -> float:
        """Share of the claimed bytes that is there, 0 to 1."""
        return self.present / self.claimed


def sound_extent(path: Path, size: int) -> Extent | None:
    """Return what a WAV, RF64, W64, AIFF, 8SVX, CAF or AU file claims; None for others and where no size is claimed.

    Parameters
    ----------
    path
        The file.
    size
        Its size in bytes.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    with path.open("rb") as file:
        magic = file.read(4)
        for known, walk in _WALKS.items():
            if magic == known:
                found = walk(file)
                break
        else:
            return None
    if found is None:
        return None
    offset, claimed = found
    return Extent(claimed, min(max(size - offset, 0), claimed)) if claimed > 0 else None


def ogg_is_cut(path: Path) -> bool:
    """Whether an Ogg file stops in the middle of a page.

    A stream that ends between two pages without its end mark was recorded from a broadcast and is whole enough.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        start = max(0, size - _OGG_TAIL)
        file.seek(start)
        tail = file.read()
    pages = [found.start() for found in re.finditer(rb"OggS\x00", tail)]
    for at in reversed(pages):
        if len(tail) - at < 27 or len(tail) - at < 27 + tail[at + 26]:
            continue  # the page's own header is cut, or these bytes are sound that looks like a page
        segments = tail[at + 26]
        end = at + 27 + segments + sum(tail[at + 27 : at + 27 + segments])
        if tail[at + 5] & _OGG_END_OF_STREAM:
            return end > len(tail)  # what other programs append after the end does not matter
        return end != len(tail)
    return True


def mp3_states_length(path: Path) -> bool:
    """Whether an MP3 file's first frame states how many frames follow; otherwise its length is a guess from its size.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(10)
        if head[:3] == b"ID3" and len(head) == 10:
            # Seven bits a byte, so that no byte looks like the start of a frame (ID3v2, section 3.1).
            file.seek(10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True)))
        else:
            file.seek(0)
        frame = file.read(4096)
    return any(mark in frame for mark in (b"Xing", b"Info", b"VBRI"))


def _chunks(file: IO[bytes], start: int, head: str, padding: int = 2) -> Iterator[tuple[bytes, int, int]]:
    """Yield ``(id, offset of the body, size)`` of chunks whose head is laid out as ``head``; sizes padded to even."""
    at = start
    while True:
        file.seek(at)
        raw = file.read(struct.calcsize(head))
        if len(raw) < struct.calcsize(head):
            return
        name, size = struct.unpack(head, raw)
        yield name, at + len(raw), size
        at += len(raw) + max(size, 0) + (-size) % padding


def _known(size: int) -> int:
    return 0 if size >= _UNKNOWN_FROM_32 else size


def _riff(file: IO[bytes], order: str = "<") -> tuple[int, int] | None:
    size_64 = None
    for name, offset, size in _chunks(file, 12, f"{order}4sI"):
        if name == b"ds64":
            file.seek(offset + 8)
            size_64 = int.from_bytes(file.read(8), "little")
        if name == b"data":
            return offset, size_64 if size_64 is not None and size >= _UNKNOWN_FROM_32 else _known(size)
    return None


def _rifx(file: IO[bytes]) -> tuple[int, int] | None:
    return _riff(file, ">")


def _wave64(file: IO[bytes]) -> tuple[int, int] | None:
    at = 40  # GUID and size of the file, GUID of its type
    while True:
        file.seek(at)
        raw = file.read(24)
        if len(raw) < 24:
            return None
        name, size = raw[:4], int.from_bytes(raw[16:], "little")
        if name == b"data":
            return at + 24, 0 if size >= _UNKNOWN_FROM_64 else size - 24
        at += max(size, 24) + (-size) % 8  # a chunk's size counts its own head


def _form(file: IO[bytes]) -> tuple[int, int] | None:
    for name, offset, size in _chunks(file, 12, ">4sI"):
        if name == b"SSND":
            return offset + 8, _known(size) - 8  # after the chunk's own offset and block size
        if name == b"BODY":
            return offset, _known(size)
    return None


def _caf(file: IO[bytes]) -> tuple[int, int] | None:
    for name, offset, size in _chunks(file, 8, ">4sq", padding=1):
        if name == b"data":
            return offset + 4, 0 if size >= _UNKNOWN_FROM_64 else size - 4  # after the edit count; -1 is "to the end"
    return None


def _au(file: IO[bytes], order: str = ">") -> tuple[int, int] | None:
    raw = file.read(8)
    if len(raw) < 8:
        return None
    offset, size = struct.unpack(f"{order}II", raw)
    return offset, _known(size)


def _au_little(file: IO[bytes]) -> tuple[int, int] | None:
    return _au(file, "<")


_WALKS = {
    b"RIFF": _riff,
    b"RIFX": _rifx,
    b"RF64": _riff,
    b"BW64": _riff,
    b"riff": _wave64,
    b"FORM": _form,
    b"caff": _caf,
    b".snd": _au,
    b"dns.": _au_little,
}
