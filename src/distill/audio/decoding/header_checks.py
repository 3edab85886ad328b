"""Refuses sounds for their header: none, an impossible format, or more sound than the file holds.

Every refusal is a `SoundError` whose message is the reason alone.
"""

from pathlib import Path

from distill.audio.decoding.libsndfile import ENDLESS, Source
from distill.audio.decoding.sound_reader import SoundReader, cut_off, is_short
from distill.audio.decoding.streams.file_layout import Layout
from distill.errors import SoundError

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
