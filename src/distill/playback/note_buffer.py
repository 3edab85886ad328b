"""The length of the device's buffer for notes: short at first, doubled where the computer does not keep up with it."""

import logging

from distill.playback.output_device import BUFFER_SECONDS, LIVE_BUFFER_SECONDS

log = logging.getLogger(__name__)

#: Dropouts between two checks, twice in a row, after which the buffer for notes is doubled.
MOST_UNDERFLOWS = 3


class NoteBuffer:
    """How long the buffer is, and the dropouts that were seen with it.

    Attributes
    ----------
    seconds
        Its length.
    """

    def __init__(self) -> None:
        self.seconds = LIVE_BUFFER_SECONDS
        self._underflows_seen, self._dry_looks = 0, 0

    def begin(self) -> None:
        """Begin with a device that is opened, and has had no dropout."""
        self._underflows_seen = 0

    def runs_dry(self, underflows: int, is_live: bool) -> bool:
        """Return whether the device had dropouts in this look and in the one before; one alone may be a hiccup.

        Parameters
        ----------
        underflows
            Its dropouts since it was opened.
        is_live
            Whether it is open for notes.
        """
        had, self._underflows_seen = underflows - self._underflows_seen, underflows
        self._dry_looks = self._dry_looks + 1 if is_live and had >= MOST_UNDERFLOWS else 0
        return self._dry_looks >= 2 and self.seconds < BUFFER_SECONDS

    def lengthen(self) -> None:
        """Double the buffer: this computer does not keep up with the present one."""
        self.seconds, self._dry_looks = min(2 * self.seconds, BUFFER_SECONDS), 0
        log.info("The buffer for notes is %.0f ms now: the device ran dry", 1000 * self.seconds)
