"""Stereo 8SVX and 16SV files (Amiga), which hold the whole left channel and then the whole right one.

libsndfile takes the samples for interleaved, which mixes each sample with its neighbour.  So each channel is given to
it as a mono file of its own.
"""

import struct
from pathlib import Path

from distill.audio.decoding.streams.byte_view import ByteView, ChannelSegments, Segment, read_at
from distill.audio.decoding.streams.container_headers import FORM_CHUNKS, walk_chunks

_SAMPLE_BYTES = {b"8SVX": 1, b"16SV": 2}
_STEREO = 6  # left and right, in the chunk CHAN
_HEAD_BYTES = 20  # of the chunk VHDR, whose byte 15 is the packing
_UNKNOWN_FROM = 0x7FFF_0000


def svx_channels(path: Path, start: int, end: int) -> ChannelSegments | None:
    """Return the two channels of a file; None for mono, for packed samples, and for other formats.

    Parameters
    ----------
    path
        The file.
    start, end
        Range of the file without tags.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    with ByteView(path, [(start, end)]) as file:
        form = file.read(12)[8:]
        if form not in _SAMPLE_BYTES:
            return None
        head, placement, sound = b"", 0, None
        for chunk in walk_chunks(file, 12, FORM_CHUNKS):
            if chunk.name == b"VHDR":
                head = read_at(file, chunk.body, _HEAD_BYTES)
            elif chunk.name == b"CHAN":
                placement = int.from_bytes(read_at(file, chunk.body, 4), "big")
            elif chunk.name == b"BODY":
                sound = chunk
                break
    if sound is None or placement != _STEREO or len(head) < _HEAD_BYTES or head[15]:
        return None
    first, size = start + sound.body, sound.size
    if not 0 < size < _UNKNOWN_FROM:
        size = end - first
    half = size // 2 - size // 2 % _SAMPLE_BYTES[form]
    low, high = (first, first + half), (first + half, first + 2 * half)
    return ChannelSegments((_mono(form, head, low, end), _mono(form, head, high, end)))


def _mono(form: bytes, head: bytes, part: tuple[int, int], end: int) -> tuple[Segment, ...]:
    """Return a mono file of a range of samples, as far as they are there."""
    low, high = min(part[0], end), min(part[1], end)
    described = struct.pack(">II", high - low, 0) + head[8:]  # all of it is played once
    chunks = form + b"VHDR" + struct.pack(">I", len(described)) + described + b"BODY" + struct.pack(">I", high - low)
    return (b"FORM" + struct.pack(">I", len(chunks) + high - low) + chunks, (low, high))
