"""Codes of a sound in a file: what a VQ model hears in it, as material for other programs.

A codes file is a NumPy archive (``.npz``, opened with ``numpy.load``) of five arrays::

    format    the text "distill_codes"
    model_id  id of the model that the codes belong to
    codes     unsigned 16-bit, [chunks, positions, levels]: for each second of sound the grid's positions, row by row
              from low to high bands and in time within a row, and for each the entry in each level's codebook
    samples   length of the sound at 48 kHz
    peak      level of the sound; codes describe it at full scale

Codes may be changed, cut and put together by whoever likes; any entry number that the codebook has is valid.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from distill.errors import ModelFileError
from distill.files import write_whole

_FORMAT = "distill_codes"


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
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
            if str(data["format"]) != _FORMAT:
                raise ModelFileError(f"{path.name} is not a file of codes.")
            codes, samples, peak = data["codes"], int(data["samples"]), float(data["peak"])
            model_id = str(data["model_id"])
    except FileNotFoundError as exc:
        raise ModelFileError(f"There is no file of codes at {path}.") from exc
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as exc:
        raise ModelFileError(f"{path.name} is not a file of codes, or is damaged.") from exc
    whole = np.issubdtype(codes.dtype, np.integer) and (
        codes.size == 0 or 0 <= int(codes.min()) <= int(codes.max()) < 2**16
    )
    if not whole or samples < 1 or not 0 <= peak <= 1e6:
        raise ModelFileError(f"{path.name} is damaged: its codes, length or level are out of range.")
    return SoundCodes(codes.astype(np.uint16), samples, peak, model_id)
