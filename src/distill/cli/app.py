"""The command line: its commands, what is printed of errors, and exit codes.

The engine is the same, and so are its files: a run that was started here can be resumed in the window, and the other
way round.  torch is imported inside the commands that need it, so that help and wrong usage answer at once.

Exit codes: 0 finished, 130 stopped by the user with a checkpoint written, 1 failed with one sentence, 2 wrong usage: a
value that no run or sound can have, options that exclude each other, or the name of something that is not there.
"""

import errno
import io
import os
import sys
from typing import Annotated, Any

import typer

from distill import __version__, diagnostics
from distill.cli import compare, generate, library, map_and_kit, play, queue, runs, train
from distill.cli.inspection import inspect_sounds
from distill.cli.output.std_streams import lenient_streams, only_prints, open_missing_streams
from distill.cli.output.text import printable, printable_lines
from distill.distributed.torchrun import leave_word_to_first
from distill.errors import ConfigurationError, DistillError, UnknownModelError, is_memory_error
from distill.housekeeping import tidy_own_folders

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
