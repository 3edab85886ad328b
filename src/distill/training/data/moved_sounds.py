"""Finds the sounds of a run again after they were moved, renamed, tagged anew or copied to another computer.

A run knows its sounds by the hash of their files and by the hash of their audio.  The first finds a file under any
name, the second also finds it with other tags or in another lossless format.  No torch here.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from distill.audio.cache.sound_cache import CachedSound, SoundCache
from distill.audio.decoding.open_sound import UnreachableSoundError
from distill.audio.sound_scan import find_sound_files
from distill.computing.unresponsive_drives import wait_for
from distill.errors import Cancelled, NoAnswer, SoundError
from distill.files import is_file, is_folder
from distill.runs.run_record import RunRecord

_NAMED = 3  # missing files that are named in a message

Fingerprints = Mapping[str, Mapping[str, str]]
Progress = Callable[[int, int], None]


def fingerprints_of(sounds: Iterable[CachedSound]) -> dict[str, dict[str, str]]:
    """Return the hashes of sounds by the path of their files, as a run's record keeps them."""
    return {str(sound.source): {"content": sound.content_hash, "audio": sound.audio_hash} for sound in sounds}


def keep_identities(sounds: Sequence[CachedSound], fingerprints: Fingerprints) -> list[CachedSound]:
    """Return sounds with the content hashes that a run knows them by, where only tags or formats changed.

    Everything in a run depends on these hashes: the order of its sounds, their variants and the split.
    """
    known_hashes = [(item["content"], item["audio"]) for item in fingerprints.values()]
    contents = {content for content, _ in known_hashes}
    missing = [item for item in known_hashes if item[0] not in {sound.content_hash for sound in sounds}]
    identified = []
    for sound in sounds:
        match = None
        if sound.content_hash not in contents and sound.audio_hash:
            match = next((item for item in missing if item[1] == sound.audio_hash), None)
        if match is not None:
            missing.remove(match)
            sound = replace(sound, content_hash=match[0])
        identified.append(sound)
    return sorted(identified, key=lambda s: (s.content_hash, str(s.source)))


@dataclass(frozen=True)
class _Wanted:
    path: Path
    contents: frozenset[str]
    audio: str


def locate_sounds(
    record: RunRecord,
    folder: Path | None = None,
    cache: SoundCache | None = None,
    on_progress: Progress | None = None,
    cancel_event: threading.Event | None = None,
) -> list[Path]:
    """Return where the sounds of a run are now, in the order of its record.

    A file that is still where it was is kept.  The others are looked for by content in ``folder`` and in the folders
    in which the run's sounds were (without ``folder`` also beside them, where a folder was renamed), and by name where
    an older run does not know the content of its sounds.

    Parameters
    ----------
    record
        The run's record.
    folder
        Where the sounds are now, as far as the user knows; None searches their former folders only.
    cache
        The cache that knows the hashes; by default the user's.
    on_progress
        Called with the number of files compared and of all.
    cancel_event
        Stops the search.

    Raises
    ------
    SoundError
        Some cannot be found, or ``folder`` holds no sounds; the message names them and says what to do.
    Cancelled
        ``cancel_event`` was set; `NoAnswer` where a drive does not answer.
    """
    cache = cache or SoundCache()
    places = {path.parent for path in record.file_paths} | ({folder} if folder is not None else set())

    def locate(progress: Progress) -> list[Path]:
        return _located(record, folder, cache, progress, cancel_event)

    return wait_for(locate, cancel_event, places, on_progress or (lambda _done, _all: None))


def locate_unless_stopped(
    record: RunRecord, folder: Path | None, cancel_event: threading.Event | None
) -> tuple[list[Path], str]:
    """Return where the sounds of a run are now, or were if the user stops, and what is said if a drive does not answer.

    Raises
    ------
    SoundError
        As of `locate_sounds`.
    """
    try:
        return locate_sounds(record, folder, cancel_event=cancel_event), ""
    except NoAnswer as exc:
        return record.file_paths, str(exc)
    except Cancelled:  # the preparation then ends at once, and the run with it as stopped
        return record.file_paths, ""


def _located(
    record: RunRecord,
    folder: Path | None,
    cache: SoundCache,
    on_progress: Progress,
    cancel_event: threading.Event | None,
) -> list[Path]:
    """Return where the sounds are; see `locate_sounds`."""
    if folder is not None and not find_sound_files([folder], cancel_event=cancel_event):
        raise SoundError(f"{folder} holds no sounds. Give the folder where the sounds of this run are now.")
    skipped = {item.path for item in record.skipped}
    wanted = [_wanted(path, record.fingerprints, cache) for path in record.file_paths if path not in skipped]
    located: dict[Path, Path] = {}
    missing = []
    for item in wanted:
        if _is_there(item, cache, cancel_event):
            located[item.path] = item.path
        else:
            missing.append(item)
    if missing:
        # A path of another system may be a name beside this process.
        former = {path.parent for path in record.file_paths if path.is_absolute() and is_folder(path.parent)}
        renamed = set() if folder is not None else _renamed_folders([item.path for item in missing])
        candidates = find_sound_files([*([folder] if folder is not None else []), *sorted(former | renamed)])
        taken = set(located.values())
        rest = [path for path in candidates if path not in taken]
        located |= _by_content(missing, rest, cache, on_progress, cancel_event)
        missing = [item for item in missing if item.path not in located]
    if missing:
        raise SoundError(_missing_message(missing, len(wanted), folder))
    return [located.get(path, path) for path in record.file_paths]


def _renamed_folders(paths: Sequence[Path]) -> set[Path]:
    """Return the folders beside folders that are gone which hold a file of the same name as one of the missing ones."""
    found: set[Path] = set()
    for parent in {path.parent.parent for path in paths if path.is_absolute() and not is_folder(path.parent)}:
        names = {path.name for path in paths if path.parent.parent == parent}
        with suppress(OSError):
            found |= {folder for folder in parent.iterdir() if any(is_file(folder / name) for name in names)}
    return found


def _wanted(path: Path, fingerprints: Fingerprints, cache: SoundCache) -> _Wanted:
    known = fingerprints.get(str(path))
    if known is not None:
        return _Wanted(path, frozenset([known["content"]]), known["audio"])
    return _Wanted(path, frozenset(cache.remembered_hashes(path)), "")


def _is_there(item: _Wanted, cache: SoundCache, cancel_event: threading.Event | None) -> bool:
    try:
        content = cache.content_hash(item.path, cancel_event)
    except UnreachableSoundError:
        return False
    return not item.contents or content in item.contents or _has_audio(item.path, item.audio, cache, cancel_event)


def _has_audio(path: Path, audio: str, cache: SoundCache, cancel_event: threading.Event | None) -> bool:
    if not audio:
        return False
    try:
        return cache.get(path, cancel_event).audio_hash == audio
    except SoundError:
        return False


def _by_content(
    missing: Sequence[_Wanted],
    candidates: Sequence[Path],
    cache: SoundCache,
    on_progress: Progress | None,
    cancel_event: threading.Event | None,
) -> dict[Path, Path]:
    """Return the candidates that are the missing sounds: by the bytes of the file, by name, by the decoded audio."""
    by_hash: dict[str, list[Path]] = {}
    for done, path in enumerate(candidates, 1):
        try:
            by_hash.setdefault(cache.content_hash(path, cancel_event), []).append(path)
        except UnreachableSoundError:
            continue
        if on_progress is not None:
            on_progress(done, len(candidates))
    found: dict[Path, Path] = {}
    free = set(candidates)
    for item in missing:
        exact = [path for content in item.contents for path in by_hash.get(content, ()) if path in free]
        named = [path for path in candidates if path in free and path.name == item.path.name]
        match = next(iter(exact), None) or (next(iter(named), None) if not item.contents else None)
        if match is not None:
            found[item.path] = match
            free.discard(match)
    for item in missing:
        if item.path in found or not item.audio:
            continue
        # The file of the same name first: it saves decoding all others.
        order = sorted(free, key=lambda path: (path.name != item.path.name, path.stem != item.path.stem, str(path)))
        match = next((path for path in order if _has_audio(path, item.audio, cache, cancel_event)), None)
        if match is not None:
            found[item.path] = match
            free.discard(match)
    return found


def _missing_message(missing: Sequence[_Wanted], total: int, folder: Path | None) -> str:
    names = ", ".join(item.path.name for item in missing[:_NAMED])
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    where = "in their former folders" if folder is None else f"in {folder} or in their former folders"
    advice = "Put them back" if folder is not None else "Put them back, or show the folder where they are now"
    return (
        f"{len(missing)} of the {total} sounds of this run cannot be found {where}: {names}{more}. {advice} "
        "(distill resume RUN --sounds FOLDER)."
    )
