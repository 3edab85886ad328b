"""Which bytes of a file a decoder has to see to read all of its sound, and nothing else.

Most files are given to the decoder as they are.  The others get one view or, where several recordings were joined,
one view each.
"""

import io
from dataclasses import dataclass, field, replace
from pathlib import Path

from distill.audio.decoding.streams.byte_view import ByteView, PartSegments, Segment, overlaid
from distill.audio.decoding.streams.chunk_order import arrange
from distill.audio.decoding.streams.container_headers import CONTAINER_MARKS, Container, Extent, read_container
from distill.audio.decoding.streams.flac import flac_starts, understated_length
from distill.audio.decoding.streams.mpeg import view_of_part, walk_frames
from distill.audio.decoding.streams.ogg import begins_with_page, breaks_off_in_page, flac_segments, walk_pages
from distill.audio.decoding.streams.svx import svx_channels
from distill.audio.decoding.streams.tags_and_padding import skip_padding, sound_range
from distill.audio.decoding.streams.voc import MAGIC as VOC_MAGIC
from distill.audio.decoding.streams.voc import voc_segments

_MPEG_SUFFIXES = frozenset((".mp3", ".mp2", ".mp1", ".mpga"))
_READ_AT_ONCE = 1 << 10


@dataclass(frozen=True)
class Layout:
    """How a file is read.

    Attributes
    ----------
    parts
        A view for each recording in the file; a None stands for the file as it is.
    start, end
        Range of the file without tags.
    extent
        What the container claims and what is there; None where it claims nothing.
    missing_samples, skipped_samples
        Samples that an MPEG file states and does not hold, at its end and, about, at damaged spots.
    ends_in_page
        Whether an Ogg file breaks off within a page.
    ogg_span
        Samples between the first and the last position that the pages of an Ogg file of one stream state, at 48 kHz
        for Opus; None for FLAC and for other files.
    is_empty
        Whether no page of an Ogg file states that a sample lies before its end.
    problem
        What a container lacks, as a reason for refusing it; empty for nothing.
    """

    parts: tuple[PartSegments, ...]
    start: int
    end: int
    extent: Extent | None = None
    missing_samples: int = 0
    skipped_samples: int = 0
    ends_in_page: bool = False
    ogg_span: int | None = None
    is_empty: bool = False
    problem: str = ""


@dataclass
class _File:
    path: Path
    size: int
    start: int
    end: int
    head: bytes = field(default=b"")

    @property
    def is_trimmed(self) -> bool:
        return (self.start, self.end) != (0, self.size)

    def whole(self) -> tuple[Segment, ...] | None:
        """Return the view of everything but the tags."""
        return ((self.start, self.end),) if self.is_trimmed else None

    def layout(self, *parts: PartSegments, extent: Extent | None = None) -> Layout:
        return Layout(parts or (self.whole(),), self.start, self.end, extent)


def find_layout(path: Path, size: int) -> Layout:
    """Return how a sound file of ``size`` bytes is to be read.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    start, end = sound_range(path)
    with path.open("rb") as raw:
        start = skip_padding(raw, path, start, end)
        raw.seek(start)
        file = _File(path, size, start, end, raw.read(len(VOC_MAGIC)))
    if file.head.startswith(b"OggS"):
        return _ogg(file)
    if file.head.startswith(b"fLaC"):
        return _flac(file)
    if file.head.startswith(CONTAINER_MARKS):
        return _container(file)
    if file.head == VOC_MAGIC:
        found = voc_segments(path, start, end)
        return file.layout() if found is None else file.layout(tuple(found[0]), extent=found[1])
    if path.suffix.lower() in _MPEG_SUFFIXES or (file.head[:1] == b"\xff" and file.head[1:2] >= b"\xe0"):
        return _mpeg(file)
    return file.layout()


def _container(file: _File) -> Layout:
    view = ByteView(file.path, [(file.start, file.end)])
    total = view.size
    with io.BufferedReader(view, _READ_AT_ONCE) as buffered:
        arrangement = arrange(buffered, total)
        container = read_container(buffered, total) if arrangement.segments is None else None
    if arrangement.segments is not None:
        moved = tuple(
            part if isinstance(part, bytes) else (file.start + part[0], file.start + part[1])
            for part in arrangement.segments
        )
        return file.layout(moved, extent=arrangement.extent)
    return replace(_closed(file, container, total), problem=arrangement.problem)


def _closed(file: _File, container: Container | None, total: int) -> Layout:
    """Return the layout of a container whose chunks are read as they lie, with its sizes repaired."""
    if container is None:
        return file.layout()
    channels = svx_channels(file.path, file.start, file.end)
    if channels is not None:
        return file.layout(channels, extent=container.extent(total))
    sound_start = file.start + container.offset
    sound_end = min(sound_start + container.claimed, file.end) if container.claimed else file.end
    if begins_with_page(file.path, sound_start):  # Vorbis in WAV, which libsndfile refuses
        return _ogg(replace(file, start=sound_start, end=sound_end))
    if container.is_mpeg:
        frames = walk_frames(file.path, sound_start, sound_end)
        if frames is not None:  # the samples that the container states are an estimate of the program that wrote it
            parts = (tuple(view_of_part(file.path, part)) for part in frames.parts)
            layout = file.layout(*parts, extent=container.extent(total))
            return replace(layout, skipped_samples=frames.lost_samples)
    patches = list(container.patches)
    stop = container.stop or total
    if container.claimed is None and stop > container.offset:
        sizes = container.correct(stop - container.offset, stop)
        patches += [item for item in sizes if item[0] not in dict(patches)]
    if not patches and stop == total:
        return file.layout(extent=container.extent(total))
    moved = [(file.start + at, data) for at, data in patches]
    return file.layout(tuple(overlaid(file.start, file.start + stop, moved)), extent=container.extent(total))


def _flac(file: _File) -> Layout:
    starts = flac_starts(file.path, file.start, file.end)
    ends = [*starts[1:], file.end]
    patches = [understated_length(file.path, start, end) for start, end in zip(starts, ends, strict=True)]
    if len(starts) < 2 and not any(patches):
        return file.layout()
    return file.layout(
        *(
            tuple(overlaid(start, end, [patch] if patch else []))
            for start, end, patch in zip(starts, ends, patches, strict=True)
        )
    )


def _ogg(file: _File) -> Layout:
    ogg = walk_pages(file.path, file.start, file.end)
    if ogg is None:
        return file.layout()
    audio = ogg.of_codings("Vorbis", "Opus", "FLAC")
    breaks_off = breaks_off_in_page(file.path, ogg, file.end)
    if len(audio) == 1 and len(ogg.streams) == 1 and audio[0].coding != "FLAC" and not file.is_trimmed:
        parts: list[tuple[Segment, ...] | None] = [None]
    else:
        parts = [
            tuple(flac_segments(file.path, stream) if stream.coding == "FLAC" else stream.segments) for stream in audio
        ]
    # A FLAC stream states its length itself.
    positions = audio[0].granule_positions if len(audio) == 1 and audio[0].coding != "FLAC" else None
    return Layout(
        tuple(parts or [file.whole()]),
        file.start,
        file.end,
        ends_in_page=breaks_off,
        ogg_span=None if positions is None else positions[1] - positions[0],
        is_empty=bool(audio) and not breaks_off and all(stream.granule_positions is None for stream in audio),
    )


def _mpeg(file: _File) -> Layout:
    mpeg = walk_frames(file.path, file.start, file.end)
    if mpeg is None:
        return file.layout()
    missing = mpeg.missing_at_end(file.end)
    parts = [tuple(view_of_part(file.path, part)) for part in mpeg.parts] if mpeg.needs_view else [file.whole()]
    return Layout(tuple(parts), file.start, file.end, missing_samples=missing, skipped_samples=mpeg.lost_samples)
