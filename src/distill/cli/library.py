"""``distill models ...``: the library of kept models in the terminal."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distill import paths
from distill.cli.output.printable_text import count_of, duration, printable
from distill.errors import DistillError, LibraryError
from distill.names import checked_name

if TYPE_CHECKING:
    from distill.library.model_library import ModelEntry, ModelLibrary

_WHICH = "A model of the library: its name, the beginning of its id, or its file."
Which = Annotated[str, typer.Argument(metavar="MODEL", help=_WHICH)]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a line for each model, for a program.")]

models = typer.Typer(
    name="models",
    help="The models that you keep: list, look at, rename, delete, hand on.",
    epilog="Example: distill models list bells",
    rich_markup_mode=None,
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    app.add_typer(models)


@models.command("list", epilog="Example: distill models list bells --json")
def list_models(
    text: Annotated[str, typer.Argument(help="Words to look for in names, tags, notes and sounds.")] = "",
    as_json: AsJson = False,
) -> None:
    """List the models, the newest first; those that cannot be used with the reason."""
    entries = [entry for entry in _library().list() if entry.matches(text)]
    if as_json:
        _print_json(entries)
        return
    for entry in entries:
        print(_line(entry))
    print(f"{count_of(len(entries), 'model', 'models')} in {printable(paths.models_dir())}.")


@models.command(epilog="Example: distill models info bells")
def info(which: Which, as_json: AsJson = False) -> None:
    """Show all that is known of a model."""
    entry = _library().find(which)
    if as_json:
        _print_json([entry])
        return
    facts = entry.facts
    rows: dict[str, Any] = {
        "Name": entry.name,
        "Problem": entry.problem,
        "Family": facts.family,
        "Id": facts.model_id,
        "Trained": facts.trained,
        "Saved": facts.saved,
        "Sounds": f"{facts.sounds} of {facts.dataset!r}, {duration(facts.sounds_s)} together" if facts.sounds else "",
        "Epochs": facts.epochs or "",
        "Losses": ", ".join(f"{name} {value:.4f}" for name, value in _losses(entry)),
        "Codebook": _codebook(entry),
        "Stereo": "yes" if facts.is_stereo else "",
        "Tags": ", ".join(entry.tags),
        "Starred": "yes" if entry.starred else "",
        "Notes": entry.notes,
        "File": entry.path,
        "Size": f"{entry.file_bytes / 1e6:.1f} MB",
    }
    for label, value in rows.items():
        if value:
            print(f"{label + ':':<9} {printable(value)}")


@models.command(epilog='Example: distill models rename bells "Glass bells"')
def rename(which: Which, name: Annotated[str, typer.Argument(help="The new name.")]) -> None:
    """Give a model another name; its file keeps its own."""
    library = _library()
    entry = library.rename(library.find(which), checked_name(name))
    print(f"{printable(entry.path)} is now called {printable(entry.name)}.")


@models.command(epilog="Example: distill models delete bells")
def delete(which: Which) -> None:
    """Move a model to the system's trash."""
    library = _library()
    deletion = library.delete(library.find(which))
    print(f"{printable(deletion.original.name)} is in the trash.", end="")
    print(f' Bring it back with: distill models restore "{printable(deletion.name)}"' if deletion.in_trash else "")


@models.command(epilog="Example: distill models restore bells")
def restore(name: Annotated[str, typer.Argument(help="Name or file name of a deleted model.")]) -> None:
    """Take a model back out of the trash."""
    library = _library()
    print(printable(library.restore(library.find_deletion(name)).path))


@models.command("export", epilog="Example: distill models export bells ~/for-a-friend")
def export_model(
    which: Which,
    target: Annotated[Path, typer.Argument(metavar="OUT", help="A folder, or a name that ends in .distill.")],
) -> None:
    """Write a copy of a model for somebody else, with its name, tags and notes; nothing is overwritten."""
    library = _library()
    print(printable(library.export(library.find(which), target)))


@models.command("import", epilog="Example: distill models import ~/Downloads/bells.distill")
def import_models(
    files: Annotated[list[Path], typer.Argument(metavar="FILES", exists=True, dir_okay=False, help=".distill files.")],
) -> None:
    """Copy model files into the library, after checking them.  Nothing in them is executed."""
    library = _library()
    refused: list[str] = []
    for path in files:
        try:
            print(printable(library.import_file(path).path))
        except DistillError as error:
            refused.append(str(error))
        except OSError as error:
            refused.append(f"{path} cannot be imported ({error.strerror or error}).")
    if refused:
        share = f" Imported: {len(files) - len(refused)} of {len(files)} files." if len(files) > 1 else ""
        raise LibraryError(" ".join(refused) + share)


def _library() -> "ModelLibrary":
    from distill.library.model_library import ModelLibrary

    return ModelLibrary(paths.models_dir())


def _print_json(entries: "list[ModelEntry]") -> None:
    for entry in entries:
        print(json.dumps(entry.to_dict(), allow_nan=False))


def _line(entry: "ModelEntry") -> str:
    star = "*" if entry.starred else " "
    if entry.problem is not None:
        return f"{star} {printable(entry.path.name)}  cannot be used: {printable(entry.problem)}"
    facts = entry.facts
    loss = "".join(f"  loss {value:.4f}" for _, value in _losses(entry)[-1:])
    tags = f"  [{printable(', '.join(entry.tags))}]" if entry.tags else ""
    return (
        f"{star} {printable(entry.shown_name):<32}  {facts.model_id[:8]}  {facts.family:<11}  {facts.saved[:10]}  "
        f"{facts.sounds:4d} sounds  {facts.epochs:5d} epochs{loss}{tags}"
    )


def _losses(entry: "ModelEntry") -> list[tuple[str, float]]:
    pairs = (("training", entry.facts.train_loss), ("held-out", entry.facts.val_loss))
    return [(name, value) for name, value in pairs if value is not None]


def _codebook(entry: "ModelEntry") -> str:
    health = entry.facts.codebook
    if health is None:
        return ""
    return (
        f"{health['levels']:.0f} levels, {health.get('utilization', 0):.0%} used, perplexity "
        f"{health.get('perplexity', 0):.0f}, {health['dead_codes']:.0f} entries unused"
    )
