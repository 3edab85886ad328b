"""FLAC streams in pieces: joined files, and frames behind a damaged one (RFC 9639, section 9)."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from distill.audio.decoding.streams.byte_view import ByteView, FileWindow, read_at

_MAGIC = b"fLaC"
_FIRST_BLOCK = b"fLaC\0\0\0\x22"  # the mark and the head of the block that must come first
#: Bit of a metadata block behind which the frames begin, and the most bytes that the head of a frame has.
LAST_BLOCK, FRAME_HEAD_BYTES = 0x80, 16
_TOTAL_AT = 21  # the number of samples: 36 bits that end at byte 26 (section 8.2)
_MOST_16, _MOST_36 = (1 << 16) - 1, (1 << 36) - 1
_SEARCHED_BACKWARDS = 1 << 19
_METADATA_BLOCKS_LOOKED_AT = 1000
_READ_AT_ONCE = 1 << 16


def _crc8_table() -> bytes:
    table = bytearray(256)
    for value in range(256):
        crc = value
        for _ in range(8):
            crc = ((crc << 1) ^ 0x07) & 0xFF if crc & 0x80 else crc << 1
        table[value] = crc
    return bytes(table)


_CRC8 = _crc8_table()


@dataclass(frozen=True)
class FlacStart:
    """Where the frames of a stream begin, and the samples of a frame (its largest block)."""

    frames_at: int
    block_size: int


def flac_starts(path: Path, start: int, end: int) -> list[int]:
    """Return the positions at which FLAC files begin, of which several may have been joined.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    with path.open("rb") as file:
        data, flac_files, mark_at = FileWindow(file), [], start
        while (mark_at := data.find(_FIRST_BLOCK, mark_at, end)) >= 0:
            flac_files.append(mark_at)
            stream_head = flac_start(file, mark_at)  # metadata may hold the mark as well
            mark_at = stream_head.frames_at if stream_head is not None else mark_at + len(_FIRST_BLOCK)
        if not flac_files and data[start : start + 4] == _MAGIC:
            flac_files.append(start)
        return flac_files


def flac_start(file: IO[bytes] | ByteView, start: int) -> FlacStart | None:
    """Return where a stream's frames begin; None where its metadata is damaged.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    end = file.seek(0, os.SEEK_END)
    if read_at(file, start, 4) != _MAGIC:
        return None
    block_size, block_at = 0, start + 4
    for _ in range(_METADATA_BLOCKS_LOOKED_AT):
        block_head = read_at(file, block_at, 6)
        block_at += 4 + int.from_bytes(block_head[1:4], "big")
        if len(block_head) < 4 or block_at > end:
            return None
        if block_head[0] & 0x7F == 0:
            block_size = int.from_bytes(block_head[4:6], "big")
        if block_head[0] & LAST_BLOCK:
            return FlacStart(block_at, block_size)
    return None


def understated_length(path: Path, start: int, end: int) -> tuple[int, bytes] | None:
    """Return the position and the new bytes of a total that is too small, so that it becomes unknown; else None.

    A decoder stops at the stated total.  What is right is seen by the last two frames of the stream.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    with path.open("rb") as file:
        stream_head = flac_start(file, start)
        if stream_head is None:
            return None
        total_at = start + _TOTAL_AT
        stated_total = read_at(file, total_at, 5)
        total = int.from_bytes(stated_total, "big") & _MOST_36
        lowest = max(stream_head.frames_at, end - _SEARCHED_BACKWARDS)
        data = read_at(file, lowest, max(0, end - lowest))
    last, position = None, len(data)
    while total and (position := data.rfind(b"\xff", 0, position)) >= 0:
        frame_sample = first_sample(data[position : position + FRAME_HEAD_BYTES], stream_head.block_size)
        if frame_sample is None:
            continue
        if last is not None and 0 < last - frame_sample <= _MOST_16:  # a frame and the one behind it
            return (total_at, bytes([stated_total[0] & 0xF0]) + bytes(4)) if last >= total else None
        last = frame_sample
    return None


def next_frame(file: IO[bytes] | ByteView, start: int, after: int, block_size: int) -> tuple[int, int] | None:
    """Return ``(position, first sample)`` of the first whole frame header that lies behind a sample.

    Parameters
    ----------
    file
        The file.
    start
        Where to begin.
    after
        Samples that were decoded already; frames that begin before are passed over.
    block_size
        Samples of a frame in streams that number their frames instead of their samples; 0 takes that of the frame.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    while len(data := read_at(file, start, _READ_AT_ONCE + FRAME_HEAD_BYTES)) > 0:
        frame_at = -1
        while (frame_at := data.find(b"\xff", frame_at + 1, _READ_AT_ONCE)) >= 0:
            frame_sample = first_sample(data[frame_at : frame_at + FRAME_HEAD_BYTES], block_size)
            if frame_sample is not None and frame_sample >= after:
                return start + frame_at, frame_sample
        start += _READ_AT_ONCE
    return None


def first_sample(head: bytes, block_size: int) -> int | None:
    """Return the first sample of the frame that begins with ``head``; None for what is no frame."""
    if len(head) < 6 or head[0] != 0xFF or head[1] not in (0xF8, 0xF9):
        return None
    size_code, rate_code, channels, bits_code = head[2] >> 4, head[2] & 15, head[3] >> 4, (head[3] >> 1) & 7
    if size_code == 0 or rate_code == 15 or channels > 10 or bits_code == 3 or head[3] & 1:
        return None
    coded_number, crc_at = _coded_number(head)
    if coded_number is None:
        return None
    frame_samples = 192 if size_code == 1 else (576 << size_code) >> 2 if size_code < 6 else (256 << size_code) >> 8
    if size_code in (6, 7):
        width = size_code - 5
        frame_samples, crc_at = int.from_bytes(head[crc_at : crc_at + width], "big") + 1, crc_at + width
    crc_at += {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if crc_at >= len(head) or _crc8(head[:crc_at]) != head[crc_at]:
        return None
    return coded_number if head[1] & 1 else coded_number * (block_size or int(frame_samples))


def _coded_number(head: bytes) -> tuple[int | None, int]:
    """Return the frame or sample number, coded like UTF-8 with up to seven bytes, and the position behind it."""
    first = head[4]
    if first < 0x80:
        return first, 5
    extra = 0
    while first & (0x40 >> extra):
        extra += 1
    if extra == 0 or extra > 6 or 5 + extra > len(head):
        return None, 5
    number = first & (0x3F >> extra)
    for byte in head[5 : 5 + extra]:
        if byte & 0xC0 != 0x80:
            return None, 5
        number = (number << 6) | (byte & 0x3F)
    return number, 5 + extra


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc = _CRC8[crc ^ byte]
    return crc
