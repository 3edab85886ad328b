"""``distill queue ...``: several runs one after the other, overnight."""

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distill import paths
from distill.cli.inspection.doctor import Fix, doctor_fixes
from distill.cli.new_run import NamingTurn, Origin, StartEpoch, StartFrom, dataset_name, find_sounds, names_in_use
from distill.cli.options import (
    Batch,
    Device,
    Epochs,
    Families,
    Json,
    OptionalSounds,
    Patience,
    Precision,
    Preset,
    Seeds,
    Threads,
)
from distill.cli.output.printable_text import count_of, printable
from distill.cli.output.run_display import make_display
from distill.cli.run_engine import STOPPING, engine_outcome, say, stoppable
from distill.errors import DistillError, NoAnswer, QueueError
from distill.events import Event
from distill.names import checked_name, free_name
from distill.process.stop_signals import EXIT_STOPPED

if TYPE_CHECKING:
    from distill.runs.queue import QueueEntry, QueueState, RunQueue

#: Fewest characters of an id: what is shorter is a number in the list.
_SHORTEST_ID = 4

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a line for each run, for a program.")]

queue = typer.Typer(
    name="queue",
    help="Several runs one after the other, overnight: add, list, move, remove, pause, run.",
    epilog="Example: distill queue add ~/sounds/bells --family vae --family vqvae, then: distill queue run",
    rich_markup_mode=None,
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    app.add_typer(queue)


@queue.command(epilog="Example: distill queue add ~/sounds/bells --family vae --family vqvae --seed 1 --seed 2")
def add(
    sounds: OptionalSounds = None,
    family: Families = None,
    epochs: Epochs = None,
    patience: Patience = None,
    preset: Preset = "auto",
    device: Device = "auto",
    precision: Precision = "auto",
    threads: Threads = "auto",
    batch: Batch = None,
    name: Annotated[str, typer.Option(help="Name of the run and its model; without it that of the sounds.")] = "",
    seed: Seeds = None,
    demo: Annotated[bool, typer.Option("--demo", help="Train on Distill's own demo sounds.")] = False,
    fix: Fix = None,
    start: StartFrom = None,
    start_epoch: StartEpoch = None,
) -> None:
    """Add a run for each family and seed.  Nothing is trained before: distill queue run.

    With --fix the sounds are examined now; sounds that come into a folder later are not fixed.
    """
    from distill.runs.queue import QueueEntry

    origin = Origin.of(start, start_epoch, {"family"} if family else ())
    given = [path.absolute() for path in sounds or []]
    if not given and not demo:
        given = origin.sounds()
    if not given and not demo:
        raise typer.BadParameter("Name the sounds to train on, or give --demo to train on the demo sounds.")
    title = checked_name(name) or dataset_name(given, demo)
    if demo:
        from distill.audio.demo.demo_sounds import write_demo_sounds

        given += [path.absolute() for path in write_demo_sounds()]
    changes: dict[str, Any] = {"device": device, "precision": precision, "num_threads": threads}
    changes |= {} if batch is None else {"batch_size": batch}
    changes |= {} if patience is None else {"patience": patience}
    families, seeds = family or [origin.family or "vae"], seed or [0]
    start_from = None if origin.path is None else origin.path.absolute()
    entries: list[QueueEntry] = []
    for key in families:
        for number in seeds:
            marks = [key] * (len(families) > 1) + [f"seed {number}"] * (len(seeds) > 1)
            wanted, settings = " ".join([title, *marks]), {**changes, "seed": number}
            entry = QueueEntry(wanted, tuple(given), key, preset, epochs, settings, {}, start_from)
            entry.config(1)  # a wrong setting is told now, and not in the middle of the night
            entries.append(entry)
    line = _queue()
    with stoppable("Stopping.") as stop, closing(NamingTurn()) as naming:
        fixes = doctor_fixes(find_sounds(given, False, stop, False)[0], fix or [], stop)
        if fix:
            print(f"Sounds that are fixed when they are read: {len(fixes)}. Your files stay as they are.")
        naming.take(stop)
        taken = names_in_use()
        for number, entry in enumerate(entries):
            entries[number] = replace(entry, name=free_name(entry.name, taken), fixes=fixes)
            taken.add(entries[number].name)
        line.add(entries)
    for entry in entries:
        print(f"Added {printable(entry.name)} ({entry.family}).")
    print(f"{count_of(line.read().waiting, 'run is', 'runs are')} waiting. Start them with: distill queue run")


@queue.command("list", epilog="Example: distill queue list --json")
def list_entries(as_json: AsJson = False) -> None:
    """List the runs of the queue in order."""
    line = _queue()
    state, is_worked_off = line.read(), line.is_worked_off()
    if state.is_unreadable:
        raise QueueError(
            f"The queue in {line.file} is damaged and cannot be read. It is kept beside it, as queue.damaged.json, "
            "when a run is added."
        )
    for number, entry in enumerate(state.entries, 1):
        if as_json:
            facts = {**entry.to_dict(), "number": number, "run": str(entry.run_dir) if entry.run else ""}
            print(json.dumps(facts, allow_nan=False))
        else:
            print(_line(number, entry, is_worked_off))
    if as_json:
        return
    if state.damaged:
        print(f"{count_of(state.damaged, 'entry is', 'entries are')} damaged and left out.")
    state_text = " The queue is paused." if state.is_paused else ""
    print(f"{state.waiting} of {count_of(len(state.entries), 'run is', 'runs are')} left to do.{state_text}")


@queue.command(epilog="Example: distill queue move 3 1")
def move(
    which: Annotated[str, typer.Argument(metavar="WHICH", help="Number in the list, or beginning of an id.")],
    position: Annotated[int, typer.Argument(min=1, help="Its new number in the list.")],
) -> None:
    """Move a run to another place."""
    line = _queue()
    entry = _find(line.read(), which)
    line.move(entry.id, position - 1)
    list_entries()


@queue.command(epilog="Example: distill queue remove 2 3")
def remove(
    which: Annotated[
        list[str] | None, typer.Argument(metavar="WHICH", help="Numbers in the list, or beginnings of ids.")
    ] = None,
    done: Annotated[bool, typer.Option("--done", help="Remove all that are finished or have failed.")] = False,
) -> None:
    """Take runs off the queue.  What they have trained stays in the list of runs."""
    line = _queue()
    state = line.read()
    entries = [_find(state, text) for text in which or []]
    entries += [entry for entry in state.entries if done and not entry.is_open]
    if not which and not done:
        raise typer.BadParameter("Say which: their numbers in the list, or --done for all that have ended.")
    line.remove(entry.id for entry in entries)
    print(f"{count_of(len({entry.id for entry in entries}), 'run was', 'runs were')} removed from the queue.")


@queue.command(epilog="Example: distill queue pause")
def pause() -> None:
    """Let no further run begin; the one that is training goes on to its end."""
    _queue().set_paused(True)
    print("The queue is paused. Go on with: distill queue run")


@queue.command(epilog="Example: distill queue run")
def run(as_json: Json = False) -> None:
    """Train what waits, one run after the other.  One that fails says why, and the next one begins.

    Ctrl-C stops the present run with a checkpoint; the next distill queue run goes on from there.  Where a model cannot
    be written, no further run begins.
    """
    from distill.runs.queue import FAILED, FINISHED, STOPPED, work_off

    line = _queue()
    with stoppable(STOPPING) as stop:

        def train(entry: "QueueEntry") -> str:
            if stop.is_set():
                return STOPPED
            try:
                return STOPPED if _train(entry, stop, as_json) else FINISHED
            except NoAnswer as error:
                say(printable(f"{error} The run has not begun."), as_json)
                return STOPPED

        def report(entry: "QueueEntry") -> None:
            say(f"\n{printable(entry.name)} ({entry.family}): {printable(entry.run_dir)}", as_json)

        ended = work_off(line, train, report)
    for entry in ended:
        word = "failed" if entry.status == FAILED else "could not be saved" if entry.problem else entry.status
        why = f": {printable(entry.problem)}" if entry.problem else ""
        say(f"{printable(entry.name)}: {word}{why}", as_json)
    if ended and ended[-1].status == STOPPED and ended[-1].problem:
        raise DistillError(
            f"The queue is paused, and {line.read().waiting} of its runs are left to do: the next model could not be "
            "written either. Make room, then go on with: distill queue run"
        )
    if ended and ended[-1].status == STOPPED:
        say("Go on with: distill queue run", as_json)
        raise typer.Exit(EXIT_STOPPED)
    failed = sum(entry.status == FAILED for entry in ended)
    if failed:
        raise DistillError(
            f"{failed} of {len(ended)} runs have failed. Fix the reasons listed above and add them again."
        )
    say(f"{count_of(len(ended), 'run is', 'runs are')} finished.", as_json)


def _queue() -> "RunQueue":
    from distill.runs.queue import RunQueue

    return RunQueue()


def _train(entry: "QueueEntry", stop: Any, as_json: bool) -> bool:
    """Train, or resume, the run of an entry; return whether it was stopped."""

    def begin(show: Callable[[Event], None]) -> dict[str, Any]:
        from distill.training.loop import resume_run, train

        shared: dict[str, Any] = {"callback": show, "cancel_event": stop, "models_dir": paths.models_dir()}
        if entry.is_begun:
            return resume_run(entry.run_dir, **shared)
        files, usable = entry.find_sounds(stop)
        config = entry.config(max(usable, 1))
        return train(
            config, files, entry.run_dir, config.device, dataset_name=entry.name, model_name=entry.name,
            fixes=entry.fixes, start_from=entry.start_from, **shared,
        )  # fmt: skip

    return engine_outcome(begin, make_display(as_json, entry.epochs), stop, as_json)[1]


def _find(state: "QueueState", text: str) -> "QueueEntry":
    """Return the entry that a user means; none, or several, are wrong usage."""
    if text.isdecimal() and 0 < int(text) <= len(state.entries):
        return state.entries[int(text) - 1]
    entries = [entry for entry in state.entries if len(text) >= _SHORTEST_ID and entry.id.startswith(text)]
    if len(entries) != 1:
        raise typer.BadParameter(f"No single run in the queue is meant by {text!r}. See: distill queue list")
    return entries[0]


def _line(number: int, entry: "QueueEntry", is_worked_off: bool) -> str:
    status = "interrupted" if entry.status == "running" and not is_worked_off else entry.status
    why = f": {printable(entry.problem)}" if entry.problem else ""
    sounds = f"{len(entry.sounds)} sounds or folders" if len(entry.sounds) > 1 else printable(entry.sounds[0])
    patience = entry.changes.get("patience")
    more = [] if patience is None else [f"patience {patience}"]
    more += [f"sounds fixed: {len(entry.fixes)}"] if entry.fixes else []
    more += [f"from {printable(entry.origin_text)}"] if entry.origin_text else []
    facts = "  ".join([f"{status}{why}", sounds, *more, entry.id[:8]])
    return f"{number:3d}  {printable(entry.name):<32}  {entry.family:<11}  {facts}"
