"""The history of generated sounds: keeps them, stars, rejects, renames, removes and brings them back.

``history.jsonl`` in the user's folder of generated sounds has a line for each event (made, starred, moved, removed), so
that none is lost and any can be made again.  It is only ever appended to; what a crash cut short is skipped when it is
read.  Every function here reads the disk and may take a while: presenters call them in a `BackgroundTask`.
"""

import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import soundfile

from distill import paths
from distill.audio.decoding.libsndfile import sndfile_name
from distill.audio.decoding.mono_decoder import SAMPLE_RATE, FloatArray
from distill.audio.export import export_sound
from distill.audio.export_options import ExportOptions
from distill.errors import DistillError
from distill.files import free_path
from distill.generation.history.kept_weights import tidy_weights
from distill.generation.recipe import NEW, Recipe
from distill.json_files import read_json_lines
from distill.names import file_name, plain_name
from distill.trash import move_to_trash, restore_from_trash

log = logging.getLogger(__name__)

#: How generated sounds are kept: nothing of what a model can do is lost, and every other program reads it.  New sounds
#: begin and end with a fade already, and silence is cut off unless they were to have a certain length.
_KEPT_FORMAT = ExportOptions("wav24")


@dataclass(frozen=True)
class GeneratedEntry:
    """A generated sound: its file, which the user may have moved since, its recipe, and what the user thinks of it.

    It may be starred or rejected, not both.
    """

    path: Path
    recipe: Recipe
    starred: bool = False
    rejected: bool = False


class GeneratedHistory:
    """All that was made on this computer.

    Parameters
    ----------
    file
        The history; by default the user's own.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.file = paths.generated_dir() / "history.jsonl" if file is None else file

    def list(self) -> tuple[GeneratedEntry, ...]:
        """Return what `read` does; nothing where the history cannot be read."""
        with suppress(OSError):
            return self.read()
        return ()

    def read(self) -> tuple[GeneratedEntry, ...]:
        """Return all generated sounds, the newest batch first, and each batch in its own order.

        Raises
        ------
        OSError
            There is a history that cannot be read.
        """
        entries: dict[str, GeneratedEntry] = {}
        removing: set[str] = set()
        with suppress(FileNotFoundError):
            skipped = read_json_lines(self.file, lambda event: self._apply(event, entries, removing))
            if skipped:
                log.warning("%d damaged lines in %s were skipped.", skipped, self.file)
        # The process was killed after it had moved the file to the trash.
        removed = {one for one in removing if one in entries and not os.path.lexists(entries[one].path)}
        return _by_batch(sound for sound in entries.values() if sound.recipe.id not in removed)

    @staticmethod
    def _apply(event: dict[str, Any], entries: dict[str, GeneratedEntry], removing: set[str]) -> None:
        if "made" in event:
            sound = GeneratedEntry(Path(event["file"]), Recipe.from_dict(event["made"]))
            entries[sound.recipe.id] = sound
            removing.discard(sound.recipe.id)
        elif "removing" in event:
            removing.add(event["removing"])
        elif "starred" in event:
            starred, sound = event["starred"] is True, entries[event["id"]]
            entries[event["id"]] = replace(sound, starred=starred, rejected=sound.rejected and not starred)
        elif "rejected" in event:
            rejected, sound = event["rejected"] is True, entries[event["id"]]
            entries[event["id"]] = replace(sound, rejected=rejected, starred=sound.starred and not rejected)
        elif "moved" in event:
            entries[event["id"]] = replace(entries[event["id"]], path=Path(event["moved"]))
        elif "forgotten" in event:
            entries.pop(event["forgotten"], None)

    def add(self, sounds: Iterable[GeneratedEntry]) -> None:
        """Append generated sounds.

        Raises
        ------
        OSError
            The history cannot be written; it is then as it was.
        """
        self._append({"made": sound.recipe.to_dict(), "file": str(sound.path)} for sound in sounds)

    def set_star(self, recipe: Recipe, starred: bool) -> None:
        """Star a sound, or no more; one that was rejected is not any more.

        Raises
        ------
        OSError
            The history cannot be written.
        """
        self._append([{"id": recipe.id, "starred": starred}])

    def set_rejected(self, recipe: Recipe, rejected: bool) -> None:
        """Reject a sound, or no more; one that was starred is not any more.

        Raises
        ------
        OSError
            The history cannot be written.
        """
        self._append([{"id": recipe.id, "rejected": rejected}])

    def note_move(self, recipe: Recipe, path: Path) -> None:
        """Note that the file of a sound has another name now.

        Raises
        ------
        OSError
            The history cannot be written.
        """
        self._append([{"id": recipe.id, "moved": str(path)}])

    def announce_removal(self, recipe: Recipe) -> None:
        """Note that the file of a sound is about to be moved away: once it is gone, the sound is off the list.

        Raises
        ------
        OSError
            The history cannot be written.
        """
        self._append([{"removing": recipe.id}])

    def forget(self, recipe: Recipe) -> None:
        """Take a sound off the list; its file stays.

        Raises
        ------
        OSError
            The history cannot be written.
        """
        self._append([{"forgotten": recipe.id}])

    def _append(self, events: Iterable[dict[str, Any]]) -> None:
        # A line end first: the line before may have been cut by a crash.
        text = "".join(f"\n{json.dumps(event, ensure_ascii=True, allow_nan=False)}\n" for event in events)
        self.file.parent.mkdir(parents=True, exist_ok=True)
        left = memoryview(text.encode("ascii"))
        with self.file.open("ab", buffering=0) as file:
            before = file.seek(0, os.SEEK_END)
            try:
                while left:
                    left = left[file.write(left) :]
                os.fsync(file.fileno())
            except OSError:
                with suppress(OSError):
                    file.truncate(before)
                raise


def _by_batch(entries: Iterable[GeneratedEntry]) -> tuple[GeneratedEntry, ...]:
    """Return sounds that come in the order in which they were made with the newest batch first."""
    batches: list[list[GeneratedEntry]] = []
    for sound in entries:
        if batches and sound.recipe.follows(batches[-1][-1].recipe):
            batches[-1].append(sound)
        else:
            batches.append([sound])
    return tuple(sound for batch in reversed(batches) for sound in batch)


@dataclass(frozen=True)
class ListedSound:
    """A generated sound as the list shows it; ``seconds`` is None where its file is gone."""

    entry: GeneratedEntry
    seconds: float | None

    @property
    def path(self) -> Path:
        """Its file."""
        return self.entry.path

    @property
    def recipe(self) -> Recipe:
        """How it was made."""
        return self.entry.recipe


@dataclass(frozen=True)
class Removed:
    """A sound that went off the list, and where in the trash its file lies now, as far as that is known."""

    sound: GeneratedEntry
    in_trash: Path | None


def keep(name: str, audio: FloatArray | Iterator[FloatArray], recipe: Recipe) -> ListedSound:
    """Write a generated sound, note it in the history, and return it.

    Raises
    ------
    DistillError
        It cannot be written.
    """
    folder = paths.generated_dir()
    try:
        options = replace(_KEPT_FORMAT, trim=recipe.kind == NEW and not recipe.seconds)
        written = export_sound(folder / file_name(name, ".wav"), audio, options, recipe.title(), recipe.to_text())
        sound = GeneratedEntry(written.path.absolute(), recipe)
        try:
            GeneratedHistory().add([sound])
        except OSError:  # the file would fill the disk further, and nobody would know of it
            sound.path.unlink(missing_ok=True)
            raise
    except OSError as exc:
        raise DistillError(
            f"What was made cannot be kept in {folder} ({exc.strerror or exc}). Make room there, or "
            "make it writable, then generate it again."
        ) from exc
    return ListedSound(sound, written.samples / SAMPLE_RATE)


def list_sounds() -> tuple[ListedSound, ...]:
    """Return all that was ever made here and not removed, the newest batch first."""
    try:
        sounds = GeneratedHistory().read()
    except OSError as exc:  # may be over the next time: what its recipes need is kept
        log.warning("The list of generated sounds cannot be read: %s", exc)
        return ()
    tidy_weights({used for sound in sounds for used in (sound.recipe.weights, sound.recipe.map) if used})
    return tuple(ListedSound(generated, seconds_of(generated.path)) for generated in sounds)


def seconds_of(path: Path) -> float | None:
    """Return the length of a sound file, or None where it is gone or no sound any more."""
    try:
        return float(soundfile.info(sndfile_name(path)).duration)
    except (OSError, RuntimeError):
        return None


def set_stars(sounds: Sequence[GeneratedEntry], starred: bool) -> None:
    """Star sounds, or take their stars away.

    Raises
    ------
    DistillError
        The history cannot be written.
    """
    _keep_opinion(sounds, GeneratedHistory().set_star, starred)


def set_rejected(sounds: Sequence[GeneratedEntry], rejected: bool) -> None:
    """Reject sounds, so that new ones are not like them, or take that back.

    Raises
    ------
    DistillError
        The history cannot be written.
    """
    _keep_opinion(sounds, GeneratedHistory().set_rejected, rejected)


def rename(sound: GeneratedEntry, name: str) -> Path:
    """Give the file of a sound another name, made unique by a number, and return its new path.

    Raises
    ------
    DistillError
        The file cannot be renamed, or the history cannot be written; both are then as they were.
    """
    (sound,) = where_they_are([sound])
    wanted = sound.path.with_name(plain_name(name, sound.path.stem) + sound.path.suffix)
    if wanted == sound.path:
        return wanted
    try:
        target = sound.path.rename(free_path(wanted))
        try:
            GeneratedHistory().note_move(sound.recipe, target)
        except OSError:
            target.rename(sound.path)
            raise
    except OSError as exc:
        raise DistillError(f"{sound.path.name} cannot be renamed ({exc.strerror or exc}).") from exc
    return target


def where_they_are(sounds: Sequence[GeneratedEntry]) -> list[GeneratedEntry]:
    """Return sounds with the paths that their files have now: they may have been renamed since they were listed."""
    listed = {entry.recipe.id: entry.path for entry in GeneratedHistory().list()}
    return [replace(sound, path=listed.get(sound.recipe.id, sound.path)) for sound in sounds]


def _keep_opinion(sounds: Sequence[GeneratedEntry], keep: Callable[[Recipe, bool], None], value: bool) -> None:
    try:
        for sound in sounds:
            keep(sound.recipe, value)
    except OSError as exc:
        raise DistillError(f"What you think of the sounds cannot be kept ({exc.strerror or exc}).") from exc


def remove(
    sounds: Sequence[GeneratedEntry], trash: Callable[[Path], Path | None] = move_to_trash
) -> tuple[tuple[Removed, ...], DistillError | None]:
    """Take sounds off the list and move their files to the trash.

    Parameters
    ----------
    sounds
        What to remove, in this order.
    trash
        Moves a file and returns its new path if known.

    Returns
    -------
    tuple
        What `bring_back` needs for the sounds that were removed, and the error that ended the removal, or None.  The
        sound that failed and those after it stay on the list.
    """
    removed: list[Removed] = []
    for sound in where_they_are(sounds):
        in_trash = None
        try:
            if sound.path.exists():
                GeneratedHistory().announce_removal(sound.recipe)
                in_trash = trash(sound.path)
            GeneratedHistory().forget(sound.recipe)
        except OSError as exc:
            if in_trash is not None:  # moved, but still on the list: back to where the list says that it is
                with suppress(OSError):
                    restore_from_trash(in_trash, sound.path)
            reason = f"{sound.path.name} cannot be moved to the trash ({exc.strerror or exc})."
            return tuple(removed), DistillError(reason)
        removed.append(Removed(sound, in_trash))
    return tuple(removed), None


def bring_back(removed: Sequence[Removed]) -> None:
    """Put removed sounds back on the list, with their stars, and their files back where they were.

    Raises
    ------
    DistillError
        A file is not in the trash any more; its entry is back on the list, from which it can be made again.
    """
    lost = []
    for one in removed:
        path = one.sound.path
        if one.in_trash is not None:
            try:
                path = restore_from_trash(one.in_trash, path)
            except OSError:
                lost.append(path.name)
        elif not path.exists():
            lost.append(path.name)
        try:
            GeneratedHistory().add([replace(one.sound, path=path)])
        except OSError as exc:
            raise DistillError(f"{path.name} cannot be listed again ({exc.strerror or exc}).") from exc
    set_stars([one.sound for one in removed if one.sound.starred], True)
    set_rejected([one.sound for one in removed if one.sound.rejected], True)
    if lost:
        raise DistillError(f"{lost[0]} could not be taken out of the trash. It is listed, and can be made again.")
