"""What a training says that memory was not enough for: a smaller batch, or fewer sounds."""

import logging
import traceback

from distill.errors import MemoryShortError

log = logging.getLogger(__name__)


def short_of_memory(error: BaseException, batch_size: int) -> BaseException:
    """Return an error that proposes a smaller batch, for one that says that memory was not enough."""
    traceback.clear_frames(error.__traceback__)  # lets go of the batch, so that the run can be ended
    if isinstance(error, MemoryShortError):
        return error
    smaller = (
        f"Start a new run with a smaller batch, for example {batch_size // 2} instead of {batch_size}, or close other "
        "programs."
        if batch_size > 1
        else "Close other programs, or train on fewer sounds."
    )
    log.error("Memory was not enough", exc_info=error)
    return MemoryShortError(f"There is not enough memory for this training. {smaller}")
