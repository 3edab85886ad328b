"""What the window asks of each of its parts: restore, save, flush, close."""

from distill.settings import WindowSettings


class WindowPart:
    """A part of the window that has settings, unsaved work or background work: usually the presenter of a panel.

    The window holds a list of its parts (`distill.gui.window.composition`) and calls these methods on each.  A part
    overrides what it needs.
    """

    def restore(self, settings: WindowSettings) -> None:
        """Set the part up as it was at the end of the last session.  Does not touch the disk."""

    def save(self, settings: WindowSettings) -> None:
        """Write into ``settings`` what `restore` should find at the next start."""

    def flush(self) -> None:
        """Save what the user has typed but not yet saved.

        Raises
        ------
        DistillError, OSError
            It cannot be saved.  The window then stays open and shows the error, once.
        """

    def close(self) -> None:
        """End background work, and wait for it.  The window calls it on every part, also when another part fails."""
