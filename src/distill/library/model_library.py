"""The model library: a folder of `.distill` files, an index of them, and the user's metadata of each.

Listing and searching open no model file: the index holds what was read from them, and is updated by the files' sizes
and times.  Without an index everything is read again.  A file that cannot be used is listed with the reason; only the
user deletes, overwrites or renames it.  This module imports no torch.

Every call reads the state of the folder and leaves it whole, also when the process is killed in the middle, so that
the window and the terminal can share a library; changes hold a lock.  Calls may take as long as reading new files does
and do not belong into the window's thread.
"""

import re
import shutil
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from distill.errors import LibraryError, ModelFileError, UnknownModelError
from distill.files import FileStamp, file_stamp, write_new, write_whole
from distill.housekeeping import clear_partial_files
from distill.library.index import Index, LibraryLock, Row, index_folder, read_facts, read_row
from distill.library.model_entry import ModelEntry, with_unique_names
from distill.library.user_metadata import UserMetadata, read_user_metadata, write_user_metadata
from distill.models.file_format import KIND, SUFFIX, library_path
from distill.models.metadata import ModelMetadata
from distill.names import fold, slug
from distill.serialization.archive import read_archive, read_content, save_archive
from distill.trash import Deletion, move_to_trash, restore_from_trash

__all__ = ["Deletion", "ModelEntry", "ModelLibrary"]

_MAX_NAME = 200
#: Entries of a model file's metadata that a user changes.
_WORDS = frozenset(("name", "description", "tags"))
#: Ends of names that say what a file is; not those of ``bells 1.2``.
_OTHER_KIND = re.compile(r"\.(?=\d*[a-z])[a-z\d]{1,7}", re.IGNORECASE)
#: Characters of a name in a message.
_MAX_SHOWN = 60
_PATIENCE_SECONDS = 2.0
Progress = Callable[[int, int], None]


class ModelLibrary:
    """A folder of models.

    Parameters
    ----------
    models_dir
        The folder; made when the first model is put into it.
    trash
        Moves a file to the system's trash and returns where it lies there, or None where that is not known.
    """

    def __init__(self, models_dir: Path | str, trash: Callable[[Path], Path | None] = move_to_trash) -> None:
        self.folder = Path(models_dir)
        self._trash = trash
        self._home = index_folder(self.folder)
        self._locked = LibraryLock(self._home)

    # --- finding ----------------------------------------------------------------------------------------------

    def list(
        self, progress: Progress | None = None, cancel_event: threading.Event | None = None
    ) -> tuple[ModelEntry, ...]:
        """Return all models, the newest first.

        Parameters
        ----------
        progress
            Called with the number of files read so far and in all, where there are any to be read.
        cancel_event
            Ends the reading; what was read until then is returned and kept in the index.

        Raises
        ------
        LibraryError
            The folder cannot be listed right now.
        """
        index = Index.load(self._home)
        if self._refresh(index, progress, cancel_event):
            self._remember(index)
        entries = [self._entry(name, row) for name, row in index.rows.items()]
        newest = sorted(entries, key=lambda e: (e.facts.saved or "", e.mtime_ns, e.path.name), reverse=True)
        return tuple(with_unique_names(newest))

    def search(self, text: str) -> tuple[ModelEntry, ...]:
        """Return the models in which every word of ``text`` occurs: name, tags, notes, sounds, family, id."""
        return tuple(entry for entry in self.list() if entry.matches(text))

    def find(self, what: str) -> ModelEntry:
        """Return the one model that is meant by a path, a file's name, the beginning of an id, a name, or a part of it.

        Raises
        ------
        UnknownModelError
            There is none, or several; the message says how to tell them apart.
        LibraryError
            The folder cannot be listed right now.
        """
        entries = self.list()
        path = _existing(what)
        by_file = [e for e in entries if e.path.name == what or (path is not None and e.path.samefile(path))]
        by_id = [e for e in entries if len(what) >= 4 and e.model_id.startswith(what)]
        by_name = [e for e in entries if fold(what) in (fold(e.name), fold(e.shown_name))]
        by_part = [e for e in entries if what and fold(what) in fold(e.name)]
        meant = next((group for group in (by_file, by_id, by_name, by_part) if group), [])
        if not meant:
            raise UnknownModelError(f"There is no model {_short(what)} in the library. See: distill models list")
        if len(meant) > 1:
            files = ", ".join(entry.path.name for entry in meant[:5]) + (", …" if len(meant) > 5 else "")
            raise UnknownModelError(f"{len(meant)} models are called {_short(what)}: name one by its file ({files}).")
        return meant[0]

    def _refresh(self, index: Index, progress: Progress | None, cancel_event: threading.Event | None) -> bool:
        """Bring an index up to date with the files; return whether anything changed."""
        stamps = self._stamps(index)
        gone = index.rows.keys() - stamps.keys()
        for name in gone:
            del index.rows[name]
        new = [
            name for name, stamp in sorted(stamps.items()) if name not in index.rows or index.rows[name].stamp != stamp
        ]
        for done, name in enumerate(new):
            if cancel_event is not None and cancel_event.is_set():
                break
            index.rows[name] = read_row(self.folder / name, stamps[name])
            if progress is not None:
                progress(done + 1, len(new))
        return bool(gone or new)

    def _stamps(self, index: Index) -> dict[str, FileStamp]:
        """Return the stamps of the model files; a file that cannot be looked at right now keeps its row."""
        stamps = {}
        try:
            clear_partial_files(self.folder)
            clear_partial_files(self._home)
            for path in self.folder.iterdir():
                if path.suffix.lower() == SUFFIX and not path.name.startswith("."):
                    try:
                        stamps[path.name] = file_stamp(path)
                    except (FileNotFoundError, NotADirectoryError):  # just deleted, or a link to nothing
                        continue
                    except OSError:
                        if path.name in index.rows:
                            stamps[path.name] = index.rows[path.name].stamp
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as exc:
            raise LibraryError(
                f"The models in {self.folder} cannot be listed ({exc.strerror or exc}). Try again in a moment."
            ) from exc
        return stamps

    def _remember(self, index: Index) -> None:
        with suppress(LibraryError), self._locked(_PATIENCE_SECONDS):  # else it is read once more next time
            now = Index.load(self._home)  # another process may have added deletions
            index.deletions, index.is_unread = now.deletions, now.is_unread
            index.save(self._home)

    def _entry(self, name: str, row: Row) -> ModelEntry:
        path = self.folder / name
        return ModelEntry.of(path, row.facts, row.problem, row.stamp[:2], read_user_metadata(path))

    def _entry_of(self, path: Path) -> ModelEntry:
        """Return the entry of one file, read anew.

        Raises
        ------
        LibraryError
            It is not there.
        """
        for entry in self.list():
            if entry.path == path:
                return entry
        raise LibraryError(f"There is no model file at {path}.")

    # --- the user's metadata ----------------------------------------------------------------------------------

    def rename(self, which: ModelEntry | Path, name: str) -> ModelEntry:
        """Give a model another name; its file keeps its own.

        Raises
        ------
        LibraryError
            The name is empty, or the model is not there or not to be used.
        """
        plain = " ".join(name.split())
        if not plain:
            raise LibraryError("A model needs a name of at least one letter.")
        return self._update_metadata(which, name=plain[:_MAX_NAME])

    def set_tags(self, which: ModelEntry | Path, tags: Sequence[str]) -> ModelEntry:
        """Replace a model's tags, without empty ones and repetitions."""
        plain = dict.fromkeys(" ".join(tag.split()) for tag in tags)
        return self._update_metadata(which, tags=tuple(tag for tag in plain if tag))

    def set_notes(self, which: ModelEntry | Path, notes: str) -> ModelEntry:
        """Replace a model's notes."""
        return self._update_metadata(which, notes=notes)

    def set_star(self, which: ModelEntry | Path, starred: bool) -> ModelEntry:
        """Set or remove a model's star."""
        return self._update_metadata(which, starred=starred)

    def _update_metadata(self, which: ModelEntry | Path, **changes: Any) -> ModelEntry:
        path = which.path if isinstance(which, ModelEntry) else which
        with self._locked():
            entry = self._entry_of(path)
            if entry.problem is not None:
                raise LibraryError(entry.problem)
            stored = read_user_metadata(path)
            is_of_model = stored is not None and stored.model_id == entry.model_id
            user_metadata = stored if stored is not None and is_of_model else UserMetadata(entry.model_id)
            try:
                write_user_metadata(path, replace(user_metadata, **changes))
            except OSError as exc:
                raise LibraryError(f"{path.name} could not be changed ({exc.strerror or exc}).") from exc
            return self._entry_of(path)

    # --- files in and out -------------------------------------------------------------------------------------

    def add(self, source: Path | str) -> ModelEntry:
        """Copy the model file of a run into the library, where it replaces an older file of the same model id.

        The older file keeps its name, also where the run has another one by now.  The user's metadata stay.

        Raises
        ------
        ModelFileError
            The file cannot be used.
        OSError
            It cannot be copied.
        """
        source = Path(source)
        facts = read_facts(source)
        target = library_path(self.folder, ModelMetadata(name=facts.name, model_id=facts.model_id))
        with self._locked():
            target = self._slot(target, facts.model_id)
            with source.open("rb") as original, write_whole(target) as copy:
                shutil.copyfileobj(original, copy)
            return self._entry_of(target)

    def import_file(self, source: Path | str) -> ModelEntry:
        """Copy a model file from elsewhere into the library; one that is there already is not copied again.

        A model is there already if at most its name, tags and notes differ, which belong to the user.

        Raises
        ------
        ModelFileError
            The file cannot be used; nothing was copied.
        OSError
            It cannot be copied.
        """
        source = Path(source)
        facts = read_facts(source)
        target = library_path(self.folder, ModelMetadata(name=facts.name, model_id=facts.model_id))
        with self._locked():
            usable = [entry for entry in self.list() if entry.problem is None]
            for entry in usable:
                if _same_content(entry.path, source):
                    return entry
            for entry in usable:
                if entry.facts.model_id == facts.model_id and _same_model(entry.path, source):
                    return entry
            with source.open("rb") as original:
                target = write_new(target, lambda copy: shutil.copyfileobj(original, copy))
            return self._entry_of(target)

    def export(self, which: ModelEntry | Path, target: Path | str) -> Path:
        """Write a copy of a model for somebody else, with the user's metadata in it, and return its path.

        Parameters
        ----------
        which
            The model.
        target
            A folder, or a file that ends in ``.distill``; a name that is taken is not overwritten but numbered.

        Raises
        ------
        ModelFileError
            The model cannot be used.
        LibraryError
            It is not there, or cannot be written, or ``target`` has the name of another kind of file.
        """
        entry = self._entry_of(which.path if isinstance(which, ModelEntry) else which)
        if entry.problem is not None:
            raise LibraryError(entry.problem)
        target = Path(target)
        if target.suffix != SUFFIX:
            if _OTHER_KIND.fullmatch(target.suffix) and not target.is_dir():
                raise LibraryError(
                    f"{target.name} is neither a name that ends in {SUFFIX} nor a folder that is there. If you mean a "
                    "folder of that name, make it first."
                )
            target = target / f"{slug(entry.name)}{SUFFIX}"
        changes = {"name": entry.name, "description": entry.notes, "tags": list(entry.tags)}

        def write(copy: IO[bytes]) -> None:
            if read_user_metadata(entry.path) is None:
                with entry.path.open("rb") as original:
                    shutil.copyfileobj(original, copy)
            else:
                _write_renamed(entry.path, copy, changes)

        try:
            return write_new(target, write)
        except OSError as exc:
            raise LibraryError(f"{target} cannot be written ({exc.strerror or exc}).") from exc

    def _slot(self, path: Path, model_id: str) -> Path:
        """Return the first of ``path`` and names like it that is free, or holds a whole model of the same id.

        Without one at ``path`` it is the newest model of the same id, whatever its file is called.
        """
        same = [entry.path for entry in self.list() if entry.problem is None and entry.model_id == model_id]
        if model_id and same and path not in same:
            return same[0]
        slot, number = path, 2
        while slot.exists():
            facts = read_row(slot, file_stamp(slot)).facts
            if facts is not None and facts.model_id == model_id:
                break
            slot, number = path.with_name(f"{path.stem} ({number}){path.suffix}"), number + 1
        return slot

    # --- the trash --------------------------------------------------------------------------------------------

    def delete(self, which: ModelEntry | Path) -> Deletion:
        """Move a model to the system's trash and return what `restore` needs.  The user's metadata stay.

        Raises
        ------
        LibraryError
            It is not there, or cannot be moved.
        """
        path = which.path if isinstance(which, ModelEntry) else which
        with self._locked():
            entry = self._entry_of(path)
            index = Index.load(self._home)
            before = index.deletions
            index.deletions = [*before, Deletion(path, None, entry.name, pending=True)]
            index.save(self._home)  # first the note: a process that is killed now leaves a model that can be restored
            try:
                deletion = Deletion(path, self._trash(path), entry.name)
            except OSError as exc:
                index.deletions = before
                index.save(self._home)
                raise LibraryError(f"{path.name} cannot be moved to the trash ({exc.strerror or exc}).") from exc
            index.rows.pop(path.name, None)
            index.deletions = [*before, deletion]
            index.save(self._home)
            return deletion

    def deletions(self) -> tuple[Deletion, ...]:
        """Return what was deleted and may be restored, the newest last."""
        settled = (deletion.settled() for deletion in Index.load(self._home).deletions)
        return tuple(deletion for deletion in settled if deletion is not None)

    def find_deletion(self, name: str) -> Deletion:
        """Return the newest deletion of a model by its name or its file's.

        Raises
        ------
        UnknownModelError
            There is none.
        """
        for deletion in reversed(self.deletions()):
            if name in (deletion.name, deletion.original.name):
                return deletion
        raise UnknownModelError(f"No model {name!r} was deleted from the library. Look into the system's trash.")

    def restore(self, deletion: Deletion) -> ModelEntry:
        """Take a model back out of the trash.

        Raises
        ------
        LibraryError
            It is not in the trash any more, or only the system can take it out.
        """
        if deletion.in_trash is None:
            raise LibraryError(f"Take {deletion.original.name} out of the trash with the system's own file manager.")
        with self._locked():
            index = Index.load(self._home)
            others = [other for other in index.deletions if deletion not in (other, other.settled())]
            try:
                path = restore_from_trash(deletion.in_trash, deletion.original)
            except OSError as exc:
                raise LibraryError(
                    f"{deletion.original.name} cannot be taken out of the trash ({exc.strerror or exc})."
                ) from exc
            index.deletions = others
            index.save(self._home)
            entry = self._entry_of(path)
            user = read_user_metadata(deletion.original) if path != deletion.original else None
            if user is None or user.model_id != entry.model_id:
                return entry
            with suppress(OSError):  # the model is back, which is what counts
                write_user_metadata(path, user)  # another model has the file name that they are kept by
            return self._entry_of(path)


def _existing(text: str) -> Path | None:
    """Return a path that a user typed, if there is a file at it."""
    try:
        path = Path(text).expanduser()
        return path if path.exists() else None
    except (OSError, ValueError, RuntimeError):  # too long a name, NUL, or the home of nobody
        return None


def _short(text: str) -> str:
    return repr(text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…")


def _same_content(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as a, other.open("rb") as b:
        while block := a.read(1 << 20):
            if block != b.read(1 << 20):
                return False
    return True


def _same_model(one: Path, other: Path) -> bool:
    """Whether two model files differ in nothing but what `ModelLibrary.export` writes into a copy."""
    contents = []
    for path in (one, other):
        data, checksums = read_content(path, KIND, ModelFileError)
        metadata = {key: value for key, value in dict(data["metadata"]).items() if key not in _WORDS}
        contents.append((repr(data | {"metadata": metadata}), checksums))  # as text: what is not a number equals itself
    return contents[0] == contents[1]


def _write_renamed(path: Path, file: Any, changes: dict[str, Any]) -> None:
    """Write a model file's contents with changed metadata.  Imports torch."""
    data = read_archive(path, KIND, ModelFileError)
    save_archive(file, data | {"metadata": data["metadata"] | changes}, path.name)
