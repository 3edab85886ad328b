"""Asks in a terminal where a model is to be saved that could not be written into its run's folder."""

from pathlib import Path
from typing import TYPE_CHECKING

from distill.cli.output.text import printable
from distill.errors import DistillError
from distill.files import free_path
from distill.names import slug

if TYPE_CHECKING:
    from distill.training.ending.unsaved_model import UnsavedModel


def ask_where_to_save(model: "UnsavedModel", model_file: Path) -> None:
    """Ask where a model is to be saved until it is; at the end of the input it is given up.

    Parameters
    ----------
    model
        The model.
    model_file
        Its file in its run's folder, for which there may be room by now.
    """
    print("Save it as a file, or into a folder. Enter alone tries the run's folder again; Ctrl-D gives the model up.")
    while True:
        try:
            text = input("Save the model as: ").strip()
        except EOFError:
            print()
            return
        target = Path(text).expanduser() if text else model_file
        if target.is_dir():
            target /= slug(model.name)
        if target.suffix != model_file.suffix:
            target = target.with_name(target.name + model_file.suffix)
        try:
            print(f"Model: {printable(model.save(free_path(target)))}", flush=True)
        except (OSError, DistillError) as error:
            print(f"{printable(target)} cannot be written: {getattr(error, 'strerror', None) or error}.", flush=True)
        else:
            return
