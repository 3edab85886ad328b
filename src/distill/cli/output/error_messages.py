"""What a command prints of an error, and the exit code that goes with it."""

import errno
import io
import sys
from typing import Any

from distill import diagnostics
from distill.cli.output.printable_text import printable, printable_lines
from distill.distributed.torchrun import leave_word_to_first
from distill.errors import ConfigurationError, DistillError, UnknownModelError, is_memory_error

#: Characters of a name that is too long for a file.
_SHOWN_OF_A_NAME = 60
_NO_MEMORY = "distill: there is not enough memory for this. Close other programs, then try again."


def print_error(error: Exception) -> int:
    """Print what went wrong, and return the exit code."""
    if isinstance(error, DistillError):
        leave_word_to_first()
        print(f"distill: {printable(error)}", file=sys.stderr)
        return 2 if isinstance(error, (ConfigurationError, UnknownModelError)) else 1
    try:
        return _print_other(error)
    except MemoryError:  # there is not even enough for a report
        print(_NO_MEMORY, file=sys.stderr)
        return 1


def _print_other(error: Exception) -> int:
    """Print what is not meant for the user as it is, and return the exit code."""
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
