"""Which errors are for the user, and their texts.  All others are bugs."""

from PySide6.QtCore import QCoreApplication

from distill.errors import DistillError, is_memory_error


def is_user_error(error: BaseException) -> bool:
    """Return whether a user can act on an error: its message is for them.  Otherwise it is a bug."""
    return isinstance(error, (DistillError, OSError)) or is_memory_error(error)


def error_text(error: BaseException) -> str:
    """Return what a user error says in one sentence."""
    if isinstance(error, OSError) and not isinstance(error, DistillError):
        reason = error.strerror or str(error)
        return f"{reason}: {error.filename}" if error.filename else reason
    if is_memory_error(error) and not isinstance(error, DistillError):
        return QCoreApplication.translate(
            "UserErrors", "There is not enough memory. Close other programs, then try again."
        )
    return str(error)
