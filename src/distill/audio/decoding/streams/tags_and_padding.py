"""Where the sound of a file begins and ends: tags and padding around it belong to no decoder.

ID3v2 lies before the sound (or behind it, with a footer), ID3v1, APEv2 and Lyrics3 lie behind it; some programs write
APEv2 before it.  Tag editors write them to files of any format, and libsndfile stumbles over most of them.
"""

import re
from pathlib import Path
from typing import IO

from distill.audio.decoding.streams.container_headers import CONTAINER_MARKS
from distill.audio.decoding.streams.voc import MAGIC as VOC_MAGIC

_ID3V1_BYTES = 128
_APE_FOOTER_BYTES = 32
_LYRICS_MARK = 15  # six digits of the size, and "LYRICS200"
_SCANNED_PADDING = 1 << 22
#: Junk in front of the first page or mark of a format that is searched through.
_JUNK = 1 << 20
#: How the sound behind such junk begins, for each suffix.
_MARKS = {
    ".ogg": rb"OggS\0", ".oga": rb"OggS\0", ".opus": rb"OggS\0", ".flac": rb"fLaC", ".wav": rb"RIFF....WAVE",
    ".aif": rb"FORM....AIF[FC]", ".aiff": rb"FORM....AIF[FC]", ".aifc": rb"FORM....AIFC",
}  # fmt: skip


def sound_range(path: Path) -> tuple[int, int]:
    """Return the first byte behind leading tags, and the end before trailing tags.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        start = leading_tags_end(file, 0, size)
        return start, trailing_tags_start(file, start, size)


def leading_tags_end(file: IO[bytes], start: int, end: int) -> int:
    """Return the position behind the ID3v2 and APEv2 tags that begin at ``start``; ``start`` where there is none.

    A tag that claims more than there is up to ``end`` has a damaged size, so the sound is left to be looked for.
    """
    while (behind := _leading_tag_end(file, start)) is not None and behind <= end:
        start = behind
    return start


def _leading_tag_end(file: IO[bytes], start: int) -> int | None:
    head = _at(file, start, _APE_FOOTER_BYTES)
    if len(head) == _APE_FOOTER_BYTES and head.startswith(b"APETAGEX"):
        return start + _APE_FOOTER_BYTES + int.from_bytes(head[12:16], "little")
    if len(head) < 10 or head[:3] != b"ID3" or head[3] == 0xFF or any(byte & 0x80 for byte in head[6:10]):
        return None
    # Seven bits a byte, so that no byte looks like the start of a frame (ID3v2.4, section 3.1).
    size = sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    return start + 10 + size + (10 if head[5] & 0x10 else 0)  # a footer repeats the header


def trailing_tags_start(file: IO[bytes], start: int, end: int) -> int:
    """Return the position before the ID3v1, APEv2 and Lyrics3 tags that end at ``end``."""
    while True:
        before = _one_tag_start(file, start, end)
        if before is None:
            return end
        end = before


def _one_tag_start(file: IO[bytes], start: int, end: int) -> int | None:
    if end - start >= _ID3V1_BYTES and _at(file, end - _ID3V1_BYTES, 3) == b"TAG":
        return end - _ID3V1_BYTES
    if end - start >= _APE_FOOTER_BYTES and _at(file, end - _APE_FOOTER_BYTES, 8) == b"APETAGEX":
        footer = _at(file, end - _APE_FOOTER_BYTES, _APE_FOOTER_BYTES)
        size = int.from_bytes(footer[12:16], "little")  # of items and footer
        if _APE_FOOTER_BYTES <= size <= end - start:
            header = end - size - _APE_FOOTER_BYTES
            return header if header >= start and _at(file, header, 8) == b"APETAGEX" else end - size
    if end - start >= _LYRICS_MARK and _at(file, end - 9, 9) == b"LYRICS200":
        digits = _at(file, end - _LYRICS_MARK, 6)
        if digits.isdigit() and int(digits) + _LYRICS_MARK <= end - start:
            return end - _LYRICS_MARK - int(digits)
    return None


def _at(file: IO[bytes], position: int, count: int) -> bytes:
    file.seek(position)
    return file.read(count)


def _padding_end(file: IO[bytes], start: int, end: int) -> int:
    """Return the first byte from ``start`` on that is not zero."""
    file.seek(start)
    position = start
    while position < min(end, start + _SCANNED_PADDING):
        block = file.read(min(1 << 16, end - position))
        if not block:
            return position
        behind_zeros = block.lstrip(b"\0")
        if behind_zeros:
            return position + len(block) - len(behind_zeros)
        position += len(block)
    return position


def skip_padding(raw: IO[bytes], path: Path, start: int, end: int) -> int:
    """Return the position behind zeros, and behind junk that the suffix of the file shows to be none of it."""
    behind_padding = _padding_end(raw, start, end)
    if behind_padding >= end:
        return start
    mark = _MARKS.get(path.suffix.lower())
    raw.seek(behind_padding)
    junk = raw.read(_JUNK)
    if junk.startswith((*CONTAINER_MARKS, b"OggS", b"fLaC", VOC_MAGIC)):
        return behind_padding
    sound_mark = re.search(mark, junk, re.DOTALL) if mark is not None else None
    return behind_padding + sound_mark.start() if sound_mark is not None else start
