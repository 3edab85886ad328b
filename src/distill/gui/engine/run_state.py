"""What a training is doing, for the parts of the window that do not need its thread."""

from enum import Enum


class RunState(Enum):
    """What the bridge does."""

    IDLE = "idle"
    PREPARING = "preparing"
    TRAINING = "training"
    STOPPING = "stopping"
