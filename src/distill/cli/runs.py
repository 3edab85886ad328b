"""``distill runs ...``: the runs on this computer, and the verdict on each."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distill.cli.output.printable_text import count_of, printable
from distill.config.family_catalog import family_info
from distill.metrics_history import AnyHistory

if TYPE_CHECKING:
    from distill.runs.run_record import RunRecord
    from distill.runs.summary import RunSummary
    from distill.runs.verdict import Verdict

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a line for each run, for a program.")]

runs = typer.Typer(
    name="runs",
    help="The runs on this computer: list them, and see how each one learns.",
    epilog="Example: distill runs show ~/runs/bells",
    rich_markup_mode=None,
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    app.add_typer(runs)


def verdict_on(history: AnyHistory, record: "RunRecord") -> "Verdict":
    """Return the verdict on a run, as the window shows it."""
    from distill.runs.verdict import judge, warm_up_epochs

    return judge(history.epochs, warm_up_epochs(record.config, record.kl_epochs or record.epochs_asked))


def verdict_line(run_dir: Path, history: AnyHistory) -> str:
    """Return the verdict on a run that has ended, as a line."""
    from distill.runs.run_record import RunRecord

    record = RunRecord.load(run_dir)
    verdict = verdict_on(history, record)
    return f"Verdict: {verdict.sentence(record.status == 'finished', record.epochs_asked)}"


@runs.command("list", epilog="Example: distill runs list")
def list_all(as_json: AsJson = False) -> None:
    """List the runs of the data folder, the newest first."""
    from distill.runs.summary import list_runs

    summaries = list_runs()
    for run in summaries:
        if as_json:
            print(json.dumps(_facts(run)))
            continue
        best = "" if run.progress.best_loss is None else f"  held out {run.progress.best_loss:.4f}"
        epochs = f"epoch {run.progress.epochs}/{run.epochs_asked}"
        print(f"{run.status:12s}  {epochs:16s}  {printable(run.name)}  {run.family}{best}  {printable(run.folder)}")
    if not as_json:
        print(f"{count_of(len(summaries), 'run', 'runs')}.")


@runs.command(epilog="Example: distill runs show ~/runs/bells")
def show(
    run: Annotated[Path, typer.Argument(metavar="RUN", exists=True, file_okay=False, help="The folder of a run.")],
    as_json: AsJson = False,
) -> None:
    """Show how a run learns: where it stands, its best epoch, and the verdict."""
    from distill.runs.run_history import read_history
    from distill.runs.run_owner import is_locked
    from distill.runs.run_record import RunRecord
    from distill.runs.summary import summarise

    record, summary, history = RunRecord.load(run), summarise(run), read_history(run)
    verdict = verdict_on(history, record)
    is_over = record.status == "finished" and not is_locked(run)
    if as_json:
        facts = {"verdict": str(verdict.kind), "since_epoch": _counted(verdict.since), "best": _counted(verdict.best)}
        sentence = verdict.sentence(is_over, record.epochs_asked)
        print(json.dumps({**_facts(summary), **facts, "sentence": sentence}))
        return
    rows = {
        "Name": summary.name,
        "Family": family_info(record.config.family).label,
        "Sounds": str(summary.sounds),
        "Status": summary.status,
        "Epochs": f"{summary.progress.epochs} of {summary.epochs_asked}",
        "Patience": f"{record.config.patience} epochs" if record.config.patience else "off",
    }
    if verdict.best is not None and summary.progress.best_loss is not None:
        rows["Best"] = f"epoch {verdict.best + 1}, loss on held-out sounds {summary.progress.best_loss:.4f}"
    rows["Verdict"] = verdict.sentence(is_over, record.epochs_asked)
    for name, value in rows.items():
        print(f"{name + ':':10s}{printable(value)}")


def _facts(run: "RunSummary") -> dict[str, object]:
    return {
        "folder": str(run.folder),
        "name": run.name,
        "status": run.status,
        "family": run.family,
        "epochs": run.progress.epochs,
        "epochs_asked": run.epochs_asked,
        "best_loss": run.progress.best_loss,
    }


def _counted(epoch: int | None) -> int | None:
    """Return an epoch as people count it."""
    return None if epoch is None else epoch + 1
