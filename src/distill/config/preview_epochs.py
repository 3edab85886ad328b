"""After which epochs of a run previews are made."""

import math
from collections.abc import Sequence

from distill.config.training import AnyConfig

#: Runs shorter than this use `RunConfig.preview_interval_short`.
SHORT_RUN_EPOCHS = 50

#: Epochs, as people count, after which longer runs make previews too: the interval alone leaves one row for minutes.
EARLY_PREVIEWS = (2, 5, 10)

#: Share by which the loss on held-out sounds falls from one row of previews to the next, at most, in longer runs.
AUDIBLE_CHANGE = 0.1


def get_effective_preview_interval(config: AnyConfig) -> int:
    """Return after how many epochs previews are made: short runs get them more often."""
    return config.preview_interval_short if config.max_epochs < SHORT_RUN_EPOCHS else config.preview_interval


def has_previews(config: AnyConfig, epoch: int, val_losses: Sequence[float] = ()) -> bool:
    """Return whether previews are made after an epoch, which counts from 0.

    They are after the first and the last epoch, and each time that the interval is over
    (`get_effective_preview_interval`).  Runs that are not short also have them after `EARLY_PREVIEWS`: the second, the
    fifth and the tenth epoch; and each time that the loss on held-out sounds has fallen by `AUDIBLE_CHANGE` since the
    previews before, so that their distance goes by how much has changed.

    Parameters
    ----------
    config
        Settings of the run.
    epoch
        The epoch.
    val_losses
        The loss on held-out sounds after each epoch up to this one; empty for the fixed epochs alone.
    """
    is_long = config.max_epochs >= SHORT_RUN_EPOCHS
    interval = get_effective_preview_interval(config)

    def is_fixed(number: int) -> bool:
        is_early = is_long and number + 1 in EARLY_PREVIEWS
        return is_early or number + 1 == config.max_epochs or number % interval == 0

    if is_fixed(epoch) or not is_long:
        return is_fixed(epoch)
    loss_at_last_preview, is_preview_due = math.inf, False
    for number, loss in enumerate(val_losses[: epoch + 1]):
        is_preview_due = loss <= (1 - AUDIBLE_CHANGE) * loss_at_last_preview and number > 0
        if is_fixed(number) or is_preview_due:
            loss_at_last_preview = loss
    return is_preview_due
