"""Opens recordings with libsndfile: by name, or through a view of a part of a file."""

import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
import soundfile

from distill.audio.decoding.streams.byte_view import ByteView, ChannelSegments, PartSegments, Segment

FloatArray = npt.NDArray[np.float32]

#: What libsndfile says at least of the frames in a FLAC stream that states no length.
ENDLESS = 1 << 62


def sndfile_name(path: Path) -> str | bytes:
    """Return a path as soundfile takes it: as bytes where names are bytes, because it encodes text strictly.

    Old disks hold names that are not UTF-8.
    """
    return str(path) if sys.platform == "win32" else os.fsencode(path)


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
    resource_forks = (folder / f"._{name}", folder / ".AppleDouble" / name)  # where libsndfile looks for them
    return any(fork.exists() for fork in resource_forks)


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
