"""Opens sound files and reads their headers; refuses those that cannot be opened, and absurd or cut off ones.

Every refusal is a `SoundError` whose message is the reason in plain words, without the name of the file: the caller
shows the name beside it.
"""

import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import soundfile

from distill.audio.decoding.access_errors import link_reason, os_reason
from distill.audio.decoding.libsndfile import ENDLESS, FloatArray, Source, open_part
from distill.audio.decoding.pyav import open_with_av
from distill.audio.decoding.sound_reader import TOLERATED_SHARE, SoundReader, cut_off, is_short
from distill.audio.decoding.sound_suffixes import UNREADABLE_SUFFIXES
from distill.audio.decoding.streams.file_layout import Layout, find_layout
from distill.audio.decoding.unreadable_codings import unreadable_coding
from distill.errors import Cancelled, SoundError

#: libsndfile takes files of these names for raw telephone sound when they do not begin like one.
_WITH_HEADER = (".au", ".snd")
#: Sample rates and channels that a sound can have, and its length.
_RATES = (1_000, 768_000)
_MOST_CHANNELS = 256
_LONGEST_HOURS = 24
#: Nothing that libsndfile reads packs more than this many frames into a byte, not even digital silence in FLAC.
_MOST_FRAMES_PER_BYTE = 8192


def check_suffix(path: Path) -> None:
    """Refuse a file that has no header by its name: nothing tells its format."""
    if path.suffix.lower() == ".raw":
        raise SoundError("is raw audio without a header: export it as WAV or FLAC")


def check_has_header(path: Path, recording: Source) -> None:
    """Close and refuse a recording that was opened as raw although files of its name begin with a header."""
    if recording.format == "RAW" and path.suffix.lower() in _WITH_HEADER:
        recording.close()
        raise SoundError("not a sound file that can be read (its header is missing)")


def check_header(sound: SoundReader, size: int) -> None:
    """Refuse a file for a sample rate, channels or a length that no sound has."""
    rate, channels, frames = sound.samplerate, sound.channels, sound.frames
    if not _RATES[0] <= rate <= _RATES[1]:
        raise SoundError(f"its header is absurd (a sample rate of {rate} Hz)")
    if not 1 <= channels <= _MOST_CHANNELS:
        raise SoundError(f"its header is absurd ({channels} channels)")
    if frames >= ENDLESS:
        return
    if frames > size * _MOST_FRAMES_PER_BYTE or frames > _LONGEST_HOURS * 3600 * rate:
        hours = frames / rate / 3600
        raise SoundError(f"its header is absurd (it claims {hours:.0f} hours of sound in {size / 1e6:.1f} MB)")


def check_whole(sound: SoundReader, layout: Layout) -> None:
    """Refuse a file of which the container says that its end is missing."""
    rate, frames, extent = sound.samplerate, sound.frames, layout.extent
    if extent is not None and extent.present < extent.claimed:
        if extent.present == 0 or frames == 0:
            raise SoundError("the file is cut off: none of its sound is there")
        claimed = frames / extent.fraction
        if is_short(claimed - frames, claimed, rate):
            raise SoundError(cut_off(frames, claimed, rate))
    if is_short(layout.missing_samples, frames + layout.missing_samples, rate):
        raise SoundError(cut_off(frames, frames + layout.missing_samples, rate))
    # What a FLAC stream states is compared with what is read of it.
    if layout.ends_in_page and (sound.format != "FLAC" or frames >= ENDLESS):
        after = "" if frames >= ENDLESS else f": it breaks off after {frames / rate:.1f} s"
        raise SoundError(f"the file is cut off{after}")


_UNRECOGNISED = 1  # libsndfile's SF_ERR_UNRECOGNISED_FORMAT


class UnreachableSoundError(SoundError):
    """A sound cannot be reached at present (permission, vanished, disk trouble); its content is not the cause."""


def _regular_size(path: Path) -> int:
    """Return a regular file's size in bytes, after making sure that it can be opened and holds something."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise SoundError("is a folder, not a sound file")
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise SoundError("is not a regular file")
        with path.open("rb"):
            pass
    except OSError as exc:
        raise UnreachableSoundError(link_reason(path, exc)) from exc
    if status.st_size == 0:
        raise SoundError("is empty (0 bytes)")
    return status.st_size


def _open_first(path: Path, layout: Layout) -> Source:
    """Open the first recording of a file."""
    check_suffix(path)
    try:
        recording = open_part(path, layout.parts[0])
        check_has_header(path, recording)
        return recording
    except soundfile.LibsndfileError as exc:
        if layout.is_empty:
            raise SoundError("is empty (it holds no samples)") from exc
        coding = unreadable_coding(path, layout.start, layout.end)
        if coding is not None or path.suffix.lower() in UNREADABLE_SUFFIXES:
            opened = open_with_av(path)
            if opened is not None:
                return opened
        raise SoundError(_reason_of(exc, path, coding, layout.problem)) from exc


def _reason_of(error: soundfile.LibsndfileError, path: Path, coding: str | None, problem: str) -> str:
    """Return why a file cannot be opened: its coding or what it lacks where known, else what libsndfile says."""
    suffix = path.suffix.lower()
    if suffix in UNREADABLE_SUFFIXES:
        return f"{suffix[1:].upper()} files cannot be read: convert it to WAV or FLAC"
    if coding is not None:
        return f"its coding ({coding}) cannot be read: convert it to WAV or FLAC"
    if problem:
        return f"not a sound file that can be read ({problem})"
    if error.code == _UNRECOGNISED:
        return "not a sound file that can be read (its format is not recognised)"
    words = error.error_string.strip().rstrip(".")
    if not words or "does not exist" in words:  # said of an MP3 file without a whole frame
        words = "no sound was found in it"
    if "SF_INFO" in words:
        words = "an impossible sample rate or length"
    return f"not a sound file that can be read (its header is damaged or absurd: {words})"


def _is_opus(sound: SoundReader) -> bool:
    return "OPUS" in sound.subtype


def open_sound(path: Path) -> SoundReader:
    """Open a sound file and refuse it for everything that can be told without decoding.

    Raises
    ------
    SoundError
        The file cannot be used; the message is the reason alone.
    """
    size = _regular_size(path)
    try:
        layout = find_layout(path, size)
        try:
            first = _open_first(path, layout)
        except SoundError as exc:
            # libsndfile opens no CAF that was cut off, and nothing that was cut off before its sound began.
            extent = layout.extent
            if extent is not None and extent.fraction < 1 - TOLERATED_SHARE:
                raise SoundError(
                    f"the file is cut off: {extent.fraction:.0%} of the sound that it claims is there"
                ) from exc
            raise
        try:
            sound = SoundReader(path, first, layout.parts)
            check_header(sound, size)
            check_whole(sound, layout)
            sound.skipped_frames = layout.skipped_samples
            if layout.ogg_span is not None:
                sound.least_frames = round(layout.ogg_span * (sound.samplerate / 48_000 if _is_opus(sound) else 1))
        except BaseException:
            first.close()
            raise
    except OSError as exc:
        raise UnreachableSoundError(os_reason(exc)) from exc
    return sound


@dataclass(frozen=True)
class SoundHeader:
    """What a sound file says about itself.

    Attributes
    ----------
    duration_s
        Seconds.  An estimate for MP3 files that state no length.
    sample_rate, channels, frames
        As in the file; ``frames`` are samples of one channel.
    format
        Name of the format and its coding, for instance ``"WAV PCM_24"``.
    """

    duration_s: float
    sample_rate: int
    channels: int
    frames: int
    format: str


def read_header(path: Path) -> SoundHeader:
    """Read what a sound file says about itself, without decoding it.

    The one exception is a stream that states no length: it is decoded to count its frames.

    Raises
    ------
    SoundError
        The file cannot be used, as far as can be told without decoding.  The message is the reason alone.
    """
    with open_sound(path) as sound:
        frames = sound.frames
        if frames >= ENDLESS:
            frames = sum(len(block) for block in read_blocks(sound))
        if frames == 0:
            raise SoundError("is empty (it holds no samples)")
        rate = sound.samplerate
        return SoundHeader(frames / rate, rate, sound.channels, frames, f"{sound.format} {sound.subtype}")


def read_blocks(sound: SoundReader, cancel_event: threading.Event | None = None) -> Iterator[FloatArray]:
    """Yield blocks ``[frames, channels]`` until the end.

    Raises
    ------
    SoundError
        The file breaks off, or cannot be read any more.
    Cancelled
        ``cancel_event`` was set.
    """
    try:
        for block in sound.blocks():
            if cancel_event is not None and cancel_event.is_set():
                raise Cancelled
            yield block
    except OSError as exc:  # of the disk that holds the file, not of the one that is written to
        raise UnreachableSoundError(os_reason(exc)) from exc
    except soundfile.LibsndfileError as exc:
        raise UnreachableSoundError("the file changed while it was being read: try again") from exc
