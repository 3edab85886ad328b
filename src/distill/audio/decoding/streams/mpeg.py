"""MPEG audio (MP3) frame by frame: how much sound a file really holds.

libsndfile takes the length of an MP3 file from its first frame, or guesses it from the first bytes, and reads no
further.  Files without a stated length, joined files and files with damage in the middle then lose sound without a
word.  So the frames are counted here, and the decoder gets a view of the valid frames with a length frame (Xing) that
is right.  Frame layout: ISO/IEC 11172-3 and 13818-3, section 2.4.1.3.
"""

from dataclasses import dataclass, field
from pathlib import Path

from distill.audio.decoding.streams.byte_view import FileWindow, Segment

_V1_BITRATES = {
    1: (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    2: (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
_V2_BITRATES = {
    1: (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    3: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_IN_A_ROW = 3  # frames that must follow each other before sound is believed to go on
_XING = (b"Xing", b"Info")
#: How tags begin that lie between files which were joined.
_TAGS = (b"ID3", b"TAG", b"APETAGEX", b"LYRICSBEGIN"[:8])


@dataclass(frozen=True)
class _Header:
    kind: int  # version, layer, sample rate and mono, packed: the same in all frames of one stream
    layer: int
    size: int
    samples: int
    info_offset: int  # where a length frame has its mark


def _parse(head: bytes) -> _Header | None:
    """Return what the four bytes of a frame header say; None for anything else and for free-format frames."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = (head[1] >> 3) & 3, 4 - ((head[1] >> 1) & 3)
    rate_index, bitrate_index = (head[2] >> 2) & 3, head[2] >> 4
    if version == 1 or layer == 4 or rate_index == 3 or bitrate_index in (0, 15) or head[3] & 3 == 2:
        return None
    rate = _RATES[version][rate_index]
    bitrate = 1000 * (_V1_BITRATES if version == 3 else _V2_BITRATES)[layer][bitrate_index]
    padding = (head[2] >> 1) & 1
    if layer == 1:
        size, samples = (12 * bitrate // rate + padding) * 4, 384
    else:
        samples = 576 if layer == 3 and version != 3 else 1152
        size = samples // 8 * bitrate // rate + padding
    mono = head[3] >> 6 == 3
    side = ((17 if mono else 32) if version == 3 else (9 if mono else 17)) if layer == 3 else 0
    kind = (version << 6) | (layer << 4) | (rate_index << 1) | mono
    return _Header(kind, layer, size, samples, 4 + side)


@dataclass
class MpegPart:
    """Frames that one decoder can read in a row.

    Attributes
    ----------
    frames, samples
        Their number, the length frame not counted, and the samples of each.
    stated
        Number of frames that the length frame states; None where there is none.
    stated_bytes
        Likewise, bytes of the part.
    header
        The four bytes of the first frame.
    length_frame
        Range of the length frame in the file, and the offset of its mark; None where there is none.
    segments
        Ranges of the frames in the file.
    layer
        1, 2 or 3.
    skipped_bytes
        Bytes behind a frame of the part that are no frame and no tag, before the next frame.
    """

    header: bytes
    layer: int
    kind: int
    samples: int
    length_frame: tuple[int, int, int] | None = None
    stated: int | None = None
    stated_bytes: int | None = None
    frames: int = 0
    segments: list[tuple[int, int]] = field(default_factory=list)
    skipped_bytes: int = 0

    @property
    def lost_samples(self) -> int:
        """Samples of the frames that are missing at damaged spots: as stated, or about, by the bytes skipped."""
        if not (self.skipped_bytes and self.frames):
            return 0
        mean = sum(end - start for start, end in self.segments) / self.frames
        lost = max(1, round(self.skipped_bytes / mean))
        if self.stated is not None and self.stated >= self.frames:
            lost = min(lost, self.stated - self.frames)
        return lost * self.samples

    def add(self, start: int, end: int) -> None:
        """Append a frame."""
        self.frames += 1
        if self.segments and self.segments[-1][1] == start:
            self.segments[-1] = (self.segments[-1][0], end)
        else:
            self.segments.append((start, end))


@dataclass(frozen=True)
class MpegLayout:
    """The parts of a file, and whether a decoder needs a view to read all of them."""

    parts: list[MpegPart]
    needs_view: bool

    @property
    def present(self) -> int:
        """Samples of all parts."""
        return sum(part.frames * part.samples for part in self.parts)

    @property
    def lost_samples(self) -> int:
        """Samples of one channel that are missing at damaged spots of all parts, about."""
        return sum(part.lost_samples for part in self.parts)

    def missing_at_end(self, end: int) -> int:
        """Return the samples that the last part states and does not hold because the file ends at ``end``.

        Where all stated bytes are there, frames are missing in the middle: the file is damaged, not cut off.
        """
        last = self.parts[-1]
        missing = max(0, (last.stated or 0) - last.frames)
        if last.length_frame is not None and last.stated_bytes is not None:
            mean = last.stated_bytes / max(1, last.stated or 1)
            if end >= last.length_frame[0] + last.stated_bytes - 2 * mean:
                return 0
        return missing * last.samples


def walk_frames(path: Path, start: int, end: int) -> MpegLayout | None:
    """Return the frames of an MPEG audio file; None where there are none that can be walked.

    Parameters
    ----------
    path
        The file.
    start, end
        Range in which to look.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    with path.open("rb") as file:
        data = FileWindow(file)
        return _walk(data, start, min(end, len(data)))


def _walk(data: FileWindow, start: int, end: int) -> MpegLayout | None:
    parts: list[MpegPart] = []
    known_headers: dict[bytes, _Header | None] = {}
    skipped, frame_at, part = False, start, None
    while frame_at + 4 <= end:
        raw = data[frame_at : frame_at + 4]
        header = known_headers.get(raw)
        if header is None:
            header = known_headers.setdefault(raw, _parse(raw))
        if header is None or (
            (part is None or header.kind != part.kind) and not _goes_on(data, frame_at, end, header.kind)
        ):
            next_frame_at = _resync(data, frame_at + 1, end, ends_whole=part is None)
            if next_frame_at is None:
                break
            if part is not None and not data[frame_at : frame_at + 8].startswith(_TAGS):
                part.skipped_bytes += next_frame_at - frame_at
            skipped, frame_at = True, next_frame_at
            continue
        frame_end = frame_at + header.size
        if frame_end > end and part is not None:  # the last frame is cut
            break
        length_mark = _mark_of(data, frame_at, header) if header.layer == 3 else None
        if length_mark is not None or part is None or header.kind != part.kind:
            part = MpegPart(raw, header.layer, header.kind, header.samples)
            parts.append(part)
        if length_mark is None:
            part.add(frame_at, min(frame_end, end))
        else:
            part.length_frame = (frame_at, frame_end, length_mark)
            part.stated, part.stated_bytes = _stated(data, length_mark)
        frame_at = frame_end
    parts = [part for part in parts if part.frames]
    if not parts:
        return None
    return MpegLayout(parts, skipped or len(parts) > 1 or any(_is_misleading(part) for part in parts))


def _is_misleading(part: MpegPart) -> bool:
    return part.layer == 3 and (part.stated is None or abs(part.stated - part.frames) > 1)


def _goes_on(data: FileWindow, frame_at: int, end: int, kind: int, ends_whole: bool = False) -> bool:
    """Whether several frames of one kind follow each other from ``at`` on, or fill the rest of the file.

    With ``ends_whole`` the last of fewer frames must not be cut off.
    """
    for count in range(_IN_A_ROW):
        header = _parse(data[frame_at : frame_at + 4])
        if header is None or header.kind != kind:
            return count > 0 and frame_at >= end - 4
        frame_at += header.size
        if frame_at >= end:
            return frame_at == end or not ends_whole
    return True


def _resync(data: FileWindow, frame_at: int, end: int, ends_whole: bool) -> int | None:
    """Return the next position from which frames follow each other.

    Behind what is no frame at all, as in a stream of a free bitrate, a mark near the end is chance: see `_goes_on`.
    """
    while (frame_at := data.find(b"\xff", frame_at, end)) >= 0:
        header = _parse(data[frame_at : frame_at + 4])
        if header is not None and _goes_on(data, frame_at, end, header.kind, ends_whole):
            return frame_at
        frame_at += 1
    return None


def _mark_of(data: FileWindow, at: int, header: _Header) -> int | None:
    """Return the position of the mark of a length frame; None for a frame of sound."""
    for position in (at + header.info_offset, at + header.info_offset + 2):  # two bytes later behind a checksum
        if data[position : position + 4] in _XING:
            return position
    return at + 36 if data[at + 36 : at + 40] == b"VBRI" else None


def _stated(data: FileWindow, mark: int) -> tuple[int | None, int | None]:
    """Return the number of frames and of bytes that a length frame states; None for what it does not state."""
    raw = data[mark : mark + 18]  # shorter where the file ends within it
    if raw.startswith(b"VBRI"):
        return int.from_bytes(raw[14:18], "big") or None, None
    flags, at = int.from_bytes(raw[4:8], "big"), 8
    frames = int.from_bytes(raw[at : at + 4], "big") if flags & 1 else 0
    at += 4 * (flags & 1)
    size = int.from_bytes(raw[at : at + 4], "big") if flags & 2 else 0
    return frames or None, size or None


def view_of_part(path: Path, part: MpegPart) -> list[Segment]:
    """Return segments of a part's frames behind a length frame that states their number.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    segments: list[Segment] = list(part.segments)
    if part.layer != 3:
        return segments
    total = sum(end - start for start, end in part.segments)
    if part.length_frame is not None:
        begin, stop, mark = part.length_frame
        with path.open("rb") as file:
            file.seek(begin)
            frame = bytearray(file.read(stop - begin))
        mark -= begin
        has_room = len(frame) >= mark + 16
        if bytes(frame[mark : mark + 4]) in _XING and has_room and frame[mark + 7] & 3 == 3:
            frame[mark + 8 : mark + 12] = part.frames.to_bytes(4, "big")
            frame[mark + 12 : mark + 16] = (total + len(frame)).to_bytes(4, "big")
            return [bytes(frame), *segments]
    return [_length_frame(part, total), *segments]


def _length_frame(part: MpegPart, total: int) -> bytes:
    """Return a frame without sound that states a part's number of frames and bytes."""
    for index in range(1, 15):
        head = bytearray(part.header)
        head[1] |= 1  # no checksum
        head[2] = (index << 4) | (head[2] & 0x0C)
        header = _parse(bytes(head))
        if header is not None and header.size >= header.info_offset + 16:
            frame = bytearray(header.size)
            frame[:4] = head
            mark = header.info_offset
            frame[mark : mark + 8] = b"Xing" + (3).to_bytes(4, "big")
            frame[mark + 8 : mark + 16] = part.frames.to_bytes(4, "big") + (total + header.size).to_bytes(4, "big")
            return bytes(frame)
    return b""
