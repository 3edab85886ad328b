"""What is said of damage that a decoder has stepped over."""

from distill.audio.decoding.libsndfile import ENDLESS
from distill.audio.decoding.sound_reader import SoundReader


def damage_text(sound: SoundReader, done: int) -> str:
    """Return what was lost of a file that was read to its end, as a phrase without a full stop; empty for nothing.

    Parameters
    ----------
    sound
        The file.
    done
        Samples of one channel that came from it.
    """
    skipped = sound.skipped_frames
    if sound.format in ("OGG", "MP3"):  # decoders of these drop a page or a frame without saying so
        stated = sound.frames if sound.frames < ENDLESS else 0
        skipped += max(0, stated - done, sound.least_frames - done)
    parts = []
    if sound.lost_frames:
        parts.append(f"{_seconds(sound.lost_frames, sound.samplerate)} of it were replaced by silence")
    if skipped:
        parts.append(f"about {_seconds(skipped, sound.samplerate)} of it were skipped")
    if sound.lost_parts:
        were = "recording was" if sound.lost_parts == 1 else "recordings were"
        parts.append(f"{sound.lost_parts} {were} skipped that cannot be opened")
    return f"it is damaged: {' and '.join(parts)}" if parts else ""


def _seconds(frames: int, rate: int) -> str:
    return f"{max(frames / rate, 0.01):.2f} s"
