"""Reads the samples of a file forwards, and says what is damaged or missing.

FLAC is read on behind a damaged frame.
A file can hold several recordings, one behind the other: chained Ogg streams, MP3 and FLAC files that were joined.
They are read as one sound with the sample rate and the channels of the first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import soundfile
import soxr

from distill.audio.decoding.libsndfile import ENDLESS, FloatArray, Source, open_part
from distill.audio.decoding.streams.byte_view import ByteView, ChannelSegments, PartSegments, part_of
from distill.audio.decoding.streams.flac import flac_start, next_frame
from distill.errors import SoundError

_BLOCK_SAMPLES = 1 << 17  # of all channels together: half a megabyte
#: Damaged spots in a FLAC file after which reading goes on, and the share of its sound that may be lost by them.
_MOST_DAMAGED_SPOTS = 50
_MOST_LOST = 0.25
#: Share of the sound of an Ogg file that must have been read.
_LEAST_OF_OGG = 0.5
#: What a file may miss of its claimed sound: some programs count a padding byte or round to a block.
TOLERATED_SHARE = 0.01
_TOLERATED_S = 0.05


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
                with open_part(path, part) as recording:
                    self.frames += round(recording.frames * self.samplerate / recording.samplerate)
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
        done = damaged_spots = 0
        limit, failed_at = len(buffer), -1
        while True:
            try:
                # No more than is stated: behind the last frame the decoder may stumble over padding.
                block = sound.read(out=buffer[: max(1, min(limit, stated - done))], always_2d=True)
            except soundfile.LibsndfileError as exc:
                damaged_spots += 1
                # A failed read loses all that it had decoded, so what is near the damage is read frame by frame.
                resumed = None
                if self.format == "FLAC" and stated < ENDLESS and damaged_spots <= _MOST_DAMAGED_SPOTS:
                    resumed = self._behind_damage(part, done, stated, is_stuck=done == failed_at)
                # What follows the last frame is no sound.
                if resumed is None and done >= stated - 1 - self.lost_frames:
                    return
                if resumed is None or resumed.lost + self.lost_frames > _MOST_LOST * stated:
                    raise self._broken_off(done, stated) from exc
                self.close()
                self._open = sound = resumed.sound
                buffer = np.empty((resumed.block_size, channels), np.float32)
                limit, failed_at = resumed.left, done
                self.lost_frames += resumed.lost
                yield from _silence(resumed.lost, channels)
                done += resumed.lost
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
            frame_at, size = head.frames_at, max(16, head.block_size)
            for _ in range(_MOST_DAMAGED_SPOTS):
                whole_frame = next_frame(view, frame_at, done + 1 if is_stuck else done - size + 1, size)
                if whole_frame is None:
                    return None
                frame_at, sample = whole_frame
                behind_damage = (*part_of(segments, 0, head.frames_at), *part_of(segments, frame_at, view.size))
                with open_part(self.path, behind_damage) as sound:
                    frame: FloatArray = np.empty((size, sound.channels), np.float32)
                    try:
                        decoded = len(sound.read(out=frame[: max(1, stated - sample)], always_2d=True))
                    except soundfile.LibsndfileError:
                        decoded = 0
                if decoded:
                    sound = open_part(self.path, behind_damage)
                    if sample < done:
                        sound.read(out=frame[: done - sample], always_2d=True)
                    return _Continuation(sound, max(0, sample - done), size, size - max(0, done - sample))
                frame_at += 1
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

    def check_read(self, done: int) -> None:
        """Refuse a file from which fewer frames came than it states, where the statement is one to rely on.

        Raises
        ------
        SoundError
            Too few came; the message is the reason alone.
        """
        if done < _LEAST_OF_OGG * self.least_frames:  # a page that is damaged is skipped with all of its sound
            whole, read = self.least_frames / self.samplerate, done / self.samplerate
            raise SoundError(f"the file is damaged: {read:.1f} s of {whole:.1f} s could be read")
        if done == 0:
            raise SoundError("is empty (it holds no samples)")
        # What an MPEG file holds was counted before; its decoder drops a damaged frame here and there.
        if self.frames >= ENDLESS or self.format in ("OGG", "MP3"):
            return
        if is_short(self.frames - done, self.frames, self.samplerate):
            raise SoundError(cut_off(done, self.frames, self.samplerate))

    def damage_text(self, done: int) -> str:
        """Return what was lost of a file that was read to its end, as a phrase without a full stop; empty for nothing.

        Parameters
        ----------
        done
            Samples of one channel that came from it.
        """
        skipped = self.skipped_frames
        if self.format in ("OGG", "MP3"):  # decoders of these drop a page or a frame without saying so
            stated = self.frames if self.frames < ENDLESS else 0
            skipped += max(0, stated - done, self.least_frames - done)
        parts = []
        if self.lost_frames:
            parts.append(f"{_seconds(self.lost_frames, self.samplerate)} of it were replaced by silence")
        if skipped:
            parts.append(f"about {_seconds(skipped, self.samplerate)} of it were skipped")
        if self.lost_parts:
            were = "recording was" if self.lost_parts == 1 else "recordings were"
            parts.append(f"{self.lost_parts} {were} skipped that cannot be opened")
        return f"it is damaged: {' and '.join(parts)}" if parts else ""


def is_short(missing: float, claimed: float, rate: int) -> bool:
    """Whether ``missing`` of ``claimed`` frames at ``rate`` Hz are too many to overlook."""
    return missing > claimed * TOLERATED_SHARE or missing > _TOLERATED_S * rate


def cut_off(frames: float, claimed: float, rate: int) -> str:
    """Return the reason for a file of which only so many frames can be read."""
    return f"the file is cut off: {frames / rate:.1f} s of {claimed / rate:.1f} s could be read"


def _seconds(frames: int, rate: int) -> str:
    return f"{max(frames / rate, 0.01):.2f} s"


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
