"""Devices by the names that people give them."""

import torch

from distill.errors import ConfigurationError


def pick_device(name: torch.device | str) -> torch.device:
    """Return a device: what ``name`` says, or for ``"auto"`` the best that is there.

    Raises
    ------
    ConfigurationError
        The device is unknown or not there.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as exc:
        raise ConfigurationError(f"The device {str(name)!r} cannot be used here. Choose auto or cpu.") from exc
    return device


def pick_known_device(name: str) -> str:
    """Return the name of a device that was used before, or of the best one where it is not there any more."""
    try:
        pick_device(name)
    except ConfigurationError:
        return str(pick_device("auto"))  # by name: the settings may ask for the one that is gone
    return name
