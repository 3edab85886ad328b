"""Options and arguments of the commands; settings take their help and range from the configuration's fields."""

import os
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from distill.audio.export_options import FORMATS, RATES
from distill.config.family_catalog import FAMILIES
from distill.config.training import OverfittingPreset, RunConfig

_FIELDS = {item.name: item for item in fields(RunConfig)}


def expand_home(argument: str) -> str:
    """Return an argument with a leading ``~`` expanded, which no shell does within quotes and behind ``--out=``."""
    option, separator, value = argument.partition("=") if argument.startswith("--") else ("", "", argument)
    if value != "~" and not value.startswith(("~/", f"~{os.sep}")):
        return argument
    return option + separator + os.path.expanduser(value)  # noqa: PTH111 - pathlib would tidy the rest of the text


def given_options(context: typer.Context, *names: str) -> frozenset[str]:
    """Return those of the parameters ``names`` that were given on the command line, if only with their default."""
    # By name: typer brings a copy of click, whose type is another.
    sources = {name: context.get_parameter_source(name) for name in names}
    return frozenset(name for name, source in sources.items() if getattr(source, "name", "") == "COMMANDLINE")


def _help_of(name: str) -> str:
    return str(_FIELDS[name].metadata["help"])


def _number(name: str, flag: str) -> Any:
    """Return an option for a whole-number setting."""
    meta = _FIELDS[name].metadata
    return typer.Option(flag, help=meta["help"], min=int(meta["low"]), max=int(meta["high"]), show_default=False)


def _choice(flag: str, help_text: str, *choices: str) -> Any:
    """Return an option that takes one of some words."""

    def parse(text: str) -> str:
        if text not in choices:
            raise typer.BadParameter(f"{text!r} is not one of {', '.join(choices)}.")
        return text

    return typer.Option(flag, help=f"{help_text} One of {', '.join(choices)}.", parser=parse, metavar="NAME")


def _optional_choice(flag: str, help_text: str, *choices: str) -> Any:
    """Return an option that takes one of some words, or is left out."""
    option = _choice(flag, help_text, *choices)
    option.show_default = False
    return option


def _threads(text: str) -> int | str:
    meta = _FIELDS["num_threads"].metadata
    if text == "auto":
        return text
    if not text.isdecimal() or not meta["low"] <= int(text) <= meta["high"]:
        raise typer.BadParameter(f"{text!r} is neither auto nor a whole number from {meta['low']} to {meta['high']}.")
    return int(text)


def existing(text: str) -> Path:
    """Return a path that is there; an empty one, as of a variable that is not set, is not the current folder."""
    if not text:
        raise typer.BadParameter("an empty name is no file or folder.")
    if not os.path.exists(text):  # noqa: PTH110 - `Path.exists` may fail
        raise typer.BadParameter(f"path {text!r} does not exist.")
    return Path(text)


def existing_folder(text: str) -> Path:
    """Return a folder that is there; see `existing`."""
    path = existing(text)
    if not path.is_dir():
        raise typer.BadParameter(f"path {text!r} is not a folder.")
    return path


_SOUNDS = typer.Argument(metavar="SOUNDS", parser=existing, help="Sound files, and folders of them.")
Sounds = Annotated[list[Path], _SOUNDS]
OptionalSounds = Annotated[list[Path] | None, _SOUNDS]
SoundFile = Annotated[
    Path, typer.Argument(metavar="IN", exists=True, dir_okay=False, readable=False, help="A sound file.")
]
ModelFile = Annotated[
    Path, typer.Argument(metavar="MODEL", exists=True, dir_okay=False, readable=False, help="A .distill file.")
]

Family = Annotated[str, _choice("--family", _help_of("family"), *(row.key for row in FAMILIES))]
Families = Annotated[
    list[str] | None,
    _optional_choice("--family", f"{_help_of('family')} Several, one after the other.", *(row.key for row in FAMILIES)),
]
Preset = Annotated[
    str, _choice("--preset", f"{_help_of('preset')} auto goes by the number of sounds.", "auto", *OverfittingPreset)
]
Epochs = Annotated[int | None, _number("max_epochs", "--epochs")]
Patience = Annotated[int | None, _number("patience", "--patience")]
Batch = Annotated[int | None, _number("batch_size", "--batch")]
Seed = Annotated[int, _number("seed", "--seed")]
Seeds = Annotated[list[int] | None, _number("seed", "--seed")]
Device = Annotated[str, typer.Option("--device", help=_help_of("device"))]
Precision = Annotated[str, _choice("--precision", _help_of("precision"), *_FIELDS["precision"].metadata["choices"])]
Threads = Annotated[Any, typer.Option("--threads", help=_help_of("num_threads"), parser=_threads, metavar="N|auto")]
ExportedFormat = Annotated[
    str | None,
    _optional_choice(
        "--format",
        "Kind of sound file; without it by the file's name, and wav16 in a folder.",
        *(f.key for f in FORMATS),
    ),
]
Rate = Annotated[int, typer.Option("--rate", help=f"Samples a second: {', '.join(map(str, RATES))}.")]
Stereo = Annotated[
    bool,
    typer.Option(
        "--stereo",
        help="Write two channels; a mono sound is widened. Without --stereo and --mono: what the model generates.",
    ),
]
Mono = Annotated[bool, typer.Option("--mono", help="Write one channel.")]
Json = Annotated[bool, typer.Option("--json", help="Print each event as one JSON object on a line, and nothing else.")]
