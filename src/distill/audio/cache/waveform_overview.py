"""A sound at a glance: the peaks that it is drawn by, and how loud it is.

Computed in one pass through the file, at its own rate, and then kept in one small database in the cache folder, so
that a folder of 500 files is drawn at once the next time.  A database and not a file for each sound: 500 files that
are flushed to the disk one by one take longer than the decoding.  Everything in it can be computed again.
"""

import logging
import math
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from distill import paths
from distill.audio.cache.hash_index import rename_key
from distill.audio.decoding.level_checks import without_absurd
from distill.audio.decoding.libsndfile import ENDLESS
from distill.audio.decoding.open_sound import open_sound, read_blocks
from distill.audio.waveform_peaks import waveform_peaks

log = logging.getLogger(__name__)

#: Stretches that a sound is divided into for drawing it.
BINS = 1024
#: Sounds that the database keeps: at 4 kB each, under 100 MB.
MAX_KEPT = 20_000
#: Level that is stated for silence, in dBFS.
SILENT_DBFS = -120.0

_VERSION = 1  # raised when the numbers would be others
_FINE = 16 * BINS  # resolution in which a sound is collected before its exact length is known
_KEPT_AS = np.dtype("<f2")  # three digits are more than a screen shows
_MOST = np.float32(60_000)  # a float file may hold anything
_FLUSH_EVERY = 50
_FORGET = "DELETE FROM overviews WHERE key IN (SELECT key FROM overviews ORDER BY used DESC LIMIT -1 OFFSET ?)"
_SETTLED_NS = 2_500_000_000  # as in `content_hash`: a younger file may change within one tick of its time stamp


@dataclass(frozen=True, eq=False)
class Overview:
    """What a sound looks like and how loud it is.

    Attributes
    ----------
    peaks
        float32 ``[BINS, 2]``: lowest and highest sample of the mono mix in each stretch, as in the file.
    peak_dbfs
        Level of the loudest sample of any channel, in dB of full scale.
    rms_dbfs
        Level of all channels' mean power, in dB of full scale (a full-scale square wave has 0).
    """

    peaks: npt.NDArray[np.float32]
    peak_dbfs: float
    rms_dbfs: float


def measure_sound(path: Path, cancel_event: threading.Event | None = None) -> Overview:
    """Decode a sound once and return its overview; nothing of its length is kept in memory.

    Raises
    ------
    SoundError
        The file cannot be used; the message is the reason alone.
    Cancelled
        ``cancel_event`` was set.
    """
    stretches: list[npt.NDArray[np.float32]] = []
    peak, power, count = 0.0, 0.0, 0
    with open_sound(path) as sound:
        stated_frames = sound.frames if sound.frames < ENDLESS else 0
        hop = max(1, stated_frames // _FINE) if stated_frames else 256
        mono_left = np.empty(0, np.float32)
        for block in read_blocks(sound, cancel_event):
            block = without_absurd(block)  # such a file will be left out; until then it is drawn as far as it goes
            peak = max(peak, float(block.max()), -float(block.min()))
            power += float(np.einsum("nc,nc->", block, block, dtype=np.float64))
            count += block.size
            mono = np.concatenate([mono_left, np.einsum("nc->n", block) / np.float32(block.shape[1])])
            whole = len(mono) // hop * hop
            if whole:
                stretches.append(waveform_peaks(mono[:whole], whole // hop))
            mono_left = mono[whole:]
    if len(mono_left):
        stretches.append(waveform_peaks(mono_left, 1))
    return Overview(_reduced(stretches), _dbfs(peak), _dbfs(math.sqrt(power / max(count, 1))))


def _reduced(stretches: list[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    if not stretches:
        return np.zeros((BINS, 2), np.float32)
    fine = np.concatenate(stretches)
    low, high = waveform_peaks(fine[:, 0], BINS)[:, 0], waveform_peaks(fine[:, 1], BINS)[:, 1]
    kept = np.clip(np.stack([low, high], axis=1), -_MOST, _MOST).astype(_KEPT_AS)
    return kept.astype(np.float32)  # as it will come back from the database


def _dbfs(level: float) -> float:
    return max(SILENT_DBFS, 20 * math.log10(level)) if level > 0 else SILENT_DBFS


class OverviewStore:
    """Overviews that were computed before, by path, size and times of change of the file.

    It belongs to the thread that made it.  A cache must never be in the way: whatever goes wrong with the database is
    written to the log, and the overviews are computed anew.

    Parameters
    ----------
    file
        The database; by default in the user's cache folder.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.file = file or paths.cache_dir() / "overviews.sqlite"
        self._connection: sqlite3.Connection | None = None
        self._new: list[tuple[str, float, bytes, float, float]] = []
        self._used: list[tuple[float, str]] = []
        with self._guarded():
            self._connection = self._opened()

    def get(self, path: Path, cancel_event: threading.Event | None = None) -> Overview:
        """Return a sound's overview, computed now if it is not known.

        Raises
        ------
        SoundError
            The file cannot be used; the message is the reason alone.
        Cancelled
            ``cancel_event`` was set.
        """
        key = _key(path)
        if key is not None and (found := self._find(key)) is not None:
            return found
        overview = measure_sound(path, cancel_event)
        if key is not None and _key(path) == key:
            peaks = overview.peaks.astype(_KEPT_AS).tobytes()
            self._new.append((key, time.time(), peaks, overview.peak_dbfs, overview.rms_dbfs))
            if len(self._new) >= _FLUSH_EVERY:
                self.flush()
        return overview

    def flush(self) -> None:
        """Write what is not written yet, in one go: between two of these nothing holds up another process."""
        new, self._new = self._new, []
        used, self._used = self._used, []
        with self._guarded():
            if self._connection is not None and (new or used):
                with self._connection:
                    self._connection.executemany("INSERT OR REPLACE INTO overviews VALUES (?, ?, ?, ?, ?)", new)
                    self._connection.executemany("UPDATE overviews SET used = ? WHERE key = ?", used)

    def close(self) -> None:
        """Write what is not written yet, and forget what was used longest ago."""
        self.flush()
        with self._guarded():
            if self._connection is not None:
                with self._connection:
                    self._connection.execute(_FORGET, (MAX_KEPT,))
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _opened(self) -> sqlite3.Connection:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        try:
            return self._connected()
        except sqlite3.DatabaseError as exc:
            if isinstance(exc, sqlite3.OperationalError):  # locked, or not to be written to: not damaged
                raise
            log.warning("The overviews of sounds are damaged and are computed anew: %s", exc)
            self.file.unlink(missing_ok=True)
            return self._connected()

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.file, timeout=2.0)
        try:
            connection.execute("PRAGMA synchronous=OFF")  # overviews that a power cut takes are measured anew
            if connection.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
                connection.execute("DROP TABLE IF EXISTS overviews")
                connection.execute(f"PRAGMA user_version={_VERSION}")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS overviews"
                " (key TEXT PRIMARY KEY, used REAL, peaks BLOB, peak REAL, rms REAL) WITHOUT ROWID"
            )
            connection.commit()
        except BaseException:
            connection.close()
            raise
        return connection

    def _find(self, key: str) -> Overview | None:
        with self._guarded():
            if self._connection is None:
                return None
            row = self._connection.execute("SELECT peaks, peak, rms FROM overviews WHERE key = ?", (key,)).fetchone()
            if row is None:
                return None
            peaks = np.frombuffer(row[0], _KEPT_AS).reshape(BINS, 2).astype(np.float32)
            self._used.append((time.time(), key))
            return Overview(peaks, float(row[1]), float(row[2]))
        return None

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, ValueError, TypeError) as exc:
            log.warning("The overviews of sounds cannot be kept in %s: %s", self.file, exc)
            if self._connection is not None:
                with suppress(sqlite3.Error):
                    self._connection.close()
                self._connection = None
                if type(exc) is sqlite3.DatabaseError:  # damaged: otherwise it would be so at each start
                    with suppress(OSError):
                        self.file.unlink(missing_ok=True)


def _key(path: Path) -> str | None:
    """Return what an overview is kept under; None for a file too young to know whether it still changes."""
    try:
        name, size, mtime_ns, ctime_ns = rename_key(path)
    except OSError:
        return None
    named = name.encode(errors="backslashreplace").decode()  # the database refuses what is not UTF-8
    return f"{named}\n{size}\n{mtime_ns}\n{ctime_ns}" if time.time_ns() - mtime_ns > _SETTLED_NS else None
