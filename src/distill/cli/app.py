"""The command line: its commands and exit codes.

The engine is the same, and so are its files: a run that was started here can be resumed in the window, and the other
way round.  torch is imported inside the commands that need it, so that help and wrong usage answer at once.

Exit codes: 0 finished, 130 stopped by the user with a checkpoint written, 1 failed with one sentence, 2 wrong usage: a
value that no run or sound can have, options that exclude each other, or the name of something that is not there.
"""

import sys
from typing import Annotated

import typer

from distill import __version__
from distill.cli import compare, generate, library, map_and_kit, play, queue, runs, train
from distill.cli.inspection import inspect_sounds
from distill.cli.options import expand_home
from distill.cli.output.error_messages import print_error
from distill.cli.output.std_streams import lenient_streams, only_prints, open_missing_streams
from distill.housekeeping import tidy_own_folders

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
train.register(app)
inspect_sounds.register(app)


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
    words = [expand_home(argument) for argument in arguments]
    try:
        code = typer.main.get_command(app)(words, prog_name="distill", standalone_mode=False)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    except Exception as error:  # the border: what gets here and is not meant for the user is a bug
        return print_error(error)
    return code if isinstance(code, int) else 0


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
