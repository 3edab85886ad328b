"""The history of generated sounds: a line for each, so that none is lost and any can be made again.

``history.jsonl`` in the user's folder of generated sounds is only ever appended to.  A line is an event (made, starred,
moved, removed from the list); what a crash cut short is skipped when it is read.
"""

import json
import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from distill import paths
from distill.generation.recipe import Recipe
from distill.json_files import read_json_lines

log = logging.getLogger(__name__)


def generated_dir() -> Path:
    """Return the folder that generated sounds are kept in, with their history."""
    return paths.data_dir() / "made"


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
        self.file = generated_dir() / "history.jsonl" if file is None else file

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
