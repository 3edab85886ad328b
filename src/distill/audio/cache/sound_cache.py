"""Decoded sounds on disk, so that no file is decoded twice and memory does not grow with the corpus.

A sound is known by the hash of its file's bytes, so a file that was moved or copied is not decoded again.  Its audio
is one raw file of little-endian float32 at 48 kHz, peak 1.0; 16 bytes after the last sample say how many there must
be, so that a damaged file shows.  Of a bad file the reason is kept instead, as a small JSON file, and it is not
decoded again either.  Everything here can be deleted; it is then computed anew.

The files can be mapped into memory, but a sound is read with plain reads: for a second of audio, mapping takes five
times as long (page faults), its pages count as this process's memory, and a file that shrinks would kill the process.
"""

import hashlib
import os
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from distill import paths
from distill.audio.cache.content_hash import HashIndex, Key, file_key
from distill.audio.cache.disk_cache import DiskCache
from distill.audio.decoding import sound_file
from distill.audio.decoding.decoder import UnreachableSoundError, os_reason
from distill.audio.decoding.sound_file import FloatArray, peak_of, stream_sound
from distill.errors import DistillError, SoundError
from distill.files import read_json, write_json

#: Raised whenever decoding gives other samples than before (and then nothing old is read).
DECODER_VERSION = 1
#: Size of the cache over which the least recently used sounds are deleted.
MAX_BYTES = 20_000_000_000

_SAMPLE = np.dtype("<f4")
_BLOCK_BYTES = 1 << 22
_FOOTER = struct.Struct("<8sQ")  # mark, number of samples
_MARK = b"DISTILL1"


@dataclass(frozen=True)
class CachedSound:
    """A decoded sound on disk.

    Attributes
    ----------
    source
        The file that it was decoded from.
    content_hash
        Hash of that file's bytes: the same for copies of it.
    file
        Raw little-endian float32, 48 kHz, mono, peak 1.0, and then 16 bytes that are no sound.
    samples
        Number of samples in ``file``.
    """

    source: Path
    content_hash: str
    file: Path
    samples: int
    _store: DiskCache = field(repr=False, compare=False)

    @property
    def duration_s(self) -> float:
        """Seconds."""
        return self.samples / sound_file.SAMPLE_RATE

    def read(self, start: int, count: int) -> FloatArray:
        """Return ``count`` samples from ``start`` on, zeros where the sound has ended.

        Raises
        ------
        ValueError
            ``start`` or ``count`` is negative.
        DistillError
            Somebody deleted the cache.
        """
        if start < 0 or count < 0:
            raise ValueError(f"start and count must not be negative, not {start} and {count}.")
        audio: FloatArray = np.zeros(count, _SAMPLE)
        held = max(0, min(count, self.samples - start))
        if held:
            self._store.use(self.file)
            try:
                _read_into(self.file, start * _SAMPLE.itemsize, audio[:held])
            except OSError as exc:
                raise _gone(f"The decoded audio of {self.source.name}", self.file) from exc
        return audio.astype(np.float32, copy=False)

    def derived(self, key: str, make: Callable[[], npt.NDArray[Any]]) -> Path:
        """Return the ``.npy`` file of an array that is computed from this sound once and then kept.

        Two processes may compute it at the same time; nobody ever sees a part of it.

        Parameters
        ----------
        key
            What the array is, with every setting that it depends on.
        make
            Computes it: float32 or float16, any shape.  It must not ask for the same key itself.

        Raises
        ------
        TypeError
            ``make`` returned something else.
        DistillError
            The disk is full, or the cache folder cannot be written to.
        """
        digest = hashlib.blake2b(key.encode(), digest_size=10).hexdigest()
        file = self.file.with_name(f"{self.file.stem}-{digest}.npy")
        with self._store.locked(file):
            if not _is_whole_array(file):
                array = make()
                if not isinstance(array, np.ndarray) or array.dtype not in (np.float32, np.float16):
                    raise TypeError(f"What is derived from a sound must be float32 or float16, not {array!r:.80}")
                self._store.write(file, lambda out: _write_array(out, array))
            self._store.use(file)
        return file


class SoundCache:
    """The cache of decoded sounds.

    Parameters
    ----------
    folder
        Where it lies; by default the user's cache folder.
    max_bytes
        Size over which the least recently used sounds are deleted, never those that are in use.
    """

    def __init__(self, folder: Path | None = None, max_bytes: int = MAX_BYTES) -> None:
        self.folder = folder or paths.cache_dir() / "sounds"
        self._store = DiskCache(self.folder, max_bytes)
        self._index = HashIndex(self.folder / "index.jsonl")
        self._store.use(self.folder / "index.jsonl")

    def get(self, path: Path, cancel_event: threading.Event | None = None) -> CachedSound:
        """Return a sound, decoded now if it never was.  Any number of threads and processes may ask at once.

        Raises
        ------
        SoundError
            The file cannot be used; the message is the reason alone.
        DistillError
            The disk is full, or the cache folder cannot be written to.
        DecodingCancelled
            ``cancel_event`` was set.
        """
        before = _key(path)
        content_hash = self._index.content_hash(path, cancel_event)
        file = self.folder / f"{content_hash}-{DECODER_VERSION}.f32"
        with self._store.locked(file, cancel_event):
            samples = _stored_samples(file)
            if samples is None:
                self._raise_known_fault(file)
                samples = self._decode(path, file, cancel_event)
                if _key(path) != before:
                    file.unlink(missing_ok=True)
                    raise UnreachableSoundError("the file changed while it was being read: try again")
            self._store.use(file)
        return CachedSound(path, content_hash, file, samples, self._store)

    def content_hash(self, path: Path, cancel_event: threading.Event | None = None) -> str:
        """Return the content hash of a file; of one that `get` has just read it is known already.

        Raises
        ------
        UnreachableSoundError
            The file cannot be read; the message is the reason alone.
        DecodingCancelled
            ``cancel_event`` was set.
        """
        return self._index.content_hash(path, cancel_event)

    def _raise_known_fault(self, file: Path) -> None:
        try:
            reason = read_json(_fault_file(file))["reason"]
        except (OSError, ValueError, TypeError, KeyError):  # missing or damaged
            return
        self._store.use(_fault_file(file))
        raise SoundError(str(reason))

    def _decode(self, path: Path, file: Path, cancel_event: threading.Event | None) -> int:
        samples = 0

        def fill(out: IO[bytes]) -> None:
            nonlocal samples
            samples = _decode_into(out, path, cancel_event)

        try:
            self._store.write(file, fill)
        except UnreachableSoundError:
            raise
        except SoundError as exc:
            try:
                write_json(_fault_file(file), {"reason": str(exc)})
            except OSError as user_error:
                raise self._store.user_error(user_error) from user_error
            raise
        return samples


def read_derived(file: Path, start: int, count: int) -> npt.NDArray[Any]:
    """Return rows ``start`` to ``start + count`` of an array that `CachedSound.derived` has stored, as a copy.

    Raises
    ------
    DistillError
        Somebody deleted the cache.
    """
    try:
        mapped = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as exc:
        raise _gone("Something computed from the sounds", file) from exc
    return np.array(mapped[start : start + count])


def _gone(what: str, file: Path) -> DistillError:
    return DistillError(f"{what} is gone from the cache in {file.parent}. Start again, and it is computed anew.")


def _read_into(file: Path, offset: int, audio: FloatArray) -> None:
    left = audio.data.cast("B")
    with file.open("rb", buffering=0) as stored:
        stored.seek(offset)
        while left:
            count = stored.readinto(left)
            if not count:
                raise OSError("the file has shrunk")
            left = left[count:]


def _key(path: Path) -> Key:
    try:
        return file_key(path)
    except OSError as exc:
        raise UnreachableSoundError(os_reason(exc)) from exc


def _fault_file(file: Path) -> Path:
    return file.with_suffix(".json")


def _stored_samples(file: Path) -> int | None:
    """Return the number of samples of a whole entry, None for one that is missing or damaged."""
    try:
        with file.open("rb") as stored:
            size = stored.seek(0, os.SEEK_END)
            stored.seek(max(0, size - _FOOTER.size))
            mark, samples = _FOOTER.unpack(stored.read())
    except (OSError, struct.error):
        return None
    whole = mark == _MARK and size == samples * _SAMPLE.itemsize + _FOOTER.size
    return int(samples) if whole else None


def _decode_into(out: IO[bytes], path: Path, cancel_event: threading.Event | None) -> int:
    """Write a sound's samples and then, the peak being known only at the end, go over them once more."""
    out.seek(0)
    out.truncate()
    samples, peak = 0, np.float32(0)
    for block in stream_sound(path, cancel_event):
        out.write(block.astype(_SAMPLE, copy=False).data)
        samples += len(block)
        peak = max(peak, peak_of(block))
    for at in range(0, samples * _SAMPLE.itemsize, _BLOCK_BYTES):
        out.seek(at)
        block = np.frombuffer(out.read(_BLOCK_BYTES), _SAMPLE)
        out.seek(at)
        out.write((block / peak).astype(_SAMPLE, copy=False).data)
    out.write(_FOOTER.pack(_MARK, samples))
    return samples


def _write_array(out: IO[bytes], array: npt.NDArray[Any]) -> None:
    """Write a ``.npy`` file.  Not by `numpy.save`, whose error on a full disk does not say that it is full."""
    array = np.ascontiguousarray(array)
    np.lib.format.write_array_header_1_0(out, np.lib.format.header_data_from_array_1_0(array))
    out.write(array.tobytes() if array.size < 1 << 20 else array.reshape(-1).view(np.uint8).data)


def _is_whole_array(file: Path) -> bool:
    try:
        mapped = np.load(file, mmap_mode="r", allow_pickle=False)
        return bool(mapped.offset + mapped.nbytes == file.stat().st_size)
    except (OSError, ValueError, EOFError):
        return False
