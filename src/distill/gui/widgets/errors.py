"""Where an error of background work is shown: user errors in the notice bar, bugs by the crash reporter."""

from collections.abc import Callable

from distill import diagnostics
from distill.errors import DistillError
from distill.gui.widgets.notices import Level, NoticeBar

#: Errors that a user can act on.
USER_ERRORS = (DistillError, OSError, ImportError)


def show_error(
    notices: NoticeBar,
    topic: str,
    error: Exception,
    describe: Callable[[str], str] = str,
    level: Level = "error",
) -> None:
    """Show an error in the notice bar, or report it as a bug if no user can act on it.

    Parameters
    ----------
    notices, topic, level
        As for `NoticeBar.notify`.
    error
        What went wrong.
    describe
        Returns the text of the notice from the reason.
    """
    if isinstance(error, USER_ERRORS):
        notices.notify(topic, describe(reason_of(error)), level)
    else:
        diagnostics.report(error)


def reason_of(error: Exception) -> str:
    """Return the reason in words, without the number of a system error."""
    if isinstance(error, OSError) and not isinstance(error, DistillError) and error.strerror:
        return error.strerror if error.filename is None else f"{error.strerror}: {error.filename}"
    return str(error)
