"""The blocks of a VOC file (Creative Voice).

libsndfile takes everything behind the head of the first block for samples.  Programs that write while they record make
many blocks, whose heads are then heard as clicks.  So the samples are found here block by block.
"""

from pathlib import Path

from distill.audio.decoding.streams.byte_view import ByteView, Segment
from distill.audio.decoding.streams.container_headers import Extent

MAGIC = b"Creative Voice File\x1a"
_SOUND, _CONTINUED, _SILENCE, _NEW_SOUND = 1, 2, 3, 9
_HEAD_BYTES = {_SOUND: 2, _NEW_SOUND: 12}
_UNSIGNED_8_BITS = b"\x80"
_BLOCKS_LOOKED_AT = 1_000_000
_MOST_24 = 0xFF_FFFF


def voc_segments(path: Path, start: int, end: int) -> tuple[list[Segment], Extent] | None:
    """Return the head of a VOC file and the samples of all of its blocks, and the bytes that these claim and have.

    None is returned where one block holds all of them, and a block of no kind follows.

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
        file.seek(20)
        block_at, total = int.from_bytes(file.read(2), "little"), end - start
        head, size_field_at = None, 0  # of the first block of samples
        segments: list[Segment] = []
        missing = 0  # bytes of the last block
        silence_left = _MOST_24  # a block of seven bytes claims up to 65 536 samples; a sound cannot have more
        for _ in range(_BLOCKS_LOOKED_AT):
            file.seek(block_at)
            raw = file.read(4 + max(_HEAD_BYTES.values()))
            if len(raw) < 4 or raw[0] == 0:
                break
            kind, claimed = raw[0], block_at + 4 + int.from_bytes(raw[1:4], "little")
            block_end = min(claimed, total)
            described = raw[4 : 4 + _HEAD_BYTES.get(kind, 0)]
            if kind in _HEAD_BYTES:
                if head is None:
                    head, size_field_at = described, block_at + 1
                elif described != head:  # another sound
                    break
            if kind in _HEAD_BYTES or (kind == _CONTINUED and head is not None):
                segments.append((start + block_at + 4 + len(described), start + block_end))
                missing = 0 if raw[1:4] == b"\xff\xff\xff" else claimed - block_end  # not known
            elif kind == _SILENCE and head is not None and len(head) == _HEAD_BYTES[_SOUND]:
                length = min(int.from_bytes(raw[4:6], "little") + 1, silence_left)
                segments.append(_UNSIGNED_8_BITS * length)
                silence_left -= length
            elif kind > _NEW_SOUND:
                break
            block_at = block_end
    if head is None or (len(segments) == 1 and total - 2 <= block_at < total):
        return None
    present = sum(len(part) if isinstance(part, bytes) else part[1] - part[0] for part in segments)
    size_field = min(len(head) + present, _MOST_24).to_bytes(3, "little")
    # A block of no kind ends the file; libsndfile counts on it.
    head_at = start + size_field_at + 3
    whole = [(start, start + size_field_at), size_field, (head_at, head_at + len(head)), *segments, b"\0"]
    return whole, Extent(max(1, present + missing), present)
