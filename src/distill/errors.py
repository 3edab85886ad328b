"""What a musician can act on.

Every error here carries one clear sentence that says what is wrong and what to do; the window and the terminal
show it as it is.  Anything that does not derive from `DistillError` is a bug and is reported with its traceback.
"""

import errno

#: What torch says where memory is not enough: on the CPU (Linux, Windows), CUDA and MPS, and in the C++ library.
_MEMORY_ERRORS = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "Cannot allocate memory",
    "bad_alloc",
    "failed to map segment",  # a library for which there is no room
    "can't start new thread",  # in nearly all cases there is no room for its stack
)
#: What oneDNN says where there is no room for the code or the buffers of an operation.  Longer messages that begin
#: alike ("could not create a primitive descriptor for ...") say that it does not know the operation.
_ONEDNN_MEMORY_ERRORS = ("could not create a primitive", "could not execute a primitive")


class DistillError(Exception):
    """Base of all errors that a user can act on."""


class Cancelled(Exception):  # noqa: N818 - not an error: the user requested it
    """The work was stopped because its ``cancel_event`` was set."""


class NoAnswer(Cancelled):
    """The work was stopped, but a drive that it reads from does not answer; the message says which, for people."""


class ConfigurationError(DistillError, ValueError):
    """A setting is out of its range."""


class SoundError(DistillError, ValueError):
    """A sound cannot be used; the message is the reason."""


class NotEnoughSoundsError(SoundError):
    """Fewer than two usable sounds remain; the message names every file and why."""


class RunFolderError(DistillError, OSError):
    """A run's folder cannot be used: it is taken, locked, missing or not a run."""


class QueueError(DistillError, OSError):
    """The queue of runs cannot be read or changed, or is in use by another process."""


class CheckpointError(DistillError, ValueError):
    """A checkpoint is damaged, truncated, foreign, from a newer version, or does not fit what it is loaded into."""


class ModelFileError(DistillError, ValueError):
    """A `.distill` file is damaged, truncated, foreign, from a newer version, or of another family."""


class LibraryError(DistillError, OSError):
    """A model of the library cannot be found, changed, moved or copied."""


class UnknownModelError(LibraryError):
    """No model of the library, or more than one, has the name that the user gave."""


class ModelReplacedError(LibraryError):
    """The exact weights that a sound was generated with are gone; other weights of the same model are there."""


class TrainingError(DistillError, RuntimeError):
    """The training cannot go on."""


class ModelNotSavedError(DistillError, OSError):
    """A run has ended whose model could not be written; resuming the run writes it."""


class PeerError(DistillError, RuntimeError):
    """Another process of a training on several is gone or has failed; what this one was computing is thrown away."""


class MemoryShortError(DistillError, MemoryError):
    """The memory of the computer or its graphics card was not enough; nothing is wrong with any file."""


class PlaybackError(DistillError, RuntimeError):
    """No sound can be played: no device, a busy device, or a file that cannot be read."""


class MidiError(DistillError, RuntimeError):
    """A MIDI or OSC port cannot be used."""


def is_memory_error(error: BaseException | None) -> bool:
    """Whether an error says that memory was not enough; torch raises a `RuntimeError` for it on most devices."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if isinstance(error, (RuntimeError, ImportError)):
        text = str(error)
        return text in _ONEDNN_MEMORY_ERRORS or any(words in text for words in _MEMORY_ERRORS)
    return isinstance(error, MemoryError)


def pass_on_memory_error(error: Exception) -> None:
    """Raise an error again if it says that memory was not enough: it is no verdict on the file that was read."""
    if is_memory_error(error):
        raise error


def reason_of(error: BaseException) -> str:
    """Return the system's words for an error, or its own; torch's say little where memory was not enough."""
    if is_memory_error(error) and not isinstance(error, DistillError):
        return "there is not enough memory"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
