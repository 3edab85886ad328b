"""Reads and writes the user's metadata of a model: name, tags, notes and star, in a small file beside the model.

They are not written into the model file, because a model that took hours to train is never rewritten for a star; nor
only into the library's index, because the index may be lost.  ``bells_1a2b3c4d.words.json`` lies beside
``bells_1a2b3c4d.distill``.  Exporting a model writes them into the copy, so that they travel with it.
"""

from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from distill.json_files import keep_damaged, read_json, write_json

SUFFIX = ".words.json"


@dataclass(frozen=True)
class UserMetadata:
    """The user's metadata; None where nothing was changed and those of the model file hold.

    Attributes
    ----------
    model_id
        The model that they belong to: another model may take over the name of the file.
    """

    model_id: str = ""
    name: str | None = None
    tags: tuple[str, ...] | None = None
    notes: str | None = None
    starred: bool = False


def user_metadata_path(model_file: Path) -> Path:
    """Return the path of the user's metadata of a model file."""
    return model_file.with_suffix(SUFFIX)


def read_user_metadata(model_file: Path) -> UserMetadata | None:
    """Return the user's metadata of a model file; None where there are none that can be read."""
    try:
        return _parsed(read_json(user_metadata_path(model_file)))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def write_user_metadata(model_file: Path, metadata: UserMetadata) -> None:
    """Write the user's metadata of a model file; a damaged file of that name is kept under another.

    Raises
    ------
    OSError
        They cannot be written, or those that are there cannot be read now.
    """
    path = user_metadata_path(model_file)
    try:
        _parsed(read_json(path))
    except FileNotFoundError:
        pass
    except (ValueError, TypeError, KeyError, AttributeError):
        with suppress(OSError):
            keep_damaged(path, path.with_suffix(".damaged").name)
    write_json(path, asdict(metadata))


def _parsed(data: Any) -> UserMetadata:
    tags, name, notes = data["tags"], data["name"], data["notes"]
    texts = (data["model_id"], *(tags or ()), *(value for value in (name, notes) if value is not None))
    if not all(isinstance(text, str) for text in texts) or not isinstance(tags, (list, type(None))):
        raise ValueError("metadata that are no text")
    return UserMetadata(data["model_id"], name, None if tags is None else tuple(tags), notes, data["starred"] is True)
