"""Reads and writes files as `torch.save` does, without trusting them.

`read_stored` checks what a file says before torch sees it, and describes its tensors instead of loading them.  Then
nothing in it is executed (``weights_only``), and no tensor is larger than the file.  A file that cannot be used is
refused in one sentence that says whether it is truncated, damaged, foreign or from a newer version.  torch is imported
where tensors are loaded or written.

The container is a zip archive.  torch writes a folder with one pickle (``data.pkl``), the numbers of its tensors
(``data/0``, ``data/1``, ...) and some notes of its own, one after the other and uncompressed.  An archive that is
packed in another way was not written by Distill: it could claim more data than it holds, name the same data twice, or
name files outside itself.
"""

import pickle
import re
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from distill.errors import DistillError, MemoryShortError, is_memory_error, reason_of
from distill.files import is_access_error, write_whole
from distill.serialization.restricted_unpickler import (
    ITEM_BYTES,
    DamagedError,
    ForbiddenError,
    StoredTensor,
    read_pickle,
)

if TYPE_CHECKING:
    import torch

#: Maximum number of tensors that share a storage: tied weights are two or three.
_MAX_SHARING = 8


def write_archive(path: Path, data: dict[str, Any]) -> None:
    """Write a dict of tensors and plain values, whole or not at all.

    Raises
    ------
    TypeError
        It holds something that a file may not hold; nothing was written.
    OSError
        It cannot be written.
    """
    from distill.serialization.plain_values import plain_values

    plain = plain_values(data, path.name)
    with write_whole(path) as file:
        save_archive(file, plain, path.name)


def save_archive(file: IO[bytes], data: dict[str, Any], name: str) -> None:
    """Write a dict of tensors and plain values into an open file.

    Raises
    ------
    OSError
        It cannot be written.
    """
    import torch

    try:
        torch.save(data, file)
    except RuntimeError as exc:
        # torch hides the system's error when a write fails half-way: ask the disk again for its own words.
        file.write(b"\0" * (1 << 16))
        file.flush()
        raise OSError(f"{name} could not be written ({exc})") from exc


def read_archive(
    path: Path, kind: str, error: type[DistillError], device: "torch.device | str" = "cpu"
) -> dict[str, Any]:
    """Return the dict that a file holds, every byte of it checked.

    Parameters
    ----------
    path
        The file.
    kind
        What it should be, for the message: "checkpoint", "model file".
    error
        Type of the error for a file that cannot be used.
    device
        Where tensors go.

    Raises
    ------
    DistillError
        Of type ``error``: the file is missing, empty, truncated, damaged, or something else altogether.
    MemoryShortError
        There is not enough memory to open it.
    """
    import torch

    try:
        read_stored(path, kind, error)
        data = torch.load(path, map_location=device, weights_only=True)
    except pickle.UnpicklingError as exc:
        raise error(
            f"{path.name} is not a {kind} of Distill: it holds program code or objects that Distill never writes, "
            "and was not opened."
        ) from exc
    except DistillError:
        raise
    except Exception as exc:  # the border to a file that may hold anything: what it makes torch raise has no end
        if is_memory_error(exc):  # nothing is wrong with the file
            raise MemoryShortError(
                f"There is not enough memory to open {path.name}. Close other programs, then try again."
            ) from exc
        raise error(f"{path.name} is damaged and cannot be read. Use another {kind}.") from exc
    if not isinstance(data, dict):
        raise error(f"{path.name} is not a {kind} of Distill.")
    return data


# --- without torch ------------------------------------------------------------------------------------------------


def read_stored(path: Path, kind: str, error: type[DistillError]) -> dict[str, Any]:
    """Return the dict that a file holds, every byte of it checked, without checksums; see `read_content`."""
    return read_content(path, kind, error)[0]


def read_content(path: Path, kind: str, error: type[DistillError]) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the dict that a file holds, every byte of it checked, and the checksums of its storages by their key.

    Tensors come as `StoredTensor`.

    Parameters
    ----------
    path
        The file.
    kind
        What it should be, for the message: "checkpoint", "model file".
    error
        Type of the error for a file that cannot be used.

    Raises
    ------
    DistillError
        Of type ``error``: the file is missing, empty, truncated, damaged, or something else altogether.
    """
    with _open_container(path, kind, error) as container:
        pickled, storages, checksums = container.pickle(), container.storages, container.checksums
    try:
        data, tensors = read_pickle(pickled)
    except ForbiddenError as exc:
        raise error(
            f"{path.name} is not a {kind} of Distill: it holds program code or objects that Distill never writes, "
            "and was not opened."
        ) from exc
    except DamagedError as exc:
        raise error(f"{path.name} is damaged and cannot be read. Use another {kind}.") from exc
    if not isinstance(data, dict):
        raise error(f"{path.name} is not a {kind} of Distill.")
    reason = tensor_reason(tensors, storages)
    if reason is not None:
        raise error(f"{path.name} is damaged: {reason}. Use another {kind}.")
    return data, checksums


def tensor_reason(tensors: list[StoredTensor], storages: dict[str, int]) -> str | None:
    """Return how the tensors contradict the storages that are present (bytes by key), or None."""
    sharing: Counter[str] = Counter()
    kinds: dict[str, str] = {}
    for tensor in tensors:
        storage = tensor.storage
        archived_bytes = storages.get(storage.key)
        if archived_bytes is None:
            return "the numbers of a tensor are missing"
        if archived_bytes != storage.numel * ITEM_BYTES[storage.kind]:
            return f"a tensor claims {storage.numel} numbers, for which it holds {archived_bytes} bytes"
        if tensor.end > storage.numel or tensor.numel > storage.numel:
            return "a tensor is of another size and does not fit the numbers that the file holds for it"
        if kinds.setdefault(storage.key, storage.kind) != storage.kind:
            return "a tensor is of two kinds at once"
        sharing[storage.key] += 1
    if sharing and max(sharing.values()) > _MAX_SHARING:
        return "too many tensors lie on the same numbers"
    return None


# --- the container ------------------------------------------------------------------------------------------------

_ZIP_MAGIC = b"PK\x03\x04"
_LOCAL_HEADER_BYTES = 30
_ENCRYPTED = 1
#: Maximum number of parts: torch writes one for each tensor, and a network has hundreds.
_MAX_PARTS = 20_000
#: Bytes that the end of a zip archive takes: its end record (22), and those of large archives (76).
_END_BYTES = 98
_BLOCK_BYTES = 1 << 20

# Names of parts inside the archive's folder.  A TorchScript archive, which holds a program, has others.
_PART = re.compile(r"(?P<folder>[^/\\\0]+)/(?P<name>data\.pkl|byteorder|version|data/\d+|\.[\w./-]*)")


class ZipContainer:
    """Reads the parts of a container that was checked.

    Attributes
    ----------
    storages, checksums
        Size in bytes of the numbers of each tensor storage, and their checksum, by its key.
    """

    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        self._archive, self._folder = archive, folder
        prefix = f"{folder}/data/"
        numbers = [info for info in archive.infolist() if info.filename.startswith(prefix)]
        self.storages = {info.filename.removeprefix(prefix): info.file_size for info in numbers}
        self.checksums = {info.filename.removeprefix(prefix): info.CRC for info in numbers}

    def pickle(self) -> bytes:
        """Return the part that describes the tensors."""
        return self._archive.read(f"{self._folder}/data.pkl")


@contextmanager
def _open_container(path: Path, kind: str, error: type[DistillError]) -> Iterator[ZipContainer]:
    """Open a container, every byte of it checked; parameters and errors are those of `read_content`."""
    size = _check_start(path, kind, error)
    another = f"Use another {kind}."
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            reason = foreign_reason(parts, archive.comment) or dishonest_reason(parts, size)
            if reason is not None:
                raise error(f"{path.name} is not a {kind} of Distill{reason}.")
            bad = _damaged_part(archive)
            if bad is not None:
                raise error(f"{path.name} is damaged: the checksum of its part {bad!r} is wrong. {another}")
            yield ZipContainer(archive, parts[0].filename.partition("/")[0])
    except zipfile.BadZipFile as exc:
        raise error(f"{path.name} is truncated or damaged at its end. {another}") from exc
    except DistillError:
        raise
    except (OSError, EOFError, NotImplementedError, RuntimeError, zlib.error, ValueError) as exc:
        if is_access_error(exc):
            raise error(f"{path.name} cannot be read ({reason_of(exc)}).") from exc
        raise error(f"{path.name} is damaged and cannot be read. {another}") from exc


def _check_start(path: Path, kind: str, error: type[DistillError]) -> int:
    """Return a file's size; refuse it when its first or last bytes show that it cannot be used."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise error(f"{path.name or path} cannot be opened: it is a folder, not a {kind}.")
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise error(f"{path.name} cannot be opened: it is not a regular file.")
        with path.open("rb") as file:
            magic = file.read(4)
            file.seek(max(0, status.st_size - (_END_BYTES + 0xFFFF)))
            end = file.read()
    except FileNotFoundError as exc:
        raise error(f"There is no {kind} at {path}.") from exc
    except OSError as exc:
        raise error(f"{path.name} cannot be opened ({exc.strerror or exc}).") from exc
    if not magic:
        raise error(f"{path.name} is empty: its {kind} was never written to the end. Use another {kind}.")
    if magic != _ZIP_MAGIC:
        raise error(f"{path.name} is not a {kind} of Distill.")
    if _parts_claimed(end) > _MAX_PARTS:  # before zipfile makes an object of each
        raise error(f"{path.name} is not a {kind} of Distill: it holds too many parts.")
    return status.st_size


def _parts_claimed(end: bytes) -> int:
    """Return how many entries the directory can have at most, from the records at the end of the archive."""
    end_record = end.rfind(b"PK\x05\x06")
    if end_record < 0 or len(end) < end_record + 20:
        return 0  # zipfile will say that the end is missing
    end_record_64 = end.rfind(b"PK\x06\x06")
    directory_bytes = int.from_bytes(end[end_record + 12 : end_record + 16], "little")
    if directory_bytes == 0xFFFF_FFFF and end_record_64 >= 0:
        directory_bytes = int.from_bytes(end[end_record_64 + 40 : end_record_64 + 48], "little")
    return directory_bytes // 46  # an entry takes 46 bytes and its name; zipfile reads as many as there is room for


def foreign_reason(parts: list[zipfile.ZipInfo], comment: bytes = b"") -> str | None:
    """Return why an archive was not written by torch for Distill, to follow "is not a ...", or None."""
    matches = [_PART.fullmatch(info.filename) for info in parts]
    names = [match["name"] for match in matches if match is not None]
    if names.count("data.pkl") == 0:
        return ": it is an archive of something else"
    if any(".." in Path(info.filename).parts or info.filename.startswith("/") for info in parts):
        return ": it names files outside itself"
    if None in matches or len({match["folder"] for match in matches if match}) != 1:
        return ": it holds parts that Distill never writes"
    if len(set(names)) != len(names):
        return ": it holds the same part twice"
    if any(info.compress_type != zipfile.ZIP_STORED or info.flag_bits & _ENCRYPTED for info in parts):
        return ": it holds compressed or encrypted data"
    return ": it carries a comment" if comment else None


def dishonest_reason(parts: list[zipfile.ZipInfo], size: int) -> str | None:
    """Return how the sizes of an archive's parts contradict its own size, or None."""
    end = 0
    for info in sorted(parts, key=lambda part: part.header_offset):
        if info.file_size != info.compress_size:
            return ": it claims parts of other sizes than it holds"
        if info.header_offset < end:
            return ": its parts overlap"
        end = info.header_offset + _LOCAL_HEADER_BYTES + info.file_size
    return f": it claims {end / 1e9:.1f} GB of data in a file of {size / 1e9:.3f} GB" if end > size else None


def _damaged_part(archive: zipfile.ZipFile) -> str | None:
    """Return the name of the first part whose checksum is wrong; torch itself does not check them."""
    for info in archive.infolist():
        try:
            with archive.open(info) as part:
                while part.read(_BLOCK_BYTES):
                    pass
        except zipfile.BadZipFile as exc:
            if "CRC" in str(exc):
                return info.filename
            raise
    return None
