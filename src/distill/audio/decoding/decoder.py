"""Opening sound files, and refusing those of which the header already tells that they are no good.

Every refusal is a `SoundError` whose message is the reason, in words for a musician, without the file's name: whoever
shows it knows the name.
"""

import errno
import os
import stat
import sys
from pathlib import Path

import soundfile

from distill.audio.decoding.formats import UNREADABLE_SUFFIXES
from distill.audio.decoding.truncation import Extent, ogg_is_cut, sound_extent
from distill.errors import SoundError

#: What libsndfile says at least of the frames in a FLAC stream that states no length.
ENDLESS = 1 << 62

_RATES = (1_000, 768_000)
_MOST_CHANNELS = 256
_LONGEST_HOURS = 24
# Nothing that libsndfile reads packs more than this many frames into a byte, not even digital silence in FLAC.
_MOST_FRAMES_PER_BYTE = 8192
# What a file may miss of its claimed sound: some programs count a padding byte or round to a block.
_TOLERATED_SHARE = 0.01
_TOLERATED_S = 0.05
_UNRECOGNISED = 1  # libsndfile's SF_ERR_UNRECOGNISED_FORMAT


class UnreachableSoundError(SoundError):
    """A sound cannot be got at just now (permission, vanished, disk trouble); its content is not to blame."""


class ForwardSoundFile(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A sound file that is only read forwards.

    soundfile seeks after every read of a file that can seek, which costs time in MP3 and Opus and fails at the end
    of a FLAC stream of unstated length.
    """

    def seekable(self) -> bool:
        """Say no."""
        return False


def os_reason(error: OSError) -> str:
    """Return the reason for which a file cannot be used, for people."""
    if error.errno in (errno.EACCES, errno.EPERM):
        return "permission denied: make the file readable for your user"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return "the file is no longer there"
    if error.errno == errno.ELOOP:
        return "is a link that leads back to itself"
    return f"cannot be read ({os.strerror(error.errno) if error.errno else error})"


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
        raise UnreachableSoundError(os_reason(exc)) from exc
    if status.st_size == 0:
        raise SoundError("is empty (0 bytes)")
    return status.st_size


def _open(path: Path) -> ForwardSoundFile:
    if path.suffix.lower() == ".raw":
        raise SoundError("is raw audio without a header: export it as WAV or FLAC")
    # As bytes where names are bytes: soundfile encodes text strictly, and old disks hold names that are not UTF-8.
    name = str(path) if sys.platform == "win32" else os.fsencode(path)
    try:
        return ForwardSoundFile(name)
    except soundfile.LibsndfileError as exc:
        if path.suffix.lower() in UNREADABLE_SUFFIXES:
            kind = path.suffix[1:].upper()
            raise SoundError(f"{kind} files cannot be read: convert it to WAV or FLAC") from exc
        if exc.code == _UNRECOGNISED:
            raise SoundError("not a sound file that can be read (its format is not recognised)") from exc
        words = exc.error_string.strip().rstrip(".")
        if not words or "does not exist" in words:  # said of an MP3 file without a whole frame
            words = "no sound was found in it"
        if "SF_INFO" in words:
            words = "an impossible sample rate"
        raise SoundError(f"not a sound file that can be read (its header is damaged or absurd: {words})") from exc


def _check_header(sound: ForwardSoundFile, size: int) -> None:
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


def is_short(missing: float, claimed: float, rate: int) -> bool:
    """Whether ``missing`` of ``claimed`` frames at ``rate`` Hz are too many to overlook."""
    return missing > claimed * _TOLERATED_SHARE or missing > _TOLERATED_S * rate


def cut_off(frames: float, claimed: float, rate: int) -> str:
    """Return the reason for a file of which only so many frames can be read."""
    return f"the file is cut off: {frames / rate:.1f} s of {claimed / rate:.1f} s could be read"


def _check_whole(path: Path, sound: ForwardSoundFile, extent: Extent | None) -> None:
    """Refuse a file of which the container says that its end is missing."""
    rate, frames = sound.samplerate, sound.frames
    if extent is not None and extent.present < extent.claimed:
        if extent.present == 0 or frames == 0:
            raise SoundError("the file is cut off: none of its sound is there")
        claimed = frames / extent.fraction
        if is_short(claimed - frames, claimed, rate):
            raise SoundError(cut_off(frames, claimed, rate))
    if sound.format == "OGG" and ogg_is_cut(path):
        raise SoundError(f"the file is cut off: it breaks off after {frames / rate:.1f} s")


def open_sound(path: Path) -> ForwardSoundFile:
    """Open a sound file and refuse it for everything that can be told without decoding.

    Raises
    ------
    SoundError
        The file cannot be used; the message is the reason alone.
    """
    size = _regular_size(path)
    try:
        extent = sound_extent(path, size)
        try:
            sound = _open(path)
        except SoundError as exc:
            # libsndfile opens no CAF that was cut off, and nothing that was cut off before its sound began.
            if extent is not None and extent.fraction < 1 - _TOLERATED_SHARE:
                raise SoundError(
                    f"the file is cut off: {extent.fraction:.0%} of the sound that it claims is there"
                ) from exc
            raise
        try:
            _check_header(sound, size)
            _check_whole(path, sound, extent)
        except BaseException:
            sound.close()
            raise
    except OSError as exc:
        raise UnreachableSoundError(os_reason(exc)) from exc
    return sound
