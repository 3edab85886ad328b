"""Reading the samples of a file forwards: parts that were joined, and FLAC behind a damaged frame.

A file can hold several recordings, one behind the other: chained Ogg streams, MP3 and FLAC files that were joined.
They are read as one sound with the sample rate and the channels of the first.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from distill.audio.decoding.access import sndfile_name
from distill.audio.decoding.streams.byte_view import ByteView, ChannelSegments, Segment, part_of
from distill.audio.decoding.streams.flac import flac_start, next_frame
from distill.errors import SoundError

FloatArray = npt.NDArray[np.float32]
#: A view of a recording; None stands for the file as it is.
PartSegments = tuple[Segment, ...] | ChannelSegments | None

#: What libsndfile says at least of the frames in a FLAC stream that states no length.
ENDLESS = 1 << 62

_BLOCK_SAMPLES = 1 << 17  # of all channels together: half a megabyte
#: Damaged spots in a FLAC file after which reading goes on, and the share of its sound that may be lost by them.
_MOST_DAMAGED_SPOTS = 50
_MOST_LOST = 0.25


class ForwardSoundFile(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A sound file that is only read forwards.

    soundfile seeks after every read of a file that can seek, which costs time in MP3 and Opus and fails at the end
    of a FLAC stream of unstated length.
    """

    view: ByteView | None = None
    #: A copy of the file that is deleted with this object.
    copy: Path | None = None

    def seekable(self) -> bool:
        """Returns False so that soundfile does not seek after each read."""
        return False

    def close(self) -> None:
        """Close the file, and the view through which it is read."""
        super().close()
        if self.view is not None:
            self.view.close()
        if self.copy is not None:
            self.copy.unlink(missing_ok=True)
            self.copy = None


class Source(Protocol):
    """One recording, as `soundfile.SoundFile` and other decoders give it."""

    samplerate: int
    channels: int
    frames: int
    format: str
    subtype: str

    def read(self, *, out: FloatArray, always_2d: bool) -> FloatArray:
        """Read into ``out`` ``[frames, channels]`` and return what was filled."""

    def close(self) -> None:
        """Release the file."""


class ChannelFiles:
    """Mono recordings read side by side, as the channels of one `Source`.

    Parameters
    ----------
    files
        The channels, open.
    """

    def __init__(self, files: Sequence[ForwardSoundFile]) -> None:
        self._files = files
        self.samplerate, self.channels = int(files[0].samplerate), len(files)
        self.frames = min(int(file.frames) for file in files)
        self.format, self.subtype = str(files[0].format), str(files[0].subtype)

    @property
    def view(self) -> ByteView | None:
        """The view of a channel whose disk has failed, else of the first."""
        views = [file.view for file in self._files]
        return next((view for view in views if view is not None and view.error is not None), views[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def read(self, *, out: FloatArray, always_2d: bool) -> FloatArray:
        """Read into ``out`` ``[frames, channels]`` and return what was filled."""
        filled = len(out)
        for number, file in enumerate(self._files):
            block = file.read(frames=filled, dtype="float32", always_2d=always_2d)
            filled = min(filled, len(block))
            out[:filled, number] = block[:filled, 0]
        return out[:filled]

    def close(self) -> None:
        """Release the files."""
        for file in self._files:
            file.close()


def open_part(path: Path, part: PartSegments) -> ForwardSoundFile | ChannelFiles:
    """Open one recording of a file; errors are those of `_open_recording`."""
    if not isinstance(part, ChannelSegments):
        return _open_recording(path, part)
    files: list[ForwardSoundFile] = []
    try:
        for segments in part.channels:
            files.append(_open_recording(path, segments))
    except BaseException:
        for file in files:
            file.close()
        raise
    return ChannelFiles(files)


def _open_recording(path: Path, part: tuple[Segment, ...] | None) -> ForwardSoundFile:
    """Open one recording of a file with libsndfile.

    Raises
    ------
    soundfile.LibsndfileError
        It cannot be opened.
    OSError
        The file cannot be read.
    """
    if part is None:
        try:
            return _open_path(path)
        except soundfile.LibsndfileError:
            if not _has_resource_fork(path.parent, path.name):
                raise
        part = ((0, path.stat().st_size),)
    view = ByteView(path, part)
    try:
        sound = ForwardSoundFile(view)
    except soundfile.LibsndfileError as exc:
        with view:
            if view.error is not None:  # the disk's trouble, which the decoder takes for damage
                raise view.error from exc
            if not _has_resource_fork(Path(), ""):
                raise
            return _open_copy(view)
    except BaseException:
        view.close()
        raise
    sound.view = view
    return sound


def _open_path(path: Path) -> ForwardSoundFile:
    return ForwardSoundFile(sndfile_name(path))


def _has_resource_fork(folder: Path, name: str) -> bool:
    """Whether libsndfile finds a resource fork of a file, as macOS leaves it beside files on disks of other systems.

    It then takes every file whose format it tells last, such as MP3, for Sound Designer II.  The name of a view is
    empty, so that for a view it looks in the working directory.
    """
    return (folder / f"._{name}").exists() or (folder / ".AppleDouble" / name).exists()


def _open_copy(view: ByteView) -> ForwardSoundFile:
    """Open a copy of a view in the folder for temporary files, where nothing lies beside it."""
    handle, name = tempfile.mkstemp(prefix="distill-sound-")
    copy = Path(name)
    try:
        with open(handle, "wb") as file:  # noqa: PTH123 - it is open already
            view.seek(0)
            shutil.copyfileobj(view, file)
        if view.error is not None:
            raise view.error
        sound = _open_path(copy)
    except BaseException:
        copy.unlink(missing_ok=True)
        raise
    with suppress(OSError):  # where an open file can be deleted, nothing is left behind even by a kill
        copy.unlink()
    sound.copy = copy
    return sound


@dataclass(frozen=True)
class _Continuation:
    """A recording that goes on behind damage.

    Attributes
    ----------
    sound
        The recording.
    lost
        Samples that are lost before.
    block_size
        Samples of a frame.
    left
        Samples up to the next frame: a read that reaches into a damaged frame loses those before it as well.
    """

    sound: Source
    lost: int
    block_size: int
    left: int


class SoundReader:
    """All recordings of a file as one sound.

    Parameters
    ----------
    path
        The file.
    first
        Its first recording, open.
    parts
        Views of all recordings.

    Attributes
    ----------
    samplerate, channels, format, subtype
        Of the first recording.
    frames
        Samples of one channel, of all recordings together.
    lost_frames
        Samples that were replaced by silence so far, because the file is damaged there.
    skipped_frames
        Samples that are missing at damaged spots, as far as the file shows without being decoded.
    least_frames
        Samples that an Ogg file holds at least as its pages say, damaged ones included; 0 where that is not known.
    lost_parts
        Recordings behind the first that cannot be opened.
    """

    def __init__(self, path: Path, first: Source, parts: Sequence[PartSegments]) -> None:
        self.path = path
        self.samplerate, self.channels = int(first.samplerate), int(first.channels)
        self.format, self.subtype = str(first.format), str(first.subtype)
        self.frames = int(first.frames)
        self.lost_frames = self.skipped_frames = self.least_frames = self.lost_parts = 0
        self._open: Source | None = first
        self._parts = list(parts[:1])
        for part in parts[1:]:
            try:
                with open_part(path, part) as sound:
                    self.frames += round(sound.frames * self.samplerate / sound.samplerate)
            except soundfile.LibsndfileError:
                self.lost_parts += 1
            else:
                self._parts.append(part)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()

    def close(self) -> None:
        """Release the file."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def blocks(self) -> Iterator[FloatArray]:
        """Yield blocks ``[frames, channels]`` until the end; a block is valid until the next one is requested.

        Raises
        ------
        SoundError
            The file breaks off.
        OSError, soundfile.LibsndfileError
            The file cannot be read any more, or was changed meanwhile.
        """
        for number, part in enumerate(self._parts):
            if number:
                self.close()
                self._open = open_part(self.path, part)
            assert self._open is not None
            yield from self._adapted(self._part_blocks(part), self._open)

    def _adapted(self, blocks: Iterator[FloatArray], sound: Source) -> Iterator[FloatArray]:
        """Yield the blocks of a later recording with the channels and the sample rate of the first."""
        if sound.samplerate == self.samplerate and sound.channels == self.channels:
            yield from blocks
            return
        rates = sound.samplerate, self.samplerate
        resampler = soxr.ResampleStream(*rates, self.channels, dtype="float32") if rates[0] != rates[1] else None
        for block in blocks:
            spread = _with_channels(block, self.channels)
            adapted = spread if resampler is None else resampler.resample_chunk(spread)
            if len(adapted):  # of few samples nothing comes out yet
                yield adapted
        if resampler is not None:
            rest = resampler.resample_chunk(np.empty((0, self.channels), np.float32), last=True)
            if len(rest):
                yield rest

    def _part_blocks(self, part: PartSegments) -> Iterator[FloatArray]:
        sound = self._open
        assert sound is not None
        stated, channels = int(sound.frames), int(sound.channels)
        buffer: FloatArray = np.empty((max(256, _BLOCK_SAMPLES // channels), channels), np.float32)
        done = spots = 0
        limit, failed_at = len(buffer), -1
        while True:
            try:
                # No more than is stated: behind the last frame the decoder may stumble over padding.
                block = sound.read(out=buffer[: max(1, min(limit, stated - done))], always_2d=True)
            except soundfile.LibsndfileError as exc:
                spots += 1
                # A failed read loses all that it had decoded, so what is near the damage is read frame by frame.
                found = None
                if self.format == "FLAC" and stated < ENDLESS and spots <= _MOST_DAMAGED_SPOTS:
                    found = self._behind_damage(part, done, stated, is_stuck=done == failed_at)
                if found is None and done >= stated - 1 - self.lost_frames:  # what follows the last frame is no sound
                    return
                if found is None or found.lost + self.lost_frames > _MOST_LOST * stated:
                    raise self._broken_off(done, stated) from exc
                self.close()
                self._open = sound = found.sound
                buffer = np.empty((found.block_size, channels), np.float32)
                limit, failed_at = found.left, done
                self.lost_frames += found.lost
                yield from _silence(found.lost, channels)
                done += found.lost
                continue
            self._check_disk(sound)
            if len(block) == 0:
                return
            done += len(block)
            limit = len(buffer)
            yield block

    def _behind_damage(
        self, part: PartSegments, done: int, stated: int, is_stuck: bool = False
    ) -> "_Continuation | None":
        """Return a FLAC recording opened anew at the first frame behind ``done`` samples that can be decoded.

        Parameters
        ----------
        part
            The recording.
        done
            Samples that were decoded.
        stated
            Samples that it states.
        is_stuck
            Whether the frame that holds the next sample was tried before.
        """
        if isinstance(part, ChannelSegments):  # there is no such FLAC
            return None
        segments = ((0, self.path.stat().st_size),) if part is None else part
        with ByteView(self.path, segments) as view:
            head = flac_start(view, 0)
            if head is None:
                return None
            at, size = head.frames_at, max(16, head.block_size)
            for _ in range(_MOST_DAMAGED_SPOTS):
                found = next_frame(view, at, done + 1 if is_stuck else done - size + 1, size)
                if found is None:
                    return None
                at, sample = found
                rest = (*part_of(segments, 0, head.frames_at), *part_of(segments, at, view.size))
                with open_part(self.path, rest) as sound:
                    frame: FloatArray = np.empty((size, sound.channels), np.float32)
                    try:
                        decoded = len(sound.read(out=frame[: max(1, stated - sample)], always_2d=True))
                    except soundfile.LibsndfileError:
                        decoded = 0
                if decoded:
                    sound = open_part(self.path, rest)
                    if sample < done:
                        sound.read(out=frame[: done - sample], always_2d=True)
                    return _Continuation(sound, max(0, sample - done), size, size - max(0, done - sample))
                at += 1
        return None

    def _broken_off(self, done: int, stated: int) -> SoundError:
        position = f"{done / self.samplerate:.1f} s"
        if stated < ENDLESS:
            position += f" of {stated / self.samplerate:.1f} s"
        return SoundError(f"the file is cut off or damaged: about {position} could be read")

    def _check_disk(self, sound: Source) -> None:
        """Raise what a read through a view could not raise by itself."""
        view = getattr(sound, "view", None)
        if view is not None and view.error is not None:
            raise view.error


def _silence(frames: int, channels: int) -> Iterator[FloatArray]:
    block = 1 << 15
    for done in range(0, frames, block):
        yield np.zeros((min(block, frames - done), channels), np.float32)


def _with_channels(block: FloatArray, channels: int) -> FloatArray:
    """Return ``[frames, channels]``; mono goes to all channels, anything else by way of its mono mix."""
    if block.shape[1] == channels:
        return block
    mono = block.mean(axis=1, keepdims=True, dtype=np.float32)
    return np.repeat(mono, channels, axis=1)
