"""``distill train`` and its sisters: what the window does, in a terminal.

The engine is the same, and so are its files: a run that was started here can be resumed in the window, and the other
way round.  torch is imported inside the commands that need it, so that help and wrong usage answer at once.

Exit codes: 0 finished, 130 stopped by the user with a checkpoint written, 1 failed with one sentence, 2 wrong usage: a
value that no run or sound can have, options that exclude each other, or the name of something that is not there.
"""

import errno
import io
import os
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distill import __version__, diagnostics, paths
from distill.cli import compare, generate, library, map_and_kit, play, queue, runs
from distill.cli.inspection.doctor import Fix, InspectJson, chosen_fixes, find_faults, print_findings, print_json
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
    Sounds,
    Threads,
    existing_folder,
    given_options,
)
from distill.cli.output import lenient_streams, only_prints, open_missing_streams
from distill.cli.running import (
    STOPPING,
    NamingTurn,
    dataset_name,
    find_sounds,
    joined,
    names_in_use,
    run_engine,
    run_shared,
    say,
    say_number,
    stoppable,
)
from distill.cli.starting_model import Origin, StartEpoch, StartFrom, set_options
from distill.cli.terminal import count_of, duration, make_display, printable, printable_lines
from distill.computing.waiting import wait_for
from distill.distributed.launch import leave_word_to_first
from distill.errors import ConfigurationError, DistillError, UnknownModelError, is_memory_error
from distill.events import Event
from distill.housekeeping import tidy_own_folders
from distill.runtime import EXIT_STOPPED

if TYPE_CHECKING:
    from distill.audio.cache.sound_cache import SoundCache
    from distill.audio.scan_result import ScanResult, SoundEntry

#: What a run that could not begin leaves in its folder, and what file managers put into any.
_OF_A_RUN = {"run.lock", "training.json", "checkpoints", "previews", ".DS_Store", "desktop.ini", "Thumbs.db"}
#: Characters of a name that is too long for a file.
_SHOWN_OF_A_NAME = 60
_NO_MEMORY = "distill: there is not enough memory for this. Close other programs, then try again."

app = typer.Typer(
    name="distill",
    help="Train a small audio model on your own sounds, and hear it learn.",
    epilog="Without a command the window opens: distill, or distill FOLDER to open it on a folder of sounds. "
    "A window that is open already comes to the front; distill --new-window opens another one.",
    add_completion=False,
    rich_markup_mode=None,  # plain text: what is wrong on one line, for people and for logs
    context_settings={"help_option_names": ["-h", "--help"]},
)

generate.register(app)
library.register(app)
runs.register(app)
map_and_kit.register(app)
play.register(app)
queue.register(app)
compare.register(app)


def main(arguments: list[str]) -> int:
    """Run a command line and return the exit code."""
    open_missing_streams()
    with lenient_streams() as output:
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")  # a file name may hold what the terminal cannot show
        tidy_own_folders()
        code = _main(arguments)
        try:
            sys.stdout.flush()
        except BrokenPipeError:  # whoever reads it has enough, and knows it
            code = 1 if code == 0 and only_prints(arguments) else code
        if output is not None and output.error is not None:
            reason = output.error.strerror or output.error
            print(f"distill: what was to be printed could not be written ({reason}).", file=sys.stderr)
            if code == 0 and only_prints(arguments):  # what others print tells of what they have done
                code = 1
    return code


def _main(arguments: list[str]) -> int:
    words = [_expanded(argument) for argument in arguments]
    try:
        code = typer.main.get_command(app)(words, prog_name="distill", standalone_mode=False)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    except DistillError as error:
        leave_word_to_first()
        print(f"distill: {printable(error)}", file=sys.stderr)
        return 2 if isinstance(error, (ConfigurationError, UnknownModelError)) else 1
    except Exception as error:  # the border: what gets here is a bug
        try:
            return _print_error(error)
        except MemoryError:  # there is not even enough for a report
            print(_NO_MEMORY, file=sys.stderr)
            return 1
    return code if isinstance(code, int) else 0


def _print_error(error: Exception) -> int:
    """Print what went wrong, and return the exit code."""
    if hasattr(error, "format_message"):  # by what it has: typer brings a copy of click, whose types are others
        return _show_wrong_usage(error)
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        name = printable(error.filename or "of a file")[:_SHOWN_OF_A_NAME]
        print(f"distill: The name {name}… is too long. Choose a shorter one.", file=sys.stderr)
        return 1
    if is_memory_error(error):
        print(_NO_MEMORY, file=sys.stderr)
        return 1
    diagnostics.start()
    bug_report = diagnostics.report(error)
    print(
        f"distill: something went wrong that should not ({printable(bug_report.summary)}). "
        f"Please report it with the log: {diagnostics.log_file()}",
        file=sys.stderr,
    )
    return 1


def _show_wrong_usage(error: Any) -> int:
    """Print what click says about wrong usage, which quotes arguments as they are; return the exit code."""
    leave_word_to_first()
    if type(error).__name__ != "NoArgsIsHelpError":  # whose message is the help of a group
        error.message = printable(error.message)
    text = io.StringIO()
    error.show(text)
    print(printable_lines(text.getvalue()), file=sys.stderr)
    return int(error.exit_code)


def _expanded(argument: str) -> str:
    """Return an argument with a leading ``~`` expanded, which no shell does within quotes and behind ``--out=``."""
    option, separator, value = argument.partition("=") if argument.startswith("--") else ("", "", argument)
    if value != "~" and not value.startswith(("~/", f"~{os.sep}")):
        return argument
    return option + separator + os.path.expanduser(value)  # noqa: PTH111 - pathlib would tidy the rest of the text


# --- commands ----------------------------------------------------------------------------------------------------


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"distill {__version__}")
        raise typer.Exit


def _test_itself(wanted: bool) -> None:
    if wanted:
        from distill import selftest

        raise typer.Exit(selftest.run())


@app.callback()
def _all_commands(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
    selftest: Annotated[
        bool,
        typer.Option("--selftest", callback=_test_itself, is_eager=True, help="Check this installation and leave."),
    ] = False,
) -> None:
    pass


@app.command(epilog="Example: distill train ~/sounds/bells --epochs 300 --name bells")
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
    dataset, name = dataset_name(given, demo), paths.checked_name(name)
    run_dir = out if out is not None else paths.new_run_dir(name or dataset)
    _refuse_inside(run_dir, given)
    _refuse_foreign(run_dir)

    from distill.audio.decoding.fixes import SoundFix
    from distill.config.factory import make_config

    settings: dict[str, Any] = {"device": device, "precision": precision, "num_threads": threads, "seed": seed}
    settings |= {} if batch is None else {"batch_size": batch}
    settings |= {} if patience is None else {"patience": patience}
    family = origin.family or family
    make_config(family, 1, preset, epochs, **settings)  # a wrong setting is told before any sound is read
    with stoppable(STOPPING) as stop, joined(stop) as ranks, closing(NamingTurn()) as naming:

        def look() -> tuple[list[str], int, str, str, list[tuple[str, dict[str, Any]]]]:
            files, usable = find_sounds(given, demo, stop, as_json)
            fixes = chosen_fixes(files, fix or [], stop)
            changed = [(str(path), item.to_dict()) for path, item in fixes.items()]
            naming.take(stop)
            own_dir = run_dir if out is not None else paths.new_run_dir(name or dataset)
            say(f"{count_of(usable, 'sound', 'sounds')}. The run goes to {printable(own_dir)}", as_json)
            title = paths.free_name(name or dataset, names_in_use(own_dir))
            say_number(title, name or dataset, as_json)
            return [str(path) for path in files], usable, str(own_dir), title, changed

        files, usable, folder, title, changed = ranks.on_first(look)
        config = origin.fit(make_config(family, max(usable, 1), preset, epochs, **settings))
        fixes = {Path(path): SoundFix.from_dict(item) for path, item in changed}

        from distill.training.loop import train as run_training

        def run(show: Callable[[Event], None]) -> dict[str, Any]:
            def named(event: Event) -> None:
                naming.close()  # the run's record is on disk before its first event
                show(event)

            return run_training(
                config, [Path(path) for path in files], Path(folder), device, callback=named, cancel_event=stop,
                models_dir=paths.models_dir(), dataset_name=dataset, model_name=title, fixes=fixes,
                start_from=origin.path,
            )  # fmt: skip

        run_shared(run, as_json, config.max_epochs, stop, ranks)


@app.command(epilog="Example: distill resume ~/runs/bells --epochs 500")
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


@app.command(epilog="Example: distill finish ~/runs/bells")
def finish(
    run: Annotated[Path, typer.Argument(metavar="RUN", exists=True, file_okay=False, help="The folder of a run.")],
    as_json: Json = False,
) -> None:
    """Finish a stopped run with the epochs that it has made, and write its whole model, with map and sliders."""
    from distill.runs.actions import mark_finished, parts_missing_text

    if mark_finished(run):
        say(f"Finished. Model: {printable(run / 'model.distill')}", as_json)
        if text := parts_missing_text(run):
            say(text, as_json)
        return
    with stoppable(STOPPING) as stop:
        from distill.runs.stop_request import StopRequest
        from distill.training.loop import resume_run

        def end(show: Callable[[Event], None]) -> dict[str, Any]:
            request = StopRequest(paused=stop)
            request.finish()
            return resume_run(run, callback=show, cancel_event=request, models_dir=paths.models_dir())

        run_engine(end, make_display(as_json, None), stop, as_json)


@app.command(epilog="Example: distill inspect ~/sounds/bells")
def inspect(
    context: typer.Context,
    sounds: Sounds,
    as_json: InspectJson = False,
    with_estimate: Annotated[
        bool, typer.Option("--estimate", help="Also print what a run on them would take: time, memory, disk.")
    ] = False,
    family: Family = "vae",
    epochs: Epochs = None,
    preset: Preset = "auto",
) -> None:
    """Show what would be trained on: the usable files, those left out with the reason, and what is wrong with sounds.

    Every file is decoded.
    With --estimate, the family, epochs and preset of the run can be given too.
    """
    if not with_estimate and given_options(context, "family", "epochs", "preset"):
        raise typer.BadParameter("--family, --epochs and --preset are for --estimate: add it, or leave them out.")
    from distill.audio.cache.sound_cache import SoundCache
    from distill.audio.sound_scan import check_sounds, scan_sounds
    from distill.audio.stereo.channels import count_stereo
    from distill.cli.inspection.estimate import estimate_as_json, print_estimate
    from distill.config.factory import make_config
    from distill.training.data.split import MIN_DIVIDED_CHUNKS

    with stoppable("Stopping.") as stop:
        reasons: dict[Path, str | None] = {}
        cache = SoundCache()

        def read(_progress: object) -> "ScanResult":
            found = scan_sounds(sounds, cancel_event=stop)
            check_sounds(found.entries, cache, lambda entry, reason: reasons.update({entry.path: reason}), stop)
            return found

        found = wait_for(read, stop, sounds)
        if stop.is_set():
            raise typer.Exit(EXIT_STOPPED)
        usable = [entry for entry in found.entries if reasons[entry.path] is None]
        findings = find_faults([entry.path for entry in usable], cache, stop)
        stereo = count_stereo([cache.get(entry.path, stop) for entry in usable], stop)
    skipped = {sound.path: sound.reason for sound in found.skipped}
    skipped |= {path: reason for path, reason in reasons.items() if reason is not None}
    files = [entry.path for entry in usable]
    notes, is_enough = _sound_notes(files, cache), _can_be_trained_on(files, cache)
    if as_json:
        estimate = None
        if with_estimate and is_enough:
            with stoppable("Stopping.") as stop:
                estimate = estimate_as_json(files, make_config(family, len(files), preset, epochs), stop)
        print_json(usable, skipped, findings, stereo, notes, estimate)
    else:
        _print_inspection(usable, skipped, found.passed_over_text(), notes, stereo)
        print_findings(findings)
    if not is_enough:
        raise DistillError(
            f"Training needs at least two usable sounds, or one of at least {MIN_DIVIDED_CHUNKS} s. Add more sounds, "
            "or repair those left out."
        )
    if with_estimate and not as_json:
        with stoppable("Stopping.") as stop:
            print_estimate(files, make_config(family, len(files), preset, epochs), stop)


def _print_inspection(
    usable: "list[SoundEntry]", skipped: dict[Path, str], passed_over: str, notes: list[str], stereo: int
) -> None:
    from distill.audio.stereo.channels import stereo_text

    for entry in usable:
        sound = f"{entry.duration_s:8.2f} s  {entry.sample_rate:6d} Hz  {entry.channels} ch"
        print(f"usable   {sound}  {printable(entry.path)}")
    for note in notes:
        print(f"note     {printable(note)}")
    for path, reason in sorted(skipped.items()):
        print(f"left out {printable(path)}: {printable(reason)}")
    if passed_over:
        print(printable(passed_over))
    total = duration(sum(entry.duration_s for entry in usable))
    print(f"{len(usable)} usable sounds, {total} together; {len(skipped)} left out.")
    if stereo:
        print(stereo_text(stereo, len(usable)))


def _sound_notes(usable: list[Path], cache: "SoundCache") -> list[str]:
    """Return what a user should know about how sounds are read and used."""
    from distill.audio.decoding.sound_file import SAMPLE_RATE
    from distill.training.data.regions import silence_note

    sounds = [cache.get(path) for path in usable]
    notes = [f"{sound.source}: {note}" for sound in sounds for note in sound.notes]
    silence = silence_note(sounds, SAMPLE_RATE)
    return [*notes, silence] if silence else notes


def _can_be_trained_on(usable: list[Path], cache: "SoundCache") -> bool:
    from distill.audio.decoding.sound_file import SAMPLE_RATE
    from distill.training.data.split import can_be_divided

    return len(usable) > 1 or (len(usable) == 1 and can_be_divided(cache.get(usable[0]), SAMPLE_RATE))


# --- what the commands share -----------------------------------------------------------------------------------------


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
