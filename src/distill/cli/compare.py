"""``distill compare``: two to four runs side by side in the terminal."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distill import paths
from distill.cli.output.printable_text import duration, printable
from distill.errors import DistillError, RunFolderError

if TYPE_CHECKING:
    from distill.runs.comparison import ComparedRun, Comparison

#: What stands for a figure that there is not.
_NONE = "–"
#: Widest column of a run.
_MOST_WIDTH = 28

Runs = Annotated[list[str], typer.Argument(metavar="RUN RUN", help="Folders of runs, or names of your runs.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, for a program.")]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog="Example: distill compare bells 'bells 2'")(compare)


def compare(runs: Runs, as_json: AsJson = False) -> None:
    """Show what two to four runs differ in, and how they came out."""
    from distill.runs.comparison import FEWEST_RUNS, MOST_RUNS, Comparison

    if not FEWEST_RUNS <= len(runs) <= MOST_RUNS:
        raise typer.BadParameter(f"{FEWEST_RUNS} to {MOST_RUNS} runs can be compared, not {len(runs)}.")
    try:
        comparison = Comparison.read([_folder(text) for text in runs])
    except RunFolderError as error:
        raise DistillError(str(error)) from error
    if as_json:
        print(json.dumps(_plain(comparison), allow_nan=False))
        return
    rows = [("", [run.name for run in comparison.runs]), *_results(comparison)]
    differing = [(row.label, list(row.values)) for row in comparison.differences()]
    width = max(len(label) for label, _ in [*rows, *differing])
    widths = [
        min(_MOST_WIDTH, max(len(values[n]) for _, values in [*rows, *differing])) for n in range(len(comparison.runs))
    ]
    for label, values in rows:
        print(_line(label, values, width, widths))
    if differing:
        print("\nSettings that differ")
        for label, values in differing:
            print(_line(label, values, width, widths))
    else:
        print("\nTheir settings are the same.")
    if not comparison.has_same_loss:
        print("\nLosses of different families measure different things: compare these by ear.")


def _results(found: "Comparison") -> list[tuple[str, list[str]]]:
    """Return the rows of what came out."""
    return [
        ("Status", [run.summary.status for run in found.runs]),
        ("Epochs made", [str(len(run.curve)) for run in found.runs]),
        ("Best held-out loss", [f"{run.best.loss:.4f}" if run.best else _NONE for run in found.runs]),
        ("In epoch", [str(run.best.epoch) if run.best else _NONE for run in found.runs]),
        ("After", [duration(run.best.seconds) if run.best else _NONE for run in found.runs]),
        ("Last held-out loss", [f"{run.curve[-1].loss:.4f}" if run.curve else _NONE for run in found.runs]),
        ("Trained for", [duration(run.seconds) for run in found.runs]),
    ]


def _line(label: str, values: list[str], width: int, widths: list[int]) -> str:
    cells = (_short(printable(value), size).ljust(size) for value, size in zip(values, widths, strict=True))
    return f"{label:<{width}}  {'  '.join(cells)}".rstrip()


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _plain(found: "Comparison") -> dict[str, Any]:
    def facts(run: "ComparedRun") -> dict[str, Any]:
        return {
            "name": run.name, "folder": str(run.folder), "family": run.record.config.family,
            "status": run.summary.status, "sounds": run.summary.sounds, "epochs": len(run.curve),
            "best": run.best._asdict() if run.best else None, "seconds": run.seconds,
            "curve": [point._asdict() for point in run.curve],
        }  # fmt: skip

    return {
        "runs": [facts(run) for run in found.runs],
        "differing": [{"setting": row.label, "values": list(row.values)} for row in found.differences()],
        "same_loss": found.has_same_loss,
    }


def _folder(text: str) -> Path:
    """Return the folder of a run that a user names; none, or several of this name, are wrong usage."""
    for folder in (Path(text), paths.runs_dir() / text):
        if os.path.isdir(folder):  # noqa: PTH112 - `Path.is_dir` fails at a name that is too long
            return folder
    from distill.runs.summary import list_runs

    folders = [run.folder for run in list_runs() if run.name == text]
    if len(folders) == 1:
        return folders[0]
    if folders:
        raise typer.BadParameter(f"{len(folders)} runs are called {text!r}. Name the folder of the one that you mean.")
    raise typer.BadParameter(f"There is no run {text!r}. Give the folder of a run, or the name that the window shows.")
