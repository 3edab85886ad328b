"""The pages of an Ogg file: chained streams, multiplexed streams, and FLAC inside Ogg.

libsndfile reads the first link of a chain, refuses files with a second track (a picture, a video), and knows no FLAC in
Ogg.  Each audio stream is found here page by page (RFC 3533, section 6) and given to the decoder by itself.
"""

from dataclasses import dataclass, field
from pathlib import Path

from distill.audio.decoding.streams.byte_view import FileWindow, Segment, read_at
from distill.audio.decoding.streams.flac import FRAME_HEAD_BYTES, LAST_BLOCK, first_sample

_PAGE_MARK = b"OggS"
_BEGINS = 0x02
_FLAC_HEAD_BYTES = 42  # the mark of FLAC and its first block
_GAP = bytes(64)
_MARKS = (
    (b"\x01vorbis", "Vorbis"), (b"OpusHead", "Opus"), (b"\x7fFLAC", "FLAC"), (b"Speex   ", "Speex"),
    (b"\x80theora", "Theora"), (b"fishead\0", "Skeleton"), (b"BBCD\0", "Dirac"), (b"CELT    ", "CELT"),
)  # fmt: skip


@dataclass
class OggStream:
    """One logical stream.

    Attributes
    ----------
    coding
        Name of its coding; None where it is not known.
    pages
        Ranges of its pages.
    granule_positions
        The least and the greatest granule position that a page behind the first states, in samples.
    """

    coding: str | None
    pages: list[tuple[int, int]] = field(default_factory=list)
    granule_positions: tuple[int, int] | None = None

    def add_page(self, start: int, end: int, granule_position: int) -> None:
        """Append a page."""
        self.pages.append((start, end))
        if granule_position > 0:
            least, most = self.granule_positions or (granule_position, granule_position)
            self.granule_positions = min(least, granule_position), max(most, granule_position)

    @property
    def segments(self) -> list[Segment]:
        """Ranges of the pages, neighbours joined."""
        joined: list[tuple[int, int]] = []
        for start, end in self.pages:
            if joined and joined[-1][1] == start:
                joined[-1] = (joined[-1][0], end)
            else:
                joined.append((start, end))
        return list(joined)


@dataclass(frozen=True)
class OggLayout:
    """All streams of a file in the order in which they begin, and the bytes that the pages begin and end at."""

    streams: list[OggStream]
    start: int
    end: int

    def of_codings(self, *codings: str) -> list[OggStream]:
        """Return the streams in some codings."""
        return [stream for stream in self.streams if stream.coding in codings]


def begins_with_page(path: Path, position: int) -> bool:
    """Whether a page begins at a position of a file.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    with path.open("rb") as file:
        return read_at(file, position, len(_PAGE_MARK)) == _PAGE_MARK


def breaks_off_in_page(path: Path, layout: OggLayout, end: int) -> bool:
    """Whether a page begins behind the last whole one and does not end before ``end``.

    Other bytes behind the last page are what a tag editor appended.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    with path.open("rb") as file:
        following = read_at(file, layout.end, len(_PAGE_MARK))
    return following.startswith(_PAGE_MARK[: max(1, min(4, end - layout.end))]) and layout.end < end


def walk_pages(path: Path, start: int, end: int) -> OggLayout | None:
    """Return the streams of an Ogg file, None where it has no pages; bytes between pages are skipped.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    with path.open("rb") as file:
        data = FileWindow(file)
        return _walk(data, start, min(end, len(data)))


def _walk(data: FileWindow, start: int, end: int) -> OggLayout | None:
    streams: list[OggStream] = []
    current: dict[bytes, OggStream] = {}
    page = first_page = data.find(b"OggS\0", start, end)
    last_page_end = page
    while 0 <= page <= end - 27:
        page_head = data[page : page + 27]
        if len(page_head) < 27:  # the file has become shorter
            break
        body = page + 27 + page_head[26]
        page_end = body + sum(data[page + 27 : body])
        inner = (
            -1 if data[page_end : page_end + 5] == b"OggS\0" else data.find(b"OggS\0", page + 27, min(page_end, end))
        )
        if inner >= 0:
            page = inner  # this page lost its end
            continue
        if page_end > end:
            break
        serial = page_head[14:18]
        if page_head[5] & _BEGINS:
            current[serial] = OggStream(_coding(data[body : body + 8]))
            streams.append(current[serial])
        if serial in current:
            current[serial].add_page(page, page_end, int.from_bytes(page_head[6:14], "little", signed=True))
        last_page_end = page_end
        page = page_end if data[page_end : page_end + 5] == b"OggS\0" else data.find(b"OggS\0", page_end, end)
    return OggLayout(streams, first_page, last_page_end) if streams else None


def _coding(head: bytes) -> str | None:
    return next((name for mark, name in _MARKS if head.startswith(mark)), None)


def flac_segments(path: Path, stream: OggStream) -> list[Segment]:
    """Return a FLAC stream that lies in Ogg pages as segments of a plain FLAC file.

    The first packet is a mark of 9 bytes and then a FLAC file's beginning, all others are metadata blocks and frames;
    the first frame begins a page (https://xiph.org/flac/ogg_mapping.html).  The metadata behind the first block is
    left out.  Where a page is missing, the decoder gets what cannot be decoded, so that it is noticed.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    with path.open("rb") as file:
        start, end = stream.pages[0]
        mark = read_at(file, start + 27 + read_at(file, start + 26, 1)[0] + 9, _FLAC_HEAD_BYTES)
        if len(mark) < _FLAC_HEAD_BYTES:
            return [(start, end)]
        segments: list[Segment] = [mark[:4] + bytes([mark[4] | LAST_BLOCK]) + mark[5:]]
        before, has_begun = 0, False  # number of the page before
        for start, end in stream.pages[1:]:
            head = read_at(file, start, 27)
            number, body = int.from_bytes(head[18:22], "little"), start + 27 + head[26]
            is_sound = any(head[6:14]) or first_sample(read_at(file, body, FRAME_HEAD_BYTES), 0) is not None
            has_begun = has_begun or is_sound  # pages of metadata state the position 0
            if has_begun and number not in (before, before + 1):
                segments.append(_GAP)
            if has_begun and number != before:
                segments.append((body, end))
            before = number
    return segments
