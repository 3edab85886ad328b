"""The commands that use a finished model: reconstruct, sample, encode, decode."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distill import paths
from distill.cli_options import ModelFile, SoundFile
from distill.errors import DistillError
from distill.terminal import printable

if TYPE_CHECKING:
    from torch import Tensor

MAX_SAMPLES = 1000

WavFile = Annotated[Path, typer.Argument(metavar="OUT", dir_okay=False, help="The WAV file to write.")]
CodesFile = Annotated[Path, typer.Argument(metavar="CODES", dir_okay=False, help="The file of codes (.npz).")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(epilog="Example: distill reconstruct bells.distill bell.wav bell-again.wav")(reconstruct)
    app.command(epilog="Example: distill sample bells.distill --count 8 --seed 1 --out ~/new-bells")(sample)
    app.command(epilog="Example: distill encode bells.distill bell.wav bell.npz")(encode)
    app.command(epilog="Example: distill decode bells.distill bell.npz bell-again.wav")(decode)


def reconstruct(model: ModelFile, source: SoundFile, target: WavFile) -> None:
    """Send a sound through a model and back: what of it the model has understood."""
    _check_wav(target)
    if target.exists() and target.samefile(source):
        raise typer.BadParameter("OUT would overwrite IN. Choose another name.")
    audio = _read(source)

    from distill.models.persistence import open_model

    _write(target, open_model(model).reconstruct(audio))


def sample(
    model: ModelFile,
    count: Annotated[int, typer.Option(min=1, max=MAX_SAMPLES, help="How many sounds, one second each.")] = 4,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=2**31, show_default=False, help="The same seed gives the same sounds; else by chance."),
    ] = None,
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder to write to.")] = Path(),
) -> None:
    """Make new sounds from random latents.  The file names hold the seed that brings them back."""
    from distill.models.persistence import open_model

    chosen = secrets.randbelow(2**31) if seed is None else seed
    sounds = open_model(model).sample(count, seed=chosen)
    for number, sound in enumerate(sounds):
        _write(out / f"{paths.slug(model.stem)}_seed{chosen}_{number:02d}.wav", sound[None])


def encode(model: ModelFile, source: SoundFile, target: CodesFile) -> None:
    """Write the codes that a residual-VQ model hears in a sound: a NumPy archive, described in the README."""
    if target.suffix.lower() != ".npz":
        raise typer.BadParameter(f"CODES is written as a NumPy archive, so its name must end in .npz: {target}")
    audio = _read(source)

    from distill.models.codes import save_codes
    from distill.models.persistence import load_model_v2

    codes = load_model_v2(model).encode(audio)
    with _writing(target):
        save_codes(target, codes)
    print(target)


def decode(model: ModelFile, source: CodesFile, target: WavFile) -> None:
    """Turn codes back into the sound that their residual-VQ model hears in them."""
    _check_wav(target)
    from distill.models.codes import load_codes
    from distill.models.persistence import load_model_v2

    codes = load_codes(source)
    _write(target, load_model_v2(model).decode(codes))


def _check_wav(target: Path) -> None:
    if target.suffix.lower() != ".wav":
        raise typer.BadParameter(f"OUT is written as a WAV file, so its name must end in .wav: {printable(target)}")


def _read(source: Path) -> "Tensor":
    """Return a sound ``[1, 1, N]``."""
    from distill.audio.io import decode_sound
    from distill.errors import SoundError

    try:
        audio = decode_sound(source)
    except SoundError as error:
        raise DistillError(f"{source} cannot be used: {error}") from error

    import torch

    return torch.from_numpy(audio)[None, None]


def _write(target: Path, sound: "Tensor") -> None:
    """Write a sound ``[1, 1, N]``, made softer where it would clip."""
    from distill.audio.io import write_wav

    audio = sound[0, 0].cpu().numpy()
    with _writing(target):
        write_wav(target, audio / max(1.0, float(abs(audio).max())))
    print(target)


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DistillError(f"{target} cannot be written: {error.strerror or error}.") from error
