"""``distill train``, ``resume`` and ``finish``: runs from the terminal."""

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from distill import paths
from distill.cli.inspection.doctor import Fix, doctor_fixes
from distill.cli.new_run import (
    NamingTurn,
    Origin,
    StartEpoch,
    StartFrom,
    dataset_name,
    find_sounds,
    free_run_name,
    set_options,
)
from distill.cli.options import (
    Batch,
    Device,
    Epochs,
    Family,
    Json,
    OptionalSounds,
    Patience,
    Precision,
    Preset,
    Seed,
    Threads,
    existing_folder,
)
from distill.cli.output.printable_text import count_of, printable
from distill.cli.output.run_display import make_display
from distill.cli.run_engine import STOPPING, joined, run_engine, run_shared, say, stoppable
from distill.events import Event
from distill.names import checked_name

#: What a run that could not begin leaves in its folder, and what file managers put into any.
_OF_A_RUN = {"run.lock", "training.json", "checkpoints", "previews", ".DS_Store", "desktop.ini", "Thumbs.db"}


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(epilog="Example: distill train ~/sounds/bells --epochs 300 --name bells")(train)
    app.command(epilog="Example: distill resume ~/runs/bells --epochs 500")(resume)
    app.command(epilog="Example: distill finish ~/runs/bells")(finish)


def train(
    context: typer.Context,
    sounds: OptionalSounds = None,
    family: Family = "vae",
    epochs: Epochs = None,
    patience: Patience = None,
    preset: Preset = "auto",
    device: Device = "auto",
    precision: Precision = "auto",
    threads: Threads = "auto",
    batch: Batch = None,
    out: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="New folder for the run; without it one is made in your data folder."),
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the run and its model; without it that of the sounds.")] = "",
    seed: Seed = 0,
    demo: Annotated[bool, typer.Option("--demo", help="Train on Distill's own demo sounds.")] = False,
    fix: Fix = None,
    start: StartFrom = None,
    start_epoch: StartEpoch = None,
    as_json: Json = False,
) -> None:
    """Train a new model on sounds.  Ctrl-C stops with a checkpoint; distill resume goes on from there."""
    given = list(sounds or [])
    origin = Origin.of(start, start_epoch, set_options(context))
    if not given and not demo:
        given = origin.sounds()
    if not given and not demo:
        raise typer.BadParameter("Name the sounds to train on, or give --demo to train on the demo sounds.")
    dataset, name = dataset_name(given, demo), checked_name(name)
    from distill.runs.folder import new_run_dir

    run_dir = out if out is not None else new_run_dir(name or dataset)
    _refuse_inside(run_dir, given)
    _refuse_foreign(run_dir)

    from distill.audio.decoding.sound_fix import SoundFix
    from distill.config.factory import make_config

    settings: dict[str, Any] = {"device": device, "precision": precision, "num_threads": threads, "seed": seed}
    settings |= {} if batch is None else {"batch_size": batch}
    settings |= {} if patience is None else {"patience": patience}
    family = origin.family or family
    make_config(family, 1, preset, epochs, **settings)  # a wrong setting is told before any sound is read
    with stoppable(STOPPING) as stop, joined(stop) as ranks, closing(NamingTurn()) as naming:

        def look() -> tuple[list[str], int, str, str, list[tuple[str, dict[str, Any]]]]:
            files, usable = find_sounds(given, demo, stop, as_json)
            fixes = doctor_fixes(files, fix or [], stop)
            changed = [(str(path), item.to_dict()) for path, item in fixes.items()]
            naming.take(stop)
            folder = run_dir if out is not None else new_run_dir(name or dataset)
            say(f"{count_of(usable, 'sound', 'sounds')}. The run goes to {printable(folder)}", as_json)
            run_name = free_run_name(name or dataset, folder, as_json)
            return [str(path) for path in files], usable, str(folder), run_name, changed

        files, usable, folder, run_name, changed = ranks.on_first(look)
        config = origin.fit(make_config(family, max(usable, 1), preset, epochs, **settings))
        fixes = {Path(path): SoundFix.from_dict(item) for path, item in changed}

        from distill.training.loop import train as run_training

        def run(show: Callable[[Event], None]) -> dict[str, Any]:
            def named(event: Event) -> None:
                naming.close()  # the run's record is on disk before its first event
                show(event)

            return run_training(
                config, [Path(path) for path in files], Path(folder), device, callback=named, cancel_event=stop,
                models_dir=paths.models_dir(), dataset_name=dataset, model_name=run_name, fixes=fixes,
                start_from=origin.path,
            )  # fmt: skip

        run_shared(run, as_json, config.max_epochs, stop, ranks)


def resume(
    run: Annotated[Path, typer.Argument(metavar="RUN", exists=True, file_okay=False, help="The folder of a run.")],
    epochs: Epochs = None,
    sounds: Annotated[
        Path | None,
        typer.Option(
            "--sounds",
            metavar="FOLDER",
            parser=existing_folder,
            show_default=False,
            help="The folder where the sounds are now, if they were moved or renamed.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Continue a run from its newest whole checkpoint; --epochs extends it."""
    with stoppable(STOPPING) as stop, joined(stop) as ranks:
        from distill.training.loop import resume_run

        def run_on(show: Callable[[Event], None]) -> dict[str, Any]:
            return resume_run(
                run, callback=show, cancel_event=stop, max_epochs=epochs, models_dir=paths.models_dir(), sounds=sounds
            )

        run_shared(run_on, as_json, epochs, stop, ranks)


def finish(
    run: Annotated[Path, typer.Argument(metavar="RUN", exists=True, file_okay=False, help="The folder of a run.")],
    as_json: Json = False,
) -> None:
    """Finish a stopped run with the epochs that it has made, and write its whole model, with map and sliders."""
    from distill.runs.record_changes import mark_finished, parts_missing_text

    if mark_finished(run):
        say(f"Finished. Model: {printable(run / 'model.distill')}", as_json)
        if text := parts_missing_text(run):
            say(text, as_json)
        return
    with stoppable(STOPPING) as stop:
        from distill.training.loop import resume_run
        from distill.training.stop_request import StopRequest

        def end(show: Callable[[Event], None]) -> dict[str, Any]:
            request = StopRequest(pause_requested=stop)
            request.finish()
            return resume_run(run, callback=show, cancel_event=request, models_dir=paths.models_dir())

        run_engine(end, make_display(as_json, None), stop, as_json)


def _refuse_foreign(run_dir: Path) -> None:
    """Refuse a folder that holds something else than a run: a run's folder is its own."""
    try:
        foreign = sorted(path.name for path in run_dir.iterdir() if path.name not in _OF_A_RUN)
    except OSError:  # it is not there yet, or the run will say what is wrong with it
        return
    if foreign and not (run_dir / "run.json").exists():
        raise typer.BadParameter(
            f"The folder {printable(run_dir)} is not empty: it holds {printable(foreign[0])}. Choose a new or empty "
            f"folder with --out, for example {printable(run_dir / 'run')}."
        )


def _refuse_inside(run_dir: Path, given: list[Path]) -> None:
    """Refuse a run's folder inside a folder of sounds: its previews would become sounds of the next run."""
    target = Path(os.path.realpath(run_dir))
    for folder in given:
        if folder.is_dir() and target.is_relative_to(os.path.realpath(folder)):
            raise typer.BadParameter(
                f"The run's folder {printable(run_dir)} would lie inside the folder of sounds {printable(folder)}. "
                "Choose another one with --out."
            )
