"""A model of the library: all that is shown of it, the facts of its file and the user's metadata.

Facts come from the model file and are kept in the library's index; the user's metadata lie beside the file.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from distill.library.index import ModelFacts
from distill.library.user_metadata import UserMetadata
from distill.names import fold


@dataclass(frozen=True)
class ModelEntry:
    """A model of the library.

    Attributes
    ----------
    path
        Its file, which identifies the entry.
    facts
        What the file says; only the name is known of a file that cannot be used.
    name, tags, notes, starred
        The user's metadata, or those of the file.
    shown_name
        The name, with a part of the id where another model has the same.
    file_bytes, mtime_ns
        Size of the file, and when it was changed.
    problem
        Why it cannot be used, in one sentence, or None.
    """

    path: Path
    facts: ModelFacts
    name: str
    tags: tuple[str, ...]
    notes: str
    starred: bool
    file_bytes: int
    mtime_ns: int
    shown_name: str
    problem: str | None = None

    @classmethod
    def of(
        cls,
        path: Path,
        facts: ModelFacts | None,
        problem: str | None,
        status: tuple[int, int],
        user: UserMetadata | None,
    ) -> Self:
        """Return the entry of a file; the user's metadata go before those of the file."""
        known_facts = facts or ModelFacts("", path.stem)
        is_of_model = user is not None and (facts is None or user.model_id == known_facts.model_id)
        user = user if user is not None and is_of_model else UserMetadata()
        name = user.name if user.name is not None else known_facts.name
        return cls(
            path=path,
            facts=known_facts,
            name=name,
            tags=known_facts.tags if user.tags is None else user.tags,
            notes=known_facts.description if user.notes is None else user.notes,
            starred=user.starred,
            file_bytes=status[0],
            mtime_ns=status[1],
            shown_name=name,
            problem=problem,
        )

    @property
    def model_id(self) -> str:
        """The model's id."""
        return self.facts.model_id

    @property
    def family(self) -> str:
        """The family's key."""
        return self.facts.family

    def matches(self, text: str) -> bool:
        """Whether every word of ``text`` occurs in what is known of the model, whatever its case and accents."""
        facts = self.facts
        about = (self.name, *self.tags, self.notes, facts.dataset, facts.family, facts.model_id, self.path.name)
        haystack = fold(" ".join(about))
        return all(word in haystack for word in fold(text).split())

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for another program."""
        facts = self.facts.to_dict()
        del facts["description"]
        return {
            **facts,
            "path": str(self.path),
            "name": self.name,
            "tags": list(self.tags),
            "notes": self.notes,
            "starred": self.starred,
            "file_bytes": self.file_bytes,
            "problem": self.problem,
        }


def with_unique_names(entries: Sequence[ModelEntry]) -> list[ModelEntry]:
    """Return the entries with shown names that are unique: with the id or the file where several have one."""
    names = [fold(entry.name) for entry in entries]
    names_with_id = [f"{entry.name} ({entry.model_id[:8] or entry.path.stem})" for entry in entries]
    uniquely_named = []
    for entry, name, name_with_id in zip(entries, names, names_with_id, strict=True):
        if names.count(name) == 1:
            shown_name = entry.name
        else:
            is_unique = names_with_id.count(name_with_id) == 1
            shown_name = name_with_id if is_unique else f"{entry.name} ({entry.path.stem})"
        uniquely_named.append(replace(entry, shown_name=shown_name))
    return uniquely_named
