"""Reads and writes files of codes: what a VQ model encodes a sound as, for other programs.

A codes file is a NumPy archive (``.npz``, opened with ``numpy.load``) of five arrays::

    format    the text "distill_codes"
    model_id  id of the model that the codes belong to
    codes     unsigned 16-bit, [chunks, positions, levels]: for each second of sound the grid's positions, row by row
              from low to high bands and in time within a row, and for each the entry in each level's codebook
    samples   length of the sound at 48 kHz
    peak      level of the sound; codes describe it at full scale

Codes may be changed, cut and put together by whoever likes; any entry number that the codebook has is valid.
"""

import math
import stat
import struct
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from distill.errors import ModelFileError
from distill.files import is_access_error, write_whole

_FORMAT = "distill_codes"
#: Four million numbers are eight hours of sound with the default settings.
_MAX_CODES = 1 << 22
_MAX_MEMBERS, _MAX_HEADER, _MAX_ITEM = 100, 2000, 1024
#: What a damaged archive makes zipfile, zlib, and numpy's parser of headers raise.
_DAMAGE = (
    ValueError, LookupError, TypeError, ArithmeticError, AttributeError, EOFError, SyntaxError, RecursionError,
    MemoryError, RuntimeError, tokenize.TokenError, zipfile.BadZipFile, zlib.error, struct.error,
)  # fmt: skip


@dataclass(frozen=True)
class SoundCodes:
    """Codes of one sound; the attributes are the arrays of the file."""

    codes: npt.NDArray[np.uint16]
    samples: int
    peak: float
    model_id: str

    def check(self, model_id: str, positions: int, levels: int, entries: int) -> None:
        """Refuse codes that a model cannot decode.

        Raises
        ------
        ModelFileError
            They are of another model, of another shape, or name entries that its codebooks do not have.
        """
        if self.model_id != model_id:
            raise ModelFileError(
                f"The codes belong to another model (id {self.model_id[:8]}, this one is {model_id[:8]}). "
                "Decode them with the model that made them."
            )
        if self.codes.ndim != 3 or self.codes.shape[1:] != (positions, levels):
            raise ModelFileError(
                f"The codes must have the shape [chunks, {positions}, {levels}], not {list(self.codes.shape)}."
            )
        if self.codes.size and int(self.codes.max()) >= entries:
            raise ModelFileError(
                f"The codes name entry {int(self.codes.max())}, but the codebooks end at {entries - 1}."
            )


def save_codes(path: Path | str, codes: SoundCodes) -> Path:
    """Write a codes file.

    Raises
    ------
    OSError
        It cannot be written.
    """
    path = Path(path)
    with write_whole(path) as file:
        np.savez_compressed(
            file, format=_FORMAT, model_id=codes.model_id, codes=codes.codes, samples=codes.samples, peak=codes.peak
        )
    return path


def load_codes(path: Path | str) -> SoundCodes:
    """Read a codes file; nothing in it is executed.

    Raises
    ------
    ModelFileError
        It is missing, damaged, or no codes file.
    """
    path = Path(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for ever
            raise ModelFileError(f"{path.name} cannot be opened: it is not a regular file.")
        with zipfile.ZipFile(path) as archive:
            if len(archive.infolist()) > _MAX_MEMBERS:
                raise ValueError("too many members")
            if str(_array(archive, "format", "U")) != _FORMAT:
                raise ModelFileError(f"{path.name} is not a file of codes.")
            model_id, peak = str(_array(archive, "model_id", "U")), float(_array(archive, "peak", "fiu"))
            samples, codes = int(_array(archive, "samples", "iu")), _array(archive, "codes", "iu", 3, _MAX_CODES)
    except ModelFileError:
        raise
    except FileNotFoundError as exc:
        raise ModelFileError(f"There is no file of codes at {path}.") from exc
    except OSError as exc:
        if is_access_error(exc):
            raise ModelFileError(f"{path.name} cannot be opened ({exc.strerror}).") from exc
        raise ModelFileError(f"{path.name} is not a file of codes, or is damaged.") from exc
    except _DAMAGE as exc:
        raise ModelFileError(f"{path.name} is not a file of codes, or is damaged.") from exc
    whole = codes.size == 0 or 0 <= int(codes.min()) <= int(codes.max()) < 2**16
    if not whole or samples < 1 or not 0 <= peak <= 1e6:
        raise ModelFileError(f"{path.name} is damaged: its codes, length or level are out of range.")
    return SoundCodes(codes.astype(np.uint16), samples, peak, model_id)


def _array(
    archive: zipfile.ZipFile, name: str, kinds: str, dimensions: int = 0, max_count: int = 1
) -> npt.NDArray[np.generic]:
    """Return an array of the archive, after a look at the header: type, shape and size.

    Raises
    ------
    ValueError, KeyError
        It is missing, or of another kind or size than expected.
    """
    info = archive.getinfo(f"{name}.npy")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 1:
        raise ValueError("packed in another way")
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        if version != (1, 0):
            raise ValueError("another version of the array format")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(member, max_header_size=_MAX_HEADER)
        count = math.prod(shape)
        if dtype.kind not in kinds or dtype.itemsize > _MAX_ITEM or len(shape) != dimensions or count > max_count:
            raise ValueError(f"{name} of type {dtype} and shape {shape}")
        size = count * dtype.itemsize
        data = member.read(size + 1)
        if len(data) != size:
            raise ValueError(f"{name} holds more or fewer numbers than its shape says")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
